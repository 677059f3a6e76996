/*
 * Loading dumps back into a PostgreSQL server.
 */
#ifndef MUNIMENT_SOURCE_POSTGRES_H
#define MUNIMENT_SOURCE_POSTGRES_H

#include <muniment/util/error.h>
#include <muniment/util/log.h>
#include <stdbool.h>
#include <stddef.h>

/* The name of the database whose dump an entry of a `postgres` source is ("databases/<name>.dump"), or NULL when it is
 * another entry. Owned. */
char *postgres_entry_database(const char *path);

struct postgres_target {
    const char *uri;     /* any database of the server to connect to for creating others */
    const char *bin_dir; /* NULL: as for sources */
    bool overwrite;      /* drop a database of that name first, after terminating its sessions; else a non-empty one is
                            ERR_EXISTS */
};

/* Roles and tablespaces from `globals.sql`. Roles that exist are left as they are. */
int postgres_load_globals(const struct postgres_target *target, const void *sql, size_t length, struct log *log,
                          struct err *err) MUST_CHECK;

/* One database, fed through pg_restore's standard input. `description` is the database's .json entry (NULL: there is
 * none): its encoding, collation, owner, settings and grants are used to create the database, and its row counts are
 * compared at the end. */
struct postgres_load;
int postgres_load_begin(const struct postgres_target *target, const char *database, const void *description,
                        size_t length, struct log *log, struct postgres_load **load, struct err *err) MUST_CHECK;
int postgres_load_data(struct postgres_load *load, const void *data, size_t length, struct err *err) MUST_CHECK;

/* Waits for pg_restore (any error of it is ours: ERR_TARGET), runs ANALYZE, and compares row counts. A difference is
 * ERR_CORRUPT and names the table. Frees, whatever it returns. */
int postgres_load_finish(struct postgres_load *load, struct err *err) MUST_CHECK;
void postgres_load_abort(struct postgres_load *load); /* drops the half-loaded database; NULL is fine */

#endif
