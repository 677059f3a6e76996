/* Which databases a source means, and whether its role may read them whole. */

#include "postgres_internal.h"
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_pattern(const char *text) {
    return strpbrk(text, "*?[\\") != NULL;
}

static bool matches_any(const struct strings *patterns, const char *name) {
    for (size_t i = 0; i < patterns->count; i++)
        if (strcmp(patterns->items[i], name) == 0 || pattern_match(patterns->items[i], name))
            return true;
    return false;
}

/* A template is meant only by its full name. */
static bool is_meant(const struct source *source, const char *name, bool template, bool connectable) {
    const struct strings *wanted = &source->postgres.databases;

    if (matches_any(&source->postgres.exclude, name))
        return false;
    for (size_t i = 0; i < wanted->count; i++)
        if (strcmp(wanted->items[i], name) == 0)
            return true;
    if (template || !connectable)
        return false;
    return wanted->count == 0 || matches_any(wanted, name);
}

static int compare_databases(const void *left, const void *right) {
    const struct postgres_database *a = left, *b = right;
    char *path_a = mem_format("%s.dump", a->path), *path_b = mem_format("%s.dump", b->path);
    const int order = entry_compare_paths(ENTRY_STREAM, path_a, path_b);

    free(path_a);
    free(path_b);
    return order;
}

static void find_missing(const struct source *source, const PGresult *rows, struct log *log,
                         struct postgres_databases *databases) {
    const struct strings *wanted = &source->postgres.databases;
    size_t capacity = 0;

    for (size_t i = 0; i < wanted->count; i++) {
        bool found = false;
        for (int row = 0; row < PQntuples(rows) && !found; row++) {
            const char *name = PQgetvalue(rows, row, 0);
            found = strcmp(wanted->items[i], name) == 0 || pattern_match(wanted->items[i], name);
        }
        if (found)
            continue;
        if (is_pattern(wanted->items[i])) {
            log_warning(log, "source '%s': no database matches '%s'", source->name, wanted->items[i]);
            continue;
        }
        struct strings *missing = &databases->missing;
        missing->items = mem_grow(missing->items, &capacity, missing->count + 1, sizeof *missing->items);
        missing->items[missing->count++] = mem_string(wanted->items[i]);
    }
}

int postgres_list_databases(PGconn *conn, const struct source *source, struct log *log,
                            struct postgres_databases *databases, struct err *err) {
    size_t capacity = 0;
    PGresult *rows = postgres_query(conn, err,
                                    "SELECT datname, datistemplate, datallowconn, "
                                    "has_database_privilege(oid, 'CONNECT') FROM pg_database ORDER BY datname",
                                    NULL);

    if (rows == NULL)
        return err_wrap(err, "list databases");
    for (int row = 0; row < PQntuples(rows); row++) {
        const char *name = PQgetvalue(rows, row, 0);
        const bool template = PQgetvalue(rows, row, 1)[0] == 't', connectable = PQgetvalue(rows, row, 2)[0] == 't';
        if (!is_meant(source, name, template, connectable))
            continue;
        databases->items = mem_grow(databases->items, &capacity, databases->count + 1, sizeof *databases->items);
        databases->items[databases->count++] = (struct postgres_database){
            .name = mem_string(name),
            .path = postgres_entry_path(name),
            .connectable = connectable,
            .permitted = PQgetvalue(rows, row, 3)[0] == 't',
        };
    }
    find_missing(source, rows, log, databases);
    PQclear(rows);
    if (databases->count > 0)
        qsort(databases->items, databases->count, sizeof *databases->items, compare_databases);
    return 0;
}

void postgres_databases_release(struct postgres_databases *databases) {
    for (size_t i = 0; i < databases->count; i++) {
        free(databases->items[i].name);
        free(databases->items[i].path);
    }
    free(databases->items);
    mem_free_strings(databases->missing.items, databases->missing.count);
    *databases = (struct postgres_databases){ 0 };
}

/* The first of `rows` by name, and how many more there are. */
static void name_relations(const PGresult *rows, char *text, size_t size) {
    const int more = PQntuples(rows) - 1;

    if (more > 0)
        snprintf(text, size, "'%s.%s' and %d more", PQgetvalue(rows, 0, 0), PQgetvalue(rows, 0, 1), more);
    else
        snprintf(text, size, "'%s.%s'", PQgetvalue(rows, 0, 0), PQgetvalue(rows, 0, 1));
}

