#include "bucket_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = 1024, /* objects between the listing and the sink: decided on, perhaps on their way */
    TRIES = 3,     /* for an object that changes while it is read */
};

/* One place on its way. */
struct reading {
    const struct source *source;
    const struct s3_place *root;
    struct source_sink *sink;
    struct log *log;
    struct bucket_counts *counts;
    struct s3 *s3;
    struct bucket_listing *listing;
    struct bucket_fetch *fetch;
    struct bucket_item *window[WINDOW]; /* a ring, in listing order */
    size_t first, count;
    struct buffer data;
    bool listed; /* to its end */
    bool fatal;  /* err is the sink's, or an interrupt */
};

static int fatal(struct reading *reading) {
    reading->fatal = true;
    return -1;
}

/* --- contents ----------------------------------------------------------------------------------------------------- */

/* Into the sink. */
static int deliver(struct reading *reading, struct err *err) {
    return source_write(reading->sink, reading->data.data, reading->data.length, err) < 0 ? fatal(reading) : 0;
}

static int end_object(struct reading *reading, const struct bucket_listed *listed, const struct bucket_facts *facts,
                      struct err *err) {
    struct source_sink *sink = reading->sink;
    struct entry entry;
    bucket_entry_make(&entry, reading->root->bucket, listed, &facts->info, &facts->tags, reading->log);
    if (facts->tags_err.code != ERR_NONE)
        sink->trouble(sink->context, entry.path, &facts->tags_err);
    const int result = sink->end(sink->context, &entry, err);
    entry_release(&entry);
    reading->counts->read++;
    reading->counts->bytes += listed->size;
    return result < 0 ? fatal(reading) : 0;
}

/* Everything of it that was fetched ahead. */
static int deliver_fetched(struct reading *reading, struct bucket_item *item, struct err *err) {
    int result;
    while ((result = bucket_fetch_take(reading->fetch, item, &reading->data, err)) == 1)
        if (deliver(reading, err) < 0)
            return -1;
    return result;
}

/* The object as it is now, piece by piece. */
static int read_now(struct reading *reading, const struct bucket_listed *listed, struct bucket_facts *facts,
                    struct err *err) {
    const bool tags = reading->source->bucket.tags;
    uint64_t offset = 0;
    do {
        buffer_clear(&reading->data);
        if (bucket_fetch_piece(reading->s3, reading->root->bucket, listed, offset, tags, &reading->data, facts, err) <
                0 ||
            deliver(reading, err) < 0)
            return -1;
        offset += reading->data.length;
    } while (offset < listed->size);
    return 0;
}

static int look_again(struct reading *reading, struct bucket_listed *listed, struct err *err) {
    struct s3_info info = { 0 };
    if (s3_head(reading->s3, reading->root->bucket, listed->key, NULL, &info, err) < 0)
        return -1;
    free(listed->etag);
    listed->etag = mem_string(info.etag);
    listed->size = info.size;
    listed->modified = info.modified;
    s3_info_release(&info);
    return 0;
}

static bool is_other_object(const struct err *err) {
    return err->code == ERR_CHANGED || err->code == ERR_NOT_FOUND || err->code == ERR_CORRUPT;
}

/* It was replaced, or removed, or damaged on its way: reads what is there now. */
static int read_again(struct reading *reading, struct bucket_listed *listed, struct err *err) {
    struct source_sink *sink = reading->sink;
    struct bucket_facts facts = { 0 };
    int result = -1;
    for (int i = 0; i < TRIES && result < 0 && is_other_object(err); i++) {
        bucket_facts_release(&facts);
        err_clear(err);
        if (look_again(reading, listed, err) < 0) {
            bucket_facts_release(&facts);
            return -1; /* with ERR_NOT_FOUND it is gone */
        }
        result = read_now(reading, listed, &facts, err);
        if (result < 0 && !reading->fatal && sink->discard(sink->context, err) < 0)
            fatal(reading);
        if (reading->fatal)
            break;
    }
    if (result == 0)
        result = end_object(reading, listed, &facts, err);
    else if (!reading->fatal && err->code == ERR_NOT_FOUND)
        err->code = ERR_CHANGED; /* it comes and goes: not the same as gone */
    bucket_facts_release(&facts);
    return result;
}

/* An object that cannot be read is named, and is no reason to go without the others; an unreachable service is. */
static int give_up_object(struct reading *reading, const struct bucket_listed *listed, struct err *err) {
    struct source_sink *sink = reading->sink;
    char *path = bucket_path(reading->root->bucket, listed->key);
    int result = 0;
    if (err->code == ERR_INTERRUPTED) {
        result = fatal(reading);
    } else if (err->code == ERR_SYSTEM) {
        result = -1;
    } else if (err->code == ERR_NOT_FOUND) {
        log_info(reading->log, "'%s' was removed while the bucket was read", path);
        reading->counts->vanished++;
    } else {
        sink->trouble(sink->context, path, err);
    }
    free(path);
    return result;
}

static int read_item(struct reading *reading, struct bucket_item *item, struct err *err) {
    struct source_sink *sink = reading->sink;
    struct err why = { 0 };
    int result = deliver_fetched(reading, item, &why);
    bucket_fetch_drop(reading->fetch, item);
    if (result == 0)
        return end_object(reading, &item->listed, &item->facts, err);
    if (!reading->fatal && sink->discard(sink->context, &why) < 0)
        fatal(reading);
    if (!reading->fatal && is_other_object(&why)) {
        log_detail(reading->log, "%s; it is read again", why.message);
        result = read_again(reading, &item->listed, &why);
    }
    if (result < 0 && !reading->fatal)
        result = give_up_object(reading, &item->listed, &why);
    if (result < 0)
        *err = why;
    return result;
}

