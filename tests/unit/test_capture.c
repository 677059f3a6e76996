#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <muniment/repo/journal.h>
#include <muniment/repo/session.h>
#include <muniment/snapshot/capture.h>
#include <muniment/snapshot/restore.h>
#include <muniment/snapshot/tree.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <sodium.h>

#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"

/* A small tree is stored anew when a folder above the data has got another time. */
enum { TREE_BYTES = 4096 };

/* A repository, a folder to back up, and a place to restore to. */
struct fixture {
    struct scratch_repo scratch;
    char *folder; /* holds `data`, `state`, `out` */
    char *data, *state, *out;
    char *paths[1];
    struct source sources[2];
    struct policy policy;
    struct capture_options options;
};

static void write_file(const struct fixture *fixture, const char *name, const void *data, size_t length) {
    struct err err = { 0 };
    char *path = mem_format("%s/%s", fixture->data, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_success(file_make_folders(path, 0755, &err), &err);
    *slash = '/';
    assert_success(file_replace(path, 0644, data, length, &err), &err);
    free(path);
}

/* Bytes that no compressor shrinks and no two seeds share. */
static void write_random(const struct fixture *fixture, const char *name, uint8_t salt, size_t length) {
    const uint8_t seed[32] = { salt };
    uint8_t *data = mem_alloc(length);
    randombytes_buf_deterministic(data, length, seed);
    write_file(fixture, name, data, length);
    free(data);
}

static void set_command(struct source *source, const char *name, const char *shell) {
    *source = (struct source){ .name = mem_string(name), .kind = &SOURCE_COMMAND };
    source->command.arguments.items = mem_array(3, sizeof(char *));
    source->command.arguments.items[0] = mem_string("/bin/sh");
    source->command.arguments.items[1] = mem_string("-c");
    source->command.arguments.items[2] = mem_string(shell);
    source->command.arguments.count = 3;
    source->command.output = mem_string("output");
}

static int open_fixture(void **state) {
    struct fixture *fixture = mem_zalloc(sizeof *fixture);
    struct err err = { 0 };
    scratch_repo_open(&fixture->scratch);
    fixture->folder = scratch_make();
    fixture->data = mem_format("%s/data", fixture->folder);
    fixture->state = mem_format("%s/state", fixture->folder);
    fixture->out = mem_format("%s/out", fixture->folder);
    assert_success(file_make_folders(fixture->data, 0755, &err), &err);
    fixture->paths[0] = fixture->data;
    fixture->sources[0] = (struct source){ .name = mem_string("files"), .kind = &SOURCE_FILES };
    fixture->sources[0].files.paths = (struct strings){ fixture->paths, 1 };
    fixture->policy = (struct policy){ .daily = 7, .max_age = 90 * 86400, .interval = 86400, .timezone = "UTC" };
    fixture->options = (struct capture_options){
        .sources = fixture->sources,
        .source_count = 1,
        .policy = &fixture->policy,
        .state_folder = fixture->state,
    };
    *state = fixture;
    return 0;
}

static int close_fixture(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 2; i++) {
        struct source *source = &fixture->sources[i];
        free(source->name);
        mem_free_strings(source->command.arguments.items, source->command.arguments.count);
        free(source->command.output);
    }
    scratch_repo_close(&fixture->scratch);
    scratch_remove(fixture->folder);
    free(fixture->data);
    free(fixture->state);
    free(fixture->out);
    free(fixture);
    return 0;
}

static void capture(struct fixture *fixture, struct head *head) {
    struct err err = { 0 };
    assert_success(capture_run(&fixture->scratch.repo, &fixture->options, head, &err), &err);
}

static void assert_restores(struct fixture *fixture, const struct head *head) {
    struct restore_options options = { .head = head, .overwrite = true };
    struct restore_result result;
    struct err err = { 0 };
    char *command = mem_format("rm -rf '%s'", fixture->out);
    assert_int_equal(system(command), 0);
    free(command);
    assert_success(restore_to_folder(&fixture->scratch.repo, &options, fixture->out, &result, &err), &err);
    command = mem_format("diff -r '%s' '%s/files%s'", fixture->data, fixture->out, fixture->data);
    assert_int_equal(system(command), 0);
    free(command);
}

