#include "dir_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One folder in memory at a time, and those above it. */
struct folder {
    char **entries; /* a folder's ends in '/', which is what sorts its objects rightly among its neighbours' */
    size_t count;
    size_t capacity;
};

struct listing {
    struct dir_store *dir;
    store_each *each;
    void *context;
    char name[STORE_NAME_MAX + 1]; /* of the object or folder at hand */
};

static int compare_entries(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Neither a name that no object can have, nor anything but files and folders. */
static int add_entry(struct folder *folder, int fd, const struct dirent *entry) {
    unsigned char type = entry->d_type;
    struct stat status;

    if (!store_name_is_valid(entry->d_name, strlen(entry->d_name)))
        return 0;
    if (type == DT_UNKNOWN) {
        if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            return errno == ENOENT ? 0 : -1;
        type = S_ISDIR(status.st_mode) ? DT_DIR : S_ISREG(status.st_mode) ? DT_REG : DT_UNKNOWN;
    }
    if (type != DT_DIR && type != DT_REG)
        return 0;
    folder->entries = mem_grow(folder->entries, &folder->capacity, folder->count + 1, sizeof *folder->entries);
    folder->entries[folder->count++] = mem_format("%s%s", entry->d_name, type == DT_DIR ? "/" : "");
    return 0;
}

static int read_entries(struct folder *folder, DIR *stream) {
    struct dirent *entry;

    for (;;) {
        errno = 0;
        entry = readdir(stream);
        if (entry == NULL)
            break;
        if (add_entry(folder, dirfd(stream), entry) < 0)
            return -1;
    }
    if (errno != 0)
        return -1;
    if (folder->count > 0)
        qsort(folder->entries, folder->count, sizeof *folder->entries, compare_entries);
    return 0;
}

/* An object that went away since its folder was read is no longer there, and not an error. */
static int list_object(struct listing *listing, int fd, const char *leaf, struct err *err) {
    struct stat status;

    if (fstatat(fd, leaf, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_sys(err, "look at '%s/%s'", listing->dir->base.label, listing->name);
    if (!S_ISREG(status.st_mode))
        return 0;
    const struct store_object object = {
        .name = listing->name,
        .size = (uint64_t)status.st_size,
        .modified = (int64_t)status.st_mtim.tv_sec,
    };
    return listing->each(listing->context, &object, err);
}

/* The folder `leaf` of the folder `parent`; its name, with a '/' at its end, is the first `length` bytes of
 * listing->name. */
static int list_folder(struct listing *listing, int parent, const char *leaf, size_t length, struct err *err) {
    struct folder folder = { 0 };
    int result = -1;

    const int fd = openat(parent, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL || read_entries(&folder, stream) < 0) {
        err_sys(err, "list '%s/%s'", listing->dir->base.label, listing->name);
        goto out;
    }

    for (size_t i = 0; i < folder.count; i++) {
        const char *entry = folder.entries[i];
        const size_t entry_length = strlen(entry);
        if (length + entry_length > STORE_NAME_MAX)
            continue;
        memcpy(listing->name + length, entry, entry_length + 1);
        const int failed = entry[entry_length - 1] == '/' ? list_folder(listing, fd, entry, length + entry_length, err)
                                                          : list_object(listing, fd, entry, err);
        listing->name[length] = '\0';
        if (failed != 0)
            goto out;
    }
    result = 0;

out:
    mem_free_strings(folder.entries, folder.count);
    if (stream != NULL)
        closedir(stream);
    else if (fd >= 0)
        close(fd);
    return result;
}

int dir_list(struct store *store, const char *prefix, store_each *each, void *context, struct err *err) {
    struct dir_store *dir = (struct dir_store *)store;
    struct listing listing = { .dir = dir, .each = each, .context = context };
    const size_t length = strlen(prefix);

    if (length == 0)
        return list_folder(&listing, dir->root, ".", 0, err);
    if (length == STORE_NAME_MAX)
        return 0;
    memcpy(listing.name, prefix, length);
    listing.name[length] = '/';
    return list_folder(&listing, dir->root, prefix, length + 1, err);
}
