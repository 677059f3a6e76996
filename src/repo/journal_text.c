#include "journal_internal.h"
#include <assert.h>
#include <inttypes.h>
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIME_LENGTH = 20 }; /* "2026-03-01T02:00:00Z" */

static const char CARRIED[] = "carried";
static const char NAME_CHARACTERS[] = "abcdefghijklmnopqrstuvwxyz_";

/* --- names of segments -------------------------------------------------------------------------------------------- */

bool journal_name_parse(const char *leaf, struct journal_place *place) {
    uint8_t host[JOURNAL_HOST_DIGITS / 2];
    const char *number = leaf + JOURNAL_HOST_DIGITS + 1;
    const char *hash = number + JOURNAL_NUMBER_DIGITS + 1;
    if (strlen(leaf) != JOURNAL_HOST_DIGITS + 1 + JOURNAL_NUMBER_DIGITS + 1 + 64)
        return false;
    if (!hex_decode(host, sizeof host, leaf) || number[-1] != '-' || hash[-1] != '-' ||
        !hex_decode(place->hash, sizeof place->hash, hash))
        return false;

    place->number = 0;
    for (int i = 0; i < JOURNAL_NUMBER_DIGITS; i++) {
        if (number[i] < '0' || number[i] > '9')
            return false;
        place->number = place->number * 10 + (uint64_t)(number[i] - '0');
    }
    memcpy(place->host, leaf, JOURNAL_HOST_DIGITS);
    place->host[JOURNAL_HOST_DIGITS] = '\0';
    return place->number > 0;
}

char *journal_name_format(const struct journal_place *place, char *leaf, size_t size) {
    char hash[65];
    snprintf(leaf, size, "%s-%0*" PRIu64 "-%s", place->host, JOURNAL_NUMBER_DIGITS, place->number,
             hex_encode(hash, place->hash, sizeof place->hash));
    return leaf;
}

/* --- the heading -------------------------------------------------------------------------------------------------- */

void journal_heading_encode(const struct keys *keys, const struct journal_place *place, const uint8_t previous[32],
                            struct buffer *out) {
    char hash[65];
    buffer_printf(out, "muniment journal 1\nset %s\nhost %s\nnumber %" PRIu64 "\nprevious %s\n", keys->set_name,
                  place->host, place->number, hex_encode(hash, previous, 32));
}

