/* A bucket of the scratch object store, filled by hand and captured as a source. Include <cmocka.h> and what it needs
 * first. */
#ifndef MUNIMENT_TESTS_BUCKET_WORLD_H
#define MUNIMENT_TESTS_BUCKET_WORLD_H

#include "fault_proxy.h"
#include <muniment/s3/client.h>
#include <muniment/source/source.h>

struct bucket_world {
    struct s3_service service;
    struct s3_services services; /* with that one */
    struct s3 *s3;
    struct fault_proxy *proxy; /* NULL: none */
    char *bucket;
    char *places[4]; /* addresses, as many as `source` has */
    struct source source;
};

/* All of these fail the test when they cannot. They need test_rgw_available(). */
void bucket_world_open(struct bucket_world *world);

/* From here on the source, and addresses that are made, go through a proxy; what fills the bucket does not. Called at
 * most once, before `places` is changed. */
struct fault_proxy *bucket_world_proxy(struct bucket_world *world);

void bucket_world_close(struct bucket_world *world);

/* The address of a bucket or of a place in it; the caller frees it. */
char *bucket_world_address(const struct bucket_world *world, const char *bucket, const char *prefix);

/* Puts an object; headers are pairs of name and value, ended by NULL. */
void bucket_world_put(struct bucket_world *world, const char *key, const void *data, size_t length, ...)
    __attribute__((sentinel));

/* Bytes that do not compress, drawn from `seed`. */
void bucket_world_put_random(struct bucket_world *world, const char *key, size_t length, uint32_t seed);

/* `count` small objects "PREFIX0", "PREFIX1", ... whose content is their key. */
void bucket_world_put_many(struct bucket_world *world, const char *prefix, unsigned count);

/* An object in parts of `part` bytes. */
void bucket_world_put_parts(struct bucket_world *world, const char *key, size_t part, unsigned count, uint32_t seed);

/* Keys that are hard on clients, and how many there are. */
extern const char *const BUCKET_WORLD_KEYS[];
size_t bucket_world_key_count(void);
char *bucket_world_longest_key(void); /* of 1024 bytes; the caller frees it */

/* Puts an object of each of them, the longest one included, whose content is its key, and one, "empty", that has none;
 * returns how many these are. */
size_t bucket_world_put_hard(struct bucket_world *world);

/* Both buckets hold the same objects, below these prefixes: content, headers, metadata, tags. */
void bucket_world_compare(struct bucket_world *world, const char *bucket, const char *prefix, const char *other,
                          const char *other_prefix);

/* How many objects there are. */
size_t bucket_world_count(struct bucket_world *world, const char *bucket, const char *prefix);

#endif
