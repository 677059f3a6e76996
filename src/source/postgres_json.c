/* As much JSON as a database's description takes. It is read back from a snapshot, so it is bounded and checked. */

#include "postgres_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 8 };

void json_put_text(struct buffer *out, const char *text) {
    if (text == NULL) {
        buffer_put(out, "null", 4);
        return;
    }
    buffer_put(out, "\"", 1);
    for (const char *at = text; *at != '\0'; at++) {
        const unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\')
            buffer_printf(out, "\\%c", byte);
        else if (byte < 0x20)
            buffer_printf(out, "\\u%04x", byte);
        else
            buffer_put(out, at, 1);
    }
    buffer_put(out, "\"", 1);
}

struct parser {
    const char *at, *end;
};

static bool parse_value(struct parser *parser, struct json *value, int depth);

static void skip_space(struct parser *parser) {
    while (parser->at < parser->end && strchr(" \t\r\n", *parser->at) != NULL && *parser->at != '\0')
        parser->at++;
}

/* Takes `token` when it comes next. */
static bool take(struct parser *parser, const char *token) {
    const size_t length = strlen(token);

    skip_space(parser);
    if ((size_t)(parser->end - parser->at) < length || memcmp(parser->at, token, length) != 0)
        return false;
    parser->at += length;
    return true;
}

/* What follows a backslash. Of \u only what json_put_text() writes: control characters but NUL. */
static bool parse_escape(struct parser *parser, struct buffer *out) {
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t", digits[] = "0123456789abcdef";

    if (parser->at == parser->end)
        return false;
    const char kind = *parser->at++;
    const char *name = kind != '\0' ? strchr(names, kind) : NULL;
    if (name != NULL) {
        buffer_put(out, &values[name - names], 1);
        return true;
    }
    if (kind != 'u' || parser->end - parser->at < 4)
        return false;
    unsigned code = 0;
    for (int i = 0; i < 4; i++) {
        const char digit = *parser->at++;
        const char *place = digit != '\0' ? strchr(digits, digit) : NULL;
        if (place == NULL)
            return false;
        code = code * 16 + (unsigned)(place - digits);
    }
    buffer_put_u8(out, (uint8_t)code);
    return code > 0 && code < 0x20;
}

static bool parse_text(struct parser *parser, char **text) {
    struct buffer out = { 0 };
    bool good = take(parser, "\"");

    while (good && parser->at < parser->end && *parser->at != '"') {
        const char byte = *parser->at++;
        if (byte == '\\')
            good = parse_escape(parser, &out);
        else if ((unsigned char)byte < 0x20)
            good = false;
        else
            buffer_put(&out, &byte, 1);
    }
    good = good && parser->at < parser->end;
    if (good) {
        parser->at++;
        *text = mem_string(buffer_text(&out));
    }
    buffer_release(&out);
    return good;
}

static bool parse_number(struct parser *parser, int64_t *number) {
    enum { DIGITS_MAX = 18 };
    const bool negative = take(parser, "-");
    int digits = 0;

    *number = 0;
    for (; parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9'; parser->at++, digits++) {
        if (digits == DIGITS_MAX)
            return false;
        *number = *number * 10 + (*parser->at - '0');
    }
    if (negative)
        *number = -*number;
    return digits > 0;
}

static bool parse_items(struct parser *parser, struct json *value, const char *close, int depth) {
    size_t capacity = 0;

    if (take(parser, close))
        return true;
    do {
        value->items = mem_grow(value->items, &capacity, value->count + 1, sizeof *value->items);
        struct json *item = &value->items[value->count++];
        *item = (struct json){ 0 };
        if (value->kind == JSON_OBJECT && (!parse_text(parser, &item->key) || !take(parser, ":")))
            return false;
        if (!parse_value(parser, item, depth + 1))
            return false;
    } while (take(parser, ","));
    return take(parser, close);
}

static bool parse_value(struct parser *parser, struct json *value, int depth) {
    if (depth > DEPTH_MAX)
        return false;
    skip_space(parser);
    if (take(parser, "null"))
        return true;
    if (take(parser, "true") || take(parser, "false")) {
        value->kind = JSON_BOOLEAN;
        value->number = parser->at[-2] == 'u';
        return true;
    }
    if (take(parser, "{")) {
        value->kind = JSON_OBJECT;
        return parse_items(parser, value, "}", depth);
    }
    if (take(parser, "[")) {
        value->kind = JSON_LIST;
        return parse_items(parser, value, "]", depth);
    }
    if (parser->at < parser->end && *parser->at == '"') {
        value->kind = JSON_TEXT;
        return parse_text(parser, &value->text);
    }
    value->kind = JSON_NUMBER;
    return parse_number(parser, &value->number);
}

int json_parse(const void *data, size_t length, struct json *value, struct err *err) {
    struct parser parser = { .at = data, .end = (const char *)data + length };
    bool good = parse_value(&parser, value, 0);

    skip_space(&parser);
    if (good && parser.at == parser.end)
        return 0;
    const size_t place = (size_t)(parser.at - (const char *)data);
    json_release(value);
    return err_set(err, ERR_CORRUPT, "not valid JSON at byte %zu", place);
}

const struct json *json_member(const struct json *object, const char *key) {
    static const struct json nothing = { .kind = JSON_NULL };

    for (size_t i = 0; object->kind == JSON_OBJECT && i < object->count; i++)
        if (strcmp(object->items[i].key, key) == 0)
            return &object->items[i];
    return &nothing;
}

void json_release(struct json *value) {
    for (size_t i = 0; i < value->count; i++)
        json_release(&value->items[i]);
    free(value->items);
    free(value->key);
    free(value->text);
    *value = (struct json){ 0 };
}
