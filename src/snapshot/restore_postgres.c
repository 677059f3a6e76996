#include "restore_internal.h"
#include <muniment/source/source.h>
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdlib.h>
#include <string.h>

enum {
    COUNTS_MAX = 64 * 1024 * 1024,   /* bytes of a database's description */
    GLOBALS_MAX = 256 * 1024 * 1024, /* bytes of the roles */
};

/* An entry that a restore needs. */
struct item {
    struct entry entry;
    struct extents extents;
    char *database; /* of a dump; else NULL */
};

struct items {
    const struct restore_options *options;
    struct item *items;
    size_t count, capacity;
};

static void items_release(struct items *items) {
    for (size_t i = 0; i < items->count; i++) {
        entry_release(&items->items[i].entry);
        extents_release(&items->items[i].extents);
        free(items->items[i].database);
    }
    free(items->items);
}

/* A database is asked for by its name, or by the path of its dump. */
static bool wants_database(const struct restore_options *options, const struct entry *entry, const char *database) {
    return restore_wants(options, entry->path) ||
           pattern_match_any(options->patterns, options->pattern_count, database);
}

/* Dumps that are wanted; every description; the globals. */
static int collect(void *context, const struct entry *entry, const struct extents *extents, struct err *err) {
    struct items *items = context;
    (void)err;
    char *database = postgres_entry_database(entry->path);
    if (database && !wants_database(items->options, entry, database)) {
        free(database);
        return 0;
    }
    items->items = mem_grow(items->items, &items->capacity, items->count + 1, sizeof *items->items);
    struct item *item = &items->items[items->count++];
    *item = (struct item){ .database = database };
    entry_copy(&item->entry, entry);
    extents_append(&item->extents, extents);
    return 0;
}

static const struct item *find_item(const struct items *items, const char *path) {
    for (size_t i = 0; i < items->count; i++)
        if (strcmp(items->items[i].entry.path, path) == 0)
            return &items->items[i];
    return NULL;
}

static int append(void *context, const void *data, size_t length, struct err *err) {
    (void)err;
    buffer_put(context, data, length);
    return 0;
}

static int read_item(struct repo *repo, struct index *index, const struct item *item, size_t max, struct buffer *out,
                     struct err *err) {
    if (item->entry.content > max)
        return err_set(err, ERR_CORRUPT, "'%s' has %llu bytes, more than it can have", item->entry.path,
                       (unsigned long long)item->entry.content);
    return content_read(repo, index, 1, &item->entry, &item->extents, NULL, append, out, err);
}

static int feed(void *context, const void *data, size_t length, struct err *err) {
    return postgres_load_data(context, data, length, err);
}

static int load_database(struct repo *repo, struct index *index, const struct restore_options *options,
                         const struct postgres_target *target, const struct items *items, const struct item *dump,
                         const char *name, struct restore_result *result, struct err *err) {
    struct buffer counts = { 0 };
    struct postgres_load *load = NULL;
    char *path = mem_format("%.*s.json", (int)(strlen(dump->entry.path) - strlen(".dump")), dump->entry.path);
    const struct item *description = find_item(items, path);
    int outcome = -1;

    const bool renamed = strcmp(name, dump->database) != 0;
    log_info(repo->log, "loading database '%s'%s%s%s", dump->database, renamed ? " as '" : "", renamed ? name : "",
             renamed ? "'" : "");
    restore_note_flags(repo, &dump->entry, result);
    if (description && read_item(repo, index, description, COUNTS_MAX, &counts, err) < 0)
        goto out;
    if (postgres_load_begin(target, name, description ? counts.data : NULL, counts.length, repo->log, &load, err) < 0 ||
        content_read(repo, index, options->workers, &dump->entry, &dump->extents, options->progress, feed, load, err) <
            0)
        goto out;
    struct postgres_load *finishing = load;
    load = NULL;
    outcome = postgres_load_finish(finishing, err);
    if (outcome == 0) {
        result->entries++;
        result->bytes += dump->entry.content;
    }
out:
    postgres_load_abort(load);
    buffer_release(&counts);
    free(path);
    return outcome < 0 ? err_wrap(err, "restore database '%s'", name) : 0;
}

static int load_globals(struct repo *repo, struct index *index, const struct postgres_target *target,
                        const struct items *items, struct err *err) {
    const struct item *globals = find_item(items, "globals.sql");
    struct buffer sql = { 0 };
    if (!globals)
        return err_set(err, ERR_NOT_FOUND, "the snapshot has no roles and tablespaces (globals.sql)");
    int result = read_item(repo, index, globals, GLOBALS_MAX, &sql, err);
    if (result == 0)
        result = postgres_load_globals(target, sql.data, sql.length, repo->log, err);
    buffer_wipe(&sql); /* it may hold password hashes */
    return result;
}

static size_t count_dumps(const struct items *items, uint64_t *bytes) {
    size_t dumps = 0;
    for (size_t i = 0; i < items->count; i++)
        if (items->items[i].database) {
            dumps++;
            *bytes += items->items[i].entry.content;
        }
    return dumps;
}

static int load_items(struct repo *repo, struct index *index, const struct restore_options *options,
                      const struct postgres_target *target, bool globals, const char *rename, const struct items *items,
                      struct restore_result *result, struct err *err) {
    uint64_t bytes = 0;
    size_t dumps = count_dumps(items, &bytes);
    if (dumps == 0 && !globals)
        return err_set(err, ERR_NOT_FOUND, "the snapshot has no database that was asked for");
    if (rename && dumps != 1)
        return err_set(err, ERR_INVALID, "a new name fits one database, and %zu were chosen", dumps);
    if (options->progress)
        options->progress->total = bytes;
    if (globals && load_globals(repo, index, target, items, err) < 0)
        return -1;
    for (size_t i = 0; i < items->count; i++) {
        const struct item *item = &items->items[i];
        if (item->database &&
            load_database(repo, index, options, target, items, item, rename ? rename : item->database, result, err) < 0)
            return -1;
    }
    return 0;
}

/* One source at a time: two of them may hold databases of one name. */
static int only_source(const struct restore_options *options, const struct head_source **chosen, struct err *err) {
    const struct head_source *source;
    *chosen = NULL;
    for (size_t at = 0; (source = restore_next_source(options, &at)) != NULL;) {
        if (strcmp(source->kind, SOURCE_POSTGRES.name) != 0)
            continue;
        if (*chosen) {
            err_set(err, ERR_INVALID, "the snapshot has several PostgreSQL sources, '%s' and '%s' among them",
                    (*chosen)->name, source->name);
            return err_hint(err, "name the one to restore after the set");
        }
        *chosen = source;
    }
    return *chosen ? 0 : err_set(err, ERR_NOT_FOUND, "no PostgreSQL source is among what was asked for");
}

int restore_to_postgres(struct repo *repo, const struct restore_options *options, const struct postgres_target *target,
                        bool globals, const char *rename, struct restore_result *result, struct err *err) {
    struct index *index = index_new();
    struct items items = { .options = options };
    const struct head_source *source;
    int outcome = -1;

    *result = (struct restore_result){ 0 };
    if (restore_check_source(repo, options, err) == 0 && only_source(options, &source, err) == 0 &&
        index_load(index, repo, err) == 0 && tree_walk(repo, index, source, collect, &items, err) == 0)
        outcome = load_items(repo, index, options, target, globals, rename, &items, result, err);
    items_release(&items);
    index_free(index);
    return outcome;
}
