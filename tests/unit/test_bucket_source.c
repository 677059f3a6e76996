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

/* A bucket, and what was captured of it last. */
struct fixture {
    struct bucket_world world;
    struct memory_sink sink;
};

static int make(void **state) {
    struct fixture *fixture = mem_zalloc(sizeof *fixture);

    *state = fixture;
    if (test_rgw_available())
        bucket_world_open(&fixture->world);
    return 0;
}

static int drop(void **state) {
    struct fixture *fixture = *state;

    if (test_rgw_available()) {
        memory_sink_release(&fixture->sink);
        bucket_world_close(&fixture->world);
    }
    free(fixture);
    return 0;
}

static void capture_into(struct fixture *fixture, struct memory_sink *sink, struct memory_sink *last) {
    struct err err = { 0 };
    memory_sink_init(sink, last);
    assert_success(SOURCE_BUCKET.preflight(&fixture->world.source, NULL, &err), &err);
    assert_success(SOURCE_BUCKET.capture(&fixture->world.source, &sink->sink, NULL, &err), &err);
}

static void capture(struct fixture *fixture) {
    memory_sink_release(&fixture->sink);
    capture_into(fixture, &fixture->sink, NULL);
}

static const struct memory_entry *find(const struct fixture *fixture, const char *key) {
    char *path = mem_format("%s/%s", fixture->world.bucket, key);
    const struct memory_entry *entry = memory_sink_find(&fixture->sink, path);
    free(path);
    return entry;
}

static void assert_captured(const struct fixture *fixture, size_t entries, size_t troubles) {
    assert_int_equal(fixture->sink.count, entries);
    assert_int_equal(fixture->sink.trouble_count, troubles);
}

static void assert_content(const struct fixture *fixture, const char *key, const void *content, size_t length) {
    const struct memory_entry *found = find(fixture, key);
    if (!found)
        fail_msg("'%s' was not captured", key);
    assert_int_equal(found->content.length, length);
    if (length > 0)
        assert_memory_equal(found->content.data, content, length);
}

static void assert_content_of_bucket(const struct fixture *fixture, const char *key) {
    const struct s3_get whole = { .length = UINT64_MAX, .max = 256 * 1048576 };
    struct buffer expected = { 0 };
    struct err err = { 0 };
    assert_success(s3_get(fixture->world.s3, fixture->world.bucket, key, &whole, &expected, NULL, &err), &err);
    assert_content(fixture, key, expected.data, expected.length);
    buffer_release(&expected);
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
    struct fixture *fixture = test_rgw_ready(state);
    char *longest = bucket_world_longest_key();
    const size_t count = bucket_world_put_hard(&fixture->world);
    capture(fixture);
    assert_captured(fixture, count, 0);
    assert_sorted(&fixture->sink);
    for (size_t i = 0; i < bucket_world_key_count(); i++) {
        const struct memory_entry *found = find(fixture, BUCKET_WORLD_KEYS[i]);
        assert_non_null(found);
        assert_int_equal(found->entry.type, ENTRY_OBJECT);
        assert_content(fixture, BUCKET_WORLD_KEYS[i], BUCKET_WORLD_KEYS[i], strlen(BUCKET_WORLD_KEYS[i]));
    }
    assert_content(fixture, longest, longest, S3_KEY_MAX);
    assert_content(fixture, "empty", "", 0);
    free(longest);
}

static void headers_metadata_and_tags_are_kept(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    bucket_world_put(&fixture->world, "page", "<p>", 3, "content-type", "text/html; charset=utf-8", "cache-control",
                     "max-age=60", "content-disposition", "attachment; filename=\"p.html\"", "content-language", "de",
                     "x-amz-meta-owner", "someone", "x-amz-meta-mode", "33188", "x-amz-tagging", "a=1&b%20c=d%26e",
                     NULL);
    capture(fixture);
    const struct memory_entry *page = find(fixture, "page");
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

    fixture->world.source.bucket.tags = false;
    capture(fixture);
    assert_null(entry_attribute(&find(fixture, "page")->entry, "s3.tag.a"));
}

static void large_objects_come_in_order_and_whole(void **state) {
    enum { PART = 6 * 1048576, PARTS = 17, ONCE = 20 * 1048576 + 1 };
    struct fixture *fixture = test_rgw_ready(state);
    bucket_world_put_parts(&fixture->world, "in parts", PART, PARTS, 1);
    bucket_world_put_random(&fixture->world, "at once", ONCE, 99);
    bucket_world_put_random(&fixture->world, "small", 10, 100);
    capture(fixture);
    assert_captured(fixture, 3, 0);
    static const char *const KEYS[] = { "in parts", "at once", "small" };
    for (size_t i = 0; i < 3; i++)
        assert_content_of_bucket(fixture, KEYS[i]);
}

