#include "restore_internal.h"
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdlib.h>
#include <string.h>

bool restore_wants(const struct restore_options *options, const char *path) {
    if (options->pattern_count == 0 || pattern_match_any(options->patterns, options->pattern_count, path))
        return true;

    /* What is in a folder that matches. */
    bool wanted = false;
    char *folder = mem_string(path), *slash;
    while (!wanted && (slash = strrchr(folder, '/')) != NULL) {
        *slash = '\0';
        wanted = pattern_match_any(options->patterns, options->pattern_count, folder);
    }
    free(folder);
    return wanted;
}

static void add_extra(struct selection *selection, const char *path, size_t length) {
    /* Neighbours share their folders, so a repetition mostly follows at once. */
    if (selection->extra_count > 0) {
        const char *last = selection->extra[selection->extra_count - 1];
        if (strlen(last) == length && memcmp(last, path, length) == 0)
            return;
    }
    selection->extra =
        mem_grow(selection->extra, &selection->extra_capacity, selection->extra_count + 1, sizeof *selection->extra);
    selection->extra[selection->extra_count++] = mem_format("%.*s", (int)length, path);
}

static void add_folders_above(struct selection *selection, const char *path) {
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
        add_extra(selection, path, (size_t)(slash - path));
}

static int compare_paths(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void sort_extra(struct selection *selection) {
    size_t kept = 0;
    if (selection->extra_count > 0)
        qsort(selection->extra, selection->extra_count, sizeof *selection->extra, compare_paths);
    for (size_t i = 0; i < selection->extra_count; i++) {
        if (kept > 0 && strcmp(selection->extra[kept - 1], selection->extra[i]) == 0)
            free(selection->extra[i]);
        else
            selection->extra[kept++] = selection->extra[i];
    }
    selection->extra_count = kept;
}

static int select_entry(void *context, const struct entry *entry, const struct extents *extents, struct err *err) {
    struct selection *selection = context;
    const struct restore_options *options = selection->options;
    (void)extents, (void)err;
    if (!restore_wants(options, entry->path))
        return 0;
    selection->entries++;
    selection->bytes += entry->content;
    if (entry->type != ENTRY_OBJECT) /* keys have no folders above them, only keys that look like these */
        add_folders_above(selection, entry->path);
    if (entry->type == ENTRY_HARDLINK && !restore_wants(options, entry->target)) {
        add_extra(selection, entry->target, strlen(entry->target));
        add_folders_above(selection, entry->target);
    }
    return 0;
}

int selection_make(struct repo *repo, struct index *index, const struct head_source *source,
                   const struct restore_options *options, struct selection *selection, struct err *err) {
    *selection = (struct selection){ .options = options };
    if (options->pattern_count == 0) {
        selection->entries = source->entries;
        selection->bytes = source->bytes;
        return 0;
    }
    int result = tree_walk(repo, index, source, select_entry, selection, err);
    sort_extra(selection);
    return result;
}

bool selection_has(const struct selection *selection, const char *path) {
    return restore_wants(selection->options, path) ||
           (selection->extra_count > 0 &&
            bsearch(&path, selection->extra, selection->extra_count, sizeof *selection->extra, compare_paths) != NULL);
}

void selection_release(struct selection *selection) {
    mem_free_strings(selection->extra, selection->extra_count);
    *selection = (struct selection){ 0 };
}

const struct head_source *restore_next_source(const struct restore_options *options, size_t *at) {
    const struct head *head = options->head;
    while (*at < head->source_count) {
        const struct head_source *source = &head->sources[(*at)++];
        if ((!options->source || strcmp(options->source, source->name) == 0) && source->outcome != OUTCOME_FAILED)
            return source;
    }
    return NULL;
}

int restore_check_source(struct repo *repo, const struct restore_options *options, struct err *err) {
    const struct head *head = options->head;
    struct buffer names = { 0 };
    bool found = false;
    for (size_t i = 0; i < head->source_count; i++) {
        const struct head_source *source = &head->sources[i];
        buffer_printf(&names, "%s%s", i > 0 ? ", " : "", source->name);
        if (options->source && strcmp(options->source, source->name) != 0)
            continue;
        found = true;
        if (source->outcome == OUTCOME_FAILED)
            log_warning(repo->log, "source '%s' failed when this snapshot was made: nothing of it is here",
                        source->name);
    }
    if (!found) {
        err_set(err, ERR_NOT_FOUND, "the snapshot has no source '%s'", options->source ? options->source : "");
        err_hint(err, "its sources are: %s", buffer_text(&names));
    }
    buffer_release(&names);
    return found ? 0 : -1;
}
