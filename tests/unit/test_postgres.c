/* Capturing from a real server, undisturbed and disturbed. */

#include "../lib/memory_sink.h"
#include "../lib/postgres.h"
#include <fcntl.h>
#include <muniment/source/postgres.h>
#include <muniment/source/source.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/scratch.h"

static struct test_postgres server;

static int start_server(void **state) {
    (void)state;
    interrupt_install(); /* and with it, no SIGPIPE */
    test_postgres_start(&server);
    test_postgres_run(&server, "postgres",
                      "CREATE ROLE reader LOGIN; CREATE ROLE needs_password LOGIN SUPERUSER PASSWORD 'tell-nobody'");
    test_postgres_run(&server, "postgres", "CREATE DATABASE app");
    test_postgres_run(&server, "postgres", "CREATE DATABASE other");
    test_postgres_run(&server, "app",
                      "CREATE SCHEMA \"Odd \"\"name\"; CREATE TABLE \"Odd \"\"name\".t (i int);"
                      "INSERT INTO \"Odd \"\"name\".t SELECT generate_series(1, 7);"
                      "CREATE TABLE big (i int, t text);"
                      "INSERT INTO big SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 20000) i;"
                      "CREATE TABLE parted (i int) PARTITION BY RANGE (i);"
                      "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);"
                      "INSERT INTO parted VALUES (1), (2); SELECT lo_from_bytea(0, 'large')");
    test_postgres_run(&server, "other", "CREATE TABLE here (i int); INSERT INTO here VALUES (1)");
    return 0;
}

static int stop_server(void **state) {
    (void)state;
    test_postgres_stop(&server);
    return 0;
}

static char app[] = "app", other[] = "other", source_name[] = "db";
static char *const app_alone[] = { app };
static char *const app_and_other[] = { app, other };

/* A source of `count` databases; the rest as the configuration's defaults, but without globals. */
static struct source source_of(char *const *databases, size_t count) {
    struct source source = {
        .name = source_name,
        .kind = &SOURCE_POSTGRES,
        .postgres = { .uri = server.uri, .role_passwords = true, .count_rows = true, .lock_timeout = 600 },
    };
    source.postgres.databases.items = mem_array(count, sizeof(char *));
    source.postgres.databases.count = count;
    for (size_t i = 0; i < count; i++)
        source.postgres.databases.items[i] = databases[i];
    return source;
}

static void source_end(struct source *source) {
    free(source->postgres.databases.items);
}

static int preflight(const struct source *source, struct err *err) {
    return SOURCE_POSTGRES.preflight(source, NULL, err);
}

static int capture(const struct source *source, struct memory_sink *sink, struct err *err) {
    return SOURCE_POSTGRES.capture(source, &sink->sink, NULL, err);
}

static const char *content(struct memory_sink *sink, const char *path) {
    for (size_t i = 0; i < sink->count; i++)
        if (strcmp(sink->entries[i].entry.path, path) == 0)
            return buffer_text(&sink->entries[i].content);
    fail_msg("there is no entry '%s'", path);
    return "";
}

/*
 * Undisturbed
 */

static void a_database_is_captured_with_the_rows_of_every_table(void **state) {
    struct source source = source_of(app_alone, 1);
    struct memory_sink sink;
    struct buffer paths = { 0 };
    struct err err = { 0 };

    (void)state;
    source.postgres.globals = true;
    memory_sink_init(&sink, NULL);
    assert_success(preflight(&source, &err), &err);
    assert_success(capture(&source, &sink, &err), &err);
    assert_string_equal(memory_sink_paths(&sink, &paths), "databases/app.dump\ndatabases/app.json\nglobals.sql\n");
    assert_int_equal(sink.trouble_count, 0);
    assert_int_equal(sink.unit_count, 1);

    const struct memory_entry *dump = memory_sink_find(&sink, "databases/app.dump");
    assert_int_equal(dump->entry.type, ENTRY_STREAM);
    assert_int_equal(dump->entry.flags, 0);
    assert_int_equal(dump->entry.size, dump->content.length);
    assert_memory_equal(dump->content.data, "PGDMP", 5);
    assert_true(dump->content.length > 20000 * 960); /* not compressed: it would not deduplicate */

    const char *about = content(&sink, "databases/app.json");
    assert_non_null(strstr(about, "{ \"schema\": \"Odd \\\"name\", \"table\": \"t\", \"rows\": 7 },\n"
                                  "    { \"schema\": \"public\", \"table\": \"big\", \"rows\": 20000 },\n"
                                  "    { \"schema\": \"public\", \"table\": \"parted_1\", \"rows\": 2 }\n"));
    assert_non_null(strstr(about, "\"large_objects\": 1,"));
    assert_non_null(strstr(content(&sink, "globals.sql"), "CREATE ROLE reader;"));
    assert_non_null(strstr(content(&sink, "globals.sql"), "SCRAM-SHA-256$"));
    buffer_release(&paths);
    memory_sink_release(&sink);
    source_end(&source);
}

