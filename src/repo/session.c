#include "purge_internal.h"
#include <muniment/repo/record.h>
#include <muniment/repo/session.h>
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    HOST_DIGITS = 16,
    NONCE_BYTES = 8,
    SESSION_OBJECT_MAX = 4096,
    SESSION_LENGTH_MAX = 366 * 24 * 3600,
    COMMIT_TIME = 60, /* how long before the hard end a run may still begin to commit */
};

struct session {
    struct repo *repo;
    struct store_lock *lock;
    char name[REPO_NAME_MAX];
    double last_commit; /* by clock_monotonic() */
};

/* Payload: i64 started, i64 length in seconds, text hostname. Host and nonce are in the name. */
static void encode(int64_t started, int64_t length, const char *hostname, struct buffer *out) {
    buffer_put_i64(out, started);
    buffer_put_i64(out, length);
    buffer_put_text(out, hostname);
}

static int decode(const struct buffer *payload, const char *name, int64_t *length, struct err *err) {
    struct reader reader;
    reader_init(&reader, payload->data, payload->length);
    reader_i64(&reader);
    *length = reader_i64(&reader);
    free(reader_text(&reader, 256));
    if (*length < 1 || *length > SESSION_LENGTH_MAX)
        reader.failed = true;
    return reader_finish(&reader, name, err);
}

/* The caller holds the capture lock: where all captures take the same lock, every session that is listed is dead. */
static int remove_dead(struct repo *repo, const char *host, struct err *err) {
    char folder[REPO_NAME_MAX];
    struct store_names names = { 0 };
    bool all = store_lock_is_global(repo->store);
    if (store_names_load(repo->store, repo_folder(repo, folder, "sessions"), &names, err) < 0)
        return -1;

    int result = 0;
    for (size_t i = 0; i < names.count && result == 0; i++) {
        const char *leaf = names.items[i].name + strlen(folder) + 1;
        if (!all && strncmp(leaf, host, HOST_DIGITS) != 0)
            continue;
        log_detail(repo->log, "a capture ended without a word: removing its session %s", leaf);
        result = store_remove(repo->store, names.items[i].name, NULL, err);
    }
    store_names_release(&names);
    return result;
}

static int put_session(struct session *session, const char *host, int64_t length, struct err *err) {
    struct buffer payload = { 0 }, object = { 0 };
    uint8_t nonce[NONCE_BYTES];
    char leaf[HOST_DIGITS + 1 + 2 * NONCE_BYTES + 1], hostname[256] = "";

    memcpy(leaf, host, HOST_DIGITS);
    leaf[HOST_DIGITS] = '-';
    randombytes_buf(nonce, sizeof nonce);
    hex_encode(leaf + HOST_DIGITS + 1, nonce, sizeof nonce);
    repo_name(session->repo, session->name, "sessions", leaf);
    if (gethostname(hostname, sizeof hostname - 1) < 0)
        hostname[0] = '\0';

    /* Measured from before the object is there, so that it ends here no later than the store's clock says. */
    session->last_commit = clock_monotonic() + (double)length - (length / 10 < COMMIT_TIME ? length / 10 : COMMIT_TIME);
    encode(clock_now(), length, hostname, &payload);
    record_seal(session->repo->keys, RECORD_SESSION, payload.data, payload.length, &object, NULL);
    int result = store_put(session->repo->store, session->name, object.data, object.length, err);
    buffer_release(&payload);
    buffer_release(&object);
    return result;
}

int session_begin(struct repo *repo, int64_t lock_wait, int64_t length, struct session **session, struct err *err) {
    char host[HOST_DIGITS + 1], name[REPO_NAME_MAX];
    struct store_lock *lock = NULL;
    if (!repo->keys->can_sign)
        return err_set(err, ERR_KEY, "capturing takes a write key");
    if (length < 1 || length > SESSION_LENGTH_MAX)
        return err_set(err, ERR_INVALID, "a session cannot last %lld seconds", (long long)length);

    keys_host_name(repo->keys, host);
    if (store_lock_take(repo->store, repo_name(repo, name, "locks", "capture"), lock_wait, &lock, err) < 0)
        return err_wrap(err, "begin a capture");
    struct session *begun = mem_zalloc(sizeof *begun);
    begun->repo = repo;
    begun->lock = lock;
    if (remove_dead(repo, host, err) < 0 || put_session(begun, host, length, err) < 0) {
        store_lock_release(lock);
        free(begun);
        return err_wrap(err, "begin a capture");
    }
    *session = begun;
    return 0;
}

