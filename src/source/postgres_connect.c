/* Addresses of PostgreSQL servers, connections to them, and queries. */

#include "postgres_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool is_set(const PQconninfoOption *option) {
    return option->val != NULL && option->val[0] != '\0';
}

const char *postgres_address_value(const struct postgres_address *address, const char *keyword) {
    for (const PQconninfoOption *option = address->options; option->keyword != NULL; option++)
        if (strcmp(option->keyword, keyword) == 0 && is_set(option))
            return option->val;
    return NULL;
}

int postgres_address_parse(const char *uri, struct postgres_address *address, struct err *err) {
    char text[256], *message = NULL;
    size_t used = 0;

    /* libpq's message quotes what it stumbled over, which may be a piece of a password. */
    address->options = PQconninfoParse(uri != NULL ? uri : "", &message);
    if (address->options == NULL) {
        const bool secret = strstr(uri, "password") != NULL || strchr(uri, '@') != NULL;
        err_set(err, ERR_INVALID, "the connection string cannot be read%s%s", secret ? "" : ": ",
                secret ? "" : postgres_message(message, text, sizeof text));
        PQfreemem(message);
        return err_hint(err, "write 'service=NAME', 'host=... user=... dbname=...' or 'postgresql://user@host/name'");
    }

    /* It has no variable in the environment, and arguments are for everyone to read. */
    if (postgres_address_value(address, "sslpassword") != NULL) {
        err_set(err, ERR_INVALID, "the connection string holds an sslpassword");
        err_hint(err, "put it into the service file (~/.pg_service.conf) and write 'service=NAME'");
        postgres_address_release(address);
        return -1;
    }

    const char *password = postgres_address_value(address, "password");
    if (password != NULL) {
        address->password = mem_format("PGPASSWORD=%s", password);
        address->environment[used++] = address->password;
    }
    address->environment[used++] = "PGCLIENTENCODING"; /* a dump is in its database's encoding */
    address->environment[used] = NULL;
    return 0;
}

void postgres_address_release(struct postgres_address *address) {
    for (PQconninfoOption *option = address->options; option != NULL && option->keyword != NULL; option++)
        if (option->val != NULL && strcmp(option->keyword, "password") == 0)
            sodium_memzero(option->val, strlen(option->val));
    if (address->password != NULL)
        sodium_memzero(address->password, strlen(address->password));
    PQconninfoFree(address->options);
    free(address->password);
    *address = (struct postgres_address){ 0 };
}

static void put_parameter(struct buffer *out, const char *keyword, const char *value) {
    buffer_printf(out, "%s%s='", out->length > 0 ? " " : "", keyword);
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '\'' || *at == '\\')
            buffer_put(out, "\\", 1);
        buffer_put(out, at, 1);
    }
    buffer_put(out, "'", 1);
}

char *postgres_address_for_child(const struct postgres_address *address, const char *database) {
    struct buffer out = { 0 };

    for (const PQconninfoOption *option = address->options; option->keyword != NULL; option++)
        if (is_set(option) && strcmp(option->keyword, "password") != 0 && strcmp(option->keyword, "dbname") != 0)
            put_parameter(&out, option->keyword, option->val);
    put_parameter(&out, "dbname", database);
    char *text = mem_string(buffer_text(&out));
    buffer_release(&out);
    return text;
}

const char *postgres_message(const char *message, char *text, size_t size) {
    size_t used = 0;

    for (const char *at = message != NULL ? message : ""; *at != '\0' && used + 1 < size; at++) {
        const bool space = *at == '\n' || *at == '\t' || *at == ' ';
        if (!space && (unsigned char)*at >= 0x20)
            text[used++] = *at;
        else if (space && used > 0 && text[used - 1] != ' ')
            text[used++] = ' ';
    }
    while (used > 0 && text[used - 1] == ' ')
        used--;
    text[used] = '\0';
    return text;
}

/* One attempt; *conn is a connection that works, or NULL. */
static int try_connect(const struct postgres_address *address, const char *database, PGconn **conn, struct err *err) {
    enum { MORE = 4 };
    size_t count = 0, used = 0;
    char text[512];

    while (address->options[count].keyword != NULL)
        count++;
    const char **keywords = mem_array(count + MORE, sizeof *keywords);
    const char **values = mem_array(count + MORE, sizeof *values);
    for (const PQconninfoOption *option = address->options; option->keyword != NULL; option++) {
        if (!is_set(option) || (database != NULL && strcmp(option->keyword, "dbname") == 0))
            continue;
        keywords[used] = option->keyword;
        values[used++] = option->val;
    }
    if (database != NULL) {
        keywords[used] = "dbname";
        values[used++] = database;
    }
    if (postgres_address_value(address, "connect_timeout") == NULL && getenv("PGCONNECT_TIMEOUT") == NULL) {
        keywords[used] = "connect_timeout";
        values[used++] = "30";
    }
    keywords[used] = "fallback_application_name";
    values[used++] = "muniment";

    *conn = PQconnectdbParams(keywords, values, 0);
    free(keywords);
    free(values);
    if (PQstatus(*conn) == CONNECTION_OK)
        return 0;
    err_set(err, ERR_SOURCE, "connect to PostgreSQL: %s", postgres_message(PQerrorMessage(*conn), text, sizeof text));
    PQfinish(*conn);
    *conn = NULL;
    return -1;
}

