#include "erasure_internal.h"
#include <muniment/repo/hold.h>
#include <muniment/repo/journal.h>
#include <muniment/repo/object_cache.h>
#include <muniment/repo/record.h>
#include <muniment/repo/records.h>
#include <muniment/repo/session.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OBJECT_MAX = 128 * 1024 * 1024 };

static const char FOLDER[] = "erasures";

void erasure_free(struct erasure *erasure) {
    free(erasure->name);
    mem_free_strings(erasure->references, erasure->count);
    *erasure = (struct erasure){ 0 };
}

/* --- as bytes ------------------------------------------------------------------------------------------------------
 */

void erasure_encode(const struct erasure *erasure, struct buffer *out) {
    buffer_put_i64(out, erasure->recorded);
    buffer_put_varint(out, erasure->count);
    for (size_t i = 0; i < erasure->count; i++)
        buffer_put_text(out, erasure->references[i]);
}

static bool is_reference(const char *text) {
    return text[0] != '\0' && strlen(text) <= ERASURE_REFERENCE_MAX && text[strcspn(text, "\r\n")] == '\0';
}

int erasure_decode(struct erasure *erasure, const void *payload, size_t length, const char *name, struct err *err) {
    struct reader reader;
    *erasure = (struct erasure){ 0 };
    reader_init(&reader, payload, length);
    erasure->recorded = reader_i64(&reader);
    uint64_t count = reader_varint(&reader);
    bool right =
        !reader.failed && erasure->recorded > 0 && count > 0 && count <= ERASURE_REFERENCES_MAX && count <= reader.left;
    erasure->references = mem_array(right ? (size_t)count : 1, sizeof *erasure->references);
    while (right && erasure->count < count) {
        char *text = reader_text(&reader, ERASURE_REFERENCE_MAX);
        right = !reader.failed && is_reference(text);
        erasure->references[erasure->count++] = text;
    }

    int result = right ? reader_finish(&reader, name, err)
                       : err_set(err, ERR_CORRUPT, "%s: the entry of the erasure ledger is malformed", name);
    if (result == 0 && !repo_leaf_is_dated(repo_leaf(name), erasure->recorded))
        result = err_set(err, ERR_CORRUPT, "%s: the entry stands under a name that is not its own", name);
    if (result < 0)
        erasure_free(erasure);
    else
        erasure->name = mem_string(repo_leaf(name));
    return result;
}

/* --- recording -----------------------------------------------------------------------------------------------------
 */

static int check_new(const struct erasure *erasure, struct err *err) {
    if (erasure->count == 0 || erasure->count > ERASURE_REFERENCES_MAX)
        return err_set(err, ERR_INVALID, "from 1 to %d references are recorded together", ERASURE_REFERENCES_MAX);
    for (size_t i = 0; i < erasure->count; i++)
        if (!is_reference(erasure->references[i]))
            return err_set(err, ERR_INVALID, "reference %zu is empty, longer than %d bytes, or more than a line", i + 1,
                           ERASURE_REFERENCE_MAX);
    return 0;
}

static int journal_one(struct repo *repo, const char *event, const char *name, size_t references, int64_t now,
                       struct err *err) {
    struct journal_batch batch = { 0 };
    char object[REPO_NAME_MAX], count[32];
    snprintf(object, sizeof object, "%s/%s", FOLDER, name);
    snprintf(count, sizeof count, "%zu", references);
    journal_add(&batch, now, event, "object", object, references > 0 ? "references" : NULL, count, NULL);
    int result = journal_append(repo, &batch, err);
    journal_batch_release(&batch);
    return result;
}

int erasure_record(struct repo *repo, struct erasure *erasure, struct err *err) {
    struct buffer payload = { 0 }, object = { 0 };
    uint8_t hash[32];
    char name[REPO_NAME_MAX];
    if (!repo->keys->can_sign)
        return err_set(err, ERR_KEY, "recording an erasure takes a write key, which signs it");
    if (check_new(erasure, err) < 0)
        return -1;

    erasure_encode(erasure, &payload);
    record_seal(repo->keys, RECORD_ERASURE, payload.data, payload.length, &object, hash);
    free(erasure->name);
    erasure->name = repo_dated_leaf(erasure->recorded, hash);

    /* Not locked: it must be able to go as soon as it is of no use. */
    repo_name(repo, name, FOLDER, erasure->name);
    int result = store_put(repo->store, name, object.data, object.length, err);
    if (result == 0) {
        object_cache_put(repo, name, object.data, object.length);
        result = journal_one(repo, "erasure", erasure->name, erasure->count, erasure->recorded, err);
    }
    buffer_release(&payload);
    buffer_release(&object);
    return result < 0 ? err_wrap(err, "record an erasure") : 0;
}

/* --- loading -------------------------------------------------------------------------------------------------------
 */

