/*
 * What tests of a store in a bucket have in common: each has a bucket of its own, whose store is at the prefix "p".
 * Include <cmocka.h> and what it needs first.
 */
#ifndef MUNIMENT_TESTS_BUCKET_TEST_H
#define MUNIMENT_TESTS_BUCKET_TEST_H

#include "fault_proxy.h"
#include "scratch_bucket.h"
#include <muniment/store/store.h>

/* Before each test; and after it. */
int bucket_plain(void **state);
int bucket_versioned(void **state);
int bucket_locking(void **state);
int bucket_proxied(void **state); /* with versions; its store is reached through the proxy, its client looks past it */
int bucket_drop(void **state);
int bucket_leave(void **state); /* of what holds objects that nobody may remove: they go with the server */

/* First in each test, as test_rgw_ready(). */
struct scratch_bucket *bucket_of(void **state);

struct fault_proxy *bucket_proxy(void);

struct store *bucket_open(const struct store_address *address);
struct store *bucket_store(const struct scratch_bucket *bucket);
struct store *bucket_store_directly(const struct scratch_bucket *bucket); /* past the proxy */

void bucket_put(struct store *store, const char *name, const char *text);
void bucket_hide(const struct scratch_bucket *bucket, const char *key);
void bucket_assert_object(struct store *store, const char *name, const char *expected);

/* What store_list_kept() says: "name=size/versions", "/hidden" after those that are, joined by spaces. */
void bucket_assert_kept(struct store *store, const char *prefix, const char *expected);

/* Every version in the bucket: "key=size", a marker as "key=hidden", joined by spaces. */
void bucket_assert_versions(const struct scratch_bucket *bucket, const char *expected);

#endif
