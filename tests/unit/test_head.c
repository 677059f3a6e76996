#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
#include <muniment/repo/head.h>
#include <muniment/repo/record.h>
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t NOON = 1772366400; /* 2026-03-01T12:00:00Z */
enum { DAY = 86400 };

/* A head with one of everything. */
static void make_head(struct head *head, int64_t started, enum outcome outcome) {
    static const uint8_t birth[BIRTH_SIZE] = { 1, 2, 3 };
    *head = (struct head){ .started = started,
                           .finished = started + 60,
                           .hostname = mem_string("db1"),
                           .tool = mem_string("0.1.0"),
                           .outcome = (uint8_t)outcome,
                           .tiers = 5,
                           .limits = { 7, 4, 6, 0 },
                           .deadline = started + 90 * DAY,
                           .sources = mem_array(2, sizeof *head->sources),
                           .source_count = 2 };
    struct head_source *source = &head->sources[0];
    *source = (struct head_source){ .name = mem_string("db"),
                                    .kind = mem_string("postgres"),
                                    .outcome = (uint8_t)outcome,
                                    .started = started,
                                    .finished = started + 50,
                                    .entries = 3,
                                    .bytes = UINT64_C(5000000000),
                                    .stored_bytes = 1234567,
                                    .digest = { 9, 8, 7 },
                                    .facts = mem_array(1, sizeof *source->facts),
                                    .units = mem_array(2, sizeof *source->units),
                                    .troubles = mem_array(1, sizeof *source->troubles),
                                    .fact_count = 1,
                                    .unit_count = 2,
                                    .trouble_count = 1 };
    source->facts[0] = (struct head_fact){ mem_string("server"), mem_string("15.4") };
    source->units[0] = (struct head_unit){ mem_string("app"), 4000, 17, true };
    source->units[1] = (struct head_unit){ mem_string("blobs"), 1000, 0, false };
    source->troubles[0] = mem_string("table 'x' was dropped while it was dumped");
    source->references.depth = 1;
    source->references.data_extents = 70000;
    source->references.tree_extents = 2;
    extents_add(&source->references.root, birth, 0, 4);
    extents_add(&source->references.root, birth, 9, 1);

    /* And one that has as little as there can be. */
    head->sources[1] = (struct head_source){ .name = mem_string(""), .kind = mem_string(""), .outcome = 1 };
}

static void assert_same(const struct head *one, const struct head *two) {
    struct buffer left = { 0 }, right = { 0 };
    head_encode(one, &left);
    head_encode(two, &right);
    assert_int_equal(left.length, right.length);
    assert_memory_equal(left.data, right.data, left.length);
    buffer_release(&left);
    buffer_release(&right);
}

static void a_committed_head_comes_back_whole(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct head head, loaded;
    struct err err = { 0 };
    scratch_repo_open(&scratch);
    make_head(&head, NOON, OUTCOME_PARTIAL);
    assert_success(head_commit(&scratch.repo, &head, &err), &err);
    assert_memory_equal(head.name, "20260301T120000Z-", 17);
    assert_int_equal(strlen(head.name), 17 + 64);

    assert_success(head_load(&scratch.repo, head.name, &loaded, &err), &err);
    assert_same(&head, &loaded);
    assert_string_equal(loaded.name, head.name);
    assert_memory_equal(loaded.signer, scratch.keys.host_public, SIGN_PUBLIC_SIZE);
    assert_string_equal(loaded.sources[0].facts[0].value, "15.4");
    assert_true(loaded.sources[0].units[0].rows_known);
    assert_int_equal(loaded.sources[0].units[0].rows, 17);
    assert_false(loaded.sources[0].units[1].rows_known);
    assert_int_equal(loaded.sources[0].references.root.count, 2);
    assert_int_equal(loaded.sources[0].references.root.items[1].first, 9);
    assert_true(head_bytes(&loaded) == UINT64_C(5000000000));
    assert_int_equal(head_stored_bytes(&loaded), 1234567);
    assert_int_equal(head_units(&loaded), 2);
    char short_name[9];
    assert_memory_equal(head_short_name(loaded.name, short_name), loaded.name + 17, 8);
    head_release(&head);
    head_release(&loaded);
    scratch_repo_close(&scratch);
}

