/*
 * One database back into a server, fed through pg_restore's standard input.
 *
 * It is loaded under a working name. Only when it is whole and its rows are counted does it take its own name, and only
 * then does a database that it replaces go: a load that fails costs nothing that was there before.
 */

#include "postgres_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <muniment/source/postgres.h>
#include <muniment/util/hex.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/process.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INTERRUPT_INTERVAL = 250 };

struct postgres_load {
    struct postgres_address address;
    struct postgres_tool pg_restore;
    struct log *log;
    PGconn *server;       /* to another database than the one that is loaded */
    char *name, *working; /* the same when an empty database was there: it is loaded into */
    bool made;            /* the working database exists and is ours to drop */
    bool replaces;
    struct process *process; /* pg_restore */
    bool described;
    struct postgres_description about;
};

/* What is read here is the target's, not a source's. */
static int target_error(struct err *err) {
    if (err->code == ERR_SOURCE)
        err->code = ERR_TARGET;
    return -1;
}

static bool loads_into_existing(const struct postgres_load *load) {
    return strcmp(load->name, load->working) == 0;
}

static int run_on(PGconn *server, const char *before, const char *database, const char *after, struct err *err) {
    char *quoted = postgres_identifier(server, database);
    char *sql = mem_format("%s%s%s", before, quoted, after);
    const int result = postgres_execute(server, err, sql);

    free(sql);
    free(quoted);
    return result == 0 ? 0 : target_error(err);
}

/* With its sessions: they would keep it alive. */
static int drop_database(PGconn *server, const char *database, struct err *err) {
    static const int force_since = 130000;

    if (PQserverVersion(server) >= force_since)
        return run_on(server, "DROP DATABASE IF EXISTS ", database, " WITH (FORCE)", err);
    PGresult *rows = postgres_query(
        server, err, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database, NULL);
    PQclear(rows);
    return rows != NULL ? run_on(server, "DROP DATABASE IF EXISTS ", database, "", err) : target_error(err);
}

/*
 * Beginning
 */

/* Nothing in it that somebody made. */
static int is_empty(const struct postgres_load *load, bool *empty, struct err *err) {
    PGconn *conn = NULL;

    if (postgres_connect(&load->address, load->name, &conn, err) != 0)
        return -1;
    PGresult *rows = postgres_query(
        conn, err,
        "SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
        "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema') + (SELECT count(*) FROM pg_largeobject_metadata) + "
        "(SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname !~ '^pg_' AND "
        "n.nspname <> 'information_schema') + (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname "
        "NOT IN ('information_schema', 'public'))",
        NULL);
    if (rows != NULL)
        *empty = strcmp(PQgetvalue(rows, 0, 0), "0") == 0;
    PQclear(rows);
    PQfinish(conn);
    return rows != NULL ? 0 : -1;
}

/* What stands under the name decides where the load goes. */
static int choose_place(struct postgres_load *load, bool overwrite, struct err *err) {
    uint8_t random[4];
    char digits[2 * sizeof random + 1];
    bool empty = false;

    PGresult *rows = postgres_query(load->server, err, "SELECT FROM pg_database WHERE datname = $1", load->name, NULL);
    if (rows == NULL)
        return -1;
    const bool exists = PQntuples(rows) > 0;
    PQclear(rows);
    if (exists && !overwrite) {
        if (is_empty(load, &empty, err) != 0)
            return -1;
        if (!empty) {
            err_set(err, ERR_EXISTS, "database '%s' exists and is not empty", load->name);
            return err_hint(err, "load it under another name with --rename, or replace it with --overwrite");
        }
        load->working = mem_string(load->name);
        return 0;
    }
    load->replaces = exists;
    randombytes_buf(random, sizeof random);
    load->working = mem_format("muniment_load_%s", hex_encode(digits, random, sizeof random));
    return 0;
}

/*
 * Making the database
 */

static int create_database(struct postgres_load *load, struct err *err) {
    struct buffer properties = { 0 };

    if (load->described)
        postgres_put_creation(load->server, &load->about, &properties);
    else
        buffer_printf(&properties, " TEMPLATE template0");
    const int result = run_on(load->server, "CREATE DATABASE ", load->working, buffer_text(&properties), err);
    buffer_release(&properties);
    if (result != 0) {
        err_wrap(err, "create it");
        return err_hint(err, "the role needs CREATEDB, and the server the locales that the database had");
    }
    load->made = true;
    return 0;
}

