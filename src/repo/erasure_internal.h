/* Entries of the erasure ledger as bytes. Payload of a RECORD_ERASURE: i64 recorded, varint count, a text each. */
#ifndef MUNIMENT_REPO_ERASURE_INTERNAL_H
#define MUNIMENT_REPO_ERASURE_INTERNAL_H

#include <muniment/repo/erasure.h>

void erasure_encode(const struct erasure *erasure, struct buffer *out);

/* `name` is the object's, or its last component, which must begin with the entry's time. ERR_CORRUPT. */
int erasure_decode(struct erasure *erasure, const void *payload, size_t length, const char *name,
                   struct err *err) MUST_CHECK;

void erasure_free(struct erasure *erasure); /* its texts */

#endif
