#include "output_internal.h"
#include <muniment/util/file.h>
#include <muniment/util/json.h>
#include <muniment/util/memory.h>
#include <muniment/util/text.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_BLOCK = 64 * 1024 };

struct output {
    struct buffer pending;
    struct json_writer writer; /* into it */
    int fd;
    bool json;
    struct err failed; /* of the first write that was refused */
};

struct output *output_new(bool json, int fd) {
    struct output *output = mem_zalloc(sizeof *output);
    output->writer.out = &output->pending;
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

void output_document(struct output *output, const void *data, size_t length) {
    buffer_put(&output->pending, data, length);
    output_write(output);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

void json_begin(struct output *output, const char *type) {
    if (!output->json)
        return;
    output->writer.comma = false;
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
    if (output->json)
        json_write_text(&output->writer, name, value);
}

void json_number(struct output *output, const char *name, int64_t value) {
    if (output->json)
        json_write_number(&output->writer, name, value);
}

void json_count(struct output *output, const char *name, uint64_t value) {
    if (output->json)
        json_write_count(&output->writer, name, value);
}

void json_seconds(struct output *output, const char *name, double value) {
    if (output->json)
        json_write_seconds(&output->writer, name, value);
}

void json_flag(struct output *output, const char *name, bool value) {
    if (output->json)
        json_write_flag(&output->writer, name, value);
}

void json_time(struct output *output, const char *name, int64_t when) {
    if (output->json)
        json_write_time(&output->writer, name, when);
}

void json_list(struct output *output, const char *name) {
    if (output->json)
        json_write_open(&output->writer, name, '[');
}

void json_list_end(struct output *output) {
    if (output->json)
        json_write_close(&output->writer, ']');
}

void json_group(struct output *output, const char *name) {
    if (output->json)
        json_write_open(&output->writer, name, '{');
}

void json_group_end(struct output *output) {
    if (output->json)
        json_write_close(&output->writer, '}');
}

/* --- text --------------------------------------------------------------------------------------------------------- */

char *form_name(const char *name) {
    return text_escape(name, "", "\\");
}

char *form_message(const char *message) {
    return text_escape(message, "\t\n", "");
}

void table_print(struct table *table, struct output *output) {
    if (output->json)
        table_free(table);
    else
        table_put(table, "", &output->pending);
    if (output->pending.length >= OUTPUT_BLOCK)
        output_write(output);
}
