/*
 * Results, on standard output: text for people, or with --json one JSON object a line.
 *
 * Every object has "type" and "schema" (the version of the shape of all types). Times are RFC 3339 in UTC, sizes bytes,
 * spans seconds. A name that is not UTF-8 stands with U+FFFD for the bytes that are not, beside a field of its name and
 * "_hex" with the exact bytes.
 */
#ifndef MUNIMENT_CMD_OUTPUT_INTERNAL_H
#define MUNIMENT_CMD_OUTPUT_INTERNAL_H

#include <muniment/retention/plan.h>
#include <muniment/util/buffer.h>
#include <muniment/util/form.h>
#include <muniment/util/table.h>

enum { JSON_SCHEMA = 1 };

struct output;

struct output *output_new(bool json, int fd);
bool output_is_json(const struct output *output);

/* Writes what is pending; a result that could not be written is an error of the command. */
int output_flush(struct output *output, struct err *err) MUST_CHECK;
void output_free(struct output *output);

/* Text, unless --json. */
void output_text(struct output *output, const char *format, ...) PRINTF_LIKE(2, 3);

/* A whole document, in whatever form it has, with --json and without. */
void output_document(struct output *output, const void *data, size_t length);

/* An object, only with --json: begin, fields, end. */
void json_begin(struct output *output, const char *type);
void json_end(struct output *output);
void json_text(struct output *output, const char *name, const char *value); /* NULL: null */
void json_number(struct output *output, const char *name, int64_t value);
void json_count(struct output *output, const char *name, uint64_t value);
void json_seconds(struct output *output, const char *name, double value);
void json_flag(struct output *output, const char *name, bool value);
void json_time(struct output *output, const char *name, int64_t when); /* 0: null */
void json_list(struct output *output, const char *name);               /* of values without a name (NULL) */
void json_list_end(struct output *output);
void json_group(struct output *output, const char *name);
void json_group_end(struct output *output);

/* A message for a terminal: as form_name(), but '\\', tabs and line ends stay. The caller frees it. */
char *form_message(const char *message);

/* A name of any bytes on a terminal: control characters, '\\' and what is not UTF-8 become \xNN. The caller frees it.
 */
char *form_name(const char *name);

void table_print(struct table *table, struct output *output); /* as text; nothing with --json. Frees the table. */

#endif
