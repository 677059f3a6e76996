/*
 * The depot: where a capture's chunks go. It deduplicates, seals, fills packs, and makes packs and index durable.
 *
 * Contents go to packs of their own, trees and reference streams to others: so a restore of one file reads few packs,
 * and what every purge must read lies close together. Full packs are finished (hashed to their end, made durable) by
 * threads of their own, several for a bucket, so that capturing goes on meanwhile.
 */
#ifndef MUNIMENT_SNAPSHOT_DEPOT_INTERNAL_H
#define MUNIMENT_SNAPSHOT_DEPOT_INTERNAL_H

#include <muniment/repo/index.h>
#include <muniment/repo/session.h>

enum depot_stream {
    DEPOT_DATA,
    DEPOT_TREE,
    DEPOT_REFERENCES,
};

struct depot;

/* Borrows all until depot_free(). Packs that are condemned are not referred to. */
struct depot *depot_new(struct repo *repo, const struct session *session, const struct index *index,
                        const struct condemned *condemned);

/* True when a chunk of this id is stored already. May be asked by any thread. */
bool depot_has(struct depot *depot, enum depot_stream stream, const uint8_t id[CHUNK_ID_SIZE]);

/* True when every slot of these extents may be referred to. Any thread. */
bool depot_has_extents(const struct depot *depot, const struct extents *extents);

/* Stores a chunk unless it is stored already; says in which slot it is. Adds the bytes it took to *stored. One thread
 * at a time. */
struct depot_chunk {
    uint8_t id[CHUNK_ID_SIZE];
    uint32_t plain_length;
    enum codec codec;
    const void *encoded;
    uint32_t encoded_length;
};
int depot_put(struct depot *depot, enum depot_stream stream, const struct depot_chunk *chunk, uint8_t birth[BIRTH_SIZE],
              uint32_t *number, uint64_t *stored, struct err *err) MUST_CHECK;

/* Finishes all packs and writes their index: durable when it returns 0. */
int depot_finish(struct depot *depot, struct err *err) MUST_CHECK;

/* Locks the packs that were stored until then, once depot_finish() has returned 0. Nothing where the store does not
 * lock. */
int depot_lock(struct depot *depot, int64_t until, struct err *err) MUST_CHECK;

/* Frees; packs that are not finished leave no trace. NULL is fine. */
void depot_free(struct depot *depot);

#endif
