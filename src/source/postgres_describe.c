/*
 * What is said about a database beside its dump: its properties, and how many rows every table had in the snapshot that
 * the dump was made from. A load compares with it, so that a dump that lost rows on its way is found out.
 */

#include "postgres_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

static char *cell(const PGresult *rows, int row, int column) {
    return PQgetisnull(rows, row, column) ? NULL : mem_string(PQgetvalue(rows, row, column));
}

static int describe_database(PGconn *conn, struct postgres_description *about, struct err *err) {
    PGresult *rows = postgres_query(conn, err,
                                    "SELECT datname, pg_encoding_to_char(encoding), datcollate, datctype, "
                                    "pg_get_userbyid(datdba), shobj_description(oid, 'pg_database'), datconnlimit, "
                                    "datacl IS NOT NULL, current_setting('server_version') "
                                    "FROM pg_database WHERE datname = current_database()",
                                    NULL);

    if (rows == NULL)
        return -1;
    if (PQntuples(rows) != 1) {
        PQclear(rows);
        return err_set(err, ERR_SOURCE, "the database is not in pg_database any more");
    }
    about->database = cell(rows, 0, 0);
    about->encoding = cell(rows, 0, 1);
    about->collate = cell(rows, 0, 2);
    about->ctype = cell(rows, 0, 3);
    about->owner = cell(rows, 0, 4);
    about->comment = cell(rows, 0, 5);
    about->connection_limit = atoi(PQgetvalue(rows, 0, 6));
    about->acl_known = PQgetvalue(rows, 0, 7)[0] == 't';
    about->server_version = cell(rows, 0, 8);
    PQclear(rows);
    return 0;
}

/* How the catalog says it changed with almost every version. */
static int describe_locale(PGconn *conn, struct postgres_description *about, struct err *err) {
    const int major = postgres_major(PQserverVersion(conn));

    if (major < 15)
        return 0;
    char *sql = mem_format("SELECT CASE datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' ELSE 'builtin' END, "
                           "%s, %s FROM pg_database WHERE datname = current_database()",
                           major >= 17 ? "datlocale" : "daticulocale", major >= 16 ? "daticurules" : "NULL");
    PGresult *rows = postgres_query(conn, err, sql, NULL);
    free(sql);
    if (rows == NULL)
        return -1;
    if (PQntuples(rows) == 1) {
        about->locale_provider = cell(rows, 0, 0);
        about->locale = cell(rows, 0, 1);
        about->icu_rules = cell(rows, 0, 2);
    }
    PQclear(rows);
    return 0;
}

static int describe_grants(PGconn *conn, struct postgres_description *about, struct err *err) {
    PGresult *rows = postgres_query(conn, err,
                                    "SELECT CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END AS role, "
                                    "a.privilege_type, a.is_grantable FROM pg_database, aclexplode(datacl) AS a "
                                    "WHERE datname = current_database() ORDER BY 1 NULLS FIRST, a.privilege_type",
                                    NULL);

    if (rows == NULL)
        return -1;
    about->grants = mem_array((size_t)PQntuples(rows), sizeof *about->grants);
    for (; about->grant_count < (size_t)PQntuples(rows); about->grant_count++) {
        const int row = (int)about->grant_count;
        about->grants[row] = (struct postgres_grant){
            .role = cell(rows, row, 0),
            .privilege = cell(rows, row, 1),
            .grantable = PQgetvalue(rows, row, 2)[0] == 't',
        };
    }
    PQclear(rows);
    return 0;
}

static int describe_settings(PGconn *conn, struct postgres_description *about, struct err *err) {
    PGresult *rows = postgres_query(conn, err,
                                    "SELECT CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END AS role, "
                                    "setting FROM pg_database d JOIN pg_db_role_setting s ON s.setdatabase = d.oid, "
                                    "unnest(s.setconfig) AS setting WHERE d.datname = current_database() "
                                    "ORDER BY 1 NULLS FIRST, setting COLLATE \"C\"",
                                    NULL);

    if (rows == NULL)
        return -1;
    about->settings = mem_array((size_t)PQntuples(rows), sizeof *about->settings);
    for (; about->setting_count < (size_t)PQntuples(rows); about->setting_count++) {
        const int row = (int)about->setting_count;
        about->settings[row] = (struct postgres_setting){ .role = cell(rows, row, 0), .setting = cell(rows, row, 1) };
    }
    PQclear(rows);
    return 0;
}

