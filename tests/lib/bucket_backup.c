#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bucket_backup.h"
#include "rgw.h"
#include "scratch.h"
#include <muniment/snapshot/capture.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

int bucket_backup_make(void **state) {
    struct bucket_backup *backup = mem_zalloc(sizeof *backup);
    struct err err = { 0 };

    *state = backup;
    if (!test_rgw_available())
        return 0;
    scratch_repo_open(&backup->scratch);
    bucket_world_open(&backup->world);
    backup->policy = (struct policy){ .daily = 7, .interval = 86400, .timezone = "UTC" };
    backup->target = test_rgw_bucket(TEST_BUCKET_PLAIN);
    backup->folder = scratch_make();
    backup->state = mem_format("%s/state", backup->folder);
    assert_success(file_make_folders(backup->state, 0700, &err), &err);
    backup->options.head = &backup->head;
    return 0;
}

int bucket_backup_drop(void **state) {
    struct bucket_backup *backup = *state;

    if (test_rgw_available()) {
        head_release(&backup->head);
        test_rgw_drop(backup->target);
        bucket_world_close(&backup->world);
        scratch_repo_close(&backup->scratch);
        free(backup->state);
        scratch_remove(backup->folder);
    }
    free(backup);
    return 0;
}

void bucket_backup_capture(struct bucket_backup *backup) {
    struct err err = { 0 };
    const struct capture_options options = {
        .sources = &backup->world.source,
        .source_count = 1,
        .policy = &backup->policy,
        .state_folder = backup->state,
    };
    head_release(&backup->head);
    assert_success(capture_run(&backup->scratch.repo, &options, &backup->head, &err), &err);
    for (size_t i = 0; i < backup->head.sources[0].trouble_count; i++)
        print_message("%s\n", backup->head.sources[0].troubles[i]);
    assert_int_equal(backup->head.outcome, OUTCOME_COMPLETE);
}

int bucket_backup_restore_to(struct bucket_backup *backup, const char *address, struct err *err) {
    return restore_to_bucket(&backup->scratch.repo, &backup->options, address, &backup->world.services, &backup->result,
                             err);
}

int bucket_backup_restore(struct bucket_backup *backup, const char *prefix, struct err *err) {
    char *address = bucket_world_address(&backup->world, backup->target, prefix);
    const int result = bucket_backup_restore_to(backup, address, err);
    free(address);
    return result;
}

void bucket_backup_expect_restored(struct bucket_backup *backup, uint64_t entries, uint64_t unchanged) {
    struct err err = { 0 };
    assert_success(bucket_backup_restore(backup, "", &err), &err);
    assert_int_equal(backup->result.entries, entries);
    assert_int_equal(backup->result.unchanged, unchanged);
    bucket_world_compare(&backup->world, backup->world.bucket, "", backup->target, "");
}

void bucket_backup_restore_files(struct bucket_backup *backup) {
    struct err err = { 0 };
    char *out = mem_format("%s/out", backup->folder);
    assert_success(restore_to_folder(&backup->scratch.repo, &backup->options, out, &backup->result, &err), &err);
    free(out);
}

char *bucket_backup_path(const struct bucket_backup *backup, const char *name) {
    return mem_format("%s/out/objects/%s/%s", backup->folder, backup->world.bucket, name);
}

void bucket_backup_assert_file(const struct bucket_backup *backup, const char *name, const char *content) {
    struct buffer found = { 0 };
    struct err err = { 0 };
    char *path = bucket_backup_path(backup, name);
    assert_success(file_read(path, 1048576, &found, &err), &err);
    assert_int_equal(found.length, strlen(content));
    assert_memory_equal(buffer_text(&found), content, strlen(content));
    buffer_release(&found);
    free(path);
}
