#include "capture_internal.h"
#include "pipeline_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { TROUBLES_MAX = 1000 }; /* more are counted, not named */

/* One source on its way through the pipeline: the context of its sink. */
struct passage {
    struct repo *repo;
    struct depot *depot;
    struct head_source *described;
    struct pipeline *pipeline;
    struct cache_reader *remembered;
    const struct entry *found; /* what was asked for last, if it may be kept */
    const struct extents *found_extents;
    size_t troubles; /* those that are not named included */
};

/* --- the sink ----------------------------------------------------------------------------------------------------- */

static int sink_space(void *context, void **data, size_t *length, struct err *err) {
    return pipeline_space(((struct passage *)context)->pipeline, data, length, err);
}

static int sink_fill(void *context, size_t length, struct err *err) {
    return pipeline_fill(((struct passage *)context)->pipeline, length, err);
}

static int sink_end(void *context, const struct entry *entry, struct err *err) {
    return pipeline_end(((struct passage *)context)->pipeline, entry, err);
}

static int sink_discard(void *context, struct err *err) {
    return pipeline_discard(((struct passage *)context)->pipeline, err);
}

static const struct entry *sink_previous(void *context, const char *path) {
    struct passage *passage = context;
    passage->found = NULL;
    if (!passage->remembered)
        return NULL;
    const struct extents *extents = NULL;
    const struct entry *entry = cache_reader_find(passage->remembered, path, &extents);

    /* What was cut or changing last time is read again, and so is what a purge has taken meanwhile. */
    if (!entry || (entry->flags & (ENTRY_INCOMPLETE | ENTRY_CHANGED)) != 0 ||
        !depot_has_extents(passage->depot, extents))
        return NULL;
    passage->found = entry;
    passage->found_extents = extents;
    return entry;
}

static int sink_keep(void *context, const struct entry *entry, struct err *err) {
    struct passage *passage = context;
    const struct entry *previous = passage->found;
    if (!previous || strcmp(previous->path, entry->path) != 0)
        return err_set(err, ERR_SOURCE, "'%s' cannot be kept: it was not in the last snapshot", entry->path);

    struct entry kept = *entry;
    kept.content = previous->content;
    kept.chunks = previous->chunks;
    memcpy(kept.digest, previous->digest, sizeof kept.digest);
    return pipeline_keep(passage->pipeline, &kept, passage->found_extents, err);
}

/* What was held, between previous() and its turn. */
struct held {
    struct entry entry;
    struct extents extents;
};

static void *sink_hold(void *context) {
    struct passage *passage = context;
    struct held *held = mem_zalloc(sizeof *held);
    entry_copy(&held->entry, passage->found);
    extents_append(&held->extents, passage->found_extents);
    return held;
}

static void sink_drop_held(void *context, void *memory) {
    struct held *held = memory;
    (void)context;
    entry_release(&held->entry);
    extents_release(&held->extents);
    free(held);
}

static int sink_keep_held(void *context, void *memory, struct err *err) {
    const struct held *held = memory;
    const int result = pipeline_keep(((struct passage *)context)->pipeline, &held->entry, &held->extents, err);
    sink_drop_held(context, memory);
    return result;
}

static void add_trouble(struct head_source *described, char *text) {
    described->troubles = mem_resize(described->troubles, described->trouble_count + 1, sizeof *described->troubles);
    described->troubles[described->trouble_count++] = text;
}

static void sink_trouble(void *context, const char *path, const struct err *why) {
    struct passage *passage = context;
    struct head_source *described = passage->described;
    log_warning(passage->repo->log, "%s: %s%s%s", described->name, path ? path : "", path ? ": " : "", why->message);
    if (described->outcome == OUTCOME_COMPLETE)
        described->outcome = OUTCOME_PARTIAL;
    if (passage->troubles++ < TROUBLES_MAX)
        add_trouble(described, mem_format("%s%s%s", path ? path : "", path ? ": " : "", why->message));
}