static int start_pg_restore(struct postgres_load *load, struct err *err) {
    char *address = postgres_address_for_child(&load->address, load->working);
    char *database = mem_format("--dbname=%s", address);
    const struct process_options options = {
        /* Into a database that is not ours to drop: all of it or nothing. */
        .arguments =
            (const char *const[]){ load->pg_restore.path, "--format=custom", "--exit-on-error", "--no-password",
                                   database, loads_into_existing(load) ? "--single-transaction" : NULL, NULL },
        .environment = load->address.environment,
        .pipe_input = true,
    };
    int result = process_start(&options, &load->process, err);

    free(database);
    free(address);
    if (result == 0 && fcntl(process_input(load->process), F_SETFL, O_NONBLOCK) != 0)
        result = err_sys(err, "prepare the pipe to pg_restore");
    return result;
}

/* Why pg_restore stopped reading. */
static int restore_failed(struct postgres_load *load, struct err *err) {
    if (process_wait(load->process, NULL, err) == 0)
        return err_set(err, ERR_TARGET, "pg_restore ended before the dump did");
    if (strstr(err->message, "role \"") != NULL && strstr(err->message, "does not exist") != NULL)
        err_hint(err, "load the roles too: --globals");
    return target_error(err);
}

static int write_input(struct postgres_load *load, const uint8_t *data, size_t length, struct err *err) {
    struct pollfd wait = { .fd = process_input(load->process), .events = POLLOUT };

    while (length > 0) {
        if (interrupt_check(err) != 0)
            return -1;
        const ssize_t put = write(wait.fd, data, length);
        if (put >= 0) {
            data += put;
            length -= (size_t)put;
        } else if (errno == EPIPE) {
            return restore_failed(load, err);
        } else if (errno == EAGAIN) {
            poll(&wait, 1, INTERRUPT_INTERVAL);
        } else if (errno != EINTR) {
            return err_sys(err, "write to pg_restore");
        }
    }
    return 0;
}

int postgres_load_begin(const struct postgres_target *target, const char *database, const void *description,
                        size_t length, struct log *log, struct postgres_load **load, struct err *err) {
    struct postgres_load *new = mem_zalloc(sizeof *new);

    new->log = log;
    new->name = mem_string(database);
    if (description != NULL && postgres_description_decode(description, length, &new->about, err) != 0)
        goto failed;
    new->described = description != NULL;
    if (postgres_address_parse(target->uri, &new->address, err) != 0 ||
        postgres_connect_beside(&new->address, database, &new->server, err) != 0)
        goto failed;
    const int major = postgres_major(PQserverVersion(new->server));
    if (postgres_tool_find("pg_restore", target->bin_dir, major, &new->pg_restore, err) != 0 ||
        choose_place(new, target->overwrite, err) != 0)
        goto failed;
    if (!loads_into_existing(new) && create_database(new, err) != 0)
        goto failed;
    if (start_pg_restore(new, err) != 0)
        goto failed;
    *load = new;
    return 0;

failed:
    postgres_load_abort(new);
    return target_error(err);
}

int postgres_load_data(struct postgres_load *load, const void *data, size_t length, struct err *err) {
    return write_input(load, data, length, err);
}

/*
 * Comparing
 */

static void note_difference(size_t *differences, struct err *err, const char *what, uint64_t found, uint64_t expected) {
    if ((*differences)++ == 0)
        err_set(err, ERR_CORRUPT, "%s: %llu were loaded, %llu were captured", what, (unsigned long long)found,
                (unsigned long long)expected);
}

/* A table that is not there has lost all its rows. */
static int compare_table(PGconn *conn, const struct postgres_description *about, const struct postgres_table *table,
                         size_t *differences, struct err *err) {
    struct err why = { 0 };
    uint64_t found = 0;

    const bool there = postgres_count_table(conn, table, &found, &why) == 0;
    if (!there && PQstatus(conn) != CONNECTION_OK) {
        *err = why;
        return target_error(err);
    }
    if ((there && found == table->rows) || (about->rows_left_out && found == 0))
        return 0;
    char *what = mem_format("%s table '%s.%s'", there ? "rows of" : "rows of the missing", table->schema, table->name);
    note_difference(differences, err, what, found, table->rows);
    free(what);
    return 0;
}