static int describe_extensions(PGconn *conn, struct postgres_description *about, struct err *err) {
    PGresult *rows =
        postgres_query(conn, err, "SELECT extname || ' ' || extversion FROM pg_extension ORDER BY extname", NULL);

    if (rows == NULL)
        return -1;
    about->extensions.items = mem_array((size_t)PQntuples(rows), sizeof(char *));
    for (; about->extensions.count < (size_t)PQntuples(rows); about->extensions.count++)
        about->extensions.items[about->extensions.count] = cell(rows, (int)about->extensions.count, 0);
    PQclear(rows);
    return 0;
}

/* Tables that the dump holds rows of. An extension's tables come from the extension; a partitioned table's rows are in
 * its partitions; a materialized view is computed anew. */
static int describe_tables(PGconn *conn, bool with_unlogged, struct postgres_description *about, struct err *err) {
    PGresult *rows =
        postgres_query(conn, err,
                       "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                       "WHERE c.relkind = 'r' AND (c.relpersistence = 'p' OR (c.relpersistence = 'u' AND $1::boolean)) "
                       "AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
                       "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e' AND "
                       "((d.classid = 'pg_class'::regclass AND d.objid = c.oid) OR "
                       "(d.classid = 'pg_namespace'::regclass AND d.objid = n.oid))) "
                       "ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"",
                       with_unlogged ? "true" : "false", NULL);

    if (rows == NULL)
        return -1;
    about->tables = mem_array((size_t)PQntuples(rows), sizeof *about->tables);
    for (; about->table_count < (size_t)PQntuples(rows); about->table_count++) {
        const int row = (int)about->table_count;
        about->tables[row] = (struct postgres_table){ .schema = cell(rows, row, 0), .name = cell(rows, row, 1) };
    }
    PQclear(rows);
    return 0;
}

int postgres_describe(PGconn *conn, bool with_unlogged, struct postgres_description *about, struct err *err) {
    if (describe_database(conn, about, err) != 0 || describe_locale(conn, about, err) != 0 ||
        describe_grants(conn, about, err) != 0 || describe_settings(conn, about, err) != 0 ||
        describe_extensions(conn, about, err) != 0 || describe_tables(conn, with_unlogged, about, err) != 0)
        return err_wrap(err, "look up the database's properties");
    return 0;
}

/*
 * Counts
 */

static int query_count(PGconn *conn, const char *sql, uint64_t *count, struct err *err) {
    PGresult *rows = postgres_query(conn, err, sql, NULL);

    if (rows == NULL)
        return -1;
    *count = strtoull(PQgetvalue(rows, 0, 0), NULL, 10);
    PQclear(rows);
    return 0;
}

/* For statements: the table itself, without what inherits from it. Owned. */
static char *only_table(PGconn *conn, const struct postgres_table *table) {
    char *schema = postgres_identifier(conn, table->schema), *name = postgres_identifier(conn, table->name);
    char *only = mem_format("ONLY %s.%s", schema, name);

    free(schema);
    free(name);
    return only;
}

int postgres_count_table(PGconn *conn, const struct postgres_table *table, uint64_t *rows, struct err *err) {
    char *only = only_table(conn, table), *sql = mem_format("SELECT count(*) FROM %s", only);
    int result = query_count(conn, sql, rows, err);

    if (result != 0)
        result = err_wrap(err, "count the rows of '%s.%s'", table->schema, table->name);
    free(only);
    free(sql);
    return result;
}

