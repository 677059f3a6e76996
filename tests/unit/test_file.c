#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>

#include "../lib/scratch.h"

/* A folder, and a path in it that a test may use. */
struct place {
    char *folder;
    char *path;
};

static int make_place(void **state) {
    struct place *place = mem_zalloc(sizeof *place);

    place->folder = scratch_make();
    place->path = mem_format("%s/file", place->folder);
    *state = place;
    return 0;
}

static int remove_place(void **state) {
    struct place *place = *state;

    scratch_remove(place->folder);
    free(place->path);
    free(place);
    return 0;
}

static void assert_content(const char *path, const char *expected) {
    struct buffer content = { 0 };
    struct err err = { 0 };

    assert_success(file_read(path, 1000, &content, &err), &err);
    assert_string_equal(buffer_text(&content), expected);
    buffer_release(&content);
}

static mode_t mode_of(const char *path) {
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void a_replaced_file_has_its_new_content_and_mode(void **state) {
    const struct place *place = *state;
    struct err err = { 0 };

    assert_success(file_replace(place->path, 0600, "one", 3, &err), &err);
    assert_content(place->path, "one");
    assert_int_equal(mode_of(place->path), 0600);
    assert_success(file_replace(place->path, 0640, "second", 6, &err), &err);
    assert_content(place->path, "second");
    assert_int_equal(mode_of(place->path), 0640);
    assert_success(file_replace(place->path, 0400, "", 0, &err), &err);
    assert_content(place->path, "");
    assert_int_equal(scratch_count(place->folder), 1);
}

static void a_file_in_the_way_is_left_alone_by_create(void **state) {
    const struct place *place = *state;
    struct err err = { 0 };

    assert_success(file_create(place->path, 0400, "key", 3, &err), &err);
    assert_failure(file_create(place->path, 0400, "other", 5, &err), ERR_EXISTS, &err);
    assert_content(place->path, "key");
    assert_int_equal(mode_of(place->path), 0400);
    assert_int_equal(scratch_count(place->folder), 1);
}

static void even_a_dangling_link_is_in_the_way_of_create(void **state) {
    const struct place *place = *state;
    struct err err = { 0 };

    assert_int_equal(symlink("nowhere", place->path), 0);
    assert_failure(file_create(place->path, 0600, "x", 1, &err), ERR_EXISTS, &err);
    assert_int_equal(scratch_count(place->folder), 1);
}

static void a_failed_write_leaves_nothing_behind(void **state) {
    const struct place *place = *state;
    struct err err = { 0 };
    char *below = mem_format("%s/no/such/folder", place->folder);

    assert_failure(file_replace(below, 0600, "x", 1, &err), ERR_NOT_FOUND, &err);
    assert_failure(file_create(below, 0600, "x", 1, &err), ERR_NOT_FOUND, &err);

    /* A folder cannot be replaced by a file: the rename fails when all is written. */
    assert_int_equal(mkdir(place->path, 0700), 0);
    assert_failure(file_replace(place->path, 0600, "x", 1, &err), ERR_SYSTEM, &err);
    assert_int_equal(scratch_count(place->folder), 1);
    free(below);
}

static void reading_appends_and_is_bounded(void **state) {
    const struct place *place = *state;
    struct buffer content = { 0 };
    struct err err = { 0 };

    assert_success(file_replace(place->path, 0600, "12345", 5, &err), &err);
    buffer_put(&content, "0", 1);
    assert_failure(file_read(place->path, 4, &content, &err), ERR_INVALID, &err);
    assert_int_equal(content.length, 1);
    assert_success(file_read(place->path, 5, &content, &err), &err);
    assert_string_equal(buffer_text(&content), "012345");
    assert_failure(file_read("/nonexistent/file", 5, &content, &err), ERR_NOT_FOUND, &err);
    assert_failure(file_read(place->folder, 5, &content, &err), ERR_SYSTEM, &err);
    assert_int_equal(content.length, 6);
    buffer_release(&content);
}

static void a_large_file_and_one_without_a_size_are_read_whole(void **state) {
    const struct place *place = *state;
    struct buffer written = { 0 }, content = { 0 };
    struct err err = { 0 };
    int ends[2];

    for (uint32_t i = 0; i < 300000; i++)
        buffer_put_u32(&written, i * 2654435761u);
    assert_success(file_replace(place->path, 0600, written.data, written.length, &err), &err);
    assert_success(file_read(place->path, 10000000, &content, &err), &err);
    assert_int_equal(content.length, written.length);
    assert_memory_equal(content.data, written.data, written.length);

    /* A key may come through a pipe: <(pass show backup). */
    char name[64];
    buffer_clear(&content);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "through a pipe", 14), 14);
    close(ends[1]);
    snprintf(name, sizeof name, "/proc/self/fd/%d", ends[0]);
    assert_success(file_read(name, 100, &content, &err), &err);
    assert_string_equal(buffer_text(&content), "through a pipe");
    close(ends[0]);
    buffer_release(&written);
    buffer_release(&content);
}

