/* Entries as what a disk can hold. */
#ifndef MUNIMENT_SOURCE_PLACE_INTERNAL_H
#define MUNIMENT_SOURCE_PLACE_INTERNAL_H

#include <archive_entry.h>
#include <muniment/source/entry.h>

/* An entry of ours as libarchive's: everything but its path. `owners`: they will be restored. Returns the name of an
 * attribute that libarchive cannot be told, or NULL. */
const char *place_describe(const struct entry *entry, bool owners, struct archive_entry *to);

/* The path that an object is written to when its own will not do, owned; else NULL. No two objects get the same one. */
char *place_object_path(const char *path);

/* An object as the file that it becomes (released by the caller): of whoever restores it, with its metadata as
 * user.s3.* attributes. False when some of these are too large for that and were left out. */
bool place_object_as_file(const struct entry *object, struct entry *file);

#endif
