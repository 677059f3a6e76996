#include "journal_internal.h"
#include <muniment/repo/record.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { LOCK_WAIT = 600 }; /* seconds: appending takes moments, so whoever holds it will be done */

static const uint8_t NO_PREVIOUS[32] = { 0 };

/* --- appending ---------------------------------------------------------------------------------------------------- */

/* The last segment of this host's chain, or number 0. It must be a true one: a name alone proves nothing. */
static int find_last(struct repo *repo, const char *host, struct journal_place *last, struct err *err) {
    char folder[REPO_NAME_MAX], name[REPO_NAME_MAX];
    struct store_names names = { 0 };
    struct buffer payload = { 0 };
    int result = -1;
    *last = (struct journal_place){ 0 };
    if (store_names_load(repo->store, repo_folder(repo, folder, "journal"), &names, err) < 0)
        return -1;

    for (size_t i = 0; i < names.count; i++) {
        struct journal_place place;
        if (!journal_name_parse(repo_leaf(names.items[i].name), &place) || strcmp(place.host, host) != 0)
            continue;
        if (place.number == last->number) {
            journal_refuse_fork(names.items[i].name, err);
            goto out;
        }
        *last = place;
    }
    if (last->number > 0 && journal_segment_load(repo, last, journal_segment_name(repo, last, name), &payload, err) < 0)
        goto out;
    memcpy(last->host, host, sizeof last->host);
    result = 0;
out:
    store_names_release(&names);
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
                          int64_t newest, struct err *err) {
    struct buffer payload = { 0 }, object = { 0 };
    struct journal_place next = *last;
    char name[REPO_NAME_MAX];
    next.number++;
    journal_heading_encode(repo->keys, &next, last->number == 0 ? NO_PREVIOUS : last->hash, &payload);
    buffer_put(&payload, lines, length);
    record_seal(repo->keys, RECORD_JOURNAL, payload.data, payload.length, &object, next.hash);

    struct repo locking = *repo;
    locking.lock_until = repo->journal_keep > 0 ? newest + repo->journal_keep : 0;
    int result = record_store(&locking, journal_segment_name(repo, &next, name), &object, err);
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
        if (append_segment(repo, &last, batch->lines.data, length, batch->newest, err) < 0)
            goto out;
        memmove(batch->lines.data, batch->lines.data + length, batch->lines.length - length);
        batch->lines.length -= length;
    }
    batch->count = 0;
    batch->newest = 0;
    result = 0;
out:
    store_lock_release(lock);
    return result < 0 ? err_wrap(err, "append to the journal") : 0;
}
