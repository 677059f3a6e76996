#include "journal_internal.h"
#include <muniment/repo/record.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { LOCK_WAIT = 600 }; /* seconds: appending takes moments, so whoever holds it will be done */

static const uint8_t NO_PREVIOUS[32] = { 0 };

/* Every segment, sorted by host and number. Whatever is no segment does not belong in the folder. */
struct segments {
    struct journal_place *items;
    size_t count;
};

static void segments_release(struct segments *segments) {
    free(segments->items);
    *segments = (struct segments){ 0 };
}

static int segments_load(struct repo *repo, struct segments *segments, struct err *err) {
    char folder[REPO_NAME_MAX];
    struct store_names names = { 0 };
    int result = -1;
    *segments = (struct segments){ 0 };
    if (store_names_load(repo->store, repo_folder(repo, folder, "journal"), &names, err) < 0)
        return -1;

    segments->items = mem_array(names.count ? names.count : 1, sizeof *segments->items);
    for (size_t i = 0; i < names.count; i++) {
        if (!journal_name_parse(names.items[i].name + strlen(folder) + 1, &segments->items[segments->count++])) {
            err_set(err, ERR_CORRUPT, "%s: not the name of a journal segment", names.items[i].name);
            segments_release(segments);
            goto out;
        }
    }
    result = 0;
out:
    store_names_release(&names);
    return result;
}

static char *segment_name(const struct repo *repo, const struct journal_place *place, char *name) {
    char leaf[STORE_NAME_MAX];
    return repo_name(repo, name, "journal", journal_name_format(place, leaf, sizeof leaf));
}

/* Loads one segment's payload: hash, certificate and signature hold, and its signer is the host it names. */
static int load_segment(struct repo *repo, const struct journal_place *place, const char *name, struct buffer *payload,
                        struct err *err) {
    uint8_t signer[SIGN_PUBLIC_SIZE];
    char host[JOURNAL_HOST_DIGITS + 1];
    if (record_load(repo, RECORD_JOURNAL, name, JOURNAL_OBJECT_MAX, payload, signer, err) < 0)
        return -1;
    if (strcmp(hex_encode(host, signer, JOURNAL_HOST_DIGITS / 2), place->host) != 0)
        return err_set(err, ERR_CORRUPT, "%s: signed by host %s, not by the one it names", name, host);
    return 0;
}

/* --- appending ---------------------------------------------------------------------------------------------------- */

static int refuse_fork(const char *name, struct err *err) {
    err_set(err, ERR_CORRUPT, "%s: the journal has two segments with this number", name);
    return err_hint(err, "two machines write with one key: give one of them its own, with 'muniment key new-host'");
}

/* The last segment of this host's chain, or number 0. It must be a true one: a name alone proves nothing. */
static int find_last(struct repo *repo, const char *host, struct journal_place *last, struct err *err) {
    struct segments segments = { 0 };
    struct buffer payload = { 0 };
    char name[REPO_NAME_MAX];
    int result = -1;
    *last = (struct journal_place){ 0 };
    if (segments_load(repo, &segments, err) < 0)
        return -1;

    for (size_t i = 0; i < segments.count; i++) {
        if (strcmp(segments.items[i].host, host) != 0)
            continue;
        if (segments.items[i].number == last->number) {
            refuse_fork(segment_name(repo, last, name), err);
            goto out;
        }
        *last = segments.items[i];
    }
    if (last->number > 0 && load_segment(repo, last, segment_name(repo, last, name), &payload, err) < 0)
        goto out;
    memcpy(last->host, host, sizeof last->host);
    result = 0;
out:
    segments_release(&segments);
    buffer_release(&payload);
    return result;
}

/* How many bytes of whole lines fit into one segment; at least one line. */
static size_t lines_that_fit(const struct buffer *lines) {
    if (lines->length <= JOURNAL_LINES_MAX)
        return lines->length;
    const uint8_t *end = memrchr(lines->data, '\n', JOURNAL_LINES_MAX);
    if (!end)
        end = memchr(lines->data, '\n', lines->length);
    return (size_t)(end - lines->data) + 1;
}

/* Writes the next segment after *last, which it then is. A put is whole or nothing, so a run that is killed here leaves
 * the chain as it was, or one longer. */
