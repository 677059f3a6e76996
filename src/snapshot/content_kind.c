#include "content_kind_internal.h"
#include <string.h>

/* PostgreSQL's custom archives (pg_backup_archiver.c) and plain dumps, SQLite files (sqlite.org/fileformat2.html),
 * plain dumps of MySQL and MariaDB. */
static const char *const BEGINNINGS[] = {
    "PGDMP", "--\n-- PostgreSQL database", "SQLite format 3", "-- MySQL dump", "-- MariaDB dump", "/*M!999999",
};

bool content_is_database(const void *data, size_t length) {
    for (size_t i = 0; i < sizeof BEGINNINGS / sizeof *BEGINNINGS; i++) {
        size_t known = strlen(BEGINNINGS[i]);
        if (length >= known && memcmp(data, BEGINNINGS[i], known) == 0)
            return true;
    }
    return false;
}
