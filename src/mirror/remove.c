#include "mirror_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <string.h>

/* The last look before something goes: what the repository has, whatever was decided about it once, stays. */
static int remove_object(void *context, void *item, struct err *err) {
    struct mirror_job *job = context;
    const struct transfer *transfer = item;
    uint64_t here;
    int64_t modified;
    struct err why = { 0 };
    enum removed removed;
    if (interrupt_check(err) < 0)
        return -1;
    if (store_stat(job->repo->store, transfer->name, &here, &modified, &why) == 0)
        return 0;
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return -1;
    }
    if (destruction_remove(&job->destruction, transfer->name, transfer->hidden, &removed, err) < 0)
        return -1;
    if (removed == REMOVED_REFUSED && !transfer->hidden && transfer->kind != FOLDER_KINDS)
        job->folders[transfer->kind].refused[transfer->at] = true;
    if (removed == REMOVED_GONE) {
        pthread_mutex_lock(&job->lock);
        job->result->removed++;
        job->result->removed_bytes += transfer->size;
        pthread_mutex_unlock(&job->lock);
    }
    return 0;
}

static struct workers *start_removing(struct mirror_job *job) {
    return workers_start(job->transfers, sizeof(struct transfer), remove_object, job);
}

static int remove_from_folder(struct mirror_job *job, enum folder_kind kind, struct err *err) {
    const struct folder *folder = &job->folders[kind];
    struct workers *workers = start_removing(job);
    int given = 0;
    for (size_t i = 0; i < folder->there.count && given == 0; i++) {
        if (!folder_must_go(job, kind, i))
            continue;
        struct transfer transfer = transfer_of(folder->there.items[i].name, folder->there.items[i].size, kind);
        transfer.at = i;
        given = workers_give(workers, &transfer, err);
    }
    return workers_finish(workers, err);
}

/* Whether every index object that the repository has by now is on the mirror: else a purge was at work meanwhile, and
 * what replaces the old index is not here yet. */
static int index_is_current(struct mirror_job *job, bool *current, struct err *err) {
    struct folder *folder = &job->folders[FOLDER_INDEX];
    *current = true;
    if (folder_list_here(job, FOLDER_INDEX, err) < 0)
        return -1;
    for (size_t i = 0; i < folder->here.count && *current; i++) {
        uint64_t size;
        int64_t modified;
        const char *name = folder->here.items[i].name;
        if (folder_has(&folder->there, name) || folder_has(&folder->sent, name) ||
            store_stat(job->there.store, name, &size, &modified, err) == 0)
            continue;
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        *current = false;
    }
    return 0;
}

static int remove_packs(struct mirror_job *job, struct err *err) {
    struct workers *workers = start_removing(job);
    int given = 0;
    for (size_t i = 0; i < job->pack_count && given == 0; i++) {
        char name[REPO_NAME_MAX];
        const struct mirrored_pack *pack = &job->packs[i];
        if (!pack_must_go(pack))
            continue;
        struct transfer transfer = transfer_of(repo_pack_name(&job->there, name, pack->hash), pack->size, FOLDER_KINDS);
        given = workers_give(workers, &transfer, err);
    }
    return workers_finish(workers, err);
}

/* --- what is only hidden ------------------------------------------------------------------------------------------ */

static int remove_hidden(void *context, void *name, struct err *err) {
    struct transfer transfer = transfer_of(name, 0, FOLDER_KINDS);
    transfer.hidden = true;
    return remove_object(context, &transfer, err);
}

/* --- snapshots that a listing left out ---------------------------------------------------------------------------- */

static bool is_hidden(const struct mirror_job *job, const char *name) {
    return dated_names_find(&job->hidden, repo_below(job->repo, name)) != NULL;
}

/*
 * Snapshots that the journals know, that never expired, and that neither store lists. One that the mirror has by its
 * name proves that its listings cannot be relied on. One that is hidden there needs its packs as much as any other,
 * though it cannot be asked for them: so none goes.
 */
