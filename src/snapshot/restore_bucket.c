#include "restore_internal.h"
#include <muniment/source/bucket_place.h>
#include <muniment/source/source.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/*
 * The tree is read several times, and its entries are counted each time: what is known of one is found by its number.
 * First to learn which buckets there are, then to look at all targets, then to decide on what is left open, and only
 * then to write.
 */

enum {
    NAMED_MAX = 5,        /* objects that an error names */
    FOUND_UNWANTED = 255, /* beside enum bucket_found */
};

/* `found` is what is known of the entry: enum bucket_found, or FOUND_UNWANTED. */
struct bucket_restore;
typedef int each_entry(struct bucket_restore *restore, const struct entry *entry, const struct extents *extents,
                       uint8_t *found, struct err *err);

struct bucket_restore {
    struct repo *repo;
    struct index *index;
    const struct restore_options *options;
    struct restore_result *result;
    struct s3_place to;
    struct bucket_place *place;

    struct head_bucket { /* in the snapshot, and asked for */
        char *name;
        const struct head_source *source;
    } * buckets;
    size_t bucket_count, bucket_capacity;
    uint64_t wanted, bytes;

    uint8_t **found; /* by source and number; NULL for sources of other kinds */
    uint64_t different;
    struct buffer names; /* of some of these */

    /* The source that is gone through, and the number of its next entry. */
    const struct head_source *source;
    uint64_t number;
    each_entry *each;
};

static uint8_t *found_of(const struct bucket_restore *restore, const struct head_source *source) {
    return restore->found[source - restore->options->head->sources];
}

static void begin_source(struct bucket_restore *restore, const struct head_source *source) {
    restore->source = source;
    restore->number = 0;
}

static uint8_t *next_found(struct bucket_restore *restore) {
    return &found_of(restore, restore->source)[restore->number++];
}

static const struct head_source *next_source(const struct bucket_restore *restore, size_t *at) {
    const struct head_source *source;
    while ((source = restore_next_source(restore->options, at)) != NULL)
        if (strcmp(source->kind, SOURCE_BUCKET.name) == 0)
            break;
    return source;
}

static int visit(void *context, const struct entry *entry, const struct extents *extents, struct err *err) {
    struct bucket_restore *restore = context;
    if (restore->number >= restore->source->entries || entry->type != ENTRY_OBJECT)
        return err_set(err, ERR_CORRUPT, "its tree is not the one that the snapshot describes, from '%s' on",
                       entry->path);
    return restore->each(restore, entry, extents, next_found(restore), err);
}

static int walk_source(struct bucket_restore *restore, const struct head_source *source, each_entry *each,
                       struct err *err) {
    begin_source(restore, source);
    restore->each = each;
    if (tree_walk(restore->repo, restore->index, source, visit, restore, err) < 0)
        return err_wrap(err, "source '%s'", source->name);
    return 0;
}

static int walk(struct bucket_restore *restore, each_entry *each, struct err *err) {
    const struct head_source *source;
    for (size_t at = 0; (source = next_source(restore, &at)) != NULL;)
        if (walk_source(restore, source, each, err) < 0)
            return -1;
    return 0;
}

/* --- what there is to restore ------------------------------------------------------------------------------------- */

static int note_bucket(struct bucket_restore *restore, const char *path, struct err *err) {
    const struct head_source *source = restore->source;
    const size_t length = strcspn(path, "/");
    for (size_t i = restore->bucket_count; i-- > 0;) {
        const struct head_bucket *bucket = &restore->buckets[i];
        if (strlen(bucket->name) != length || strncmp(bucket->name, path, length) != 0)
            continue;
        if (bucket->source == source)
            return 0;
        err_set(err, ERR_INVALID, "sources '%s' and '%s' both have objects of a bucket '%s'", bucket->source->name,
                source->name, bucket->name);
        return err_hint(err, "restore one source after the other: name it after the set");
    }
    restore->buckets =
        mem_grow(restore->buckets, &restore->bucket_capacity, restore->bucket_count + 1, sizeof *restore->buckets);
    restore->buckets[restore->bucket_count++] = (struct head_bucket){ mem_format("%.*s", (int)length, path), source };
    return 0;
}

static int survey(struct bucket_restore *restore, const struct entry *entry, const struct extents *extents,
                  uint8_t *found, struct err *err) {
    (void)extents;
    *found = FOUND_UNWANTED;
    if (!restore_wants(restore->options, entry->path))
        return 0;
    *found = BUCKET_FOUND_NOTHING;
    restore->wanted++;
    restore->bytes += entry->content;
    return note_bucket(restore, entry->path, err);
}

static int survey_all(struct bucket_restore *restore, struct err *err) {
    const struct restore_options *options = restore->options;
    const struct head_source *source;
    size_t sources = 0;
    for (size_t at = 0; (source = next_source(restore, &at)) != NULL; sources++)
        restore->found[source - options->head->sources] = mem_array(source->entries, sizeof(uint8_t));
    if (sources == 0)
        return err_set(err, ERR_NOT_FOUND, "no bucket is among what was asked for");
    if (walk(restore, survey, err) < 0)
        return -1;
    if (restore->wanted == 0 && options->pattern_count > 0)
        return err_set(err, ERR_NOT_FOUND, "no object in the snapshot matches '%s'%s", options->patterns[0],
                       options->pattern_count > 1 ? " or the other patterns" : "");
    if (options->progress)
        options->progress->total = restore->bytes;
    return 0;
}

/* --- what is there already ---------------------------------------------------------------------------------------- */