static void add_rows_once(struct memory_sink *sink, void *data) {
    (void)data;
    if (sink->on_fill == NULL)
        return;
    sink->on_fill = NULL;
    test_postgres_run(&server, "app", "INSERT INTO parted SELECT 50 FROM generate_series(1, 1000)");
}

static void rows_are_counted_in_the_snapshot_of_the_dump(void **state) {
    struct source source = source_of(app_alone, 1);
    struct memory_sink sink;
    struct err err = { 0 };

    (void)state;
    memory_sink_init(&sink, NULL);
    sink.on_fill = add_rows_once;
    assert_success(capture(&source, &sink, &err), &err);
    assert_non_null(strstr(content(&sink, "databases/app.json"), "\"table\": \"parted_1\", \"rows\": 2 }"));
    test_postgres_run(&server, "app", "DELETE FROM parted WHERE i = 50");
    memory_sink_release(&sink);
    source_end(&source);
}

struct rewrite {
    PGconn *conn;
    bool sent;
};

/* Queues behind pg_dump's lock, and before our count. */
static void rewrite_table(struct memory_sink *sink, void *data) {
    struct rewrite *rewrite = data;
    (void)sink;
    if (!rewrite->sent)
        rewrite->sent = PQsendQuery(rewrite->conn, "ALTER TABLE big ALTER i TYPE bigint") == 1;
}

static void a_table_that_is_rewritten_meanwhile_is_counted_rightly_or_not_at_all(void **state) {
    struct source source = source_of(app_alone, 1);
    struct rewrite rewrite = { .conn = test_postgres_connect(&server, "app") };
    struct memory_sink sink;
    struct err err = { 0 };

    (void)state;
    memory_sink_init(&sink, NULL);
    sink.on_fill = rewrite_table;
    sink.on_fill_data = &rewrite;
    assert_success(capture(&source, &sink, &err), &err);
    PGresult *result = PQgetResult(rewrite.conn);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    PQfinish(rewrite.conn);
    const char *about = content(&sink, "databases/app.json");
    assert_true(strstr(about, "\"table\": \"big\", \"rows\": 20000 }") != NULL ||
                strstr(about, "\"table\": \"big\", \"rows\": null }") != NULL);
    memory_sink_release(&sink);
    source_end(&source);
}

static void without_counting_nothing_is_said_of_rows(void **state) {
    struct source source = source_of(app_alone, 1);
    struct memory_sink sink;
    struct err err = { 0 };

    (void)state;
    source.postgres.count_rows = false;
    memory_sink_init(&sink, NULL);
    assert_success(capture(&source, &sink, &err), &err);
    assert_non_null(strstr(content(&sink, "databases/app.json"), "\"tables\": null"));
    memory_sink_release(&sink);
    source_end(&source);
}