int session_check(const struct session *session, struct err *err) {
    if (clock_monotonic() < session->last_commit)
        return 0;
    err_set(err, ERR_REFUSED, "this run has outlived its session: what it would refer to may be purged by now");
    return err_hint(err, "raise session_length, or look for what made the run so slow");
}

void session_end(struct session *session) {
    if (!session)
        return;
    struct err err = { 0 };
    if (store_remove(session->repo->store, session->name, NULL, &err) < 0)
        log_warning(session->repo->log, "the session of this run stays until its hard end: %s", err.message);
    session_abandon(session);
}

void session_abandon(struct session *session) {
    if (!session)
        return;
    store_lock_release(session->lock);
    free(session);
}

/* --- the purge's side --------------------------------------------------------------------------------------------- */

static int compare_packs(const void *left, const void *right) {
    return memcmp(left, right, 32);
}

int condemned_load(struct repo *repo, struct condemned *condemned, struct err *err) {
    struct purge_records records = { 0 };
    size_t capacity = 0;
    *condemned = (struct condemned){ 0 };
    if (purge_records_load(repo, &records, err) < 0)
        return -1;

    for (size_t i = 0; i < records.count; i++)
        for (size_t j = 0; j < records.items[i].count; j++) {
            const struct purge_pack *pack = &records.items[i].packs[j];
            if (!pack->condemned)
                continue;
            condemned->packs = mem_grow(condemned->packs, &capacity, condemned->count + 1, sizeof *condemned->packs);
            memcpy(condemned->packs[condemned->count++], pack->pack, 32);
        }
    purge_records_release(&records);

    /* Sorted, each once. */
    if (condemned->count > 1)
        qsort(condemned->packs, condemned->count, sizeof *condemned->packs, compare_packs);
    size_t kept = 0;
    for (size_t i = 0; i < condemned->count; i++)
        if (kept == 0 || memcmp(condemned->packs[kept - 1], condemned->packs[i], 32) != 0)
            memmove(condemned->packs[kept++], condemned->packs[i], 32);
    condemned->count = kept;
    return 0;
}

bool condemned_has(const struct condemned *condemned, const uint8_t pack[32]) {
    return condemned->count > 0 &&
           bsearch(pack, condemned->packs, condemned->count, sizeof *condemned->packs, compare_packs) != NULL;
}

void condemned_release(struct condemned *condemned) {
    free(condemned->packs);
    *condemned = (struct condemned){ 0 };
}

/* How long a session lasts; what cannot be read is taken to last as long as sessions do. -1 when it is gone. */
static int session_length(struct repo *repo, const char *name, int64_t *length, bool *gone, struct err *err) {
    struct buffer payload = { 0 };
    *gone = false;
    int result = record_load(repo, RECORD_SESSION, name, SESSION_OBJECT_MAX, &payload, NULL, err);
    if (result == 0)
        result = decode(&payload, name, length, err);
    buffer_release(&payload);
    if (result == 0)
        return 0;

    if (err->code == ERR_NOT_FOUND) {
        *gone = true;
    } else if (err->code == ERR_CORRUPT || err->code == ERR_UNSUPPORTED) {
        log_warning(repo->log, "a session cannot be read, so it counts for %d h: %s", SESSION_LENGTH / 3600,
                    err->message);
        *length = SESSION_LENGTH;
    } else {
        return -1;
    }
    err_clear(err);
    return 0;
}

int sessions_older(struct repo *repo, int64_t modified, size_t *count, struct err *err) {
    char folder[REPO_NAME_MAX];
    struct store_names names = { 0 };
    int result = -1;
    *count = 0;
    if (store_names_load(repo->store, repo_folder(repo, folder, "sessions"), &names, err) < 0)
        return err_wrap(err, "look for captures that still run");

    for (size_t i = 0; i < names.count; i++) {
        /*
         * A store stamps an object when its bytes are written, which may be well before it can be seen. So a session
         * with a somewhat later stamp may have read the purge records before this one was among them.
         */
        const struct store_listed *listed = &names.items[i];
        if (listed->modified > modified + SESSION_MARGIN)
            continue;

        int64_t length = 0;
        bool gone = false;
        if (session_length(repo, listed->name, &length, &gone, err) < 0) {
            err_wrap(err, "look for captures that still run");
            goto out;
        }
        if (!gone && clock_now() <= listed->modified + length + SESSION_MARGIN)
            ++*count;
    }
    result = 0;
out:
    store_names_release(&names);
    return result;
}