static int by_time(const void *left, const void *right) {
    const struct erasure *a = left, *b = right;
    if (a->recorded != b->recorded)
        return a->recorded < b->recorded ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int load_one(struct repo *repo, const char *name, void *erasure, struct err *err) {
    struct buffer payload = { 0 };
    int result = record_load(repo, RECORD_ERASURE, name, OBJECT_MAX, &payload, NULL, err);
    if (result == 0)
        result = erasure_decode(erasure, payload.data, payload.length, name, err);
    buffer_release(&payload);
    return result;
}

static void release_one(void *erasure) {
    erasure_free(erasure);
}

int erasures_load(struct repo *repo, struct erasures *erasures, struct err *err) {
    static const struct record_folder RECORDS = { FOLDER, sizeof(struct erasure), load_one, release_one };
    erasures->items = records_load(repo, &RECORDS, &erasures->count, err);
    if (!erasures->items)
        return err_wrap(err, "load the erasure ledger");
    qsort(erasures->items, erasures->count, sizeof *erasures->items, by_time);
    return 0;
}

void erasures_release(struct erasures *erasures) {
    for (size_t i = 0; i < erasures->count; i++)
        erasure_free(&erasures->items[i]);
    free(erasures->items);
    *erasures = (struct erasures){ 0 };
}

/* --- what a restore brings back ------------------------------------------------------------------------------------
 */

struct line {
    const char *text;
    size_t at;
};

static int by_text(const void *left, const void *right) {
    const struct line *a = left, *b = right;
    int order = strcmp(a->text, b->text);
    return order ? order : (a->at > b->at) - (a->at < b->at);
}

static int by_place(const void *left, const void *right) {
    const struct line *a = left, *b = right;
    return (a->at > b->at) - (a->at < b->at);
}

/* What was deleted in the second in which the capture began may be in it. */
static bool is_after(const struct erasure *erasure, int64_t started) {
    return erasure->recorded >= started;
}

size_t erasures_after(const struct erasures *erasures, int64_t started, struct buffer *lines) {
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < erasures->count; i++)
        count += is_after(&erasures->items[i], started) ? erasures->items[i].count : 0;
    struct line *found = mem_array(count + 1, sizeof *found);
    count = 0;
    for (size_t i = 0; i < erasures->count; i++)
        for (size_t j = 0; is_after(&erasures->items[i], started) && j < erasures->items[i].count; j++, count++)
            found[count] = (struct line){ erasures->items[i].references[j], count };

    /* Each once, and in the order in which they were recorded first. */
    qsort(found, count, sizeof *found, by_text);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(found[kept - 1].text, found[i].text) != 0)
            found[kept++] = found[i];
    qsort(found, kept, sizeof *found, by_place);
    for (size_t i = 0; i < kept; i++)
        buffer_printf(lines, "%s\n", found[i].text);
    free(found);
    return kept;
}

/* --- forgetting ----------------------------------------------------------------------------------------------------
 */

/* A mirror may still have a snapshot that is gone from here, where a hold keeps it. */
static bool may_hold_older(const struct hold *hold, int64_t recorded) {
    int64_t started = 0;
    switch (hold->scope) {
    case HOLD_SNAPSHOT:
        return clock_parse_compact(hold->snapshot, &started, NULL) < 0 || started <= recorded;
    case HOLD_RANGE:
        return hold->from <= recorded;
    case HOLD_SET:
        break;
    }
    return true;
}

static bool is_needed(const struct erasure *erasure, const struct heads *heads, const struct holds *holds,
                      int64_t now) {
    for (size_t i = 0; i < heads->count; i++)
        if (is_after(erasure, heads->items[i].started))
            return true;
    for (size_t i = 0; i < holds->count; i++)
        if (hold_in_force(&holds->items[i], now) && may_hold_older(&holds->items[i], erasure->recorded))
            return true;
    return false;
}

static int forget_one(struct repo *repo, const struct erasure *erasure, int64_t now, struct err *err) {
    char name[REPO_NAME_MAX];
    if (journal_one(repo, "erasure_over", erasure->name, 0, now, err) < 0)
        return -1;
    return store_remove(repo->store, repo_name(repo, name, FOLDER, erasure->name), NULL, err);
}

int erasures_forget(struct repo *repo, int64_t now, uint64_t *removed, struct err *err) {
    struct erasures erasures = { 0 };
    struct heads heads = { 0 };
    struct holds holds = { 0 };
    size_t captures = 0;
    int result = erasures_load(repo, &erasures, err);
    if (result < 0 || erasures.count == 0)
        goto out;

    /* A capture that runs may have read what was erased since. Looked for before the heads: its end puts one there. */
    result = sessions_older(repo, now, &captures, err);
    if (result < 0 || captures > 0)
        goto out;
    result = heads_load(repo, &heads, err);
    if (result == 0)
        result = holds_load(repo, &holds, err);
    for (size_t i = 0; i < erasures.count && result == 0; i++) {
        if (is_needed(&erasures.items[i], &heads, &holds, now))
            continue;
        result = forget_one(repo, &erasures.items[i], now, err);
        *removed += result == 0;
    }
out:
    heads_release(&heads);
    holds_release(&holds);
    erasures_release(&erasures);
    return result < 0 ? err_wrap(err, "forget erasures that are over") : 0;
}
