/*
 * Placing entries below one folder.
 *
 * libarchive replaces what is in its way before the new content is there, and takes an existing file for no error when
 * told not to replace. So it is never asked to: what is in the way is looked for first, and a file that is to be
 * replaced is written beside the old one and renamed over it when whole.
 */

#include "place_internal.h"
#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <muniment/source/place.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { WARNINGS_TOLD = 10 };

/* A folder that was there before: libarchive sets its times too early, before its files are placed. */
struct shared_folder {
    char *path;
    struct timespec mtime;
};

struct place {
    struct archive *disk;
    struct archive_entry *description;
    char *folder; /* its real path, without a '/' at its end */
    int fd;       /* of it */
    bool overwrite, owners;
    struct log *log;
    unsigned temporary_count;
    size_t warning_count;
    struct shared_folder *shared;
    size_t shared_count, shared_capacity;

    /* The entry under way. */
    bool under_way, skipped;
    struct buffer path;      /* relative to the folder */
    struct buffer temporary; /* the same, of the file beside it; empty: it is written in its own place */
    uint8_t type;
    uint64_t expected;          /* bytes of content; UINT64_MAX: as many as come */
    uint64_t written;           /* of them */
    struct entry_range *ranges; /* of a sparse file */
    size_t range_count, range;
    uint64_t range_written; /* of the range under way */
};

static void warn(struct place *place, const char *what) {
    if (place->warning_count++ < WARNINGS_TOLD)
        log_warning(place->log, "'%s': %s", buffer_text(&place->path), what);
}

static int fail(struct place *place, struct err *err) {
    const char *why = archive_error_string(place->disk);
    enum err_code code = archive_errno(place->disk) == EEXIST ? ERR_EXISTS : ERR_TARGET;
    return err_set(err, code, "restore '%s/%s': %s", place->folder, buffer_text(&place->path),
                   why != NULL ? why : "unknown error");
}

static int fail_errno(struct place *place, const char *tried, struct err *err) {
    return err_set(err, errno == EEXIST ? ERR_EXISTS : ERR_TARGET, "%s '%s/%s': %s", tried, place->folder,
                   buffer_text(&place->path), strerror(errno));
}

/* libarchive's severities: a warning means that something of the metadata was left out. */
static int judge(struct place *place, int result, struct err *err) {
    if (result == ARCHIVE_OK)
        return 0;
    if (result != ARCHIVE_WARN)
        return fail(place, err);
    const char *why = archive_error_string(place->disk);
    warn(place, why != NULL ? why : "not all of its metadata could be restored");
    return 0;
}

static void place_free(struct place *place) {
    if (place->disk != NULL)
        archive_write_free(place->disk);
    archive_entry_free(place->description);
    for (size_t i = 0; i < place->shared_count; i++)
        free(place->shared[i].path);
    free(place->shared);
    if (place->fd >= 0)
        close(place->fd);
    buffer_release(&place->path);
    buffer_release(&place->temporary);
    free(place->ranges);
    free(place->folder);
    free(place);
}

int place_open(const char *folder, bool overwrite, struct place **place, struct err *err) {
    struct place *new = mem_zalloc(sizeof *new);
    int flags = ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR |
                ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT;

    new->overwrite = overwrite;
    new->owners = geteuid() == 0;
    new->fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    new->folder = new->fd >= 0 ? realpath(folder, NULL) : NULL;
    if (new->folder == NULL) {
        err_sys(err, "open folder '%s'", folder);
        goto failed;
    }
    if (strcmp(new->folder, "/") == 0)
        new->folder[0] = '\0';

    if (new->owners)
        flags |= ARCHIVE_EXTRACT_OWNER;
    new->disk = archive_write_disk_new();
    new->description = archive_entry_new();
    if (new->disk == NULL || new->description == NULL ||
        archive_write_disk_set_options(new->disk, flags) != ARCHIVE_OK ||
        archive_write_disk_set_standard_lookup(new->disk) != ARCHIVE_OK) {
        err_set(err, ERR_TARGET, "prepare to restore to '%s': libarchive refused", folder);
        goto failed;
    }
    *place = new;
    return 0;

failed:
    place_free(new);
    return -1;
}

void place_set_log(struct place *place, struct log *log) {
    place->log = log;
}

/*
 * What is in the way
 */

static void remember_shared_folder(struct place *place, const struct entry *entry) {
    place->shared = mem_grow(place->shared, &place->shared_capacity, place->shared_count + 1, sizeof *place->shared);
    place->shared[place->shared_count++] = (struct shared_folder){
        .path = mem_string(entry->path),
        .mtime = { .tv_sec = entry->mtime, .tv_nsec = (long)entry->mtime_ns },
    };
}

/* A name in the same folder, so that it can be renamed over the old file. */
static void choose_temporary(struct place *place, const char *path) {
    const char *slash = strrchr(path, '/');
    int folder_length = slash == NULL ? 0 : (int)(slash + 1 - path);
    buffer_printf(&place->temporary, "%.*s.muniment-restore-%ld-%u", folder_length, path, (long)getpid(),
                  place->temporary_count++);
}