int postgres_count_large_objects(PGconn *conn, uint64_t *count, struct err *err) {
    if (query_count(conn, "SELECT count(*) FROM pg_largeobject_metadata", count, err) != 0)
        return err_wrap(err, "count the large objects");
    return 0;
}

/* A statement that may fail without spoiling the transaction. */
static bool try_statement(PGconn *conn, const char *sql) {
    struct err ignored = { 0 };

    if (postgres_execute(conn, &ignored, "SAVEPOINT attempt") != 0)
        return false;
    const bool good = postgres_execute(conn, &ignored, sql) == 0;
    return postgres_execute(conn, &ignored, good ? "RELEASE attempt" : "ROLLBACK TO attempt") == 0 && good;
}

/* A count that queues behind somebody's ALTER TABLE, which itself queues behind pg_dump, would count what the ALTER
 * left: rewritten tables look empty to older snapshots. So the tables are locked as pg_dump locks them, without
 * waiting, and one that cannot be is not counted. */
static void lock_tables(PGconn *conn, struct postgres_description *about) {
    struct buffer all = { 0 };

    for (size_t i = 0; i < about->table_count; i++) {
        char *only = only_table(conn, &about->tables[i]);
        buffer_printf(&all, "%s %s", i > 0 ? "," : "LOCK TABLE", only);
        free(only);
    }
    buffer_printf(&all, " IN ACCESS SHARE MODE NOWAIT");
    const bool locked = about->table_count > 0 && try_statement(conn, buffer_text(&all));
    buffer_release(&all);

    for (size_t i = 0; i < about->table_count; i++) {
        struct postgres_table *table = &about->tables[i];
        table->counted = locked;
        if (locked)
            continue;
        char *only = only_table(conn, table), *sql = mem_format("LOCK TABLE %s IN ACCESS SHARE MODE NOWAIT", only);
        table->counted = try_statement(conn, sql);
        free(only);
        free(sql);
    }
}

int postgres_count_rows(PGconn *conn, struct postgres_description *about, struct err *err) {
    lock_tables(conn, about);
    for (size_t i = 0; i < about->table_count; i++) {
        struct postgres_table *table = &about->tables[i];
        if (table->counted && postgres_count_table(conn, table, &table->rows, err) != 0)
            return -1;
    }
    if (postgres_count_large_objects(conn, &about->large_objects, err) != 0)
        return -1;
    about->rows_known = true;
    return 0;
}

/*
 * As JSON
 */

static void put_member(struct buffer *out, const char *key, const char *text) {
    buffer_printf(out, "  \"%s\": ", key);
    json_put_text(out, text);
    buffer_printf(out, ",\n");
}

static void put_grants(struct buffer *out, const struct postgres_description *about) {
    if (!about->acl_known) {
        buffer_printf(out, "  \"grants\": null,\n");
        return;
    }
    buffer_printf(out, "  \"grants\": [");
    for (size_t i = 0; i < about->grant_count; i++) {
        buffer_printf(out, "%s\n    { \"role\": ", i > 0 ? "," : "");
        json_put_text(out, about->grants[i].role);
        buffer_printf(out, ", \"privilege\": ");
        json_put_text(out, about->grants[i].privilege);
        buffer_printf(out, ", \"grantable\": %s }", about->grants[i].grantable ? "true" : "false");
    }
    buffer_printf(out, "%s],\n", about->grant_count > 0 ? "\n  " : "");
}

static void put_settings(struct buffer *out, const struct postgres_description *about) {
    buffer_printf(out, "  \"settings\": [");
    for (size_t i = 0; i < about->setting_count; i++) {
        buffer_printf(out, "%s\n    { \"role\": ", i > 0 ? "," : "");
        json_put_text(out, about->settings[i].role);
        buffer_printf(out, ", \"setting\": ");
        json_put_text(out, about->settings[i].setting);
        buffer_printf(out, " }");
    }
    buffer_printf(out, "%s],\n", about->setting_count > 0 ? "\n  " : "");
}

