#include "s3_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * No bucket offers a lock that every service keeps, so this one holds between the processes of one user on one
 * machine, in a file named after the place and the lock. It is removed by its holder while it is locked.
 */

enum { HASH_SHOWN = 16 }; /* bytes of the hash in the file's name */

struct bucket_lock {
    struct store_lock base;
    int fd;
    char *path;
};

/* By where it is, not by how the address spells it. */
static char *file_name(const struct s3_store *store, const char *name) {
    const struct s3_place *place = &store->place;
    uint8_t digest[SHA256_SIZE];
    char hex[2 * HASH_SHOWN + 1];

    char *what = mem_format("%s\n%s\n%s\n%s", place->service.endpoint, place->bucket, place->prefix, name);
    sha256_once(digest, what, strlen(what));
    free(what);
    return mem_format("muniment-%lu-%s.lock", (unsigned long)geteuid(), hex_encode(hex, digest, HASH_SHOWN));
}

/* In a folder that anybody may write to a file of that name may be anybody's. */
static int open_own(const char *path) {
    struct stat status;

    const int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid())
        return fd;
    close(fd);
    errno = EPERM;
    return -1;
}

/* The first folder that takes the file: the same one in every process of this user, while their surroundings are the
 * same. */
static int open_file(const struct s3_store *store, const char *name, char **path, struct err *err) {
    const char *temporary = getenv("TMPDIR");
    const char *const folders[] = { "/run/lock", temporary != NULL && *temporary == '/' ? temporary : "/tmp", "/tmp" };
    char *leaf = file_name(store, name);
    int fd = -1;

    *path = NULL;
    for (size_t i = 0; fd < 0 && i < sizeof folders / sizeof folders[0]; i++) {
        free(*path);
        *path = mem_format("%s/%s", folders[i], leaf);
        fd = open_own(*path);
    }
    free(leaf);
    return fd >= 0 ? fd : err_sys(err, "open the lock '%s'", *path);
}

/* Its last holder may have removed it between our opening and our locking. */
static bool is_still_named(int fd, const char *path) {
    struct stat ours, named;

    return fstat(fd, &ours) == 0 && lstat(path, &named) == 0 && ours.st_dev == named.st_dev &&
           ours.st_ino == named.st_ino;
}

int s3_store_lock_take(struct store *base, const char *name, int64_t wait, struct store_lock **lock, struct err *err) {
    struct s3_store *store = (struct s3_store *)base;

    for (;;) {
        char *path;
        const int fd = open_file(store, name, &path, err);
        const bool locked = fd >= 0 && lock_file_take(fd, name, base->label, wait, err) == 0;
        if (locked && is_still_named(fd, path)) {
            struct bucket_lock *taken = mem_zalloc(sizeof *taken);
            taken->base.store = base;
            taken->fd = fd;
            taken->path = path;
            *lock = &taken->base;
            return 0;
        }
        if (fd >= 0)
            close(fd);
        free(path);
        if (!locked)
            return -1;
    }
}

void s3_store_lock_release(struct store_lock *base) {
    struct bucket_lock *lock = (struct bucket_lock *)base;

    unlink(lock->path); /* one that stays is taken again */
    lock_file_release(lock->fd);
    free(lock->path);
    free(lock);
}