/* What pg_dump locks and reads: tables and sequences of people, not of extensions. */
#define READ_BY_PG_DUMP                                                                                                \
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "                       \
    "WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' "                          \
    "AND n.nspname <> 'information_schema' AND NOT EXISTS (SELECT FROM pg_depend d WHERE "                             \
    "d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') AND "

int postgres_check_readable(PGconn *conn, const char *database, struct err *err) {
    char named[256];
    PGresult *rows = postgres_query(conn, err,
                                    READ_BY_PG_DUMP "NOT (has_schema_privilege(n.oid, 'USAGE') AND "
                                                    "has_table_privilege(c.oid, 'SELECT')) ORDER BY 1, 2",
                                    NULL);

    if (rows == NULL)
        return err_wrap(err, "database '%s': look up privileges", database);
    if (PQntuples(rows) > 0) {
        name_relations(rows, named, sizeof named);
        PQclear(rows);
        err_set(err, ERR_SOURCE, "database '%s': role '%s' may not read %s", database, PQuser(conn), named);
        return err_hint(err, "GRANT pg_read_all_data TO \"%s\" lets it read everything and write nothing",
                        PQuser(conn));
    }
    PQclear(rows);

    /* pg_dump stops at such a table. Its option to go on would leave out the hidden rows, silently. */
    rows = postgres_query(conn, err, READ_BY_PG_DUMP "row_security_active(c.oid) ORDER BY 1, 2", NULL);
    if (rows == NULL)
        return err_wrap(err, "database '%s': look up row-level security", database);
    if (PQntuples(rows) > 0) {
        name_relations(rows, named, sizeof named);
        PQclear(rows);
        err_set(err, ERR_SOURCE, "database '%s': row-level security hides rows of %s from role '%s'", database, named,
                PQuser(conn));
        return err_hint(err, "ALTER ROLE \"%s\" BYPASSRLS", PQuser(conn));
    }
    PQclear(rows);
    return 0;
}

/*
 * Options
 */

struct allowed_option {
    const char *name;
    bool takes_value;
    bool leaves_out; /* the dump then holds fewer rows than the tables */
};

static const struct allowed_option allowed_options[] = {
    { "--exclude-schema", true, true },          { "--exclude-table", true, true },
    { "--exclude-table-data", true, true },      { "--extra-float-digits", true, false },
    { "--no-comments", false, false },           { "--no-publications", false, false },
    { "--no-security-labels", false, false },    { "--no-subscriptions", false, false },
    { "--no-tablespaces", false, false },        { "--no-toast-compression", false, false },
    { "--no-unlogged-table-data", false, true },
};

enum { OPTION_COUNT = sizeof allowed_options / sizeof allowed_options[0] };

static const struct allowed_option *find_option(const char *text) {
    const size_t length = strcspn(text, "=");

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct allowed_option *option = &allowed_options[i];
        if (strlen(option->name) == length && strncmp(option->name, text, length) == 0 &&
            option->takes_value == (text[length] == '='))
            return option;
    }
    return NULL;
}

int postgres_check_options(const struct source *source, struct err *err) {
    const struct strings *options = &source->postgres.options;
    const char *names[OPTION_COUNT];

    for (size_t i = 0; i < OPTION_COUNT; i++)
        names[i] = allowed_options[i].name;
    for (size_t i = 0; i < options->count; i++) {
        if (find_option(options->items[i]) != NULL)
            continue;
        err_set(err, ERR_INVALID, "'%s' is not an option for pg_dump that may be set here", options->items[i]);
        const char *nearest = pattern_nearest(options->items[i], names, OPTION_COUNT);
        if (nearest != NULL)
            err_hint(err, "did you mean '%s'? Values are given as --option=value", nearest);
        return -1;
    }
    return 0;
}

bool postgres_options_leave_out(const struct source *source) {
    for (size_t i = 0; i < source->postgres.options.count; i++) {
        const struct allowed_option *option = find_option(source->postgres.options.items[i]);
        if (option != NULL && option->leaves_out)
            return true;
    }
    return false;
}
