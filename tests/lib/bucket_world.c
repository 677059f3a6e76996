#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <muniment/util/memory.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>

#include "bucket_world.h"
#include "rgw.h"
#include "scratch.h"

enum { OBJECT_MAX = 256 * 1048576 };

const char *const BUCKET_WORLD_KEYS[] = {
    " leading and trailing ",
    "a+b",
    "a%2Fb",
    "100%",
    "a=b&c=d",
    "star*and?question",
    "it's \"quoted\"",
    "double//slash",
    "./dot",
    "up/../down",
    "/leading",
    "trailing/",
    "tab\tand\x01"
    "control",
    "new\nline",
    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82",
    "~tilde-and_more.(brackets)[x]{y}",
    "<xml>&amp;</xml>",
    "back\\slash",
    "semi;colon,comma:at@hash#dollar$bang!",
};

size_t bucket_world_key_count(void) {
    return sizeof BUCKET_WORLD_KEYS / sizeof *BUCKET_WORLD_KEYS;
}

char *bucket_world_longest_key(void) {
    char *key = mem_alloc(S3_KEY_MAX + 1);
    memset(key, 'k', S3_KEY_MAX);
    for (size_t i = 300; i < S3_KEY_MAX; i += 400)
        key[i] = '/';
    key[S3_KEY_MAX] = '\0';
    return key;
}

char *bucket_world_address(const struct bucket_world *world, const char *bucket, const char *prefix) {
    return mem_format("s3:%s/%s%s%s", world->service.endpoint, bucket, prefix[0] ? "/" : "", prefix);
}

void bucket_world_open(struct bucket_world *world) {
    struct s3_service direct;
    *world = (struct bucket_world){ 0 };
    test_rgw_service(&world->service, NULL);
    world->services = (struct s3_services){ &world->service, 1 };
    test_rgw_service(&direct, NULL);
    direct.connections = 16;
    world->s3 = test_rgw_client_of(&direct, NULL);
    world->bucket = test_rgw_bucket(TEST_BUCKET_PLAIN);
    world->places[0] = bucket_world_address(world, world->bucket, "");
    world->source = (struct source){ .name = mem_string("objects"), .kind = &SOURCE_BUCKET };
    world->source.bucket.places = (struct strings){ world->places, 1 };
    world->source.bucket.tags = true;
    world->source.bucket.services = &world->services;
}

struct fault_proxy *bucket_world_proxy(struct bucket_world *world) {
    world->proxy = fault_proxy_start();
    free(world->service.endpoint);
    world->service.endpoint = mem_string(fault_proxy_endpoint(world->proxy));
    free(world->places[0]);
    world->places[0] = bucket_world_address(world, world->bucket, "");
    return world->proxy;
}

void bucket_world_close(struct bucket_world *world) {
    s3_close(world->s3);
    for (size_t i = 0; i < sizeof world->places / sizeof *world->places; i++)
        free(world->places[i]);
    free(world->source.name);
    s3_service_release(&world->service);
    test_rgw_drop(world->bucket);
    if (world->proxy)
        fault_proxy_stop(world->proxy);
}

void bucket_world_put(struct bucket_world *world, const char *key, const void *data, size_t length, ...) {
    struct s3_headers headers = { 0 };
    struct err err = { 0 };
    const char *name;
    va_list pairs;
    va_start(pairs, length);
    while ((name = va_arg(pairs, const char *)) != NULL)
        s3_headers_add(&headers, name, va_arg(pairs, const char *));
    va_end(pairs);
    assert_success(
        s3_put(world->s3, world->bucket, key, data, length, &(struct s3_put){ .headers = &headers }, NULL, &err), &err);
    s3_headers_release(&headers);
}

static uint8_t *random_bytes(size_t length, uint32_t seed) {
    uint8_t key[32] = { 0 };
    uint8_t *data = mem_alloc(length > 0 ? length : 1);
    memcpy(key, &seed, sizeof seed);
    randombytes_buf_deterministic(data, length, key);
    return data;
}

void bucket_world_put_random(struct bucket_world *world, const char *key, size_t length, uint32_t seed) {
    uint8_t *data = random_bytes(length, seed);
    bucket_world_put(world, key, data, length, NULL);
    free(data);
}

void bucket_world_put_parts(struct bucket_world *world, const char *key, size_t part, unsigned count, uint32_t seed) {
    struct err err = { 0 };
    struct s3_part *parts = mem_array(count, sizeof *parts);
    char *upload = NULL;
    assert_success(s3_multipart_begin(world->s3, world->bucket, key, NULL, &upload, &err), &err);
    for (unsigned i = 0; i < count; i++) {
        uint8_t *data = random_bytes(part, seed + i);
        assert_success(s3_multipart_put(world->s3, world->bucket, key, upload, i + 1, data, part, &parts[i], &err),
                       &err);
        free(data);
    }
    assert_success(s3_multipart_complete(world->s3, world->bucket, key, upload, parts, count, NULL, &err), &err);
    free(parts);
    free(upload);
}

