/* Entries of a snapshot, one after another, for ls and find. */
#ifndef MUNIMENT_CMD_ENTRIES_INTERNAL_H
#define MUNIMENT_CMD_ENTRIES_INTERNAL_H

#include <muniment/run/nightly.h>
#include <muniment/snapshot/tree.h>

typedef int entries_each(void *context, const struct head_source *source, const struct entry *entry, struct err *err);

/* Calls `each` for every entry of every source that matches one of the patterns (count 0: all). A pattern is matched
 * against the path in its source, and against "<source>/<path>". */
int entries_walk(struct opened_set *set, struct index *index, const struct head *head, const char *const *patterns,
                 size_t count, entries_each *each, void *context, struct err *err) MUST_CHECK;

/* "-rw-r--r--" into `text` (11 bytes). Returns text. */
char *entry_form_mode(const struct entry *entry, char text[11]);
const char *entry_type_text(const struct entry *entry); /* "file", "folder", ... */

#endif
