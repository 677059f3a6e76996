/* What the ways of restoring share. */
#ifndef MUNIMENT_SNAPSHOT_RESTORE_INTERNAL_H
#define MUNIMENT_SNAPSHOT_RESTORE_INTERNAL_H

#include <muniment/repo/fetch.h>
#include <muniment/snapshot/restore.h>
#include <muniment/snapshot/tree.h>

/* --- which entries ------------------------------------------------------------------------------------------------ */

/* The entries of one source that a restore asked for: those that match a pattern, what is below matching folders, the
 * folders above them, and what selected hard links point to. */
struct selection {
    const struct restore_options *options;
    char **extra; /* sorted paths that are needed though no pattern matches them */
    size_t extra_count, extra_capacity;
    uint64_t entries; /* that match by themselves */
    uint64_t bytes;   /* of their content */
};

/* With patterns, reads the tree once. */
int selection_make(struct repo *repo, struct index *index, const struct head_source *source,
                   const struct restore_options *options, struct selection *selection, struct err *err) MUST_CHECK;
bool selection_has(const struct selection *selection, const char *path);
void selection_release(struct selection *selection);

/* True when a pattern of the options matches the path or a folder above it. No patterns match everything. */
bool restore_wants(const struct restore_options *options, const char *path);

/* The next source of the head that the options ask for, beginning at *at; NULL after the last. Sources that failed
 * when they were captured are passed over. */
const struct head_source *restore_next_source(const struct restore_options *options, size_t *at);

/* ERR_NOT_FOUND, listing what there is, when the options name a source that the snapshot has not. Those among the asked
 * for that failed when they were captured are named in the log. */
int restore_check_source(struct repo *repo, const struct restore_options *options, struct err *err) MUST_CHECK;

/* --- contents ----------------------------------------------------------------------------------------------------- */

/* Takes content in order, authenticated. */
typedef int content_each(void *context, const void *data, size_t length, struct err *err);

/* Reads one entry's content and hands it on; afterwards its length and digest are right, or it is ERR_CORRUPT. */
int content_read(struct repo *repo, struct index *index, unsigned workers, const struct entry *entry,
                 const struct extents *extents, struct progress *progress, content_each *each, void *context,
                 struct err *err) MUST_CHECK;

/* The digest of an entry under way. */
struct content_check {
    struct sha256 *digest;
    uint64_t length;
};
void content_check_begin(struct content_check *check);
void content_check_chunk(struct content_check *check, const struct fetched *chunk);
int content_check_end(struct content_check *check, const struct entry *entry, struct err *err) MUST_CHECK;

/* Entries with their contents, in order. All take `context` first. */
struct entries_sink {
    void *context;
    bool (*wants)(void *context, const struct entry *entry); /* asked for each, in order, ahead of begin() */
    int (*begin)(void *context, const struct entry *entry, bool *skip,
                 struct err *err); /* skip: neither data nor end */
    int (*data)(void *context, const void *data, size_t length, struct err *err);
    int (*end)(void *context, struct err *err); /* after its length and digest proved right */
};

/* Hands the wanted entries of a source on; counts those that were not skipped. */
int restore_entries(struct repo *repo, struct index *index, const struct head_source *source,
                    const struct restore_options *options, const struct entries_sink *sink,
                    struct restore_result *result, struct err *err) MUST_CHECK;

/* Names an entry that was cut or changing when it was captured, and counts it. */
void restore_note_flags(struct repo *repo, const struct entry *entry, struct restore_result *result);

#endif
