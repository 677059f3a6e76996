/* What only a directory store has: files that are no objects, links, leftovers, full disks. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <muniment/store/store.h>
#include <muniment/util/file.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>

#include "../lib/scratch.h"

static int make_folder(void **state) {
    *state = scratch_make();
    return 0;
}

static int remove_folder(void **state) {
    scratch_remove(*state);
    return 0;
}

static struct store *open_store(const char *folder) {
    const struct store_address address = { .path = folder };
    struct store *store = NULL;
    struct err err = { 0 };

    assert_success(store_open(&address, false, &store, &err), &err);
    return store;
}

static void put(struct store *store, const char *name) {
    struct err err = { 0 };
    assert_success(store_put(store, name, name, strlen(name), &err), &err);
}

static int count_object(void *context, const struct store_object *object, struct err *err) {
    (void)object;
    (void)err;
    ++*(size_t *)context;
    return 0;
}

static size_t count_objects(struct store *store) {
    struct err err = { 0 };
    size_t count = 0;

    assert_success(store_list(store, "", count_object, &count, &err), &err);
    return count;
}

/* How many temporary files lie in the store's root. */
static size_t count_temporary(const char *folder) {
    char *command = mem_format("find '%s' -name '.tmp-*' | wc -l", folder);
    FILE *output = popen(command, "re");
    size_t count = 0;

    assert_non_null(output);
    assert_int_equal(fscanf(output, "%zu", &count), 1);
    assert_int_equal(pclose(output), 0);
    free(command);
    return count;
}

static void a_directory_is_made_only_on_request(void **state) {
    char *path = mem_format("%s/a/b", (const char *)*state);
    const struct store_address address = { .path = path, .label = "the mirror" };
    struct store *store;
    struct stat status;
    struct err err = { 0 };

    assert_failure(store_open(&address, false, &store, &err), ERR_NOT_FOUND, &err);
    assert_success(store_open(&address, true, &store, &err), &err);
    assert_string_equal(store_label(store), "the mirror");
    assert_true(store_lock_is_global(store));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    put(store, "x");
    store_close(store);
    assert_success(store_open(&address, true, &store, &err), &err);
    assert_int_equal(count_objects(store), 1);
    store_close(store);
    store_close(NULL);
    free(path);
}

static void objects_are_for_their_owner_alone(void **state) {
    char *path = mem_format("%s/set/packs/x", (const char *)*state);
    struct store *store = open_store(*state);
    struct stat status;

    const mode_t before = umask(0);
    put(store, "set/packs/x");
    umask(before);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    *strrchr(path, '/') = '\0';
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    store_close(store);
    free(path);
}

static void what_is_no_object_is_not_listed(void **state) {
    static const char *const files[] = { ".hidden", "lost+found", "with space", "a/.hidden", "~backup" };
    const char *folder = *state;
    struct store *store = open_store(folder);
    struct err err = { 0 };

    put(store, "a/object");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = mem_format("%s/%s", folder, files[i]);
        assert_success(file_replace(path, 0600, "x", 1, &err), &err);
        free(path);
    }
    char *link = mem_format("%s/link", folder), *pipe_path = mem_format("%s/pipe", folder);
    char *hidden = mem_format("%s/.hidden.d/object", folder), *loop = mem_format("%s/a/loop", folder);
    assert_int_equal(symlink("a/object", link), 0);
    assert_int_equal(symlink("..", loop), 0);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    *strrchr(hidden, '/') = '\0';
    assert_int_equal(mkdir(hidden, 0700), 0);
    assert_int_equal(count_objects(store), 1);

    free(link);
    free(loop);
    free(pipe_path);
    free(hidden);
    store_close(store);
}

static void neither_a_link_nor_a_pipe_is_read_as_an_object(void **state) {
    const char *folder = *state;
    struct store *store = open_store(folder);
    struct buffer content = { 0 };
    struct err err = { 0 };
    uint64_t size;
    char byte;

    put(store, "object");
    char *link = mem_format("%s/link", folder), *pipe_path = mem_format("%s/pipe", folder);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_failure(store_get(store, "link", 1 << 20, &content, &err), ERR_SYSTEM, &err);
    assert_failure(store_get_range(store, "link", 0, &byte, 1, &err), ERR_SYSTEM, &err);
    assert_failure(store_stat(store, "link", &size, NULL, &err), ERR_CORRUPT, &err);
    assert_failure(store_get(store, "pipe", 1 << 20, &content, &err), ERR_CORRUPT, &err);

    /* A put replaces the link, not what it points to. */
    put(store, "link");
    assert_success(store_get(store, "link", 10, &content, &err), &err);
    assert_string_equal(buffer_text(&content), "link");
    buffer_release(&content);
    free(link);
    free(pipe_path);
    store_close(store);
}

