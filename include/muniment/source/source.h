/*
 * Sources: one kind of thing to back up each, behind one interface.
 *
 * A source reads and describes; it stores nothing itself. It is given a sink, and for every entry either fills it with
 * content and ends it, or says that nothing has changed. Sources promise:
 *  1. What they could not read whole never looks whole: they call trouble() (the snapshot becomes partial), or fail.
 *  2. They never write plaintext to any file.
 *  3. Children's exit statuses are checked before an entry is ended as whole.
 *  4. Entries come in tree order.
 */
#ifndef MUNIMENT_SOURCE_SOURCE_H
#define MUNIMENT_SOURCE_SOURCE_H

#include <muniment/s3/service.h>
#include <muniment/source/entry.h>
#include <muniment/util/error.h>
#include <muniment/util/log.h>

struct strings {
    char **items;
    size_t count;
};

/* One configured source. All strings are owned by the configuration. */
struct source {
    char *name; /* [A-Za-z0-9_-]+, unique in its set */
    const struct source_kind *kind;

    struct {
        char *uri;                /* libpq connection string or URI; passwords belong into a service or password file */
        struct strings databases; /* patterns; empty means all that allow connections, without templates */
        struct strings exclude;   /* patterns */
        bool globals;             /* roles and tablespaces; default true */
        bool role_passwords;      /* default true; false passes --no-role-passwords (managed servers) */
        bool count_rows;          /* default true */
        char *bin_dir; /* where pg_dump and pg_dumpall are; NULL: PATH, then /usr/lib/postgresql/<server major>/bin */
        int64_t lock_timeout;   /* seconds that pg_dump may wait for table locks; default 600 */
        struct strings options; /* more arguments for pg_dump, from an allowed list */
    } postgres;

    struct {
        struct strings paths;      /* absolute folders or files */
        struct strings exclude;    /* patterns; an excluded folder is not entered */
        struct strings may_change; /* patterns of files that may change while they are read (growing logs) without
                                      making the snapshot partial */
        bool one_file_system;
        bool exclude_caches; /* skip folders with a valid CACHEDIR.TAG */
    } files;

    struct {
        struct strings places;              /* addresses: "s3:SERVICE/BUCKET[/PREFIX]" */
        struct strings include;             /* patterns of keys; empty means all */
        struct strings exclude;             /* patterns of keys */
        bool tags;                          /* default true: keep objects' tags, where the server says there are some */
        const struct s3_services *services; /* borrowed from the settings; may be NULL */
    } bucket;

    struct {
        struct strings arguments; /* argv; one that is a single string with spaces runs under /bin/sh -c */
        char *output;             /* name of the entry; default "output" */
    } command;
};

/* What a capture offers to a source. All functions take `context` first and return 0 or -1 with `err` (the sink's own
 * trouble: store full, interrupted; the source passes it on at once). One thread calls them. */
struct source_sink {
    void *context;

    /* Content of the entry that comes next: ask for space, write into it, say how much was used. At least 64 KiB are
     * offered. */
    int (*space)(void *context, void **data, size_t *length, struct err *err);
    int (*fill)(void *context, size_t length, struct err *err);

    /* Ends the entry with everything since the last end as its content. Borrows `entry`. */
    int (*end)(void *context, const struct entry *entry, struct err *err);

    /* Forgets the content since the last end: for another try, or for a source that failed. */
    int (*discard)(void *context, struct err *err);

    /* The entry of this path in the last snapshot of this source, if its content is still stored; else NULL. Borrowed
     * until the next call. Paths must come in tree order. */
    const struct entry *(*previous)(void *context, const char *path);

    /* Ends an entry whose content is that of the entry last returned by previous(). */
    int (*keep)(void *context, const struct entry *entry, struct err *err);

    /* For sources that read ahead: takes what previous() returned last aside; keep_held() ends it later, in its turn,
     * as it was, or drop_held() forgets it. */
    void *(*hold)(void *context);
    int (*keep_held)(void *context, void *held, struct err *err);
    void (*drop_held)(void *context, void *held);

    /* Something of this source could not be read: makes it partial. `path` may be NULL. */
    void (*trouble)(void *context, const char *path, const struct err *why);

    /* For the head: versions and the like; and the units (databases) that were captured whole. */
    void (*fact)(void *context, const char *name, const char *value);
    void (*unit)(void *context, const char *name, uint64_t bytes, bool rows_known, uint64_t rows);
};

struct source_kind {
    const char *name; /* as in the configuration */
    int order;        /* kinds with a lower one are captured first: databases before the objects they refer to */
    bool fine_chunks; /* CHUNKER_DATABASE for all of it; else only for what begins like a database or a dump */
    /* Tells, before anything is stored, what would make the capture fail. */
    int (*preflight)(const struct source *source, struct log *log, struct err *err);
    /* 0 when it went to its end (perhaps with trouble()); -1 when the source as a whole failed. */
    int (*capture)(const struct source *source, struct source_sink *sink, struct log *log, struct err *err);
};

extern const struct source_kind SOURCE_POSTGRES;
extern const struct source_kind SOURCE_FILES;
extern const struct source_kind SOURCE_COMMAND;
extern const struct source_kind SOURCE_BUCKET; /* "s3" */

/* By name, or NULL. */
const struct source_kind *source_kind_find(const char *name);

/* Copies everything a descriptor yields into the sink, until its end. Used by sources that read children. Sets *bytes
 * (may be NULL). A read error is ERR_SOURCE, the sink's error its own. */
int source_copy(struct source_sink *sink, int fd, uint64_t *bytes, struct err *err) MUST_CHECK;

/* Content of the entry that comes next, from memory. */
int source_write(struct source_sink *sink, const void *data, size_t length, struct err *err) MUST_CHECK;

/* The entry of a dump or an output that was begun then. Borrows the path. */
struct entry source_stream(char *path, int64_t begun, uint64_t size);

/* One entry from memory. */
int source_put(struct source_sink *sink, const struct entry *entry, const void *data, size_t length,
               struct err *err) MUST_CHECK;

#endif
