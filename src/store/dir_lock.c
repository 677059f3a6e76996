#include "dir_internal.h"
#include <fcntl.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dir_lock {
    struct store_lock base;
    int fd;
};

/* "<folder>/<leaf>" to "<folder>/.lock-<leaf>". */
static char *lock_path(const char *name) {
    const char *slash = strrchr(name, '/');
    const char *leaf = slash != NULL ? slash + 1 : name;

    return mem_format("%.*s.lock-%s", (int)(leaf - name), name, leaf);
}

int dir_lock_take(struct store *store, const char *name, int64_t wait, struct store_lock **lock, struct err *err) {
    struct dir_store *dir = (struct dir_store *)store;
    char *path = lock_path(name);
    int fd = -1, result = -1;

    if (dir_make_parents(dir, name, err) < 0)
        goto out;
    fd = openat(dir->root, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, DIR_FILE_MODE);
    if (fd < 0) {
        err_sys(err, "open the lock '%s/%s'", dir->base.label, path);
        dir_explain(dir, err);
        goto out;
    }
    if (lock_file_take(fd, name, dir->base.label, wait, err) < 0)
        goto out;

    struct dir_lock *taken = mem_zalloc(sizeof *taken);
    taken->base.store = store;
    taken->fd = fd;
    fd = -1;
    *lock = &taken->base;
    result = 0;

out:
    if (fd >= 0)
        close(fd);
    free(path);
    return result;
}

void dir_lock_release(struct store_lock *base) {
    struct dir_lock *lock = (struct dir_lock *)base;

    lock_file_release(lock->fd);
    free(lock);
}
