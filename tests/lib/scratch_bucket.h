/*
 * The place of one test in a bucket of the scratch object store: "s3:test/BUCKET/PREFIX". Include <cmocka.h> and what
 * it needs first.
 */
#ifndef MUNIMENT_TESTS_SCRATCH_BUCKET_H
#define MUNIMENT_TESTS_SCRATCH_BUCKET_H

#include "rgw.h"
#include <muniment/s3/client.h>
#include <stdbool.h>

struct scratch_bucket {
    char *name;
    char *address;
    char *guest;                 /* the same place, with the key of a user who may nothing, unless invited */
    struct s3_services services; /* "test" and "guest" */
    struct s3 *client;           /* the owner's, to look into the bucket without a store */
};

/* `name` is a bucket's and copied; `endpoint` is a proxy's or NULL. */
struct scratch_bucket *scratch_bucket_make(const char *name, const char *prefix, const char *endpoint);
void scratch_bucket_free(struct scratch_bucket *bucket); /* the bucket stays */

/* With a bucket of its own, at the prefix "p"; which goes with it. */
struct scratch_bucket *scratch_bucket_new(enum test_bucket kind);
void scratch_bucket_drop(struct scratch_bucket *bucket);

/* Lets the guest do all but destroy versions and change rules: an append-only key. */
void scratch_bucket_invite(const struct scratch_bucket *bucket);

#endif
