#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/repo/journal_internal.h"
#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
#include <muniment/repo/record.h>
#include <muniment/util/memory.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const int64_t NOON = 1772366400; /* 2026-03-01T12:00:00Z */

static void append_one(struct repo *repo, const char *event, const char *value) {
    struct journal_batch batch = { 0 };
    struct err err = { 0 };
    journal_add(&batch, NOON, event, "object", value, NULL);
    assert_success(journal_append(repo, &batch, &err), &err);
    assert_int_equal(batch.count, 0);
    journal_batch_release(&batch);
}

/* Every event as a line of text. */
static int collect(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct buffer *out = context;
    (void)segment;
    (void)err;
    buffer_printf(out, "%lld %s", (long long)entry->time, entry->event);
    for (const char *const *field = entry->fields; *field; field += 2)
        buffer_printf(out, " %s=[%s]", field[0], field[1]);
    buffer_put_u8(out, '\n');
    return 0;
}

static int count_events(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    (void)segment;
    (void)entry;
    (void)err;
    ++*(size_t *)context;
    return 0;
}

static void events_come_back_in_order_with_every_byte(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct journal_batch batch = { 0 };
    struct buffer text = { 0 };
    struct err err = { 0 };
    scratch_repo_open(&scratch);
    journal_add(&batch, NOON, "captured", "snapshot", "20260301T120000Z-ab", "outcome", "complete", NULL);
    journal_add(&batch, NOON + 1, "refused", "source", "a\tb\nc%\x7f=\x01", "reason", "æ = ok", NULL);
    assert_success(journal_append(&scratch.repo, &batch, &err), &err);
    journal_add(&batch, NOON - 1, "verified", NULL);
    journal_add(&batch, NOON, "expired", "snapshot", "", NULL);
    assert_success(journal_append(&scratch.repo, &batch, &err), &err);
    assert_success(journal_append(&scratch.repo, &batch, &err), &err);
    assert_int_equal(scratch_repo_list(&scratch, "journal", NULL), 2);

    assert_success(journal_walk(&scratch.repo, collect, &text, &err), &err);
    assert_string_equal(buffer_text(&text), "1772366400 captured snapshot=[20260301T120000Z-ab] outcome=[complete]\n"
                                            "1772366401 refused source=[a\tb\nc%\x7f=\x01] reason=[æ = ok]\n"
                                            "1772366399 verified\n"
                                            "1772366400 expired snapshot=[]\n");
    assert_success(journal_walk(&scratch.repo, NULL, NULL, &err), &err);
    buffer_release(&text);
    journal_batch_release(&batch);
    scratch_repo_close(&scratch);
}

static void a_segment_is_text_that_anyone_can_read(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct buffer object = { 0 };
    struct err err = { 0 };
    char name[REPO_NAME_MAX], host[17];
    scratch_repo_open(&scratch);
    append_one(&scratch.repo, "destroyed", "packs/ab/ab12");
    scratch_repo_list(&scratch, "journal", name);
    assert_success(store_get(scratch.store, name, 65536, &object, &err), &err);
    char *expected = mem_format("muniment journal 1\nset %s\nhost %s\nnumber 1\nprevious %064d\n"
                                "2026-03-01T12:00:00Z\tdestroyed\tobject=packs/ab/ab12\n",
                                scratch.keys.set_name, keys_host_name(&scratch.keys, host), 0);
    assert_int_equal(object.length, 6 + strlen(expected) + 160);
    assert_memory_equal(object.data + 6, expected, strlen(expected));
    char *leaf = mem_format("%s/journal/%s-0000000001-", scratch.keys.set_name, host);
    assert_memory_equal(name, leaf, strlen(leaf));
    free(leaf);
    free(expected);
    buffer_release(&object);
    scratch_repo_close(&scratch);
}

static void hosts_have_chains_of_their_own(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct keys second;
    struct repo other;
    struct err err = { 0 };
    size_t events = 0;
    scratch_repo_open(&scratch);
    second = scratch.keys;
    keys_new_host(&second);
    other = scratch.repo;
    other.keys = &second;
    for (int i = 0; i < 12; i++)
        append_one(i % 3 == 0 ? &other : &scratch.repo, "verified", "x");
    assert_success(journal_walk(&other, count_events, &events, &err), &err);
    assert_int_equal(events, 12);
    keys_wipe(&second);
    scratch_repo_close(&scratch);
}

