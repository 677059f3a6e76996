/* What the parts of a capture share. */
#ifndef MUNIMENT_SNAPSHOT_CAPTURE_INTERNAL_H
#define MUNIMENT_SNAPSHOT_CAPTURE_INTERNAL_H

#include "depot_internal.h"
#include <muniment/snapshot/capture.h>

/* Captures one source into the depot and describes it in `described` (name and kind are set). Returns 0 also when the
 * source failed (OUTCOME_FAILED, the reason among its troubles); -1 when the capture as a whole cannot go on. The
 * cache of its tree is left beside the old one until capture_source_remember(). */
struct captured_source;
int capture_source(struct repo *repo, struct depot *depot, const struct capture_options *options,
                   const struct source *source, struct head_source *described, struct captured_source **captured,
                   struct err *err) MUST_CHECK;

/* After the snapshot is committed: the new tree takes the place of the remembered one. Or not. Both free; NULL is
 * fine. */
void capture_source_remember(struct captured_source *captured);
void capture_source_forget(struct captured_source *captured);

/* Marks a source as failed, with the reason. */
void capture_source_failed(struct head_source *described, const struct err *why);

#endif
