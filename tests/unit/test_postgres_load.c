/* Loading into a real server what was captured from it. */

#include "../lib/memory_sink.h"
#include "../lib/postgres.h"
#include <muniment/source/postgres.h>
#include <muniment/source/source.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/scratch.h"

static struct test_postgres server;
static struct memory_sink captured; /* the sample database `app`, and `latin` */
static struct postgres_target target, replacing;

static const char content_of_app[] =
    "SELECT md5(string_agg(t::text, ',' ORDER BY t.id)) || (SELECT count(*) FROM pg_largeobject_metadata) || "
    "(SELECT last_value FROM billing.invoice_number) || (SELECT count(*) FROM audit.events) FROM app.users t";

static int start_server(void **state) {
    char *databases[] = { (char[]){ "app" }, (char[]){ "latin" } };
    struct err err = { 0 };

    (void)state;
    interrupt_install(); /* and with it, no SIGPIPE */
    test_postgres_start(&server);
    test_postgres_script(&server, "sample-database.sh", "1");
    test_postgres_run(&server, "postgres",
                      "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' "
                      "CONNECTION LIMIT 7");
    test_postgres_run(&server, "postgres", "ALTER DATABASE latin SET search_path = \"$user\", \"od,d\", public");
    test_postgres_run(&server, "postgres", "ALTER DATABASE latin SET my.setting = 'it''s'");
    test_postgres_run(&server, "latin", "CREATE TABLE t (x text); INSERT INTO t VALUES (chr(230))");

    const struct source source = {
        .name = (char[]){ "db" },
        .kind = &SOURCE_POSTGRES,
        .postgres = { .uri = server.uri,
                      .databases = { .items = databases, .count = 2 },
                      .globals = true,
                      .role_passwords = true,
                      .count_rows = true },
    };
    memory_sink_init(&captured, NULL);
    assert_success(SOURCE_POSTGRES.capture(&source, &captured.sink, NULL, &err), &err);
    target = (struct postgres_target){ .uri = server.uri };
    replacing = (struct postgres_target){ .uri = server.uri, .overwrite = true };
    return 0;
}

static int stop_server(void **state) {
    (void)state;
    memory_sink_release(&captured);
    test_postgres_stop(&server);
    return 0;
}

static void assert_answer(const char *database, const char *sql, const char *expected) {
    char *answer = test_postgres_ask(&server, database, sql);
    assert_string_equal(answer, expected);
    free(answer);
}

/* A failed load leaves nothing behind. */
static void assert_no_leftovers(void) {
    assert_answer("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 'muniment%'", "0");
}

/* In pieces, as a restore hands them on. */
static int feed(struct postgres_load *load, const void *data, size_t length, struct err *err) {
    enum { PIECE = 70000 };
    const uint8_t *at = data;

    while (length > 0) {
        const size_t piece = length < PIECE ? length : PIECE;
        if (postgres_load_data(load, at, piece, err) != 0)
            return -1;
        at += piece;
        length -= piece;
    }
    return 0;
}

static int load_bytes(const struct postgres_target *to, const char *name, const void *dump, size_t length,
                      const struct buffer *about, struct err *err) {
    struct postgres_load *load = NULL;

    if (postgres_load_begin(to, name, about != NULL ? about->data : NULL, about != NULL ? about->length : 0, NULL,
                            &load, err) != 0)
        return -1;
    if (feed(load, dump, length, err) != 0) {
        postgres_load_abort(load);
        return -1;
    }
    return postgres_load_finish(load, err);
}

static const struct buffer *content(const char *path) {
    const struct memory_entry *entry = memory_sink_find(&captured, path);
    assert_non_null(entry);
    return &entry->content;
}

static int load_app(const struct postgres_target *to, const char *name, struct err *err) {
    const struct buffer *dump = content("databases/app.dump");
    return load_bytes(to, name, dump->data, dump->length, content("databases/app.json"), err);
}

static void drop(const char *database) {
    char *sql = mem_format("DROP DATABASE IF EXISTS %s WITH (FORCE)", database);
    test_postgres_run(&server, "postgres", sql);
    free(sql);
}

static void a_database_comes_back_with_everything_in_it(void **state) {
    struct err err = { 0 };
    char *before = test_postgres_ask(&server, "app", content_of_app);

    (void)state;
    assert_success(load_app(&target, "again", &err), &err);
    assert_answer("again", content_of_app, before);
    assert_answer("again", "SELECT count(*) FROM pg_policies", "1");
    assert_answer("again", "SELECT has_table_privilege('app_report', 'billing.invoices', 'SELECT')", "t");
    assert_answer("again", "SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'users'", "t"); /* analysed */
    assert_no_leftovers();
    free(before);
    drop("again");
}