static void name_of(const struct scratch_repo *scratch, size_t at, char name[REPO_NAME_MAX]) {
    struct store_names names = { 0 };
    struct err err = { 0 };
    assert_success(store_names_load(scratch->store, repo_folder(&scratch->repo, name, "journal"), &names, &err), &err);
    assert_true(at < names.count);
    snprintf(name, REPO_NAME_MAX, "%s", names.items[at].name);
    store_names_release(&names);
}

static void a_missing_segment_is_found(void **state) {
    (void)state;
    for (size_t missing = 0; missing < 2; missing++) {
        struct scratch_repo scratch;
        struct err err = { 0 };
        char name[REPO_NAME_MAX], next[REPO_NAME_MAX];
        scratch_repo_open(&scratch);
        for (int i = 0; i < 3; i++)
            append_one(&scratch.repo, "verified", "x");
        name_of(&scratch, missing, name);
        name_of(&scratch, missing + 1, next);
        assert_success(store_remove(scratch.store, name, NULL, &err), &err);
        assert_int_equal(journal_walk(&scratch.repo, NULL, NULL, &err), -1);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_non_null(strstr(err.message, next));
        scratch_repo_close(&scratch);
    }
}

static void every_changed_byte_of_a_segment_is_found(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct buffer object = { 0 };
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    scratch_repo_open(&scratch);
    append_one(&scratch.repo, "verified", "x");
    append_one(&scratch.repo, "verified", "y");
    name_of(&scratch, 0, name);
    assert_success(store_get(scratch.store, name, 65536, &object, &err), &err);
    for (size_t i = 0; i < object.length; i++) {
        object.data[i] ^= 1;
        assert_success(store_put(scratch.store, name, object.data, object.length, &err), &err);
        assert_failure(journal_walk(&scratch.repo, NULL, NULL, &err), ERR_CORRUPT, &err);
        object.data[i] ^= 1;
    }
    assert_success(store_put(scratch.store, name, object.data, object.length, &err), &err);
    assert_success(journal_walk(&scratch.repo, NULL, NULL, &err), &err);
    buffer_release(&object);
    scratch_repo_close(&scratch);
}

/* What a certified host signs itself, but not as the next segment. */
static void put_forged(struct scratch_repo *scratch, struct keys *signer, const char *host, uint64_t number,
                       const char *payload) {
    struct journal_place place = { .number = number };
    struct buffer object = { 0 };
    struct err err = { 0 };
    char leaf[256], name[REPO_NAME_MAX];
    memcpy(place.host, host, sizeof place.host);
    record_seal(signer, RECORD_JOURNAL, payload, strlen(payload), &object, place.hash);
    repo_name(&scratch->repo, name, "journal", journal_name_format(&place, leaf, sizeof leaf));
    assert_success(store_put(scratch->store, name, object.data, object.length, &err), &err);
    buffer_release(&object);
}

