#include "dir_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TEMPORARY_NAME = 32,               /* bytes of `.tmp-` and 16 digits */
    BEGIN_TRIES = 100,                 /* how often a sweep may take a new file for an abandoned one */
    WRITEBACK_WINDOW = 4 * 1024 * 1024 /* bytes handed to the disk at a time while writing */
};

struct dir_upload {
    struct store_upload base;
    struct dir_store *dir;
    int fd;
    uint64_t written;
    uint64_t handed_over; /* bytes whose writeback was started */
    char temporary[TEMPORARY_NAME];
};

/* Whether the locked file is still the one of that name: a sweep may have come between creating and locking it. */
static bool is_still_named(struct dir_store *dir, int fd, const char *name) {
    struct stat ours, named;

    return fstat(fd, &ours) == 0 && fstatat(dir->root, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* A new file, locked by us, so that no sweep removes it. */
static int create_temporary(struct dir_store *dir, char name[TEMPORARY_NAME], struct err *err) {
    for (int i = 0; i < BEGIN_TRIES; i++) {
        uint64_t number;
        if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
            return err_sys(err, "get a random number");
        snprintf(name, TEMPORARY_NAME, DIR_TEMPORARY_PREFIX "%016" PRIx64, number);

        const int fd = openat(dir->root, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, DIR_FILE_MODE);
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd < 0) {
            err_sys(err, "create '%s/%s'", dir->base.label, name);
            return dir_explain(dir, err);
        }
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_still_named(dir, fd, name))
            return fd;
        close(fd);
    }
    return err_set(err, ERR_SYSTEM, "cannot lock a new file in '%s'", dir->base.label);
}

int dir_upload_begin(struct store *store, struct store_upload **upload, struct err *err) {
    struct dir_store *dir = (struct dir_store *)store;
    char name[TEMPORARY_NAME];

    const int fd = create_temporary(dir, name, err);
    if (fd < 0)
        return -1;
    struct dir_upload *new = mem_zalloc(sizeof *new);
    new->base.store = store;
    new->dir = dir;
    new->fd = fd;
    memcpy(new->temporary, name, sizeof name);
    *upload = &new->base;
    return 0;
}

/* Has the disk begin early, so that the fsync at the end is short. Only a hint: that fsync reports what goes wrong. */
static void start_writeback(struct dir_upload *upload) {
    const uint64_t ready = upload->written - upload->handed_over;

    if (ready < WRITEBACK_WINDOW)
        return;
    (void)sync_file_range(upload->fd, (off_t)upload->handed_over, (off_t)ready, SYNC_FILE_RANGE_WRITE);
    upload->handed_over = upload->written;
}

int dir_upload_write(struct store_upload *base, const void *data, size_t length, struct err *err) {
    struct dir_upload *upload = (struct dir_upload *)base;
    const uint8_t *at = data;

    while (length > 0) {
        const ssize_t wrote = write(upload->fd, at, length);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            err_sys(err, "write '%s/%s'", upload->dir->base.label, upload->temporary);
            return dir_explain(upload->dir, err);
        }
        at += wrote;
        length -= (size_t)wrote;
        upload->written += (uint64_t)wrote;
        start_writeback(upload);
    }
    return 0;
}

void dir_upload_abort(struct store_upload *base) {
    struct dir_upload *upload = (struct dir_upload *)base;

    /* Removed while still locked: no sweep of another process looks at it. */
    unlinkat(upload->dir->root, upload->temporary, 0);
    close(upload->fd);
    free(upload);
}

int dir_upload_commit(struct store_upload *base, const char *name, struct err *err) {
    struct dir_upload *upload = (struct dir_upload *)base;
    struct dir_store *dir = upload->dir;

    /* The bytes, then the name, then the folder that holds the name. */
    if (fsync(upload->fd) < 0) {
        err_sys(err, "sync '%s/%s'", dir->base.label, upload->temporary);
        goto failed;
    }
    if (dir_make_parents(dir, name, err) < 0)
        goto failed;
    if (renameat(dir->root, upload->temporary, dir->root, name) < 0) {
        err_sys(err, "rename '%s/%s' to '%s'", dir->base.label, upload->temporary, name);
        goto failed;
    }
    const int closed = close(upload->fd);
    free(upload);
    if (closed < 0) {
        err_sys(err, "close '%s/%s'", dir->base.label, name);
        return dir_explain(dir, err);
    }
    return dir_sync_parent(dir, name, err);

failed:
    dir_upload_abort(base);
    return dir_explain(dir, err);
}

int dir_put(struct store *store, const char *name, const void *data, size_t length, int64_t lock_until,
            struct err *err) {
    (void)lock_until;
    struct store_upload *upload;

    if (dir_upload_begin(store, &upload, err) < 0)
        return -1;
    if (dir_upload_write(upload, data, length, err) < 0) {
        dir_upload_abort(upload);
        return -1;
    }
    return dir_upload_commit(upload, name, err);
}

/* A file whose lock is free has no living writer. */
static void sweep_one(struct dir_store *dir, const char *name) {
    const int fd = openat(dir->root, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(dir->root, name, 0);
    close(fd);
}

void dir_sweep(struct dir_store *dir) {
    const int fd = openat(dir->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (stream == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((entry = readdir(stream)) != NULL)
        if (strncmp(entry->d_name, DIR_TEMPORARY_PREFIX, strlen(DIR_TEMPORARY_PREFIX)) == 0)
            sweep_one(dir, entry->d_name);
    closedir(stream);
}
