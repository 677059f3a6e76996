#include "entries_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool entry_is_wanted(const struct head_source *source, const struct entry *entry, const char *const *patterns,
                            size_t count) {
    bool wanted = count == 0;
    char *full = mem_format("%s/%s", source->name, entry->path);
    for (size_t i = 0; i < count && !wanted; i++)
        wanted = pattern_match_path(patterns[i], entry->path) || pattern_match_path(patterns[i], full);
    free(full);
    return wanted;
}

static int walk_source(struct opened_set *set, struct index *index, const struct head_source *source,
                       const char *const *patterns, size_t count, entries_each *each, void *context, struct err *err) {
    struct tree_reader *tree = NULL;
    if (tree_open(&set->repo, index, source, &tree, err) != 0)
        return -1;
    const struct entry *entry = NULL;
    const struct extents *extents = NULL;
    int more;
    while ((more = tree_next(tree, &entry, &extents, err)) > 0) {
        if (interrupt_check(err) != 0 ||
            (entry_is_wanted(source, entry, patterns, count) && each(context, source, entry, err) != 0)) {
            more = -1;
            break;
        }
    }
    tree_close(tree);
    return more < 0 ? -1 : 0;
}

int entries_walk(struct opened_set *set, struct index *index, const struct head *head, const char *const *patterns,
                 size_t count, entries_each *each, void *context, struct err *err) {
    for (size_t i = 0; i < head->source_count; i++) {
        const struct head_source *source = &head->sources[i];
        if (source->outcome == OUTCOME_FAILED)
            continue;
        if (walk_source(set, index, source, patterns, count, each, context, err) != 0)
            return err_wrap(err, "source '%s'", source->name);
    }
    return 0;
}

char *entry_form_mode(const struct entry *entry, char text[11]) {
    static const char TYPES[] = {
        [ENTRY_FILE] = '-',     [ENTRY_FOLDER] = 'd', [ENTRY_SYMLINK] = 'l',
        [ENTRY_HARDLINK] = 'h', [ENTRY_FIFO] = 'p',   [ENTRY_CHARACTER] = 'c',
        [ENTRY_BLOCK] = 'b',    [ENTRY_STREAM] = '=', [ENTRY_OBJECT] = 'o',
    };
    strcpy(text, "?rwxrwxrwx");
    if (entry->type >= ENTRY_FILE && entry->type <= ENTRY_OBJECT)
        text[0] = TYPES[entry->type];
    for (int bit = 0; bit < 9; bit++) {
        if ((entry->mode & (0400u >> bit)) == 0)
            text[1 + bit] = '-';
    }
    if (entry->mode & S_ISUID)
        text[3] = entry->mode & S_IXUSR ? 's' : 'S';
    if (entry->mode & S_ISGID)
        text[6] = entry->mode & S_IXGRP ? 's' : 'S';
    if (entry->mode & S_ISVTX)
        text[9] = entry->mode & S_IXOTH ? 't' : 'T';
    return text;
}

const char *entry_type_text(const struct entry *entry) {
    static const char *const NAMES[] = {
        [ENTRY_FILE] = "file",         [ENTRY_FOLDER] = "folder", [ENTRY_SYMLINK] = "symlink",
        [ENTRY_HARDLINK] = "hardlink", [ENTRY_FIFO] = "fifo",     [ENTRY_CHARACTER] = "character",
        [ENTRY_BLOCK] = "block",       [ENTRY_STREAM] = "stream", [ENTRY_OBJECT] = "object",
    };
    return entry->type >= ENTRY_FILE && entry->type <= ENTRY_OBJECT ? NAMES[entry->type] : "unknown";
}
