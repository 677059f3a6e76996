/*
 * A scratch object store for unit tests, by tests/lib/rgw.sh: the one whose folder MUNIMENT_TEST_RGW names
 * (tests/run-all starts it for all programs), else one of this program's own, started by the first call and ended with
 * it.
 *
 * Every test makes buckets of its own. Include <cmocka.h> and what it needs first.
 */
#ifndef MUNIMENT_TESTS_RGW_H
#define MUNIMENT_TESTS_RGW_H

#include <muniment/s3/client.h>
#include <muniment/util/buffer.h>
#include <stdbool.h>

/* False where Debian's packages are absent: then tests skip(). Anything else that fails ends the program. */
bool test_rgw_available(void);

/* First in each test: what was made before it. Skips the test where there is no server, which cannot be done earlier.
 */
void *test_rgw_ready(void **state);

const char *test_rgw_endpoint(void);          /* "http://127.0.0.1:PORT" */
const char *test_rgw_credentials(void);       /* path of a credentials file */
const char *test_rgw_other_credentials(void); /* of a user who owns no bucket */

/* A nameless service with owner's credentials; release it. `endpoint` NULL: the store itself, else a proxy's. */
void test_rgw_service(struct s3_service *service, const char *endpoint);

/* Clients of it that give up after some seconds; they are the caller's to close. */
struct s3 *test_rgw_client(const char *endpoint);
struct s3 *test_rgw_client_v2(const char *endpoint);    /* speaks Signature V2 */
struct s3 *test_rgw_client_as(const char *credentials); /* of another user, by the path of a credentials file */

/* One of a service that the caller filled as he likes; releases the service. */
struct s3 *test_rgw_client_of(struct s3_service *service, struct log *log);

/* An object with this text; fails the test when it cannot be put, or is not it. `version` NULL: the newest. */
void test_rgw_put(struct s3 *s3, const char *bucket, const char *key, const char *text);
void test_rgw_assert_object(struct s3 *s3, const char *bucket, const char *key, const char *version, const char *text);

enum test_bucket { TEST_BUCKET_PLAIN, TEST_BUCKET_VERSIONED, TEST_BUCKET_LOCKED };

/* A new bucket with a name of its own; the name is the caller's. */
char *test_rgw_bucket(enum test_bucket kind);

/* Empties (locks under governance included) and removes it, and frees the name. */
void test_rgw_drop(char *bucket);

/* Runs tests/tools/s3-admin ENDPOINT CREDENTIALS with these arguments (ended by NULL); its output, whole, in `out`
 * (may be NULL). */
void test_rgw_admin(struct buffer *out, ...) __attribute__((sentinel));

#endif