/* --- what is there ------------------------------------------------------------------------------------------------ */

static bool is_wanted(const struct source *source, const char *key) {
    const struct strings *include = &source->bucket.include, *exclude = &source->bucket.exclude;
    return (include->count == 0 || pattern_match_any(include->items, include->count, key)) &&
           !pattern_match_any(exclude->items, exclude->count, key);
}

static bool fits(const struct s3_place *root, const char *key) {
    return key[0] != '\0' && strlen(key) <= S3_KEY_MAX && strncmp(key, root->prefix, strlen(root->prefix)) == 0;
}

/* As it was last night: at once when nothing is before it, else in its turn. Takes what was listed. */
static int keep(struct reading *reading, const struct entry *previous, struct bucket_listed *listed,
                struct bucket_item *item, struct err *err) {
    struct source_sink *sink = reading->sink;
    reading->counts->unchanged++;
    reading->counts->bytes += listed->size;
    if (reading->count > 0) {
        item->held = sink->hold(sink->context);
        return 0;
    }
    return sink->keep(sink->context, previous, err) < 0 ? fatal(reading) : 1;
}

/* Decides on an object, and puts it into the window. Takes what was listed. */
static int decide(struct reading *reading, struct bucket_listed *listed, struct err *err) {
    struct source_sink *sink = reading->sink;
    reading->counts->listed++;
    if (!fits(reading->root, listed->key)) {
        err_set(err, ERR_CORRUPT, "the listing of bucket '%s' has a key that it must not have: '%s'",
                reading->root->bucket, listed->key);
        bucket_listed_release(listed);
        return -1;
    }
    if (!is_wanted(reading->source, listed->key)) {
        reading->counts->excluded++;
        bucket_listed_release(listed);
        return 0;
    }

    char *path = bucket_path(reading->root->bucket, listed->key);
    const struct entry *previous = sink->previous(sink->context, path);
    struct bucket_item *item = mem_zalloc(sizeof *item);
    int result;
    free(path);
    item->listed = *listed;
    if (previous && bucket_entry_is(previous, listed))
        result = keep(reading, previous, listed, item, err);
    else
        result = bucket_fetch_ask(reading->fetch, item, err);
    if (result != 0) {
        bucket_item_release(item);
        free(item);
        return result < 0 ? -1 : 0;
    }
    reading->window[(reading->first + reading->count++) % WINDOW] = item;
    return 0;
}

/* Reads ahead in the listing; waits for it only when there is nothing else to do. */
static int fill_window(struct reading *reading, struct err *err) {
    while (reading->count < WINDOW && !reading->listed) {
        struct bucket_listed listed;
        switch (bucket_listing_next(reading->listing, reading->count == 0, &listed, err)) {
        case BUCKET_LISTING_ITEM:
            if (decide(reading, &listed, err) < 0)
                return -1;
            break;
        case BUCKET_LISTING_END:
            reading->listed = true;
            break;
        case BUCKET_LISTING_LATER:
            return 0;
        case BUCKET_LISTING_FAILED:
            return err->code == ERR_INTERRUPTED ? fatal(reading) : -1;
        }
        if (interrupt_check(err) < 0)
            return fatal(reading);
    }
    return 0;
}

static int empty_window(struct reading *reading, struct err *err) {
    struct source_sink *sink = reading->sink;
    struct bucket_item *item = reading->window[reading->first];
    int result;
    if (item->held) {
        void *held = item->held;
        item->held = NULL;
        result = sink->keep_held(sink->context, held, err) < 0 ? fatal(reading) : 0;
    } else {
        result = read_item(reading, item, err);
    }
    reading->first = (reading->first + 1) % WINDOW;
    reading->count--;
    bucket_item_release(item);
    free(item);
    return result;
}

/* What was listed before the listing failed is still captured. */
static int read_all(struct reading *reading, struct err *err) {
    struct err listing_err = { 0 };
    while (!reading->fatal) {
        if (listing_err.code == ERR_NONE && fill_window(reading, &listing_err) < 0 && reading->fatal) {
            *err = listing_err;
            return -1;
        }
        if (reading->count == 0)
            break;
        if (empty_window(reading, err) < 0)
            return -1;
    }
    if (listing_err.code != ERR_NONE) {
        *err = listing_err;
        return -1;
    }
    return 0;
}

static void release(struct reading *reading, bool failed) {
    /* Nobody waits for the transfers under way any more. */
    if (failed && reading->s3)
        s3_set_retry_time(reading->s3, 0);
    bucket_listing_stop(reading->listing);
    bucket_fetch_free(reading->fetch);
    for (size_t i = 0; i < reading->count; i++) {
        struct bucket_item *item = reading->window[(reading->first + i) % WINDOW];
        if (item->held)
            reading->sink->drop_held(reading->sink->context, item->held);
        bucket_item_release(item);
        free(item);
    }
    s3_close(reading->s3);
    buffer_release(&reading->data);
}

int bucket_read(const struct source *source, const struct s3_place *root, struct source_sink *sink, struct log *log,
                struct bucket_counts *counts, bool *is_fatal, struct err *err) {
    struct reading reading = { .source = source, .root = root, .sink = sink, .log = log, .counts = counts };
    int result = -1;
    if (bucket_connect(&root->service, log, &reading.s3, err) == 0 &&
        bucket_listing_start(reading.s3, root->bucket, root->prefix, NULL, &reading.listing, err) == 0) {
        reading.fetch = bucket_fetch_new(reading.s3, root->bucket, source->bucket.tags);
        result = read_all(&reading, err);
    }
    release(&reading, result < 0);
    *is_fatal = reading.fatal;
    return result;
}
