#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/repo/mark_internal.h"
#include "../../src/repo/purge_internal.h"
#include "../lib/sample.h"
#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
#include <fcntl.h>
#include <ftw.h>
#include <muniment/repo/check.h>
#include <muniment/repo/purge.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DAY = 86400, NOON = 1767268800, MAX_AGE = 90 * DAY, KILO = 1024 };

/* --- two nights: the first expires, the second stays
 * ------------------------------------------------------------------ */

struct nights {
    struct scratch_repo scratch;
    struct keys write_keys; /* without the read key */
    struct repo writer;
    struct sample samples[2];
    struct head heads[2];
};

static void open_nights(struct nights *nights, size_t changed) {
    struct err err = { 0 };
    struct buffer text = { 0 };
    *nights = (struct nights){ 0 };
    scratch_repo_open(&nights->scratch);
    keys_write_text(&nights->scratch.keys, &text);
    assert_success(keys_parse(&nights->write_keys, buffer_text(&text), &err), &err);
    buffer_wipe(&text);
    assert_false(nights->write_keys.can_read);
    assert_success(repo_open(&nights->writer, nights->scratch.store, &nights->write_keys, NULL, &err), &err);

    sample_fill(&nights->samples[0], 0, "alpha", 300 * KILO, 1);
    sample_fill(&nights->samples[0], 1, "beta", 200 * KILO, 2);
    sample_copy(&nights->samples[1], &nights->samples[0]);
    sample_change(&nights->samples[1], 0, 100 * KILO, changed, 3);
    for (size_t i = 0; i < 2; i++)
        assert_success(sample_capture(&nights->writer, &nights->samples[i], NOON + (int64_t)i * DAY, MAX_AGE,
                                      &nights->heads[i], &err),
                       &err);
}

static void close_nights(struct nights *nights) {
    for (size_t i = 0; i < 2; i++) {
        sample_release(&nights->samples[i]);
        head_release(&nights->heads[i]);
    }
    keys_wipe(&nights->write_keys);
    scratch_repo_close(&nights->scratch);
}

/* Purges with the write key alone, ending the first night's snapshot. */
static int purge(struct nights *nights, int64_t now, int64_t within, int64_t slack, struct purge_result *result,
                 struct err *err) {
    const struct purge_expiry expiry = { nights->heads[0].name, "a test" };
    const struct purge_options options = {
        .now = now, .purge_within = within, .slack = slack, .expiries = &expiry, .expiry_count = 1
    };
    return purge_run(&nights->writer, &options, result, err);
}

static void print_finding(void *context, const char *text) {
    (void)context;
    print_message("finding: %s\n", text);
}

static void assert_whole(struct nights *nights, size_t first) {
    struct err err = { 0 };
    const struct check_options options = { .read_percent = 100, .now = NOON, .finding = print_finding };
    struct check_result checked;
    assert_success(check_run(&nights->scratch.repo, &options, &checked, &err), &err);
    assert_int_equal(checked.findings, 0);
    for (size_t i = first; i < 2; i++)
        assert_success(sample_compare(&nights->scratch.repo, &nights->heads[i], &nights->samples[i], &err), &err);
}

/* --- ciphertext
 * ------------------------------------------------------------------------------------------------------- */

/* Ciphertexts of the chunks that only the first snapshot holds. */
struct needles {
    struct buffer *items;
    size_t count, capacity;
};

struct collecting {
    struct nights *nights;
    struct index *index;
    struct marks *staying;
    struct needles *needles;
};

static int collect(void *context, const struct extent *extent, enum extent_role role, struct err *err) {
    (void)role;
    struct collecting *collecting = context;
    for (uint32_t i = 0; i < extent->count; i++) {
        struct index_place place;
        uint64_t base = marks_base(collecting->staying, extent->birth);
        char name[REPO_NAME_MAX];
        if (marks_has(collecting->staying, base + extent->first + i))
            continue;
        assert_true(index_place(collecting->index, extent->birth, extent->first + i, 0, &place));
        struct needles *needles = collecting->needles;
        needles->items = mem_grow(needles->items, &needles->capacity, needles->count + 1, sizeof *needles->items);
        struct buffer *needle = &needles->items[needles->count++];
        *needle = (struct buffer){ 0 };
        if (store_get_range(collecting->nights->writer.store,
                            repo_pack_name(&collecting->nights->writer, name, place.table->pack), place.offset,
                            buffer_extend(needle, place.slot->stored_length), place.slot->stored_length, err) < 0)
            return -1;
    }
    return 0;
}