static size_t snapshot_count(struct fixture *fixture) {
    return scratch_repo_list(&fixture->scratch, "snapshots", NULL);
}

static const char *fact(const struct head_source *source, const char *name) {
    for (size_t i = 0; i < source->fact_count; i++)
        if (strcmp(source->facts[i].name, name) == 0)
            return source->facts[i].value;
    return "";
}

/* --- what is captured comes back ---------------------------------------------------------------------------------- */

static void files_of_every_size_come_back_as_they_were(void **state) {
    struct fixture *fixture = *state;
    struct head head;
    write_file(fixture, "empty", "", 0);
    write_file(fixture, "one byte", "x", 1);
    for (unsigned i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "many/%u/file", i);
        write_random(fixture, name, (uint8_t)i, 1 + 37 * i);
    }
    write_random(fixture, "large", 1, 3 * 1024 * 1024 + 17);
    write_random(fixture, "half a batch", 2, 512 * 1024);
    write_random(fixture, "a batch and a byte", 3, 768 * 1024 + 1);
    capture(fixture, &head);
    assert_int_equal(head.outcome, OUTCOME_COMPLETE);
    assert_int_equal(head.tiers, TIER_DAILY);
    assert_int_equal(head.deadline, head.started + 90 * 86400);
    assert_memory_equal(head.limits, ((const uint32_t[]){ 7, 0, 0, 0 }), sizeof head.limits);
    assert_restores(fixture, &head);
    head_release(&head);
}

static void one_worker_makes_the_same_snapshot_as_many(void **state) {
    struct fixture *fixture = *state;
    struct head one, many;
    write_random(fixture, "large", 1, 5 * 1024 * 1024);
    fixture->options.state_folder = NULL; /* reads the file again, whose times stay as they are */
    fixture->options.workers = 1;
    capture(fixture, &one);
    fixture->options.workers = 7;
    capture(fixture, &many);
    /* Not the trees' digests: they hold the times of the folders above, where others work, too. */
    assert_int_equal(one.sources[0].bytes, many.sources[0].bytes);
    assert_true(one.sources[0].stored_bytes > 1024 * 1024);
    assert_true(many.sources[0].stored_bytes < 4096);
    assert_restores(fixture, &many);
    head_release(&one);
    head_release(&many);
}

static void an_empty_folder_makes_a_snapshot_that_restores(void **state) {
    struct fixture *fixture = *state;
    struct head head;
    capture(fixture, &head);
    assert_int_equal(head.outcome, OUTCOME_COMPLETE);
    assert_restores(fixture, &head);
    head_release(&head);
}

static void equal_files_are_stored_once(void **state) {
    struct fixture *fixture = *state;
    struct head head;
    for (unsigned i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof name, "copy %u", i);
        write_random(fixture, name, 1, 1024 * 1024);
    }
    capture(fixture, &head);
    assert_true(head.sources[0].bytes >= 10 * 1024 * 1024);
    assert_true(head.sources[0].stored_bytes < 1200 * 1024);
    assert_restores(fixture, &head);
    head_release(&head);
}

static void a_tree_that_is_not_the_one_of_the_head_does_not_restore(void **state) {
    struct fixture *fixture = *state;
    struct restore_result result;
    struct head head;
    struct err err = { 0 };
    write_random(fixture, "a", 1, 1000);
    capture(fixture, &head);
    head.sources[0].digest[0] ^= 1;
    const struct restore_options options = { .head = &head };
    assert_failure(restore_to_folder(&fixture->scratch.repo, &options, fixture->out, &result, &err), ERR_CORRUPT, &err);
    head_release(&head);
}