static void segments_that_do_not_belong_are_refused(void **state) {
    (void)state;
    static const char *const events[] = {
        "2026-03-01T12:00:00Z\n",
        "2026-03-01T12:00:00Z\tUpper\n",
        "2026-03-01T12:00:00+00:00\tverified\n",
        "2026-03-01\tverified\n",
        "2026-03-01T12:00:00Z\tverified",
        "2026-03-01T12:00:00Z\tverified\tnovalue\n",
        "2026-03-01T12:00:00Z\tverified\t=x\n",
        "2026-03-01T12:00:00Z\tverified\ta=%41\n",
        "2026-03-01T12:00:00Z\tverified\ta=%0a\n",
        "2026-03-01T12:00:00Z\tverified\ta=%00\n",
        "2026-03-01T12:00:00Z\tverified\ta=%0\n",
        "2026-03-01T12:00:00Z\tverified\ta=\x01\n",
        "\n",
    };
    struct scratch_repo scratch;
    struct err err = { 0 };
    char host[17], name[REPO_NAME_MAX];
    scratch_repo_open(&scratch);
    keys_host_name(&scratch.keys, host);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        struct buffer payload = { 0 };
        buffer_printf(&payload, "muniment journal 1\nset %s\nhost %s\nnumber 1\nprevious %064d\n%s",
                      scratch.keys.set_name, host, 0, events[i]);
        put_forged(&scratch, &scratch.keys, host, 1, buffer_text(&payload));
        if (journal_walk(&scratch.repo, NULL, NULL, &err) == 0)
            fail_msg("accepted: %s", events[i]);
        assert_int_equal(err.code, ERR_CORRUPT);
        err_clear(&err);
        name_of(&scratch, 0, name);
        assert_success(store_remove(scratch.store, name, NULL, &err), &err);
        buffer_release(&payload);
    }

    /* Of another set. */
    char *payload = mem_format("muniment journal 1\nset %032d\nhost %s\nnumber 1\nprevious %064d\n", 0, host, 0);
    put_forged(&scratch, &scratch.keys, host, 1, payload);
    assert_failure(journal_walk(&scratch.repo, NULL, NULL, &err), ERR_CORRUPT, &err);
    name_of(&scratch, 0, name);
    assert_success(store_remove(scratch.store, name, NULL, &err), &err);
    free(payload);

    /* Signed by another certified host. */
    struct keys second = scratch.keys;
    keys_new_host(&second);
    payload =
        mem_format("muniment journal 1\nset %s\nhost %s\nnumber 1\nprevious %064d\n", scratch.keys.set_name, host, 0);
    put_forged(&scratch, &second, host, 1, payload);
    assert_failure(journal_walk(&scratch.repo, NULL, NULL, &err), ERR_CORRUPT, &err);
    name_of(&scratch, 0, name);
    assert_success(store_remove(scratch.store, name, NULL, &err), &err);
    free(payload);

    /* Not a segment at all. */
    repo_name(&scratch.repo, name, "journal", "readme");
    assert_success(store_put(scratch.store, name, "x", 1, &err), &err);
    assert_failure(journal_walk(&scratch.repo, NULL, NULL, &err), ERR_CORRUPT, &err);
    scratch_repo_close(&scratch);
}

static void a_fork_is_refused_by_readers_and_by_writers(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct journal_batch batch = { 0 };
    struct err err = { 0 };
    char host[17];
    scratch_repo_open(&scratch);
    append_one(&scratch.repo, "verified", "x");
    char *payload = mem_format("muniment journal 1\nset %s\nhost %s\nnumber 1\nprevious %064d\n", scratch.keys.set_name,
                               keys_host_name(&scratch.keys, host), 0);
    put_forged(&scratch, &scratch.keys, host, 1, payload);
    assert_failure(journal_walk(&scratch.repo, NULL, NULL, &err), ERR_CORRUPT, &err);
    journal_add(&batch, NOON, "verified", NULL);
    assert_failure(journal_append(&scratch.repo, &batch, &err), ERR_CORRUPT, &err);
    assert_int_equal(batch.count, 1);
    journal_batch_release(&batch);
    free(payload);
    scratch_repo_close(&scratch);
}

/* --- looking behind damage ---------------------------------------------------------------------------------------- */

struct seen {
    size_t events;
    struct buffer findings; /* a line each */
};

static int see_event(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct seen *seen = context;
    (void)segment, (void)entry, (void)err;
    seen->events++;
    return 0;
}

static void see_finding(void *context, const char *segment, const char *text) {
    struct seen *seen = context;
    buffer_printf(&seen->findings, "%s: %s\n", segment, text);
}

static void look(struct repo *repo, struct seen *seen, struct journal_survey *survey) {
    struct err err = { 0 };
    assert_success(journal_look(repo, see_event, see_finding, seen, survey, &err), &err);
}

static void what_is_good_is_read_behind_what_is_not(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct journal_survey survey;
    struct seen seen = { 0 };
    struct err err = { 0 };
    char damaged[REPO_NAME_MAX], missing[REPO_NAME_MAX], name[REPO_NAME_MAX];
    scratch_repo_open(&scratch);
    for (int i = 0; i < 6; i++)
        append_one(&scratch.repo, "verified", "x");
    name_of(&scratch, 1, damaged);
    name_of(&scratch, 3, missing);
    scratch_repo_flip(&scratch, damaged, 200, 1);
    assert_success(store_remove(scratch.store, missing, NULL, &err), &err);
    repo_name(&scratch.repo, name, "journal", "readme");
    assert_success(store_put(scratch.store, name, "x", 1, &err), &err);

    look(&scratch.repo, &seen, &survey);
    assert_int_equal(seen.events, 4);
    assert_int_equal(survey.findings, 3);
    assert_int_equal(survey.segments, 5);
    assert_int_equal(survey.events, 4);
    assert_int_equal(survey.count, 1);
    assert_int_equal(survey.chains[0].first, 1);
    assert_int_equal(survey.chains[0].last, 6);
    assert_int_equal(survey.chains[0].from, NOON);
    const char *text = buffer_text(&seen.findings);
    assert_non_null(strstr(text, damaged));
    assert_non_null(strstr(text, "segment 4 of this chain is missing before it"));
    assert_non_null(strstr(text, "readme: not the name of a journal segment"));
    buffer_release(&seen.findings);
    journal_survey_release(&survey);
    scratch_repo_close(&scratch);
}

