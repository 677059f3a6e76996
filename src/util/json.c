#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/json.h>
#include <muniment/util/memory.h>
#include <muniment/util/text.h>
#include <muniment/util/utf8.h>
#include <stdlib.h>
#include <string.h>

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
        } else if (text_is_control(text, length)) {
            buffer_printf(out, "\\u%04x", (unsigned char)text[length - 1]);
        } else {
            buffer_put(out, text, length);
        }
    }
    buffer_put_u8(out, '"');
    return whole;
}

static void put_name(struct json_writer *json, const char *name) {
    if (json->comma)
        buffer_put_u8(json->out, ',');
    json->comma = true;
    if (name != NULL)
        buffer_printf(json->out, "\"%s\":", name);
}

void json_write_text(struct json_writer *json, const char *name, const char *value) {
    if (value == NULL) {
        json_write_null(json, name);
        return;
    }
    put_name(json, name);
    if (put_string(json->out, value) || name == NULL)
        return;
    char *digits = mem_alloc(2 * strlen(value) + 1);
    buffer_printf(json->out, ",\"%s_hex\":\"%s\"", name, hex_encode(digits, value, strlen(value)));
    free(digits);
}

void json_write_number(struct json_writer *json, const char *name, int64_t value) {
    put_name(json, name);
    buffer_printf(json->out, "%lld", (long long)value);
}

void json_write_count(struct json_writer *json, const char *name, uint64_t value) {
    put_name(json, name);
    buffer_printf(json->out, "%llu", (unsigned long long)value);
}

void json_write_seconds(struct json_writer *json, const char *name, double value) {
    put_name(json, name);
    buffer_printf(json->out, "%.3f", value);
}

void json_write_flag(struct json_writer *json, const char *name, bool value) {
    put_name(json, name);
    buffer_printf(json->out, "%s", value ? "true" : "false");
}

void json_write_null(struct json_writer *json, const char *name) {
    put_name(json, name);
    buffer_printf(json->out, "null");
}

void json_write_time(struct json_writer *json, const char *name, int64_t when) {
    char text[CLOCK_TEXT];
    json_write_text(json, name, when == 0 ? NULL : clock_format(text, when));
}

void json_write_open(struct json_writer *json, const char *name, char bracket) {
    put_name(json, name);
    buffer_put_u8(json->out, (uint8_t)bracket);
    json->comma = false;
}

void json_write_close(struct json_writer *json, char bracket) {
    buffer_put_u8(json->out, (uint8_t)bracket);
    json->comma = true;
}