/* Chunks of the entry whose path ends like this. */
static uint64_t chunks_of(struct fixture *fixture, const struct head *head, const char *end) {
    struct index *index = index_new();
    struct tree_reader *tree;
    const struct entry *entry;
    const struct extents *extents;
    struct err err = { 0 };
    uint64_t chunks = 0;
    assert_success(index_load(index, &fixture->scratch.repo, &err), &err);
    assert_success(tree_open(&fixture->scratch.repo, index, &head->sources[0], &tree, &err), &err);
    while (tree_next(tree, &entry, &extents, &err) == 1)
        if (strlen(entry->path) > strlen(end) && strcmp(entry->path + strlen(entry->path) - strlen(end), end) == 0)
            chunks = entry->chunks;
    tree_close(tree);
    index_free(index);
    return chunks;
}

static void a_file_that_begins_like_a_dump_is_cut_into_smaller_chunks(void **state) {
    struct fixture *fixture = *state;
    struct head head;
    const uint8_t seed[32] = { 1 };
    size_t length = 4 * 1024 * 1024;
    uint8_t *data = mem_alloc(length);
    randombytes_buf_deterministic(data, length, seed);
    write_file(fixture, "other", data, length);
    memcpy(data, "PGDMP", 5);
    write_file(fixture, "dump", data, length);
    free(data);
    capture(fixture, &head);
    assert_in_range(chunks_of(fixture, &head, "/dump"), length / (20 * 1024), length / (6 * 1024));
    assert_in_range(chunks_of(fixture, &head, "/other"), length / (256 * 1024), length / (40 * 1024));
    assert_restores(fixture, &head);
    head_release(&head);
}

/* --- what has not changed -------------------------------------------------------------------------------------------
 */

static void unchanged_files_are_not_read_again(void **state) {
    struct fixture *fixture = *state;
    struct head first, second, third;
    write_random(fixture, "a", 1, 300000);
    write_random(fixture, "b", 2, 300000);
    capture(fixture, &first);
    capture(fixture, &second);
    assert_string_equal(fact(&second.sources[0], "unchanged"), "2");
    assert_true(second.sources[0].stored_bytes < TREE_BYTES);

    write_random(fixture, "b", 3, 300000);
    capture(fixture, &third);
    assert_true(third.sources[0].stored_bytes > 290000);
    assert_true(third.sources[0].stored_bytes < 320000);
    assert_restores(fixture, &third);
    head_release(&first);
    head_release(&second);
    head_release(&third);
}

static void a_damaged_memory_of_the_last_tree_costs_reading_and_nothing_else(void **state) {
    struct fixture *fixture = *state;
    struct head head;
    struct err err = { 0 };
    write_random(fixture, "a", 1, 300000);
    capture(fixture, &head);
    head_release(&head);

    char *path = mem_format("%s/files.tree", fixture->state);
    struct buffer cache = { 0 };
    assert_success(file_read(path, 1 << 20, &cache, &err), &err);
    for (size_t at = 0; at < cache.length; at += 13) {
        cache.data[at] ^= 0x40;
        assert_success(file_replace(path, 0600, cache.data, cache.length, &err), &err);
        capture(fixture, &head);
        assert_int_equal(head.outcome, OUTCOME_COMPLETE);
        assert_string_equal(fact(&head.sources[0], "unchanged"), "0");
        assert_true(head.sources[0].stored_bytes < TREE_BYTES);
        head_release(&head);
        cache.data[at] ^= 0x40;
    }
    for (size_t length = 0; length < cache.length; length += 29) {
        assert_success(file_replace(path, 0600, cache.data, length, &err), &err);
        capture(fixture, &head);
        assert_int_equal(head.outcome, OUTCOME_COMPLETE);
        head_release(&head);
    }
    buffer_release(&cache);
    free(path);
}