static bool is_remote(PGconn *conn) {
    const char *host = PQhost(conn);
    return host != NULL && host[0] != '\0' && host[0] != '/' && host[0] != '@' && strcmp(host, "localhost") != 0 &&
           strncmp(host, "127.", 4) != 0 && strcmp(host, "::1") != 0;
}

/* libpq's default, sslmode=prefer, falls back to plain text without a word. */
static int check_protected(PGconn *conn, struct err *err) {
    bool chosen = false;

    if (!is_remote(conn) || PQsslInUse(conn))
        return 0;
    PQconninfoOption *options = PQconninfo(conn);
    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++)
        if (strcmp(option->keyword, "sslmode") == 0)
            chosen = option->val != NULL && strcmp(option->val, "disable") == 0;
    PQconninfoFree(options);
    if (chosen)
        return 0;
    err_set(err, ERR_SOURCE, "the connection to PostgreSQL at '%s' is not encrypted", PQhost(conn));
    return err_hint(err, "turn on TLS in the server, or allow this with sslmode=disable in the connection string");
}

static int prepare_session(PGconn *conn, struct err *err) {
    /* A dump holds its snapshot for as long as it takes, whatever the server's limits for others are. Some of these
     * settings exist only in newer servers. */
    return postgres_execute(
        conn, err,
        "SELECT pg_catalog.set_config(s.name, v.value, false) FROM pg_catalog.pg_settings s JOIN (VALUES "
        "('statement_timeout', '0'), "
        "('lock_timeout', '0'), ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'), "
        "('transaction_timeout', '0'), ('client_encoding', 'UTF8'), ('search_path', 'pg_catalog'), "
        "('row_security', 'off'), ('max_parallel_workers_per_gather', '0'), ('client_min_messages', 'warning')) "
        "AS v(name, value) ON s.name = v.name");
}

static void ignore_notice(void *context, const PGresult *result) {
    (void)context;
    (void)result;
}

static int finish_connecting(PGconn **conn, struct err *err) {
    PQsetNoticeReceiver(*conn, ignore_notice, NULL);
    if (check_protected(*conn, err) == 0 && prepare_session(*conn, err) == 0)
        return 0;
    PQfinish(*conn);
    *conn = NULL;
    return -1;
}

int postgres_connect(const struct postgres_address *address, const char *database, PGconn **conn, struct err *err) {
    struct err second = { 0 };

    if (interrupt_check(err) != 0)
        return -1;
    if (try_connect(address, database, conn, err) != 0) {
        /* Without a name libpq takes the role's, which few servers have a database for. After a disaster the named one
         * may be gone, and the server is there. */
        if (database != NULL || try_connect(address, "postgres", conn, &second) != 0)
            return -1;
        err_clear(err);
    }
    return finish_connecting(conn, err);
}

int postgres_connect_beside(const struct postgres_address *address, const char *database, PGconn **conn,
                            struct err *err) {
    static const char *const others[] = { "postgres", "template1" };

    if (postgres_connect(address, NULL, conn, err) != 0)
        return -1;
    if (strcmp(PQdb(*conn), database) != 0)
        return 0;
    PQfinish(*conn);
    *conn = NULL;
    for (size_t i = 0; i < sizeof others / sizeof others[0] && *conn == NULL; i++) {
        err_clear(err);
        if (strcmp(others[i], database) != 0 && postgres_connect(address, others[i], conn, err) != 0)
            *conn = NULL;
    }
    return *conn != NULL ? 0 : -1;
}

static PGresult *check_result(PGconn *conn, PGresult *result, struct err *err) {
    char text[640];
    const ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    const char *primary = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    err_set(err, ERR_SOURCE, "PostgreSQL: %s",
            postgres_message(primary != NULL ? primary : PQerrorMessage(conn), text, sizeof text));
    PQclear(result);
    return NULL;
}

PGresult *postgres_query(PGconn *conn, struct err *err, const char *sql, ...) {
    enum { VALUES = 4 };
    const char *values[VALUES];
    int count = 0;
    va_list list;

    va_start(list, sql);
    for (const char *value = va_arg(list, const char *); value != NULL && count < VALUES;
         value = va_arg(list, const char *))
        values[count++] = value;
    va_end(list);
    return check_result(conn, PQexecParams(conn, sql, count, NULL, values, NULL, NULL, 0), err);
}

int postgres_execute(PGconn *conn, struct err *err, const char *sql) {
    PGresult *result = check_result(conn, PQexec(conn, sql), err);

    PQclear(result);
    return result != NULL ? 0 : -1;
}

char *postgres_identifier(PGconn *conn, const char *name) {
    char *quoted = PQescapeIdentifier(conn, name, strlen(name));
    char *copy = mem_string(quoted != NULL ? quoted : "\"\""); /* only of bytes that are not in the encoding */
    PQfreemem(quoted);
    return copy;
}

char *postgres_literal(PGconn *conn, const char *text) {
    char *quoted = PQescapeLiteral(conn, text, strlen(text));
    char *copy = mem_string(quoted != NULL ? quoted : "NULL");
    PQfreemem(quoted);
    return copy;
}

int postgres_major(int version) {
    return version / 10000;
}