static void put_tables(struct buffer *out, const struct postgres_description *about) {
    buffer_printf(out, "  \"tables\": [");
    for (size_t i = 0; i < about->table_count; i++) {
        buffer_printf(out, "%s\n    { \"schema\": ", i > 0 ? "," : "");
        json_put_text(out, about->tables[i].schema);
        buffer_printf(out, ", \"table\": ");
        json_put_text(out, about->tables[i].name);
        if (about->tables[i].counted)
            buffer_printf(out, ", \"rows\": %llu }", (unsigned long long)about->tables[i].rows);
        else
            buffer_printf(out, ", \"rows\": null }");
    }
    buffer_printf(out, "%s]\n", about->table_count > 0 ? "\n  " : "");
}

void postgres_description_encode(const struct postgres_description *about, struct buffer *out) {
    buffer_printf(out, "{\n");
    put_member(out, "database", about->database);
    put_member(out, "server_version", about->server_version);
    put_member(out, "encoding", about->encoding);
    put_member(out, "collate", about->collate);
    put_member(out, "ctype", about->ctype);
    put_member(out, "locale_provider", about->locale_provider);
    put_member(out, "locale", about->locale);
    put_member(out, "icu_rules", about->icu_rules);
    put_member(out, "owner", about->owner);
    put_member(out, "comment", about->comment);
    buffer_printf(out, "  \"connection_limit\": %lld,\n", (long long)about->connection_limit);
    put_grants(out, about);
    put_settings(out, about);
    buffer_printf(out, "  \"extensions\": [");
    for (size_t i = 0; i < about->extensions.count; i++) {
        buffer_printf(out, "%s", i > 0 ? ", " : "");
        json_put_text(out, about->extensions.items[i]);
    }
    buffer_printf(out, "],\n");

    /* Without counts there is nothing to compare: the members are not there at all. */
    if (about->rows_known) {
        buffer_printf(out, "  \"rows_left_out\": %s,\n", about->rows_left_out ? "true" : "false");
        buffer_printf(out, "  \"large_objects\": %llu,\n", (unsigned long long)about->large_objects);
        put_tables(out, about);
    } else {
        buffer_printf(out, "  \"tables\": null\n");
    }
    buffer_printf(out, "}\n");
}

/*
 * Back from JSON
 */

struct decoder {
    bool failed;
};

static char *take_text(struct decoder *decoder, const struct json *object, const char *key, bool may_be_null) {
    const struct json *member = json_member(object, key);

    if (member->kind == JSON_TEXT)
        return mem_string(member->text);
    decoder->failed = decoder->failed || member->kind != JSON_NULL || !may_be_null;
    return NULL;
}

static int64_t take_number(struct decoder *decoder, const struct json *object, const char *key, enum json_kind kind) {
    const struct json *member = json_member(object, key);

    decoder->failed = decoder->failed || member->kind != kind;
    return member->number;
}

static size_t take_list(struct decoder *decoder, const struct json *list, enum json_kind item_kind) {
    if (list->kind != JSON_LIST && list->kind != JSON_NULL)
        decoder->failed = true;
    for (size_t i = 0; i < list->count; i++)
        decoder->failed = decoder->failed || list->items[i].kind != item_kind;
    return decoder->failed ? 0 : list->count;
}

static void take_lists(struct decoder *decoder, const struct json *root, struct postgres_description *about) {
    const struct json *grants = json_member(root, "grants"), *settings = json_member(root, "settings");

    about->acl_known = grants->kind == JSON_LIST;
    about->grant_count = take_list(decoder, grants, JSON_OBJECT);
    about->grants = mem_array(about->grant_count, sizeof *about->grants);
    for (size_t i = 0; i < about->grant_count; i++)
        about->grants[i] = (struct postgres_grant){
            .role = take_text(decoder, &grants->items[i], "role", true),
            .privilege = take_text(decoder, &grants->items[i], "privilege", false),
            .grantable = take_number(decoder, &grants->items[i], "grantable", JSON_BOOLEAN) != 0,
        };

    about->setting_count = take_list(decoder, settings, JSON_OBJECT);
    about->settings = mem_array(about->setting_count, sizeof *about->settings);
    for (size_t i = 0; i < about->setting_count; i++)
        about->settings[i] = (struct postgres_setting){
            .role = take_text(decoder, &settings->items[i], "role", true),
            .setting = take_text(decoder, &settings->items[i], "setting", false),
        };

    const struct json *extensions = json_member(root, "extensions");
    about->extensions.count = take_list(decoder, extensions, JSON_TEXT);
    about->extensions.items = mem_array(about->extensions.count, sizeof(char *));
    for (size_t i = 0; i < about->extensions.count; i++)
        about->extensions.items[i] = mem_string(extensions->items[i].text);
}

