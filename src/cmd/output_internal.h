/*
 * Results, on standard output: text for people, or with --json one JSON object a line.
 *
 * Every object has "type" and "schema" (the version of the shape of all types). Times are RFC 3339 in UTC, sizes bytes,
 * spans seconds. A name that is not UTF-8 stands with U+FFFD for the bytes that are not, beside a field of its name and
 * "_hex" with the exact bytes.
 */
#ifndef MUNIMENT_CMD_OUTPUT_INTERNAL_H
#define MUNIMENT_CMD_OUTPUT_INTERNAL_H

#include <muniment/util/buffer.h>

enum { JSON_SCHEMA = 1 };

struct output;

struct output *output_new(bool json, int fd);
bool output_is_json(const struct output *output);

/* Writes what is pending; a result that could not be written is an error of the command. */
int output_flush(struct output *output, struct err *err) MUST_CHECK;
void output_free(struct output *output);

/* Text, unless --json. */
void output_text(struct output *output, const char *format, ...) PRINTF_LIKE(2, 3);

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

/* Forms for people; each writes into `text` and returns it. */
enum { FORM_TEXT = 64 };
char *form_bytes(char text[FORM_TEXT], uint64_t bytes);                  /* "735 MB", "1.2 GB" */
char *form_count(char text[FORM_TEXT], uint64_t count, const char *one); /* "1 pack", "3 packs" */
char *form_ago(char text[FORM_TEXT], int64_t when, int64_t now);
char *form_when(char text[FORM_TEXT], int64_t when, int64_t now); /* "2026-03-01T02:00:00Z (5 h ago)" */
char *form_tiers(char text[FORM_TEXT], uint8_t tiers);            /* "daily weekly", or "-" */
char *form_seconds(char text[FORM_TEXT], double seconds);         /* "0.3 s", "2 min 10 s" */
char *form_speed(char text[FORM_TEXT], uint64_t bytes, double seconds);

/* A message for a terminal: as form_name(), but '\\', tabs and line ends stay. The caller frees it. */
char *form_message(const char *message);

/* A name of any bytes on a terminal: control characters, '\\' and what is not UTF-8 become \xNN. The caller frees it.
 */
char *form_name(const char *name);

/* --- tables --- */

struct table;

/* `columns`: one letter each, 'l' or 'r' for its side. */
struct table *table_new(const char *columns);
void table_cell(struct table *table, const char *format, ...) PRINTF_LIKE(2, 3);
void table_print(struct table *table, struct output *output); /* as text; nothing with --json. Frees the table. */
void table_free(struct table *table);

#endif
