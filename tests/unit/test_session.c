#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/repo/purge_internal.h"
#include "../lib/bucket_like.h"
#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
#include <fcntl.h>
#include <muniment/repo/record.h>
#include <muniment/repo/session.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOUR = 3600, DAY = 24 * HOUR };

static void a_session_lives_from_begin_to_end(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct session *session;
    struct err err = { 0 };
    char name[REPO_NAME_MAX], host[17];
    scratch_repo_open(&scratch);
    assert_success(session_begin(&scratch.repo, 0, SESSION_LENGTH, &session, &err), &err);
    assert_int_equal(scratch_repo_list(&scratch, "sessions", name), 1);
    assert_memory_equal(strrchr(name, '/') + 1, keys_host_name(&scratch.keys, host), 16);
    assert_success(session_check(session, &err), &err);
    session_end(session);
    session_end(NULL);
    assert_int_equal(scratch_repo_list(&scratch, "sessions", NULL), 0);
    scratch_repo_close(&scratch);
}

static void a_second_capture_of_the_set_is_locked_out(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct session *first, *second;
    struct err err = { 0 };
    scratch_repo_open(&scratch);
    assert_success(session_begin(&scratch.repo, 0, SESSION_LENGTH, &first, &err), &err);
    assert_failure(session_begin(&scratch.repo, 0, SESSION_LENGTH, &second, &err), ERR_LOCKED, &err);
    assert_int_equal(scratch_repo_list(&scratch, "sessions", NULL), 1);
    session_end(first);
    assert_success(session_begin(&scratch.repo, 0, SESSION_LENGTH, &second, &err), &err);
    session_end(second);
    scratch_repo_close(&scratch);
}

