#include "dir_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Folders
 */

int dir_explain(const struct dir_store *dir, struct err *err) {
    if (err != NULL && (err->sys == ENOSPC || err->sys == EDQUOT))
        err_hint(err, "make room on the file system of '%s'; what was stored before is whole", dir->base.label);
    return -1;
}

/* fsync of the folder named by the first `length` bytes of `name`, or of the root when there are none. */
static int sync_folder(struct dir_store *dir, const char *name, size_t length, struct err *err) {
    char folder[STORE_NAME_MAX + 1];
    int result = 0;

    memcpy(folder, name, length);
    folder[length] = '\0';
    const int fd = openat(dir->root, length > 0 ? folder : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "open folder '%s/%s'", dir->base.label, folder);
    if (fsync(fd) < 0)
        result = err_sys(err, "sync folder '%s/%s'", dir->base.label, folder);
    close(fd);
    return result;
}

static size_t parent_length(const char *name, size_t length) {
    while (length > 0 && name[length - 1] != '/')
        length--;
    return length > 0 ? length - 1 : 0;
}

int dir_sync_parent(struct dir_store *dir, const char *name, struct err *err) {
    struct err inner = { 0 };

    if (sync_folder(dir, name, parent_length(name, strlen(name)), &inner) == 0 || inner.code == ERR_NOT_FOUND)
        return 0;
    if (err != NULL)
        *err = inner;
    return dir_explain(dir, err);
}

static bool is_known_durable(struct dir_store *dir, const char *folder) {
    bool known = false;

    pthread_mutex_lock(&dir->mutex);
    for (size_t i = 0; i < dir->durable_count && !known; i++)
        known = strcmp(dir->durable[i], folder) == 0;
    pthread_mutex_unlock(&dir->mutex);
    return known;
}

static void remember_durable(struct dir_store *dir, const char *folder) {
    pthread_mutex_lock(&dir->mutex);
    dir->durable = mem_grow(dir->durable, &dir->durable_capacity, dir->durable_count + 1, sizeof *dir->durable);
    dir->durable[dir->durable_count++] = mem_string(folder);
    pthread_mutex_unlock(&dir->mutex);
}

int dir_make_parents(struct dir_store *dir, const char *name, struct err *err) {
    char folder[STORE_NAME_MAX + 1];

    for (size_t length = 0; name[length] != '\0'; length++) {
        if (name[length] != '/')
            continue;
        memcpy(folder, name, length);
        folder[length] = '\0';

        /* A folder that was there may be the work of a process that was killed before it made it durable, so the first
         * use of any folder syncs its parent. */
        const bool made = mkdirat(dir->root, folder, DIR_FOLDER_MODE) == 0;
        if (!made && errno != EEXIST) {
            err_sys(err, "create folder '%s/%s'", dir->base.label, folder);
            return dir_explain(dir, err);
        }
        const bool known = is_known_durable(dir, folder);
        if (!made && known)
            continue;
        if (sync_folder(dir, folder, parent_length(folder, length), err) < 0)
            return dir_explain(dir, err);
        if (!known)
            remember_durable(dir, folder);
    }
    return 0;
}

/*
 * Reading and removing
 */

/* Not blocking, as a FIFO must not hold us; no link is followed out of the store. */
static int open_object(struct dir_store *dir, const char *name, uint64_t *size, struct err *err) {
    struct stat status;

    const int fd = openat(dir->root, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "open '%s/%s'", dir->base.label, name);
    if (fstat(fd, &status) < 0) {
        err_sys(err, "look at '%s/%s'", dir->base.label, name);
        close(fd);
        return -1;
    }
    if (!S_ISREG(status.st_mode)) {
        close(fd);
        return err_set(err, ERR_CORRUPT, "'%s/%s' is not a file", dir->base.label, name);
    }
    *size = (uint64_t)status.st_size;
    return fd;
}

static int read_exactly(struct dir_store *dir, const char *name, int fd, uint64_t offset, void *to, size_t length,
                        struct err *err) {
    uint8_t *at = to;

    while (length > 0) {
        const ssize_t got = pread(fd, at, length, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "read '%s/%s'", dir->base.label, name);
        if (got == 0)
            return err_set(err, ERR_CORRUPT, "'%s/%s' ends %zu bytes too early", dir->base.label, name, length);
        at += got;
        offset += (uint64_t)got;
        length -= (size_t)got;
    }
    return 0;
}