static int look_for_absent_heads(struct mirror_job *job, bool *hidden, struct err *err) {
    const struct folder *heads = &job->folders[FOLDER_HEADS];
    *hidden = false;
    for (size_t i = 0; i < job->captured.count; i++) {
        char name[REPO_NAME_MAX];
        uint64_t size;
        int64_t modified;
        const char *leaf = job->captured.items[i].name;
        repo_name(&job->there, name, "snapshots", leaf);
        if (dated_names_find(&job->expired, leaf) || folder_has(&heads->here, name) || folder_has(&heads->there, name))
            continue;
        *hidden = *hidden || is_hidden(job, name);
        if (store_stat(job->there.store, name, &size, &modified, err) == 0) {
            err_set(err, ERR_CORRUPT, "'%s' exists and is not listed: nothing is removed", name);
            return err_hint(err, "the mirror's listings cannot be relied on; what they leave out could be destroyed");
        }
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
    }
    return 0;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

/* What snapshots of which the journal knows no end still need. */
static void count_needed(struct mirror_job *job, bool strangers) {
    for (size_t i = 0; i < job->pack_count; i++)
        job->left += job->packs[i].decided && !job->packs[i].seen && job->packs[i].needed;
    for (size_t i = 0; i < job->folders[FOLDER_INDEX].there.count && strangers; i++)
        job->left += folder_must_go(job, FOLDER_INDEX, i);
}

/* Packs and index objects. Where something that should be there is not, the old may be the last that holds it. */
static int remove_contents(struct mirror_job *job, struct err *err) {
    bool strangers = false, current, hidden;
    if (look_for_absent_heads(job, &hidden, err) < 0)
        return -1;
    if (job->pack_failures == 0 && needs_of_strangers(job, &strangers, err) < 0)
        return -1;
    if (job->pack_failures > 0 || hidden) {
        log_warning(job->repo->log, "mirror '%s': no pack is removed, because %s", job->options->name,
                    hidden ? "a snapshot that never expired is hidden" : "others could not be sent");
        job->left += contents_that_go(job);
        return 0;
    }
    if (index_is_current(job, &current, err) < 0)
        return -1;
    if (!current) {
        log_info(job->repo->log, "mirror '%s': a purge is at work; what it destroyed is removed by the next run",
                 job->options->name);
        job->left += contents_that_go(job);
        return 0;
    }
    count_needed(job, strangers);
    if (!strangers && remove_from_folder(job, FOLDER_INDEX, err) < 0)
        return -1;
    return remove_packs(job, err);
}

/* Heads that expired here and that a hold in force covers stay there: it may have been placed while the mirror was
 * away. Holds that do not agree with the journal, or that cannot be read, keep everything. */
static int keep_held(struct mirror_job *job, bool *known, struct err *err) {
    const struct folder *heads = &job->folders[FOLDER_HEADS];
    struct holds holds = { 0 };
    int64_t now = job->options->now, started;
    *known =
        holds_load(job->repo, &holds, err) == 0 && hold_witness_check(&job->holds, job->repo, &holds, now, err) == 0;
    for (size_t i = 0; *known && i < heads->there.count; i++) {
        const char *leaf = repo_leaf(heads->there.items[i].name);
        heads->held[i] = clock_parse_compact(leaf, &started, NULL) == 0 && holds_covering(&holds, leaf, started, now);
        if (!heads->held[i] || !heads->decided[i] || folder_has(&heads->here, heads->there.items[i].name))
            continue;
        log_info(job->repo->log, "mirror '%s': snapshot %s stays there, because of a hold", job->options->name, leaf);
        job->left++;
    }
    holds_release(&holds);
    if (*known)
        return 0;
    if (err->code != ERR_CORRUPT)
        return -1;
    job_fail(job, err);
    err_clear(err);
    return 0;
}

int remove_decided(struct mirror_job *job, struct err *err) {
    static const enum folder_kind FIRST[] = { FOLDER_HEADS, FOLDER_KEYS, FOLDER_HOLDS, FOLDER_ERASURES };
    bool known = job->decisions_known && !job->journal_was_cut;
    if (known && keep_held(job, &known, err) < 0)
        return -1;
    if (!known)
        return 0;
    for (size_t i = 0; i < sizeof FIRST / sizeof *FIRST; i++)
        if (remove_from_folder(job, FIRST[i], err) < 0)
            return -1;
    if (contents_that_go(job) > 0 && remove_contents(job, err) < 0)
        return -1;

    /* What a checkpoint dropped goes when the checkpoint is there. */
    if (!job->chain_broke && remove_from_folder(job, FOLDER_JOURNAL, err) < 0)
        return -1;
    return destruction_remove_hidden(&job->destruction, &job->hidden, remove_hidden, job, err);
}
