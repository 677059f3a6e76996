/*
 * Writing JSON (RFC 8259), value by value, into a buffer.
 *
 * The names are those of an object's members, NULL for the elements of a list. Text is UTF-8: a byte that is not
 * becomes U+FFFD, and beside a member stands another of its name and "_hex" with the exact bytes. Times are RFC 3339 in
 * UTC. (What a database's description is written with keeps bytes of any kind instead: source/postgres_internal.h.)
 */
#ifndef MUNIMENT_UTIL_JSON_H
#define MUNIMENT_UTIL_JSON_H

#include <muniment/util/buffer.h>

struct json_writer {
    struct buffer *out;
    bool comma; /* before the next value */
};

void json_write_text(struct json_writer *json, const char *name, const char *value); /* NULL: null */
void json_write_number(struct json_writer *json, const char *name, int64_t value);
void json_write_count(struct json_writer *json, const char *name, uint64_t value);
void json_write_seconds(struct json_writer *json, const char *name, double value);
void json_write_flag(struct json_writer *json, const char *name, bool value);
void json_write_null(struct json_writer *json, const char *name);
void json_write_time(struct json_writer *json, const char *name, int64_t when); /* 0: null */
void json_write_open(struct json_writer *json, const char *name, char bracket); /* '{' or '[' */
void json_write_close(struct json_writer *json, char bracket);

#endif