static void collect_needles(struct nights *nights, struct needles *needles) {
    struct err err = { 0 };
    struct index *index = index_new();
    struct marks *marks;
    assert_success(index_load(index, &nights->writer, &err), &err);
    assert_success(marks_new(index, &marks, &err), &err);
    assert_success(marks_add_head(marks, &nights->writer, index, &nights->heads[1], &err), &err);
    struct collecting collecting = { nights, index, marks, needles };
    assert_success(
        references_walk(&nights->writer, index, &nights->heads[0].sources[0].references, collect, &collecting, &err),
        &err);
    marks_free(marks);
    index_free(index);
    assert_true(needles->count > 0);
}

static void release_needles(struct needles *needles) {
    for (size_t i = 0; i < needles->count; i++)
        buffer_release(&needles->items[i]);
    free(needles->items);
}

static const struct needles *sought; /* nftw() has no place for it */
static size_t found;

static int search_file(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status, (void)place;
    struct buffer content = { 0 };
    struct err err = { 0 };
    if (type != FTW_F)
        return 0;
    assert_success(file_read(path, SIZE_MAX / 2, &content, &err), &err);
    for (size_t i = 0; i < sought->count; i++)
        if (memmem(content.data, content.length, sought->items[i].data, sought->items[i].length))
            found++;
    buffer_release(&content);
    return 0;
}

/* How many of them stand in any file of the store, hidden ones included. */
static size_t search(const struct nights *nights, const struct needles *needles) {
    sought = needles;
    found = 0;
    assert_int_equal(nftw(nights->scratch.folder, search_file, 16, FTW_PHYS), 0);
    return found;
}

/* --- what a purge does
 * ------------------------------------------------------------------------------------------------ */

static void a_purge_with_the_write_key_leaves_no_byte_that_only_expired_snapshots_held(void **state) {
    (void)state;
    struct nights nights;
    struct needles needles = { 0 };
    struct purge_result result;
    struct err err = { 0 };
    open_nights(&nights, 60 * KILO);
    collect_needles(&nights, &needles);
    assert_int_equal(search(&nights, &needles), needles.count);

    assert_success(purge(&nights, NOON + 91 * DAY, 0, 0, &result, &err), &err);
    assert_int_equal(search(&nights, &needles), 0);
    assert_int_equal(result.heads_removed, 1);
    assert_true(result.packs_destroyed > 0 && result.packs_rewritten > 0 && result.bytes_moved > 300 * KILO);
    assert_int_equal(result.dead_bytes_kept, 0);
    assert_int_equal(result.packs_waiting + result.packs_spared, 0);
    assert_whole(&nights, 1);

    /* Once more: there is nothing left to do. */
    size_t objects = scratch_count(nights.scratch.folder);
    assert_success(purge(&nights, NOON + 92 * DAY, 0, 0, &result, &err), &err);
    assert_int_equal(result.heads_removed + result.packs_destroyed + result.packs_rewritten, 0);
    assert_int_equal(scratch_count(nights.scratch.folder), objects);
    release_needles(&needles);
    close_nights(&nights);
}

static void dead_chunks_stay_until_their_deadline_and_no_longer(void **state) {
    (void)state;
    struct nights nights;
    struct needles needles = { 0 };
    struct purge_result result;
    struct err err = { 0 };
    open_nights(&nights, 60 * KILO);
    collect_needles(&nights, &needles);

    int64_t expiry = NOON + 30 * DAY, deadline = expiry + 7 * DAY;
    assert_success(purge(&nights, expiry, 7 * DAY, DAY, &result, &err), &err);
    assert_int_equal(result.earliest_deadline, deadline);
    assert_true(result.dead_bytes_kept > 60 * KILO);
    assert_true(search(&nights, &needles) > 0);
    uint64_t kept = result.dead_bytes_kept;

    /* The deadline was set once: later runs do not push it out. */
    assert_success(purge(&nights, deadline - DAY - 1, 7 * DAY, DAY, &result, &err), &err);
    assert_int_equal(result.earliest_deadline, deadline);
    assert_int_equal(result.dead_bytes_kept, kept);
    assert_success(purge(&nights, deadline - DAY, 7 * DAY, DAY, &result, &err), &err);
    assert_int_equal(result.dead_bytes_kept, 0);
    assert_int_equal(search(&nights, &needles), 0);
    assert_whole(&nights, 1);
    release_needles(&needles);
    close_nights(&nights);
}

