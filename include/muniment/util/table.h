/* Tables of text: columns as wide as their widest cell. */
#ifndef MUNIMENT_UTIL_TABLE_H
#define MUNIMENT_UTIL_TABLE_H

#include <muniment/util/buffer.h>

struct table;

/* `columns`: one letter each, 'l' or 'r' for its side. Borrowed. */
struct table *table_new(const char *columns);
void table_cell(struct table *table, const char *format, ...) PRINTF_LIKE(2, 3);
void table_put(struct table *table, const char *indent, struct buffer *out); /* appends the lines. Frees the table. */
void table_free(struct table *table);

#endif
