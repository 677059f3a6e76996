/*
 * The PostgreSQL source: one dump a database, in custom format and not compressed (compressed dumps do not
 * deduplicate), and the server's roles.
 *
 * Entries: databases/<name>.dump, databases/<name>.json (see postgres_describe.c), globals.sql.
 */

#include "postgres_internal.h"
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdlib.h>
#include <string.h>

enum { OLDEST_MAJOR = 10 };

/* A server that was reached, with the tool for it. */
struct server {
    struct postgres_address address;
    PGconn *conn;
    int major;
    bool superuser, in_recovery;
    struct postgres_tool pg_dump;
    struct postgres_databases databases;
};

static void server_release(struct server *server) {
    postgres_databases_release(&server->databases);
    postgres_tool_release(&server->pg_dump);
    PQfinish(server->conn);
    postgres_address_release(&server->address);
}

static int look_up_role(struct server *server, struct err *err) {
    PGresult *rows = postgres_query(
        server->conn, err, "SELECT rolsuper, pg_is_in_recovery() FROM pg_roles WHERE rolname = current_user", NULL);

    if (rows == NULL)
        return err_wrap(err, "look up the role");
    if (PQntuples(rows) == 1) {
        server->superuser = PQgetvalue(rows, 0, 0)[0] == 't';
        server->in_recovery = PQgetvalue(rows, 0, 1)[0] == 't';
    }
    PQclear(rows);
    return 0;
}

static int server_open(const struct source *source, struct log *log, struct server *server, struct err *err) {
    if (postgres_address_parse(source->postgres.uri, &server->address, err) != 0 ||
        postgres_connect(&server->address, NULL, &server->conn, err) != 0)
        return -1;
    server->major = postgres_major(PQserverVersion(server->conn));
    if (server->major < OLDEST_MAJOR)
        return err_set(err, ERR_UNSUPPORTED, "the server is PostgreSQL %d: at least version %d is needed",
                       server->major, OLDEST_MAJOR);
    if (postgres_tool_find("pg_dump", source->postgres.bin_dir, server->major, &server->pg_dump, err) != 0 ||
        look_up_role(server, err) != 0)
        return -1;
    return postgres_list_databases(server->conn, source, log, &server->databases, err);
}

/*
 * Before anything is stored
 */

static int check_globals(const struct source *source, const struct server *server, struct err *err) {
    struct postgres_tool tool = { 0 };

    if (!source->postgres.globals)
        return 0;
    if (source->postgres.role_passwords && !server->superuser) {
        err_set(err, ERR_SOURCE, "role '%s' is no superuser and may not read the passwords of roles",
                PQuser(server->conn));
        return err_hint(err, "set role_passwords = false, or globals = false, or connect as a superuser");
    }
    if (postgres_tool_find("pg_dumpall", source->postgres.bin_dir, server->major, &tool, err) != 0)
        return -1;
    postgres_tool_release(&tool);
    return 0;
}

static int check_names(const struct server *server, struct err *err) {
    const struct strings *missing = &server->databases.missing;
    const size_t count = server->databases.count;

    if (missing->count == 0 && count > 0)
        return 0;
    if (missing->count == 0)
        return err_set(err, ERR_SOURCE, "no database matches what the source asks for");

    PGresult *rows = postgres_query(server->conn, err, "SELECT datname FROM pg_database WHERE datallowconn", NULL);
    if (rows == NULL)
        return err_wrap(err, "list databases");
    const char **names = mem_array((size_t)PQntuples(rows), sizeof *names);
    for (int row = 0; row < PQntuples(rows); row++)
        names[row] = PQgetvalue(rows, row, 0);
    const char *nearest = pattern_nearest(missing->items[0], names, (size_t)PQntuples(rows));
    err_set(err, ERR_SOURCE, "there is no database '%s' on the server", missing->items[0]);
    if (nearest != NULL)
        err_hint(err, "did you mean '%s'?", nearest);
    free(names);
    PQclear(rows);
    return -1;
}

/* What the role may read is known only from inside each database. A superuser may read everything. */
static int check_database(const struct server *server, const struct postgres_database *database, struct err *err) {
    PGconn *conn = NULL;

    if (!database->connectable)
        return err_set(err, ERR_SOURCE, "database '%s' allows no connections", database->name);
    if (!database->permitted) {
        err_set(err, ERR_SOURCE, "role '%s' may not connect to database '%s'", PQuser(server->conn), database->name);
        return err_hint(err, "GRANT CONNECT ON DATABASE \"%s\" TO \"%s\", or name the database in exclude",
                        database->name, PQuser(server->conn));
    }
    if (server->superuser)
        return 0;
    if (postgres_connect(&server->address, database->name, &conn, err) != 0)
        return err_wrap(err, "database '%s'", database->name);
    const int result = postgres_check_readable(conn, database->name, err);
    PQfinish(conn);
    return result;
}

