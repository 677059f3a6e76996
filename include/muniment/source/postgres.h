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
    bool overwrite;      /* replace a database of that name, with an end to its sessions; else a non-empty one is
                            ERR_EXISTS */
};

/* Roles and tablespaces from `globals.sql`, statement by statement. Roles that exist are left as they are. A role that
 * cannot be made is ERR_TARGET, once all else was tried; any other statement that fails (a tablespace without its
 * folder) is a warning. */
int postgres_load_globals(const struct postgres_target *target, const void *sql, size_t length, struct log *log,
                          struct err *err) MUST_CHECK;

/*
 * One database, fed through pg_restore's standard input. It is loaded under a working name, "muniment_load_<digits>",
 * and takes its own at the end; only then is the one that it replaces dropped. So a load that fails changes nothing
 * that was there. An empty database that exists is loaded into, in one transaction, and keeps its own properties.
 *
 * One thread begins, feeds and finishes a load (see process.h).
 */

/* `description` is the database's .json entry (NULL: there is none): the database is made with its encoding, locale,
 * owner, settings and grants, and the rows are compared with its counts at the end. */
struct postgres_load;
int postgres_load_begin(const struct postgres_target *target, const char *database, const void *description,
                        size_t length, struct log *log, struct postgres_load **load, struct err *err) MUST_CHECK;
int postgres_load_data(struct postgres_load *load, const void *data, size_t length, struct err *err) MUST_CHECK;

/* Waits for pg_restore (any error of it is ours: ERR_TARGET), runs ANALYZE, and compares row counts. A difference is
 * ERR_CORRUPT and names the table; what was loaded then stays under its working name, to be looked at. Frees, whatever
 * it returns. */
int postgres_load_finish(struct postgres_load *load, struct err *err) MUST_CHECK;
void postgres_load_abort(struct postgres_load *load); /* drops the half-loaded database; NULL is fine */

/* Drops a database with an end to its sessions; one that is not there is a success. */
int postgres_drop_database(const struct postgres_target *target, const char *database, struct err *err) MUST_CHECK;

#endif
