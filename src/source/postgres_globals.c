/* Roles, their memberships and settings, tablespaces: what belongs to the server and is in no database's dump. */

#include "postgres_internal.h"
#include <muniment/source/postgres.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <muniment/util/process.h>
#include <stdlib.h>
#include <string.h>

enum { GLOBALS_MAX = 64 << 20 };

static int run_pg_dumpall(const struct postgres_dump *dump, const char *database, struct buffer *sql, struct err *err) {
    /* The preflight saw to its version. */
    char *tool = postgres_tool_path("pg_dumpall", dump->source->postgres.bin_dir, dump->server_major);
    char *address = postgres_address_for_child(dump->address, database);
    char *owned[] = { mem_format("--dbname=%s", address), mem_format("--database=%s", database) };
    const bool passwords = dump->source->postgres.role_passwords;
    const struct process_options options = {
        .arguments = (const char *const[]){ tool, "--globals-only", "--no-password", owned[0], owned[1],
                                            passwords ? NULL : "--no-role-passwords", NULL },
        .environment = dump->address->environment,
    };
    const int result = process_capture(&options, GLOBALS_MAX, sql, err);

    free(tool);
    free(owned[0]);
    free(owned[1]);
    free(address);
    return result;
}

enum postgres_outcome postgres_dump_globals(const struct postgres_dump *dump, const char *database, struct err *err) {
    struct buffer sql = { 0 };
    char *path = mem_string("globals.sql");
    enum postgres_outcome outcome = POSTGRES_WHOLE;
    const int64_t started = clock_now();

    if (run_pg_dumpall(dump, database, &sql, err) != 0) {
        err_wrap(err, "roles and tablespaces");
        outcome = postgres_report_trouble(dump, path, err);
    } else {
        const struct entry entry = source_stream(path, started, sql.length);
        if (source_put(dump->sink, &entry, sql.data, sql.length, err) != 0)
            outcome = POSTGRES_STOP;
    }
    buffer_wipe(&sql); /* it holds password hashes */
    free(path);
    return outcome;
}

/*
 * Back again
 */

struct globals {
    PGconn *conn;
    struct log *log;
    struct strings existing; /* roles that were there before us */
    size_t roles_made, roles_failed;
    struct err first; /* why the first role could not be made */
};

/* Moves past a quoted text that begins at `at`. */
static const char *skip_quoted(const char *at, const char *end, bool escapes) {
    const char quote = *at++;

    while (at < end) {
        if (*at == '\\' && escapes && at + 1 < end)
            at++;
        else if (*at == quote)
            return at + 1; /* a doubled quote is two texts that touch: the same end */
        at++;
    }
    return end;
}

/* Takes the next statement, without its semicolon and without comments and psql's own commands before it. */
static bool next_statement(const char **at, const char *end, struct buffer *statement) {
    const char *begin = *at;

    for (;;) {
        while (begin < end && strchr(" \t\r\n;", *begin) != NULL)
            begin++;
        const bool comment = end - begin >= 2 && begin[0] == '-' && begin[1] == '-';
        if (!comment && (begin == end || *begin != '\\'))
            break;
        const char *line_end = memchr(begin, '\n', (size_t)(end - begin));
        begin = line_end != NULL ? line_end + 1 : end;
    }

    const char *place = begin;
    while (place < end && *place != ';') {
        const bool escapes = place > begin && (place[-1] == 'E' || place[-1] == 'e');
        place = *place == '\'' || *place == '"' ? skip_quoted(place, end, *place == '\'' && escapes) : place + 1;
    }
    buffer_clear(statement);
    buffer_put(statement, begin, (size_t)(place - begin));
    *at = place;
    return place > begin;
}

/* The next word of a statement; a quoted identifier comes without its quotes. Owned; empty at the end. */
static char *next_word(const char **at) {
    struct buffer word = { 0 };

    *at += strspn(*at, " \t\r\n");
    if (**at == '"') {
        for ((*at)++; **at != '\0'; (*at)++) {
            if (**at == '"' && *++*at != '"')
                break;
            buffer_put(&word, *at, 1);
        }
    } else {
        const size_t length = strcspn(*at, " \t\r\n,;");
        buffer_put(&word, *at, length);
        *at += length;
    }
    char *text = mem_string(buffer_text(&word));
    buffer_release(&word);
    return text;
}

enum { WORDS = 4 };