static void the_deadline_of_the_snapshot_bounds_that_of_its_chunks(void **state) {
    (void)state;
    struct nights nights;
    struct purge_result result;
    struct err err = { 0 };
    open_nights(&nights, 60 * KILO);
    assert_int_equal(nights.heads[0].deadline, NOON + MAX_AGE);
    assert_success(purge(&nights, NOON + 88 * DAY, 7 * DAY, DAY, &result, &err), &err);
    assert_int_equal(result.earliest_deadline, NOON + MAX_AGE);
    close_nights(&nights);
}

static void what_dies_later_does_not_delay_what_died_before(void **state) {
    (void)state;
    struct nights nights;
    struct purge_result result;
    struct head last = { 0 };
    struct err err = { 0 };
    open_nights(&nights, 30 * KILO);
    sample_change(&nights.samples[1], 0, 200 * KILO, 30 * KILO, 8);
    assert_success(sample_capture(&nights.writer, &nights.samples[1], NOON + 2 * DAY, MAX_AGE, &last, &err), &err);

    assert_success(purge(&nights, NOON + 10 * DAY, 7 * DAY, 0, &result, &err), &err);
    head_release(&nights.heads[0]);
    nights.heads[0] = nights.heads[1];
    nights.heads[1] = last;
    assert_success(purge(&nights, NOON + 13 * DAY, 7 * DAY, 0, &result, &err), &err);
    assert_int_equal(result.heads_removed, 1);
    assert_int_equal(result.earliest_deadline, NOON + 17 * DAY);
    assert_whole(&nights, 1);
    close_nights(&nights);
}

static void packs_that_are_mostly_dead_are_rewritten_early(void **state) {
    (void)state;
    struct nights nights;
    struct purge_result result;
    struct err err = { 0 };
    open_nights(&nights, 190 * KILO);
    sample_fill(&nights.samples[1], 1, "beta", 200 * KILO, 9);
    head_release(&nights.heads[1]);
    assert_success(sample_capture(&nights.writer, &nights.samples[1], NOON + 2 * DAY, MAX_AGE, &nights.heads[1], &err),
                   &err);

    /* Ends both nights before the last. */
    struct heads heads;
    assert_success(heads_load(&nights.writer, &heads, &err), &err);
    assert_int_equal(heads.count, 3);
    const struct purge_expiry expiries[2] = { { heads.items[0].name, "old" }, { heads.items[1].name, "old" } };
    const struct purge_options options = {
        .now = NOON + 3 * DAY, .purge_within = 30 * DAY, .expiries = expiries, .expiry_count = 2
    };
    assert_success(purge_run(&nights.writer, &options, &result, &err), &err);
    assert_int_equal(result.heads_removed, 2);
    assert_true(result.packs_rewritten > 0);
    heads_release(&heads);
    assert_whole(&nights, 1);
    close_nights(&nights);
}

/* --- beside captures
 * -------------------------------------------------------------------------------------------------- */

static void a_purge_waits_for_older_captures_and_spares_what_they_referred_to(void **state) {
    (void)state;
    struct nights nights;
    struct session *session;
    struct purge_result result;
    struct head again = { 0 };
    struct err err = { 0 };
    open_nights(&nights, 60 * KILO);

    /* A capture has begun, and may refer to whatever it found. */
    assert_success(session_begin(&nights.writer, 0, SESSION_LENGTH, &session, &err), &err);
    assert_success(head_load(&nights.writer, nights.heads[0].name, &again, &err), &err);
    size_t packs = scratch_repo_list(&nights.scratch, "packs", NULL);
    assert_success(purge(&nights, NOON + 91 * DAY, 0, 0, &result, &err), &err);
    assert_int_equal(result.packs_destroyed, 0);
    assert_true(scratch_repo_list(&nights.scratch, "packs", NULL) >= packs);

    /* It commits a snapshot of the very chunks that only the expired one held. */
    again.started = NOON + 91 * DAY;
    assert_success(head_commit(&nights.writer, &again, &err), &err);
    session_end(session);
    head_release(&nights.heads[0]);
    nights.heads[0] = again;
    const struct purge_options options = { .now = NOON + 92 * DAY };
    assert_success(purge_run(&nights.writer, &options, &result, &err), &err);
    assert_success(sample_compare(&nights.scratch.repo, &nights.heads[0], &nights.samples[0], &err), &err);
    assert_success(sample_compare(&nights.scratch.repo, &nights.heads[1], &nights.samples[1], &err), &err);
    close_nights(&nights);
}

