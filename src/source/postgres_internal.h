/*
 * What the files of the PostgreSQL source and loader share.
 *
 * postgres.c           the source: preflight and capture, as checklists
 * postgres_connect.c   addresses, connections, queries
 * postgres_tools.c     finding pg_dump and its kin
 * postgres_databases.c which databases a source means, and whether it may read them
 * postgres_entry.c     what its entries are called
 * postgres_dump.c      one database into the sink
 * postgres_globals.c   roles and tablespaces, both ways
 * postgres_describe.c  a database's .json entry: properties, tables, rows
 * postgres_json.c      the little JSON that takes
 * postgres_load.c      one database back into a server
 * postgres_properties.c what a database is made with and set to
 */
#ifndef MUNIMENT_SOURCE_POSTGRES_INTERNAL_H
#define MUNIMENT_SOURCE_POSTGRES_INTERNAL_H

#include <libpq-fe.h>
#include <muniment/source/source.h>
#include <muniment/util/buffer.h>
#include <muniment/util/error.h>
#include <muniment/util/log.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Addresses and connections
 */

/* A parsed connection string. Children get it as an argument without its password, which travels in their
 * environment. */
struct postgres_address {
    PQconninfoOption *options;
    char *password;             /* "PGPASSWORD=...", or NULL */
    const char *environment[4]; /* for process_options */
};

int postgres_address_parse(const char *uri, struct postgres_address *address, struct err *err) MUST_CHECK;
void postgres_address_release(struct postgres_address *address);
const char *postgres_address_value(const struct postgres_address *address, const char *keyword); /* or NULL */

/* The connection string for a child's argument: no secrets. Owned by the caller. */
char *postgres_address_for_child(const struct postgres_address *address, const char *database);

/* Connects to `database`; NULL: to the one the address names, and when there is none of that name to `postgres`.
 * The session talks UTF-8, has no timeouts of its own and refuses rows that row-level security would hide. A connection
 * over the network that nothing protects is refused unless the address says sslmode=disable. */
int postgres_connect(const struct postgres_address *address, const char *database, PGconn **conn,
                     struct err *err) MUST_CHECK;

/* For creating and dropping `database`: a connection to any other one of the server. */
int postgres_connect_beside(const struct postgres_address *address, const char *database, PGconn **conn,
                            struct err *err) MUST_CHECK;

/* Runs one statement with its parameters, the list ended by NULL. NULL with `err` (ERR_SOURCE) when it failed; else the
 * caller clears the result. */
PGresult *postgres_query(PGconn *conn, struct err *err, const char *sql, ...) __attribute__((sentinel));

/* As above, for a statement whose rows nobody wants. */
int postgres_execute(PGconn *conn, struct err *err, const char *sql) MUST_CHECK;

/* libpq's messages on one line, with the server's hint but without its detail. The text lives in `text`. */
const char *postgres_message(const char *message, char *text, size_t size);

char *postgres_identifier(PGconn *conn, const char *name); /* quoted; owned */
char *postgres_literal(PGconn *conn, const char *text);    /* quoted; owned */

int postgres_major(int version); /* of PQserverVersion() */

/*
 * Tools
 */

struct postgres_tool {
    char *path;
    int major;
    char version[64]; /* "15.8 (Debian 15.8-0+deb12u1)" */
};

/* In bin_dir alone if there is one. Else where packages put the server's own version, then in PATH. Owned. */
char *postgres_tool_path(const char *name, const char *bin_dir, int server_major);

/* The same, asked for its version. One older than the server is ERR_SOURCE: it would refuse, or worse. */
int postgres_tool_find(const char *name, const char *bin_dir, int server_major, struct postgres_tool *tool,
                       struct err *err) MUST_CHECK;
void postgres_tool_release(struct postgres_tool *tool);

/*
 * Databases
 */

struct postgres_database {
    char *name;
    char *path; /* of its entries, without ".dump" and ".json" */
    bool connectable;
    bool permitted;
};

struct postgres_databases {
    struct postgres_database *items; /* in the order of their entries */
    size_t count;
    struct strings missing; /* names the source asks for that do not exist */
};

/* "databases/<name>". Bytes that would disturb paths, and '.', so that no database's entries fall between another's,
 * become %XX: control characters, '/', '%', '.', DEL. Owned. */
char *postgres_entry_path(const char *database);

int postgres_list_databases(PGconn *conn, const struct source *source, struct log *log,
                            struct postgres_databases *databases, struct err *err) MUST_CHECK;
void postgres_databases_release(struct postgres_databases *databases);