static int dir_get(struct store *store, const char *name, size_t max, struct buffer *out, struct err *err) {
    struct dir_store *dir = (struct dir_store *)store;
    uint64_t size;
    int result;

    const int fd = open_object(dir, name, &size, err);
    if (fd < 0)
        return -1;
    if (size > max) {
        result = err_set(err, ERR_CORRUPT, "'%s/%s' has %llu bytes, and at most %zu make sense", dir->base.label, name,
                         (unsigned long long)size, max);
    } else {
        result = read_exactly(dir, name, fd, 0, buffer_reserve(out, (size_t)size), (size_t)size, err);
        if (result == 0)
            out->length += (size_t)size;
    }
    close(fd);
    return result;
}

static int dir_get_range(struct store *store, const char *name, uint64_t offset, void *to, size_t length,
                         struct err *err) {
    struct dir_store *dir = (struct dir_store *)store;
    uint64_t size;
    int result;

    const int fd = open_object(dir, name, &size, err);
    if (fd < 0)
        return -1;
    if (offset > size || length > size - offset)
        result = err_set(err, ERR_CORRUPT, "'%s/%s' has %llu bytes, too few for %zu at %llu", dir->base.label, name,
                         (unsigned long long)size, length, (unsigned long long)offset);
    else
        result = read_exactly(dir, name, fd, offset, to, length, err);
    close(fd);
    return result;
}

static int dir_stat(struct store *store, const char *name, uint64_t *size, int64_t *modified, struct err *err) {
    struct dir_store *dir = (struct dir_store *)store;
    struct stat status;

    if (fstatat(dir->root, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, "look at '%s/%s'", dir->base.label, name);
    if (!S_ISREG(status.st_mode))
        return err_set(err, ERR_CORRUPT, "'%s/%s' is not a file", dir->base.label, name);
    if (size != NULL)
        *size = (uint64_t)status.st_size;
    if (modified != NULL)
        *modified = (int64_t)status.st_mtim.tv_sec;
    return 0;
}

static int dir_remove(struct store *store, const char *name, struct store_removal *removal, struct err *err) {
    struct dir_store *dir = (struct dir_store *)store;

    if (unlinkat(dir->root, name, 0) == 0)
        removal->versions = 1;
    else if (errno != ENOENT)
        return err_sys(err, "remove '%s/%s'", dir->base.label, name);

    /* Also when it was gone: whoever removed it may have been killed before this. */
    return dir_sync_parent(dir, name, err);
}

/*
 * Opening
 */

static void dir_close(struct store *store) {
    struct dir_store *dir = (struct dir_store *)store;

    if (dir->root >= 0)
        close(dir->root);
    pthread_mutex_destroy(&dir->mutex);
    mem_free_strings(dir->durable, dir->durable_count);
    free(dir->base.label);
    free(dir);
}

static const struct store_ops DIR_OPS = {
    .close = dir_close,
    .put = dir_put,
    .upload_begin = dir_upload_begin,
    .upload_write = dir_upload_write,
    .upload_commit = dir_upload_commit,
    .upload_abort = dir_upload_abort,
    .get = dir_get,
    .get_range = dir_get_range,
    .stat = dir_stat,
    .list = dir_list,
    .remove = dir_remove,
    .lock_take = dir_lock_take,
    .lock_release = dir_lock_release,
    .lock_is_global = true,
};

int dir_store_open(const struct store_address *address, bool create, struct store **store, struct err *err) {
    struct dir_store *dir;

    if (create && file_make_folders(address->path, DIR_FOLDER_MODE, err) < 0)
        return -1;
    const int root = open(address->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return err_sys(err, "open the store '%s'", address->path);

    dir = mem_zalloc(sizeof *dir);
    dir->base.ops = &DIR_OPS;
    dir->base.label = mem_string(address->label != NULL ? address->label : address->path);
    dir->root = root;
    pthread_mutex_init(&dir->mutex, NULL);
    dir_sweep(dir);
    *store = &dir->base;
    return 0;
}
