/* What a file is beside its content: owners' names, extended attributes, ACLs. */

#include "files_internal.h"
#include <errno.h>
#include <grp.h>
#include <muniment/util/memory.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* Few owners are met, most of them again and again: the last one is looked at first, by moving it to the front. */
static struct owner_name *owner_names_slot(struct owner_names *names, uint32_t id) {
    size_t at = 0;
    while (at < names->count && names->slots[at].id != id)
        at++;

    if (at == names->count) {
        names->slots = mem_grow(names->slots, &names->capacity, names->count + 1, sizeof *names->slots);
        names->slots[names->count++] = (struct owner_name){ .id = id };
    }
    if (at > 0) {
        struct owner_name front = names->slots[at];
        memmove(names->slots + 1, names->slots, at * sizeof *names->slots);
        names->slots[0] = front;
    }
    return names->slots;
}

/* A name that could not be decoded again is no name. */
static char *usable_name(const char *name) {
    return name != NULL && name[0] != '\0' && strlen(name) <= ENTRY_NAME_MAX ? mem_string(name) : NULL;
}

char *owner_names_user(struct owner_names *names, uint32_t uid) {
    struct owner_name *slot = owner_names_slot(names, uid);
    if (!slot->asked) {
        enum { ROOM = 16384 };
        char *room = mem_alloc(ROOM);
        struct passwd user, *found = NULL;
        if (getpwuid_r(uid, &user, room, ROOM, &found) == 0 && found != NULL)
            slot->name = usable_name(found->pw_name);
        slot->asked = true;
        free(room);
    }
    return slot->name;
}

char *owner_names_group(struct owner_names *names, uint32_t gid) {
    struct owner_name *slot = owner_names_slot(names, gid);
    if (!slot->asked) {
        enum { ROOM = 1 << 20 }; /* a group lists its members */
        char *room = mem_alloc(ROOM);
        struct group group, *found = NULL;
        if (getgrgid_r(gid, &group, room, ROOM, &found) == 0 && found != NULL)
            slot->name = usable_name(found->gr_name);
        slot->asked = true;
        free(room);
    }
    return slot->name;
}

void owner_names_release(struct owner_names *names) {
    for (size_t i = 0; i < names->count; i++)
        free(names->slots[i].name);
    free(names->slots);
    *names = (struct owner_names){ 0 };
}

static uint8_t type_of(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return ENTRY_FOLDER;
    case S_IFLNK:
        return ENTRY_SYMLINK;
    case S_IFIFO:
        return ENTRY_FIFO;
    case S_IFCHR:
        return ENTRY_CHARACTER;
    case S_IFBLK:
        return ENTRY_BLOCK;
    default:
        return ENTRY_FILE;
    }
}

void describe(struct walk *walk, const struct stat *status, struct entry *entry) {
    *entry = (struct entry){
        .path = (char *)walk->path.data,
        .type = type_of(status->st_mode),
        .mode = status->st_mode & 07777,
        .uid = status->st_uid,
        .gid = status->st_gid,
        .user = owner_names_user(&walk->users, status->st_uid),
        .group = owner_names_group(&walk->groups, status->st_gid),
        .mtime = status->st_mtim.tv_sec,
        .ctime = status->st_ctim.tv_sec,
        .mtime_ns = (uint32_t)status->st_mtim.tv_nsec,
        .ctime_ns = (uint32_t)status->st_ctim.tv_nsec,
        .device = status->st_dev,
        .inode = status->st_ino,
    };
    if (S_ISREG(status->st_mode))
        entry->size = (uint64_t)status->st_size;
    if (S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode)) {
        entry->device_major = major(status->st_rdev);
        entry->device_minor = minor(status->st_rdev);
    }
}

void forget_entry(struct entry *entry) {
    for (size_t i = 0; i < entry->attribute_count; i++) {
        free(entry->attributes[i].name);
        free(entry->attributes[i].value);
    }
    free(entry->attributes);
    free(entry->ranges);
    entry->attributes = NULL;
    entry->ranges = NULL;
    entry->attribute_count = entry->range_count = 0;
}

/* By descriptor, or by path where a descriptor cannot be had (fd is then -1). */
static ssize_t list_attributes(struct walk *walk, int fd, const char *path) {
    char *list = (char *)walk->list;
    return fd >= 0 ? flistxattr(fd, list, ATTRIBUTE_MAX) : listxattr(path, list, ATTRIBUTE_MAX);
}

static ssize_t get_attribute(struct walk *walk, int fd, const char *path, const char *name) {
    return fd >= 0 ? fgetxattr(fd, name, walk->value, ATTRIBUTE_MAX) : getxattr(path, name, walk->value, ATTRIBUTE_MAX);
}

/* ACLs are kept as the values of system.posix_acl_access and system.posix_acl_default: they come back exactly. */
static int read_attributes_of(struct walk *walk, int fd, const char *path, struct entry *entry) {
    ssize_t length = list_attributes(walk, fd, path);
    if (length < 0)
        return errno == ENOTSUP ? 0 : -1;

    int failed = 0;
    for (const char *name = (const char *)walk->list, *end = name + length; name < end; name += strlen(name) + 1) {
        ssize_t size = get_attribute(walk, fd, path, name);
        if (size < 0) {
            /* Gone since it was listed, or listed by a filesystem that does not give it. */
            if (errno != ENODATA && errno != ENOTSUP)
                failed = errno;
            continue;
        }
        char full[sizeof "xattr." + 255];
        int used = snprintf(full, sizeof full, "xattr.%s", name);
        if (used > 0 && (size_t)used < sizeof full)
            entry_add_attribute(entry, full, walk->value, (size_t)size);
    }
    errno = failed;
    return failed == 0 ? 0 : -1;
}

int read_attributes(struct walk *walk, int fd, struct entry *entry) {
    return read_attributes_of(walk, fd, NULL, entry);
}

int read_attributes_at(struct walk *walk, const char *path, struct entry *entry) {
    return read_attributes_of(walk, -1, path, entry);
}