static void a_name_is_the_hash_of_the_object(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct head head;
    struct err err = { 0 };
    char name[REPO_NAME_MAX], *command;
    scratch_repo_open(&scratch);
    make_head(&head, NOON, OUTCOME_COMPLETE);
    assert_success(head_commit(&scratch.repo, &head, &err), &err);
    command = mem_format("echo '%s  %s/%s' | sha256sum --check --status", strchr(head.name, '-') + 1, scratch.folder,
                         repo_name(&scratch.repo, name, "snapshots", head.name));
    assert_int_equal(system(command), 0);
    free(command);
    head_release(&head);
    scratch_repo_close(&scratch);
}

static void a_payload_with_any_bytes_missing_or_left_over_is_refused(void **state) {
    (void)state;
    struct head head, decoded;
    struct err err = { 0 };
    struct buffer payload = { 0 };
    char *name = mem_format("20260301T120000Z-%064d", 0);
    make_head(&head, NOON, OUTCOME_COMPLETE);
    head_encode(&head, &payload);
    assert_success(head_decode(&decoded, payload.data, payload.length, name, &err), &err);
    assert_same(&head, &decoded);
    head_release(&decoded);
    for (size_t length = 0; length < payload.length; length++)
        assert_failure(head_decode(&decoded, payload.data, length, name, &err), ERR_CORRUPT, &err);
    buffer_put_u8(&payload, 0);
    assert_failure(head_decode(&decoded, payload.data, payload.length, name, &err), ERR_CORRUPT, &err);
    buffer_release(&payload);
    head_release(&head);
    free(name);
}

static void decode_expects_refusal(const struct head *head, const char *what) {
    struct head decoded;
    struct err err = { 0 };
    struct buffer payload = { 0 };
    char time[CLOCK_TEXT], *name = mem_format("%s-%064d", clock_format_compact(time, head->started), 0);
    head_encode(head, &payload);
    if (head_decode(&decoded, payload.data, payload.length, name, &err) == 0)
        fail_msg("%s was accepted", what);
    assert_int_equal(err.code, ERR_CORRUPT);
    buffer_release(&payload);
    free(name);
}

static void values_that_cannot_be_are_refused(void **state) {
    (void)state;
    struct head head;
    make_head(&head, NOON, OUTCOME_COMPLETE);
    head.outcome = 0;
    decode_expects_refusal(&head, "no outcome");
    head.outcome = 4;
    decode_expects_refusal(&head, "a fourth outcome");
    head.outcome = OUTCOME_COMPLETE;
    head.sources[1].outcome = OUTCOME_PARTIAL;
    decode_expects_refusal(&head, "a complete snapshot of a partial source");
    head.sources[1].outcome = OUTCOME_COMPLETE;
    head.tiers = 16;
    decode_expects_refusal(&head, "a fifth tier");
    head.tiers = 8;
    decode_expects_refusal(&head, "a tier that the policy did not have");
    head.tiers = 1;
    head.deadline = -1;
    decode_expects_refusal(&head, "a deadline before all time");
    head.deadline = 0;
    head.sources[0].references.depth = 4;
    decode_expects_refusal(&head, "a fourth level");
    head.sources[0].references.depth = 1;
    head.sources[0].references.root.items[0].count = 0;
    decode_expects_refusal(&head, "an empty extent");
    head.sources[0].references.root.items[0].count = 1;
    head.sources[0].units[1].rows = 3;
    decode_expects_refusal(&head, "rows that are not known");
    head_release(&head);
}

static void a_head_under_another_time_is_refused(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct head head;
    struct heads heads;
    struct err err = { 0 };
    char from[REPO_NAME_MAX], to[REPO_NAME_MAX];
    scratch_repo_open(&scratch);
    make_head(&head, NOON, OUTCOME_COMPLETE);
    assert_success(head_commit(&scratch.repo, &head, &err), &err);
    repo_name(&scratch.repo, from, "snapshots", head.name);
    head.name[7]++; /* the next day */
    scratch_repo_copy(&scratch, from, repo_name(&scratch.repo, to, "snapshots", head.name));
    assert_failure(heads_load(&scratch.repo, &heads, &err), ERR_CORRUPT, &err);
    head_release(&head);
    scratch_repo_close(&scratch);
}

static void one_damaged_head_fails_the_whole_load(void **state) {
    (void)state;
    enum { HEADS = 40 }; /* enough for several threads */
    struct scratch_repo scratch;
    struct head head;
    struct heads heads;
    struct err err = { 0 };
    char first[REPO_NAME_MAX];
    scratch_repo_open(&scratch);
    for (int i = HEADS; i > 0; i--) {
        make_head(&head, NOON + i * DAY, OUTCOME_COMPLETE);
        assert_success(head_commit(&scratch.repo, &head, &err), &err);
        head_release(&head);
    }
    assert_success(heads_load(&scratch.repo, &heads, &err), &err);
    assert_int_equal(heads.count, HEADS);
    for (int i = 0; i < HEADS; i++)
        assert_int_equal(heads.items[i].started, NOON + (i + 1) * DAY);
    heads_release(&heads);
    assert_int_equal(scratch_repo_list(&scratch, "snapshots", first), HEADS);
    scratch_repo_flip(&scratch, first, 100, 1);
    assert_int_equal(heads_load(&scratch.repo, &heads, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.message, first));
    assert_int_equal(heads.count, 0);
    scratch_repo_close(&scratch);
}

