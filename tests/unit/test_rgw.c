/* The scratch object store itself: that it is one, and that it ends with whoever started it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/rgw.h"
#include "../lib/scratch.h"
#include "../lib/script.h"
#include <muniment/util/file.h>
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

static bool is_alive(const char *folder) {
    char *path = mem_format("%s/run/client.rgw.pid", folder);
    struct buffer text = { 0 };
    struct err err = { 0 };
    bool alive = file_read(path, 64, &text, &err) == 0 && kill((pid_t)atol(buffer_text(&text)), 0) == 0;
    buffer_release(&text);
    free(path);
    return alive;
}

static void servers_end_when_their_owner_is_gone(void **state) {
    (void)state;
    if (!test_rgw_available())
        skip();
    char *scratch = scratch_make(), *folder = mem_format("%s/rgw", scratch), owner[32];
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    snprintf(owner, sizeof owner, "RGW_OWNER=%ld", (long)child);
    script_run("lib/rgw.sh", (const char *const[]){ "start", folder, NULL }, (const char *const[]){ owner, NULL },
               NULL);
    assert_true(is_alive(folder));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    for (int i = 0; i < 600 && is_alive(folder); i++)
        usleep(50000);
    assert_false(is_alive(folder));
    free(folder);
    scratch_remove(scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_keep_versions_where_they_should),
        cmocka_unit_test(servers_end_when_their_owner_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
