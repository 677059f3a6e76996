/* Objects whose keys are any bytes but NUL: captured, listed, and restored under the very same keys. The scratch store
 * takes only UTF-8, so all of it goes through the proxy that takes them (raw-keys), also what fills and compares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <muniment/util/memory.h>

#include "../lib/bucket_backup.h"
#include "../lib/memory_sink.h"
#include "../lib/rgw.h"
#include "../lib/scratch.h"
#include "../lib/script.h"

enum { LARGE = 17 * 1048576 }; /* goes in parts */

/* In the order of their bytes, so that the listing must mix what is UTF-8 with what is not. */
static const char *const KEYS[] = {
    "\x01\xff",
    "\n\xe4\t",
    " \xa0 ",
    "%FF",
    "%\xff%",
    "%\xff%25",
    "+\xe9+",
    "/\xc0\xaf/",
    "\\xff",
    "a/./\xfe/../b",
    "a//\xf0\x90//b",
    "caf\xc3",
    "caf\xc3.txt",
    "caf\xc3\xa9",
    "caf\xc3\xa9.txt",
    "caf\xc3\xa9\xc3.txt",
    "caf\xe9/\xff\xfe.bin",
    "caf\xff",
    "plain",
    "\x7f",
    "\x80",
    "\x9b[31m",
    "\xbf\x80",
    "\xc2\x9b[31m",
    "\xc3\x83\xc2\xbf",
    "\xc3\xa9 & <\xe9>",
    "\xc3\xbf",
    "\xed\xa0\x80 half of a pair",
    "\xef\xbf\xbd",
    "\xef\xbf\xbf",
    "\xf0\x9f\x99",
    "\xf0\x9f\x99\x82",
    "\xf4\x90\x80\x80 beyond the last",
    "\xf8\x88\x80\x80\x80",
    "\xff",
};
enum { COUNT = sizeof KEYS / sizeof *KEYS };

static void put(struct bucket_backup *backup, const char *key) {
    bucket_world_put(&backup->world, key, key, strlen(key), "x-amz-meta-key", "any", NULL);
}

static int make(void **state) {
    struct bucket_world *world;

    bucket_backup_make(state);
    if (!test_rgw_available())
        return 0;
    world = &((struct bucket_backup *)*state)->world;
    fault_proxy_set(bucket_world_proxy(world), "raw-keys");
    s3_close(world->s3);
    world->s3 = test_rgw_client(fault_proxy_endpoint(world->proxy));
    return 0;
}

static struct bucket_backup *filled(void **state) {
    struct bucket_backup *backup = test_rgw_ready(state);
    for (size_t i = 0; i < COUNT; i++)
        put(backup, KEYS[COUNT - 1 - i]);
    return backup;
}

/* Returns how many objects were downloaded for it. */
static unsigned long capture(struct bucket_backup *backup) {
    fault_proxy_set(backup->world.proxy, "raw-keys");
    bucket_backup_capture(backup);
    return fault_proxy_count(backup->world.proxy, "get");
}

/* What a client says that shares no code with muniment. */
static void list(struct bucket_backup *backup, const char *bucket, struct buffer *out) {
    buffer_clear(out);
    script_run("tools/s3-admin",
               (const char *const[]){ fault_proxy_endpoint(backup->world.proxy), test_rgw_credentials(), "list", bucket,
                                      NULL },
               NULL, out);
}

/* --- source ------------------------------------------------------------------------------------------------------- */

static void look(struct bucket_backup *backup, struct memory_sink *sink, struct memory_sink *last) {
    struct err err = { 0 };
    memory_sink_init(sink, last);
    fault_proxy_set(backup->world.proxy, "raw-keys");
    assert_success(SOURCE_BUCKET.capture(&backup->world.source, &sink->sink, NULL, &err), &err);
    assert_int_equal(sink->trouble_count, 0);
}

static void objects_come_under_their_keys_in_the_order_of_bytes(void **state) {
    struct bucket_backup *backup = filled(state);
    struct memory_sink sink;
    look(backup, &sink, NULL);
    assert_int_equal(sink.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const struct memory_entry *found = &sink.entries[i];
        assert_string_equal(found->entry.path + strlen(backup->world.bucket) + 1, KEYS[i]);
        assert_int_equal(found->content.length, strlen(KEYS[i]));
        assert_memory_equal(found->content.data, KEYS[i], strlen(KEYS[i]));
    }
    memory_sink_release(&sink);
}

static void only_what_changed_is_downloaded_again(void **state) {
    struct bucket_backup *backup = filled(state);
    struct memory_sink first, second, third;
    struct err err = { 0 };
    look(backup, &first, NULL);
    look(backup, &second, &first);
    assert_int_equal(second.count, COUNT);
    assert_int_equal(fault_proxy_count(backup->world.proxy, "get"), 0);

    bucket_world_put(&backup->world, "caf\xe9/\xff\xfe.bin", "changed", 7, NULL);
    bucket_world_put(&backup->world, "new\x80", "new", 3, NULL);
    assert_success(s3_delete(backup->world.s3, backup->world.bucket, "\xff", NULL, &err), &err);
    look(backup, &third, &second);
    assert_int_equal(third.count, COUNT);
    assert_int_equal(fault_proxy_count(backup->world.proxy, "get"), 2);
    char *path = mem_format("%s/caf\xe9/\xff\xfe.bin", backup->world.bucket);
    assert_memory_equal(memory_sink_find(&third, path)->content.data, "changed", 7);
    free(path);
    memory_sink_release(&first);
    memory_sink_release(&second);
    memory_sink_release(&third);
}

