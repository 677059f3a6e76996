/*
 * What the configuration says, as plain data. Parsed by cmd/config, checked whole before anything starts.
 */
#ifndef MUNIMENT_RUN_SETTINGS_H
#define MUNIMENT_RUN_SETTINGS_H

#include <muniment/retention/plan.h>
#include <muniment/source/source.h>

enum { JOURNAL_KEEP = 366 * 86400 /* seconds: a year, by default */ };

struct mirror_settings {
    char *name;
    char *path;                                                   /* of its store, or its address */
    enum s3_lock_mode lock;                                       /* of what is put there */
    enum { MIRROR_DAILY, MIRROR_WEEKLY, MIRROR_MANUAL } schedule; /* of copies; deletions reach it with every run */
    unsigned verify_percent;                                      /* with every run; default 5 */
};

struct set_settings {
    char *name;
    char *write_key; /* path */
    char *read_key;  /* path, or NULL; only on hosts that restore */
    struct policy policy;
    struct source *sources;
    size_t source_count;
    struct mirror_settings *mirrors; /* of this set, in the order of the file */
    size_t mirror_count;
    int compression; /* zstd level 1..19; 0: default */
    int64_t session_length;
    unsigned check_percent;  /* of the packs that `run` reads back; default 0 */
    int64_t journal_keep;    /* seconds that the journal is retained; default 366 days */
    int64_t erasure_promise; /* what is deleted must be in no backup after this many seconds; 0: nothing was promised */
    struct strings after_restore; /* a command that is given what must be deleted again; see repo/erasure.h */
};

struct settings {
    char *file;
    char *repository; /* path of the store, or its address */
    enum s3_lock_mode repository_lock;
    struct s3_services services;
    int64_t as_of; /* not 0: the repository as it was then, to read only; asked for by an option, never by the file */
    char *state;   /* folder of this host's memory; default /var/lib/muniment */
    struct set_settings *sets;
    size_t set_count;
};

void settings_release(struct settings *settings);
struct set_settings *settings_find_set(const struct settings *settings, const char *name); /* or NULL */

#endif