/* Turns the age of every object of the set back, so that no capture that runs can have written it. */
static int age_file(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status, (void)place;
    struct timespec times[2] = { { .tv_sec = NOON }, { .tv_sec = NOON } };
    return type == FTW_F && utimensat(AT_FDCWD, path, times, 0) != 0;
}

static void what_was_condemned_before_a_capture_committed_is_spared(void **state) {
    (void)state;
    struct nights nights;
    struct session *session;
    struct purge_result result;
    struct head again = { 0 };
    struct condemned condemned;
    struct err err = { 0 };
    open_nights(&nights, 60 * KILO);
    assert_int_equal(nftw(nights.scratch.folder, age_file, 16, FTW_PHYS), 0);

    assert_success(session_begin(&nights.writer, 0, SESSION_LENGTH, &session, &err), &err);
    assert_success(head_load(&nights.writer, nights.heads[0].name, &again, &err), &err);
    assert_success(purge(&nights, NOON + 91 * DAY, 0, 0, &result, &err), &err);
    assert_int_equal(result.packs_destroyed, 0);
    assert_true(result.packs_waiting > 0);
    assert_success(condemned_load(&nights.writer, &condemned, &err), &err);
    assert_int_equal(condemned.count, result.packs_waiting);
    condemned_release(&condemned);

    again.started = NOON + 91 * DAY;
    assert_success(head_commit(&nights.writer, &again, &err), &err);
    session_end(session);
    head_release(&nights.heads[0]);
    nights.heads[0] = again;
    const struct purge_options options = { .now = NOON + 92 * DAY, .purge_within = 7 * DAY };
    assert_success(purge_run(&nights.writer, &options, &result, &err), &err);
    assert_true(result.packs_spared > 0);
    assert_success(condemned_load(&nights.writer, &condemned, &err), &err);
    assert_int_equal(condemned.count, 0);
    condemned_release(&condemned);
    assert_success(sample_compare(&nights.scratch.repo, &nights.heads[0], &nights.samples[0], &err), &err);
    assert_success(sample_compare(&nights.scratch.repo, &nights.heads[1], &nights.samples[1], &err), &err);
    close_nights(&nights);
}

static bool something_is_condemned(struct nights *nights) {
    struct condemned condemned;
    struct err err = { 0 };
    assert_success(condemned_load(&nights->writer, &condemned, &err), &err);
    bool any = condemned.count > 0;
    condemned_release(&condemned);
    return any;
}

static void a_snapshot_that_comes_while_a_purge_waits_keeps_its_packs(void **state) {
    (void)state;
    struct nights nights;
    struct session *session;
    struct head again = { 0 };
    struct err err = { 0 };
    open_nights(&nights, 60 * KILO);
    assert_int_equal(nftw(nights.scratch.folder, age_file, 16, FTW_PHYS), 0);
    assert_success(session_begin(&nights.writer, 0, SESSION_LENGTH, &session, &err), &err);
    assert_success(head_load(&nights.writer, nights.heads[0].name, &again, &err), &err);

    pid_t child = fork();
    if (child == 0) {
        const struct purge_expiry expiry = { nights.heads[0].name, "a test" };
        const struct purge_options options = {
            .now = NOON + 91 * DAY, .wait = 60, .expiries = &expiry, .expiry_count = 1
        };
        struct purge_result result;
        if (purge_run(&nights.writer, &options, &result, &err) < 0)
            _exit(99);
        _exit(result.packs_waiting == 0 ? (int)result.packs_spared : 98);
    }
    int status = 0;
    while (!something_is_condemned(&nights)) {
        if (waitpid(child, &status, WNOHANG) != 0)
            fail_msg("the purge did not wait: status %d", status);
        usleep(2000);
    }
    again.started = NOON + 91 * DAY;
    assert_success(head_commit(&nights.writer, &again, &err), &err);
    session_end(session);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) > 0 && WEXITSTATUS(status) < 98);
    assert_false(something_is_condemned(&nights));
    assert_success(sample_compare(&nights.scratch.repo, &again, &nights.samples[0], &err), &err);
    assert_success(sample_compare(&nights.scratch.repo, &nights.heads[1], &nights.samples[1], &err), &err);
    head_release(&again);
    close_nights(&nights);
}