static void entries_come_in_tree_order_whatever_databases_are_called(void **state) {
    static const char *const names[] = { "n", "n.e", "n-x", "n%2F", "n/../../up", "n\nline", "n\xc3\xa6", "n'=\\b" };
    enum { COUNT = sizeof names / sizeof names[0] };
    struct source source = source_of(NULL, 0); /* all of the server */
    char *exclude[] = { app, other };
    struct memory_sink sink;
    struct err err = { 0 };

    (void)state;
    PGconn *conn = test_postgres_connect(&server, "postgres");
    for (size_t i = 0; i < COUNT; i++) {
        char *quoted = PQescapeIdentifier(conn, names[i], strlen(names[i]));
        char *sql = mem_format("CREATE DATABASE %s", quoted);
        PGresult *result = PQexec(conn, sql);
        assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
        PQclear(result);
        PQfreemem(quoted);
        free(sql);
    }
    source.postgres.exclude = (struct strings){ .items = exclude, .count = 2 };
    memory_sink_init(&sink, NULL);
    assert_success(capture(&source, &sink, &err), &err);
    assert_int_equal(sink.trouble_count, 0);
    assert_int_equal(sink.count, 2 * (COUNT + 1)); /* and `postgres` */
    for (size_t i = 0; i < sink.count; i++) {
        assert_true(entry_path_is_valid(ENTRY_FILE, sink.entries[i].entry.path));
        if (i > 0)
            assert_true(entry_compare_paths(ENTRY_FILE, sink.entries[i - 1].entry.path, sink.entries[i].entry.path) <
                        0);
    }

    /* Every name is found again. */
    for (size_t i = 0; i < COUNT; i++) {
        size_t found = 0;
        for (size_t j = 0; j < sink.count; j++) {
            char *database = postgres_entry_database(sink.entries[j].entry.path);
            found += database != NULL && strcmp(database, names[i]) == 0;
            free(database);
        }
        assert_int_equal(found, 1);
        char *quoted = PQescapeIdentifier(conn, names[i], strlen(names[i]));
        char *sql = mem_format("DROP DATABASE %s WITH (FORCE)", quoted);
        PQclear(PQexec(conn, sql));
        PQfreemem(quoted);
        free(sql);
    }
    PQfinish(conn);
    memory_sink_release(&sink);
    source_end(&source);
}

static void a_path_that_no_database_has_is_no_database(void **state) {
    static const char *const paths[] = { "databases/app.json", "databases/.dump",    "globals.sql",
                                         "databases/a.b.dump", "databases/%61.dump", "databases/%2.dump",
                                         "databases/%00.dump", "other/app.dump" };

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_null(postgres_entry_database(paths[i]));
}