int journal_heading_read(const struct keys *keys, const struct journal_place *place, struct reader *reader,
                         uint8_t previous[32], const char *name, struct err *err) {
    static const uint8_t NOTHING[32] = { 0 };
    enum { END = 64 + 1 }; /* the digits of `previous`, and the line's end */
    struct buffer expected = { 0 };
    journal_heading_encode(keys, place, NOTHING, &expected);
    const char *found = (const char *)reader_bytes(reader, expected.length);
    size_t before = expected.length - END;
    bool same = found && memcmp(found, expected.data, before) == 0 && hex_decode(previous, 32, found + before) &&
                found[expected.length - 1] == '\n';
    buffer_release(&expected);
    return same ? 0 : err_set(err, ERR_CORRUPT, "%s: its heading is that of another segment, or of another set", name);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static bool is_name(const char *text) {
    return text[0] != '\0' && text[strspn(text, NAME_CHARACTERS)] == '\0';
}

static bool is_escaped(uint8_t byte) {
    return byte < 0x20 || byte == 0x7f || byte == '%';
}

static void put_value(struct buffer *out, const char *value) {
    for (const char *at = value ? value : ""; *at; at++) {
        uint8_t byte = (uint8_t)*at;
        if (is_escaped(byte))
            buffer_printf(out, "%%%02X", byte);
        else
            buffer_put_u8(out, byte);
    }
}

static void begin_line(struct journal_batch *batch, int64_t time, const char *event) {
    char when[CLOCK_TEXT];
    assert(is_name(event));
    buffer_printf(&batch->lines, "%s\t%s", clock_format(when, time), event);
}

static void put_field(struct journal_batch *batch, const char *name, const char *value) {
    assert(is_name(name));
    buffer_printf(&batch->lines, "\t%s=", name);
    put_value(&batch->lines, value);
}

static void end_line(struct journal_batch *batch, int64_t written) {
    buffer_put_u8(&batch->lines, '\n');
    batch->count++;
    if (batch->newest < written)
        batch->newest = written;
}

void journal_add(struct journal_batch *batch, int64_t time, const char *event, ...) {
    va_list fields;
    begin_line(batch, time, event);
    va_start(fields, event);
    for (const char *name; (name = va_arg(fields, const char *));)
        put_field(batch, name, va_arg(fields, const char *));
    va_end(fields);
    end_line(batch, time);
}

void journal_add_entry(struct journal_batch *batch, const struct journal_entry *entry) {
    begin_line(batch, entry->time, entry->event);
    for (const char *const *field = entry->fields; *field; field += 2)
        put_field(batch, field[0], field[1]);
    end_line(batch, journal_written(entry));
}

void journal_add_carried(struct journal_batch *batch, const struct journal_entry *entry, int64_t when) {
    char date[CLOCK_TEXT];
    begin_line(batch, entry->time, entry->event);
    for (const char *const *field = entry->fields; *field; field += 2)
        if (strcmp(field[0], CARRIED) != 0)
            put_field(batch, field[0], field[1]);
    put_field(batch, CARRIED, clock_format(date, when));
    end_line(batch, when);
}

int64_t journal_written(const struct journal_entry *entry) {
    const char *carried = journal_field(entry, CARRIED);
    int64_t when;
    return carried && clock_parse(carried, &when, NULL) == 0 ? when : entry->time;
}

void journal_batch_release(struct journal_batch *batch) {
    buffer_release(&batch->lines);
    *batch = (struct journal_batch){ 0 };
}

static int hex_digit(char digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* In place. Only what must be escaped may be, so that every value has one spelling. */
static bool unescape(char *value) {
    char *to = value;
    for (const char *from = value; *from; from++) {
        uint8_t byte = (uint8_t)*from;
        if (byte == '%') {
            int high = hex_digit(from[1]), low = high < 0 ? -1 : hex_digit(from[2]);
            if (low < 0)
                return false;
            byte = (uint8_t)(high << 4 | low);
            if (byte == 0 || !is_escaped(byte))
                return false;
            from += 2;
        } else if (is_escaped(byte)) {
            return false;
        }
        *to++ = (char)byte;
    }
    *to = '\0';
    return true;
}

static bool parse_time(const char *text, int64_t *time) {
    struct err unreadable = { 0 };
    char again[CLOCK_TEXT];
    return strlen(text) == TIME_LENGTH && clock_parse(text, time, &unreadable) == 0 &&
           strcmp(clock_format(again, *time), text) == 0;
}

static bool parse_line(struct journal_line *line) {
    char *rest = (char *)line->text.data;
    const char *time = strsep(&rest, "\t");
    const char *event = rest ? strsep(&rest, "\t") : "";
    size_t count = 0;
    if (!parse_time(time, &line->entry.time) || !is_name(event))
        return false;

    while (rest) {
        char *value = strsep(&rest, "\t");
        const char *name = strsep(&value, "=");
        if (!value || !is_name(name) || !unescape(value))
            return false;
        line->fields = mem_grow(line->fields, &line->capacity, count + 3, sizeof *line->fields);
        line->fields[count++] = name;
        line->fields[count++] = value;
    }
    line->fields = mem_grow(line->fields, &line->capacity, count + 1, sizeof *line->fields);
    line->fields[count] = NULL;
    line->entry.event = event;
    line->entry.fields = line->fields;
    return true;
}

int journal_line_next(struct journal_line *line, struct reader *reader, const char *name, struct err *err) {
    if (reader->left == 0)
        return 0;
    const uint8_t *start = reader->at, *end = memchr(start, '\n', reader->left);
    if (!end || memchr(start, '\0', (size_t)(end - start)))
        return err_set(err, ERR_CORRUPT, "%s: a line of the segment is not one", name);
    reader_bytes(reader, (size_t)(end - start) + 1);

    buffer_clear(&line->text);
    buffer_put(&line->text, start, (size_t)(end - start));
    buffer_put_u8(&line->text, 0);
    if (!parse_line(line))
        return err_set(err, ERR_CORRUPT, "%s: a line of the segment is malformed", name);
    return 1;
}

void journal_line_release(struct journal_line *line) {
    buffer_release(&line->text);
    free(line->fields);
    *line = (struct journal_line){ 0 };
}

const char *journal_field(const struct journal_entry *entry, const char *name) {
    for (const char *const *field = entry->fields; *field; field += 2)
        if (strcmp(field[0], name) == 0)
            return field[1];
    return NULL;
}