static void take_tables(struct decoder *decoder, const struct json *root, struct postgres_description *about) {
    const struct json *tables = json_member(root, "tables");

    about->rows_known = tables->kind == JSON_LIST;
    if (!about->rows_known)
        return;
    about->rows_left_out = take_number(decoder, root, "rows_left_out", JSON_BOOLEAN) != 0;
    about->large_objects = (uint64_t)take_number(decoder, root, "large_objects", JSON_NUMBER);
    about->table_count = take_list(decoder, tables, JSON_OBJECT);
    about->tables = mem_array(about->table_count, sizeof *about->tables);
    for (size_t i = 0; i < about->table_count; i++) {
        const struct json *table = &tables->items[i];
        const bool counted = json_member(table, "rows")->kind != JSON_NULL;
        about->tables[i] = (struct postgres_table){
            .schema = take_text(decoder, table, "schema", false),
            .name = take_text(decoder, table, "table", false),
            .counted = counted,
            .rows = counted ? (uint64_t)take_number(decoder, table, "rows", JSON_NUMBER) : 0,
        };
    }
}

int postgres_description_decode(const void *data, size_t length, struct postgres_description *about, struct err *err) {
    struct json root = { 0 };
    struct decoder decoder = { 0 };

    if (json_parse(data, length, &root, err) != 0)
        return err_wrap(err, "read the description of a database");
    about->database = take_text(&decoder, &root, "database", false);
    about->server_version = take_text(&decoder, &root, "server_version", false);
    about->encoding = take_text(&decoder, &root, "encoding", false);
    about->collate = take_text(&decoder, &root, "collate", true);
    about->ctype = take_text(&decoder, &root, "ctype", true);
    about->locale_provider = take_text(&decoder, &root, "locale_provider", true);
    about->locale = take_text(&decoder, &root, "locale", true);
    about->icu_rules = take_text(&decoder, &root, "icu_rules", true);
    about->owner = take_text(&decoder, &root, "owner", false);
    about->comment = take_text(&decoder, &root, "comment", true);
    about->connection_limit = take_number(&decoder, &root, "connection_limit", JSON_NUMBER);
    take_lists(&decoder, &root, about);
    take_tables(&decoder, &root, about);
    json_release(&root);
    if (!decoder.failed)
        return 0;
    postgres_description_release(about);
    return err_set(err, ERR_CORRUPT, "read the description of a database: a member is missing or of another kind");
}

void postgres_description_release(struct postgres_description *about) {
    char *const texts[] = { about->database, about->server_version,  about->encoding, about->collate,
                            about->ctype,    about->locale_provider, about->locale,   about->icu_rules,
                            about->owner,    about->comment };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    for (size_t i = 0; i < about->grant_count; i++) {
        free(about->grants[i].role);
        free(about->grants[i].privilege);
    }
    for (size_t i = 0; i < about->setting_count; i++) {
        free(about->settings[i].role);
        free(about->settings[i].setting);
    }
    for (size_t i = 0; i < about->table_count; i++) {
        free(about->tables[i].schema);
        free(about->tables[i].name);
    }
    free(about->grants);
    free(about->settings);
    free(about->tables);
    mem_free_strings(about->extensions.items, about->extensions.count);
    *about = (struct postgres_description){ 0 };
}
