#include "postgres.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "script.h"
#include <dirent.h>
#include <limits.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void give_up(const char *what, const char *why) {
    fprintf(stderr, "tests/lib/postgres: %s: %s\n", what, why);
    exit(1);
}

static void run_server(struct test_postgres *server, const char *verb, const char *how) {
    char owner[64];

    snprintf(owner, sizeof owner, "POSTGRES_OWNER=%ld", (long)getpid());
    script_run("lib/postgres.sh", (const char *const[]){ verb, server->folder, how, NULL },
               (const char *const[]){ owner, NULL }, NULL);
    if (strcmp(verb, "stop") == 0)
        return;

    char *path = mem_format("%s/data/postmaster.pid", server->folder);
    FILE *file = fopen(path, "re");
    if (file == NULL || fscanf(file, "%ld", &server->pid) != 1)
        give_up(path, "no process id");
    fclose(file);
    free(path);
}

void test_postgres_start(struct test_postgres *server) {
    server->folder = scratch_make();
    char *folder = mem_format("%s/server", server->folder);
    free(server->folder);
    server->folder = folder;
    server->socket = mem_format("%s/socket", folder);
    server->uri = mem_format("host=%s port=5432 user=postgres", server->socket);
    run_server(server, "start", NULL);
}

void test_postgres_halt(struct test_postgres *server) {
    run_server(server, "stop", "immediate");
}

void test_postgres_resume(struct test_postgres *server) {
    run_server(server, "restart", NULL);
}

void test_postgres_stop(struct test_postgres *server) {
    run_server(server, "stop", "immediate");
    *strrchr(server->folder, '/') = '\0';
    scratch_remove(server->folder);
    free(server->socket);
    free(server->uri);
    *server = (struct test_postgres){ 0 };
}

PGconn *test_postgres_connect(const struct test_postgres *server, const char *database) {
    char *address = mem_format("%s dbname='%s'", server->uri, database);
    PGconn *conn = PQconnectdb(address);

    if (PQstatus(conn) != CONNECTION_OK)
        give_up("connect", PQerrorMessage(conn));
    PQclear(PQexec(conn, "SET client_min_messages = warning"));
    free(address);
    return conn;
}

char *test_postgres_ask(const struct test_postgres *server, const char *database, const char *sql) {
    PGconn *conn = test_postgres_connect(server, database);
    PGresult *result = PQexec(conn, sql);

    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        give_up(sql, PQerrorMessage(conn));
    char *answer = mem_string(PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(conn);
    return answer;
}

void test_postgres_run(const struct test_postgres *server, const char *database, const char *sql) {
    free(test_postgres_ask(server, database, sql));
}

void test_postgres_script(const struct test_postgres *server, const char *script, const char *argument) {
    char *host = mem_format("PGHOST=%s", server->socket);

    char *path = mem_format("lib/%s", script);

    script_run(path, (const char *const[]){ argument, NULL },
               (const char *const[]){ host, "PGPORT=5432", "PGUSER=postgres", "PGDATABASE", NULL }, NULL);
    free(path);
    free(host);
}

long test_child_named(const char *name) {
    DIR *folder = opendir("/proc");
    long found = 0;

    for (struct dirent *item; folder != NULL && found == 0 && (item = readdir(folder)) != NULL;) {
        char path[PATH_MAX], title[64] = { 0 };
        long pid = 0, parent = 0;
        snprintf(path, sizeof path, "/proc/%.32s/stat", item->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL)
            continue;
        if (fscanf(file, "%ld (%63[^)]) %*c %ld", &pid, title, &parent) == 3 && parent == getpid() &&
            strcmp(title, name) == 0)
            found = pid;
        fclose(file);
    }
    if (folder != NULL)
        closedir(folder);
    return found;
}
