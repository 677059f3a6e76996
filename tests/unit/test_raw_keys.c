/* Objects whose keys are any bytes but NUL: captured, listed, and restored under the very same keys. The scratch store
 * takes only UTF-8, so all of it goes through the proxy that takes them (raw-keys), also what fills and compares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <muniment/snapshot/capture.h>
#include <muniment/snapshot/restore.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>

#include "../lib/bucket_world.h"
#include "../lib/memory_sink.h"
#include "../lib/rgw.h"
#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
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

/* A bucket, a repository for its snapshots, another bucket to restore to. */
struct fixture {
    struct scratch_repo scratch;
    struct bucket_world world;
    struct policy policy;
    char *target, *address; /* the other bucket, once make_target() has made it */
    char *folder, *state;
    struct head head;
    struct restore_options options;
    struct restore_result result;
};

static void put(struct fixture *fixture, const char *key) {
    bucket_world_put(&fixture->world, key, key, strlen(key), "x-amz-meta-key", "any", NULL);
}

static int make(void **state) {
    struct fixture *fixture = mem_zalloc(sizeof *fixture);
    struct bucket_world *world = &fixture->world;
    struct err err = { 0 };

    *state = fixture;
    if (!test_rgw_available())
        return 0;
    scratch_repo_open(&fixture->scratch);
    bucket_world_open(world);
    fault_proxy_set(bucket_world_proxy(world), "raw-keys");
    s3_close(world->s3);
    world->s3 = test_rgw_client(fault_proxy_endpoint(fixture->world.proxy));
    fixture->policy = (struct policy){ .daily = 7, .interval = 86400, .timezone = "UTC" };
    fixture->folder = scratch_make();
    fixture->state = mem_format("%s/state", fixture->folder);
    assert_success(file_make_folders(fixture->state, 0700, &err), &err);
    fixture->options.head = &fixture->head;
    return 0;
}

static int drop(void **state) {
    struct fixture *fixture = *state;

    if (test_rgw_available()) {
        head_release(&fixture->head);
        if (fixture->target)
            test_rgw_drop(fixture->target);
        bucket_world_close(&fixture->world);
        scratch_repo_close(&fixture->scratch);
        free(fixture->address);
        free(fixture->state);
        scratch_remove(fixture->folder);
    }
    free(fixture);
    return 0;
}

static struct fixture *filled(void **state) {
    struct fixture *fixture = test_rgw_ready(state);
    for (size_t i = 0; i < COUNT; i++)
        put(fixture, KEYS[COUNT - 1 - i]);
    return fixture;
}

static void make_target(struct fixture *fixture, const char *prefix) {
    fixture->target = test_rgw_bucket(TEST_BUCKET_PLAIN);
    fixture->address = bucket_world_address(&fixture->world, fixture->target, prefix);
}

/* Returns how many objects were downloaded for it. */
static unsigned long capture(struct fixture *fixture) {
    struct err err = { 0 };
    const struct capture_options options = {
        .sources = &fixture->world.source,
        .source_count = 1,
        .policy = &fixture->policy,
        .state_folder = fixture->state,
    };
    head_release(&fixture->head);
    fault_proxy_set(fixture->world.proxy, "raw-keys");
    assert_success(capture_run(&fixture->scratch.repo, &options, &fixture->head, &err), &err);
    for (size_t i = 0; i < fixture->head.sources[0].trouble_count; i++)
        print_message("%s\n", fixture->head.sources[0].troubles[i]);
    assert_int_equal(fixture->head.outcome, OUTCOME_COMPLETE);
    return fault_proxy_count(fixture->world.proxy, "get");
}

static int restore(struct fixture *fixture, struct err *err) {
    return restore_to_bucket(&fixture->scratch.repo, &fixture->options, fixture->address, &fixture->world.services,
                             &fixture->result, err);
}

static void assert_restores(struct fixture *fixture, uint64_t entries, uint64_t unchanged) {
    struct err err = { 0 };
    assert_success(restore(fixture, &err), &err);
    assert_int_equal(fixture->result.entries, entries);
    assert_int_equal(fixture->result.unchanged, unchanged);
    bucket_world_compare(&fixture->world, fixture->world.bucket, "", fixture->target, "");
}

/* What a client says that shares no code with muniment. */
static void list(struct fixture *fixture, const char *bucket, struct buffer *out) {
    buffer_clear(out);
    script_run("tools/s3-admin",
               (const char *const[]){ fault_proxy_endpoint(fixture->world.proxy), test_rgw_credentials(), "list",
                                      bucket, NULL },
               NULL, out);
}

