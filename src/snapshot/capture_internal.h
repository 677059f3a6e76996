/* What the parts of a capture share. */
#ifndef MUNIMENT_SNAPSHOT_CAPTURE_INTERNAL_H
#define MUNIMENT_SNAPSHOT_CAPTURE_INTERNAL_H

#include "depot_internal.h"
#include "tree_cache_internal.h"
#include <muniment/snapshot/capture.h>

/* Captures one source into the depot and describes it in `described` (name and kind are set). Returns 0 also when the
 * source failed (OUTCOME_FAILED, the reason among its troubles); -1 when the capture as a whole cannot go on. *cache is
 * the memory of its tree, for the caller to commit when the snapshot is, or to abort; NULL where there is none. */
int capture_source(struct repo *repo, struct depot *depot, const struct capture_options *options,
                   const struct source *source, struct head_source *described, struct cache_writer **cache,
                   struct err *err) MUST_CHECK;

/* Marks a source as failed, with the reason. */
void capture_source_failed(struct head_source *described, const struct err *why);

#endif