static void a_capture_that_was_killed_on_any_host_leaves_nothing_to_unlock(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct session *session;
    struct err err = { 0 };
    int ready[2];
    char byte, name[REPO_NAME_MAX], again[REPO_NAME_MAX];
    scratch_repo_open(&scratch);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *store;
        struct store_address address = { .path = scratch.folder };
        struct repo repo;
        keys_new_host(&scratch.keys);
        if (store_open(&address, false, &store, &err) < 0 || repo_open(&repo, store, &scratch.keys, NULL, &err) < 0 ||
            session_begin(&repo, 0, SESSION_LENGTH, &session, &err) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    assert_int_equal(scratch_repo_list(&scratch, "sessions", name), 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(scratch_repo_list(&scratch, "sessions", NULL), 1);

    assert_success(session_begin(&scratch.repo, 0, SESSION_LENGTH, &session, &err), &err);
    assert_int_equal(scratch_repo_list(&scratch, "sessions", again), 1);
    assert_string_not_equal(name, again);
    session_end(session);
    scratch_repo_close(&scratch);
}

/* In a bucket a lock keeps nobody out but on one machine, so a session of another host may be alive. */
static void sessions_of_other_hosts_in_a_bucket_are_let_be(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct keys keys;
    struct session *own, *others;
    struct err err = { 0 };
    size_t count;
    scratch_repo_open(&scratch);
    bucket_like(scratch.store);
    struct repo other = other_host(&scratch.repo, &keys);
    assert_success(session_begin(&other, 0, SESSION_LENGTH, &others, &err), &err);
    assert_success(session_begin(&scratch.repo, 0, SESSION_LENGTH, &own, &err), &err);
    session_abandon(own);
    assert_int_equal(scratch_repo_list(&scratch, "sessions", NULL), 2);
    assert_success(sessions_older(&scratch.repo, clock_now(), &count, &err), &err);
    assert_int_equal(count, 2);

    assert_success(session_begin(&scratch.repo, 0, SESSION_LENGTH, &own, &err), &err);
    assert_int_equal(scratch_repo_list(&scratch, "sessions", NULL), 2);
    session_end(own);
    assert_success(session_check(others, &err), &err);
    session_end(others);
    assert_int_equal(scratch_repo_list(&scratch, "sessions", NULL), 0);
    keys_wipe(&keys);
    scratch_repo_close(&scratch);
}

static void a_session_past_its_hard_end_may_not_commit(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct session *session;
    struct err err = { 0 };
    scratch_repo_open(&scratch);
    assert_success(session_begin(&scratch.repo, 0, 1, &session, &err), &err);
    double end = clock_monotonic() + 1.1;
    while (clock_monotonic() < end)
        usleep(20000);
    assert_failure(session_check(session, &err), ERR_REFUSED, &err);
    session_end(session);
    assert_failure(session_begin(&scratch.repo, 0, 0, &session, &err), ERR_INVALID, &err);
    assert_failure(session_begin(&scratch.repo, 0, INT64_MAX, &session, &err), ERR_INVALID, &err);
    scratch.keys.can_sign = false;
    assert_failure(session_begin(&scratch.repo, 0, DAY, &session, &err), ERR_KEY, &err);
    scratch_repo_close(&scratch);
}

/* --- the purge's side --------------------------------------------------------------------------------------------- */

static void touch(const struct scratch_repo *scratch, const char *name, int64_t when) {
    char *path = mem_format("%s/%s", scratch->folder, name);
    struct timespec times[2] = { { .tv_sec = when }, { .tv_sec = when } };
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(path);
}

static size_t older(struct scratch_repo *scratch, int64_t modified) {
    struct err err = { 0 };
    size_t count;
    assert_success(sessions_older(&scratch->repo, modified, &count, &err), &err);
    return count;
}

static void a_purge_waits_for_sessions_that_may_be_older(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct session *session;
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    int64_t now = clock_now();
    scratch_repo_open(&scratch);
    assert_int_equal(older(&scratch, now), 0);
    assert_success(session_begin(&scratch.repo, 0, DAY, &session, &err), &err);
    scratch_repo_list(&scratch, "sessions", name);

    touch(&scratch, name, now - 10);
    assert_int_equal(older(&scratch, now), 1);
    assert_int_equal(older(&scratch, now - 10), 1);
    assert_int_equal(older(&scratch, now - 11), 1); /* stamps may be off */
    assert_int_equal(older(&scratch, now - 10 - SESSION_MARGIN - 1), 0);

    touch(&scratch, name, now - DAY - HOUR / 2);
    assert_int_equal(older(&scratch, now), 1); /* its end is within the margin */
    touch(&scratch, name, now - DAY - SESSION_MARGIN - 60);
    assert_int_equal(older(&scratch, now), 0);
    session_end(session);
    assert_int_equal(older(&scratch, now), 0);
    scratch_repo_close(&scratch);
}

static void a_session_that_cannot_be_read_counts_for_a_day(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct session *session;
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    int64_t now = clock_now();
    scratch_repo_open(&scratch);
    assert_success(session_begin(&scratch.repo, 0, 2 * HOUR, &session, &err), &err);
    scratch_repo_list(&scratch, "sessions", name);
    scratch_repo_flip(&scratch, name, 40, 1);
    touch(&scratch, name, now - DAY);
    assert_int_equal(older(&scratch, now), 1);
    touch(&scratch, name, now - DAY - SESSION_MARGIN - 60);
    assert_int_equal(older(&scratch, now), 0);
    session_end(session);
    scratch_repo_close(&scratch);
}

/* --- purge records ------------------------------------------------------------------------------------------------ */

static void pack_name(uint8_t pack[32], unsigned number) {
    memset(pack, 0, 32);
    pack[0] = (uint8_t)(number * 37);
    pack[1] = (uint8_t)number;
}

static void the_condemned_are_the_union_over_all_records(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct condemned condemned;
    struct err err = { 0 };
    uint8_t pack[32];
    scratch_repo_open(&scratch);
    assert_success(condemned_load(&scratch.repo, &condemned, &err), &err);
    assert_int_equal(condemned.count, 0);
    pack_name(pack, 1);
    assert_false(condemned_has(&condemned, pack));
    condemned_release(&condemned);

    for (uint64_t epoch = 1; epoch <= 2; epoch++) {
        struct purge_record record = { .epoch = epoch, .written = 1772366400 };
        for (unsigned i = 0; i < 40; i++) {
            pack_name(pack, i);
            struct purge_pack *line = purge_record_add(&record, pack);
            line->deadline = i;
            line->condemned = epoch == 1 ? i < 10 : i >= 5 && i < 20;
        }
        assert_int_equal(record.count, 40);
        pack_name(pack, 7);
        assert_ptr_equal(purge_record_add(&record, pack), purge_record_find(&record, pack));
        assert_int_equal(purge_record_find(&record, pack)->deadline, 7);
        assert_success(purge_record_store(&scratch.repo, &record, &err), &err);
        purge_record_release(&record);
    }

    assert_success(condemned_load(&scratch.repo, &condemned, &err), &err);
    assert_int_equal(condemned.count, 20);
    for (unsigned i = 0; i < 40; i++) {
        pack_name(pack, i);
        assert_int_equal(condemned_has(&condemned, pack), i < 20);
    }
    condemned_release(&condemned);

    struct purge_records records;
    assert_success(purge_records_load(&scratch.repo, &records, &err), &err);
    assert_int_equal(records.count, 2);
    assert_int_equal(records.items[0].epoch, 1);
    assert_int_equal(records.items[1].epoch, 2);
    purge_records_release(&records);
    scratch_repo_close(&scratch);
}

static void a_damaged_or_renamed_purge_record_is_refused(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct condemned condemned;
    struct purge_record record = { .epoch = 3, .written = 1772366400 };
    struct err err = { 0 };
    char name[REPO_NAME_MAX], other[REPO_NAME_MAX];
    uint8_t pack[32];
    scratch_repo_open(&scratch);
    pack_name(pack, 1);
    purge_record_add(&record, pack)->condemned = true;
    assert_success(purge_record_store(&scratch.repo, &record, &err), &err);
    repo_name(&scratch.repo, name, "purges", record.name);
    scratch_repo_flip(&scratch, name, 60, 4);
    assert_failure(condemned_load(&scratch.repo, &condemned, &err), ERR_CORRUPT, &err);
    scratch_repo_flip(&scratch, name, 60, 4);
    record.name[0] = '1'; /* a later epoch */
    scratch_repo_copy(&scratch, name, repo_name(&scratch.repo, other, "purges", record.name));
    assert_failure(condemned_load(&scratch.repo, &condemned, &err), ERR_CORRUPT, &err);
    purge_record_release(&record);
    scratch_repo_close(&scratch);
}

static void a_purge_record_is_sorted_and_whole(void **state) {
    (void)state;
    struct purge_record record = { .epoch = 1, .written = 5 }, decoded;
    struct buffer payload = { 0 };
    struct err err = { 0 };
    uint8_t pack[32];
    char *name = mem_format("%016d-%064d", 1, 0);
    for (unsigned i = 0; i < 3; i++) {
        pack_name(pack, i);
        purge_record_add(&record, pack);
    }
    purge_record_encode(&record, &payload);
    assert_success(purge_record_decode(&decoded, payload.data, payload.length, name, &err), &err);
    assert_int_equal(decoded.count, 3);
    purge_record_release(&decoded);
    for (size_t length = 0; length < payload.length; length++)
        assert_failure(purge_record_decode(&decoded, payload.data, length, name, &err), ERR_CORRUPT, &err);
    buffer_put_u8(&payload, 0);
    assert_failure(purge_record_decode(&decoded, payload.data, payload.length, name, &err), ERR_CORRUPT, &err);

    struct purge_pack first = record.packs[0];
    record.packs[0] = record.packs[1];
    record.packs[1] = first;
    buffer_clear(&payload);
    purge_record_encode(&record, &payload);
    assert_failure(purge_record_decode(&decoded, payload.data, payload.length, name, &err), ERR_CORRUPT, &err);
    buffer_release(&payload);
    purge_record_release(&record);
    free(name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_lives_from_begin_to_end),
        cmocka_unit_test(a_second_capture_of_the_set_is_locked_out),
        cmocka_unit_test(a_capture_that_was_killed_on_any_host_leaves_nothing_to_unlock),
        cmocka_unit_test(sessions_of_other_hosts_in_a_bucket_are_let_be),
        cmocka_unit_test(a_session_past_its_hard_end_may_not_commit),
        cmocka_unit_test(a_purge_waits_for_sessions_that_may_be_older),
        cmocka_unit_test(a_session_that_cannot_be_read_counts_for_a_day),
        cmocka_unit_test(the_condemned_are_the_union_over_all_records),
        cmocka_unit_test(a_damaged_or_renamed_purge_record_is_refused),
        cmocka_unit_test(a_purge_record_is_sorted_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