static void what_belongs_to_the_database_itself_comes_back(void **state) {
    const struct buffer *dump = content("databases/latin.dump"), *about = content("databases/latin.json");
    struct err err = { 0 };

    (void)state;
    assert_success(load_app(&target, "again", &err), &err);
    assert_answer("postgres",
                  "SELECT pg_get_userbyid(datdba) || ', ' || shobj_description(oid, 'pg_database') || ', ' || "
                  "has_database_privilege('public', oid, 'CONNECT') || has_database_privilege('app_api', oid, "
                  "'CONNECT') FROM pg_database WHERE datname = 'again'",
                  "app_owner, the sample service, falsetrue");
    assert_answer("again", "SHOW search_path", "app, public");
    assert_answer("again",
                  "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'app_api'::regrole AND "
                  "setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())",
                  "{lock_timeout=5s}");
    drop("again");

    assert_success(load_bytes(&target, "again", dump->data, dump->length, about, &err), &err);
    assert_answer("postgres",
                  "SELECT pg_encoding_to_char(encoding) || ' ' || datcollate || ' ' || datconnlimit FROM pg_database "
                  "WHERE datname = 'again'",
                  "LATIN1 C 7");
    assert_answer("again", "SHOW search_path", "\"$user\", \"od,d\", public");
    assert_answer("again", "SHOW my.setting", "it's");
    assert_answer("again", "SELECT ascii(x) FROM t", "230");
    drop("again");
}

static void without_a_description_the_rows_come_back_all_the_same(void **state) {
    const struct buffer *dump = content("databases/app.dump");
    struct err err = { 0 };

    (void)state;
    assert_success(load_bytes(&target, "again", dump->data, dump->length, NULL, &err), &err);
    assert_answer("again", "SELECT count(*) FROM app.users", "80");
    drop("again");
}

