#include "bucket_test.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"

static int make_bucket(void **state, enum test_bucket kind) {
    if (test_rgw_available())
        *state = scratch_bucket_new(kind);
    return 0;
}

static struct fault_proxy *proxy;

static void stop_proxy(void) {
    fault_proxy_stop(proxy);
}

struct fault_proxy *bucket_proxy(void) {
    if (proxy == NULL) {
        proxy = fault_proxy_start();
        atexit(stop_proxy);
    }
    return proxy;
}

int bucket_proxied(void **state) {
    struct scratch_bucket *bucket;

    if (make_bucket(state, TEST_BUCKET_VERSIONED) < 0 || *state == NULL)
        return 0;
    bucket = scratch_bucket_make(((struct scratch_bucket *)*state)->name, "p", fault_proxy_endpoint(bucket_proxy()));
    scratch_bucket_free(*state);
    *state = bucket;
    fault_proxy_set(bucket_proxy(), "");
    return 0;
}

int bucket_plain(void **state) {
    return make_bucket(state, TEST_BUCKET_PLAIN);
}

int bucket_versioned(void **state) {
    return make_bucket(state, TEST_BUCKET_VERSIONED);
}

int bucket_locking(void **state) {
    return make_bucket(state, TEST_BUCKET_LOCKED);
}

int bucket_leave(void **state) {
    if (*state != NULL)
        scratch_bucket_free(*state);
    return 0;
}

int bucket_drop(void **state) {
    if (*state != NULL)
        scratch_bucket_drop(*state);
    return 0;
}

struct scratch_bucket *bucket_of(void **state) {
    return test_rgw_ready(state);
}

struct store *bucket_open(const struct store_address *address) {
    struct store *store = NULL;
    struct err err = { 0 };

    assert_success(store_open(address, false, &store, &err), &err);
    return store;
}

void bucket_put(struct store *store, const char *name, const char *text) {
    struct err err = { 0 };
    assert_success(store_put(store, name, text, strlen(text), &err), &err);
}

void bucket_assert_object(struct store *store, const char *name, const char *expected) {
    struct buffer content = { 0 };
    struct err err = { 0 };

    assert_success(store_get(store, name, 1 << 20, &content, &err), &err);
    assert_string_equal(buffer_text(&content), expected);
    buffer_release(&content);
}

static int add_text(void *context, const struct s3_version *version, struct err *err) {
    struct buffer *text = context;
    (void)err;

    buffer_printf(text, "%s%s=", text->length > 0 ? " " : "", version->key);
    if (version->hide_marker)
        buffer_printf(text, "hidden");
    else
        buffer_printf(text, "%llu", (unsigned long long)version->size);
    return 0;
}

void bucket_assert_versions(const struct scratch_bucket *bucket, const char *expected) {
    struct buffer text = { 0 };
    struct err err = { 0 };

    assert_success(s3_list_versions(bucket->client, bucket->name, "", add_text, &text, &err), &err);
    assert_string_equal(buffer_text(&text), expected);
    buffer_release(&text);
}

void bucket_hide(const struct scratch_bucket *bucket, const char *key) {
    struct err err = { 0 };
    assert_success(s3_delete(bucket->client, bucket->name, key, NULL, &err), &err);
}

struct store *bucket_store(const struct scratch_bucket *bucket) {
    const struct store_address address = { .path = bucket->address, .services = &bucket->services };
    return bucket_open(&address);
}

struct store *bucket_store_directly(const struct scratch_bucket *bucket) {
    struct scratch_bucket *same = scratch_bucket_make(bucket->name, "p", NULL);
    struct store *store = bucket_store(same);

    scratch_bucket_free(same);
    return store;
}

static int add_kept(void *context, const struct store_kept *object, struct err *err) {
    struct buffer *text = context;
    (void)err;

    buffer_printf(text, "%s%s=%llu/%u%s", text->length > 0 ? " " : "", object->name, (unsigned long long)object->size,
                  object->versions, object->hidden ? "/hidden" : "");
    return 0;
}

void bucket_assert_kept(struct store *store, const char *prefix, const char *expected) {
    struct buffer text = { 0 };
    struct err err = { 0 };

    assert_success(store_list_kept(store, prefix, add_kept, &text, &err), &err);
    assert_string_equal(buffer_text(&text), expected);
    buffer_release(&text);
}