/* --- source ------------------------------------------------------------------------------------------------------- */

static void look(struct fixture *fixture, struct memory_sink *sink, struct memory_sink *last) {
    struct err err = { 0 };
    memory_sink_init(sink, last);
    fault_proxy_set(fixture->world.proxy, "raw-keys");
    assert_success(SOURCE_BUCKET.capture(&fixture->world.source, &sink->sink, NULL, &err), &err);
    assert_int_equal(sink->trouble_count, 0);
}

static void objects_come_under_their_keys_in_the_order_of_bytes(void **state) {
    struct fixture *fixture = filled(state);
    struct memory_sink sink;
    look(fixture, &sink, NULL);
    assert_int_equal(sink.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const struct memory_entry *found = &sink.entries[i];
        assert_string_equal(found->entry.path + strlen(fixture->world.bucket) + 1, KEYS[i]);
        assert_int_equal(found->content.length, strlen(KEYS[i]));
        assert_memory_equal(found->content.data, KEYS[i], strlen(KEYS[i]));
    }
    memory_sink_release(&sink);
}

static void only_what_changed_is_downloaded_again(void **state) {
    struct fixture *fixture = filled(state);
    struct memory_sink first, second, third;
    struct err err = { 0 };
    look(fixture, &first, NULL);
    look(fixture, &second, &first);
    assert_int_equal(second.count, COUNT);
    assert_int_equal(fault_proxy_count(fixture->world.proxy, "get"), 0);

    bucket_world_put(&fixture->world, "caf\xe9/\xff\xfe.bin", "changed", 7, NULL);
    bucket_world_put(&fixture->world, "new\x80", "new", 3, NULL);
    assert_success(s3_delete(fixture->world.s3, fixture->world.bucket, "\xff", NULL, &err), &err);
    look(fixture, &third, &second);
    assert_int_equal(third.count, COUNT);
    assert_int_equal(fault_proxy_count(fixture->world.proxy, "get"), 2);
    char *path = mem_format("%s/caf\xe9/\xff\xfe.bin", fixture->world.bucket);
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
    struct fixture *fixture = filled(state);
    size_t seen = 0;
    struct err err = { 0 };
    fault_proxy_set(fixture->world.proxy, "raw-keys\nshort kind=list keep=1");
    assert_success(s3_list(fixture->world.s3, fixture->world.bucket, "", NULL, note_key, &seen, &err), &err);
    assert_int_equal(seen, COUNT);
    assert_int_equal(fault_proxy_count(fixture->world.proxy, "list"), COUNT + 1);
}

static void a_place_may_be_below_such_a_prefix(void **state) {
    struct fixture *fixture = filled(state);
    struct memory_sink sink;
    put(fixture, "caf\xe9/other");
    free(fixture->world.places[0]);
    fixture->world.places[0] = bucket_world_address(&fixture->world, fixture->world.bucket, "caf\xe9");
    look(fixture, &sink, NULL);
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
    struct fixture *fixture = test_rgw_ready(state);
    struct s3 *s3 = fixture->world.s3;
    struct versions versions = { 0 };
    struct err err = { 0 };
    char *bucket = test_rgw_bucket(TEST_BUCKET_VERSIONED);
    assert_success(s3_put(s3, bucket, key, "1", 1, NULL, NULL, &err), &err);
    assert_success(s3_put(s3, bucket, key, "2", 1, NULL, NULL, &err), &err);
    assert_success(s3_delete(s3, bucket, key, NULL, &err), &err);
    fault_proxy_set(fixture->world.proxy, "raw-keys\nshort kind=versions keep=1");
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
    struct fixture *fixture = filled(state);
    struct buffer listed = { 0 }, restored = { 0 };
    struct err err = { 0 };
    make_target(fixture, "");
    bucket_world_put_random(&fixture->world, "large\xff", LARGE, 1);
    assert_int_equal(capture(fixture), COUNT + 3);
    assert_restores(fixture, COUNT + 1, 0);
    list(fixture, fixture->world.bucket, &listed);
    list(fixture, fixture->target, &restored);
    assert_string_equal(buffer_text(&restored), buffer_text(&listed));
    assert_non_null(strstr(buffer_text(&listed), "caf%E9%2F%FF%FE.bin\n"));

    assert_restores(fixture, COUNT + 1, COUNT + 1);
    assert_success(s3_delete(fixture->world.s3, fixture->target, "caf\xff", NULL, &err), &err);
    assert_success(s3_delete(fixture->world.s3, fixture->target, "large\xff", NULL, &err), &err);
    assert_restores(fixture, COUNT + 1, COUNT - 1);

    assert_success(s3_put(fixture->world.s3, fixture->target, "\xff", "other", 5, NULL, NULL, &err), &err);
    assert_failure(restore(fixture, &err), ERR_EXISTS, &err);
    fixture->options.overwrite = true;
    assert_restores(fixture, COUNT + 1, COUNT);
    buffer_release(&listed);
    buffer_release(&restored);
}

