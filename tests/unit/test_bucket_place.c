#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <muniment/source/bucket_place.h>
#include <muniment/util/memory.h>

#include "../lib/bucket_world.h"
#include "../lib/rgw.h"
#include "../lib/scratch.h"

enum { LARGE = 33 * 1048576 }; /* three parts */

struct fixture {
    struct bucket_world world;
    struct s3_place to;
    struct bucket_place *place;
};

static void open_fixture(struct fixture *fixture, const char *prefix, bool several) {
    struct err err = { 0 };
    bucket_world_open(&fixture->world);
    char *address = bucket_world_address(&fixture->world, fixture->world.bucket, prefix);
    assert_success(s3_place_parse(address, &fixture->world.services, &fixture->to, &err), &err);
    assert_success(bucket_place_open(&fixture->to, several, NULL, &fixture->place, &err), &err);
    free(address);
}

static void close_fixture(struct fixture *fixture) {
    struct err err = { 0 };
    if (fixture->place)
        assert_success(bucket_place_close(fixture->place, &err), &err);
    s3_place_release(&fixture->to);
    bucket_world_close(&fixture->world);
}

static struct entry make_entry(const char *path, uint64_t size, const char *etag) {
    struct entry entry = { .path = mem_string(path), .type = ENTRY_OBJECT, .size = size };
    entry_add_attribute(&entry, "s3.etag", etag, strlen(etag));
    entry_add_attribute(&entry, "s3.header.content-type", "text/plain", 10);
    return entry;
}

static void place_bytes(struct fixture *fixture, const struct entry *entry, uint64_t length) {
    static uint8_t data[1048576];
    struct err err = { 0 };
    assert_success(bucket_place_begin(fixture->place, entry, &err), &err);
    for (uint64_t left = length; left > 0;) {
        const size_t part = left < sizeof data ? (size_t)left : sizeof data;
        assert_success(bucket_place_data(fixture->place, data, part, &err), &err);
        left -= part;
    }
}

static uint8_t look(struct fixture *fixture, const struct entry *entry) {
    struct err err = { 0 };
    uint8_t found = 255;
    assert_success(bucket_place_look(fixture->place, entry, &found, &err), &err);
    assert_success(bucket_place_looked(fixture->place, &err), &err);
    return found;
}

static size_t unfinished_uploads(struct fixture *fixture) {
    struct buffer out = { 0 };
    test_rgw_admin(&out, "uploads", fixture->world.bucket, NULL);
    const size_t length = out.length;
    buffer_release(&out);
    return length;
}

static void content_that_is_cut_is_not_written(void **state) {
    (void)state;
    struct fixture fixture;
    struct err err = { 0 };
    if (!test_rgw_available())
        skip();
    open_fixture(&fixture, "", false);
    static const uint64_t SIZES[] = { 1000, LARGE };
    for (size_t i = 0; i < 2; i++) {
        struct entry entry = make_entry("bucket/key", SIZES[i], "");
        place_bytes(&fixture, &entry, SIZES[i] - 1);
        assert_failure(bucket_place_end(fixture.place, &err), ERR_CORRUPT, &err);
        place_bytes(&fixture, &entry, SIZES[i]);
        assert_failure(bucket_place_data(fixture.place, "x", 1, &err), ERR_CORRUPT, &err);
        entry_release(&entry);
    }
    bucket_place_abort(fixture.place);
    fixture.place = NULL;
    assert_int_equal(bucket_world_count(&fixture.world, fixture.world.bucket, ""), 0);
    assert_int_equal(unfinished_uploads(&fixture), 0);
    close_fixture(&fixture);
}

static void a_key_that_would_be_too_long_is_refused(void **state) {
    (void)state;
    struct fixture fixture;
    struct err err = { 0 };
    uint8_t found;
    if (!test_rgw_available())
        skip();
    open_fixture(&fixture, "some/prefix", true);
    char *key = bucket_world_longest_key(), *path = mem_format("bucket/%s", key);
    struct entry entry = make_entry(path, 1, "");
    assert_failure(bucket_place_look(fixture.place, &entry, &found, &err), ERR_INVALID, &err);
    assert_failure(bucket_place_begin(fixture.place, &entry, &err), ERR_INVALID, &err);
    entry_release(&entry);
    free(path);
    free(key);
    close_fixture(&fixture);
}

/* An object in parts has another ETag than the one it was captured with: its content tells. */
static void equal_content_is_found_whatever_its_parts(void **state) {
    (void)state;
    static uint8_t data[1048576];
    struct fixture fixture;
    struct err err = { 0 };
    struct bucket_compare *compare = NULL;
    if (!test_rgw_available())
        skip();
    open_fixture(&fixture, "", false);
    struct entry entry = make_entry("bucket/key", LARGE, "0123456789abcdef0123456789abcdef-9");
    assert_int_equal(look(&fixture, &entry), BUCKET_FOUND_NOTHING);
    place_bytes(&fixture, &entry, LARGE);
    assert_success(bucket_place_end(fixture.place, &err), &err);
    assert_success(bucket_place_close(fixture.place, &err), &err);
    assert_success(bucket_place_open(&fixture.to, false, NULL, &fixture.place, &err), &err);

    assert_int_equal(look(&fixture, &entry), BUCKET_FOUND_UNSURE);
    for (int changed = 0; changed < 2; changed++) {
        assert_success(bucket_compare_begin(fixture.place, &entry, &compare, &err), &err);
        for (size_t i = 0; i < LARGE / sizeof data; i++) {
            data[5] = changed && i == 20;
            bucket_compare_data(compare, data, sizeof data);
        }
        assert_int_equal(bucket_compare_end(compare), !changed);
    }
    data[5] = 0;

    struct entry_attribute *type = &entry.attributes[1];
    assert_string_equal(type->name, "s3.header.content-type");
    memcpy(type->value, "text/other", 10);
    assert_int_equal(look(&fixture, &entry), BUCKET_FOUND_OTHER);
    memcpy(type->value, "text/plain", 10);
    entry.size--;
    assert_int_equal(look(&fixture, &entry), BUCKET_FOUND_OTHER);
    entry_release(&entry);
    close_fixture(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_that_is_cut_is_not_written),
        cmocka_unit_test(a_key_that_would_be_too_long_is_refused),
        cmocka_unit_test(equal_content_is_found_whatever_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
