/*
 * A repository: one store, seen by one set's keys.
 *
 *     muniment                          what this is, its format version and id; the only object outside the sets
 *     <set>/keys/<id>                   wrapped read keys
 *     <set>/packs/<aa>/<sha256>         data and metadata packs
 *     <set>/index/<sha256>              which slots the packs hold
 *     <set>/snapshots/<time>-<sha256>   signed snapshot heads
 *     <set>/sessions/<host>-<nonce>     runs in progress
 *     <set>/claims/<host>-<nonce>       purges in progress, in buckets
 *     <set>/purges/<epoch>-<sha256>     what a purge has condemned, and when dead slots must be gone
 *     <set>/journal/<host>-<n>-<sha256> signed decisions
 *     <set>/holds/<id>                  holds in force
 *     <set>/erasures/<time>-<sha256>    what was deleted on request, to be deleted again after a restore
 *
 * A name with a hash in it is the SHA-256 of the object's bytes.
 */
#ifndef MUNIMENT_REPO_REPO_H
#define MUNIMENT_REPO_REPO_H

#include <muniment/repo/keys.h>
#include <muniment/store/store.h>
#include <muniment/util/error.h>
#include <muniment/util/log.h>

struct repo {
    struct store *store; /* borrowed */
    struct keys *keys;   /* borrowed */
    struct log *log;     /* borrowed; may be NULL */
    const char *cache;   /* borrowed: this host's folder for copies of small objects (see object_cache.h); NULL: none */
    int64_t lock_until;  /* for the packs and heads that are written, where the store locks; 0: none. Index objects are
                            never locked: every purge replaces them, and they can be made anew */
    int64_t journal_keep; /* seconds from its newest event on for which a journal segment is locked; 0: it is not */
    char id[33];          /* of the repository, in hex */
};

enum { REPO_NAME_MAX = STORE_NAME_MAX + 1 };

/* Writes the `muniment` object unless a valid one is there. Durable when it returns 0. */
int repo_create(struct store *store, struct err *err) MUST_CHECK;

/* Reads the `muniment` object. ERR_NO_REPOSITORY when there is none, ERR_UNSUPPORTED for a newer format, ERR_CORRUPT
 * when its checksum does not hold. Keeps the pointers. */
int repo_open(struct repo *repo, struct store *store, struct keys *keys, struct log *log, struct err *err) MUST_CHECK;

/* "<set>/<folder>" and "<set>/<folder>/<leaf>" into `name` (REPO_NAME_MAX bytes). Returns name. */
char *repo_folder(const struct repo *repo, char *name, const char *folder);
char *repo_name(const struct repo *repo, char *name, const char *folder, const char *leaf);

/* "<set>/packs/<aa>/<hash>". */
char *repo_pack_name(const struct repo *repo, char *name, const uint8_t hash[32]);

/* Part of an object's name below the set's folder ("packs/ab/..."). Borrowed from it. */
const char *repo_below(const struct repo *repo, const char *name);

/* What stands behind the last '/' of an object's name. Borrowed from it. */
const char *repo_leaf(const char *name);

/* "<time>-<sha256>", of one object: its last component. Owned by the caller. */
char *repo_dated_leaf(int64_t when, const uint8_t hash[32]);

/* Whether a last component is such a name, with just that time. */
bool repo_leaf_is_dated(const char *leaf, int64_t when);

/* The 32 bytes of the hash that a content-named object's name ends in; false for names that end in none. */
bool repo_name_hash(const char *name, uint8_t hash[32]);

#endif