static void look_for_password(struct memory_sink *sink, void *data) {
    char path[64], line[4096] = { 0 };
    bool *looked = data;
    (void)sink;

    const long pid = test_child_named("pg_dump");
    if (pid == 0)
        return;
    snprintf(path, sizeof path, "/proc/%ld/cmdline", pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = read(fd, line, sizeof line);
    close(fd);
    if (got <= 0)
        return;
    *looked = true;
    assert_null(memmem(line, (size_t)got, "tell-nobody", strlen("tell-nobody")));
}

static void a_password_reaches_pg_dump_but_no_argument(void **state) {
    struct source source = source_of(app_alone, 1);
    struct memory_sink sink;
    struct err err = { 0 };
    bool looked = false;

    (void)state;
    source.postgres.globals = true;
    source.postgres.uri = mem_format("host=%s user=needs_password password=tell-nobody", server.socket);
    memory_sink_init(&sink, NULL);
    sink.on_fill = look_for_password;
    sink.on_fill_data = &looked;
    assert_success(preflight(&source, &err), &err);
    assert_success(capture(&source, &sink, &err), &err);
    assert_true(looked);
    assert_int_equal(sink.count, 3);
    memory_sink_release(&sink);
    free(source.postgres.uri);

    source.postgres.uri = mem_format("host=%s user=needs_password password=wrong", server.socket);
    if (preflight(&source, &err) == 0)
        fail_msg("a wrong password was let in");
    assert_int_equal(err.code, ERR_SOURCE);
    assert_null(strstr(err.message, "wrong"));
    free(source.postgres.uri);
    source_end(&source);
}

/*
 * Preflight
 */

static void assert_preflight_says(const struct source *source, const char *message, const char *hint) {
    struct err err = { 0 };

    if (preflight(source, &err) == 0)
        fail_msg("the preflight passed, where it should say: %s", message);
    if (strstr(err.message, message) == NULL || strstr(err.hint, hint) == NULL)
        fail_msg("'%s' with hint '%s', not '%s' with '%s'", err.message, err.hint, message, hint);
}

static void a_server_that_is_not_there_is_found_before_anything_is_stored(void **state) {
    struct source source = source_of(app_alone, 1);

    (void)state;
    source.postgres.uri = (char[]){ "host=/nonexistent user=postgres" };
    assert_preflight_says(&source, "connect to PostgreSQL: ", "");
    source.postgres.uri = (char[]){ "host=x password=abc def" };
    assert_preflight_says(&source, "the connection string cannot be read", "service=NAME");
    source.postgres.uri = (char[]){ "host=x sslpassword=abc" };
    assert_preflight_says(&source, "sslpassword", "service file");
    source_end(&source);
}

static void a_database_that_is_not_there_is_found_before_anything_is_stored(void **state) {
    char wrong[] = "aap", pattern[] = "none*";
    struct source source = source_of((char *const[]){ wrong }, 1);

    (void)state;
    assert_preflight_says(&source, "there is no database 'aap' on the server", "did you mean 'app'?");
    source.postgres.databases.items[0] = pattern;
    assert_preflight_says(&source, "no database matches what the source asks for", "");
    source_end(&source);
}

static void a_role_that_may_not_read_is_found_before_anything_is_stored(void **state) {
    struct source source = source_of(app_alone, 1);
    struct err err = { 0 };

    (void)state;
    source.postgres.uri = mem_format("host=%s user=reader", server.socket);
    assert_preflight_says(&source, "role 'reader' may not read 'Odd \"name.t' and 3 more", "GRANT pg_read_all_data");
    test_postgres_run(&server, "app", "GRANT pg_read_all_data TO reader; ALTER TABLE big ENABLE ROW LEVEL SECURITY");
    assert_preflight_says(&source, "row-level security hides rows of 'public.big'", "BYPASSRLS");
    test_postgres_run(&server, "app", "ALTER ROLE reader BYPASSRLS");
    assert_success(preflight(&source, &err), &err);

    source.postgres.globals = true;
    assert_preflight_says(&source, "no superuser and may not read the passwords", "role_passwords = false");
    source.postgres.role_passwords = false;
    assert_success(preflight(&source, &err), &err);
    test_postgres_run(&server, "postgres", "REVOKE CONNECT ON DATABASE app FROM PUBLIC");
    assert_preflight_says(&source, "may not connect to database 'app'", "GRANT CONNECT");

    test_postgres_run(&server, "postgres", "GRANT CONNECT ON DATABASE app TO PUBLIC");
    test_postgres_run(&server, "app",
                      "ALTER TABLE big DISABLE ROW LEVEL SECURITY; ALTER ROLE reader NOBYPASSRLS;"
                      "REVOKE pg_read_all_data FROM reader");
    free(source.postgres.uri);
    source_end(&source);
}

static void put_tool(const char *folder, const char *version) {
    char *path = mem_format("%s/pg_dump", folder);
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fprintf(file, "#!/bin/sh\necho 'pg_dump (PostgreSQL) %s'\n", version);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0755), 0);
    free(path);
}

static void a_pg_dump_that_does_not_fit_is_found_before_anything_is_stored(void **state) {
    struct source source = source_of(app_alone, 1);

    (void)state;
    source.postgres.bin_dir = scratch_make();
    assert_preflight_says(&source, "pg_dump is not there", "install postgresql-client-");
    put_tool(source.postgres.bin_dir, "9.6.24");
    assert_preflight_says(&source, "is version 9 and the server is version", "install postgresql-client-");
    put_tool(source.postgres.bin_dir, "unknown");
    assert_preflight_says(&source, "does not tell a version", "");
    scratch_remove(source.postgres.bin_dir);
    source_end(&source);
}

static void options_that_could_make_a_dump_a_lie_are_refused(void **state) {
    char *bad[] = { (char[]){ "--enable-row-security" } }, *good[] = { (char[]){ "--exclude-table-data=big" } };
    struct source source = source_of(app_alone, 1);
    struct memory_sink sink;
    struct err err = { 0 };

    (void)state;
    source.postgres.options = (struct strings){ .items = bad, .count = 1 };
    assert_preflight_says(&source, "'--enable-row-security' is not an option for pg_dump", "");
    source.postgres.options.items = good;
    memory_sink_init(&sink, NULL);
    assert_success(preflight(&source, &err), &err);
    assert_success(capture(&source, &sink, &err), &err);
    assert_non_null(strstr(content(&sink, "databases/app.json"), "\"rows_left_out\": true"));
    assert_true(memory_sink_find(&sink, "databases/app.dump")->content.length < 100000);
    memory_sink_release(&sink);
    source_end(&source);
}