static void sink_fact(void *context, const char *name, const char *value) {
    struct head_source *described = ((struct passage *)context)->described;
    described->facts = mem_resize(described->facts, described->fact_count + 1, sizeof *described->facts);
    described->facts[described->fact_count++] =
        (struct head_fact){ .name = mem_string(name), .value = mem_string(value) };
}

static void sink_unit(void *context, const char *name, uint64_t bytes, bool rows_known, uint64_t rows) {
    struct head_source *described = ((struct passage *)context)->described;
    described->units = mem_resize(described->units, described->unit_count + 1, sizeof *described->units);
    described->units[described->unit_count++] =
        (struct head_unit){ .name = mem_string(name), .bytes = bytes, .rows = rows, .rows_known = rows_known };
}

/* --- one source --------------------------------------------------------------------------------------------------- */

void capture_source_failed(struct head_source *described, const struct err *why) {
    /* Nothing of it was kept, so nothing it said about itself may count. */
    for (size_t i = 0; i < described->unit_count; i++)
        free(described->units[i].name);
    described->unit_count = 0;
    described->outcome = OUTCOME_FAILED;
    add_trouble(described, mem_string(why->message));
}

static char *cache_path(const struct capture_options *options, const struct source *source) {
    return options->state_folder ? mem_format("%s/%s.tree", options->state_folder, source->name) : NULL;
}

/* Runs the source through the pipeline. 1 when the source itself failed, -1 when the capture did. */
static int run_source(struct passage *passage, const struct source *source, struct err *err) {
    struct source_sink sink = {
        .context = passage,
        .space = sink_space,
        .fill = sink_fill,
        .end = sink_end,
        .discard = sink_discard,
        .previous = sink_previous,
        .keep = sink_keep,
        .hold = sink_hold,
        .keep_held = sink_keep_held,
        .drop_held = sink_drop_held,
        .trouble = sink_trouble,
        .fact = sink_fact,
        .unit = sink_unit,
    };
    if (source->kind->capture(source, &sink, passage->repo->log, err) < 0)
        return pipeline_failed(passage->pipeline) || err->code == ERR_INTERRUPTED ? -1 : 1;
    return pipeline_finish(passage->pipeline, err);
}

int capture_source(struct repo *repo, struct depot *depot, const struct capture_options *options,
                   const struct source *source, struct head_source *described, struct cache_writer **cache,
                   struct err *err) {
    struct passage passage = { .repo = repo, .depot = depot, .described = described };
    char *path = cache_path(options, source);
    int result = -1;

    described->outcome = OUTCOME_COMPLETE;
    described->started = clock_now();
    passage.remembered = path ? cache_reader_open(repo->keys, path, repo->log) : NULL;
    *cache = path ? cache_writer_open(repo->keys, path, repo->log) : NULL;
    struct tree_writer *tree = tree_writer_new(depot, repo->keys, *cache, options->compression);
    struct pipeline_options pipeline_options = {
        .keys = repo->keys,
        .depot = depot,
        .tree = tree,
        .fine_chunks = source->kind->fine_chunks,
        .compression = options->compression,
        .workers = options->workers,
        .progress = options->progress,
    };
    if (pipeline_new(&pipeline_options, &passage.pipeline, err) < 0)
        goto out;

    result = run_source(&passage, source, err);
    if (result == 0) {
        described->stored_bytes += pipeline_stored(passage.pipeline);
        result = tree_writer_finish(tree, described, err);
    } else if (result == 1) {
        log_error(repo->log, "%s: %s", source->name, err->message);
        capture_source_failed(described, err);
        result = 0;
    }
    if (passage.troubles > TROUBLES_MAX)
        add_trouble(described, mem_format("and %zu more", passage.troubles - TROUBLES_MAX));
    described->finished = clock_now();
out:
    pipeline_free(passage.pipeline);
    tree_writer_free(tree);
    cache_reader_close(passage.remembered);
    free(path);
    if (result < 0 || described->outcome == OUTCOME_FAILED) {
        cache_writer_abort(*cache);
        *cache = NULL;
    }
    return result < 0 ? err_wrap(err, "source '%s'", source->name) : 0;
}
