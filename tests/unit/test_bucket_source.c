#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <muniment/util/memory.h>

#include "../lib/bucket_world.h"
#include "../lib/fault_proxy.h"
#include "../lib/memory_sink.h"
#include "../lib/rgw.h"
#include "../lib/scratch.h"

#define TEXT(text) ((char[]){ text }) /* that may be written to */

#define REQUIRE_RGW()                                                                                                  \
    do {                                                                                                               \
        if (!test_rgw_available())                                                                                     \
            skip();                                                                                                    \
    } while (0)

static void capture(struct bucket_world *world, struct memory_sink *sink, struct memory_sink *last) {
    struct err err = { 0 };
    memory_sink_init(sink, last);
    assert_success(SOURCE_BUCKET.preflight(&world->source, NULL, &err), &err);
    assert_success(SOURCE_BUCKET.capture(&world->source, &sink->sink, NULL, &err), &err);
}

static const struct memory_entry *find(const struct memory_sink *sink, const struct bucket_world *world,
                                       const char *key) {
    char *path = mem_format("%s/%s", world->bucket, key);
    const struct memory_entry *entry = memory_sink_find(sink, path);
    free(path);
    return entry;
}

static void assert_attribute(const struct memory_entry *found, const char *name, const char *value) {
    assert_non_null(found);
    const struct entry_attribute *attribute = entry_attribute(&found->entry, name);
    if (!attribute)
        fail_msg("'%s' has no attribute %s", found->entry.path, name);
    assert_int_equal(attribute->length, strlen(value));
    assert_memory_equal(attribute->value, value, strlen(value));
}

static void assert_sorted(const struct memory_sink *sink) {
    for (size_t i = 1; i < sink->count; i++)
        if (strcmp(sink->entries[i - 1].entry.path, sink->entries[i].entry.path) >= 0)
            fail_msg("'%s' came before '%s'", sink->entries[i - 1].entry.path, sink->entries[i].entry.path);
}

/* --- what is captured --------------------------------------------------------------------------------------------- */

static void objects_come_with_their_keys_whatever_these_are(void **state) {
    (void)state;
    struct bucket_world world;
    struct memory_sink sink;
    REQUIRE_RGW();
    bucket_world_open(&world, NULL);
    char *longest = bucket_world_longest_key();
    for (size_t i = 0; i < bucket_world_key_count(); i++)
        bucket_world_put(&world, BUCKET_WORLD_KEYS[i], BUCKET_WORLD_KEYS[i], strlen(BUCKET_WORLD_KEYS[i]), NULL);
    bucket_world_put(&world, longest, "long", 4, NULL);
    bucket_world_put(&world, "empty", "", 0, NULL);
    capture(&world, &sink, NULL);
    assert_int_equal(sink.count, bucket_world_key_count() + 2);
    assert_int_equal(sink.trouble_count, 0);
    assert_sorted(&sink);
    for (size_t i = 0; i < bucket_world_key_count(); i++) {
        const struct memory_entry *found = find(&sink, &world, BUCKET_WORLD_KEYS[i]);
        assert_non_null(found);
        assert_int_equal(found->entry.type, ENTRY_OBJECT);
        assert_int_equal(found->content.length, strlen(BUCKET_WORLD_KEYS[i]));
        assert_memory_equal(found->content.data, BUCKET_WORLD_KEYS[i], found->content.length);
    }
    assert_non_null(find(&sink, &world, longest));
    assert_int_equal(find(&sink, &world, "empty")->content.length, 0);
    memory_sink_release(&sink);
    free(longest);
    bucket_world_close(&world);
}

