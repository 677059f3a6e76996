/* The files source: all that is there, in tree order, and no success for what could not be read. */

#include "../lib/memory_sink.h"
#include "../lib/scratch.h"
#include <fcntl.h>
#include <grp.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder to back up, and the source that does. */
struct fixture {
    char *folder;
    char *prefix; /* of its paths in the tree */
    struct source source;
    char *paths[4], *exclude[4], *may_change[4];
};

static int set_up(void **state) {
    struct fixture *fixture = mem_zalloc(sizeof *fixture);
    fixture->folder = scratch_make();
    fixture->prefix = mem_format("%s/", fixture->folder + 1);
    fixture->source.name = (char *)(uintptr_t) "etc";
    fixture->source.kind = &SOURCE_FILES;
    fixture->source.files.paths.items = fixture->paths;
    fixture->source.files.exclude.items = fixture->exclude;
    fixture->source.files.may_change.items = fixture->may_change;
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < fixture->source.files.paths.count; i++)
        free(fixture->paths[i]);
    scratch_remove(fixture->folder);
    free(fixture->prefix);
    free(fixture);
    return 0;
}

static void add_path(struct fixture *fixture, const char *name) {
    fixture->paths[fixture->source.files.paths.count++] = mem_format("%s/%s", fixture->folder, name);
}

/* Of the folder's, as the tree has it; good until the next call. */
static const char *tree_path(const struct fixture *fixture, const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s%s", fixture->prefix, name);
    return path;
}

static const char *disk_path(const struct fixture *fixture, const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", fixture->folder, name);
    return path;
}

