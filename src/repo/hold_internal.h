/*
 * Holds as bytes. Payload of a RECORD_HOLD: 8-byte id, u8 scope, i64 placed, review, ends, from, until, text snapshot,
 * owner, reason.
 */
#ifndef MUNIMENT_REPO_HOLD_INTERNAL_H
#define MUNIMENT_REPO_HOLD_INTERNAL_H

#include <muniment/repo/hold.h>

void hold_encode(const struct hold *hold, struct buffer *out);

/* `name` is the object's, or its last component, which must be the hold's id. ERR_CORRUPT. */
int hold_decode(struct hold *hold, const void *payload, size_t length, const char *name, struct err *err) MUST_CHECK;

#endif