static void patterns_choose_among_keys(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    char *include[] = { TEXT("docs/**"), TEXT("*.txt") };
    char *exclude[] = { TEXT("*.tmp"), TEXT("docs/private/**") };
    static const char *const KEYS[] = { "docs/a", "docs/b.tmp", "docs/private/c", "x.txt", "y/z.txt", "other" };
    for (size_t i = 0; i < 6; i++)
        bucket_world_put(&fixture->world, KEYS[i], "x", 1, NULL);
    fixture->world.source.bucket.include = (struct strings){ include, 2 };
    fixture->world.source.bucket.exclude = (struct strings){ exclude, 2 };
    capture(fixture);
    assert_int_equal(fixture->sink.count, 3);
    assert_non_null(find(fixture, "docs/a"));
    assert_non_null(find(fixture, "x.txt"));
    assert_non_null(find(fixture, "y/z.txt"));
}

static void several_places_come_in_one_order(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    char *other = test_rgw_bucket(TEST_BUCKET_VERSIONED);
    struct err err = { 0 };
    static const char *const KEYS[] = { "a/1", "a/2", "a-b/3", "b/4" };
    for (size_t i = 0; i < 4; i++)
        bucket_world_put(&fixture->world, KEYS[i], "x", 1, NULL);
    assert_success(s3_put(fixture->world.s3, other, "5", "y", 1, NULL, NULL, &err), &err);
    free(fixture->world.places[0]);
    fixture->world.places[0] = bucket_world_address(&fixture->world, other, "");
    fixture->world.places[1] = bucket_world_address(&fixture->world, fixture->world.bucket, "a");
    fixture->world.places[2] = bucket_world_address(&fixture->world, fixture->world.bucket, "a-b");
    fixture->world.source.bucket.places.count = 3;
    capture(fixture);
    assert_int_equal(fixture->sink.count, 4);
    assert_sorted(&fixture->sink);
    assert_int_equal(fixture->sink.unit_count, 3);
    assert_null(find(fixture, "b/4"));
    test_rgw_drop(other);
}

/* --- unchanged ---------------------------------------------------------------------------------------------------- */

