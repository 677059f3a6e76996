#include <muniment/util/memory.h>
#include <muniment/util/table.h>
#include <muniment/util/text.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct table {
    const char *columns;
    char **cells; /* row by row */
    size_t count, capacity;
};

struct table *table_new(const char *columns) {
    struct table *table = mem_zalloc(sizeof *table);
    table->columns = columns;
    return table;
}

void table_cell(struct table *table, const char *format, ...) {
    table->cells = mem_grow(table->cells, &table->capacity, table->count + 1, sizeof *table->cells);
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&table->cells[table->count], format, arguments) < 0)
        abort();
    va_end(arguments);
    table->count++;
}

void table_put(struct table *table, const char *indent, struct buffer *out) {
    size_t columns = strlen(table->columns);
    size_t *widths = mem_array(columns, sizeof *widths);
    for (size_t i = 0; i < table->count; i++) {
        size_t width = text_width(table->cells[i]);
        if (width > widths[i % columns])
            widths[i % columns] = width;
    }

    /* The last column is not padded, so that lines have no blank end. */
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % columns;
        bool last = column + 1 == columns;
        int padding = (int)(widths[column] - text_width(table->cells[i]));
        if (column == 0)
            buffer_printf(out, "%s", indent);
        if (table->columns[column] == 'r')
            buffer_printf(out, "%*s%s%s", padding, "", table->cells[i], last ? "\n" : "  ");
        else
            buffer_printf(out, "%s%*s%s", table->cells[i], last ? 0 : padding, "", last ? "\n" : "  ");
    }

    free(widths);
    table_free(table);
}

void table_free(struct table *table) {
    mem_free_strings(table->cells, table->count);
    free(table);
}