static int append_segment(struct repo *repo, struct journal_place *last, const void *lines, size_t length,
                          struct err *err) {
    struct buffer payload = { 0 }, object = { 0 };
    struct journal_place next = *last;
    char name[REPO_NAME_MAX];
    next.number++;
    journal_heading_encode(repo->keys, &next, last->number == 0 ? NO_PREVIOUS : last->hash, &payload);
    buffer_put(&payload, lines, length);
    record_seal(repo->keys, RECORD_JOURNAL, payload.data, payload.length, &object, next.hash);

    int result = record_store(repo, segment_name(repo, &next, name), &object, err);
    if (result == 0)
        *last = next;
    buffer_release(&payload);
    buffer_release(&object);
    return result;
}

int journal_append(struct repo *repo, struct journal_batch *batch, struct err *err) {
    char host[JOURNAL_HOST_DIGITS + 1], leaf[sizeof "journal-" + JOURNAL_HOST_DIGITS] = "journal-", name[REPO_NAME_MAX];
    struct journal_place last;
    struct store_lock *lock = NULL;
    int result = -1;
    if (batch->count == 0)
        return 0;
    if (!repo->keys->can_sign)
        return err_set(err, ERR_KEY, "writing the journal takes a write key, which signs it");

    strcat(leaf, keys_host_name(repo->keys, host));
    if (store_lock_take(repo->store, repo_name(repo, name, "locks", leaf), LOCK_WAIT, &lock, err) < 0)
        return err_wrap(err, "append to the journal");
    if (find_last(repo, host, &last, err) < 0)
        goto out;
    while (batch->lines.length > 0) {
        size_t length = lines_that_fit(&batch->lines);
        if (append_segment(repo, &last, batch->lines.data, length, err) < 0)
            goto out;
        memmove(batch->lines.data, batch->lines.data + length, batch->lines.length - length);
        batch->lines.length -= length;
    }
    batch->count = 0;
    result = 0;
out:
    store_lock_release(lock);
    return result < 0 ? err_wrap(err, "append to the journal") : 0;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int walk_segment(struct repo *repo, const struct journal_place *place, const uint8_t previous[32],
                        journal_each *each, void *context, struct err *err) {
    struct buffer payload = { 0 };
    struct journal_line line = { 0 };
    struct reader reader;
    char name[REPO_NAME_MAX];
    int result = -1, more = 0;

    segment_name(repo, place, name);
    if (load_segment(repo, place, name, &payload, err) < 0)
        goto out;
    reader_init(&reader, payload.data, payload.length);
    if (journal_heading_check(repo->keys, place, previous, &reader, name, err) < 0)
        goto out;
    while ((more = journal_line_next(&line, &reader, name, err)) > 0)
        if (each && each(context, name, &line.entry, err) != 0)
            goto out;
    result = more;
out:
    journal_line_release(&line);
    buffer_release(&payload);
    return result;
}

/* The place in its chain: numbers count up from 1 without gap or fork. */
static int check_number(struct repo *repo, const struct journal_place *before, const struct journal_place *place,
                        struct err *err) {
    char name[REPO_NAME_MAX];
    uint64_t expected = before ? before->number + 1 : 1;
    segment_name(repo, place, name);
    if (before && place->number == before->number)
        return refuse_fork(name, err);
    if (place->number != expected)
        return err_set(err, ERR_CORRUPT, "%s: segment %llu of this journal is missing before it", name,
                       (unsigned long long)expected);
    return 0;
}

int journal_walk(struct repo *repo, journal_each *each, void *context, struct err *err) {
    struct segments segments = { 0 };
    int result = -1;
    if (segments_load(repo, &segments, err) < 0)
        return err_wrap(err, "read the journal");

    for (size_t i = 0; i < segments.count; i++) {
        const struct journal_place *place = &segments.items[i], *before = i > 0 ? place - 1 : NULL;
        if (before && strcmp(before->host, place->host) != 0)
            before = NULL;
        if (check_number(repo, before, place, err) < 0 ||
            walk_segment(repo, place, before ? before->hash : NO_PREVIOUS, each, context, err) < 0)
            goto out;
    }
    result = 0;
out:
    segments_release(&segments);
    return result < 0 ? err_wrap(err, "read the journal") : 0;
}
