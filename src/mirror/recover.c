#include "mirror_internal.h"
#include <muniment/mirror/recover.h>
#include <muniment/repo/claim.h>
#include <muniment/repo/erasing.h>
#include <muniment/repo/record.h>
#include <stdio.h>
#include <string.h>

enum { LOCK_WAIT = 600 /* seconds */, RECORD_MAX = 128 * 1024 * 1024 };

struct recovery {
    struct repo *repo;
    struct store *mirror;
    struct mirror_options options;
    struct mirror_job job; /* of the pass that runs */
    struct recover_result *result;
    struct progress *progress;
    struct err first; /* of what is lost */
};

/* An object of the mirror. */
struct found {
    char name[REPO_NAME_MAX];
    uint64_t size;
    bool decided; /* that it goes: where it is gone, it stays gone */
    bool pack;
    enum record_type type; /* of what is no pack */
    int64_t lock_until;
};

/* --- one object ----------------------------------------------------------------------------------------------------
 */

static void count(struct recovery *recovery, uint64_t *objects, uint64_t *bytes, uint64_t size) {
    pthread_mutex_lock(&recovery->job.lock);
    ++*objects;
    *bytes += size;
    if (recovery->progress)
        recovery->progress->done += size;
    pthread_mutex_unlock(&recovery->job.lock);
}

static void tell_recovered(struct recovery *recovery, const char *name, uint64_t size) {
    count(recovery, &recovery->result->recovered, &recovery->result->recovered_bytes, size);
    log_info(recovery->repo->log, "'%s' was brought back from mirror '%s'", name, recovery->options.name);
}

static void tell_lost(struct recovery *recovery, struct err *why) {
    err_wrap(why, "whole neither in the repository nor on the mirror");
    pthread_mutex_lock(&recovery->job.lock);
    if (recovery->result->lost++ == 0)
        recovery->first = *why;
    pthread_mutex_unlock(&recovery->job.lock);
    log_error(recovery->repo->log, "%s", why->message);
}