static void only_a_writer_commits(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct head head;
    struct err err = { 0 };
    scratch_repo_open(&scratch);
    make_head(&head, NOON, OUTCOME_COMPLETE);
    scratch.keys.can_sign = false;
    assert_failure(head_commit(&scratch.repo, &head, &err), ERR_KEY, &err);
    assert_int_equal(scratch_repo_list(&scratch, "snapshots", NULL), 0);
    head_release(&head);
    scratch_repo_close(&scratch);
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

static struct head items[4];
static const struct heads HEADS = { items, 4 };

static int make_heads(void **state) {
    (void)state;
    static const char *const hashes[] = { "aaaa1111", "aaaa2222", "12345678", "bbbb4444" };
    for (int i = 0; i < 4; i++) {
        char time[CLOCK_TEXT];
        items[i] = (struct head){ .started = NOON + i * DAY, .outcome = i == 3 ? OUTCOME_PARTIAL : OUTCOME_COMPLETE };
        items[i].name = mem_format("%s-%s%056d", clock_format_compact(time, items[i].started), hashes[i], 0);
    }
    return 0;
}

static int drop_heads(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++)
        head_release(&items[i]);
    return 0;
}

static void finds(const char *which, int at) {
    const struct head *head;
    struct err err = { 0 };
    if (heads_find(&HEADS, which, &head, &err) != 0)
        fail_msg("'%s': %s", which, err.message);
    if (head != &items[at])
        fail_msg("'%s' finds %d, not %d", which, (int)(head - items), at);
}

static void snapshots_are_found_as_people_name_them(void **state) {
    (void)state;
    finds("", 3);
    finds("latest", 3);
    finds("latest-complete", 2);
    finds("aaaa1", 0);
    finds("aaaa2222", 1);
    finds("1234", 2);
    finds(items[1].name, 1);
    finds(strchr(items[1].name, '-') + 1, 1);
    finds("2026-03-02T12:00:00Z", 1);
    finds("2026-03-02T13:00:00+01:00", 1);
    finds("2026-03-02T11:59:59Z", 0);
    finds("2026-03-03", 1);
    finds("2030-01-01", 3);
}

static void what_names_no_one_snapshot_is_refused(void **state) {
    (void)state;
    const struct head *head;
    struct err err = { 0 };
    const struct heads none = { 0 };
    assert_failure(heads_find(&HEADS, "aaaa", &head, &err), ERR_INVALID, &err);
    assert_null(head);
    assert_failure(heads_find(&HEADS, "cccc", &head, &err), ERR_NOT_FOUND, &err);
    assert_failure(heads_find(&HEADS, "bbb", &head, &err), ERR_INVALID, &err);
    assert_failure(heads_find(&HEADS, "AAAA1", &head, &err), ERR_INVALID, &err);
    assert_failure(heads_find(&HEADS, "yesterday", &head, &err), ERR_INVALID, &err);
    assert_failure(heads_find(&HEADS, "2026-02-28", &head, &err), ERR_NOT_FOUND, &err);
    assert_failure(heads_find(&none, "latest", &head, &err), ERR_NOT_FOUND, &err);
    struct heads partial = { &items[3], 1 };
    assert_failure(heads_find(&partial, "latest-complete", &head, &err), ERR_NOT_FOUND, &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_committed_head_comes_back_whole),
        cmocka_unit_test(a_name_is_the_hash_of_the_object),
        cmocka_unit_test(a_payload_with_any_bytes_missing_or_left_over_is_refused),
        cmocka_unit_test(values_that_cannot_be_are_refused),
        cmocka_unit_test(a_head_under_another_time_is_refused),
        cmocka_unit_test(one_damaged_head_fails_the_whole_load),
        cmocka_unit_test(only_a_writer_commits),
        cmocka_unit_test_setup_teardown(snapshots_are_found_as_people_name_them, make_heads, drop_heads),
        cmocka_unit_test_setup_teardown(what_names_no_one_snapshot_is_refused, make_heads, drop_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
