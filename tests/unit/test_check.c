#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/sample.h"
#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
#include <muniment/repo/check.h>
#include <muniment/repo/journal.h>
#include <muniment/repo/session.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, NOON = 1767268800, MAX_AGE = 90 * DAY };

struct world {
    struct scratch_repo scratch;
    struct keys write_keys;
    struct repo writer; /* cannot read */
    struct sample sample;
    struct head heads[2];
};

static void open_world(struct world *world) {
    struct err err = { 0 };
    struct buffer text = { 0 };
    *world = (struct world){ 0 };
    scratch_repo_open(&world->scratch);
    keys_write_text(&world->scratch.keys, &text);
    assert_success(keys_parse(&world->write_keys, buffer_text(&text), &err), &err);
    buffer_wipe(&text);
    assert_success(repo_open(&world->writer, world->scratch.store, &world->write_keys, NULL, &err), &err);

    sample_fill(&world->sample, 0, "alpha", 60000, 1);
    assert_success(sample_capture(&world->writer, &world->sample, NOON, MAX_AGE, &world->heads[0], &err), &err);
    sample_fill(&world->sample, 1, "beta", 30000, 2);
    assert_success(sample_capture(&world->writer, &world->sample, NOON + DAY, MAX_AGE, &world->heads[1], &err), &err);
}

static void close_world(struct world *world) {
    for (size_t i = 0; i < 2; i++)
        head_release(&world->heads[i]);
    sample_release(&world->sample);
    keys_wipe(&world->write_keys);
    scratch_repo_close(&world->scratch);
}

/* --- findings -------------------------------------------------------------------------------------------------------
 */

static void keep_finding(void *context, const char *text) {
    buffer_printf(context, "%s\n", text);
}

/* Checks, and appends the findings to `text`. */
static struct check_result check_at(struct repo *repo, unsigned percent, int64_t now, bool mirror,
                                    struct buffer *text) {
    struct err err = { 0 };
    const struct check_options options = {
        .read_percent = percent, .now = now, .mirror = mirror, .finding = keep_finding, .context = text
    };
    struct check_result result;
    assert_success(check_run(repo, &options, &result, &err), &err);
    return result;
}

static void assert_clean(struct world *world) {
    struct buffer text = { 0 };
    if (check_at(&world->scratch.repo, 100, NOON, false, &text).findings > 0)
        fail_msg("%s", buffer_text(&text));
    buffer_release(&text);
}

/* The check finds something, and a line begins with the object's name and says `why`. */
static void assert_found(struct repo *repo, unsigned percent, const char *object, const char *why) {
    struct buffer text = { 0 };
    check_at(repo, percent, NOON, false, &text);
    size_t length = strlen(object);
    for (char *line = strtok((char *)(uintptr_t)buffer_text(&text), "\n"); line; line = strtok(NULL, "\n"))
        if (strncmp(line, object, length) == 0 && line[length] == ':' && strstr(line + length, why)) {
            buffer_release(&text);
            return;
        }
    fail_msg("%s: '%s' is not found", object, why);
}

/* The name of the largest object below a folder of the set. */
static void largest(const struct world *world, const char *folder, char name[REPO_NAME_MAX]) {
    struct store_names names = { 0 };
    struct err err = { 0 };
    char prefix[REPO_NAME_MAX];
    assert_success(
        store_names_load(world->scratch.store, repo_folder(&world->scratch.repo, prefix, folder), &names, &err), &err);
    assert_true(names.count > 0);
    size_t best = 0;
    for (size_t i = 1; i < names.count; i++)
        if (names.items[i].size > names.items[best].size)
            best = i;
    snprintf(name, REPO_NAME_MAX, "%s", names.items[best].name);
    store_names_release(&names);
}

static void remove_object(struct world *world, const char *name) {
    struct err err = { 0 };
    assert_success(store_remove(world->scratch.store, name, NULL, &err), &err);
}

static void put_object(struct world *world, const char *name, const char *content) {
    struct err err = { 0 };
    assert_success(store_put(world->scratch.store, name, content, strlen(content), &err), &err);
}

/* --- tests ----------------------------------------------------------------------------------------------------------
 */

static void a_sound_repository_has_no_findings_with_either_key(void **state) {
    (void)state;
    struct world world;
    struct buffer text = { 0 };
    open_world(&world);
    struct repo *const repos[] = { &world.scratch.repo, &world.writer };
    for (size_t i = 0; i < 2; i++) {
        struct check_result result = check_at(repos[i], 0, NOON, false, &text);
        assert_int_equal(result.findings, 0);
        assert_int_equal(result.snapshots, 2);
        assert_int_equal(result.packs, 4);
        assert_true(result.chunks > 10);
        assert_int_equal(result.bytes_read, 0);
        assert_int_equal(result.unreferenced_packs, 0);
        result = check_at(repos[i], 100, NOON, false, &text);
        assert_int_equal(result.findings, 0);
        assert_true(result.bytes_read > 90000);
    }
    assert_int_equal(text.length, 0);
    buffer_release(&text);
    close_world(&world);
}