static bool is_existing(const struct globals *globals, const char *role) {
    for (size_t i = 0; i < globals->existing.count; i++)
        if (strcmp(globals->existing.items[i], role) == 0)
            return true;
    return false;
}

/* Would it change a role that was there before us? */
static bool changes_existing(const struct globals *globals, char *const words[WORDS]) {
    if (strcmp(words[0], "ALTER") == 0 && strcmp(words[1], "ROLE") == 0)
        return is_existing(globals, words[2]);
    if (strcmp(words[0], "COMMENT") == 0 && strcmp(words[2], "ROLE") == 0)
        return is_existing(globals, words[3]);
    if (strcmp(words[0], "GRANT") == 0 && strcmp(words[2], "TO") == 0)
        return is_existing(globals, words[1]) && is_existing(globals, words[3]);
    return false;
}

static int list_existing(struct globals *globals, struct err *err) {
    PGresult *rows = postgres_query(globals->conn, err, "SELECT rolname FROM pg_roles", NULL);

    if (rows == NULL)
        return -1;
    globals->existing.items = mem_array((size_t)PQntuples(rows), sizeof(char *));
    for (; globals->existing.count < (size_t)PQntuples(rows); globals->existing.count++)
        globals->existing.items[globals->existing.count] =
            mem_string(PQgetvalue(rows, (int)globals->existing.count, 0));
    PQclear(rows);
    return 0;
}

/* Statements hold password hashes: messages show the first words alone. */
static void run_statement(struct globals *globals, const char *sql, char *const words[WORDS]) {
    struct err err = { 0 };
    const bool makes_role = strcmp(words[0], "CREATE") == 0 && strcmp(words[1], "ROLE") == 0;
    const bool makes_space = strcmp(words[0], "CREATE") == 0 && strcmp(words[1], "TABLESPACE") == 0;

    if (makes_role && is_existing(globals, words[2])) {
        log_detail(globals->log, "role '%s' exists and is left as it is", words[2]);
        return;
    }
    if (changes_existing(globals, words))
        return;
    if (postgres_execute(globals->conn, &err, sql) == 0) {
        globals->roles_made += makes_role;
        return;
    }
    if (makes_space && strstr(err.message, "already exists") != NULL)
        return;
    log_warning(globals->log, "globals: %s %s %s: %s", words[0], words[1], words[2], err.message);
    if (makes_role && globals->roles_failed++ == 0) {
        globals->first = err;
        err_wrap(&globals->first, "create role '%s'", words[2]);
    }
}

int postgres_load_globals(const struct postgres_target *target, const void *sql, size_t length, struct log *log,
                          struct err *err) {
    struct postgres_address address = { 0 };
    struct globals globals = { .log = log };
    struct buffer statement = { 0 };
    const char *at = sql, *end = at + length;
    int result = -1;

    if (memchr(sql, '\0', length) != NULL) {
        err_set(err, ERR_CORRUPT, "the roles and tablespaces hold a NUL byte");
        goto out;
    }
    if (postgres_address_parse(target->uri, &address, err) != 0 ||
        postgres_connect(&address, NULL, &globals.conn, err) != 0 || list_existing(&globals, err) != 0)
        goto out;

    while (next_statement(&at, end, &statement)) {
        const char *text = buffer_text(&statement), *place = text;
        char *words[WORDS];
        for (size_t i = 0; i < WORDS; i++)
            words[i] = next_word(&place);
        run_statement(&globals, text, words);
        for (size_t i = 0; i < WORDS; i++)
            free(words[i]);
        if (PQstatus(globals.conn) != CONNECTION_OK) {
            err_set(err, ERR_TARGET, "the connection to PostgreSQL was lost");
            goto out;
        }
    }
    log_info(log, "roles: %zu made, those that existed left as they are", globals.roles_made);

    /* Without its roles a database's objects have no owners: its load would fail half-way. */
    if (globals.roles_failed > 0) {
        *err = globals.first;
        goto out;
    }
    result = 0;

out:
    if (result != 0 && err->code == ERR_SOURCE)
        err->code = ERR_TARGET;
    if (result != 0)
        err_wrap(err, "load roles and tablespaces");
    mem_free_strings(globals.existing.items, globals.existing.count);
    PQfinish(globals.conn);
    postgres_address_release(&address);
    buffer_wipe(&statement);
    return result;
}
