/* The scratch object store itself: that it is one, and that it ends with whoever started it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/rgw.h"
#include "../lib/scratch.h"
#include "../lib/script.h"
#include <dirent.h>
#include <muniment/util/memory.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void buckets_keep_versions_where_they_should(void **state) {
    (void)state;
    if (!test_rgw_available())
        skip();
    const enum test_bucket kinds[] = { TEST_BUCKET_PLAIN, TEST_BUCKET_VERSIONED, TEST_BUCKET_LOCKED };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char *bucket = test_rgw_bucket(kinds[i]);
        struct buffer versions = { 0 };
        test_rgw_admin(NULL, "put", bucket, "a%20key", "/etc/hostname", NULL);
        test_rgw_admin(NULL, "put", bucket, "a%20key", "/etc/passwd", NULL);
        test_rgw_admin(NULL, "delete", bucket, "a%20key", NULL);
        test_rgw_admin(&versions, "versions", bucket, NULL);
        size_t lines = 0;
        for (const char *at = buffer_text(&versions); (at = strchr(at, '\n')) != NULL; at++)
            lines++;
        assert_int_equal(lines, kinds[i] == TEST_BUCKET_PLAIN ? 0 : 3);
        buffer_release(&versions);
        test_rgw_drop(bucket);
    }
}

/* The processes that name this folder in their command line: servers and their watch. */
static size_t alive(const char *folder) {
    size_t count = 0;
    DIR *processes = opendir("/proc");
    assert_non_null(processes);
    for (struct dirent *item; (item = readdir(processes)) != NULL;) {
        char *path = mem_format("/proc/%s/cmdline", item->d_name), command[4096];
        FILE *file = atol(item->d_name) > 0 ? fopen(path, "re") : NULL;
        if (file != NULL) {
            size_t length = fread(command, 1, sizeof command, file);
            count += memmem(command, length, folder, strlen(folder)) != NULL;
            fclose(file);
        }
        free(path);
    }
    closedir(processes);
    return count;
}

static void expect_nothing_left(const char *folder) {
    for (int i = 0; i < 600 && alive(folder) > 0; i++)
        usleep(50000);
    assert_int_equal(alive(folder), 0);
}

static void start(const char *folder, pid_t owner) {
    char text[32];
    snprintf(text, sizeof text, "RGW_OWNER=%ld", (long)owner);
    script_run("lib/rgw.sh", (const char *const[]){ "start", folder, NULL }, (const char *const[]){ text, NULL }, NULL);
    assert_true(alive(folder) >= 4); /* a monitor, a daemon, the gateway, the watch */
}

static void nothing_is_left_after_a_stop(void **state) {
    (void)state;
    if (!test_rgw_available())
        skip();
    char *scratch = scratch_make(), *folder = mem_format("%s/rgw", scratch);
    start(folder, getpid());
    script_run("lib/rgw.sh", (const char *const[]){ "stop", folder, NULL }, NULL, NULL);
    expect_nothing_left(folder);
    free(folder);
    scratch_remove(scratch);
}

static void nothing_is_left_when_the_owner_is_killed(void **state) {
    (void)state;
    if (!test_rgw_available())
        skip();
    char *scratch = scratch_make(), *folder = mem_format("%s/rgw", scratch);
    pid_t child = scratch_fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    start(folder, child);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    expect_nothing_left(folder);
    free(folder);
    scratch_remove(scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_keep_versions_where_they_should),
        cmocka_unit_test(nothing_is_left_after_a_stop),
        cmocka_unit_test(nothing_is_left_when_the_owner_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