static int note_key(void *context, const struct s3_listed *object, struct err *err) {
    size_t *seen = context;
    (void)err;
    assert_true(*seen < COUNT);
    assert_string_equal(object->key, KEYS[(*seen)++]);
    return 0;
}

/* Each page begins after the last key of the one before. */
static void a_listing_goes_on_after_such_a_key(void **state) {
    struct bucket_backup *backup = filled(state);
    size_t seen = 0;
    struct err err = { 0 };
    fault_proxy_set(backup->world.proxy, "raw-keys\nshort kind=list keep=1");
    assert_success(s3_list(backup->world.s3, backup->world.bucket, "", NULL, note_key, &seen, &err), &err);
    assert_int_equal(seen, COUNT);
    assert_int_equal(fault_proxy_count(backup->world.proxy, "list"), COUNT + 1);
}

static void a_place_may_be_below_such_a_prefix(void **state) {
    struct bucket_backup *backup = filled(state);
    struct memory_sink sink;
    put(backup, "caf\xe9/other");
    free(backup->world.places[0]);
    backup->world.places[0] = bucket_world_address(&backup->world, backup->world.bucket, "caf\xe9");
    look(backup, &sink, NULL);
    assert_int_equal(sink.count, 2);
    assert_string_equal(strchr(sink.entries[0].entry.path, '/'), "/caf\xe9/other");
    assert_string_equal(strchr(sink.entries[1].entry.path, '/'), "/caf\xe9/\xff\xfe.bin");
    memory_sink_release(&sink);
}

struct versions {
    size_t count, markers;
    char *ids[4];
};

static int note_version(void *context, const struct s3_version *version, struct err *err) {
    struct versions *versions = context;
    (void)err;
    assert_string_equal(version->key, "caf\xe9/\xff\xfe.bin");
    assert_true(versions->count < 4);
    versions->ids[versions->count++] = mem_string(version->version);
    versions->markers += version->hide_marker;
    return 0;
}

static void versions_are_listed_and_removed_under_such_keys(void **state) {
    static const char key[] = "caf\xe9/\xff\xfe.bin";
    struct bucket_backup *backup = test_rgw_ready(state);
    struct s3 *s3 = backup->world.s3;
    struct versions versions = { 0 };
    struct err err = { 0 };
    char *bucket = test_rgw_bucket(TEST_BUCKET_VERSIONED);
    assert_success(s3_put(s3, bucket, key, "1", 1, NULL, NULL, &err), &err);
    assert_success(s3_put(s3, bucket, key, "2", 1, NULL, NULL, &err), &err);
    assert_success(s3_delete(s3, bucket, key, NULL, &err), &err);
    fault_proxy_set(backup->world.proxy, "raw-keys\nshort kind=versions keep=1");
    assert_success(s3_list_versions(s3, bucket, "caf\xe9", note_version, &versions, &err), &err);
    assert_int_equal(versions.count, 3);
    assert_int_equal(versions.markers, 1);
    for (size_t i = 0; i < 3; i++) {
        assert_success(s3_delete(s3, bucket, key, versions.ids[i], &err), &err);
        free(versions.ids[i]);
    }
    versions.count = 0;
    assert_success(s3_list_versions(s3, bucket, "", note_version, &versions, &err), &err);
    assert_int_equal(versions.count, 0);
    test_rgw_drop(bucket);
}

/* --- to buckets --------------------------------------------------------------------------------------------------- */

static void another_bucket_comes_to_hold_the_same_keys(void **state) {
    struct bucket_backup *backup = filled(state);
    struct buffer listed = { 0 }, restored = { 0 };
    struct err err = { 0 };
    bucket_world_put_random(&backup->world, "large\xff", LARGE, 1);
    assert_int_equal(capture(backup), COUNT + 3);
    bucket_backup_expect_restored(backup, COUNT + 1, 0);
    list(backup, backup->world.bucket, &listed);
    list(backup, backup->target, &restored);
    assert_string_equal(buffer_text(&restored), buffer_text(&listed));
    assert_non_null(strstr(buffer_text(&listed), "caf%E9%2F%FF%FE.bin\n"));

    bucket_backup_expect_restored(backup, COUNT + 1, COUNT + 1);
    assert_success(s3_delete(backup->world.s3, backup->target, "caf\xff", NULL, &err), &err);
    assert_success(s3_delete(backup->world.s3, backup->target, "large\xff", NULL, &err), &err);
    bucket_backup_expect_restored(backup, COUNT + 1, COUNT - 1);

    assert_success(s3_put(backup->world.s3, backup->target, "\xff", "other", 5, NULL, NULL, &err), &err);
    assert_failure(bucket_backup_restore(backup, "", &err), ERR_EXISTS, &err);
    backup->options.overwrite = true;
    bucket_backup_expect_restored(backup, COUNT + 1, COUNT);
    buffer_release(&listed);
    buffer_release(&restored);
}