/* --- witnesses ---------------------------------------------------------------------------------------------------- */

/* What a witness of now says of the journal as it is later; the caller releases `seen`. */
static uint64_t check_text(struct repo *repo, const char *text, struct seen *seen) {
    struct err err = { 0 };
    uint64_t count = 0;
    buffer_clear(&seen->findings);
    assert_success(journal_check_witnesses(repo, text, strlen(text), see_finding, seen, &count, &err), &err);
    return count;
}

static char *witness_now(struct repo *repo) {
    struct journal_survey survey;
    struct seen seen = { 0 };
    char token[JOURNAL_WITNESS];
    look(repo, &seen, &survey);
    assert_int_equal(survey.findings, 0);
    assert_int_equal(survey.count, 1);
    char *text =
        mem_format("<p>Head: <b>%s</b> and again %s</p>", journal_witness(repo->keys, &survey.chains[0], token), token);
    journal_survey_release(&survey);
    return text;
}

static void a_witness_tells_of_a_tail_that_was_cut(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct seen seen = { 0 };
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    scratch_repo_open(&scratch);
    for (int i = 0; i < 3; i++)
        append_one(&scratch.repo, "verified", "x");
    char *witness = witness_now(&scratch.repo);
    assert_int_equal(check_text(&scratch.repo, witness, &seen), 1);
    assert_int_equal(seen.findings.length, 0);
    append_one(&scratch.repo, "verified", "y");
    assert_int_equal(check_text(&scratch.repo, witness, &seen), 1);
    assert_int_equal(seen.findings.length, 0);

    /* The journal alone looks whole without its end; and an end that was written anew is another one. */
    for (size_t gone = 4; gone > 2; gone--) {
        name_of(&scratch, gone - 1, name);
        assert_success(store_remove(scratch.store, name, NULL, &err), &err);
    }
    assert_success(journal_walk(&scratch.repo, NULL, NULL, &err), &err);
    check_text(&scratch.repo, witness, &seen);
    assert_non_null(strstr(buffer_text(&seen.findings), "was cut: it ends with segment 2, and had 3"));
    append_one(&scratch.repo, "verified", "z");
    check_text(&scratch.repo, witness, &seen);
    assert_non_null(strstr(buffer_text(&seen.findings), "is not the one that was there"));

    for (size_t gone = 3; gone > 0; gone--) {
        name_of(&scratch, gone - 1, name);
        assert_success(store_remove(scratch.store, name, NULL, &err), &err);
    }
    check_text(&scratch.repo, witness, &seen);
    assert_non_null(strstr(buffer_text(&seen.findings), "is gone: it had 3 segments"));
    free(witness);
    buffer_release(&seen.findings);
    scratch_repo_close(&scratch);
}

static void witnesses_of_others_say_nothing_and_broken_ones_are_told(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct seen seen = { 0 };
    scratch_repo_open(&scratch);
    append_one(&scratch.repo, "verified", "x");
    char *witness = witness_now(&scratch.repo);
    assert_int_equal(check_text(&scratch.repo, "", &seen), 0);
    assert_int_equal(check_text(&scratch.repo, "muniment-journal-1:", &seen), 0);
    char *other = mem_format("muniment-journal-1:%032d:0011223344556677:1:%064d", 0, 0);
    assert_int_equal(check_text(&scratch.repo, other, &seen), 0);
    assert_int_equal(seen.findings.length, 0);
    char *whole = mem_string(strstr(witness, "muniment-journal-1:"));
    whole[strcspn(whole, "<")] = '\0';
    assert_int_equal(check_text(&scratch.repo, whole, &seen), 1);
    assert_int_equal(seen.findings.length, 0);
    char *longer = mem_format("%s0", whole);
    assert_int_equal(check_text(&scratch.repo, longer, &seen), 0);
    assert_non_null(strstr(buffer_text(&seen.findings), "not whole"));
    for (size_t length = strlen(whole) - 1; length > 19 + 32; length--) {
        whole[length] = '\0';
        assert_int_equal(check_text(&scratch.repo, whole, &seen), 0);
        assert_non_null(strstr(buffer_text(&seen.findings), "not whole"));
    }
    free(longer);
    free(whole);
    free(other);
    free(witness);
    buffer_release(&seen.findings);
    scratch_repo_close(&scratch);
}

