#include "restore_internal.h"
#include <dirent.h>
#include <errno.h>
#include <muniment/source/place.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct folder_restore {
    struct repo *repo;
    const struct selection *selection;
    struct restore_result *result;
    struct place *place;
};

static bool wants(void *context, const struct entry *entry) {
    return selection_has(((struct folder_restore *)context)->selection, entry->path);
}

/* A bucket may hold objects that no folder can hold side by side ("a" and "a/b"). The first one stands; the other is
 * named, counted, and passed over. */
static int begin(void *context, const struct entry *entry, bool *skip, struct err *err) {
    struct folder_restore *restore = context;
    if (place_begin(restore->place, entry, err) == 0)
        return 0;
    if (entry->type != ENTRY_OBJECT || (err->code != ERR_EXISTS && err->code != ERR_INVALID))
        return -1;
    log_warning(restore->repo->log, "object '%s' is not restored: %s", entry->path, err->message);
    err_clear(err);
    restore->result->incomplete++;
    *skip = true;
    return 0;
}

static int put(void *context, const void *data, size_t length, struct err *err) {
    return place_data(((struct folder_restore *)context)->place, data, length, err);
}

static int end(void *context, struct err *err) {
    return place_end(((struct folder_restore *)context)->place, err);
}

static int unpack_source(struct repo *repo, struct index *index, const struct head_source *source,
                         const struct restore_options *options, const struct selection *selection, const char *folder,
                         struct restore_result *result, struct err *err) {
    struct folder_restore restore = { .repo = repo, .selection = selection, .result = result };
    const struct entries_sink sink = { .context = &restore, .wants = wants, .begin = begin, .data = put, .end = end };
    char *below = mem_format("%s/%s", folder, source->name);
    int outcome = -1;

    if (file_make_folders(below, 0700, err) < 0 || place_open(below, options->overwrite, &restore.place, err) < 0)
        goto out;
    place_set_log(restore.place, repo->log);
    if (restore_entries(repo, index, source, options, &sink, result, err) < 0)
        goto out;
    struct place *place = restore.place;
    restore.place = NULL;
    outcome = place_close(place, options->sync, err);
out:
    place_abort(restore.place);
    free(below);
    return outcome < 0 ? err_wrap(err, "restore source '%s'", source->name) : 0;
}

/* A folder that is not there yet, or is empty, or may be overwritten. */
static int check_folder(const char *folder, bool overwrite, struct err *err) {
    DIR *directory = opendir(folder);
    if (!directory) {
        if (errno == ENOENT)
            return 0;
        return err_sys(err, "restore to '%s'", folder);
    }
    bool empty = true;
    for (struct dirent *item; empty && (item = readdir(directory)) != NULL;)
        empty = strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0;
    closedir(directory);
    if (empty || overwrite)
        return 0;
    err_set(err, ERR_EXISTS, "restore to '%s': the folder is not empty", folder);
    return err_hint(err, "choose a new folder, or say --overwrite to replace files of the same names");
}

/* Chooses what to restore of every source first, so that a mistake shows before anything is written. */
static int choose(struct repo *repo, struct index *index, const struct restore_options *options,
                  struct selection *selections, struct err *err) {
    const struct head_source *source;
    uint64_t entries = 0, bytes = 0;
    for (size_t at = 0, i = 0; (source = restore_next_source(options, &at)) != NULL; i++) {
        if (selection_make(repo, index, source, options, &selections[i], err) < 0)
            return -1;
        entries += selections[i].entries;
        bytes += selections[i].bytes;
    }
    if (options->progress)
        options->progress->total = bytes;
    if (entries == 0 && options->pattern_count > 0)
        return err_set(err, ERR_NOT_FOUND, "nothing in the snapshot matches '%s'%s", options->patterns[0],
                       options->pattern_count > 1 ? " or the other patterns" : "");
    return 0;
}

int restore_to_folder(struct repo *repo, const struct restore_options *options, const char *folder,
                      struct restore_result *result, struct err *err) {
    struct index *index = index_new();
    struct selection *selections = mem_array(options->head->source_count, sizeof *selections);
    const struct head_source *source;
    int outcome = -1;

    *result = (struct restore_result){ 0 };
    if (check_folder(folder, options->overwrite, err) < 0 || restore_check_source(repo, options, err) < 0 ||
        index_load(index, repo, err) < 0 || choose(repo, index, options, selections, err) < 0 ||
        file_make_folders(folder, 0700, err) < 0)
        goto out;
    outcome = 0;
    for (size_t at = 0, i = 0; outcome == 0 && (source = restore_next_source(options, &at)) != NULL; i++)
        if (selections[i].entries > 0 || options->pattern_count == 0)
            outcome = unpack_source(repo, index, source, options, &selections[i], folder, result, err);
out:
    for (size_t i = 0; i < options->head->source_count; i++)
        selection_release(&selections[i]);
    free(selections);
    index_free(index);
    return outcome;
}
