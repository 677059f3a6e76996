/*
 * Properties of a database itself: what it is made with, and what is set on it afterwards.
 *
 * They are in a dump too, but pg_restore sets them only when it makes the database under its old name.
 */

#include "postgres_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

struct target {
    PGconn *conn;
    const char *database; /* quoted */
    const struct postgres_description *about;
    struct log *log;
};

static void put_clause(PGconn *conn, struct buffer *sql, const char *clause, const char *value) {
    if (value == NULL)
        return;
    char *quoted = postgres_literal(conn, value);
    buffer_printf(sql, " %s %s", clause, quoted);
    free(quoted);
}

void postgres_put_creation(PGconn *conn, const struct postgres_description *about, struct buffer *sql) {
    static const int providers_since = 150000;

    buffer_printf(sql, " TEMPLATE template0");
    put_clause(conn, sql, "ENCODING", about->encoding);
    put_clause(conn, sql, "LC_COLLATE", about->collate);
    put_clause(conn, sql, "LC_CTYPE", about->ctype);

    /* An older server has no word for them, and only its libc's locales. */
    if (about->locale_provider == NULL || PQserverVersion(conn) < providers_since)
        return;
    if (strcmp(about->locale_provider, "icu") == 0) {
        buffer_printf(sql, " LOCALE_PROVIDER icu");
        put_clause(conn, sql, "ICU_LOCALE", about->locale);
        put_clause(conn, sql, "ICU_RULES", about->icu_rules);
    } else if (strcmp(about->locale_provider, "builtin") == 0) {
        buffer_printf(sql, " LOCALE_PROVIDER builtin");
        put_clause(conn, sql, "BUILTIN_LOCALE", about->locale);
    } else {
        buffer_printf(sql, " LOCALE_PROVIDER libc");
    }
}

/* The server keeps these as lists of quoted names; as one text they would be one name. */
static bool is_list_setting(const char *name, size_t length) {
    static const char *const lists[] = { "search_path", "temp_tablespaces", "local_preload_libraries",
                                         "session_preload_libraries" };

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (strlen(lists[i]) == length && strncmp(lists[i], name, length) == 0)
            return true;
    return false;
}

/* `"$user", public` as `'$user', 'public'`. */
static void put_list(PGconn *conn, struct buffer *sql, const char *value) {
    const char *at = value;
    bool first = true;

    for (;;) {
        struct buffer item = { 0 };
        at += strspn(at, " ,");
        if (*at == '\0')
            break;
        if (*at == '"') {
            for (at++; *at != '\0' && (*at != '"' || *++at == '"'); at++)
                buffer_put(&item, at, 1);
        } else {
            const size_t length = strcspn(at, " ,");
            buffer_put(&item, at, length);
            at += length;
        }
        char *quoted = postgres_literal(conn, buffer_text(&item));
        buffer_printf(sql, "%s%s", first ? "" : ", ", quoted);
        first = false;
        free(quoted);
        buffer_release(&item);
    }
    if (first)
        buffer_printf(sql, "''");
}

/* A property that cannot be set is told of, and does not make the data worth less. */
static void apply(const struct target *target, const char *sql) {
    struct err err = { 0 };

    if (postgres_execute(target->conn, &err, sql) != 0)
        log_warning(target->log, "database '%s': %s: %s", target->about->database, sql, err.message);
}

static void apply_setting(const struct target *target, const struct postgres_setting *setting) {
    const size_t length = strcspn(setting->setting, "=");
    struct buffer sql = { 0 };

    if (setting->setting[length] == '\0')
        return;
    if (setting->role != NULL) {
        char *role = postgres_identifier(target->conn, setting->role);
        buffer_printf(&sql, "ALTER ROLE %s IN DATABASE %s SET ", role, target->database);
        free(role);
    } else {
        buffer_printf(&sql, "ALTER DATABASE %s SET ", target->database);
    }

    /* "module.name" is two names. */
    const size_t module = strcspn(setting->setting, ".=");
    char *parts[] = { mem_format("%.*s", (int)module, setting->setting),
                      module < length ? mem_format("%.*s", (int)(length - module - 1), setting->setting + module + 1)
                                      : NULL };
    for (size_t i = 0; i < 2 && parts[i] != NULL; i++) {
        char *quoted = postgres_identifier(target->conn, parts[i]);
        buffer_printf(&sql, "%s%s", i > 0 ? "." : "", quoted);
        free(quoted);
    }
    buffer_printf(&sql, " TO ");
    const char *value = setting->setting + length + 1;
    if (is_list_setting(setting->setting, length)) {
        put_list(target->conn, &sql, value);
    } else {
        char *quoted = postgres_literal(target->conn, value);
        buffer_printf(&sql, "%s", quoted);
        free(quoted);
    }
    apply(target, buffer_text(&sql));
    free(parts[0]);
    free(parts[1]);
    buffer_release(&sql);
}

static void apply_grants(const struct target *target) {
    const struct postgres_description *about = target->about;
    char *sql = mem_format("REVOKE ALL ON DATABASE %s FROM PUBLIC", target->database);

    apply(target, sql);
    free(sql);
    for (size_t i = 0; i < about->grant_count; i++) {
        const struct postgres_grant *grant = &about->grants[i];
        if (strspn(grant->privilege, "ABCDEFGHIJKLMNOPQRSTUVWXYZ ") != strlen(grant->privilege))
            continue;
        char *role = grant->role != NULL ? postgres_identifier(target->conn, grant->role) : mem_string("PUBLIC");
        sql = mem_format("GRANT %s ON DATABASE %s TO %s%s", grant->privilege, target->database, role,
                         grant->grantable ? " WITH GRANT OPTION" : "");
        apply(target, sql);
        free(sql);
        free(role);
    }
}

void postgres_apply_properties(PGconn *conn, const char *database, const struct postgres_description *about,
                               struct log *log) {
    char *quoted = postgres_identifier(conn, database), *owner = postgres_identifier(conn, about->owner);
    const struct target target = { .conn = conn, .database = quoted, .about = about, .log = log };
    char *sql = mem_format("ALTER DATABASE %s OWNER TO %s", quoted, owner);

    apply(&target, sql);
    free(sql);
    if (about->connection_limit >= 0) {
        sql = mem_format("ALTER DATABASE %s CONNECTION LIMIT %lld", quoted, (long long)about->connection_limit);
        apply(&target, sql);
        free(sql);
    }
    if (about->comment != NULL) {
        char *comment = postgres_literal(conn, about->comment);
        sql = mem_format("COMMENT ON DATABASE %s IS %s", quoted, comment);
        apply(&target, sql);
        free(sql);
        free(comment);
    }
    if (about->acl_known)
        apply_grants(&target);
    for (size_t i = 0; i < about->setting_count; i++)
        apply_setting(&target, &about->settings[i]);
    free(owner);
    free(quoted);
}