static void folders_are_made_with_all_above_them(void **state) {
    static const char *const tails[] = { "a/b/c", "a/b/c", "a//d/", "a", "" };
    const struct place *place = *state;
    struct err err = { 0 };

    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        char *path = mem_format("%s/%s", place->folder, tails[i]);
        struct stat status;
        assert_success(file_make_folders(path, 0700, &err), &err);
        assert_int_equal(stat(path, &status), 0);
        assert_true(S_ISDIR(status.st_mode));
        free(path);
    }
    assert_int_equal(scratch_count(place->folder), 4);
    assert_success(file_make_folders("/", 0700, &err), &err);
}

static void a_file_is_no_folder(void **state) {
    const struct place *place = *state;
    struct err err = { 0 };
    char *below = mem_format("%s/below", place->path);

    assert_success(file_replace(place->path, 0600, "x", 1, &err), &err);
    assert_failure(file_make_folders(place->path, 0700, &err), ERR_SYSTEM, &err);
    assert_failure(file_make_folders(below, 0700, &err), ERR_SYSTEM, &err);
    assert_content(place->path, "x");
    free(below);
}

static void a_full_disk_is_an_error_with_its_name(void **state) {
    struct err err = { 0 };
    (void)state;

    const int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, "x", 1, "the target", &err), -1);
    assert_int_equal(err.sys, ENOSPC);
    assert_non_null(strstr(err.message, "the target"));
    close(fd);
}

static void the_folder_of_any_path_can_be_made_durable(void **state) {
    const struct place *place = *state;
    struct err err = { 0 };

    assert_success(file_sync_folder_of(place->path, &err), &err);
    assert_success(file_sync_folder_of("relative", &err), &err);
    assert_success(file_sync_folder_of("/", &err), &err);
    assert_success(file_sync_folder_of("/tmp/", &err), &err);
    assert_failure(file_sync_folder_of("/nonexistent/file", &err), ERR_NOT_FOUND, &err);
}

static void a_tree_is_removed_and_what_it_points_to_stays(void **state) {
    const struct place *place = *state;
    struct err err = { 0 };
    char *tree = mem_format("%s/tree", place->folder), *closed = mem_format("%s/closed", tree);
    char *file = mem_format("%s/file", closed), *link = mem_format("%s/link", tree);

    assert_success(file_make_folders(closed, 0700, &err), &err);
    assert_success(file_replace(file, 0400, "x", 1, &err), &err);
    assert_success(file_replace(place->path, 0600, "y", 1, &err), &err);
    assert_int_equal(symlink(place->path, link), 0);
    assert_int_equal(chmod(closed, 0), 0);

    assert_success(file_remove_tree(tree, &err), &err);
    assert_int_equal(access(tree, F_OK), -1);
    assert_int_equal(access(place->path, F_OK), 0);
    assert_success(file_remove_tree(tree, &err), &err);
    assert_success(file_remove_tree(place->path, &err), &err);
    assert_int_equal(access(place->path, F_OK), -1);
    free(tree);
    free(closed);
    free(file);
    free(link);
}

static void what_cannot_be_removed_is_named(void **state) {
    struct err err = { 0 };
    (void)state;
    assert_int_equal(file_remove_tree("/proc/self/status", &err), -1);
    assert_non_null(strstr(err.message, "/proc/self/status"));
}

#define IN_A_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_A_PLACE(a_replaced_file_has_its_new_content_and_mode),
        IN_A_PLACE(a_file_in_the_way_is_left_alone_by_create),
        IN_A_PLACE(even_a_dangling_link_is_in_the_way_of_create),
        IN_A_PLACE(a_failed_write_leaves_nothing_behind),
        IN_A_PLACE(reading_appends_and_is_bounded),
        IN_A_PLACE(a_large_file_and_one_without_a_size_are_read_whole),
        IN_A_PLACE(folders_are_made_with_all_above_them),
        IN_A_PLACE(a_file_is_no_folder),
        cmocka_unit_test(a_full_disk_is_an_error_with_its_name),
        IN_A_PLACE(the_folder_of_any_path_can_be_made_durable),
        IN_A_PLACE(a_tree_is_removed_and_what_it_points_to_stays),
        cmocka_unit_test(what_cannot_be_removed_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
