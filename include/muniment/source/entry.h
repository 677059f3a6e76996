/*
 * Entries: what a tree lists. A file, a folder, a link, a dump.
 *
 * Paths are bytes, relative, components joined by '/', none empty, "." or "..", no NUL. Tree order is bytewise with '/'
 * before every other byte, so that a folder is followed by what is in it.
 *
 * An object's path is "BUCKET/KEY" with the key as it is: any bytes but NUL, "//" and "./" included. A tree of objects
 * holds nothing else, and its order is plain bytewise, as object storage lists them: so that listing and tree are
 * merged in constant memory.
 */
#ifndef MUNIMENT_SOURCE_ENTRY_H
#define MUNIMENT_SOURCE_ENTRY_H

#include <muniment/util/buffer.h>
#include <stdbool.h>
#include <stdint.h>

enum entry_type {
    ENTRY_FILE = 1,
    ENTRY_FOLDER = 2,
    ENTRY_SYMLINK = 3,
    ENTRY_HARDLINK = 4, /* `target` is the path of the first entry with this inode */
    ENTRY_FIFO = 5,
    ENTRY_CHARACTER = 6,
    ENTRY_BLOCK = 7,
    ENTRY_STREAM = 8, /* a dump or a command's output: content without a file's metadata */
    ENTRY_OBJECT = 9, /* of a bucket; its headers, metadata, tags and ETag are attributes (see bucket_place.h) */
};

enum entry_flag {
    ENTRY_INCOMPLETE = 1, /* its source failed while it was read: what is there may be cut */
    ENTRY_CHANGED = 2,    /* it changed while it was read: parts may be of different times */
};

struct entry_attribute { /* "xattr.user.name", "xattr.system.posix_acl_access", ... */
    char *name;
    uint8_t *value;
    size_t length;
};

struct entry_range { /* of a sparse file: where data is; the content is these ranges, concatenated. A file that is one
                        hole has one range, of length 0, at its size */
    uint64_t offset, length;
};

struct entry {
    char *path;
    uint8_t type;  /* enum entry_type */
    uint8_t flags; /* enum entry_flag bits */
    uint32_t mode; /* permission bits with setuid, setgid, sticky */
    uint32_t uid, gid;
    char *user, *group;   /* names, or NULL */
    int64_t mtime, ctime; /* seconds */
    uint32_t mtime_ns, ctime_ns;
    uint64_t device, inode;
    uint64_t size;                       /* of the file; with holes */
    uint32_t device_major, device_minor; /* of a device node */
    char *target;                        /* of a link, or NULL */
    struct entry_attribute *attributes;  /* sorted by name */
    struct entry_range *ranges;          /* empty unless sparse */
    size_t attribute_count, range_count;

    /* Set by the capture, not by sources. */
    uint64_t content;   /* bytes of content stored */
    uint64_t chunks;    /* how many of the reference stream's slots are its own */
    uint8_t digest[32]; /* SHA-256 over the 32-byte HMACs of its chunks, in order */
};

enum {
    ENTRY_PATH_MAX = 65536, /* bytes of a path or a target */
    ENTRY_NAME_MAX = 1024,  /* bytes of a user's, group's or attribute's name */
};

void entry_release(struct entry *entry); /* frees what it owns and zeroes it */
void entry_copy(struct entry *to, const struct entry *from);
void entry_add_attribute(struct entry *entry, const char *name, const void *value,
                         size_t length); /* keeps them sorted */
const struct entry_attribute *entry_attribute(const struct entry *entry, const char *name);
void entry_add_range(struct entry *entry, uint64_t offset, uint64_t length); /* in order */

/* In the order of a tree of entries of this type. */
int entry_compare_paths(enum entry_type type, const char *left, const char *right);
bool entry_path_is_valid(enum entry_type type, const char *path);

/*
 * The entry as it stands in the tree stream:
 *
 *     entry     = varint length, then exactly so many bytes:
 *     type        u8, one of enum entry_type
 *     flags       u8, bits of enum entry_flag, no others
 *     path        text, a path that is valid for the type
 *     mode        varint, at most 07777
 *     uid, gid    varint each, at most 2^32 - 1
 *     user, group text each; empty means no name
 *     mtime       zigzag varint of the seconds, then varint nanoseconds below 10^9
 *     ctime       likewise
 *     device, inode, size   varint each
 *     target      text, only of ENTRY_SYMLINK (not empty) and ENTRY_HARDLINK (a valid path that sorts before this one)
 *     major, minor  varint each, at most 2^32 - 1, only of ENTRY_CHARACTER and ENTRY_BLOCK
 *     attributes  varint count, then for each: name as text (not empty), value as varint length and bytes; the names
 *                 strictly ascending bytewise
 *     ranges      only of ENTRY_FILE: varint count, then for each: varint gap since the end of the one before (the
 *                 first: since 0), varint length. They end within `size`; no length is 0, but for a file that is one
 *                 hole, whose only range is (size, 0)
 *     content, chunks       varint each
 *     digest      32 bytes
 *
 * varint is LEB128 in its shortest form; text is a varint length and bytes without NUL; a zigzag varint is the varint
 * of (n << 1) ^ (n >> 63). A field that a type does not have is zero or NULL after decoding.
 *
 * Decoding takes one whole entry from the reader; false when short or not valid (the reader is then failed and the
 * entry empty). What it takes, encodes to the same bytes again.
 */
void entry_encode(const struct entry *entry, struct buffer *out);
bool entry_decode(struct entry *entry, struct reader *reader);

#endif