static void a_capture_that_died_delays_nothing(void **state) {
    (void)state;
    struct nights nights;
    struct purge_result result;
    struct err err = { 0 };
    open_nights(&nights, 60 * KILO);
    pid_t child = fork();
    if (child == 0) {
        struct session *session;
        _exit(session_begin(&nights.writer, 0, SESSION_LENGTH, &session, &err) == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(scratch_repo_list(&nights.scratch, "sessions", NULL), 1);
    assert_success(purge(&nights, NOON + 91 * DAY, 0, 0, &result, &err), &err);
    assert_true(result.packs_destroyed > 0);
    assert_int_equal(result.packs_waiting, 0);
    assert_whole(&nights, 1);
    close_nights(&nights);
}

/* --- what killed runs leave
 * ------------------------------------------------------------------------------------------- */

static void write_stray_pack(struct nights *nights) {
    struct pack_writer *writer;
    struct pack_table table = { 0 };
    struct err err = { 0 };
    uint32_t section, number;
    const uint8_t id[CHUNK_ID_SIZE] = { 1 };
    assert_success(pack_writer_new(&nights->writer, &writer, &err), &err);
    assert_success(pack_writer_section(writer, SECTION_DATA, &section, &err), &err);
    assert_success(pack_writer_add(writer, section, id, 5, CODEC_RAW, "stray", 5, &number, &err), &err);
    assert_success(pack_writer_finish(writer, &table, &err), &err);
    pack_table_release(&table);
}

static void packs_without_an_index_go_unless_a_capture_may_be_writing_them(void **state) {
    (void)state;
    struct nights nights;
    struct session *session;
    struct purge_result result;
    struct err err = { 0 };
    const struct purge_options options = { .now = NOON + 3 * DAY };
    open_nights(&nights, 60 * KILO);
    size_t packs = scratch_repo_list(&nights.scratch, "packs", NULL);

    assert_success(session_begin(&nights.writer, 0, SESSION_LENGTH, &session, &err), &err);
    write_stray_pack(&nights);
    assert_success(purge_run(&nights.writer, &options, &result, &err), &err);
    assert_int_equal(scratch_repo_list(&nights.scratch, "packs", NULL), packs + 1);
    assert_int_equal(result.packs_waiting, 0);
    session_end(session);
    assert_success(purge_run(&nights.writer, &options, &result, &err), &err);
    assert_int_equal(result.packs_destroyed, 1);
    assert_int_equal(scratch_repo_list(&nights.scratch, "packs", NULL), packs);
    assert_whole(&nights, 0);
    close_nights(&nights);
}

static void a_lost_index_destroys_nothing(void **state) {
    (void)state;
    struct nights nights;
    struct store_names names = { 0 };
    struct purge_result result;
    struct check_result checked;
    struct err err = { 0 };
    char folder[REPO_NAME_MAX];
    const struct purge_options options = { .now = NOON + 3 * DAY };
    const struct check_options check_options = { .now = NOON };

    /* Whichever of the two it is. */
    for (size_t lost = 0; lost < 2; lost++) {
        open_nights(&nights, 60 * KILO);
        assert_success(
            store_names_load(nights.writer.store, repo_folder(&nights.writer, folder, "index"), &names, &err), &err);
        assert_int_equal(names.count, 2);
        assert_success(store_remove(nights.writer.store, names.items[lost].name, NULL, &err), &err);
        store_names_release(&names);
        size_t packs = scratch_repo_list(&nights.scratch, "packs", NULL);
        assert_failure(purge_run(&nights.writer, &options, &result, &err), ERR_CORRUPT, &err);
        assert_int_equal(scratch_repo_list(&nights.scratch, "packs", NULL), packs);

        assert_success(check_rebuild_index(&nights.writer, &check_options, &checked, &err), &err);
        assert_success(purge_run(&nights.writer, &options, &result, &err), &err);
        assert_int_equal(scratch_repo_list(&nights.scratch, "packs", NULL), packs);
        assert_whole(&nights, 0);
        close_nights(&nights);
    }
}

static void damaged_chunks_never_move_under_a_new_name(void **state) {
    (void)state;
    struct nights nights;
    struct purge_result result;
    struct err err = { 0 };
    open_nights(&nights, 60 * KILO);

    /* Damage every pack: whichever would be rewritten must be refused. */
    struct store_names names = { 0 }, after = { 0 };
    char folder[REPO_NAME_MAX];
    repo_folder(&nights.writer, folder, "packs");
    assert_success(store_names_load(nights.writer.store, folder, &names, &err), &err);
    for (size_t i = 0; i < names.count; i++)
        if (names.items[i].size > 250 * KILO)
            scratch_repo_flip(&nights.scratch, names.items[i].name, 50 * KILO, 0x10);
    assert_failure(purge(&nights, NOON + 91 * DAY, 0, 0, &result, &err), ERR_CORRUPT, &err);
    assert_int_equal(result.heads_removed, 1);
    assert_success(store_names_load(nights.writer.store, folder, &after, &err), &err);
    size_t damaged = 0;
    for (size_t i = 0; i < after.count; i++)
        if (after.items[i].size > 250 * KILO) {
            assert_non_null(store_names_find(&names, after.items[i].name));
            damaged++;
        }
    assert_int_equal(damaged, 1);
    store_names_release(&names);
    store_names_release(&after);
    close_nights(&nights);
}

static bool store_has(const struct nights *nights, const char *name) {
    struct err err = { 0 };
    uint64_t size;
    int64_t modified;
    return store_stat(nights->writer.store, name, &size, &modified, &err) == 0;
}

/* The name of the only pack that holds most of a night. */
static void find_large_pack(struct nights *nights, char name[REPO_NAME_MAX]) {
    struct err err = { 0 };
    struct store_names names = { 0 };
    size_t large = 0;
    assert_success(store_names_load(nights->writer.store, repo_folder(&nights->writer, name, "packs"), &names, &err),
                   &err);
    for (size_t i = 0; i < names.count; i++)
        if (names.items[i].size > 250 * KILO) {
            snprintf(name, REPO_NAME_MAX, "%s", names.items[i].name);
            large++;
        }
    assert_int_equal(large, 1);
    store_names_release(&names);
}

/* As a purge leaves it that is killed before it removes what it moved from: two packs have the same chunks. */
static void what_a_damaged_pack_seemed_to_provide_is_moved_from_another(void **state) {
    (void)state;
    struct nights nights;
    struct purge_result result;
    struct check_result checked;
    struct err err = { 0 };
    struct buffer bytes = { 0 };
    char old[REPO_NAME_MAX], moved[REPO_NAME_MAX];
    const struct check_options check_options = { .now = NOON };
    open_nights(&nights, 60 * KILO);
    find_large_pack(&nights, old);
    assert_success(store_get(nights.writer.store, old, SIZE_MAX / 2, &bytes, &err), &err);
    assert_success(purge(&nights, NOON + 91 * DAY, 0, 0, &result, &err), &err);
    find_large_pack(&nights, moved);
    assert_string_not_equal(moved, old);
    assert_success(store_put(nights.writer.store, old, bytes.data, bytes.length, &err), &err);
    buffer_release(&bytes);
    assert_success(check_rebuild_index(&nights.writer, &check_options, &checked, &err), &err);

    /* Now the moved one has dead chunks, too, and is damaged. */
    head_release(&nights.heads[0]);
    nights.heads[0] = nights.heads[1];
    nights.heads[1] = (struct head){ 0 };
    sample_change(&nights.samples[1], 1, 100 * KILO, 40 * KILO, 4);
    assert_success(sample_capture(&nights.writer, &nights.samples[1], NOON + 92 * DAY, MAX_AGE, &nights.heads[1], &err),
                   &err);
    scratch_repo_flip(&nights.scratch, moved, 50 * KILO, 0x10);
    assert_failure(purge(&nights, NOON + 92 * DAY, 0, 0, &result, &err), ERR_CORRUPT, &err);
    assert_int_equal(result.packs_rewritten, 1);
    assert_false(store_has(&nights, old));
    assert_false(store_has(&nights, moved));
    assert_whole(&nights, 1);
    close_nights(&nights);
}

static void many_index_objects_become_one(void **state) {
    (void)state;
    struct nights nights;
    struct purge_result result;
    struct err err = { 0 };
    const struct purge_options options = { .now = NOON + 40 * DAY, .purge_within = 7 * DAY };
    open_nights(&nights, 60 * KILO);
    for (int i = 2; i < 34; i++) {
        head_release(&nights.heads[1]);
        sample_fill(&nights.samples[1], 2, "gamma", 5 * KILO, (uint32_t)i + 100);
        assert_success(
            sample_capture(&nights.writer, &nights.samples[1], NOON + i * DAY, MAX_AGE, &nights.heads[1], &err), &err);
    }
    assert_true(scratch_repo_list(&nights.scratch, "index", NULL) > 32);
    assert_success(purge_run(&nights.writer, &options, &result, &err), &err);
    assert_int_equal(scratch_repo_list(&nights.scratch, "index", NULL), 1);
    assert_int_equal(result.packs_destroyed, 0);
    assert_whole(&nights, 0);
    close_nights(&nights);
}

/* As a purge leaves them that is killed while it replaces one by the other. */
static void of_two_records_the_earlier_deadline_is_told(void **state) {
    (void)state;
    struct err err = { 0 };
    struct scratch_repo scratch;
    struct dated_names packs;
    const uint8_t name[32] = { 1 };
    scratch_repo_open(&scratch);
    for (int i = 0; i < 2; i++) {
        struct purge_record record = { .epoch = (uint64_t)i + 1, .written = NOON };
        purge_record_add(&record, name)->deadline = NOON + (i + 1) * DAY;
        assert_success(purge_record_store(&scratch.repo, &record, &err), &err);
        purge_record_release(&record);
    }
    assert_success(purge_deadlines_load(&scratch.repo, &packs, &err), &err);
    assert_int_equal(packs.count, 1);
    assert_int_equal(packs.items[0].time, NOON + DAY);
    dated_names_release(&packs);
    scratch_repo_close(&scratch);
}

/* --- killed
 * ----------------------------------------------------------------------------------------------------------- */

static void a_purge_killed_at_any_moment_loses_nothing_and_needs_no_help(void **state) {
    (void)state;
    struct nights nights;
    struct purge_result result;
    struct err err = { 0 };
    open_nights(&nights, 60 * KILO);
    unsigned seed = 7;
    for (int round = 1; round <= 24; round++) {
        /* The second night becomes the first, and a new one comes. */
        int64_t now = NOON + (round + 1) * DAY;
        head_release(&nights.heads[0]);
        nights.heads[0] = nights.heads[1];
        nights.heads[1] = (struct head){ 0 };
        sample_copy(&nights.samples[0], &nights.samples[1]);
        sample_change(&nights.samples[1], 0, 40 * KILO, 30 * KILO, (uint32_t)round + 50);
        assert_success(sample_capture(&nights.writer, &nights.samples[1], now, MAX_AGE, &nights.heads[1], &err), &err);

        pid_t child = fork();
        if (child == 0)
            _exit(purge(&nights, now, 0, 0, &result, &err) == 0 ? 0 : 1);
        struct timespec moment = { .tv_nsec = rand_r(&seed) % 12000 * 1000L };
        nanosleep(&moment, NULL);
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        assert_whole(&nights, 1);
    }
    assert_success(purge(&nights, NOON + 40 * DAY, 0, 0, &result, &err), &err);
    assert_int_equal(result.dead_bytes_kept, 0);
    assert_whole(&nights, 1);
    close_nights(&nights);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_purge_with_the_write_key_leaves_no_byte_that_only_expired_snapshots_held),
        cmocka_unit_test(dead_chunks_stay_until_their_deadline_and_no_longer),
        cmocka_unit_test(the_deadline_of_the_snapshot_bounds_that_of_its_chunks),
        cmocka_unit_test(what_dies_later_does_not_delay_what_died_before),
        cmocka_unit_test(packs_that_are_mostly_dead_are_rewritten_early),
        cmocka_unit_test(a_purge_waits_for_older_captures_and_spares_what_they_referred_to),
        cmocka_unit_test(what_was_condemned_before_a_capture_committed_is_spared),
        cmocka_unit_test(a_snapshot_that_comes_while_a_purge_waits_keeps_its_packs),
        cmocka_unit_test(a_capture_that_died_delays_nothing),
        cmocka_unit_test(packs_without_an_index_go_unless_a_capture_may_be_writing_them),
        cmocka_unit_test(a_lost_index_destroys_nothing),
        cmocka_unit_test(damaged_chunks_never_move_under_a_new_name),
        cmocka_unit_test(what_a_damaged_pack_seemed_to_provide_is_moved_from_another),
        cmocka_unit_test(many_index_objects_become_one),
        cmocka_unit_test(of_two_records_the_earlier_deadline_is_told),
        cmocka_unit_test(a_purge_killed_at_any_moment_loses_nothing_and_needs_no_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