static void what_has_not_changed_is_not_read_again(void **state) {
    enum { COUNT = 2000 };
    struct fixture *fixture = test_rgw_ready(state);
    struct fault_proxy *proxy = bucket_world_proxy(&fixture->world);
    struct memory_sink first, second;
    bucket_world_put_many(&fixture->world, "many/", COUNT);
    capture_into(fixture, &first, NULL);
    assert_int_equal(first.count, COUNT);
    assert_sorted(&first);

    fault_proxy_set(proxy, "");
    capture_into(fixture, &second, &first);
    assert_int_equal(second.count, COUNT);
    for (size_t i = 0; i < second.count; i++)
        assert_true(second.entries[i].kept);
    assert_int_equal(fault_proxy_count(proxy, "get"), 0);
    assert_int_equal(fault_proxy_count(proxy, "head"), 0);

    /* Between what is kept, what changed is read, and what is new; what is gone is no more there. */
    struct err err = { 0 };
    bucket_world_put(&fixture->world, "many/100", "another", 7, NULL);
    bucket_world_put(&fixture->world, "many/1500x", "new", 3, NULL);
    assert_success(s3_delete(fixture->world.s3, fixture->world.bucket, "many/7", NULL, &err), &err);
    fault_proxy_set(proxy, "");
    capture_into(fixture, &fixture->sink, &second);
    assert_int_equal(fixture->sink.count, COUNT);
    assert_int_equal(fault_proxy_count(proxy, "get"), 2);
    assert_sorted(&fixture->sink);
    assert_false(find(fixture, "many/100")->kept);
    assert_content(fixture, "many/100", "another", 7);
    assert_true(find(fixture, "many/101")->kept);
    assert_content(fixture, "many/101", "many/101", 8);
    assert_null(find(fixture, "many/7"));
    memory_sink_release(&first);
    memory_sink_release(&second);
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

/* The large object has more pieces than are fetched ahead, so that its end is asked for after its beginning was
 * delivered. */
static void capture_with_event(struct fixture *fixture, const char *content) {
    struct event event = { &fixture->world, "large", content, false };
    struct err err = { 0 };
    bucket_world_put_parts(&fixture->world, "large", 16 * 1048576, 8, 1);
    bucket_world_put(&fixture->world, "zzz", "after", 5, NULL);
    memory_sink_init(&fixture->sink, NULL);
    fixture->sink.on_fill = happen;
    fixture->sink.on_fill_data = &event;
    assert_success(SOURCE_BUCKET.capture(&fixture->world.source, &fixture->sink.sink, NULL, &err), &err);
    assert_true(event.done);
}

static void an_object_that_changes_while_it_is_read_is_read_again(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    capture_with_event(fixture, "new content");
    assert_captured(fixture, 2, 0);
    assert_content(fixture, "large", "new content", 11);
    assert_int_equal(find(fixture, "large")->entry.size, 11);
    assert_content(fixture, "zzz", "after", 5);
    assert_true(fixture->sink.discard_count > 0);
}

static void an_object_that_vanishes_while_it_is_read_is_left_out(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    capture_with_event(fixture, NULL);
    assert_captured(fixture, 1, 0);
    assert_content(fixture, "zzz", "after", 5);
}

static void an_object_that_never_stays_is_named_and_the_others_go_on(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct fault_proxy *proxy = bucket_world_proxy(&fixture->world);
    bucket_world_put(&fixture->world, "a", "first", 5, NULL);
    bucket_world_put(&fixture->world, "restless", "content", 7, NULL);
    bucket_world_put(&fixture->world, "z", "last", 4, NULL);
    fault_proxy_set(proxy, "status code=412 error=PreconditionFailed kind=get key=restless");
    capture(fixture);
    assert_captured(fixture, 2, 1);
    assert_non_null(strstr((const char *)fixture->sink.troubles.data, "restless"));
    assert_int_equal(fault_proxy_count(proxy, "get"), 2 + 4);

    fault_proxy_set(proxy, "status code=403 error=InvalidObjectState kind=get key=restless");
    capture(fixture);
    assert_captured(fixture, 2, 1);
    assert_non_null(strstr((const char *)fixture->sink.troubles.data, "restless"));
}

static void a_wrong_byte_on_the_way_is_found(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct fault_proxy *proxy = bucket_world_proxy(&fixture->world);
    bucket_world_put(&fixture->world, "a", "first", 5, NULL);
    bucket_world_put_random(&fixture->world, "b", 20 * 1048576, 1);
    fault_proxy_set(proxy, "corrupt kind=get key=a count=1\ncorrupt kind=get key=b skip=1 count=1");
    capture(fixture);
    assert_captured(fixture, 2, 0);
    assert_content(fixture, "a", "first", 5);
    assert_content_of_bucket(fixture, "b");

    fault_proxy_set(proxy, "corrupt kind=get key=a");
    capture(fixture);
    assert_captured(fixture, 1, 1);
}

static void a_listing_that_ends_early_loses_nothing(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct fault_proxy *proxy = bucket_world_proxy(&fixture->world);
    bucket_world_put_many(&fixture->world, "k", 30);
    fault_proxy_set(proxy, "short kind=list keep=7");
    capture(fixture);
    assert_captured(fixture, 30, 0);
}

/* --- what cannot be reached --------------------------------------------------------------------------------------- */

static void a_bucket_out_of_reach_is_named_beside_the_others(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };
    bucket_world_put(&fixture->world, "a", "x", 1, NULL);
    fixture->world.places[1] = bucket_world_address(&fixture->world, "no-such-bucket-here", "");
    fixture->world.source.bucket.places.count = 2;
    capture(fixture);
    assert_captured(fixture, 1, 1);
    assert_non_null(strstr((const char *)fixture->sink.troubles.data, "no-such-bucket-here"));
    assert_int_equal(fixture->sink.unit_count, 1);

    free(fixture->world.places[0]);
    fixture->world.places[0] = bucket_world_address(&fixture->world, "nor-this-one", "");
    memory_sink_release(&fixture->sink);
    memory_sink_init(&fixture->sink, NULL);
    assert_failure(SOURCE_BUCKET.preflight(&fixture->world.source, NULL, &err), ERR_NO_BUCKET, &err);
    assert_failure(SOURCE_BUCKET.capture(&fixture->world.source, &fixture->sink.sink, NULL, &err), ERR_NO_BUCKET, &err);
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
    struct fixture *fixture = test_rgw_ready(state);
    struct err err = { 0 };
    bucket_world_put_many(&fixture->world, "k", 50);
    memory_sink_init(&fixture->sink, NULL);
    fixture->sink.entries_until_full = 10;
    assert_failure(SOURCE_BUCKET.capture(&fixture->world.source, &fixture->sink.sink, NULL, &err), ERR_SYSTEM, &err);
    assert_captured(fixture, 9, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_within_one_another_are_refused),
        cmocka_unit_test_setup_teardown(objects_come_with_their_keys_whatever_these_are, make, drop),
        cmocka_unit_test_setup_teardown(headers_metadata_and_tags_are_kept, make, drop),
        cmocka_unit_test_setup_teardown(large_objects_come_in_order_and_whole, make, drop),
        cmocka_unit_test_setup_teardown(patterns_choose_among_keys, make, drop),
        cmocka_unit_test_setup_teardown(several_places_come_in_one_order, make, drop),
        cmocka_unit_test_setup_teardown(what_has_not_changed_is_not_read_again, make, drop),
        cmocka_unit_test_setup_teardown(an_object_that_changes_while_it_is_read_is_read_again, make, drop),
        cmocka_unit_test_setup_teardown(an_object_that_vanishes_while_it_is_read_is_left_out, make, drop),
        cmocka_unit_test_setup_teardown(an_object_that_never_stays_is_named_and_the_others_go_on, make, drop),
        cmocka_unit_test_setup_teardown(a_wrong_byte_on_the_way_is_found, make, drop),
        cmocka_unit_test_setup_teardown(a_listing_that_ends_early_loses_nothing, make, drop),
        cmocka_unit_test_setup_teardown(a_bucket_out_of_reach_is_named_beside_the_others, make, drop),
        cmocka_unit_test_setup_teardown(a_full_store_ends_the_capture, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