static void a_prefix_may_be_such_too(void **state) {
    struct fixture *fixture = filled(state);
    struct err err = { 0 };
    capture(fixture);
    make_target(fixture, "back\xe9");
    assert_success(restore(fixture, &err), &err);
    bucket_world_compare(&fixture->world, fixture->world.bucket, "", fixture->target, "back\xe9/");
}

static void the_pipeline_keeps_what_did_not_change(void **state) {
    struct fixture *fixture = filled(state);
    assert_int_equal(capture(fixture), COUNT);
    assert_int_equal(capture(fixture), 0);
    bucket_world_put(&fixture->world, "\x80", "changed", 7, NULL);
    assert_int_equal(capture(fixture), 1);
    make_target(fixture, "");
    assert_restores(fixture, COUNT, 0);
}

/* --- to a folder -------------------------------------------------------------------------------------------------- */

static void assert_file(const struct fixture *fixture, const char *name, const char *content) {
    struct buffer found = { 0 };
    struct err err = { 0 };
    char *path = mem_format("%s/out/objects/%s/%s", fixture->folder, fixture->world.bucket, name);
    assert_success(file_read(path, 1048576, &found, &err), &err);
    assert_string_equal(buffer_text(&found), content);
    buffer_release(&found);
    free(path);
}

static void restore_to_out(struct fixture *fixture) {
    struct err err = { 0 };
    char *out = mem_format("%s/out", fixture->folder);
    assert_success(restore_to_folder(&fixture->scratch.repo, &fixture->options, out, &fixture->result, &err), &err);
    assert_int_equal(fixture->result.incomplete, 0);
    free(out);
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
    struct fixture *fixture = filled(state);
    capture(fixture);
    restore_to_out(fixture);
    assert_int_equal(fixture->result.entries, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const char *name = KEYS[i];
        for (size_t j = 0; j < sizeof ESCAPED / sizeof *ESCAPED; j++)
            if (strcmp(ESCAPED[j][0], KEYS[i]) == 0)
                name = ESCAPED[j][1];
        assert_file(fixture, name, KEYS[i]);
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
    struct fixture *fixture = test_rgw_ready(state);
    char *longer = mem_zalloc(LONG + 1), *cut = mem_zalloc(LONG + 3);
    memset(longer, 0xe9, LONG);
    char *name = mem_format("%.250s%%/%s", longer, longer + 250);
    memcpy(cut, name, LONG + 2);
    for (size_t i = 0; i < PAIR_COUNT; i++) {
        put(fixture, PAIRS[i][0]);
        put(fixture, PAIRS[i][1]);
    }
    put(fixture, longer);
    put(fixture, cut);
    capture(fixture);
    restore_to_out(fixture);
    assert_int_equal(fixture->result.entries, 2 * PAIR_COUNT + 2);
    for (size_t i = 0; i < PAIR_COUNT; i++)
        assert_file(fixture, PAIRS[i][1], PAIRS[i][0]);
    assert_file(fixture, name, longer);
    free(name);
    free(cut);
    free(longer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(objects_come_under_their_keys_in_the_order_of_bytes, make, drop),
        cmocka_unit_test_setup_teardown(only_what_changed_is_downloaded_again, make, drop),
        cmocka_unit_test_setup_teardown(a_listing_goes_on_after_such_a_key, make, drop),
        cmocka_unit_test_setup_teardown(a_place_may_be_below_such_a_prefix, make, drop),
        cmocka_unit_test_setup_teardown(versions_are_listed_and_removed_under_such_keys, make, drop),
        cmocka_unit_test_setup_teardown(another_bucket_comes_to_hold_the_same_keys, make, drop),
        cmocka_unit_test_setup_teardown(a_prefix_may_be_such_too, make, drop),
        cmocka_unit_test_setup_teardown(the_pipeline_keeps_what_did_not_change, make, drop),
        cmocka_unit_test_setup_teardown(files_have_the_names_of_the_objects, make, drop),
        cmocka_unit_test_setup_teardown(no_two_keys_become_one_file, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