/* A child that has begun an upload and goes on when told to. */
static pid_t begin_upload_elsewhere(const char *folder) {
    int ready[2];
    char byte = 0;

    assert_int_equal(pipe(ready), 0);
    const pid_t child = scratch_fork();
    if (child == 0) {
        const struct store_address address = { .path = folder };
        struct store *store;
        struct store_upload *upload;
        struct err err = { 0 };
        if (store_open(&address, false, &store, &err) != 0 || store_upload_begin(store, &upload, &err) != 0 ||
            store_upload_write(upload, "half", 4, &err) != 0 || write(ready[1], &byte, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void a_temporary_file_is_swept_once_its_writer_is_dead(void **state) {
    const char *folder = *state;
    const pid_t child = begin_upload_elsewhere(folder);

    assert_int_equal(count_temporary(folder), 1);
    struct store *store = open_store(folder);
    assert_int_equal(count_temporary(folder), 1);
    store_close(store);

    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(count_temporary(folder), 1);
    store = open_store(folder);
    assert_int_equal(count_temporary(folder), 0);
    store_close(store);
}

static void a_sweep_leaves_links_and_their_targets_alone(void **state) {
    const char *folder = *state;
    struct err err = { 0 };
    struct stat status;

    char *link = mem_format("%s/.tmp-0123456789abcdef", folder), *target = mem_format("%s/target", folder);
    assert_success(file_replace(target, 0600, "x", 1, &err), &err);
    assert_int_equal(symlink("target", link), 0);
    store_close(open_store(folder));
    assert_int_equal(lstat(target, &status), 0);
    assert_int_equal(lstat(link, &status), 0);
    free(link);
    free(target);
}

/* Opens sweep while uploads begin: whichever comes first, every upload ends as an object. */
static void uploads_survive_the_sweeps_of_others(void **state) {
    const char *folder = *state;
    struct store *store = open_store(folder);

    const pid_t child = scratch_fork();
    if (child == 0) {
        const struct store_address address = { .path = folder };
        for (;;) {
            struct store *other;
            struct err err = { 0 };
            if (store_open(&address, false, &other, &err) != 0)
                _exit(1);
            store_close(other);
        }
    }
    for (int i = 0; i < 500; i++) {
        char name[32];
        snprintf(name, sizeof name, "object%d", i);
        put(store, name);
    }
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(count_objects(store), 500);
    assert_int_equal(count_temporary(folder), 0);
    store_close(store);
}

static void a_file_in_the_place_of_a_folder_is_reported(void **state) {
    struct store *store = open_store(*state);
    struct err err = { 0 };

    put(store, "a");
    assert_failure(store_put(store, "a/b", "x", 1, &err), ERR_SYSTEM, &err);
    put(store, "d/e");
    assert_failure(store_put(store, "d", "x", 1, &err), ERR_SYSTEM, &err);
    assert_int_equal(count_temporary(*state), 0);
    assert_int_equal(count_objects(store), 2);
    store_close(store);
}

static void a_folder_that_somebody_removed_is_made_again(void **state) {
    char *path = mem_format("%s/set/packs", (const char *)*state);
    struct store *store = open_store(*state);
    struct err err = { 0 };

    put(store, "set/packs/x");
    assert_success(store_remove(store, "set/packs/x", NULL, &err), &err);
    assert_int_equal(rmdir(path), 0);
    put(store, "set/packs/x");
    assert_int_equal(count_objects(store), 1);
    store_close(store);
    free(path);
}

/*
 * A full disk: a file system of one MiB, in a mount namespace of a child's own
 */

enum { NO_NAMESPACES = 77 };

static int write_text(const char *path, const char *text) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return written ? 0 : -1;
}

static int mount_small_disk(const char *folder) {
    const uid_t user = getuid();

    if (user == 0)
        return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                       mount("small", folder, "tmpfs", 0, "size=1m,mode=700") == 0
                   ? 0
                   : -1;
    char map[64], groups[64];
    snprintf(map, sizeof map, "0 %u 1", (unsigned)user);
    snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getgid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_text("/proc/self/uid_map", map) == 0 &&
                   write_text("/proc/self/setgroups", "deny") == 0 && write_text("/proc/self/gid_map", groups) == 0 &&
                   mount("small", folder, "tmpfs", 0, "size=1m,mode=700") == 0
               ? 0
               : -1;
}

/* The exit status says which expectation did not hold. */
static int fill_disk(const char *folder) {
    const struct store_address address = { .path = folder };
    static const uint8_t block[100000];
    struct buffer content = { 0 };
    struct store *store;
    struct err err = { 0 };
    size_t stored = 0, count = 0;

    if (mount_small_disk(folder) < 0)
        return NO_NAMESPACES;
    if (store_open(&address, false, &store, &err) < 0)
        return 1;
    for (; stored < 100; stored++) {
        char name[32];
        snprintf(name, sizeof name, "packs/%zu", stored);
        if (store_put(store, name, block, sizeof block, &err) < 0)
            break;
    }
    if (stored == 0 || stored == 100)
        return 2;
    if (err.sys != ENOSPC || err.hint[0] == '\0' || err_exit_status(err.code) != 1)
        return 3;
    if (store_list(store, "", count_object, &count, &err) < 0 || count != stored)
        return 4;
    if (store_get(store, "packs/0", sizeof block, &content, &err) < 0 || content.length != sizeof block)
        return 5;

    /* The failed put gave back what it had taken. */
    if (store_remove(store, "packs/0", NULL, &err) < 0 || store_put(store, "packs/0", block, sizeof block, &err) < 0)
        return 6;
    store_close(store);
    buffer_release(&content);
    return 0;
}

static void a_full_disk_leaves_what_was_stored_and_nothing_half(void **state) {
    int status = 0;

    const pid_t child = scratch_fork();
    if (child == 0)
        _exit(fill_disk(*state));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_NAMESPACES)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/*
 * Waiting
 */

/* As when a run is killed in the instant between fork and exec of a child. */
static void a_lock_that_outlives_its_holder_by_an_instant_is_waited_for(void **state) {
    struct store *store = open_store(*state);
    struct store_lock *lock;
    struct err err = { 0 };
    int status;

    const pid_t holder = fork();
    assert_true(holder >= 0);
    if (holder == 0) {
        if (store_lock_take(store, "set/locks/capture", 0, &lock, &err) < 0)
            _exit(1);
        if (fork() == 0)
            usleep(400 * 1000);
        _exit(0);
    }
    assert_int_equal(waitpid(holder, &status, 0), holder);
    assert_int_equal(status, 0);
    assert_success(store_lock_take(store, "set/locks/capture", 0, &lock, &err), &err);
    store_lock_release(lock);
    store_close(store);
}

static void a_signal_ends_the_wait_for_a_lock(void **state) {
    struct store *store = open_store(*state);
    struct store_lock *lock;
    struct err err = { 0 };
    int ready[2], status = 0;
    char byte = 0;

    assert_success(store_lock_take(store, "set/locks/capture", 0, &lock, &err), &err);
    assert_int_equal(pipe(ready), 0);
    const pid_t child = scratch_fork();
    if (child == 0) {
        const struct store_address address = { .path = *state };
        struct store_lock *never;
        struct store *other;
        interrupt_install();
        if (store_open(&address, false, &other, &err) != 0 || write(ready[1], &byte, 1) != 1)
            _exit(1);
        _exit(store_lock_take(other, "set/locks/capture", 600, &never, &err) == 0 ? 0 : err_exit_status(err.code));
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    kill(child, SIGTERM);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
    close(ready[0]);
    close(ready[1]);
    store_lock_release(lock);
    store_close(store);
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(a_directory_is_made_only_on_request),
        IN_A_FOLDER(objects_are_for_their_owner_alone),
        IN_A_FOLDER(what_is_no_object_is_not_listed),
        IN_A_FOLDER(neither_a_link_nor_a_pipe_is_read_as_an_object),
        IN_A_FOLDER(a_temporary_file_is_swept_once_its_writer_is_dead),
        IN_A_FOLDER(a_sweep_leaves_links_and_their_targets_alone),
        IN_A_FOLDER(uploads_survive_the_sweeps_of_others),
        IN_A_FOLDER(a_file_in_the_place_of_a_folder_is_reported),
        IN_A_FOLDER(a_folder_that_somebody_removed_is_made_again),
        IN_A_FOLDER(a_full_disk_leaves_what_was_stored_and_nothing_half),
        IN_A_FOLDER(a_lock_that_outlives_its_holder_by_an_instant_is_waited_for),
        IN_A_FOLDER(a_signal_ends_the_wait_for_a_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