static void headers_metadata_and_tags_are_kept(void **state) {
    (void)state;
    struct bucket_world world;
    struct memory_sink sink;
    REQUIRE_RGW();
    bucket_world_open(&world, NULL);
    bucket_world_put(&world, "page", "<p>", 3, "content-type", "text/html; charset=utf-8", "cache-control",
                     "max-age=60", "content-disposition", "attachment; filename=\"p.html\"", "content-language", "de",
                     "x-amz-meta-owner", "someone", "x-amz-meta-mode", "33188", "x-amz-tagging", "a=1&b%20c=d%26e",
                     NULL);
    capture(&world, &sink, NULL);
    const struct memory_entry *page = find(&sink, &world, "page");
    assert_attribute(page, "s3.header.content-type", "text/html; charset=utf-8");
    assert_attribute(page, "s3.header.cache-control", "max-age=60");
    assert_attribute(page, "s3.header.content-disposition", "attachment; filename=\"p.html\"");
    assert_attribute(page, "s3.header.content-language", "de");
    assert_attribute(page, "s3.meta.owner", "someone");
    assert_attribute(page, "s3.meta.mode", "33188");
    assert_attribute(page, "s3.tag.a", "1");
    assert_attribute(page, "s3.tag.b c", "d&e");
    assert_non_null(entry_attribute(&page->entry, "s3.etag"));
    assert_true(page->entry.mtime > 0);
    memory_sink_release(&sink);

    world.source.bucket.tags = false;
    capture(&world, &sink, NULL);
    assert_null(entry_attribute(&find(&sink, &world, "page")->entry, "s3.tag.a"));
    memory_sink_release(&sink);
    bucket_world_close(&world);
}

static void large_objects_come_in_order_and_whole(void **state) {
    (void)state;
    enum { PART = 6 * 1048576, PARTS = 17, ONCE = 20 * 1048576 + 1 };
    struct bucket_world world;
    struct memory_sink sink;
    struct buffer expected = { 0 };
    struct err err = { 0 };
    REQUIRE_RGW();
    bucket_world_open(&world, NULL);
    bucket_world_put_parts(&world, "in parts", PART, PARTS, 1);
    bucket_world_put_random(&world, "at once", ONCE, 99);
    bucket_world_put_random(&world, "small", 10, 100);
    capture(&world, &sink, NULL);
    assert_int_equal(sink.trouble_count, 0);
    assert_int_equal(sink.count, 3);
    static const char *const KEYS[] = { "in parts", "at once", "small" };
    for (size_t i = 0; i < 3; i++) {
        const struct s3_get whole = { .length = UINT64_MAX, .max = 256 * 1048576 };
        const struct memory_entry *found = find(&sink, &world, KEYS[i]);
        buffer_clear(&expected);
        assert_success(s3_get(world.s3, world.bucket, KEYS[i], &whole, &expected, NULL, &err), &err);
        assert_int_equal(found->content.length, expected.length);
        assert_memory_equal(found->content.data, expected.data, expected.length);
    }
    buffer_release(&expected);
    memory_sink_release(&sink);
    bucket_world_close(&world);
}

static void patterns_choose_among_keys(void **state) {
    (void)state;
    struct bucket_world world;
    struct memory_sink sink;
    char *include[] = { TEXT("docs/**"), TEXT("*.txt") };
    char *exclude[] = { TEXT("*.tmp"), TEXT("docs/private/**") };
    REQUIRE_RGW();
    bucket_world_open(&world, NULL);
    static const char *const KEYS[] = { "docs/a", "docs/b.tmp", "docs/private/c", "x.txt", "y/z.txt", "other" };
    for (size_t i = 0; i < 6; i++)
        bucket_world_put(&world, KEYS[i], "x", 1, NULL);
    world.source.bucket.include = (struct strings){ include, 2 };
    world.source.bucket.exclude = (struct strings){ exclude, 2 };
    capture(&world, &sink, NULL);
    assert_int_equal(sink.count, 3);
    assert_non_null(find(&sink, &world, "docs/a"));
    assert_non_null(find(&sink, &world, "x.txt"));
    assert_non_null(find(&sink, &world, "y/z.txt"));
    memory_sink_release(&sink);
    bucket_world_close(&world);
}

static void several_places_come_in_one_order(void **state) {
    (void)state;
    struct bucket_world world;
    struct memory_sink sink;
    REQUIRE_RGW();
    bucket_world_open(&world, NULL);
    char *other = test_rgw_bucket(TEST_BUCKET_VERSIONED);
    struct err err = { 0 };
    static const char *const KEYS[] = { "a/1", "a/2", "a-b/3", "b/4" };
    for (size_t i = 0; i < 4; i++)
        bucket_world_put(&world, KEYS[i], "x", 1, NULL);
    assert_success(s3_put(world.s3, other, "5", "y", 1, NULL, NULL, &err), &err);
    free(world.places[0]);
    world.places[0] = bucket_world_address(&world, other, "");
    world.places[1] = bucket_world_address(&world, world.bucket, "a");
    world.places[2] = bucket_world_address(&world, world.bucket, "a-b");
    world.source.bucket.places.count = 3;
    capture(&world, &sink, NULL);
    assert_int_equal(sink.count, 4);
    assert_sorted(&sink);
    assert_int_equal(sink.unit_count, 3);
    assert_null(find(&sink, &world, "b/4"));
    memory_sink_release(&sink);
    bucket_world_close(&world);
    test_rgw_drop(other);
}