static int look(struct bucket_restore *restore, const struct entry *entry, const struct extents *extents,
                uint8_t *found, struct err *err) {
    (void)extents;
    return *found == FOUND_UNWANTED ? 0 : bucket_place_look(restore->place, entry, found, err);
}

static int compare_data(void *context, const void *data, size_t length, struct err *err) {
    (void)err;
    bucket_compare_data(context, data, length);
    return 0;
}

/* An ETag tells nothing where parts were of another size: then the content itself is asked. */
static int compare(struct bucket_restore *restore, const struct entry *entry, const struct extents *extents,
                   uint8_t *found, struct err *err) {
    struct bucket_compare *comparing = NULL;
    if (bucket_compare_begin(restore->place, entry, &comparing, err) < 0)
        return -1;
    const int result = content_read(restore->repo, restore->index, restore->options->workers, entry, extents, NULL,
                                    compare_data, comparing, err);
    *found = bucket_compare_end(comparing) ? BUCKET_FOUND_SAME : BUCKET_FOUND_OTHER;
    return result;
}

static int decide(struct bucket_restore *restore, const struct entry *entry, const struct extents *extents,
                  uint8_t *found, struct err *err) {
    if (*found == BUCKET_FOUND_UNSURE && compare(restore, entry, extents, found, err) < 0)
        return -1;
    if (*found != BUCKET_FOUND_OTHER)
        return 0;
    if (restore->different++ < NAMED_MAX)
        buffer_printf(&restore->names, "%s'%s'", restore->names.length > 0 ? ", " : "", entry->path);
    return 0;
}

static bool is_decided(const struct bucket_restore *restore) {
    const struct head_source *source;
    for (size_t at = 0; (source = next_source(restore, &at)) != NULL;) {
        const uint8_t *found = found_of(restore, source);
        for (uint64_t i = 0; i < source->entries; i++)
            if (found[i] == BUCKET_FOUND_UNSURE || (found[i] == BUCKET_FOUND_OTHER && !restore->options->overwrite))
                return false;
    }
    return true;
}

static int look_at_all(struct bucket_restore *restore, struct err *err) {
    const struct head_source *source;
    for (size_t at = 0; (source = next_source(restore, &at)) != NULL;)
        if (walk_source(restore, source, look, err) < 0 || bucket_place_looked(restore->place, err) < 0)
            return -1;
    if (is_decided(restore))
        return 0;
    if (walk(restore, decide, err) < 0)
        return -1;
    if (restore->different == 0 || restore->options->overwrite)
        return 0;
    err_set(err, ERR_EXISTS, "%llu of the objects are there and differ from the snapshot's: %s%s",
            (unsigned long long)restore->different, buffer_text(&restore->names),
            restore->different > NAMED_MAX ? ", ..." : "");
    return err_hint(err, "restore to another bucket or prefix, or say --overwrite to replace them");
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static bool wants(void *context, const struct entry *entry) {
    struct bucket_restore *restore = context;
    const uint8_t found = *next_found(restore);
    if (found == BUCKET_FOUND_SAME) {
        restore->result->entries++;
        restore->result->unchanged++;
        if (restore->options->progress)
            restore->options->progress->done += entry->content;
    }
    return found == BUCKET_FOUND_NOTHING || found == BUCKET_FOUND_OTHER;
}

static int begin(void *context, const struct entry *entry, bool *skip, struct err *err) {
    (void)skip;
    return bucket_place_begin(((struct bucket_restore *)context)->place, entry, err);
}

static int put(void *context, const void *data, size_t length, struct err *err) {
    return bucket_place_data(((struct bucket_restore *)context)->place, data, length, err);
}

static int end(void *context, struct err *err) {
    return bucket_place_end(((struct bucket_restore *)context)->place, err);
}

static int write_all(struct bucket_restore *restore, struct err *err) {
    const struct entries_sink sink = { .context = restore, .wants = wants, .begin = begin, .data = put, .end = end };
    const struct head_source *source;
    for (size_t at = 0; (source = next_source(restore, &at)) != NULL;) {
        begin_source(restore, source);
        if (restore_entries(restore->repo, restore->index, source, restore->options, &sink, restore->result, err) < 0)
            return err_wrap(err, "restore source '%s'", source->name);
    }
    struct bucket_place *place = restore->place;
    restore->place = NULL;
    return bucket_place_close(place, err);
}

static void release(struct bucket_restore *restore) {
    bucket_place_abort(restore->place);
    for (size_t i = 0; i < restore->bucket_count; i++)
        free(restore->buckets[i].name);
    free(restore->buckets);
    for (size_t i = 0; i < restore->options->head->source_count; i++)
        free(restore->found[i]);
    free(restore->found);
    buffer_release(&restore->names);
    s3_place_release(&restore->to);
    index_free(restore->index);
}

int restore_to_bucket(struct repo *repo, const struct restore_options *options, const char *address,
                      const struct s3_services *services, struct restore_result *result, struct err *err) {
    struct bucket_restore restore = { .repo = repo, .index = index_new(), .options = options, .result = result };
    int outcome = -1;

    *result = (struct restore_result){ 0 };
    restore.found = mem_array(options->head->source_count, sizeof *restore.found);
    if (s3_place_parse(address, services, &restore.to, err) < 0 || restore_check_source(repo, options, err) < 0 ||
        index_load(restore.index, repo, err) < 0 || survey_all(&restore, err) < 0 ||
        bucket_place_open(&restore.to, restore.bucket_count > 1, repo->log, &restore.place, err) < 0)
        goto out;
    if (look_at_all(&restore, err) < 0 || write_all(&restore, err) < 0)
        goto out;
    outcome = 0;
out:
    release(&restore);
    return outcome;
}