/* Whether the repository has it, and whether it has it whole. */
static int look(struct recovery *recovery, const struct found *found, bool *here, bool *good, struct err *err) {
    struct store *store = recovery->repo->store;
    uint64_t size;
    int64_t modified;
    *here = *good = false;
    if (store_stat(store, found->name, &size, &modified, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    *here = true;
    return size == found->size ? verify_object(&recovery->job, store, found->name, size, good, err) : 0;
}

/* An object that is no record of ours is only lost; of a store that is out of reach nothing is known. */
static bool is_record_lost(const struct err *why) {
    return fails_alone(why) || record_fails_alone(why);
}

/* Whoever writes to the mirror can make an object whose name is right. A pack of his would only be in nobody's way; any
 * other object would stop whoever reads its folder. -1 when the mirror failed. */
static int look_who_made(struct recovery *recovery, const struct found *found, bool *genuine, struct err *why,
                         struct err *err) {
    struct buffer payload = { 0 };
    *genuine = found->pack ||
               record_load(&recovery->job.there, found->type, found->name, RECORD_MAX, &payload, NULL, why) == 0;
    buffer_release(&payload);
    if (*genuine || is_record_lost(why))
        return 0;
    *err = *why;
    return -1;
}

/* For the threads that transfer. */
static int recover_object(void *context, void *item, struct err *err) {
    struct recovery *recovery = context;
    const struct found *found = item;
    bool here, good;
    if (look(recovery, found, &here, &good, err) < 0)
        return -1;
    if (good)
        count(recovery, &recovery->result->read, &recovery->result->read_bytes, found->size);
    if (good || (!here && found->decided))
        return 0;

    const struct copying copying = {
        .from = recovery->mirror,
        .to = recovery->repo->store,
        .name = found->name,
        .size = found->size,
        .lock_until = found->lock_until,
    };
    enum copied copied = COPY_FAILED;
    struct err why = { 0 };
    bool genuine;
    if (look_who_made(recovery, found, &genuine, &why, err) < 0 ||
        (genuine && copy_verified(&copying, &copied, &why, err) < 0))
        return -1;
    if (copied == COPY_DONE)
        tell_recovered(recovery, found->name, found->size);
    else
        tell_lost(recovery, &why);
    return 0;
}

static int give(struct recovery *recovery, struct workers *workers, struct found *found, const char *name,
                int64_t locked_for, struct err *err) {
    if (locked_for > 0 && store_locks(recovery->repo->store))
        found->lock_until = recovery->options.now + locked_for;
    snprintf(found->name, sizeof found->name, "%s", name);
    return workers_give(workers, found, err);
}

/* --- folders --------------------------------------------------------------------------------------------------------
 */

static int give_packs(struct recovery *recovery, struct workers *workers, struct err *err) {
    char name[REPO_NAME_MAX];
    for (size_t i = 0; i < recovery->job.pack_count; i++) {
        const struct mirrored_pack *pack = &recovery->job.packs[i];
        struct found found = { .size = pack->size, .decided = pack->decided, .pack = true };
        repo_pack_name(recovery->repo, name, pack->hash);
        if (give(recovery, workers, &found, name, LOCK_AT_FIRST, err) < 0)
            return -1;
    }
    return 0;
}

static int give_folder(struct recovery *recovery, enum folder_kind kind, enum record_type type, struct workers *workers,
                       int64_t locked_for, struct err *err) {
    const struct folder *folder = &recovery->job.folders[kind];
    for (size_t i = 0; i < folder->there.count; i++) {
        const struct store_listed *there = &folder->there.items[i];
        struct found found = { .size = there->size, .decided = folder->decided[i], .type = type };
        if (give(recovery, workers, &found, there->name, locked_for, err) < 0)
            return -1;
    }
    return 0;
}

/* A repository that was set back and went on has another history, to which the mirror's cannot be joined. */
static int check_history(struct recovery *recovery, struct err *err) {
    const struct folder *folder = &recovery->job.folders[FOLDER_JOURNAL];
    if (folder_list_here(&recovery->job, FOLDER_JOURNAL, err) < 0)
        return -1;
    for (size_t i = 0; i < folder->there.count; i++) {
        const char *name = folder->there.items[i].name;
        if (folder->decided[i] || folder_has(&folder->here, name) || !journal_forks(&folder->here, name))
            continue;
        err_set(err, ERR_DIVERGED, "'%s': the repository has another segment of the journal with this number", name);
        return err_hint(err, "it was set back and went on; start anew beside it: copy the mirror to another folder, "
                             "and name that as the repository");
    }
    return 0;
}

static int end_workers(struct workers *workers, int status, struct err *err) {
    if (status == 0)
        return workers_finish(workers, err);
    workers_stop(workers);
    return -1;
}

/* One after another: a run that is killed leaves no new gap. */
static int recover_journal(struct recovery *recovery, struct err *err) {
    if (check_history(recovery, err) < 0)
        return -1;
    struct workers *workers = workers_start(1, sizeof(struct found), recover_object, recovery);
    int status = give_folder(recovery, FOLDER_JOURNAL, RECORD_JOURNAL, workers, recovery->job.repo->journal_keep, err);
    return end_workers(workers, status, err);
}

/* Packs before the snapshots that need them. */
static int recover_contents(struct recovery *recovery, struct err *err) {
    struct mirror_job *job = &recovery->job;
    struct workers *workers = workers_start(job->transfers, sizeof(struct found), recover_object, recovery);
    if (end_workers(workers, give_packs(recovery, workers, err), err) < 0)
        return -1;
    workers = workers_start(job->transfers, sizeof(struct found), recover_object, recovery);
    int status = give_folder(recovery, FOLDER_HEADS, RECORD_HEAD, workers, LOCK_AT_FIRST, err);
    if (status == 0)
        status = give_folder(recovery, FOLDER_ERASURES, RECORD_ERASURE, workers, 0, err);
    return end_workers(workers, status, err);
}

/* --- holds: their names have no hash, but a host signed them
 * ---------------------------------------------------------- */

static int load_hold(const struct repo *repo, struct store *store, const char *name, struct buffer *object,
                     struct err *err) {
    struct buffer payload = { 0 };
    int result = store_get(store, name, RECORD_MAX, object, err);
    if (result == 0)
        result = record_open(repo->keys, RECORD_HOLD, name, object->data, object->length, &payload, NULL, err);
    buffer_release(&payload);
    return result;
}

static int recover_hold(struct recovery *recovery, const char *name, struct err *err) {
    struct mirror_job *job = &recovery->job;
    struct buffer object = { 0 };
    struct err why = { 0 };
    int status = load_hold(job->repo, job->repo->store, name, &object, err);
    if (status == 0) {
        count(recovery, &recovery->result->read, &recovery->result->read_bytes, object.length);
        goto out;
    }
    if (!is_record_lost(err))
        goto out;
    err_clear(err);
    buffer_clear(&object);
    if (load_hold(job->repo, job->there.store, name, &object, &why) < 0) {
        status = is_record_lost(&why) ? 0 : -1;
        if (status == 0)
            tell_lost(recovery, &why);
        else
            *err = why;
        goto out;
    }
    status = store_put(job->repo->store, name, object.data, object.length, err);
    if (status == 0)
        tell_recovered(recovery, name, object.length);
out:
    buffer_release(&object);
    return status;
}

static int recover_holds(struct recovery *recovery, struct err *err) {
    struct mirror_job *job = &recovery->job;
    const struct folder *folder = &job->folders[FOLDER_HOLDS];
    if (folder_list_here(job, FOLDER_HOLDS, err) < 0)
        return -1;
    for (size_t i = 0; i < folder->there.count; i++) {
        const char *name = folder->there.items[i].name;
        if ((!folder->decided[i] || folder_has(&folder->here, name)) && recover_hold(recovery, name, err) < 0)
            return -1;
    }
    return 0;
}

/* --- all of it -------------------------------------------------------------------------------------------------------
 */

static int check_mirror(const struct repo *repo, struct store *mirror, struct err *err) {
    struct repo there;
    if (repo_open(&there, mirror, repo->keys, repo->log, err) < 0)
        return -1;
    if (strcmp(there.id, repo->id) != 0)
        return err_set(err, ERR_INVALID, "'%s' is the mirror of another repository, or is one itself",
                       store_label(mirror));
    return 0;
}

static int recover_rest(struct recovery *recovery, struct err *err) {
    if (!recovery->job.decisions_known)
        return err_set(err, ERR_CORRUPT, "the journal is not whole, so nothing else was brought back: %s",
                       recovery->job.first.message);
    if (erasing_refuse(recovery->repo, "bring back more than its journal", err) < 0)
        return -1;
    return recover_contents(recovery, err) < 0 ? -1 : recover_holds(recovery, err);
}

/* Its own inventory, for what the journals say is read with it. What the job notes meanwhile is logged already. */
static int run_pass(struct recovery *recovery, const char *below,
                    int (*steps)(struct recovery *recovery, struct err *err), struct err *err) {
    struct mirror_result ignored;
    struct err noted = { 0 };
    job_begin(&recovery->job, recovery->repo, recovery->mirror, &recovery->options, &ignored);
    int status = inventory_load(&recovery->job, below, err);
    if (status == 0)
        status = steps(recovery, err);
    (void)!job_end(&recovery->job, 0, &noted);
    return status;
}

/* What was to go is known only once the journal is whole, so it comes before the rest. */
static int run_passes(struct recovery *recovery, struct err *err) {
    char folder[REPO_NAME_MAX];
    if (run_pass(recovery, repo_folder(recovery->repo, folder, "journal"), recover_journal, err) < 0)
        return -1;
    return run_pass(recovery, recovery->repo->keys->set_name, recover_rest, err);
}

static int journal_recovery(const struct recovery *recovery, struct err *err) {
    const struct recover_result *result = recovery->result;
    struct journal_batch batch = { 0 };
    char objects[24], bytes[24], lost[24];
    snprintf(objects, sizeof objects, "%llu", (unsigned long long)result->recovered);
    snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)result->recovered_bytes);
    snprintf(lost, sizeof lost, "%llu", (unsigned long long)result->lost);
    journal_add(&batch, recovery->options.now, "recovered", "mirror", recovery->options.name, "objects", objects,
                "bytes", bytes, "lost", lost, NULL);
    int status = journal_append(recovery->repo, &batch, err);
    journal_batch_release(&batch);
    return status;
}

