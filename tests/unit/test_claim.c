#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/bucket_like.h"
#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
#include <fcntl.h>
#include <muniment/repo/claim.h>
#include <muniment/repo/session.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HOUR = 3600, HOSTS = 3, ROUNDS = 2 };

static void where_locks_are_seen_by_everyone_nothing_is_put(void **state) {
    (void)state;
    struct err err = { 0 };
    struct scratch_repo scratch;
    struct claim *claim;
    scratch_repo_open(&scratch);
    assert_success(claim_take(&scratch.repo, 0, &claim, &err), &err);
    assert_int_equal(scratch_repo_list(&scratch, "claims", NULL), 0);
    assert_int_equal(claim_time(claim), 0);
    assert_success(claim_check(claim, &err), &err);
    claim_release(claim);
    claim_release(NULL);
    scratch_repo_close(&scratch);
}

static void a_second_host_is_kept_out_until_the_first_ends(void **state) {
    (void)state;
    struct err err = { 0 };
    struct scratch_repo scratch;
    struct keys keys;
    struct claim *first, *second;
    scratch_repo_open(&scratch);
    bucket_like(scratch.store);
    struct repo other = other_host(&scratch.repo, &keys);
    assert_success(claim_take(&scratch.repo, 0, &first, &err), &err);
    assert_true(llabs(claim_time(first) - clock_now()) < HOUR);
    assert_success(claim_check(first, &err), &err);
    assert_failure(claim_take(&other, 0, &second, &err), ERR_LOCKED, &err);
    assert_int_equal(scratch_repo_list(&scratch, "claims", NULL), 1);
    claim_release(first);
    assert_success(claim_take(&other, 0, &second, &err), &err);
    claim_release(second);
    assert_int_equal(scratch_repo_list(&scratch, "claims", NULL), 0);
    keys_wipe(&keys);
    scratch_repo_close(&scratch);
}

/* A process that takes a claim, and is gone. */
static void claim_and_die(struct repo *repo) {
    pid_t child = scratch_fork();
    if (child == 0) {
        struct err err = { 0 };
        struct claim *claim;
        _exit(claim_take(repo, 0, &claim, &err) == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void what_a_killed_purge_left_on_this_machine_is_no_obstacle(void **state) {
    (void)state;
    struct err err = { 0 };
    struct scratch_repo scratch;
    struct keys keys;
    struct claim *claim;
    scratch_repo_open(&scratch);
    bucket_like(scratch.store);
    struct repo other = other_host(&scratch.repo, &keys);
    claim_and_die(&scratch.repo);
    assert_int_equal(scratch_repo_list(&scratch, "claims", NULL), 1);
    assert_failure(claim_take(&other, 0, &claim, &err), ERR_LOCKED, &err);
    assert_success(claim_take(&scratch.repo, 0, &claim, &err), &err);
    assert_int_equal(scratch_repo_list(&scratch, "claims", NULL), 1);
    claim_release(claim);
    keys_wipe(&keys);
    scratch_repo_close(&scratch);
}

static void set_time(const struct scratch_repo *scratch, const char *name, int64_t when) {
    char *path = mem_format("%s/%s", scratch->folder, name);
    struct timespec times[2] = { { .tv_sec = when }, { .tv_sec = when } };
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(path);
}

static void what_a_killed_purge_left_elsewhere_ends_by_itself(void **state) {
    (void)state;
    struct err err = { 0 };
    struct scratch_repo scratch;
    struct keys keys;
    struct claim *claim;
    char name[REPO_NAME_MAX];
    scratch_repo_open(&scratch);
    bucket_like(scratch.store);
    struct repo other = other_host(&scratch.repo, &keys);
    claim_and_die(&other);
    scratch_repo_list(&scratch, "claims", name);
    set_time(&scratch, name, clock_now() - CLAIM_LENGTH - CLAIM_MARGIN + 60);
    assert_failure(claim_take(&scratch.repo, 0, &claim, &err), ERR_LOCKED, &err);
    set_time(&scratch, name, clock_now() - CLAIM_LENGTH - CLAIM_MARGIN - 60);
    assert_success(claim_take(&scratch.repo, 0, &claim, &err), &err);
    assert_int_equal(scratch_repo_list(&scratch, "claims", NULL), 1);
    claim_release(claim);
    keys_wipe(&keys);
    scratch_repo_close(&scratch);
}

static void a_claim_that_cannot_be_read_counts(void **state) {
    (void)state;
    struct err err = { 0 };
    struct scratch_repo scratch;
    struct claim *claim;
    char name[REPO_NAME_MAX];
    scratch_repo_open(&scratch);
    bucket_like(scratch.store);
    repo_name(&scratch.repo, name, "claims", "0123456789abcdef-0123456789abcdef");
    assert_success(store_put(scratch.store, name, "noise", 5, &err), &err);
    assert_failure(claim_take(&scratch.repo, 0, &claim, &err), ERR_LOCKED, &err);
    set_time(&scratch, name, clock_now() - CLAIM_LENGTH - CLAIM_MARGIN - 60);
    assert_success(claim_take(&scratch.repo, 0, &claim, &err), &err);
    claim_release(claim);
    scratch_repo_close(&scratch);
}

/* One host: whoever holds the claim is alone with the file, which it makes and removes. */
static int take_turns(struct repo *repo, const char *file) {
    for (int round = 0; round < ROUNDS; round++) {
        struct err err = { 0 };
        struct claim *claim;
        if (claim_take(repo, 60, &claim, &err) < 0)
            return 1;
        int made = open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (made < 0 || close(made) < 0)
            return 2;
        nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
        if (unlink(file) < 0)
            return 3;
        claim_release(claim);
    }
    return 0;
}

static void of_many_hosts_one_at_a_time_goes_on(void **state) {
    (void)state;
    struct scratch_repo scratch;
    pid_t children[HOSTS];
    char *folder = scratch_make(), *file = mem_format("%s/alone", folder);
    scratch_repo_open(&scratch);
    bucket_like(scratch.store);
    for (int host = 0; host < HOSTS; host++) {
        children[host] = scratch_fork();
        if (children[host] == 0) {
            struct keys keys;
            struct repo repo = other_host(&scratch.repo, &keys);
            _exit(take_turns(&repo, file));
        }
    }
    for (int host = 0; host < HOSTS; host++) {
        int status;
        assert_int_equal(waitpid(children[host], &status, 0), children[host]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(scratch_repo_list(&scratch, "claims", NULL), 0);
    scratch_repo_close(&scratch);
    free(file);
    scratch_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_locks_are_seen_by_everyone_nothing_is_put),
        cmocka_unit_test(a_second_host_is_kept_out_until_the_first_ends),
        cmocka_unit_test(what_a_killed_purge_left_on_this_machine_is_no_obstacle),
        cmocka_unit_test(what_a_killed_purge_left_elsewhere_ends_by_itself),
        cmocka_unit_test(a_claim_that_cannot_be_read_counts),
        cmocka_unit_test(of_many_hosts_one_at_a_time_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