static void write_file(const struct fixture *fixture, const char *name, const char *content) {
    int fd = open(disk_path(fixture, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    assert_int_equal(close(fd), 0);
}

static void make_folder(const struct fixture *fixture, const char *name) {
    assert_int_equal(mkdir(disk_path(fixture, name), 0755), 0);
}

static void capture(struct fixture *fixture, struct memory_sink *sink, struct memory_sink *last) {
    struct err err = { 0 };
    memory_sink_init(sink, last);
    assert_success(SOURCE_FILES.preflight(&fixture->source, NULL, &err), &err);
    assert_success(SOURCE_FILES.capture(&fixture->source, &sink->sink, NULL, &err), &err);
    assert_int_equal(sink->pending.length, 0);
}

static void assert_no_trouble(const struct memory_sink *sink) {
    assert_string_equal((const char *)sink->troubles.data, "");
}

static const struct memory_entry *find(const struct fixture *fixture, const struct memory_sink *sink,
                                       const char *name) {
    const struct memory_entry *found = memory_sink_find(sink, tree_path(fixture, name));
    if (found == NULL)
        fail_msg("there is no entry '%s'", name);
    return found;
}

/* The names below the fixture's folder, in the order in which they came, separated by spaces. */
static void assert_names(const struct fixture *fixture, const struct memory_sink *sink, const char *expected) {
    struct buffer names = { 0 };
    size_t prefix = strlen(fixture->prefix);
    for (size_t i = 0; i < sink->count; i++)
        if (strncmp(sink->entries[i].entry.path, fixture->prefix, prefix) == 0)
            buffer_printf(&names, "%s%s", names.length > 0 ? " " : "", sink->entries[i].entry.path + prefix);
    assert_string_equal(buffer_text(&names), expected);
    buffer_release(&names);

    for (size_t i = 0; i < sink->count; i++) {
        assert_true(entry_path_is_valid(ENTRY_FILE, sink->entries[i].entry.path));
        if (i > 0)
            assert_true(entry_compare_paths(ENTRY_FILE, sink->entries[i - 1].entry.path, sink->entries[i].entry.path) <
                        0);
    }
}

static void a_folder_is_captured_in_tree_order_with_the_folders_above_it(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink sink;

    make_folder(fixture, "top");
    make_folder(fixture, "top/a");
    write_file(fixture, "top/a/z", "zz");
    write_file(fixture, "top/a.b", "");
    write_file(fixture, "top/a b", "x");
    write_file(fixture, "outside", "no");
    add_path(fixture, "top");
    capture(fixture, &sink, NULL);
    assert_no_trouble(&sink);
    assert_names(fixture, &sink, "top top/a top/a/z top/a b top/a.b");
    assert_string_equal(sink.entries[0].entry.path, "tmp");
    assert_int_equal(sink.entries[0].entry.type, ENTRY_FOLDER);
    assert_int_equal(sink.entries[0].entry.mode, 01777);

    struct stat status;
    const struct memory_entry *file = find(fixture, &sink, "top/a/z");
    assert_int_equal(stat(disk_path(fixture, "top/a/z"), &status), 0);
    assert_string_equal(buffer_text(&((struct memory_entry *)(uintptr_t)file)->content), "zz");
    assert_int_equal(file->entry.type, ENTRY_FILE);
    assert_int_equal(file->entry.mode, 0644);
    assert_int_equal(file->entry.size, 2);
    assert_int_equal(file->entry.inode, status.st_ino);
    assert_int_equal(file->entry.mtime, status.st_mtim.tv_sec);
    assert_int_equal(file->entry.mtime_ns, status.st_mtim.tv_nsec);
    assert_int_equal(file->entry.uid, geteuid());
    assert_non_null(file->entry.user);
    assert_int_equal(sink.unit_count, 1);
    assert_non_null(strstr((const char *)sink.units.data, "/top 3\n"));
    memory_sink_release(&sink);
}

static void several_paths_merge_into_one_tree(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink sink;

    make_folder(fixture, "a");
    make_folder(fixture, "a/deep");
    make_folder(fixture, "a/deep/er");
    write_file(fixture, "a/deep/er/one", "1");
    write_file(fixture, "a/not", "no");
    write_file(fixture, "a-file", "22");
    add_path(fixture, "a-file");
    add_path(fixture, "a/deep/er");
    add_path(fixture, "a/deep/er/one"); /* within another */
    add_path(fixture, "a/deep/er/");    /* twice */
    capture(fixture, &sink, NULL);
    assert_no_trouble(&sink);
    assert_names(fixture, &sink, "a a/deep a/deep/er a/deep/er/one a-file");
    memory_sink_release(&sink);
}

static void a_path_that_is_not_there_is_trouble_but_others_are_captured(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink sink;
    struct err err = { 0 };

    write_file(fixture, "here", "1");
    add_path(fixture, "here");
    add_path(fixture, "gone/for/ever");
    capture(fixture, &sink, NULL);
    assert_names(fixture, &sink, "here");
    assert_int_equal(sink.trouble_count, 1);
    assert_non_null(strstr((const char *)sink.troubles.data, "gone/for/ever"));
    assert_int_equal(sink.unit_count, 1);
    memory_sink_release(&sink);

    assert_int_equal(unlink(disk_path(fixture, "here")), 0);
    assert_failure(SOURCE_FILES.preflight(&fixture->source, NULL, &err), ERR_SOURCE, &err);
}

static void a_path_that_leads_through_a_link_is_what_it_leads_to(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink sink;

    make_folder(fixture, "disk");
    make_folder(fixture, "disk/app");
    write_file(fixture, "disk/app/f", "1");
    assert_int_equal(symlink("disk/app", disk_path(fixture, "current")), 0);
    add_path(fixture, "current");
    capture(fixture, &sink, NULL);
    assert_no_trouble(&sink);
    assert_names(fixture, &sink, "current disk disk/app disk/app/f");
    assert_string_equal(find(fixture, &sink, "current")->entry.target, "disk/app");
    memory_sink_release(&sink);
}

static void links_pipes_and_hard_links_keep_what_they_are(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink sink;
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    write_file(fixture, "b", "content");
    char *first = mem_string(disk_path(fixture, "b"));
    assert_int_equal(link(first, disk_path(fixture, "c")), 0);
    assert_int_equal(link(first, disk_path(fixture, "d")), 0);
    assert_int_equal(symlink("../nowhere", disk_path(fixture, "link")), 0);
    assert_int_equal(mkfifo(disk_path(fixture, "pipe"), 0600), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    const char *path = disk_path(fixture, "socket");
    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);

    add_path(fixture, "");
    capture(fixture, &sink, NULL);
    assert_no_trouble(&sink);
    assert_names(fixture, &sink, "b c d link pipe");
    assert_int_equal(find(fixture, &sink, "b")->entry.type, ENTRY_FILE);
    assert_int_equal(find(fixture, &sink, "c")->entry.type, ENTRY_HARDLINK);
    const char *target = find(fixture, &sink, "d")->entry.target;
    assert_string_equal(target, tree_path(fixture, "b"));
    assert_int_equal(find(fixture, &sink, "d")->content.length, 0);
    assert_int_equal(find(fixture, &sink, "link")->entry.type, ENTRY_SYMLINK);
    assert_string_equal(find(fixture, &sink, "link")->entry.target, "../nowhere");
    assert_int_equal(find(fixture, &sink, "pipe")->entry.type, ENTRY_FIFO);
    memory_sink_release(&sink);
    close(fd);
    free(first);
}

static void what_is_unchanged_is_not_read_again(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink first, second, third;

    write_file(fixture, "changed", "1");
    write_file(fixture, "linked", "1");
    write_file(fixture, "mode", "1");
    write_file(fixture, "same", "1");
    setxattr(disk_path(fixture, "same"), "user.tag", "v", 1, 0);
    char *linked = mem_string(disk_path(fixture, "linked"));
    assert_int_equal(link(linked, disk_path(fixture, "linked2")), 0);
    add_path(fixture, "");
    capture(fixture, &first, NULL);

    write_file(fixture, "changed", "2");
    assert_int_equal(chmod(disk_path(fixture, "mode"), 0600), 0);
    write_file(fixture, "new", "1");
    capture(fixture, &second, &first);
    assert_no_trouble(&second);
    assert_names(fixture, &second, "changed linked linked2 mode new same");
    assert_false(find(fixture, &second, "changed")->kept);
    assert_false(find(fixture, &second, "mode")->kept);
    assert_false(find(fixture, &second, "new")->kept);
    assert_true(find(fixture, &second, "same")->kept);
    assert_true(find(fixture, &second, "linked")->kept);
    assert_int_equal(find(fixture, &second, "linked2")->entry.type, ENTRY_HARDLINK);
    assert_int_equal(find(fixture, &second, "same")->entry.attribute_count,
                     find(fixture, &first, "same")->entry.attribute_count);
    assert_memory_equal(find(fixture, &second, "changed")->content.data, "2", 1);

    /* And once more, from the entries that were kept. */
    capture(fixture, &third, &second);
    assert_true(find(fixture, &third, "same")->kept);
    assert_true(find(fixture, &third, "changed")->kept);
    assert_non_null(strstr((const char *)third.units.data, " 5\n"));
    memory_sink_release(&first);
    memory_sink_release(&second);
    memory_sink_release(&third);
    free(linked);
}

static void a_write_within_the_clock_tick_of_the_reading_is_not_missed(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink first, second;

    add_path(fixture, "");
    for (int i = 0; i < 10; i++) {
        write_file(fixture, "busy", "1");
        capture(fixture, &first, NULL);
        write_file(fixture, "busy", "2");
        capture(fixture, &second, &first);
        assert_memory_equal(find(fixture, &second, "busy")->content.data, "2", 1);
        memory_sink_release(&first);
        memory_sink_release(&second);
    }
}

static void excludes_leave_folders_out_whole(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink sink;

    make_folder(fixture, "keep");
    make_folder(fixture, "cache");
    write_file(fixture, "cache/x", "1");
    make_folder(fixture, "cache/wanted");
    write_file(fixture, "cache/wanted/y", "1");
    write_file(fixture, "keep/a.tmp", "1");
    write_file(fixture, "keep/b", "1");
    char *pattern = mem_format("%s/ca*", fixture->folder);
    fixture->exclude[0] = (char *)(uintptr_t) "*.tmp";
    fixture->exclude[1] = pattern;
    fixture->source.files.exclude.count = 2;
    add_path(fixture, "");
    capture(fixture, &sink, NULL);
    assert_names(fixture, &sink, "keep keep/b");
    memory_sink_release(&sink);

    /* What is named by its own path is captured all the same. */
    add_path(fixture, "cache/wanted");
    capture(fixture, &sink, NULL);
    assert_no_trouble(&sink);
    assert_names(fixture, &sink, "cache cache/wanted cache/wanted/y keep keep/b");
    memory_sink_release(&sink);
    free(pattern);
}

static void only_a_real_cache_tag_leaves_a_cache_out(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink sink;

    make_folder(fixture, "cache");
    write_file(fixture, "cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# a cache\n");
    write_file(fixture, "cache/a", "1");
    make_folder(fixture, "other");
    write_file(fixture, "other/CACHEDIR.TAG", "not one");
    write_file(fixture, "other/a", "1");
    add_path(fixture, "");
    fixture->source.files.exclude_caches = true;
    capture(fixture, &sink, NULL);
    assert_names(fixture, &sink, "cache cache/CACHEDIR.TAG other other/CACHEDIR.TAG other/a");
    memory_sink_release(&sink);

    fixture->source.files.exclude_caches = false;
    capture(fixture, &sink, NULL);
    assert_names(fixture, &sink, "cache cache/CACHEDIR.TAG cache/a other other/CACHEDIR.TAG other/a");
    memory_sink_release(&sink);
}

static void of_a_sparse_file_only_the_data_is_read(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink sink;
    char block[65536];
    memset(block, 'x', sizeof block);

    int fd = open(disk_path(fixture, "sparse"), O_WRONLY | O_CREAT, 0644);
    assert_int_equal(pwrite(fd, block, sizeof block, 1 << 20), sizeof block);
    assert_int_equal(pwrite(fd, block, sizeof block, 8 << 20), sizeof block);
    assert_int_equal(ftruncate(fd, 64 << 20), 0);
    close(fd);
    fd = open(disk_path(fixture, "hole"), O_WRONLY | O_CREAT, 0644);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    close(fd);

    add_path(fixture, "");
    capture(fixture, &sink, NULL);
    assert_no_trouble(&sink);
    const struct memory_entry *sparse = find(fixture, &sink, "sparse");
    assert_int_equal(sparse->entry.size, 64 << 20);
    assert_int_equal(sparse->entry.range_count, 2);
    assert_true(sparse->entry.ranges[0].offset == 1 << 20 && sparse->entry.ranges[0].length == sizeof block);
    assert_true(sparse->entry.ranges[1].offset == 8 << 20 && sparse->entry.ranges[1].length == sizeof block);
    assert_int_equal(sparse->content.length, 2 * sizeof block);
    const struct memory_entry *hole = find(fixture, &sink, "hole");
    assert_int_equal(hole->content.length, 0);
    assert_int_equal(hole->entry.range_count, 1);
    assert_true(hole->entry.ranges[0].offset == 1 << 20 && hole->entry.ranges[0].length == 0);
    memory_sink_release(&sink);
}

/* What happens while a file is read: it grows, so many times. */
struct growth {
    const char *path;
    int times;
};

static void grow_file(struct memory_sink *sink, void *data) {
    struct growth *growth = data;
    (void)sink;
    if (growth->times-- <= 0)
        return;
    int fd = open(growth->path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "more", 4), 4);
    close(fd);
}

static void capture_growing(struct fixture *fixture, struct memory_sink *sink, const char *name, int times) {
    char *path = mem_string(disk_path(fixture, name));
    struct growth growth = { .path = path, .times = times };
    struct err err = { 0 };

    memory_sink_init(sink, NULL);
    sink->on_fill = grow_file;
    sink->on_fill_data = &growth;
    assert_success(SOURCE_FILES.capture(&fixture->source, &sink->sink, NULL, &err), &err);
    free(path);
}

static void a_file_that_changes_once_while_it_is_read_is_read_again(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink sink;

    write_file(fixture, "f", "start");
    add_path(fixture, "");
    capture_growing(fixture, &sink, "f", 1);
    assert_no_trouble(&sink);
    const struct memory_entry *file = find(fixture, &sink, "f");
    assert_int_equal(file->entry.flags, 0);
    assert_int_equal(file->entry.size, 9);
    assert_int_equal(file->content.length, 9);
    assert_memory_equal(file->content.data, "startmore", 9);
    assert_int_equal(sink.discard_count, 1);
    memory_sink_release(&sink);
}

static void a_file_that_keeps_changing_is_flagged_and_trouble(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink sink;

    write_file(fixture, "f", "start");
    add_path(fixture, "");
    capture_growing(fixture, &sink, "f", 100);
    const struct memory_entry *file = find(fixture, &sink, "f");
    assert_int_equal(file->entry.flags, ENTRY_CHANGED);
    assert_int_equal(file->content.length, file->entry.size);
    assert_int_equal(sink.trouble_count, 1);
    assert_non_null(strstr((const char *)sink.troubles.data, "changed"));
    assert_int_equal(sink.unit_count, 0);

    memory_sink_release(&sink);
}

static void an_entry_that_was_not_whole_is_never_kept(void **state) {
    static const uint8_t flags[] = { ENTRY_INCOMPLETE, ENTRY_CHANGED };
    struct fixture *fixture = *state;
    struct memory_sink first, second;

    write_file(fixture, "f", "1");
    add_path(fixture, "");
    capture(fixture, &first, NULL);
    for (size_t i = 0; i < sizeof flags; i++) {
        first.entries[first.count - 1].entry.flags = flags[i];
        capture(fixture, &second, &first);
        assert_false(find(fixture, &second, "f")->kept);
        memory_sink_release(&second);
    }
    memory_sink_release(&first);
}

static void a_file_that_may_change_is_no_trouble(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink sink;

    write_file(fixture, "f.log", "start");
    fixture->may_change[0] = (char *)(uintptr_t) "*.log";
    fixture->source.files.may_change.count = 1;
    add_path(fixture, "");
    capture_growing(fixture, &sink, "f.log", 100);
    assert_no_trouble(&sink);
    assert_int_equal(find(fixture, &sink, "f.log")->entry.flags, ENTRY_CHANGED);
    assert_memory_equal(find(fixture, &sink, "f.log")->content.data, "start", 5);
    assert_int_equal(sink.discard_count, 0);
    memory_sink_release(&sink);
}

static void remove_file(struct memory_sink *sink, void *data) {
    (void)sink;
    unlink(data);
}

static void a_file_that_vanishes_before_its_turn_is_passed_over(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink sink;
    struct err err = { 0 };

    write_file(fixture, "a", "1");
    write_file(fixture, "b", "1");
    add_path(fixture, "");
    memory_sink_init(&sink, NULL);
    sink.on_fill = remove_file;
    sink.on_fill_data = mem_string(disk_path(fixture, "b"));
    assert_success(SOURCE_FILES.capture(&fixture->source, &sink.sink, NULL, &err), &err);
    assert_no_trouble(&sink);
    assert_names(fixture, &sink, "a");
    free(sink.on_fill_data);
    memory_sink_release(&sink);
}

static void folders_deeper_than_there_are_descriptors_are_walked(void **state) {
    enum { DEPTH = 700, DESCRIPTORS = 200 };
    struct fixture *fixture = *state;
    struct memory_sink sink;
    struct buffer path = { 0 };
    struct rlimit before, limit;

    buffer_printf(&path, "%s", fixture->folder);
    for (int i = 0; i < DEPTH; i++) {
        buffer_printf(&path, "/d");
        assert_int_equal(mkdir(buffer_text(&path), 0755), 0);
        buffer_printf(&path, "/e"); /* comes after the deeper folder, when the walk has returned */
        int fd = open(buffer_text(&path), O_WRONLY | O_CREAT, 0644);
        assert_true(fd >= 0);
        close(fd);
        path.length -= 2;
    }
    add_path(fixture, "");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = DESCRIPTORS;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    capture(fixture, &sink, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_no_trouble(&sink);
    size_t files = 0;
    for (size_t i = 0; i < sink.count; i++)
        files += sink.entries[i].entry.type == ENTRY_FILE;
    assert_int_equal(files, DEPTH);
    memory_sink_release(&sink);
    buffer_release(&path);
}

static void attributes_and_acls_are_captured(void **state) {
    static const uint8_t acl[] = { 2, 0,   0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  4,
                                   0, 210, 4,   0,   0,   4,   0,  4, 0,   255, 255, 255, 255, 16, 0,
                                   4, 0,   255, 255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255 };
    struct fixture *fixture = *state;
    struct memory_sink sink;

    write_file(fixture, "f", "1");
    if (setxattr(disk_path(fixture, "f"), "user.b", "two", 3, 0) != 0)
        skip();
    assert_int_equal(setxattr(disk_path(fixture, "f"), "user.a", "", 0, 0), 0);
    assert_int_equal(setxattr(disk_path(fixture, "f"), "system.posix_acl_access", acl, sizeof acl, 0), 0);
    add_path(fixture, "");
    capture(fixture, &sink, NULL);
    assert_no_trouble(&sink);
    const struct entry *entry = &find(fixture, &sink, "f")->entry;
    assert_int_equal(entry->attribute_count, 3);
    assert_int_equal(entry_attribute(entry, "xattr.user.a")->length, 0);
    assert_memory_equal(entry_attribute(entry, "xattr.user.b")->value, "two", 3);
    assert_int_equal(entry_attribute(entry, "xattr.system.posix_acl_access")->length, sizeof acl);
    memory_sink_release(&sink);
}

/* As a user who may not read everything. Returns the exit status of `run` in a child, 0 for success. */
static int run_as_nobody(void (*run)(struct fixture *fixture), struct fixture *fixture) {
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
            _exit(2);
        run(fixture);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void capture_what_may_be_read(struct fixture *fixture) {
    struct memory_sink sink;
    struct err err = { 0 };
    memory_sink_init(&sink, NULL);
    if (SOURCE_FILES.capture(&fixture->source, &sink.sink, NULL, &err) != 0)
        _exit(3);
    if (sink.trouble_count != 2 || sink.unit_count != 0)
        _exit(4);
    if (memory_sink_find(&sink, tree_path(fixture, "closed")) == NULL ||
        memory_sink_find(&sink, tree_path(fixture, "closed/x")) != NULL)
        _exit(5);
    if (memory_sink_find(&sink, tree_path(fixture, "secret")) != NULL ||
        memory_sink_find(&sink, tree_path(fixture, "z")) == NULL)
        _exit(6);
    memory_sink_release(&sink);
}

static void what_may_not_be_read_is_trouble_and_the_rest_is_captured(void **state) {
    struct fixture *fixture = *state;

    make_folder(fixture, "closed");
    write_file(fixture, "closed/x", "1");
    write_file(fixture, "secret", "1");
    write_file(fixture, "z", "1");
    assert_int_equal(chmod(disk_path(fixture, "closed"), 0), 0);
    assert_int_equal(chmod(disk_path(fixture, "secret"), 0), 0);
    assert_int_equal(chmod(fixture->folder, 0755), 0);
    add_path(fixture, "");
    assert_int_equal(run_as_nobody(capture_what_may_be_read, fixture), 0);
}

static void other_filesystems_are_left_out_when_asked_and_the_kernels_always(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink sink;

    /* Of what others keep in shared memory, little is read. */
    fixture->exclude[0] = (char *)(uintptr_t) "/dev/shm/[!m]*";
    fixture->source.files.exclude.count = 1;
    fixture->paths[0] = mem_string("/dev");
    fixture->source.files.paths.count = 1;
    fixture->source.files.one_file_system = true;
    struct stat dev, shm;
    if (stat("/dev", &dev) != 0 || stat("/dev/shm", &shm) != 0 || dev.st_dev == shm.st_dev)
        skip();
    int fd = open("/dev/shm/muniment-test-file", O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
    capture(fixture, &sink, NULL);
    assert_non_null(memory_sink_find(&sink, "dev/shm"));
    assert_non_null(memory_sink_find(&sink, "dev/pts"));
    assert_null(memory_sink_find(&sink, "dev/shm/muniment-test-file"));
    memory_sink_release(&sink);

    fixture->source.files.one_file_system = false;
    capture(fixture, &sink, NULL);
    assert_non_null(memory_sink_find(&sink, "dev/shm/muniment-test-file"));
    assert_non_null(memory_sink_find(&sink, "dev/pts"));
    assert_null(memory_sink_find(&sink, "dev/pts/ptmx"));
    const struct memory_entry *null = memory_sink_find(&sink, "dev/null");
    assert_non_null(null);
    assert_int_equal(null->entry.type, ENTRY_CHARACTER);
    assert_int_equal(null->entry.device_major, 1);
    assert_int_equal(null->entry.device_minor, 3);
    memory_sink_release(&sink);
    unlink("/dev/shm/muniment-test-file");
}

static void trouble_of_the_store_ends_the_capture(void **state) {
    struct fixture *fixture = *state;
    struct memory_sink sink;
    struct err err = { 0 };

    write_file(fixture, "a", "1");
    add_path(fixture, "");
    for (size_t full = 1; full < 4; full++) {
        memory_sink_init(&sink, NULL);
        sink.entries_until_full = full;
        assert_failure(SOURCE_FILES.capture(&fixture->source, &sink.sink, NULL, &err), ERR_SYSTEM, &err);
        assert_int_equal(sink.unit_count, 0);
        memory_sink_release(&sink);
    }
}

static void paths_that_are_not_absolute_are_refused(void **state) {
    struct fixture *fixture = *state;
    struct err err = { 0 };

    assert_failure(SOURCE_FILES.preflight(&fixture->source, NULL, &err), ERR_INVALID, &err);
    fixture->paths[0] = mem_string("etc");
    fixture->source.files.paths.count = 1;
    assert_failure(SOURCE_FILES.preflight(&fixture->source, NULL, &err), ERR_INVALID, &err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_folder_is_captured_in_tree_order_with_the_folders_above_it),
        TEST(several_paths_merge_into_one_tree),
        TEST(a_path_that_is_not_there_is_trouble_but_others_are_captured),
        TEST(a_path_that_leads_through_a_link_is_what_it_leads_to),
        TEST(links_pipes_and_hard_links_keep_what_they_are),
        TEST(what_is_unchanged_is_not_read_again),
        TEST(a_write_within_the_clock_tick_of_the_reading_is_not_missed),
        TEST(excludes_leave_folders_out_whole),
        TEST(only_a_real_cache_tag_leaves_a_cache_out),
        TEST(of_a_sparse_file_only_the_data_is_read),
        TEST(a_file_that_changes_once_while_it_is_read_is_read_again),
        TEST(a_file_that_keeps_changing_is_flagged_and_trouble),
        TEST(an_entry_that_was_not_whole_is_never_kept),
        TEST(a_file_that_may_change_is_no_trouble),
        TEST(a_file_that_vanishes_before_its_turn_is_passed_over),
        TEST(folders_deeper_than_there_are_descriptors_are_walked),
        TEST(attributes_and_acls_are_captured),
        TEST(what_may_not_be_read_is_trouble_and_the_rest_is_captured),
        TEST(other_filesystems_are_left_out_when_asked_and_the_kernels_always),
        TEST(trouble_of_the_store_ends_the_capture),
        TEST(paths_that_are_not_absolute_are_refused),
    };
    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
