#include "output_internal.h"
#include <muniment/retention/plan.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/utf8.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_BLOCK = 64 * 1024 };

struct output {
    struct buffer pending;
    int fd;
    bool json;
    bool comma;        /* before the next value */
    struct err failed; /* of the first write that was refused */
};

struct output *output_new(bool json, int fd) {
    struct output *output = mem_zalloc(sizeof *output);
    output->json = json;
    output->fd = fd;
    return output;
}

bool output_is_json(const struct output *output) {
    return output->json;
}

static void output_write(struct output *output) {
    if (output->failed.code == ERR_NONE && output->pending.length > 0 &&
        file_write_all(output->fd, output->pending.data, output->pending.length, "standard output", &output->failed) !=
            0)
        err_hint(&output->failed, "the result above may be cut");
    buffer_clear(&output->pending);
}

int output_flush(struct output *output, struct err *err) {
    output_write(output);
    if (output->failed.code == ERR_NONE)
        return 0;
    *err = output->failed;
    return -1;
}

void output_free(struct output *output) {
    if (output == NULL)
        return;
    buffer_release(&output->pending);
    free(output);
}

void output_text(struct output *output, const char *format, ...) {
    if (output->json)
        return;
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        abort();
    buffer_put(&output->pending, text, (size_t)length);
    free(text);
    if (output->pending.length >= OUTPUT_BLOCK)
        output_write(output);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

/* What a terminal might obey: those of U+0080 to U+009F, whose last byte is their number, are controls too. */
static bool is_control(const char *character, size_t length) {
    const unsigned char last = (unsigned char)character[length - 1];
    return length == 1 ? last < 0x20 || last == 0x7f : length == 2 && character[0] == '\xc2' && last < 0xa0;
}

/* Appends `text` as a JSON string; false when some of it was not UTF-8. */
static bool put_string(struct buffer *out, const char *text) {
    bool whole = true;
    buffer_put_u8(out, '"');
    for (size_t left = strlen(text), length; left > 0; text += length, left -= length) {
        length = utf8_length(text, left);
        if (length == 0) {
            buffer_put(out, "\xef\xbf\xbd", 3);
            whole = false;
            length = 1;
        } else if (*text == '"' || *text == '\\') {
            buffer_printf(out, "\\%c", *text);
        } else if (is_control(text, length)) {
            buffer_printf(out, "\\u%04x", (unsigned char)text[length - 1]);
        } else {
            buffer_put(out, text, length);
        }
    }
    buffer_put_u8(out, '"');
    return whole;
}

static void put_name(struct output *output, const char *name) {
    if (output->comma)
        buffer_put_u8(&output->pending, ',');
    output->comma = true;
    if (name != NULL)
        buffer_printf(&output->pending, "\"%s\":", name);
}

void json_begin(struct output *output, const char *type) {
    if (!output->json)
        return;
    output->comma = false;
    buffer_put_u8(&output->pending, '{');
    json_text(output, "type", type);
    json_number(output, "schema", JSON_SCHEMA);
}

/* Each line is written at once, so that whoever reads a long run sees its steps. */
void json_end(struct output *output) {
    if (!output->json)
        return;
    buffer_put(&output->pending, "}\n", 2);
    output_write(output);
}

void json_text(struct output *output, const char *name, const char *value) {
    if (!output->json)
        return;
    put_name(output, name);
    if (value == NULL) {
        buffer_printf(&output->pending, "null");
        return;
    }
    if (put_string(&output->pending, value) || name == NULL)
        return;
    char *digits = mem_alloc(2 * strlen(value) + 1);
    buffer_printf(&output->pending, ",\"%s_hex\":\"%s\"", name, hex_encode(digits, value, strlen(value)));
    free(digits);
}

void json_number(struct output *output, const char *name, int64_t value) {
    if (!output->json)
        return;
    put_name(output, name);
    buffer_printf(&output->pending, "%lld", (long long)value);
}

void json_count(struct output *output, const char *name, uint64_t value) {
    if (!output->json)
        return;
    put_name(output, name);
    buffer_printf(&output->pending, "%llu", (unsigned long long)value);
}

void json_seconds(struct output *output, const char *name, double value) {
    if (!output->json)
        return;
    put_name(output, name);
    buffer_printf(&output->pending, "%.3f", value);
}

void json_flag(struct output *output, const char *name, bool value) {
    if (!output->json)
        return;
    put_name(output, name);
    buffer_printf(&output->pending, "%s", value ? "true" : "false");
}

void json_time(struct output *output, const char *name, int64_t when) {
    char text[CLOCK_TEXT];
    json_text(output, name, when == 0 ? NULL : clock_format(text, when));
}

static void json_open(struct output *output, const char *name, char bracket) {
    if (!output->json)
        return;
    put_name(output, name);
    buffer_put_u8(&output->pending, (uint8_t)bracket);
    output->comma = false;
}

static void json_close(struct output *output, char bracket) {
    if (!output->json)
        return;
    buffer_put_u8(&output->pending, (uint8_t)bracket);
    output->comma = true;
}

void json_list(struct output *output, const char *name) {
    json_open(output, name, '[');
}

void json_list_end(struct output *output) {
    json_close(output, ']');
}

void json_group(struct output *output, const char *name) {
    json_open(output, name, '{');
}

void json_group_end(struct output *output) {
    json_close(output, '}');
}

/* --- forms for people --------------------------------------------------------------------------------------------- */

char *form_bytes(char text[FORM_TEXT], uint64_t bytes) {
    static const char *const UNITS[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
    double amount = (double)bytes;
    size_t unit = 0;
    while (amount >= 999.5 && unit + 1 < sizeof UNITS / sizeof *UNITS) {
        amount /= 1000;
        unit++;
    }
    snprintf(text, FORM_TEXT, unit > 0 && amount < 9.95 ? "%.1f %s" : "%.0f %s", amount, UNITS[unit]);
    return text;
}

char *form_count(char text[FORM_TEXT], uint64_t count, const char *one) {
    /* "entry" is the only noun here whose plural is not its own with an s. */
    bool entry = count != 1 && strcmp(one, "entry") == 0;
    snprintf(text, FORM_TEXT, "%llu %s%s", (unsigned long long)count, entry ? "entries" : one,
             count == 1 || entry ? "" : "s");
    return text;
}

char *form_ago(char text[FORM_TEXT], int64_t when, int64_t now) {
    char span[CLOCK_TEXT];
    if (when > now)
        snprintf(text, FORM_TEXT, "in %s", clock_format_span(span, when - now));
    else
        snprintf(text, FORM_TEXT, "%s ago", clock_format_span(span, now - when));
    return text;
}

char *form_when(char text[FORM_TEXT], int64_t when, int64_t now) {
    char moment[CLOCK_TEXT], ago[FORM_TEXT];
    snprintf(text, FORM_TEXT, "%s (%.36s)", clock_format(moment, when), form_ago(ago, when, now));
    return text;
}

char *form_tiers(char text[FORM_TEXT], uint8_t tiers) {
    static const struct {
        uint8_t bit;
        const char *name;
    } NAMES[] = {
        { TIER_DAILY, "daily" }, { TIER_WEEKLY, "weekly" }, { TIER_MONTHLY, "monthly" }, { TIER_YEARLY, "yearly" }
    };
    size_t length = 0;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (tiers & NAMES[i].bit)
            length += (size_t)snprintf(text + length, FORM_TEXT - length, "%s%s", length > 0 ? " " : "", NAMES[i].name);
    }
    if (length == 0)
        strcpy(text, "-");
    return text;
}

char *form_speed(char text[FORM_TEXT], uint64_t bytes, double seconds) {
    char amount[FORM_TEXT];
    snprintf(text, FORM_TEXT, "%.40s/s",
             form_bytes(amount, (uint64_t)((double)bytes / (seconds > 0.001 ? seconds : 0.001))));
    return text;
}

char *form_seconds(char text[FORM_TEXT], double seconds) {
    if (seconds < 9.95)
        snprintf(text, FORM_TEXT, "%.1f s", seconds);
    else
        clock_format_span(text, (int64_t)(seconds + 0.5));
    return text;
}

/* What a terminal might obey, and what is no UTF-8, becomes \xNN. `spared` are controls that stay, `marked` others that
 * do not. */
static char *escape(const char *text, const char *spared, const char *marked) {
    struct buffer out = { 0 };
    for (size_t left = strlen(text), length; left > 0; text += length, left -= length) {
        length = utf8_length(text, left);
        const bool plain = length > 0 && !is_control(text, length) && (length > 1 || strchr(marked, *text) == NULL);
        if (!plain)
            length = 1;
        if (plain || strchr(spared, *text) != NULL)
            buffer_put(&out, text, length);
        else
            buffer_printf(&out, "\\x%02x", (unsigned char)*text);
    }
    char *escaped = mem_string(buffer_text(&out));
    buffer_release(&out);
    return escaped;
}

char *form_name(const char *name) {
    return escape(name, "", "\\");
}

char *form_message(const char *message) {
    return escape(message, "\t\n", "");
}