/* Tells what of the connected database the role could not read. */
int postgres_check_readable(PGconn *conn, const char *database, struct err *err) MUST_CHECK;

/* Options for pg_dump that a configuration may name. */
int postgres_check_options(const struct source *source, struct err *err) MUST_CHECK;
bool postgres_options_leave_out(const struct source *source); /* some of them leave rows out */

/*
 * Description
 */

struct postgres_table {
    char *schema, *name;
    bool counted; /* it could be locked, so that nobody rewrote it between the dump and the count */
    uint64_t rows;
};

struct postgres_setting {
    char *role;    /* NULL: of the whole database */
    char *setting; /* "name=value" */
};

struct postgres_grant {
    char *role; /* NULL: PUBLIC */
    char *privilege;
    bool grantable;
};

struct postgres_description {
    char *database, *server_version, *encoding, *collate, *ctype, *owner;
    char *locale_provider;    /* "libc", "icu", "builtin", or NULL before PostgreSQL 15 */
    char *locale, *icu_rules; /* of the provider, or NULL */
    char *comment;            /* or NULL */
    int64_t connection_limit;
    bool acl_known; /* privileges on the database differ from the default: they are `grants` */
    struct postgres_grant *grants;
    size_t grant_count;
    struct postgres_setting *settings;
    size_t setting_count;
    struct strings extensions; /* "name version" */

    bool rows_known;    /* tables and large_objects were counted */
    bool rows_left_out; /* the dump may hold fewer rows than the tables did: excluded on request */
    uint64_t large_objects;
    struct postgres_table *tables; /* sorted by schema, name */
    size_t table_count;
};

/* Everything but the counts, from the connected database; tables that a dump holds no rows of are left out. */
int postgres_describe(PGconn *conn, bool with_unlogged, struct postgres_description *about, struct err *err) MUST_CHECK;
int postgres_count_rows(PGconn *conn, struct postgres_description *about, struct err *err) MUST_CHECK;
int postgres_count_table(PGconn *conn, const struct postgres_table *table, uint64_t *rows, struct err *err) MUST_CHECK;
int postgres_count_large_objects(PGconn *conn, uint64_t *count, struct err *err) MUST_CHECK;
void postgres_description_encode(const struct postgres_description *about, struct buffer *out);
int postgres_description_decode(const void *data, size_t length, struct postgres_description *about,
                                struct err *err) MUST_CHECK;
void postgres_description_release(struct postgres_description *about);

/* What follows CREATE DATABASE and the name, for the connected server. */
void postgres_put_creation(PGconn *conn, const struct postgres_description *about, struct buffer *sql);

/* Owner, limit, comment, grants, settings. What cannot be set is a warning. */
void postgres_apply_properties(PGconn *conn, const char *database, const struct postgres_description *about,
                               struct log *log);

/*
 * JSON
 */

enum json_kind { JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_TEXT, JSON_LIST, JSON_OBJECT };

struct json {
    enum json_kind kind;
    char *key;      /* of a member of an object */
    char *text;     /* JSON_TEXT */
    int64_t number; /* JSON_NUMBER, JSON_BOOLEAN; fractions are refused */
    struct json *items;
    size_t count;
};

void json_put_text(struct buffer *out, const char *text); /* quoted and escaped; NULL is null */
int json_parse(const void *data, size_t length, struct json *value, struct err *err) MUST_CHECK; /* ERR_CORRUPT */
const struct json *json_member(const struct json *object, const char *key); /* a null value when absent */
void json_release(struct json *value);

/*
 * Dumping
 */

enum postgres_outcome {
    POSTGRES_WHOLE,
    POSTGRES_TROUBLE, /* not captured, and the sink was told */
    POSTGRES_STOP,    /* the sink failed, or we were asked to stop: err says why */
};

struct postgres_dump {
    const struct source *source;
    const struct postgres_address *address;
    const struct postgres_tool *tool;
    struct source_sink *sink;
    struct log *log;
    int server_major;
    bool in_recovery; /* the server is a standby */
};

/* Fills and ends `<path>.dump` and `<path>.json`. On trouble `err` also holds its reason. */
enum postgres_outcome postgres_dump_database(const struct postgres_dump *dump, const struct postgres_database *database,
                                             struct err *err) MUST_CHECK;
enum postgres_outcome postgres_dump_globals(const struct postgres_dump *dump, const char *database,
                                            struct err *err) MUST_CHECK;

/* Tells the sink of trouble with a path and forgets what came of it. */
enum postgres_outcome postgres_report_trouble(const struct postgres_dump *dump, const char *path,
                                              struct err *err) MUST_CHECK;

#endif