static void damage_inside_a_pack_is_found_by_reading_it_with_either_key(void **state) {
    (void)state;
    struct world world;
    struct buffer text = { 0 };
    char pack[REPO_NAME_MAX];
    open_world(&world);
    largest(&world, "packs", pack);
    scratch_repo_flip(&world.scratch, pack, 20000, 1);
    assert_int_equal(check_at(&world.writer, 0, NOON, false, &text).findings, 0);
    assert_found(&world.writer, 100, pack, "its name was made from");
    assert_found(&world.scratch.repo, 100, pack, "its name was made from");
    buffer_release(&text);
    close_world(&world);
}

static void a_chunk_that_is_not_what_its_id_says_is_found_with_the_read_key(void **state) {
    (void)state;
    struct world world;
    struct pack_writer *writer;
    struct pack_table table = { 0 };
    struct buffer text = { 0 };
    struct err err = { 0 };
    uint32_t section, number;
    const uint8_t id[CHUNK_ID_SIZE] = { 7 };
    char name[REPO_NAME_MAX];
    open_world(&world);
    assert_success(pack_writer_new(&world.writer, &writer, &err), &err);
    assert_success(pack_writer_section(writer, SECTION_DATA, &section, &err), &err);
    assert_success(pack_writer_add(writer, section, id, 5, CODEC_RAW, "wrong", 5, &number, &err), &err);
    assert_success(pack_writer_finish(writer, &table, &err), &err);
    repo_pack_name(&world.writer, name, table.pack);
    pack_table_release(&table);

    struct check_result result = check_at(&world.writer, 100, NOON, false, &text);
    assert_int_equal(result.findings, 0);
    assert_int_equal(result.unreferenced_packs, 1);
    assert_found(&world.scratch.repo, 100, name, "");
    buffer_release(&text);
    close_world(&world);
}

static void a_missing_pack_is_named_and_so_are_the_snapshots_that_need_it(void **state) {
    (void)state;
    struct world world;
    char pack[REPO_NAME_MAX], head[REPO_NAME_MAX];
    open_world(&world);
    largest(&world, "packs", pack);
    remove_object(&world, pack);
    assert_found(&world.writer, 0, pack, "is missing");
    for (size_t i = 0; i < 2; i++)
        assert_found(&world.writer, 0, repo_name(&world.writer, head, "snapshots", world.heads[i].name),
                     "no whole pack of the index holds");
    close_world(&world);
}

static void a_damaged_index_hides_no_other_damage_and_is_written_anew(void **state) {
    (void)state;
    struct world world;
    struct check_result result;
    struct err err = { 0 };
    const struct check_options options = { .now = NOON };
    char index[REPO_NAME_MAX], pack[REPO_NAME_MAX];
    open_world(&world);
    largest(&world, "index", index);
    largest(&world, "packs", pack);
    scratch_repo_flip(&world.scratch, index, 60, 4);
    scratch_repo_flip(&world.scratch, pack, 30000, 4);
    assert_found(&world.writer, 100, index, "");
    assert_found(&world.writer, 100, pack, "its name was made from");

    scratch_repo_flip(&world.scratch, pack, 30000, 4);
    assert_success(check_rebuild_index(&world.writer, &options, &result, &err), &err);
    assert_int_equal(result.findings, 0);
    assert_int_equal(result.packs, 4);
    assert_int_equal(scratch_repo_list(&world.scratch, "index", index), 1);
    assert_clean(&world);
    assert_success(sample_compare(&world.scratch.repo, &world.heads[1], &world.sample, &err), &err);
    close_world(&world);
}

static void an_index_is_written_from_nothing_but_packs(void **state) {
    (void)state;
    struct world world;
    struct check_result result;
    struct buffer text = { 0 };
    struct err err = { 0 };
    const struct check_options options = { .now = NOON, .finding = keep_finding, .context = &text };
    char index[REPO_NAME_MAX], pack[REPO_NAME_MAX];
    open_world(&world);
    while (scratch_repo_list(&world.scratch, "index", index) > 0)
        remove_object(&world, index);
    assert_success(check_rebuild_index(&world.writer, &options, &result, &err), &err);
    assert_int_equal(result.findings, 0);
    assert_clean(&world);

    /* A pack that cannot say what is in it is named and left out. */
    put_object(&world, repo_pack_name(&world.writer, pack, (const uint8_t[32]){ 9 }), "this is no pack");
    assert_success(check_rebuild_index(&world.writer, &options, &result, &err), &err);
    assert_int_equal(result.findings, 1);
    assert_memory_equal(text.data, pack, strlen(pack));
    buffer_release(&text);
    close_world(&world);
}

static void what_does_not_belong_there_is_found(void **state) {
    (void)state;
    static const char *const STRANGERS[] = { "packs/ab/notes.txt", "packs/stray", "index/copy", "elsewhere/thing",
                                             "journal/notes",      "loose",       "keys/0",     "snapshots/now" };
    struct world world;
    open_world(&world);
    for (size_t i = 0; i < sizeof STRANGERS / sizeof *STRANGERS; i++) {
        char name[REPO_NAME_MAX];
        snprintf(name, sizeof name, "%s/%s", world.scratch.keys.set_name, STRANGERS[i]);
        put_object(&world, name, "?");
        assert_found(&world.writer, 0, name, "");
        remove_object(&world, name);
    }
    assert_clean(&world);
    close_world(&world);
}

