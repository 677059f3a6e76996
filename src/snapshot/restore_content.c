#include "restore_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/sha256.h>
#include <sodium.h>

void content_check_begin(struct content_check *check) {
    if (!check->digest)
        check->digest = sha256_new();
    sha256_reset(check->digest);
    check->length = 0;
}

void content_check_chunk(struct content_check *check, const struct fetched *chunk) {
    sha256_update(check->digest, chunk->macs, chunk->count * sizeof *chunk->macs);
    check->length += chunk->length;
}

int content_check_end(struct content_check *check, const struct entry *entry, struct err *err) {
    uint8_t digest[SHA256_SIZE];
    sha256_final(check->digest, digest);
    if (check->length != entry->content)
        return err_set(err, ERR_CORRUPT, "'%s' comes to %llu bytes where the snapshot has %llu", entry->path,
                       (unsigned long long)check->length, (unsigned long long)entry->content);
    if (sodium_memcmp(digest, entry->digest, sizeof digest) != 0)
        return err_set(err, ERR_CORRUPT, "'%s' does not have the digest that was taken when it was captured",
                       entry->path);
    return 0;
}

int content_read(struct repo *repo, struct index *index, unsigned workers, const struct entry *entry,
                 const struct extents *extents, struct progress *progress, content_each *each, void *context,
                 struct err *err) {
    struct extents_cursor cursor = { extents, 0 };
    struct fetch *fetch = fetch_new(repo, index, workers, fetch_from_extents, &cursor);
    struct content_check check = { 0 };
    struct fetched chunk;
    int result;

    content_check_begin(&check);
    while ((result = fetch_next(fetch, UINT64_MAX, &chunk, err)) == 1) {
        result = interrupt_check(err) < 0 ? -1 : each(context, chunk.data, chunk.length, err);
        if (result < 0)
            break;
        content_check_chunk(&check, &chunk);
        if (progress)
            progress->done += chunk.length;
    }
    if (result == 0)
        result = content_check_end(&check, entry, err);
    fetch_free(fetch);
    sha256_free(check.digest);
    return result < 0 ? err_wrap(err, "'%s'", entry->path) : 0;
}

void restore_note_flags(struct repo *repo, const struct entry *entry, struct restore_result *result) {
    if (entry->flags & ENTRY_INCOMPLETE)
        log_warning(repo->log, "'%s' was captured incomplete: its source failed while it was read", entry->path);
    else if (entry->flags & ENTRY_CHANGED)
        log_warning(repo->log, "'%s' changed while it was captured: its parts may be of different times", entry->path);
    else
        return;
    result->incomplete++;
}
