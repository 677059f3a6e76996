/*
 * What `muniment run` does, for every set: capture, rotate, purge, mirror, check. Each step is its own function, so
 * that commands can do one alone.
 */
#ifndef MUNIMENT_RUN_NIGHTLY_H
#define MUNIMENT_RUN_NIGHTLY_H

#include <muniment/mirror/mirror.h>
#include <muniment/repo/check.h>
#include <muniment/repo/head.h>
#include <muniment/repo/purge.h>
#include <muniment/run/settings.h>

/* A set, opened: its keys, its store, its repository. */
struct opened_set {
    const struct set_settings *settings;
    const struct s3_services *services; /* borrowed: for the addresses of its mirrors; may be NULL */
    char *state;                        /* folder of this host's memory for it, or NULL */
    char *cache;                        /* in it, where the repository is a bucket: see muniment/repo/object_cache.h */
    struct keys *keys;                  /* in locked memory: sodium_malloc() */
    struct store *store;
    enum s3_lock_mode lock; /* of what is put into it */
    struct repo repo;
};

/* Loads the write key (and the read key when `read` and one is configured) and opens the repository. */
int opened_set_open(struct opened_set *set, const struct settings *settings, const struct set_settings *which,
                    bool read, struct log *log, struct err *err) MUST_CHECK;
void opened_set_close(struct opened_set *set); /* also one whose opening failed, or a zeroed one */

/* Without configuration or state: the set that a key file opens in the store at `path`; with `key` NULL, the first set
 * there of which `passphrase` opens a wrapped copy. `settings` and `state` stay NULL. */
int opened_set_open_alone(struct opened_set *set, const struct store_address *address, const char *key,
                          const char *passphrase, struct log *log, struct err *err) MUST_CHECK;

/* The plan for a set now: heads (owned by the caller) and one verdict each (freed with free()). */
int rotate_plan(struct opened_set *set, int64_t now, struct heads *heads, struct plan_verdict **verdicts,
                struct plan_summary *summary, struct err *err) MUST_CHECK;

/* Plans, expires, purges. */
int rotate_apply(struct opened_set *set, int64_t now, int64_t wait, struct plan_summary *summary,
                 struct purge_result *result, struct err *err) MUST_CHECK;

/* Opens the store of the mirror of that name, to read what is there. The caller closes it. */
int mirror_open(struct opened_set *set, const char *name, struct store **store, struct err *err) MUST_CHECK;

/* With the public key of a file alone: to verify signatures, and nothing else. */
int opened_set_open_public(struct opened_set *set, const struct store_address *address, const char *public_key,
                           struct log *log, struct err *err) MUST_CHECK;

/* Journals a use of the read key, whatever came of it. Only where this host can sign; what fails is a warning, because
 * nothing may stand in the way of a restore. */
struct key_use {
    const char *command;
    const char *snapshot; /* name of a head, or NULL */
    const char *target;   /* kind of what it was restored to, or NULL; never a place, which may name somebody */
    int status;           /* that the program exits with */
};
void key_use_journal(struct opened_set *set, const struct key_use *use);

/* Journals the policy of the set unless it is the one that was journalled last. Before the first decision under it. */
int policy_journal(struct opened_set *set, int64_t now, struct err *err) MUST_CHECK;

/* Copies what was journalled since to one mirror that is there. */
int mirror_set_journal(struct opened_set *set, const struct mirror_settings *mirror, int64_t now,
                       struct err *err) MUST_CHECK;

/* One mirror of a set. `force` copies although its schedule says not yet. */
int mirror_set(struct opened_set *set, const struct mirror_settings *mirror, int64_t now, bool force,
               unsigned verify_percent, struct mirror_result *result, struct err *err) MUST_CHECK;

#endif
