#include "lease_internal.h"
#include "purge_internal.h"
#include <muniment/repo/session.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

struct session {
    struct repo *repo;
    struct store_lock *lock;
    struct lease lease;
};

/* The caller holds the capture lock: where all captures take the same lock, every session that is listed is dead. */
static int remove_dead(struct repo *repo, struct err *err) {
    char folder[REPO_NAME_MAX];
    struct store_names names = { 0 };
    bool all = store_lock_is_global(repo->store);
    if (store_names_load(repo->store, repo_folder(repo, folder, "sessions"), &names, err) < 0)
        return -1;

    int result = 0;
    for (size_t i = 0; i < names.count && result == 0; i++) {
        if (!all && !lease_is_own(repo, names.items[i].name))
            continue;
        log_detail(repo->log, "a capture ended without a word: removing its session %s",
                   repo_leaf(names.items[i].name));
        result = store_remove(repo->store, names.items[i].name, NULL, err);
    }
    store_names_release(&names);
    return result;
}

int session_begin(struct repo *repo, int64_t lock_wait, int64_t length, struct session **session, struct err *err) {
    char name[REPO_NAME_MAX];
    struct store_lock *lock = NULL;
    if (!repo->keys->can_sign)
        return err_set(err, ERR_KEY, "capturing takes a write key");
    if (length < 1 || length > LEASE_LENGTH_MAX)
        return err_set(err, ERR_INVALID, "a session cannot last %lld seconds", (long long)length);

    if (store_lock_take(repo->store, repo_name(repo, name, "locks", "capture"), lock_wait, &lock, err) < 0)
        return err_wrap(err, "begin a capture");
    struct session *begun = mem_zalloc(sizeof *begun);
    begun->repo = repo;
    begun->lock = lock;
    if (remove_dead(repo, err) < 0 || lease_put(repo, "sessions", length, &begun->lease, err) < 0) {
        store_lock_release(lock);
        free(begun);
        return err_wrap(err, "begin a capture");
    }
    *session = begun;
    return 0;
}

int session_check(const struct session *session, struct err *err) {
    if (lease_holds(&session->lease))
        return 0;
    err_set(err, ERR_REFUSED, "this run has outlived its session: what it would refer to may be purged by now");
    return err_hint(err, "raise session_length, or look for what made the run so slow");
}

void session_end(struct session *session) {
    if (!session)
        return;
    struct err err = { 0 };
    if (store_remove(session->repo->store, session->lease.name, NULL, &err) < 0)
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

        struct lease_found found;
        if (lease_read(repo, listed->name, SESSION_LENGTH, &found, err) < 0) {
            err_wrap(err, "look for captures that still run");
            goto out;
        }
        if (!found.gone && clock_now() <= listed->modified + found.length + SESSION_MARGIN)
            ++*count;
    }
    result = 0;
out:
    store_names_release(&names);
    return result;
}