static void only_a_writer_appends(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct journal_batch batch = { 0 };
    struct err err = { 0 };
    scratch_repo_open(&scratch);
    journal_add(&batch, NOON, "verified", NULL);
    scratch.keys.can_sign = false;
    assert_failure(journal_append(&scratch.repo, &batch, &err), ERR_KEY, &err);
    journal_batch_release(&batch);
    scratch_repo_close(&scratch);
}

static void very_many_events_make_several_segments(void **state) {
    (void)state;
    enum { EVENTS = 60000 };
    struct scratch_repo scratch;
    struct journal_batch batch = { 0 };
    struct err err = { 0 };
    size_t events = 0;
    char object[80];
    scratch_repo_open(&scratch);
    for (int i = 0; i < EVENTS; i++) {
        snprintf(object, sizeof object, "packs/%070d", i);
        journal_add(&batch, NOON, "destroyed", "object", object, NULL);
    }
    size_t expected = (batch.lines.length + JOURNAL_LINES_MAX - 1) / JOURNAL_LINES_MAX;
    assert_true(expected >= 2);
    assert_success(journal_append(&scratch.repo, &batch, &err), &err);
    assert_int_equal(scratch_repo_list(&scratch, "journal", NULL), expected);
    assert_success(journal_walk(&scratch.repo, count_events, &events, &err), &err);
    assert_int_equal(events, EVENTS);
    journal_batch_release(&batch);
    scratch_repo_close(&scratch);
}

/* Appends for as long as it lives. */
static void append_forever(const char *folder, struct keys *keys) {
    struct store *store;
    struct store_address address = { .path = folder };
    struct repo repo;
    struct err err = { 0 };
    if (store_open(&address, false, &store, &err) < 0 || repo_open(&repo, store, keys, NULL, &err) < 0)
        _exit(1);
    for (unsigned i = 0;; i++) {
        /* No two alike: equal segments would be one object. */
        struct journal_batch batch = { 0 };
        char object[64];
        snprintf(object, sizeof object, "%d-%u", (int)getpid(), i);
        journal_add(&batch, NOON, "verified", "object", object, NULL);
        if (journal_append(&repo, &batch, &err) < 0)
            _exit(1);
        journal_batch_release(&batch);
    }
}

static void processes_of_one_host_that_are_killed_leave_one_whole_chain(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct err err = { 0 };
    scratch_repo_open(&scratch);
    for (int round = 0; round < 8; round++) {
        pid_t children[3];
        for (int i = 0; i < 3; i++) {
            children[i] = fork();
            assert_true(children[i] >= 0);
            if (children[i] == 0)
                append_forever(scratch.folder, &scratch.keys);
        }
        usleep(15000 + (useconds_t)round * 3100);
        for (int i = 0; i < 3; i++) {
            int status;
            assert_int_equal(kill(children[i], SIGKILL), 0);
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_true(WIFSIGNALED(status)); /* and not ended by a failure of its own */
        }
        assert_success(journal_walk(&scratch.repo, NULL, NULL, &err), &err);
        append_one(&scratch.repo, "verified", "x");
    }
    assert_success(journal_walk(&scratch.repo, NULL, NULL, &err), &err);
    scratch_repo_close(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_back_in_order_with_every_byte),
        cmocka_unit_test(a_segment_is_text_that_anyone_can_read),
        cmocka_unit_test(hosts_have_chains_of_their_own),
        cmocka_unit_test(a_missing_segment_is_found),
        cmocka_unit_test(every_changed_byte_of_a_segment_is_found),
        cmocka_unit_test(segments_that_do_not_belong_are_refused),
        cmocka_unit_test(a_fork_is_refused_by_readers_and_by_writers),
        cmocka_unit_test(what_is_good_is_read_behind_what_is_not),
        cmocka_unit_test(a_witness_tells_of_a_tail_that_was_cut),
        cmocka_unit_test(witnesses_of_others_say_nothing_and_broken_ones_are_told),
        cmocka_unit_test(only_a_writer_appends),
        cmocka_unit_test(very_many_events_make_several_segments),
        cmocka_unit_test(processes_of_one_host_that_are_killed_leave_one_whole_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
