/* Entries in libarchive's words. */

#include "place_internal.h"
#include <archive.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char attribute_prefix[] = "xattr.";
static const char access_acl[] = "xattr.system.posix_acl_access";
static const char default_acl[] = "xattr.system.posix_acl_default";

static unsigned get_u16(const uint8_t *at) {
    return at[0] | (unsigned)at[1] << 8;
}

static int tag_of(unsigned tag) {
    switch (tag) {
    case 0x01:
        return ARCHIVE_ENTRY_ACL_USER_OBJ;
    case 0x02:
        return ARCHIVE_ENTRY_ACL_USER;
    case 0x04:
        return ARCHIVE_ENTRY_ACL_GROUP_OBJ;
    case 0x08:
        return ARCHIVE_ENTRY_ACL_GROUP;
    case 0x10:
        return ARCHIVE_ENTRY_ACL_MASK;
    case 0x20:
        return ARCHIVE_ENTRY_ACL_OTHER;
    default:
        return 0;
    }
}

/*
 * The kernel's form of an ACL: version 2 in 4 bytes, then for each entry a tag and permissions of 2 bytes each and an
 * id of 4, all little-endian. libarchive passes system.* attributes over and wants to be told entry by entry.
 */
static bool add_acl(const struct entry_attribute *attribute, int type, struct archive_entry *to) {
    enum { HEADER = 4, ENTRY = 8 };
    const uint8_t *at = attribute->value;
    const uint8_t *end = at + attribute->length;

    if (attribute->length < HEADER || (attribute->length - HEADER) % ENTRY != 0 || get_u16(at) != 2 ||
        get_u16(at + 2) != 0)
        return false;
    for (at += HEADER; at < end; at += ENTRY) {
        int tag = tag_of(get_u16(at));
        unsigned permissions = get_u16(at + 2);
        uint32_t id = get_u16(at + 4) | (uint32_t)get_u16(at + 6) << 16;
        if (tag == 0 || permissions > 7)
            return false;
        bool named = tag == ARCHIVE_ENTRY_ACL_USER || tag == ARCHIVE_ENTRY_ACL_GROUP;
        if (archive_entry_acl_add_entry(to, type, (int)permissions, tag, named ? (int)id : -1, NULL) != ARCHIVE_OK)
            return false;
    }
    return true;
}

static const char *add_attributes(const struct entry *entry, struct archive_entry *to) {
    const char *unknown = NULL;

    for (size_t i = 0; i < entry->attribute_count; i++) {
        const struct entry_attribute *attribute = &entry->attributes[i];
        bool known = true;
        if (strcmp(attribute->name, access_acl) == 0)
            known = add_acl(attribute, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, to);
        else if (strcmp(attribute->name, default_acl) == 0)
            known = add_acl(attribute, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, to);
        else if (strncmp(attribute->name, attribute_prefix, sizeof attribute_prefix - 1) == 0)
            archive_entry_xattr_add_entry(to, attribute->name + sizeof attribute_prefix - 1, attribute->value,
                                          attribute->length);
        else
            known = false;
        if (!known)
            unknown = attribute->name;
    }
    return unknown;
}

static unsigned file_type(const struct entry *entry) {
    switch (entry->type) {
    case ENTRY_FOLDER:
        return AE_IFDIR;
    case ENTRY_SYMLINK:
        return AE_IFLNK;
    case ENTRY_FIFO:
        return AE_IFIFO;
    case ENTRY_CHARACTER:
        return AE_IFCHR;
    case ENTRY_BLOCK:
        return AE_IFBLK;
    default:
        return AE_IFREG;
    }
}

const char *place_describe(const struct entry *entry, bool owners, struct archive_entry *to) {
    archive_entry_set_filetype(to, file_type(entry));
    archive_entry_set_mtime(to, entry->mtime, (long)entry->mtime_ns);

    /* A dump belongs to whoever restores it, and to nobody else. */
    if (entry->type == ENTRY_STREAM) {
        archive_entry_set_perm(to, 0600);
        archive_entry_set_uid(to, geteuid());
        archive_entry_set_gid(to, getegid());
        return NULL;
    }

    /* The bits that lend an owner's rights must not lend those of whoever restores. */
    mode_t mode = entry->mode & 07777;
    if (!owners)
        mode &= ~(mode_t)(entry->type == ENTRY_FOLDER ? S_ISUID : S_ISUID | S_ISGID);
    archive_entry_set_perm(to, mode);
    archive_entry_set_uid(to, entry->uid);
    archive_entry_set_gid(to, entry->gid);
    archive_entry_set_uname(to, entry->user);
    archive_entry_set_gname(to, entry->group);

    if (entry->type == ENTRY_FILE)
        archive_entry_set_size(to, (int64_t)entry->size);
    if (entry->type == ENTRY_CHARACTER || entry->type == ENTRY_BLOCK)
        archive_entry_set_rdev(to, makedev(entry->device_major, entry->device_minor));
    if (entry->type == ENTRY_SYMLINK)
        archive_entry_set_symlink(to, entry->target);
    return add_attributes(entry, to);
}
