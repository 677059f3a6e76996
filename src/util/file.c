#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024 };

int file_read(const char *path, size_t max, struct buffer *out, struct err *err) {
    struct stat status;
    size_t total = 0;
    int result = -1;

    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "open '%s'", path);
    if (fstat(fd, &status) < 0) {
        err_sys(err, "look at '%s'", path);
        goto out;
    }

    /* All of it at once where the size is known: a secret then leaves no copies behind as the buffer grows. */
    if (S_ISREG(status.st_mode) && status.st_size > 0 && (uint64_t)status.st_size <= max)
        buffer_reserve(out, (size_t)status.st_size + 1);
    for (;;) {
        size_t room = max - total < READ_SIZE ? max - total + 1 : READ_SIZE;
        if (out->capacity - out->length < room && out->capacity > out->length)
            room = out->capacity - out->length;
        const ssize_t got = read(fd, buffer_reserve(out, room), room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            err_sys(err, "read '%s'", path);
            goto out;
        }
        if (got == 0)
            break;
        out->length += (size_t)got;
        total += (size_t)got;
        if (total > max) {
            err_set(err, ERR_INVALID, "'%s' is larger than %zu bytes", path, max);
            goto out;
        }
    }
    result = 0;

out:
    if (result < 0)
        out->length -= total;
    close(fd);
    return result;
}

int file_write_all(int fd, const void *data, size_t length, const char *name, struct err *err) {
    const uint8_t *at = data;

    while (length > 0) {
        const ssize_t wrote = write(fd, at, length);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return err_sys(err, "write '%s'", name);
        at += wrote;
        length -= (size_t)wrote;
    }
    return 0;
}

/* The folder that holds `path`, as a string of its own. */
static char *folder_of(const char *path) {
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    while (length > 1 && path[length - 1] == '/')
        length--;
    return length > 0 ? mem_format("%.*s", (int)length, path) : mem_string(".");
}

int file_sync_folder_of(const char *path, struct err *err) {
    char *folder = folder_of(path);
    int result = 0;

    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        result = err_sys(err, "open folder '%s'", folder);
    else if (fsync(fd) < 0)
        result = err_sys(err, "sync folder '%s'", folder);
    if (fd >= 0)
        close(fd);
    free(folder);
    return result;
}

/* A new file beside `path`, whose name nobody else has. Returns its descriptor and name. */
static int make_temporary(const char *path, char **name, struct err *err) {
    const char *slash = strrchr(path, '/');
    const int folder_length = slash != NULL ? (int)(slash - path + 1) : 0;

    *name = mem_format("%.*s.%.200s.XXXXXX", folder_length, path, path + folder_length);
    const int fd = mkostemp(*name, O_CLOEXEC);
    if (fd < 0) {
        err_sys(err, "create a file beside '%s'", path);
        free(*name);
        *name = NULL;
    }
    return fd;
}

/* The content, whole and durable, in a temporary file beside `path`. */
static int write_temporary(const char *path, mode_t mode, const void *data, size_t length, char **name,
                           struct err *err) {
    int result = -1;
    const int fd = make_temporary(path, name, err);

    if (fd < 0)
        return -1;
    if (file_write_all(fd, data, length, *name, err) < 0)
        goto out;
    if (fchmod(fd, mode) < 0) {
        err_sys(err, "set the mode of '%s'", *name);
        goto out;
    }
    if (fsync(fd) < 0) {
        err_sys(err, "sync '%s'", *name);
        goto out;
    }
    result = 0;

out:
    if (close(fd) < 0 && result == 0)
        result = err_sys(err, "close '%s'", *name);
    if (result < 0) {
        unlink(*name);
        free(*name);
        *name = NULL;
    }
    return result;
}

int file_replace(const char *path, mode_t mode, const void *data, size_t length, struct err *err) {
    char *temporary = NULL;
    int result = 0;

    if (write_temporary(path, mode, data, length, &temporary, err) < 0)
        return -1;
    if (rename(temporary, path) < 0) {
        result = err_sys(err, "rename '%s' to '%s'", temporary, path);
        unlink(temporary);
    }
    if (result == 0)
        result = file_sync_folder_of(path, err);
    free(temporary);
    return result;
}

/* rename(2) that replaces nothing. Not every file system has it; all that lack it and matter have hard links. */
static int rename_if_absent(const char *from, const char *to) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (link(from, to) < 0)
        return -1;
    return unlink(from);
}

int file_create(const char *path, mode_t mode, const void *data, size_t length, struct err *err) {
    char *temporary = NULL;
    int result = 0;

    if (write_temporary(path, mode, data, length, &temporary, err) < 0)
        return -1;
    if (rename_if_absent(temporary, path) < 0) {
        result = err_sys(err, "create '%s'", path);
        unlink(temporary);
    }
    if (result == 0)
        result = file_sync_folder_of(path, err);
    free(temporary);
    return result;
}

static int make_folder(const char *path, mode_t mode, struct err *err) {
    struct stat status;

    if (mkdir(path, mode) == 0)
        return file_sync_folder_of(path, err);
    const int failed = errno;
    if (stat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            return 0;
        errno = ENOTDIR;
    } else {
        errno = failed;
    }
    return err_sys(err, "create folder '%s'", path);
}

int file_make_folders(const char *path, mode_t mode, struct err *err) {
    char *partial = mem_string(path);
    int result = 0;

    for (char *at = partial; result == 0 && *at != '\0';) {
        at += strspn(at, "/");
        at += strcspn(at, "/");
        const char end = *at;
        *at = '\0';
        result = make_folder(partial, mode, err);
        *at = end;
        if (end == '/' && at[strspn(at, "/")] == '\0')
            break;
    }
    free(partial);
    return result;
}

/* One step of the walk: 0, or the errno of what failed. */
static int remove_entry(const FTSENT *entry) {
    switch (entry->fts_info) {
    case FTS_D: /* before it is read */
        return (entry->fts_statp->st_mode & 0700) == 0700 || chmod(entry->fts_accpath, 0700) == 0 ? 0 : errno;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return entry->fts_errno == ENOENT ? 0 : entry->fts_errno;
    default:
        return remove(entry->fts_accpath) == 0 || errno == ENOENT ? 0 : errno;
    }
}

int file_remove_tree(const char *path, struct err *err) {
    char *name = mem_string(path), *paths[] = { name, NULL };
    struct err first = { 0 };
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *entry;
    if (!walk)
        err_sys(&first, "remove '%s'", path);
    for (errno = 0; walk && (entry = fts_read(walk)) != NULL; errno = 0) {
        int failed = remove_entry(entry);
        errno = failed;
        if (failed != 0 && first.code == ERR_NONE)
            err_sys(&first, "remove '%s'", entry->fts_path);
    }
    if (walk && errno != 0 && first.code == ERR_NONE)
        err_sys(&first, "remove '%s'", path);
    if (walk)
        fts_close(walk);
    free(name);
    if (first.code == ERR_NONE)
        return 0;
    *err = first;
    return -1;
}
