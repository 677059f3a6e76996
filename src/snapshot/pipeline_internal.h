/*
 * The pipeline of a capture: content goes in at one end, in the source's thread, and comes out as chunks in the depot
 * and entries in the tree.
 *
 *     source's thread: fills batches, cuts them into chunks
 *     workers:         keyed hash, compression of what is not stored yet
 *     packer:          in order again: deduplicates, seals, packs; ends entries
 *
 * Batches are a fixed number of buffers that go round. An error anywhere stops all, and is what every later call
 * returns.
 */
#ifndef MUNIMENT_SNAPSHOT_PIPELINE_INTERNAL_H
#define MUNIMENT_SNAPSHOT_PIPELINE_INTERNAL_H

#include "tree_writer_internal.h"
#include <muniment/util/log.h>

struct pipeline;

struct pipeline_options {
    const struct keys *keys;
    struct depot *depot;
    struct tree_writer *tree;
    bool fine_chunks;          /* CHUNKER_DATABASE for all content; else only for what looks like a database */
    int compression;           /* zstd level; 0: default */
    unsigned workers;          /* 0: one a core */
    struct progress *progress; /* may be NULL */
};

int pipeline_new(const struct pipeline_options *options, struct pipeline **pipeline, struct err *err) MUST_CHECK;

/* Content of the entry that comes next: where to write it, and how much was written there. */
int pipeline_space(struct pipeline *pipeline, void **data, size_t *length, struct err *err) MUST_CHECK;
int pipeline_fill(struct pipeline *pipeline, size_t length, struct err *err) MUST_CHECK;

/* Ends the entry (copied) with the content since the last end; or forgets that content. */
int pipeline_end(struct pipeline *pipeline, const struct entry *entry, struct err *err) MUST_CHECK;
int pipeline_discard(struct pipeline *pipeline, struct err *err) MUST_CHECK;

/* Ends the entry with content that is stored already: entry->content, chunks and digest are set. Copies both. */
int pipeline_keep(struct pipeline *pipeline, const struct entry *entry, const struct extents *extents,
                  struct err *err) MUST_CHECK;

/* Waits until everything has reached depot and tree. */
int pipeline_finish(struct pipeline *pipeline, struct err *err) MUST_CHECK;

/* True when the pipeline itself stopped (store, depot, tree, interrupt): not the source's fault. */
bool pipeline_failed(struct pipeline *pipeline);

/* The bytes of ciphertext that were stored. After pipeline_finish(). */
uint64_t pipeline_stored(const struct pipeline *pipeline);
void pipeline_free(struct pipeline *pipeline); /* stops what runs; NULL is fine */

#endif