static void a_database_that_holds_something_is_left_alone(void **state) {
    struct err err = { 0 };

    (void)state;
    test_postgres_run(&server, "postgres", "CREATE DATABASE again");
    test_postgres_run(&server, "again", "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    assert_failure(load_app(&target, "again", &err), ERR_EXISTS, &err);
    assert_answer("again", "SELECT mine()", "1");
    assert_no_leftovers();
    drop("again");
}

static void an_empty_database_is_filled_or_stays_empty(void **state) {
    const struct buffer *dump = content("databases/app.dump");
    struct err err = { 0 };

    (void)state;
    test_postgres_run(&server, "postgres", "CREATE DATABASE again");
    assert_failure(load_bytes(&target, "again", dump->data, dump->length / 2, content("databases/app.json"), &err),
                   ERR_TARGET, &err);
    assert_answer("again", "SELECT count(*) FROM pg_namespace WHERE nspname = 'app'", "0");
    assert_success(load_app(&target, "again", &err), &err);
    assert_answer("again", "SELECT count(*) FROM app.users", "80");
    drop("again");
}

static void overwriting_replaces_a_database_that_is_in_use(void **state) {
    char *uri = mem_format("%s dbname=again", server.uri); /* even when it is the one that the address names */
    const struct postgres_target same = { .uri = uri, .overwrite = true };
    struct err err = { 0 };

    (void)state;
    test_postgres_run(&server, "postgres", "CREATE DATABASE again");
    test_postgres_run(&server, "again", "CREATE TABLE old (i int)");
    PGconn *user = test_postgres_connect(&server, "again");
    assert_success(load_app(&same, "again", &err), &err);
    PQfinish(user);
    assert_answer("again", "SELECT count(*) FROM app.users", "80");
    assert_answer("again", "SELECT count(*) FROM pg_class WHERE relname = 'old'", "0");
    assert_no_leftovers();

    /* And when it is gone. */
    drop("again");
    assert_success(load_app(&same, "again", &err), &err);
    drop("again");
    free(uri);
}

static void a_load_that_fails_leaves_the_database_that_it_should_replace(void **state) {
    const struct buffer *dump = content("databases/app.dump"), *about = content("databases/app.json");
    struct postgres_load *load = NULL;
    struct err err = { 0 };

    (void)state;
    test_postgres_run(&server, "postgres", "CREATE DATABASE again");
    test_postgres_run(&server, "again", "CREATE TABLE old (i int)");

    /* Cut short, nothing at all, and not a dump. */
    assert_failure(load_bytes(&replacing, "again", dump->data, dump->length - 1000, about, &err), ERR_TARGET, &err);
    assert_failure(load_bytes(&replacing, "again", dump->data, 0, about, &err), ERR_TARGET, &err);
    assert_failure(load_bytes(&replacing, "again", about->data, about->length, about, &err), ERR_TARGET, &err);
    assert_failure(load_bytes(&replacing, "again", dump->data, dump->length, dump, &err), ERR_CORRUPT, &err);

    /* And given up. */
    assert_success(postgres_load_begin(&replacing, "again", about->data, about->length, NULL, &load, &err), &err);
    assert_success(feed(load, dump->data, dump->length / 2, &err), &err);
    postgres_load_abort(load);
    postgres_load_abort(NULL);
    assert_answer("again", "SELECT count(*) FROM pg_class WHERE relname = 'old'", "1");
    assert_no_leftovers();
    drop("again");
}

static struct buffer replace_once(const struct buffer *in, const char *what, const char *with) {
    struct buffer out = { 0 };
    const uint8_t *at = memmem(in->data, in->length, what, strlen(what));

    assert_non_null(at);
    const size_t before = (size_t)(at - in->data);
    buffer_put(&out, in->data, before);
    buffer_put(&out, with, strlen(with));
    buffer_put(&out, at + strlen(what), in->length - before - strlen(what));
    return out;
}

static void rows_that_are_missing_are_found_and_named(void **state) {
    static const struct {
        const char *what, *with, *message;
    } cases[] = {
        { "\"users\", \"rows\": 80 }", "\"users\", \"rows\": 81 }",
          "rows of table 'app.users': 80 were loaded, 81 were captured" },
        { "\"table\": \"users\"", "\"table\": \"losers\"",
          "rows of the missing table 'app.losers': 0 were loaded, 80" },
        { "\"large_objects\": 4", "\"large_objects\": 5", "large objects: 4 were loaded, 5 were captured" },
    };
    const struct buffer *dump = content("databases/app.dump");
    struct err err = { 0 };

    (void)state;
    test_postgres_run(&server, "postgres", "CREATE DATABASE again");
    test_postgres_run(&server, "again", "CREATE TABLE old (i int)");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer about = replace_once(content("databases/app.json"), cases[i].what, cases[i].with);
        assert_int_equal(load_bytes(&replacing, "again", dump->data, dump->length, &about, &err), -1);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_non_null(strstr(err.message, cases[i].message));
        buffer_release(&about);

        /* What came is there to look at; what was there stays. */
        const char *kept = strstr(err.hint, "muniment_load_");
        assert_non_null(kept);
        char *name = mem_format("%.*s", (int)strcspn(kept, "'"), kept);
        assert_answer(name, "SELECT count(*) FROM app.users", "80");
        drop(name);
        free(name);
        err_clear(&err);
    }
    assert_answer("again", "SELECT count(*) FROM pg_class WHERE relname = 'old'", "1");
    drop("again");
}

static void descriptions_that_are_damaged_are_refused(void **state) {
    const struct buffer *about = content("databases/latin.json");
    struct postgres_load *load = NULL;
    struct err err = { 0 };

    (void)state;
    for (size_t length = 0; length + 2 < about->length; length += 7)
        assert_failure(postgres_load_begin(&target, "again", about->data, length, NULL, &load, &err), ERR_CORRUPT,
                       &err);
    static const char *const wrong[] = { "\"rows\": \"1\"", "\"rows\": 1e3", "\"rows\": 99999999999999999999",
                                         "\"rows\": true", "\"rows\": [[[[[[[[[[[1]]]]]]]]]]]" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct buffer damaged = replace_once(about, "\"rows\": 1", wrong[i]);
        assert_failure(postgres_load_begin(&target, "again", damaged.data, damaged.length, NULL, &load, &err),
                       ERR_CORRUPT, &err);
        buffer_release(&damaged);
    }
    assert_no_leftovers();
}

/*
 * Globals
 */

static void write_log(void *context, enum log_level level, const char *line) {
    if (level <= LOG_WARNING)
        buffer_printf(context, "%s\n", line);
}

