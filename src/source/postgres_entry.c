/* What the entry of a database is called. */

#include "postgres_internal.h"
#include <muniment/source/postgres.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

char *postgres_entry_path(const char *database) {
    struct buffer path = { 0 };

    buffer_printf(&path, "databases/");
    for (const char *at = database; *at != '\0'; at++) {
        const unsigned char byte = (unsigned char)*at;
        if (byte < 0x20 || byte == 0x7f || strchr("/%.", *at) != NULL)
            buffer_printf(&path, "%%%02X", byte);
        else
            buffer_put(&path, at, 1);
    }
    char *text = mem_string(buffer_text(&path));
    buffer_release(&path);
    return text;
}

static int hex_digit(char digit) {
    static const char digits[] = "0123456789ABCDEF";
    const char *place = digit != '\0' ? strchr(digits, digit) : NULL;
    return place != NULL ? (int)(place - digits) : -1;
}

char *postgres_entry_database(const char *path) {
    static const char folder[] = "databases/", suffix[] = ".dump";
    const size_t length = strlen(path);
    struct buffer name = { 0 };
    char *database = NULL;

    if (length <= strlen(folder) + strlen(suffix) || strncmp(path, folder, strlen(folder)) != 0 ||
        strcmp(path + length - strlen(suffix), suffix) != 0)
        return NULL;
    const char *end = path + length - strlen(suffix);
    for (const char *at = path + strlen(folder); at < end; at++) {
        if (*at != '%') {
            buffer_put(&name, at, 1);
            continue;
        }
        const int high = hex_digit(at[1]), low = high >= 0 ? hex_digit(at[2]) : -1;
        if (low < 0)
            goto out;
        buffer_put_u8(&name, (uint8_t)(high * 16 + low));
        at += 2;
    }

    /* Only what we would have written: then no two paths are one database. */
    char *again = postgres_entry_path(buffer_text(&name));
    if (strlen(again) + strlen(suffix) == length && strncmp(again, path, strlen(again)) == 0)
        database = mem_string(buffer_text(&name));
    free(again);

out:
    buffer_release(&name);
    return database;
}