static void what_is_remembered_but_no_longer_stored_is_read_again(void **state) {
    struct fixture *fixture = *state;
    struct head first, second;
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    write_random(fixture, "a", 1, 300000);
    capture(fixture, &first);

    /* As after a purge of everything: no head, no index, no packs. */
    const char *folders[] = { "snapshots", "index", "packs" };
    for (size_t i = 0; i < 3; i++)
        while (scratch_repo_list(&fixture->scratch, folders[i], name) > 0)
            assert_success(store_remove(fixture->scratch.store, name, NULL, &err), &err);
    capture(fixture, &second);
    assert_true(second.sources[0].stored_bytes > 290000);
    assert_restores(fixture, &second);
    head_release(&first);
    head_release(&second);
}

/* --- no false success -----------------------------------------------------------------------------------------------
 */

static void a_command_that_fails_makes_the_snapshot_partial_and_its_output_is_marked(void **state) {
    struct fixture *fixture = *state;
    struct head head;
    write_random(fixture, "a", 1, 1000);
    set_command(&fixture->sources[1], "command", "echo half; exit 1");
    fixture->options.source_count = 2;
    capture(fixture, &head);
    assert_int_equal(head.outcome, OUTCOME_PARTIAL);
    assert_int_equal(head.tiers, 0);
    assert_int_equal(head.sources[0].outcome, OUTCOME_COMPLETE);
    assert_int_equal(head.sources[1].outcome, OUTCOME_PARTIAL);
    assert_int_equal(head.sources[1].trouble_count, 1);

    struct index *index = index_new();
    struct tree_reader *tree;
    const struct entry *entry;
    const struct extents *extents;
    struct err err = { 0 };
    assert_success(index_load(index, &fixture->scratch.repo, &err), &err);
    assert_success(tree_open(&fixture->scratch.repo, index, &head.sources[1], &tree, &err), &err);
    assert_int_equal(tree_next(tree, &entry, &extents, &err), 1);
    assert_int_equal(entry->flags & ENTRY_INCOMPLETE, ENTRY_INCOMPLETE);
    assert_int_equal(entry->content, 5);
    tree_close(tree);
    index_free(index);
    head_release(&head);
}

static void a_source_that_cannot_start_beside_one_that_can_makes_the_snapshot_partial(void **state) {
    struct fixture *fixture = *state;
    struct head head;
    write_random(fixture, "a", 1, 1000);
    fixture->sources[1] = (struct source){ .name = mem_string("gone"), .kind = &SOURCE_FILES };
    char missing_path[] = "/nonexistent/folder", *missing[] = { missing_path };
    fixture->sources[1].files.paths = (struct strings){ missing, 1 };
    fixture->options.source_count = 2;
    capture(fixture, &head);
    assert_int_equal(head.outcome, OUTCOME_PARTIAL);
    assert_int_equal(head.sources[1].outcome, OUTCOME_FAILED);
    assert_int_equal(head.sources[1].entries, 0);
    assert_restores(fixture, &head);
    head_release(&head);
}

static void when_every_source_fails_there_is_no_snapshot(void **state) {
    struct fixture *fixture = *state;
    struct head head;
    struct err err = { 0 };
    assert_int_equal(rmdir(fixture->data), 0);
    assert_failure(capture_run(&fixture->scratch.repo, &fixture->options, &head, &err), ERR_SOURCE, &err);
    assert_int_equal(snapshot_count(fixture), 0);
    assert_int_equal(scratch_repo_list(&fixture->scratch, "packs", NULL), 0);
    assert_int_equal(scratch_repo_list(&fixture->scratch, "sessions", NULL), 0);
    head_release(&head);
}

static void a_capture_past_the_end_of_its_session_makes_no_snapshot(void **state) {
    struct fixture *fixture = *state;
    struct head head;
    struct err err = { 0 };
    set_command(&fixture->sources[1], "slow", "sleep 2; echo done");
    fixture->options.source_count = 2;
    fixture->options.session_length = 1;
    assert_failure(capture_run(&fixture->scratch.repo, &fixture->options, &head, &err), ERR_REFUSED, &err);
    assert_int_equal(snapshot_count(fixture), 0);
    head_release(&head);
}