static void roles_come_back_and_those_that_exist_stay_as_they_are(void **state) {
    static const char more[] =
        "CREATE ROLE \"made; \"\"by'us\";\nALTER ROLE \"made; \"\"by'us\" WITH NOSUPERUSER LOGIN;\n"
        "COMMENT ON ROLE \"made; \"\"by'us\" IS 'two lines;\nand it''s -- no comment';\n"
        "GRANT app_support TO \"made; \"\"by'us\" GRANTED BY postgres;\n"
        "GRANT app_owner TO app_api GRANTED BY postgres;\n"
        "CREATE TABLESPACE nowhere OWNER postgres LOCATION '/nonexistent/folder';\n";
    struct buffer sql = { 0 }, lines = { 0 };
    struct log log = { .write = write_log, .context = &lines };
    struct err err = { 0 };

    (void)state;
    const struct buffer *globals = content("globals.sql");
    buffer_put(&sql, globals->data, globals->length);
    buffer_put(&sql, more, strlen(more));
    drop("app");
    test_postgres_run(&server, "postgres", "DROP ROLE app_report");
    test_postgres_run(&server, "postgres", "ALTER ROLE app_api PASSWORD NULL CONNECTION LIMIT 3");
    assert_success(postgres_load_globals(&target, sql.data, sql.length, &log, &err), &err);

    assert_answer("postgres",
                  "SELECT rolconnlimit || ' ' || (rolpassword IS NULL) FROM pg_authid WHERE rolname = 'app_api'",
                  "3 true");
    assert_answer("postgres", "SELECT pg_has_role('app_api', 'app_owner', 'MEMBER')", "f");
    assert_answer("postgres",
                  "SELECT rolcanlogin || ' ' || rolconfig::text || ' ' || pg_has_role('app_report', 'app_support', "
                  "'MEMBER') FROM pg_roles WHERE rolname = 'app_report'",
                  "true {statement_timeout=30s} true");
    assert_answer("postgres",
                  "SELECT shobj_description(oid, 'pg_authid') FROM pg_authid WHERE rolname = 'made; \"by''us'",
                  "two lines;\nand it's -- no comment");
    assert_answer("postgres", "SELECT pg_has_role('made; \"by''us', 'app_support', 'MEMBER')", "t");

    /* What could not be done is told, and stops nothing. */
    assert_non_null(strstr(buffer_text(&lines), "globals: CREATE TABLESPACE nowhere: "));
    assert_success(load_app(&target, "app", &err), &err);
    buffer_release(&sql);
    buffer_release(&lines);
}

static void a_role_that_cannot_be_made_is_an_error(void **state) {
    static const char sql[] = "CREATE ROLE pg_reserved;\nCREATE ROLE good;\n";
    struct err err = { 0 };

    (void)state;
    assert_failure(postgres_load_globals(&target, sql, strlen(sql), NULL, &err), ERR_TARGET, &err);
    assert_answer("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'good'", "1");
}

static void an_owner_that_is_missing_is_told_with_what_to_do(void **state) {
    const struct buffer *dump = content("databases/app.dump");
    struct err err = { 0 };

    (void)state;
    drop("app");
    test_postgres_run(&server, "postgres", "DROP ROLE app_owner");
    assert_int_equal(load_bytes(&target, "again", dump->data, dump->length, content("databases/app.json"), &err), -1);
    assert_int_equal(err.code, ERR_TARGET);
    assert_non_null(strstr(err.message, "role \"app_owner\" does not exist"));
    assert_non_null(strstr(err.hint, "--globals"));
    assert_no_leftovers();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_comes_back_with_everything_in_it),
        cmocka_unit_test(what_belongs_to_the_database_itself_comes_back),
        cmocka_unit_test(without_a_description_the_rows_come_back_all_the_same),
        cmocka_unit_test(a_database_that_holds_something_is_left_alone),
        cmocka_unit_test(an_empty_database_is_filled_or_stays_empty),
        cmocka_unit_test(overwriting_replaces_a_database_that_is_in_use),
        cmocka_unit_test(a_load_that_fails_leaves_the_database_that_it_should_replace),
        cmocka_unit_test(rows_that_are_missing_are_found_and_named),
        cmocka_unit_test(descriptions_that_are_damaged_are_refused),
        cmocka_unit_test(roles_come_back_and_those_that_exist_stay_as_they_are),
        cmocka_unit_test(a_role_that_cannot_be_made_is_an_error),
        cmocka_unit_test(an_owner_that_is_missing_is_told_with_what_to_do),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