static void a_prefix_may_be_such_too(void **state) {
    struct bucket_backup *backup = filled(state);
    struct err err = { 0 };
    capture(backup);
    assert_success(bucket_backup_restore(backup, "back\xe9", &err), &err);
    bucket_world_compare(&backup->world, backup->world.bucket, "", backup->target, "back\xe9/");
}

static void the_pipeline_keeps_what_did_not_change(void **state) {
    struct bucket_backup *backup = filled(state);
    assert_int_equal(capture(backup), COUNT);
    assert_int_equal(capture(backup), 0);
    bucket_world_put(&backup->world, "\x80", "changed", 7, NULL);
    assert_int_equal(capture(backup), 1);
    bucket_backup_expect_restored(backup, COUNT, 0);
}

/* --- to a folder -------------------------------------------------------------------------------------------------- */

static void restore_files(struct bucket_backup *backup) {
    bucket_backup_restore_files(backup);
    assert_int_equal(backup->result.incomplete, 0);
}

/* Bytes that are no text stand for themselves; only what no path can hold, or what reads as escaped, is escaped. */
static void files_have_the_names_of_the_objects(void **state) {
    static const char *const ESCAPED[][2] = {
        { "%FF", "%25FF" },
        { "%\xff%25", "%25\xff%2525" },
        { "/\xc0\xaf/", "%2F\xc0\xaf%2F" },
        { "a//\xf0\x90//b", "a/%2F\xf0\x90/%2Fb" },
        { "a/./\xfe/../b", "a/%2E/\xfe/%2E./b" },
    };
    struct bucket_backup *backup = filled(state);
    capture(backup);
    restore_files(backup);
    assert_int_equal(backup->result.entries, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const char *name = KEYS[i];
        for (size_t j = 0; j < sizeof ESCAPED / sizeof *ESCAPED; j++)
            if (strcmp(ESCAPED[j][0], KEYS[i]) == 0)
                name = ESCAPED[j][1];
        bucket_backup_assert_file(backup, name, KEYS[i]);
    }
}

/* Each of these pairs would be one file if only one of them were escaped. */
static void no_two_keys_become_one_file(void **state) {
    static const char *const PAIRS[][2] = {
        { "/b", "%2Fb" },
        { "x//y", "x/%2Fy" },
        { "./d", "%2E/d" },
        { "../\xff", "%2E./\xff" },
        { "/100%", "%2F100%25" },
        { "e/", "e%2F" },
        { "%2Fb\xff/", "%252Fb\xff%2F" },
    };
    enum { PAIR_COUNT = sizeof PAIRS / sizeof *PAIRS, LONG = 300 };
    struct bucket_backup *backup = test_rgw_ready(state);
    char *longer = mem_zalloc(LONG + 1), *cut = mem_zalloc(LONG + 3);
    memset(longer, 0xe9, LONG);
    char *name = mem_format("%.250s%%/%s", longer, longer + 250);
    memcpy(cut, name, LONG + 2);
    for (size_t i = 0; i < PAIR_COUNT; i++) {
        put(backup, PAIRS[i][0]);
        put(backup, PAIRS[i][1]);
    }
    put(backup, longer);
    put(backup, cut);
    capture(backup);
    restore_files(backup);
    assert_int_equal(backup->result.entries, 2 * PAIR_COUNT + 2);
    for (size_t i = 0; i < PAIR_COUNT; i++)
        bucket_backup_assert_file(backup, PAIRS[i][1], PAIRS[i][0]);
    bucket_backup_assert_file(backup, name, longer);
    free(name);
    free(cut);
    free(longer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(objects_come_under_their_keys_in_the_order_of_bytes, make, bucket_backup_drop),
        cmocka_unit_test_setup_teardown(only_what_changed_is_downloaded_again, make, bucket_backup_drop),
        cmocka_unit_test_setup_teardown(a_listing_goes_on_after_such_a_key, make, bucket_backup_drop),
        cmocka_unit_test_setup_teardown(a_place_may_be_below_such_a_prefix, make, bucket_backup_drop),
        cmocka_unit_test_setup_teardown(versions_are_listed_and_removed_under_such_keys, make, bucket_backup_drop),
        cmocka_unit_test_setup_teardown(another_bucket_comes_to_hold_the_same_keys, make, bucket_backup_drop),
        cmocka_unit_test_setup_teardown(a_prefix_may_be_such_too, make, bucket_backup_drop),
        cmocka_unit_test_setup_teardown(the_pipeline_keeps_what_did_not_change, make, bucket_backup_drop),
        cmocka_unit_test_setup_teardown(files_have_the_names_of_the_objects, make, bucket_backup_drop),
        cmocka_unit_test_setup_teardown(no_two_keys_become_one_file, make, bucket_backup_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