static int compare_counts(PGconn *conn, const struct postgres_description *about, struct err *err) {
    size_t differences = 0;
    uint64_t found = 0;

    if (!about->rows_known)
        return 0;
    for (size_t i = 0; i < about->table_count; i++)
        if (about->tables[i].counted && compare_table(conn, about, &about->tables[i], &differences, err) != 0)
            return -1;
    if (postgres_count_large_objects(conn, &found, err) != 0)
        return target_error(err);
    if (found != about->large_objects)
        note_difference(&differences, err, "large objects", found, about->large_objects);
    if (differences > 1)
        return err_wrap(err, "%zu tables differ, the first", differences);
    return differences == 0 ? 0 : -1;
}

/*
 * Ending
 */

/* The planner knows nothing of new tables until they are analysed; the same connection counts. */
static int analyse_and_compare(struct postgres_load *load, struct err *err) {
    PGconn *conn = NULL;
    int result = -1;

    if (postgres_connect(&load->address, load->working, &conn, err) != 0 || postgres_execute(conn, err, "ANALYZE") != 0)
        target_error(err);
    else
        result = load->described ? compare_counts(conn, &load->about, err) : 0;
    PQfinish(conn);
    return result;
}

static int take_name(struct postgres_load *load, struct err *err) {
    if (loads_into_existing(load))
        return 0;
    if (load->replaces && drop_database(load->server, load->name, err) != 0)
        return err_wrap(err, "drop the one it replaces");
    char *quoted = postgres_identifier(load->server, load->name);
    char *after = mem_format(" RENAME TO %s", quoted);
    const int result = run_on(load->server, "ALTER DATABASE ", load->working, after, err);
    free(after);
    free(quoted);
    if (result != 0)
        return err_wrap(err, "rename '%s', where it is loaded whole,", load->working);
    return 0;
}

static int finish(struct postgres_load *load, struct err *err) {
    process_close_input(load->process);
    if (process_wait(load->process, NULL, err) != 0)
        return err->code == ERR_INTERRUPTED ? -1 : restore_failed(load, err);

    /* From here on the data is in: it stays, whatever comes. */
    load->made = false;
    if (analyse_and_compare(load, err) != 0)
        return err_hint(err, "what was loaded is kept as database '%s' for you to look at", load->working);
    if (load->described && !loads_into_existing(load))
        postgres_apply_properties(load->server, load->working, &load->about, load->log);
    return take_name(load, err);
}

static void load_free(struct postgres_load *load) {
    process_free(load->process);
    postgres_tool_release(&load->pg_restore);
    PQfinish(load->server);
    postgres_address_release(&load->address);
    postgres_description_release(&load->about);
    free(load->name);
    free(load->working);
    free(load);
}

int postgres_load_finish(struct postgres_load *load, struct err *err) {
    if (finish(load, err) == 0) {
        load_free(load);
        return 0;
    }
    postgres_load_abort(load);
    return -1;
}

void postgres_load_abort(struct postgres_load *load) {
    struct err err = { 0 };

    if (load == NULL)
        return;
    process_free(load->process);
    load->process = NULL;
    if (load->made && drop_database(load->server, load->working, &err) != 0)
        log_warning(load->log, "the half-loaded database '%s' is left behind: %s", load->working, err.message);
    load_free(load);
}

int postgres_drop_database(const struct postgres_target *target, const char *database, struct err *err) {
    struct postgres_address address = { 0 };
    PGconn *server = NULL;
    int result = -1;

    if (postgres_address_parse(target->uri, &address, err) != 0 ||
        postgres_connect_beside(&address, database, &server, err) != 0)
        target_error(err);
    else
        result = drop_database(server, database, err);
    PQfinish(server);
    postgres_address_release(&address);
    return result == 0 ? 0 : err_wrap(err, "drop database '%s'", database);
}