static int make_way(struct place *place, const struct entry *entry, struct err *err) {
    struct stat status;
    buffer_clear(&place->temporary);

    if (fstatat(place->fd, entry->path, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT)
            return 0;
        if (errno == ENOTDIR)
            return err_set(err, ERR_EXISTS, "restore '%s/%s': a file is where a folder should be", place->folder,
                           entry->path);
        return fail_errno(place, "look for", err);
    }
    if (S_ISDIR(status.st_mode) && entry->type == ENTRY_FOLDER) {
        remember_shared_folder(place, entry);
        return 0;
    }
    if (S_ISDIR(status.st_mode))
        return err_set(err, ERR_EXISTS, "restore '%s/%s': a folder is in the way", place->folder, entry->path);
    if (!place->overwrite)
        return err_set(err, ERR_EXISTS, "restore '%s/%s': it exists", place->folder, entry->path);

    if (entry->type == ENTRY_FOLDER)
        return unlinkat(place->fd, entry->path, 0) == 0 ? 0 : fail_errno(place, "replace", err);
    choose_temporary(place, entry->path);
    return 0;
}

/*
 * One entry
 */

static const char *written_path(struct place *place) {
    return buffer_text(place->temporary.length > 0 ? &place->temporary : &place->path);
}

static void set_full_path(struct place *place, const char *relative,
                          void (*set)(struct archive_entry *, const char *)) {
    char *full = mem_format("%s/%s", place->folder, relative);
    set(place->description, full);
    free(full);
}

static bool is_too_long(const struct place *place, const char *path) {
    return strlen(place->folder) + 1 + strlen(path) + NAME_MAX >= PATH_MAX;
}

static int check_entry(struct place *place, const struct entry *entry, struct err *err) {
    if (!entry_path_is_valid(ENTRY_FILE, entry->path))
        return err_set(err, ERR_CORRUPT, "'%s' is no path to restore to", entry->path);
    if (is_too_long(place, entry->path))
        return err_set(err, ERR_TARGET, "restore '%s/%s': the path is too long for this system", place->folder,
                       entry->path);
    if (entry->type != ENTRY_HARDLINK)
        return 0;

    struct stat status;
    if (!entry_path_is_valid(ENTRY_FILE, entry->target))
        return err_set(err, ERR_CORRUPT, "'%s' is no path to link to", entry->target);
    if (fstatat(place->fd, entry->target, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_TARGET, "link '%s/%s' to '%s': %s", place->folder,
                       entry->path, entry->target, strerror(errno));
    return 0;
}

/* How much content must come, and where it goes. */
static void expect_content(struct place *place, const struct entry *entry) {
    place->type = entry->type;
    place->written = place->range_written = 0;
    place->range = place->range_count = 0;
    place->expected = entry->type == ENTRY_STREAM ? UINT64_MAX : entry->type == ENTRY_FILE ? entry->size : 0;
    if (entry->type != ENTRY_FILE || entry->range_count == 0)
        return;

    place->expected = 0;
    place->range_count = entry->range_count;
    place->ranges = mem_resize(place->ranges, entry->range_count, sizeof *place->ranges);
    for (size_t i = 0; i < entry->range_count; i++) {
        place->ranges[i] = entry->ranges[i];
        place->expected += entry->ranges[i].length;
    }
}

static int begin(struct place *place, const struct entry *entry, struct err *err) {
    buffer_clear(&place->path);
    buffer_put(&place->path, entry->path, strlen(entry->path));
    place->skipped = false;
    if (check_entry(place, entry, err) != 0 || make_way(place, entry, err) != 0)
        return -1;

    archive_entry_clear(place->description);
    set_full_path(place, written_path(place), archive_entry_set_pathname);
    if (entry->type == ENTRY_HARDLINK) {
        set_full_path(place, entry->target, archive_entry_set_hardlink);
    } else {
        const char *unknown = place_describe(entry, place->owners, place->description);
        if (unknown != NULL) {
            char *what = mem_format("the attribute %s is not known here and was left out", unknown);
            warn(place, what);
            free(what);
        }
    }

    int result = archive_write_header(place->disk, place->description);
    bool device = entry->type == ENTRY_CHARACTER || entry->type == ENTRY_BLOCK;
    if (result < ARCHIVE_WARN && device && archive_errno(place->disk) == EPERM) {
        warn(place, "a device node may be made by root only, and was left out");
        place->skipped = place->under_way = true;
        expect_content(place, entry);
        return 0;
    }
    if (judge(place, result, err) != 0)
        return -1;
    place->under_way = true;
    expect_content(place, entry);
    return 0;
}

int place_begin(struct place *place, const struct entry *entry, struct err *err) {
    struct entry file;
    if (entry->type != ENTRY_OBJECT)
        return begin(place, entry, err);
    const bool whole = place_object_as_file(entry, &file);
    const int result = begin(place, &file, err);
    if (result < 0 && is_too_long(place, file.path))
        err->code = ERR_INVALID;
    if (result == 0 && strcmp(file.path, entry->path) != 0)
        log_warning(place->log, "'%s' is restored under an escaped name: '%s'", entry->path, file.path);
    if (result == 0 && !whole)
        warn(place, "some of its metadata is too large for a file's attributes and was left out");
    entry_release(&file);
    return result;
}

/* Closes what libarchive holds open, and leaves nothing of it. */
static void drop_entry(struct place *place) {
    if (!place->under_way)
        return;
    place->under_way = false;
    if (place->skipped)
        return;
    if (place->type != ENTRY_FOLDER)
        unlinkat(place->fd, written_path(place), 0);
    archive_write_finish_entry(place->disk);
}

/* Any severity is an error here: a full disk is but a warning to libarchive. */
static int write_plain(struct place *place, const void *data, size_t length, struct err *err) {
    la_ssize_t written = archive_write_data(place->disk, data, length);
    return written == (la_ssize_t)length ? 0 : fail(place, err);
}

static int write_ranges(struct place *place, const uint8_t *data, size_t length, struct err *err) {
    while (length > 0) {
        const struct entry_range *range = &place->ranges[place->range];
        uint64_t left = range->length - place->range_written;
        size_t part = left < length ? (size_t)left : length;
        int64_t offset = (int64_t)(range->offset + place->range_written);
        if (part > 0 && archive_write_data_block(place->disk, data, part, offset) != ARCHIVE_OK)
            return fail(place, err);

        data += part;
        length -= part;
        place->range_written += part;
        if (place->range_written == range->length) {
            place->range++;
            place->range_written = 0;
        }
    }
    return 0;
}

static int wrong_length(struct place *place, uint64_t length, struct err *err) {
    err_set(err, ERR_CORRUPT, "restore '%s/%s': its content is %s than the %llu bytes that were captured",
            place->folder, buffer_text(&place->path), length > place->expected ? "longer" : "shorter",
            (unsigned long long)place->expected);
    drop_entry(place);
    return -1;
}

int place_data(struct place *place, const void *data, size_t length, struct err *err) {
    if (length == 0)
        return 0;
    if (length > place->expected - place->written)
        return wrong_length(place, UINT64_MAX, err);

    int result =
        place->range_count > 0 ? write_ranges(place, data, length, err) : write_plain(place, data, length, err);
    if (result != 0) {
        drop_entry(place);
        return -1;
    }
    place->written += length;
    return 0;
}

int place_end(struct place *place, struct err *err) {
    if (place->expected != UINT64_MAX && place->written != place->expected)
        return wrong_length(place, place->written, err);
    place->under_way = false;
    if (place->skipped)
        return 0;

    if (judge(place, archive_write_finish_entry(place->disk), err) != 0) {
        unlinkat(place->fd, written_path(place), 0);
        return -1;
    }
    if (place->temporary.length > 0 &&
        renameat(place->fd, buffer_text(&place->temporary), place->fd, buffer_text(&place->path)) != 0) {
        fail_errno(place, "replace", err);
        unlinkat(place->fd, buffer_text(&place->temporary), 0);
        return -1;
    }
    return 0;
}

/*
 * The end
 */

static void finish_shared_folders(struct place *place) {
    for (size_t i = place->shared_count; i-- > 0;) {
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, place->shared[i].mtime };
        if (utimensat(place->fd, place->shared[i].path, times, AT_SYMLINK_NOFOLLOW) != 0) {
            buffer_clear(&place->path);
            buffer_put(&place->path, place->shared[i].path, strlen(place->shared[i].path));
            warn(place, "the folder's time could not be restored");
        }
    }
}