static int recover_locked(struct recovery *recovery, struct err *err) {
    struct repo *repo = recovery->repo;
    struct store_lock *purge = NULL, *mirror = NULL;
    struct claim *claim = NULL;
    char name[REPO_NAME_MAX];
    int status = store_lock_take(repo->store, repo_name(repo, name, "locks", "purge"), LOCK_WAIT, &purge, err);
    if (status == 0)
        status = claim_take(repo, LOCK_WAIT, &claim, err);
    if (status == 0)
        status = store_lock_take(recovery->mirror, repo_name(repo, name, "locks", "mirror"), LOCK_WAIT, &mirror, err);
    if (status == 0)
        status = run_passes(recovery, err);
    store_lock_release(mirror);
    claim_release(claim);
    store_lock_release(purge);
    return status;
}

int mirror_recover(struct repo *repo, struct store *mirror, const char *name, int64_t now, struct progress *progress,
                   struct recover_result *result, struct err *err) {
    struct recovery recovery = {
        .repo = repo,
        .mirror = mirror,
        .options = { .name = name, .now = now },
        .progress = progress,
        .result = result,
    };
    struct err why = { 0 };
    *result = (struct recover_result){ 0 };
    if (!repo->keys->can_sign)
        return err_set(err, ERR_KEY, "what is brought back is journalled, which needs the write key");
    int status = check_mirror(repo, mirror, err);
    if (status == 0)
        status = recover_locked(&recovery, err);
    if (result->recovered + result->lost > 0 && journal_recovery(&recovery, &why) < 0)
        log_error(repo->log, "what was brought back is not in the journal: %s", why.message);
    if (status == 0 && result->lost > 0) {
        *err = recovery.first;
        err_hint(err, "move what is damaged out of the repository and run this again: then the next run stores anew "
                      "what is still there to be read");
        status = -1;
    }
    return status < 0 ? err_wrap(err, "bring back from mirror '%s'", name) : 0;
}