size_t bucket_world_put_hard(struct bucket_world *world) {
    char *longest = bucket_world_longest_key();
    for (size_t i = 0; i < bucket_world_key_count(); i++)
        bucket_world_put(world, BUCKET_WORLD_KEYS[i], BUCKET_WORLD_KEYS[i], strlen(BUCKET_WORLD_KEYS[i]), NULL);
    bucket_world_put(world, longest, longest, strlen(longest), NULL);
    bucket_world_put(world, "empty", "", 0, NULL);
    free(longest);
    return bucket_world_key_count() + 2;
}

/* cmocka's assertions end the thread of the test only, so those of others count what they did. */
struct putting {
    struct bucket_world *world;
    const char *prefix;
    unsigned count;
    atomic_uint next, put;
};

static void *put_some(void *context) {
    struct putting *putting = context;
    struct err err = { 0 };
    unsigned number;
    while ((number = atomic_fetch_add(&putting->next, 1)) < putting->count) {
        char *key = mem_format("%s%u", putting->prefix, number);
        if (s3_put(putting->world->s3, putting->world->bucket, key, key, strlen(key), NULL, NULL, &err) == 0)
            atomic_fetch_add(&putting->put, 1);
        free(key);
    }
    return NULL;
}

void bucket_world_put_many(struct bucket_world *world, const char *prefix, unsigned count) {
    enum { THREADS = 16 };
    struct putting putting = { .world = world, .prefix = prefix, .count = count };
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_some, &putting), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(putting.put, count);
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

static void assert_same_headers(const struct s3_headers *one, const struct s3_headers *other, const char *key) {
    static const char *const IGNORED[] = { "x-amz-request-id", "x-amz-version-id", "x-rgw-object-type", "accept-ranges",
                                           "last-modified" };
    for (size_t i = 0; i < one->count; i++) {
        const char *name = one->items[i].name;
        bool ignored = false;
        for (size_t j = 0; j < sizeof IGNORED / sizeof *IGNORED; j++)
            ignored = ignored || strcmp(name, IGNORED[j]) == 0;
        if (ignored)
            continue;
        const char *value = s3_headers_find(other, name);
        if (!value || strcmp(value, one->items[i].value) != 0)
            fail_msg("'%s': header %s is '%s', not '%s'", key, name, value ? value : "", one->items[i].value);
    }
}

static void assert_same_object(struct bucket_world *world, const char *bucket, const char *key, const char *other,
                               const char *other_key) {
    const struct s3_get whole = { .length = UINT64_MAX, .max = OBJECT_MAX };
    struct buffer one = { 0 }, two = { 0 };
    struct s3_info info = { 0 }, other_info = { 0 };
    struct s3_headers tags = { 0 }, other_tags = { 0 };
    struct err err = { 0 };
    assert_success(s3_get(world->s3, bucket, key, &whole, &one, &info, &err), &err);
    assert_success(s3_get(world->s3, other, other_key, &whole, &two, &other_info, &err), &err);
    if (one.length != two.length || (one.length > 0 && memcmp(one.data, two.data, one.length) != 0))
        fail_msg("'%s': the content differs", key);
    assert_same_headers(&info.headers, &other_info.headers, key);
    assert_same_headers(&other_info.headers, &info.headers, key);
    if (s3_headers_find(&info.headers, "x-amz-tagging-count")) {
        assert_success(s3_get_tags(world->s3, bucket, key, NULL, &tags, &err), &err);
        assert_success(s3_get_tags(world->s3, other, other_key, NULL, &other_tags, &err), &err);
        assert_int_equal(tags.count, other_tags.count);
        assert_same_headers(&tags, &other_tags, key);
    }
    s3_headers_release(&tags);
    s3_headers_release(&other_tags);
    s3_info_release(&info);
    s3_info_release(&other_info);
    buffer_release(&one);
    buffer_release(&two);
}

struct keys_found {
    char **items;
    size_t count, capacity;
};

static int note_key(void *context, const struct s3_listed *object, struct err *err) {
    struct keys_found *keys = context;
    (void)err;
    keys->items = mem_grow(keys->items, &keys->capacity, keys->count + 1, sizeof *keys->items);
    keys->items[keys->count++] = mem_string(object->key);
    return 0;
}

static void find_keys(struct bucket_world *world, const char *bucket, const char *prefix, struct keys_found *keys) {
    struct err err = { 0 };
    *keys = (struct keys_found){ 0 };
    assert_success(s3_list(world->s3, bucket, prefix, NULL, note_key, keys, &err), &err);
}

void bucket_world_compare(struct bucket_world *world, const char *bucket, const char *prefix, const char *other,
                          const char *other_prefix) {
    struct keys_found keys;
    find_keys(world, bucket, prefix, &keys);
    assert_int_equal(keys.count, bucket_world_count(world, other, other_prefix));
    for (size_t i = 0; i < keys.count; i++) {
        char *other_key = mem_format("%s%s", other_prefix, keys.items[i] + strlen(prefix));
        assert_same_object(world, bucket, keys.items[i], other, other_key);
        free(other_key);
    }
    mem_free_strings(keys.items, keys.count);
}

size_t bucket_world_count(struct bucket_world *world, const char *bucket, const char *prefix) {
    struct keys_found keys;
    find_keys(world, bucket, prefix, &keys);
    mem_free_strings(keys.items, keys.count);
    return keys.count;
}