/* Local filesystems tell in write() that they are full; these may keep it to themselves until the end. */
static bool writes_may_fail_late(int fd) {
    static const uint32_t magics[] = {
        NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC, 0xff534d42 /* cifs */, 0xfe534d42 /* smb2 */, FUSE_SUPER_MAGIC,
        CEPH_SUPER_MAGIC, V9FS_MAGIC,      AFS_SUPER_MAGIC,
    };
    struct statfs filesystem;
    if (fstatfs(fd, &filesystem) != 0)
        return true;
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if ((uint32_t)filesystem.f_type == magics[i])
            return true;
    return false;
}

int place_close(struct place *place, bool sync, struct err *err) {
    int result = 0;

    drop_entry(place);
    if (archive_write_close(place->disk) < ARCHIVE_WARN) {
        const char *why = archive_error_string(place->disk);
        result = err_set(err, ERR_TARGET, "finish restoring to '%s': %s", place->folder,
                         why != NULL ? why : "unknown error");
    }
    finish_shared_folders(place);
    if (place->warning_count > WARNINGS_TOLD)
        log_warning(place->log, "something of %zu entries more could not be restored",
                    place->warning_count - WARNINGS_TOLD);

    /* The writer does not look at what close() returns; where that may be the first to fail, it is found here. */
    if (result == 0 && (sync || writes_may_fail_late(place->fd)) && syncfs(place->fd) != 0)
        result =
            err_set(err, ERR_TARGET, "write what was restored to '%s' to disk: %s", place->folder, strerror(errno));
    place_free(place);
    return result;
}

void place_abort(struct place *place) {
    if (place == NULL)
        return;
    drop_entry(place);
    archive_write_close(place->disk);
    finish_shared_folders(place);
    place_free(place);
}
