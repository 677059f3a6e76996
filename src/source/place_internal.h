/* An entry of ours as libarchive's: everything but its path. */
#ifndef MUNIMENT_SOURCE_PLACE_INTERNAL_H
#define MUNIMENT_SOURCE_PLACE_INTERNAL_H

#include <archive_entry.h>
#include <muniment/source/entry.h>

/* `owners`: they will be restored. Returns the name of an attribute that libarchive cannot be told, or NULL. */
const char *place_describe(const struct entry *entry, bool owners, struct archive_entry *to);

#endif