/* --- unchanged ---------------------------------------------------------------------------------------------------- */

static void what_has_not_changed_is_not_read_again(void **state) {
    (void)state;
    enum { COUNT = 2000 };
    struct bucket_world world;
    struct memory_sink first, second, third;
    REQUIRE_RGW();
    struct fault_proxy *proxy = fault_proxy_start();
    bucket_world_open(&world, fault_proxy_endpoint(proxy));
    bucket_world_put_many(&world, "many/", COUNT);
    capture(&world, &first, NULL);
    assert_int_equal(first.count, COUNT);
    assert_sorted(&first);

    fault_proxy_set(proxy, "");
    capture(&world, &second, &first);
    assert_int_equal(second.count, COUNT);
    for (size_t i = 0; i < second.count; i++)
        assert_true(second.entries[i].kept);
    assert_int_equal(fault_proxy_count(proxy, "get"), 0);
    assert_int_equal(fault_proxy_count(proxy, "head"), 0);

    /* Between what is kept, what changed is read, and what is new; what is gone is no more there. */
    struct err err = { 0 };
    bucket_world_put(&world, "many/100", "another", 7, NULL);
    bucket_world_put(&world, "many/1500x", "new", 3, NULL);
    assert_success(s3_delete(world.s3, world.bucket, "many/7", NULL, &err), &err);
    fault_proxy_set(proxy, "");
    capture(&world, &third, &second);
    assert_int_equal(third.count, COUNT);
    assert_int_equal(fault_proxy_count(proxy, "get"), 2);
    assert_sorted(&third);
    assert_false(find(&third, &world, "many/100")->kept);
    assert_memory_equal(find(&third, &world, "many/100")->content.data, "another", 7);
    assert_true(find(&third, &world, "many/101")->kept);
    assert_memory_equal(find(&third, &world, "many/101")->content.data, "many/101", 8);
    assert_null(find(&third, &world, "many/7"));
    memory_sink_release(&first);
    memory_sink_release(&second);
    memory_sink_release(&third);
    bucket_world_close(&world);
    fault_proxy_stop(proxy);
}

/* --- objects that do not stay as they were ------------------------------------------------------------------------ */

/* While "a" is on its way into the sink, something happens to the last piece's object. */
struct event {
    struct bucket_world *world;
    const char *key;
    const char *content; /* NULL: it is removed */
    bool done;
};

static void happen(struct memory_sink *sink, void *data) {
    struct event *event = data;
    struct err err = { 0 };
    (void)sink;
    if (event->done)
        return;
    event->done = true;
    if (event->content)
        bucket_world_put(event->world, event->key, event->content, strlen(event->content), NULL);
    else
        assert_success(s3_delete(event->world->s3, event->world->bucket, event->key, NULL, &err), &err);
}

/* An object of more pieces than are fetched ahead, so that its end is asked for after its beginning was delivered. */
static void fill_with_large(struct bucket_world *world) {
    bucket_world_put_parts(world, "large", 16 * 1048576, 8, 1);
}

static void capture_with_event(struct bucket_world *world, struct memory_sink *sink, const char *content) {
    struct event event = { world, "large", content, false };
    struct err err = { 0 };
    memory_sink_init(sink, NULL);
    sink->on_fill = happen;
    sink->on_fill_data = &event;
    assert_success(SOURCE_BUCKET.capture(&world->source, &sink->sink, NULL, &err), &err);
    assert_true(event.done);
}

static void an_object_that_changes_while_it_is_read_is_read_again(void **state) {
    (void)state;
    struct bucket_world world;
    struct memory_sink sink;
    REQUIRE_RGW();
    bucket_world_open(&world, NULL);
    fill_with_large(&world);
    bucket_world_put(&world, "zzz", "after", 5, NULL);
    capture_with_event(&world, &sink, "new content");
    assert_int_equal(sink.trouble_count, 0);
    assert_int_equal(sink.count, 2);
    const struct memory_entry *found = find(&sink, &world, "large");
    assert_int_equal(found->content.length, 11);
    assert_memory_equal(found->content.data, "new content", 11);
    assert_int_equal(found->entry.size, 11);
    assert_memory_equal(find(&sink, &world, "zzz")->content.data, "after", 5);
    assert_true(sink.discard_count > 0);
    memory_sink_release(&sink);
    bucket_world_close(&world);
}

