/* A scratch PostgreSQL cluster for unit tests, by tests/lib/postgres.sh. It ends with this process, however that ends.
 */
#ifndef MUNIMENT_TESTS_POSTGRES_H
#define MUNIMENT_TESTS_POSTGRES_H

#include <libpq-fe.h>
#include <muniment/util/buffer.h>

struct test_postgres {
    char *folder;
    char *socket; /* for host= */
    char *uri;    /* of the superuser; names no database */
    long pid;
};

/* These end the program with a message when they cannot. */
void test_postgres_start(struct test_postgres *server);
void test_postgres_halt(struct test_postgres *server); /* at once, as if the power failed */
void test_postgres_resume(struct test_postgres *server);
void test_postgres_stop(struct test_postgres *server); /* and removes the folder */

/* Runs statements in a database, as the superuser. */
void test_postgres_run(const struct test_postgres *server, const char *database, const char *sql);

/* The first column of the first row; "" when there is none. The text is the caller's. */
char *test_postgres_ask(const struct test_postgres *server, const char *database, const char *sql);

PGconn *test_postgres_connect(const struct test_postgres *server, const char *database);

/* Runs a script of tests/lib with the server's address in its environment. */
void test_postgres_script(const struct test_postgres *server, const char *script, const char *argument);

/* The process below us with this name, or 0. */
long test_child_named(const char *name);

#endif