static int note_captured(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    (void)segment, (void)err;
    if (strcmp(entry->event, "captured") == 0)
        ++*(size_t *)context;
    return 0;
}

static void a_snapshot_whose_capture_died_before_the_journal_is_written_there_by_the_next(void **state) {
    struct fixture *fixture = *state;
    struct head head;
    struct err err = { 0 };
    struct session *session;
    char name[REPO_NAME_MAX];
    size_t events = 0;
    write_random(fixture, "a", 1, 1000);
    capture(fixture, &head);
    head_release(&head);

    /* As if killed between the two: the head stands, the journal does not, the session was not ended. */
    assert_int_equal(scratch_repo_list(&fixture->scratch, "journal", name), 1);
    assert_success(store_remove(fixture->scratch.store, name, NULL, &err), &err);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int begun = session_begin(&fixture->scratch.repo, 0, 3600, &session, &err);
        _exit(begun == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(scratch_repo_list(&fixture->scratch, "sessions", NULL), 1);

    capture(fixture, &head);
    assert_success(journal_walk(&fixture->scratch.repo, note_captured, &events, &err), &err);
    assert_int_equal(events, 2);
    head_release(&head);
}

static void captures_in_one_second_are_told_apart_by_their_times(void **state) {
    struct fixture *fixture = *state;
    struct head heads[5];
    for (size_t i = 0; i < 5; i++)
        capture(fixture, &heads[i]);
    for (size_t i = 0; i < 5; i++) {
        if (i > 0)
            assert_true(heads[i].started > heads[i - 1].started);
        head_release(&heads[i]);
    }
}

static void a_damaged_journal_does_not_stop_captures(void **state) {
    struct fixture *fixture = *state;
    struct head head;
    struct buffer segment = { 0 };
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    size_t events = 0;
    write_random(fixture, "a", 1, 1000);
    capture(fixture, &head);
    head_release(&head);
    assert_int_equal(scratch_repo_list(&fixture->scratch, "journal", name), 1);
    assert_success(store_get(fixture->scratch.store, name, 1 << 20, &segment, &err), &err);
    scratch_repo_flip(&fixture->scratch, name, 100, 1);

    capture(fixture, &head);
    head_release(&head);
    assert_int_equal(snapshot_count(fixture), 2);

    /* Once it is mended, the next capture writes down what was missed. */
    assert_success(store_put(fixture->scratch.store, name, segment.data, segment.length, &err), &err);
    capture(fixture, &head);
    head_release(&head);
    assert_success(journal_walk(&fixture->scratch.repo, note_captured, &events, &err), &err);
    assert_int_equal(events, 3);
    buffer_release(&segment);
}

#define fixture_test(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void) {
    const struct CMUnitTest tests[] = {
        fixture_test(files_of_every_size_come_back_as_they_were),
        fixture_test(one_worker_makes_the_same_snapshot_as_many),
        fixture_test(an_empty_folder_makes_a_snapshot_that_restores),
        fixture_test(equal_files_are_stored_once),
        fixture_test(a_tree_that_is_not_the_one_of_the_head_does_not_restore),
        fixture_test(a_file_that_begins_like_a_dump_is_cut_into_smaller_chunks),
        fixture_test(unchanged_files_are_not_read_again),
        fixture_test(a_damaged_memory_of_the_last_tree_costs_reading_and_nothing_else),
        fixture_test(what_is_remembered_but_no_longer_stored_is_read_again),
        fixture_test(a_command_that_fails_makes_the_snapshot_partial_and_its_output_is_marked),
        fixture_test(a_source_that_cannot_start_beside_one_that_can_makes_the_snapshot_partial),
        fixture_test(when_every_source_fails_there_is_no_snapshot),
        fixture_test(a_capture_past_the_end_of_its_session_makes_no_snapshot),
        fixture_test(a_snapshot_whose_capture_died_before_the_journal_is_written_there_by_the_next),
        fixture_test(captures_in_one_second_are_told_apart_by_their_times),
        fixture_test(a_damaged_journal_does_not_stop_captures),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