static void an_object_that_vanishes_while_it_is_read_is_left_out(void **state) {
    (void)state;
    struct bucket_world world;
    struct memory_sink sink;
    REQUIRE_RGW();
    bucket_world_open(&world, NULL);
    fill_with_large(&world);
    bucket_world_put(&world, "zzz", "after", 5, NULL);
    capture_with_event(&world, &sink, NULL);
    assert_int_equal(sink.trouble_count, 0);
    assert_int_equal(sink.count, 1);
    assert_memory_equal(find(&sink, &world, "zzz")->content.data, "after", 5);
    memory_sink_release(&sink);
    bucket_world_close(&world);
}

static void an_object_that_never_stays_is_named_and_the_others_go_on(void **state) {
    (void)state;
    struct bucket_world world;
    struct memory_sink sink;
    REQUIRE_RGW();
    struct fault_proxy *proxy = fault_proxy_start();
    bucket_world_open(&world, fault_proxy_endpoint(proxy));
    bucket_world_put(&world, "a", "first", 5, NULL);
    bucket_world_put(&world, "restless", "content", 7, NULL);
    bucket_world_put(&world, "z", "last", 4, NULL);
    fault_proxy_set(proxy, "status code=412 error=PreconditionFailed kind=get key=restless");
    capture(&world, &sink, NULL);
    assert_int_equal(sink.count, 2);
    assert_int_equal(sink.trouble_count, 1);
    assert_non_null(strstr((const char *)sink.troubles.data, "restless"));
    assert_int_equal(fault_proxy_count(proxy, "get"), 2 + 4);
    memory_sink_release(&sink);

    fault_proxy_set(proxy, "status code=403 error=InvalidObjectState kind=get key=restless");
    capture(&world, &sink, NULL);
    assert_int_equal(sink.count, 2);
    assert_int_equal(sink.trouble_count, 1);
    assert_non_null(strstr((const char *)sink.troubles.data, "restless"));
    memory_sink_release(&sink);
    bucket_world_close(&world);
    fault_proxy_stop(proxy);
}

static void a_wrong_byte_on_the_way_is_found(void **state) {
    (void)state;
    struct bucket_world world;
    struct memory_sink sink;
    REQUIRE_RGW();
    struct fault_proxy *proxy = fault_proxy_start();
    bucket_world_open(&world, fault_proxy_endpoint(proxy));
    bucket_world_put(&world, "a", "first", 5, NULL);
    bucket_world_put_random(&world, "b", 20 * 1048576, 1);
    fault_proxy_set(proxy, "corrupt kind=get key=a count=1\ncorrupt kind=get key=b skip=1 count=1");
    capture(&world, &sink, NULL);
    assert_int_equal(sink.count, 2);
    assert_int_equal(sink.trouble_count, 0);
    assert_memory_equal(find(&sink, &world, "a")->content.data, "first", 5);
    struct buffer expected = { 0 };
    struct err err = { 0 };
    const struct s3_get whole = { .length = UINT64_MAX, .max = 64 * 1048576 };
    assert_success(s3_get(world.s3, world.bucket, "b", &whole, &expected, NULL, &err), &err);
    assert_int_equal(find(&sink, &world, "b")->content.length, expected.length);
    assert_memory_equal(find(&sink, &world, "b")->content.data, expected.data, expected.length);
    buffer_release(&expected);
    memory_sink_release(&sink);

    fault_proxy_set(proxy, "corrupt kind=get key=a");
    capture(&world, &sink, NULL);
    assert_int_equal(sink.count, 1);
    assert_int_equal(sink.trouble_count, 1);
    memory_sink_release(&sink);
    bucket_world_close(&world);
    fault_proxy_stop(proxy);
}

static void a_listing_that_ends_early_loses_nothing(void **state) {
    (void)state;
    struct bucket_world world;
    struct memory_sink sink;
    REQUIRE_RGW();
    struct fault_proxy *proxy = fault_proxy_start();
    bucket_world_open(&world, fault_proxy_endpoint(proxy));
    bucket_world_put_many(&world, "k", 30);
    fault_proxy_set(proxy, "short kind=list keep=7");
    capture(&world, &sink, NULL);
    assert_int_equal(sink.count, 30);
    assert_int_equal(sink.trouble_count, 0);
    memory_sink_release(&sink);
    bucket_world_close(&world);
    fault_proxy_stop(proxy);
}

