/* Writing a stream of our own (a tree, references): chunked, deduplicated and stored in the caller's thread. */
#ifndef MUNIMENT_SNAPSHOT_STREAM_WRITER_INTERNAL_H
#define MUNIMENT_SNAPSHOT_STREAM_WRITER_INTERNAL_H

#include "depot_internal.h"

struct stream_writer;

/* Borrows the depot until stream_writer_free(). `compression` is a zstd level. */
struct stream_writer *stream_writer_new(struct depot *depot, const struct keys *keys, enum depot_stream stream,
                                        int compression);

/* Appends to the stream. */
int stream_writer_put(struct stream_writer *writer, const void *data, size_t length, struct err *err) MUST_CHECK;

/* Ends the stream: *extents (owned by the caller, replaced) lists its chunks; `digest` (may be NULL) is the SHA-256 of
 * their HMACs in order; *stored grows by what was stored. The writer is then empty and may write another stream. */
int stream_writer_end(struct stream_writer *writer, struct extents *extents, uint8_t digest[32], uint64_t *stored,
                      struct err *err) MUST_CHECK;

void stream_writer_free(struct stream_writer *writer); /* NULL is fine */

#endif
