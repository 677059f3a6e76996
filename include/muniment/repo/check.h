/*
 * Checking a repository or a mirror: that every snapshot could be restored, and that every stored byte is what was
 * written.
 *
 * Without `read_data`: the `muniment` object, keys, heads, index, purges, journal; every slot that a snapshot refers to
 * is in an indexed pack that exists with the right size. With it, every pack is read: its hash is its name, its table
 * opens and agrees with the index; and with the read key every chunk is opened. Where this host keeps copies of a
 * bucket's small objects (see object_cache.h), they stand for those in the bucket unless something is read.
 */
#ifndef MUNIMENT_REPO_CHECK_H
#define MUNIMENT_REPO_CHECK_H

#include <muniment/repo/head.h>

struct check_options {
    unsigned read_percent; /* of the packs: 0 none, 100 all; others choose by name and `now`, so that runs take turns */
    int64_t now;
    bool mirror; /* the store is a mirror: what was not copied yet (snapshots, packs that none needs) is not missed */
    struct progress *progress; /* may be NULL */
    /* Called for every finding, in plain words that begin with the object's name. May be NULL. */
    void (*finding)(void *context, const char *text);
    void *context;
};

struct check_result {
    uint64_t snapshots, packs, chunks, bytes_read, findings;
    uint64_t unreferenced_packs; /* no finding: a later purge removes them */
};

/* Returns 0 when it could look at everything, whatever it found (see result->findings); -1 when it could not go on. */
int check_run(struct repo *repo, const struct check_options *options, struct check_result *result,
              struct err *err) MUST_CHECK;

/* Writes the index anew from the tables at the end of every pack, and removes the old index objects. Packs without a
 * readable table are reported as findings and left out. */
int check_rebuild_index(struct repo *repo, const struct check_options *options, struct check_result *result,
                        struct err *err) MUST_CHECK;

#endif
