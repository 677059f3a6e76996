/* Placing entries: what was captured comes back as it was, and nothing that was there is lost or followed. */

#include "../lib/memory_sink.h"
#include "../lib/scratch.h"
#include <fcntl.h>
#include <grp.h>
#include <muniment/source/place.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char *folder; /* holds "from" and "to" */
    char *to;
    char *path; /* of "from", the only one captured */
    struct source source;
    struct memory_sink sink;
    size_t skip; /* of a tree's path, to come to what is below "from" */
};

static int set_up(void **state) {
    struct fixture *fixture = mem_zalloc(sizeof *fixture);
    fixture->folder = scratch_make();
    fixture->path = mem_format("%s/from", fixture->folder);
    fixture->to = mem_format("%s/to", fixture->folder);
    fixture->skip = strlen(fixture->path + 1) + 1;
    fixture->source.name = (char *)(uintptr_t) "etc";
    fixture->source.files.paths = (struct strings){ .items = &fixture->path, .count = 1 };
    assert_int_equal(mkdir(fixture->path, 0755), 0);
    assert_int_equal(mkdir(fixture->to, 0755), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    memory_sink_release(&fixture->sink);
    scratch_remove(fixture->folder);
    free(fixture->path);
    free(fixture->to);
    free(fixture);
    return 0;
}

/* "from/..." or "to/..." of the fixture; good until the third call from here. */
static const char *at(const struct fixture *fixture, const char *name) {
    static char paths[3][4096];
    static unsigned next;
    char *path = paths[next++ % 3];
    snprintf(path, sizeof paths[0], "%s/%s", fixture->folder, name);
    return path;
}

static void write_file(const struct fixture *fixture, const char *name, const char *content) {
    int fd = open(at(fixture, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    assert_int_equal(close(fd), 0);
}

static void assert_file(const struct fixture *fixture, const char *name, const char *expected) {
    struct buffer content = { 0 };
    struct err err = { 0 };
    assert_success(file_read(at(fixture, name), 1 << 20, &content, &err), &err);
    assert_string_equal(buffer_text(&content), expected);
    buffer_release(&content);
}

static void set_times(const struct fixture *fixture, const char *name, long seconds, long nanoseconds) {
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = seconds, .tv_nsec = nanoseconds } };
    assert_int_equal(utimensat(AT_FDCWD, at(fixture, name), times, AT_SYMLINK_NOFOLLOW), 0);
}

static void capture_from(struct fixture *fixture) {
    struct err err = { 0 };
    memory_sink_init(&fixture->sink, NULL);
    assert_success(SOURCE_FILES.capture(&fixture->source, &fixture->sink.sink, NULL, &err), &err);
    assert_string_equal((const char *)fixture->sink.troubles.data, "");
}

static int place_one(struct place *place, const struct entry *entry, const void *content, size_t length,
                     struct err *err) {
    const uint8_t *data = content;
    if (place_begin(place, entry, err) != 0)
        return -1;
    /* In pieces that fit no range, as chunks do. */
    for (size_t done = 0; done < length;) {
        size_t part = length - done < 30011 ? length - done : 30011;
        if (place_data(place, data + done, part, err) != 0)
            return -1;
        done += part;
    }
    return place_end(place, err);
}

/* Below "to", by paths that begin below "from". */
static int place_all(struct fixture *fixture, bool overwrite, struct log *log, struct err *err) {
    struct place *place = NULL;
    assert_success(place_open(fixture->to, overwrite, &place, err), err);
    place_set_log(place, log);
    for (size_t i = 0; i < fixture->sink.count; i++) {
        const struct memory_entry *captured = &fixture->sink.entries[i];
        if (strlen(captured->entry.path) <= fixture->skip)
            continue;
        struct entry entry = captured->entry;
        entry.path += fixture->skip;
        if (entry.type == ENTRY_HARDLINK)
            entry.target += fixture->skip;
        if (place_one(place, &entry, captured->content.data, captured->content.length, err) != 0) {
            place_abort(place);
            return -1;
        }
    }
    return place_close(place, false, err);
}

/* Captures what was placed, and compares all but what a copy cannot have: device, inode and change time. */
static void assert_same_trees(struct fixture *fixture) {
    struct source source = fixture->source;
    struct memory_sink placed;
    struct err err = { 0 };
    struct buffer left = { 0 }, right = { 0 };

    source.files.paths.items = &fixture->to;
    memory_sink_init(&placed, NULL);
    assert_success(SOURCE_FILES.capture(&source, &placed.sink, NULL, &err), &err);
    for (size_t i = 0; i < fixture->sink.count; i++) {
        if (strlen(fixture->sink.entries[i].entry.path) <= fixture->skip)
            continue;
        struct entry expected = fixture->sink.entries[i].entry, actual;
        char *path = mem_format("%s/%s", fixture->to + 1, expected.path + fixture->skip);
        const struct memory_entry *found = memory_sink_find(&placed, path);
        if (found == NULL)
            fail_msg("'%s' was not placed", path);
        actual = found->entry;
        actual.path = expected.path;
        if (expected.type == ENTRY_HARDLINK && actual.type == ENTRY_HARDLINK) {
            assert_string_equal(actual.target + fixture->skip - 2, expected.target + fixture->skip);
            actual.target = expected.target;
        }
        actual.device = expected.device;
        actual.inode = expected.inode;
        actual.ctime = expected.ctime;
        actual.ctime_ns = expected.ctime_ns;
        buffer_clear(&left);
        buffer_clear(&right);
        entry_encode(&expected, &left);
        entry_encode(&actual, &right);
        if (left.length != right.length || memcmp(left.data, right.data, left.length) != 0)
            fail_msg("'%s' is not what it was: mode %o and %o, mtime %lld.%u and %lld.%u, %zu and %zu attributes, "
                     "%zu and %zu ranges",
                     path, expected.mode, actual.mode, (long long)expected.mtime, expected.mtime_ns,
                     (long long)actual.mtime, actual.mtime_ns, expected.attribute_count, actual.attribute_count,
                     expected.range_count, actual.range_count);
        assert_int_equal(fixture->sink.entries[i].content.length, found->content.length);
        if (found->content.length > 0)
            assert_memory_equal(fixture->sink.entries[i].content.data, found->content.data, found->content.length);
        free(path);
    }
    memory_sink_release(&placed);
    buffer_release(&left);
    buffer_release(&right);
}

static void files_folders_and_links_come_back_as_they_were(void **state) {
    struct fixture *fixture = *state;
    struct err err = { 0 };

    assert_int_equal(mkdir(at(fixture, "from/closed"), 0755), 0);
    write_file(fixture, "from/closed/in", "content");
    assert_int_equal(mkdir(at(fixture, "from/closed/sub"), 02775), 0);
    assert_int_equal(chmod(at(fixture, "from/closed/sub"), 02775), 0);
    write_file(fixture, "from/empty", "");
    write_file(fixture, "from/mode", "1");
    assert_int_equal(chmod(at(fixture, "from/mode"), 0461), 0);
    assert_int_equal(link(at(fixture, "from/mode"), at(fixture, "from/mode2")), 0);
    assert_int_equal(symlink("../../no where", at(fixture, "from/link")), 0);
    assert_int_equal(mkfifo(at(fixture, "from/pipe"), 0622), 0);
    write_file(fixture, "from/n\xc3\xa4me \xff\n", "odd");
    set_times(fixture, "from/mode", 1, 1);
    set_times(fixture, "from/empty", -1000, 999999999);
    set_times(fixture, "from/link", 1234567890, 123456789);
    set_times(fixture, "from/closed/in", 2000000000, 987654321);
    set_times(fixture, "from/closed", 1000000000, 5);
    assert_int_equal(chmod(at(fixture, "from/closed"), 0511), 0);

    capture_from(fixture);
    assert_success(place_all(fixture, false, NULL, &err), &err);
    assert_same_trees(fixture);
    struct stat left, right;
    assert_int_equal(stat(at(fixture, "to/mode"), &left), 0);
    assert_int_equal(stat(at(fixture, "to/mode2"), &right), 0);
    assert_int_equal(left.st_ino, right.st_ino);
}

static void holes_come_back_as_holes(void **state) {
    struct fixture *fixture = *state;
    struct err err = { 0 };
    char block[65536];
    memset(block, 'x', sizeof block);

    int fd = open(at(fixture, "from/sparse"), O_WRONLY | O_CREAT, 0644);
    assert_int_equal(pwrite(fd, block, sizeof block, 1 << 20), sizeof block);
    assert_int_equal(pwrite(fd, block, sizeof block, 8 << 20), sizeof block);
    assert_int_equal(ftruncate(fd, 64 << 20), 0);
    close(fd);
    fd = open(at(fixture, "from/hole"), O_WRONLY | O_CREAT, 0644);
    assert_int_equal(ftruncate(fd, 5 << 20), 0);
    close(fd);

    capture_from(fixture);
    assert_success(place_all(fixture, false, NULL, &err), &err);
    assert_same_trees(fixture);
    struct stat status;
    assert_int_equal(stat(at(fixture, "to/sparse"), &status), 0);
    assert_int_equal(status.st_size, 64 << 20);
    assert_true(status.st_blocks * 512 < 1 << 20);
}

/* Permissions for owner, a named user and a named group, the owning group, a mask and others. */
static const uint8_t acl[] = { 2,  0, 0, 0, 1,   0,   7,   0,   255, 255, 255, 255, 2,   0,   4,   0,  210, 4,
                               0,  0, 4, 0, 5,   0,   255, 255, 255, 255, 8,   0,   7,   0,   1,   2,  0,   0,
                               16, 0, 6, 0, 255, 255, 255, 255, 32,  0,   1,   0,   255, 255, 255, 255 };

static void attributes_and_acls_come_back_exactly(void **state) {
    struct fixture *fixture = *state;
    struct err err = { 0 };

    write_file(fixture, "from/f", "1");
    assert_int_equal(mkdir(at(fixture, "from/d"), 0755), 0);
    write_file(fixture, "from/d/f", "1");
    if (setxattr(at(fixture, "from/f"), "user.empty", "", 0, 0) != 0 ||
        setxattr(at(fixture, "from/f"), "system.posix_acl_access", acl, sizeof acl, 0) != 0)
        skip();
    assert_int_equal(setxattr(at(fixture, "from/f"), "user.binary", "a\0b", 3, 0), 0);
    assert_int_equal(setxattr(at(fixture, "from/d"), "user.of-a-folder", "x", 1, 0), 0);
    assert_int_equal(setxattr(at(fixture, "from/d"), "system.posix_acl_access", acl, sizeof acl, 0), 0);
    assert_int_equal(setxattr(at(fixture, "from/d"), "system.posix_acl_default", acl, sizeof acl, 0), 0);

    capture_from(fixture);
    assert_int_equal(memory_sink_find(&fixture->sink, fixture->sink.entries[fixture->sink.count - 1].entry.path)
                         ->entry.attribute_count,
                     3);
    assert_success(place_all(fixture, false, NULL, &err), &err);
    assert_same_trees(fixture);
}

static void owners_setuid_and_devices_come_back_for_root(void **state) {
    struct fixture *fixture = *state;
    struct err err = { 0 };
    if (geteuid() != 0)
        skip();

    write_file(fixture, "from/named", "1");
    assert_int_equal(chown(at(fixture, "from/named"), 1, 2), 0);
    assert_int_equal(chmod(at(fixture, "from/named"), 06755), 0);
    write_file(fixture, "from/number", "1");
    assert_int_equal(chown(at(fixture, "from/number"), 123456, 654321), 0);
    assert_int_equal(symlink("x", at(fixture, "from/link")), 0);
    assert_int_equal(lchown(at(fixture, "from/link"), 123456, 654321), 0);
    bool devices = mknod(at(fixture, "from/null"), S_IFCHR | 0666, makedev(1, 3)) == 0;
    if (devices)
        assert_int_equal(mknod(at(fixture, "from/disk"), S_IFBLK | 0600, makedev(259, 70000)), 0);

    capture_from(fixture);
    assert_success(place_all(fixture, false, NULL, &err), &err);
    assert_same_trees(fixture);
}

static void keep_line(void *context, enum log_level level, const char *line) {
    (void)level;
    buffer_printf(context, "%s\n", line);
}

static void place_as_nobody(struct fixture *fixture) {
    struct buffer lines = { 0 };
    struct log log = { .write = keep_line, .context = &lines };
    struct err err = { 0 };
    struct stat status;

    umask(077);
    if (place_all(fixture, false, &log, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        _exit(3);
    }
    if (stat(at(fixture, "to/suid"), &status) != 0 || (status.st_mode & 07777) != 0755)
        _exit(4);
    if (stat(at(fixture, "to/closed"), &status) != 0 || (status.st_mode & 07777) != 0555 ||
        stat(at(fixture, "to/closed/f"), &status) != 0)
        _exit(5);
    if (lstat(at(fixture, "to/null"), &status) == 0 || strstr(buffer_text(&lines), "null") == NULL)
        _exit(6);
    if (strstr(buffer_text(&lines), "suid") != NULL)
        _exit(7);
    buffer_release(&lines);
}

static void without_root_no_rights_of_others_are_given(void **state) {
    struct fixture *fixture = *state;
    if (geteuid() != 0 || mknod(at(fixture, "from/null"), S_IFCHR | 0666, makedev(1, 3)) != 0)
        skip();

    write_file(fixture, "from/suid", "1");
    assert_int_equal(chmod(at(fixture, "from/suid"), 06755), 0);
    assert_int_equal(mkdir(at(fixture, "from/closed"), 0755), 0);
    write_file(fixture, "from/closed/f", "1");
    assert_int_equal(chmod(at(fixture, "from/closed"), 0555), 0);
    capture_from(fixture);
    assert_int_equal(chmod(fixture->folder, 0755), 0);
    assert_int_equal(chown(fixture->to, 65534, 65534), 0);

    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
            _exit(2);
        place_as_nobody(fixture);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void what_exists_is_left_alone(void **state) {
    struct fixture *fixture = *state;
    struct err err = { 0 };

    write_file(fixture, "from/f", "new");
    capture_from(fixture);
    write_file(fixture, "to/f", "old");
    assert_failure(place_all(fixture, false, NULL, &err), ERR_EXISTS, &err);
    assert_file(fixture, "to/f", "old");

    /* A link is as much in the way as a file, wherever it leads. */
    assert_int_equal(unlink(at(fixture, "to/f")), 0);
    assert_int_equal(symlink("nowhere", at(fixture, "to/f")), 0);
    assert_failure(place_all(fixture, false, NULL, &err), ERR_EXISTS, &err);
    struct stat status;
    assert_int_equal(lstat(at(fixture, "to/f"), &status), 0);
    assert_true(S_ISLNK(status.st_mode));
}

static void overwriting_replaces_files_and_keeps_folders(void **state) {
    struct fixture *fixture = *state;
    struct err err = { 0 };

    assert_int_equal(mkdir(at(fixture, "from/d"), 0700), 0);
    write_file(fixture, "from/d/f", "new");
    write_file(fixture, "from/d/was-link", "new");
    assert_int_equal(symlink("target", at(fixture, "from/was-file")), 0);
    assert_int_equal(mkdir(at(fixture, "from/was-file-too"), 0750), 0);
    write_file(fixture, "from/z1", "z");
    assert_int_equal(link(at(fixture, "from/z1"), at(fixture, "from/z2")), 0);
    set_times(fixture, "from/d", 1000, 5);

    assert_int_equal(mkdir(at(fixture, "to/d"), 0755), 0);
    write_file(fixture, "to/d/f", "old");
    write_file(fixture, "to/d/other", "stays");
    write_file(fixture, "to/precious", "precious");
    assert_int_equal(symlink("../precious", at(fixture, "to/d/was-link")), 0);
    write_file(fixture, "to/was-file", "old");
    write_file(fixture, "to/was-file-too", "old");
    write_file(fixture, "to/z2", "old");

    capture_from(fixture);
    assert_success(place_all(fixture, true, NULL, &err), &err);
    assert_same_trees(fixture);
    assert_file(fixture, "to/d/f", "new");
    assert_file(fixture, "to/d/other", "stays");
    assert_file(fixture, "to/precious", "precious");
    assert_int_equal(scratch_count(fixture->to), 9);

    /* A folder does not give way. */
    assert_int_equal(unlink(at(fixture, "to/z1")), 0);
    assert_int_equal(mkdir(at(fixture, "to/z1"), 0755), 0);
    assert_failure(place_all(fixture, true, NULL, &err), ERR_EXISTS, &err);
}

static struct entry plain_file(const char *path, uint64_t size) {
    return (struct entry){ .path = (char *)(uintptr_t)path, .type = ENTRY_FILE, .mode = 0644, .size = size };
}

static void nothing_is_placed_outside_the_folder(void **state) {
    static const char *const outside[] = { "../f", "/tmp/muniment-f", "a/../../f", "..", "", "a//f", "./f" };
    struct fixture *fixture = *state;
    struct place *place = NULL;
    struct err err = { 0 };

    assert_success(place_open(fixture->to, true, &place, &err), &err);
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        struct entry entry = plain_file(outside[i], 0);
        assert_failure(place_one(place, &entry, "", 0, &err), ERR_CORRUPT, &err);
    }

    /* Not through a link that was there, nor through one that was placed, nor by linking to what is outside. */
    assert_int_equal(symlink(fixture->path, at(fixture, "to/was")), 0);
    struct entry link = { .path = (char *)(uintptr_t) "placed", .type = ENTRY_SYMLINK, .target = fixture->path };
    assert_success(place_one(place, &link, "", 0, &err), &err);
    struct entry entry = plain_file("was/f", 1);
    assert_failure(place_one(place, &entry, "1", 1, &err), ERR_TARGET, &err);
    entry = plain_file("placed/f", 1);
    assert_failure(place_one(place, &entry, "1", 1, &err), ERR_TARGET, &err);
    entry = plain_file("placed/d/f", 1);
    assert_failure(place_one(place, &entry, "1", 1, &err), ERR_TARGET, &err);
    entry = (struct entry){ .path = (char *)(uintptr_t) "placed/folder", .type = ENTRY_FOLDER, .mode = 0755 };
    assert_failure(place_one(place, &entry, "", 0, &err), ERR_TARGET, &err);
    write_file(fixture, "from/secret", "secret");
    entry = (struct entry){ .path = (char *)(uintptr_t) "z", .type = ENTRY_HARDLINK };
    entry.target = (char *)(uintptr_t) "placed/secret";
    assert_failure(place_one(place, &entry, "", 0, &err), ERR_TARGET, &err);
    assert_success(place_close(place, true, &err), &err);
    assert_int_equal(scratch_count(fixture->path), 1);
    assert_int_equal(scratch_count(fixture->to), 2);
}

static void an_aborted_file_leaves_nothing_and_the_old_one(void **state) {
    struct fixture *fixture = *state;
    struct place *place = NULL;
    struct err err = { 0 };

    write_file(fixture, "to/old", "old");
    assert_success(place_open(fixture->to, true, &place, &err), &err);
    struct entry entry = plain_file("new", 100);
    assert_success(place_begin(place, &entry, &err), &err);
    assert_success(place_data(place, "half", 4, &err), &err);
    place_abort(place);
    assert_success(place_open(fixture->to, true, &place, &err), &err);
    entry = plain_file("old", 100);
    assert_success(place_begin(place, &entry, &err), &err);
    assert_success(place_data(place, "half", 4, &err), &err);
    place_abort(place);
    place_abort(NULL);
    assert_file(fixture, "to/old", "old");
    assert_int_equal(scratch_count(fixture->to), 1);
}

static void content_of_another_length_is_refused_and_gone(void **state) {
    struct fixture *fixture = *state;
    struct place *place = NULL;
    struct err err = { 0 };

    assert_success(place_open(fixture->to, false, &place, &err), &err);
    struct entry entry = plain_file("f", 3);
    assert_failure(place_one(place, &entry, "four", 4, &err), ERR_CORRUPT, &err);
    assert_failure(place_one(place, &entry, "2", 1, &err), ERR_CORRUPT, &err);
    struct entry_range range = { .offset = 1, .length = 2 };
    entry.ranges = &range;
    entry.range_count = 1;
    assert_failure(place_one(place, &entry, "one", 3, &err), ERR_CORRUPT, &err);
    assert_int_equal(scratch_count(fixture->to), 0);

    /* And the next one is none the worse for it. */
    assert_success(place_one(place, &entry, "23", 2, &err), &err);
    assert_success(place_close(place, true, &err), &err);
    struct stat status;
    assert_int_equal(stat(at(fixture, "to/f"), &status), 0);
    assert_int_equal(status.st_size, 3);
}

static void a_stream_becomes_a_file_for_its_owner_alone(void **state) {
    struct fixture *fixture = *state;
    struct place *place = NULL;
    struct err err = { 0 };
    struct stat status;

    assert_success(place_open(fixture->to, false, &place, &err), &err);
    struct entry entry = { .path = (char *)(uintptr_t) "databases/app.dump", .type = ENTRY_STREAM, .mtime = 1000 };
    assert_success(place_one(place, &entry, "dump", 4, &err), &err);
    assert_success(place_close(place, true, &err), &err);
    assert_file(fixture, "to/databases/app.dump", "dump");
    assert_int_equal(stat(at(fixture, "to/databases/app.dump"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_uid, geteuid());
    assert_int_equal(status.st_mtim.tv_sec, 1000);
}

static void a_hard_link_without_its_target_is_told_apart(void **state) {
    struct fixture *fixture = *state;
    struct place *place = NULL;
    struct err err = { 0 };

    assert_success(place_open(fixture->to, false, &place, &err), &err);
    struct entry entry = { .path = (char *)(uintptr_t) "b", .type = ENTRY_HARDLINK, .target = (char *)(uintptr_t) "a" };
    assert_failure(place_one(place, &entry, "", 0, &err), ERR_NOT_FOUND, &err);
    assert_success(place_close(place, true, &err), &err);
}

static void a_disk_that_is_full_is_an_error_and_no_file(void **state) {
    struct fixture *fixture = *state;

    /* A limit on the size of files fails the write half-way, as a full disk does. */
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = { 10000, 10000 };
        struct place *place = NULL;
        struct err err = { 0 };
        char *data = mem_zalloc(100000);
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || place_open(fixture->to, false, &place, &err) != 0)
            _exit(2);
        struct entry entry = plain_file("f", 100000);
        if (place_one(place, &entry, data, 100000, &err) == 0 || err.code != ERR_TARGET)
            _exit(3);
        place_abort(place);
        free(data);
        _exit(access(at(fixture, "to/f"), F_OK) == 0 ? 4 : 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_folder_that_is_not_there_is_refused(void **state) {
    struct fixture *fixture = *state;
    struct place *place = NULL;
    struct err err = { 0 };
    assert_failure(place_open(at(fixture, "gone"), false, &place, &err), ERR_NOT_FOUND, &err);
    assert_null(place);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(files_folders_and_links_come_back_as_they_were), TEST(holes_come_back_as_holes),
        TEST(attributes_and_acls_come_back_exactly),          TEST(owners_setuid_and_devices_come_back_for_root),
        TEST(without_root_no_rights_of_others_are_given),     TEST(what_exists_is_left_alone),
        TEST(overwriting_replaces_files_and_keeps_folders),   TEST(nothing_is_placed_outside_the_folder),
        TEST(an_aborted_file_leaves_nothing_and_the_old_one), TEST(content_of_another_length_is_refused_and_gone),
        TEST(a_stream_becomes_a_file_for_its_owner_alone),    TEST(a_hard_link_without_its_target_is_told_apart),
        TEST(a_disk_that_is_full_is_an_error_and_no_file),    TEST(a_folder_that_is_not_there_is_refused),
    };
    return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