/* --- what cannot be reached --------------------------------------------------------------------------------------- */

static void a_bucket_out_of_reach_is_named_beside_the_others(void **state) {
    (void)state;
    struct bucket_world world;
    struct memory_sink sink;
    struct err err = { 0 };
    REQUIRE_RGW();
    bucket_world_open(&world, NULL);
    bucket_world_put(&world, "a", "x", 1, NULL);
    world.places[1] = bucket_world_address(&world, "no-such-bucket-here", "");
    world.source.bucket.places.count = 2;
    capture(&world, &sink, NULL);
    assert_int_equal(sink.count, 1);
    assert_int_equal(sink.trouble_count, 1);
    assert_non_null(strstr((const char *)sink.troubles.data, "no-such-bucket-here"));
    assert_int_equal(sink.unit_count, 1);
    memory_sink_release(&sink);

    free(world.places[0]);
    world.places[0] = bucket_world_address(&world, "nor-this-one", "");
    memory_sink_init(&sink, NULL);
    assert_failure(SOURCE_BUCKET.preflight(&world.source, NULL, &err), ERR_INVALID, &err);
    assert_failure(SOURCE_BUCKET.capture(&world.source, &sink.sink, NULL, &err), ERR_INVALID, &err);
    memory_sink_release(&sink);
    bucket_world_close(&world);
}

static void places_within_one_another_are_refused(void **state) {
    (void)state;
    struct err err = { 0 };
    struct s3_service service[2] = { { .name = TEXT("one"), .endpoint = TEXT("https://one.example") },
                                     { .name = TEXT("two"), .endpoint = TEXT("https://two.example") } };
    const struct s3_services services = { service, 2 };
    char *within[] = { TEXT("s3:one/bucket/a"), TEXT("s3:one/other"), TEXT("s3:one/bucket") };
    char *twice[] = { TEXT("s3:one/bucket/a"), TEXT("s3:one/bucket/a/") };
    char *two_services[] = { TEXT("s3:one/bucket/a"), TEXT("s3:two/bucket/b") };
    char *no_bucket[] = { TEXT("s3:one") };
    struct source source = { .name = TEXT("objects"), .kind = &SOURCE_BUCKET };
    source.bucket.services = &services;
    const struct strings lists[] = { { within, 3 }, { twice, 2 }, { two_services, 2 }, { no_bucket, 1 }, { NULL, 0 } };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        source.bucket.places = lists[i];
        assert_failure(SOURCE_BUCKET.preflight(&source, NULL, &err), ERR_INVALID, &err);
    }
}

static void a_full_store_ends_the_capture(void **state) {
    (void)state;
    struct bucket_world world;
    struct memory_sink sink;
    struct err err = { 0 };
    REQUIRE_RGW();
    bucket_world_open(&world, NULL);
    bucket_world_put_many(&world, "k", 50);
    memory_sink_init(&sink, NULL);
    sink.entries_until_full = 10;
    assert_failure(SOURCE_BUCKET.capture(&world.source, &sink.sink, NULL, &err), ERR_SYSTEM, &err);
    assert_int_equal(sink.count, 9);
    assert_int_equal(sink.trouble_count, 0);
    memory_sink_release(&sink);
    bucket_world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_within_one_another_are_refused),
        cmocka_unit_test(objects_come_with_their_keys_whatever_these_are),
        cmocka_unit_test(headers_metadata_and_tags_are_kept),
        cmocka_unit_test(large_objects_come_in_order_and_whole),
        cmocka_unit_test(patterns_choose_among_keys),
        cmocka_unit_test(several_places_come_in_one_order),
        cmocka_unit_test(what_has_not_changed_is_not_read_again),
        cmocka_unit_test(an_object_that_changes_while_it_is_read_is_read_again),
        cmocka_unit_test(an_object_that_vanishes_while_it_is_read_is_left_out),
        cmocka_unit_test(an_object_that_never_stays_is_named_and_the_others_go_on),
        cmocka_unit_test(a_wrong_byte_on_the_way_is_found),
        cmocka_unit_test(a_listing_that_ends_early_loses_nothing),
        cmocka_unit_test(a_bucket_out_of_reach_is_named_beside_the_others),
        cmocka_unit_test(a_full_store_ends_the_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