/* A copy to a mirror that began at that time, and went well. */
static void journal_copy(struct world *world, int64_t time) {
    struct err err = { 0 };
    struct journal_batch batch = { 0 };
    journal_add(&batch, time, "mirrored", "mirror", "far", "objects", "1", "bytes", "1", NULL);
    assert_success(journal_append(&world->writer, &batch, &err), &err);
    journal_batch_release(&batch);
}

static void what_the_journal_promised_is_missed(void **state) {
    (void)state;
    struct world world;
    struct buffer text = { 0 };
    char head[REPO_NAME_MAX], segment[REPO_NAME_MAX];
    open_world(&world);
    repo_name(&world.writer, head, "snapshots", world.heads[1].name);

    /* Without its line in the journal a snapshot is no forgery, but its end is missing. */
    struct store_names names = { 0 };
    struct err err = { 0 };
    char folder[REPO_NAME_MAX];
    assert_success(store_names_load(world.scratch.store, repo_folder(&world.writer, folder, "journal"), &names, &err),
                   &err);
    snprintf(segment, sizeof segment, "%s", names.items[names.count - 1].name);
    store_names_release(&names);
    struct buffer kept = { 0 };
    assert_success(store_get(world.scratch.store, segment, 65536, &kept, &err), &err);
    remove_object(&world, segment);
    assert_found(&world.writer, 0, head, "the journal does not know this snapshot");
    assert_success(store_put(world.scratch.store, segment, kept.data, kept.length, &err), &err);
    buffer_release(&kept);
    assert_clean(&world);

    /* On a mirror the newest may not have been copied yet; an older one must be there. */
    remove_object(&world, head);
    assert_found(&world.writer, 0, head, "is missing");
    assert_int_equal(check_at(&world.writer, 0, NOON, true, &text).findings, 0);
    buffer_release(&text);
    close_world(&world);

    open_world(&world);
    remove_object(&world, repo_name(&world.writer, head, "snapshots", world.heads[0].name));
    journal_copy(&world, clock_now() - 3600);
    assert_int_equal(check_at(&world.writer, 0, NOON, true, &text).findings, 0); /* a later copy was broken off */
    journal_copy(&world, clock_now() + 1);
    assert_int_equal(check_at(&world.writer, 0, NOON, true, &text).findings, 1);
    buffer_release(&text);
    close_world(&world);
}

static void a_key_copy_that_was_not_removed_is_missed(void **state) {
    (void)state;
    struct world world;
    struct journal_batch batch = { 0 };
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    open_world(&world);
    journal_add(&batch, NOON, "key_added", "id", "0123456789abcdef", NULL);
    assert_success(journal_append(&world.writer, &batch, &err), &err);
    assert_found(&world.writer, 0, repo_name(&world.writer, name, "keys", "0123456789abcdef"), "is missing");
    journal_add(&batch, NOON, "key_removed", "id", "0123456789abcdef", NULL);
    assert_success(journal_append(&world.writer, &batch, &err), &err);
    journal_batch_release(&batch);
    assert_clean(&world);
    close_world(&world);
}

static void a_damaged_session_is_found(void **state) {
    (void)state;
    struct world world;
    struct session *session;
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    open_world(&world);
    assert_success(session_begin(&world.writer, 0, SESSION_LENGTH, &session, &err), &err);
    assert_clean(&world);
    assert_int_equal(scratch_repo_list(&world.scratch, "sessions", name), 1);
    scratch_repo_flip(&world.scratch, name, 40, 1);
    assert_found(&world.writer, 0, name, "");
    session_end(session);
    close_world(&world);
}

static void packs_take_turns_being_read(void **state) {
    (void)state;
    struct world world;
    struct buffer text = { 0 };
    open_world(&world);
    uint64_t all = check_at(&world.writer, 100, NOON, false, &text).bytes_read, sum = 0;
    for (int day = 0; day < 20; day++)
        sum += check_at(&world.writer, 5, NOON + day * DAY, false, &text).bytes_read;
    assert_int_equal(sum, all);
    buffer_release(&text);
    close_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_repository_has_no_findings_with_either_key),
        cmocka_unit_test(damage_inside_a_pack_is_found_by_reading_it_with_either_key),
        cmocka_unit_test(a_chunk_that_is_not_what_its_id_says_is_found_with_the_read_key),
        cmocka_unit_test(a_missing_pack_is_named_and_so_are_the_snapshots_that_need_it),
        cmocka_unit_test(a_damaged_index_hides_no_other_damage_and_is_written_anew),
        cmocka_unit_test(an_index_is_written_from_nothing_but_packs),
        cmocka_unit_test(what_does_not_belong_there_is_found),
        cmocka_unit_test(what_the_journal_promised_is_missed),
        cmocka_unit_test(a_key_copy_that_was_not_removed_is_missed),
        cmocka_unit_test(a_damaged_session_is_found),
        cmocka_unit_test(packs_take_turns_being_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