static int postgres_preflight(const struct source *source, struct log *log, struct err *err) {
    struct server server = { 0 };
    int result = -1;

    if (postgres_check_options(source, err) != 0 || server_open(source, log, &server, err) != 0 ||
        check_names(&server, err) != 0 || check_globals(source, &server, err) != 0)
        goto out;
    for (size_t i = 0; i < server.databases.count; i++)
        if (check_database(&server, &server.databases.items[i], err) != 0)
            goto out;
    result = 0;

out:
    server_release(&server);
    return result;
}

/*
 * Capture
 */

/* What a restore or an auditor may want to know of the server. A role that may not see one of them captures without. */
static void report_facts(const struct server *server, struct source_sink *sink) {
    static const struct {
        const char *name, *sql;
    } facts[] = {
        { "system_identifier", "SELECT system_identifier FROM pg_control_system()" },
        { "timeline", "SELECT timeline_id FROM pg_control_checkpoint()" },
        { "wal_position", "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
                          "ELSE pg_current_wal_lsn() END" },
    };
    struct err ignored = { 0 };

    const char *version = PQparameterStatus(server->conn, "server_version");
    sink->fact(sink->context, "server_version", version != NULL ? version : "unknown");
    sink->fact(sink->context, "pg_dump_version", server->pg_dump.version);
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        PGresult *rows = postgres_query(server->conn, &ignored, facts[i].sql, NULL);
        if (rows != NULL && PQntuples(rows) == 1 && !PQgetisnull(rows, 0, 0))
            sink->fact(sink->context, facts[i].name, PQgetvalue(rows, 0, 0));
        PQclear(rows);
    }
}

/* Gone since the preflight. */
static void report_missing(const struct server *server, struct source_sink *sink) {
    for (size_t i = 0; i < server->databases.missing.count; i++) {
        struct err why = { 0 };
        const char *name = server->databases.missing.items[i];
        char *path = postgres_entry_path(name);
        char *dump = mem_format("%s.dump", path);
        err_set(&why, ERR_SOURCE, "there is no database '%s' on the server", name);
        sink->trouble(sink->context, dump, &why);
        free(dump);
        free(path);
    }
}

static int dump_databases(const struct postgres_dump *dump, const struct postgres_databases *databases,
                          struct err *err) {
    struct err why = { 0 }, first = { 0 };
    size_t whole = 0;

    for (size_t i = 0; i < databases->count; i++) {
        err_clear(&why);
        switch (postgres_dump_database(dump, &databases->items[i], &why)) {
        case POSTGRES_WHOLE:
            whole++;
            break;
        case POSTGRES_TROUBLE:
            if (first.code == ERR_NONE)
                first = why;
            break;
        case POSTGRES_STOP:
            *err = why;
            return -1;
        }
    }
    if (whole > 0)
        return 0;
    if (databases->count == 0)
        return err_set(err, ERR_SOURCE, "no database matches what the source asks for");
    *err = first;
    return databases->count > 1 ? err_wrap(err, "none of %zu databases was captured whole", databases->count) : -1;
}

static int postgres_capture(const struct source *source, struct source_sink *sink, struct log *log, struct err *err) {
    struct server server = { 0 };
    int result = -1;

    /* Without the log: the preflight has said what there is to say. */
    if (server_open(source, NULL, &server, err) != 0)
        goto out;
    report_facts(&server, sink);
    report_missing(&server, sink);

    const struct postgres_dump dump = {
        .source = source,
        .address = &server.address,
        .tool = &server.pg_dump,
        .sink = sink,
        .log = log,
        .server_major = server.major,
        .in_recovery = server.in_recovery,
    };
    if (dump_databases(&dump, &server.databases, err) != 0)
        goto out;
    result = 0;
    if (source->postgres.globals) {
        struct err why = { 0 };
        if (postgres_dump_globals(&dump, PQdb(server.conn), &why) == POSTGRES_STOP) {
            *err = why;
            result = -1;
        }
    }

out:
    server_release(&server);
    return result;
}

const struct source_kind SOURCE_POSTGRES = {
    .name = "postgres",
    .fine_chunks = true,
    .preflight = postgres_preflight,
    .capture = postgres_capture,
};