/*
 * Disturbed
 */

static void kill_pg_dump(struct memory_sink *sink, void *data) {
    bool *killed = data;

    if (*killed || sink->pending.length < 1000000)
        return;
    const long pid = test_child_named("pg_dump");
    assert_true(pid > 0);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    *killed = true;
}

static void a_pg_dump_that_is_killed_leaves_no_entry_and_the_others_go_on(void **state) {
    struct source source = source_of(app_and_other, 2);
    struct memory_sink sink;
    struct buffer paths = { 0 };
    struct err err = { 0 };
    bool killed = false;

    (void)state;
    memory_sink_init(&sink, NULL);
    sink.on_fill = kill_pg_dump;
    sink.on_fill_data = &killed;
    assert_success(capture(&source, &sink, &err), &err);
    assert_true(killed);
    assert_string_equal(memory_sink_paths(&sink, &paths), "databases/other.dump\ndatabases/other.json\n");
    assert_int_equal(sink.trouble_count, 1);
    assert_int_equal(sink.discard_count, 1);
    assert_int_equal(sink.unit_count, 1);
    assert_non_null(
        strstr((const char *)sink.troubles.data, "databases/app.dump: database 'app': pg_dump was killed by SIGKILL"));
    buffer_release(&paths);
    memory_sink_release(&sink);
    source_end(&source);
}

static void when_no_database_is_whole_the_source_fails(void **state) {
    struct source source = source_of(app_alone, 1);
    struct memory_sink sink;
    struct err err = { 0 };
    bool killed = false;

    (void)state;
    memory_sink_init(&sink, NULL);
    sink.on_fill = kill_pg_dump;
    sink.on_fill_data = &killed;
    assert_failure(capture(&source, &sink, &err), ERR_SOURCE, &err);
    assert_int_equal(sink.count, 0);
    memory_sink_release(&sink);
    source_end(&source);
}

static void drop_other(struct memory_sink *sink, void *data) {
    (void)data;
    sink->on_fill = NULL;
    test_postgres_run(&server, "postgres", "ALTER DATABASE other RENAME TO gone");
}

static void a_database_that_vanishes_before_its_turn_is_trouble(void **state) {
    struct source source = source_of(app_and_other, 2);
    struct memory_sink sink;
    struct err err = { 0 };

    (void)state;
    memory_sink_init(&sink, NULL);
    sink.on_fill = drop_other;
    assert_success(capture(&source, &sink, &err), &err);
    test_postgres_run(&server, "postgres", "ALTER DATABASE gone RENAME TO other");
    assert_int_equal(sink.trouble_count, 1);
    assert_int_equal(sink.unit_count, 1);
    assert_non_null(strstr((const char *)sink.troubles.data, "databases/other.dump: database 'other': "));
    memory_sink_release(&sink);
    source_end(&source);
}

static void a_lock_that_is_not_given_in_time_is_trouble(void **state) {
    struct source source = source_of(app_and_other, 2);
    struct memory_sink sink;
    struct err err = { 0 };

    (void)state;
    source.postgres.lock_timeout = 1;
    PGconn *holder = test_postgres_connect(&server, "app");
    PQclear(PQexec(holder, "BEGIN"));
    PQclear(PQexec(holder, "LOCK TABLE big IN ACCESS EXCLUSIVE MODE"));
    memory_sink_init(&sink, NULL);
    assert_success(capture(&source, &sink, &err), &err);
    PQfinish(holder);
    assert_int_equal(sink.trouble_count, 1);
    assert_non_null(strstr((const char *)sink.troubles.data, "database 'app': pg_dump failed with status 1"));
    assert_non_null(strstr((const char *)sink.troubles.data, "LOCK TABLE public.big"));
    memory_sink_release(&sink);
    source_end(&source);
}

static void stop_server_half_way(struct memory_sink *sink, void *data) {
    (void)data;
    if (sink->pending.length < 1000000)
        return;
    sink->on_fill = NULL;
    test_postgres_halt(&server);
}

static void a_server_that_stops_half_way_fails_the_source(void **state) {
    struct source source = source_of(app_and_other, 2);
    struct memory_sink sink;
    struct err err = { 0 };

    (void)state;
    source.postgres.globals = true;
    memory_sink_init(&sink, NULL);
    sink.on_fill = stop_server_half_way;
    const int result = capture(&source, &sink, &err);
    test_postgres_resume(&server);
    assert_int_equal(result, -1);
    assert_int_equal(err.code, ERR_SOURCE);
    assert_non_null(strstr(err.message, "none of 2 databases was captured whole: database 'app': pg_dump failed"));
    assert_int_equal(sink.count, 0);
    memory_sink_release(&sink);
    source_end(&source);
}

static void a_store_that_is_full_ends_the_capture_with_its_own_error(void **state) {
    struct source source = source_of(app_and_other, 2);
    struct memory_sink sink;
    struct err err = { 0 };

    (void)state;
    memory_sink_init(&sink, NULL);
    sink.entries_until_full = 1;
    assert_failure(capture(&source, &sink, &err), ERR_SYSTEM, &err);
    assert_int_equal(sink.trouble_count, 0);
    assert_int_equal(test_child_named("pg_dump"), 0);
    memory_sink_release(&sink);
    source_end(&source);
}

static void ask_to_stop(struct memory_sink *sink, void *data) {
    (void)data;
    if (sink->pending.length > 1000000)
        raise(SIGTERM);
}

/* In a process of its own: a request to stop is never taken back. */
static int capture_until_stopped(void) {
    struct source source = source_of(app_and_other, 2);
    struct memory_sink sink;
    struct err err = { 0 };

    memory_sink_init(&sink, NULL);
    sink.on_fill = ask_to_stop;
    if (capture(&source, &sink, &err) == 0 || err.code != ERR_INTERRUPTED)
        return 1;
    return sink.count == 0 && sink.trouble_count == 0 && test_child_named("pg_dump") == 0 ? 0 : 2;
}

static void a_request_to_stop_ends_the_capture_at_once(void **state) {
    int status = 0;

    (void)state;
    const pid_t self = fork();
    assert_true(self >= 0);
    if (self == 0)
        _exit(capture_until_stopped());
    assert_int_equal(waitpid(self, &status, 0), self);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_is_captured_with_the_rows_of_every_table),
        cmocka_unit_test(rows_are_counted_in_the_snapshot_of_the_dump),
        cmocka_unit_test(a_table_that_is_rewritten_meanwhile_is_counted_rightly_or_not_at_all),
        cmocka_unit_test(without_counting_nothing_is_said_of_rows),
        cmocka_unit_test(entries_come_in_tree_order_whatever_databases_are_called),
        cmocka_unit_test(a_path_that_no_database_has_is_no_database),
        cmocka_unit_test(a_password_reaches_pg_dump_but_no_argument),
        cmocka_unit_test(a_server_that_is_not_there_is_found_before_anything_is_stored),
        cmocka_unit_test(a_database_that_is_not_there_is_found_before_anything_is_stored),
        cmocka_unit_test(a_role_that_may_not_read_is_found_before_anything_is_stored),
        cmocka_unit_test(a_pg_dump_that_does_not_fit_is_found_before_anything_is_stored),
        cmocka_unit_test(options_that_could_make_a_dump_a_lie_are_refused),
        cmocka_unit_test(a_pg_dump_that_is_killed_leaves_no_entry_and_the_others_go_on),
        cmocka_unit_test(when_no_database_is_whole_the_source_fails),
        cmocka_unit_test(a_database_that_vanishes_before_its_turn_is_trouble),
        cmocka_unit_test(a_lock_that_is_not_given_in_time_is_trouble),
        cmocka_unit_test(a_server_that_stops_half_way_fails_the_source),
        cmocka_unit_test(a_store_that_is_full_ends_the_capture_with_its_own_error),
        cmocka_unit_test(a_request_to_stop_ends_the_capture_at_once),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
