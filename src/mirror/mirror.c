#include "mirror_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    IDENTITY_MAX = 64 * 1024,
    LISTINGS_MAX = 5, /* how often the repository may change under a run before it gives up */
    LOCK_WAIT = 10,   /* seconds */
    UPLOAD_LASTS = 86400,
};

static const char IDENTITY[] = "muniment";

/* --- whose mirror this is ------------------------------------------------------------------------------------------
 */

static int notice_object(void *context, const struct store_object *object, struct err *err) {
    bool *any = context;
    (void)object;
    (void)err;
    *any = true;
    return 0;
}

/* The mirror's object that says which repository it belongs to. An absent one is written, a damaged one mended where
 * this set's objects prove that the place is right. */
static int claim_mirror(struct mirror_job *job, struct err *err) {
    struct buffer mine = { 0 }, theirs = { 0 };
    struct err why = { 0 };
    struct repo opened;
    int status = -1;
    if (store_get(job->repo->store, IDENTITY, IDENTITY_MAX, &mine, err) < 0)
        goto out;
    if (store_get(job->there.store, IDENTITY, IDENTITY_MAX, &theirs, &why) < 0 && why.code != ERR_NOT_FOUND &&
        why.code != ERR_CORRUPT) {
        *err = why;
        goto out;
    }
    if (mine.length == theirs.length && memcmp(mine.data, theirs.data, mine.length) == 0) {
        status = 0;
        goto out;
    }

    bool send = why.code == ERR_NOT_FOUND;
    err_clear(&why);
    if (!send && repo_open(&opened, job->there.store, job->repo->keys, NULL, &why) < 0 && why.code == ERR_CORRUPT) {
        char folder[REPO_NAME_MAX];
        if (store_list(job->there.store, repo_folder(job->repo, folder, "snapshots"), notice_object, &send, err) < 0)
            goto out;
        job->result->damaged += send;
    }
    if (!send) {
        err_set(err, ERR_INVALID, "'%s' is the mirror of another repository, or is one itself",
                store_label(job->there.store));
        err_hint(err, "give this mirror a folder of its own; nothing was changed there");
        goto out;
    }
    status = store_put(job->there.store, IDENTITY, mine.data, mine.length, err);
out:
    buffer_release(&mine);
    buffer_release(&theirs);
    return status;
}

/* --- copying --------------------------------------------------------------------------------------------------------
 */

/* Packs and index: all of them when a copy is due, else those that make up for what goes. */
static int copy_contents(struct mirror_job *job, struct err *err) {
    for (int listing = 0; listing < LISTINGS_MAX; listing++) {
        job->vanished = false;
        if (folder_list_here(job, FOLDER_HEADS, err) < 0 || folder_list_here(job, FOLDER_INDEX, err) < 0)
            return -1;
        if (copy_packs(job, err) < 0)
            return -1;
        bool needed = !job->options->copy && contents_that_go(job) > 0;
        if (needed && !job->vanished && needs_upload(job, err) < 0)
            return -1;
        if ((needed || job->options->copy) && !job->vanished && copy_folder(job, FOLDER_INDEX, err) < 0)
            return -1;
        if (!job->vanished)
            return 0;
    }
    return err_set(err, ERR_LOCKED, "the repository changed %d times while it was being copied", LISTINGS_MAX);
}

/* The journal comes after the snapshots it tells of, and before anything goes: so the mirror has each decision before
 * its effect. */
static int copy_snapshots(struct mirror_job *job, struct err *err) {
    if (folder_list_here(job, FOLDER_KEYS, err) < 0 || copy_folder(job, FOLDER_KEYS, err) < 0)
        return -1;
    static const enum folder_kind ALWAYS[] = { FOLDER_HOLDS, FOLDER_ERASURES };
    if (job->options->copy && copy_folder(job, FOLDER_HEADS, err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof ALWAYS / sizeof *ALWAYS; i++)
        if (folder_list_here(job, ALWAYS[i], err) < 0 || copy_folder(job, ALWAYS[i], err) < 0)
            return -1;
    return copy_journal(job, err);
}

/* --- the end of a run -----------------------------------------------------------------------------------------------
 */

static void count_strangers(struct mirror_job *job) {
    uint64_t before = job->result->strangers;
    for (size_t i = 0; i < job->pack_count; i++)
        job->result->strangers += !job->packs[i].seen && !job->packs[i].decided;
    for (int kind = 0; kind < FOLDER_JOURNAL; kind++)
        for (size_t i = 0; i < job->folders[kind].there.count; i++)
            job->result->strangers += !job->folders[kind].decided[i] &&
                                      !folder_has(&job->folders[kind].here, job->folders[kind].there.items[i].name);
    if (job->result->strangers > before)
        log_warning(job->repo->log,
                    "mirror '%s': %llu objects are not in the repository, and nobody decided to remove them: they stay",
                    job->options->name, (unsigned long long)(job->result->strangers - before));
}

/* What is hidden although nobody decided that it goes. The copy has sent again what the repository has. */
static void count_hidden(struct mirror_job *job) {
    const char *first = NULL;
    for (size_t i = 0; i < job->hidden.count && job->decisions_known; i++)
        if (job->hidden.items[i].time == 0 && job->result->found_hidden++ == 0)
            first = job->hidden.items[i].name;
    if (first)
        log_warning(
            job->repo->log,
            "mirror '%s': %llu objects were hidden there, and not by a decision of this set (the first is '%s')",
            job->options->name, (unsigned long long)job->result->found_hidden, first);
}

static void add_summary(struct mirror_job *job) {
    const struct mirror_result *result = job->result;
    char objects[32], bytes[32], damaged[32], left[32];
    if (job->options->copy && job->failures == 0) {
        snprintf(objects, sizeof objects, "%llu", (unsigned long long)result->uploaded);
        snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)result->uploaded_bytes);
        snprintf(left, sizeof left, "%llu", (unsigned long long)job->left);
        journal_add(&job->destruction.events, job->options->now, "mirrored", "mirror", job->options->name, "objects",
                    objects, "bytes", bytes, job->left > 0 ? "left" : NULL, left, NULL);
    }
    if (result->verified > 0) {
        snprintf(objects, sizeof objects, "%llu", (unsigned long long)result->verified);
        snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)result->verified_bytes);
        snprintf(damaged, sizeof damaged, "%llu", (unsigned long long)result->damaged);
        journal_add(&job->destruction.events, job->options->now, "verified", "mirror", job->options->name, "objects",
                    objects, "bytes", bytes, "damaged", damaged, NULL);
    }
}

static int newest_head(void *context, const struct store_object *object, struct err *err) {
    int64_t *newest = context, started;
    (void)err;
    if (clock_parse_compact(repo_leaf(object->name), &started, NULL) == 0 && started > *newest)
        *newest = started;
    return 0;
}

static int finish(struct mirror_job *job, struct err *err) {
    char folder[REPO_NAME_MAX];
    count_strangers(job);
    count_hidden(job);
    add_summary(job);
    if (!job->decisions_known)
        return 0; /* no segment can be added to a chain that is broken */
    if (journal_append(job->repo, &job->destruction.events, err) < 0 || copy_journal(job, err) < 0)
        return -1;
    return store_list(job->there.store, repo_folder(&job->there, folder, "snapshots"), newest_head,
                      &job->result->newest_snapshot, err);
}

/* What was removed before the run broke off is still written down. */
static void save_events(struct mirror_job *job) {
    struct err why = { 0 };
    if (job->destruction.events.count > 0 && journal_append(job->repo, &job->destruction.events, &why) < 0)
        log_error(job->repo->log, "mirror '%s': %s", job->options->name, why.message);
}

/* Unfinished uploads that are old are nobody's any more. */
static void sweep_uploads(struct mirror_job *job) {
    struct err why = { 0 };
    if (store_sweep(job->there.store, job->repo->keys->set_name, clock_now() - UPLOAD_LASTS, &why) < 0)
        log_warning(job->repo->log, "mirror '%s': unfinished uploads stay: %s", job->options->name, why.message);
}

static int run_steps(struct mirror_job *job, struct err *err) {
    sweep_uploads(job);
    if (inventory_load(job, job->repo->keys->set_name, err) < 0 || notice_cut(job, err) < 0 ||
        lock_dates_load(job, err) < 0 || copy_contents(job, err) < 0 || copy_snapshots(job, err) < 0 ||
        remove_decided(job, err) < 0 || lock_contents(job, err) < 0 || verify_sample(job, err) < 0)
        return -1;
    return finish(job, err);
}

void job_begin(struct mirror_job *job, struct repo *repo, struct store *mirror, const struct mirror_options *options,
               struct mirror_result *result) {
    *result = (struct mirror_result){ 0 };
    *job = (struct mirror_job){ .repo = repo, .there = *repo, .options = options, .result = result };
    job->there.store = mirror;
    job->there.cache = NULL; /* it is of what the repository has */
    destruction_begin(&job->destruction, repo, mirror, options->name, options->now);
    job->transfers =
        store_transfers(mirror) > store_transfers(repo->store) ? store_transfers(mirror) : store_transfers(repo->store);
    pthread_mutex_init(&job->lock, NULL);
}

int job_lock(struct mirror_job *job, struct store_lock **lock, struct err *err) {
    char name[REPO_NAME_MAX];
    return store_lock_take(job->there.store, repo_name(&job->there, name, "locks", "mirror"), LOCK_WAIT, lock, err);
}

int job_end(struct mirror_job *job, int status, struct err *err) {
    const char *name = job->options->name;
    if (status == 0 && job->failures > 0) {
        *err = job->first;
        if (job->failures > 1)
            err_wrap(err, "%zu objects failed, the first", job->failures);
        status = -1;
    }
    inventory_release(job);
    index_free(job->index);
    destruction_release(&job->destruction);
    heads_release(&job->heads);
    pthread_mutex_destroy(&job->lock);
    return status < 0 ? err_wrap(err, "mirror '%s'", name) : 0;
}

int mirror_run(struct repo *repo, struct store *mirror, const struct mirror_options *options,
               struct mirror_result *result, struct err *err) {
    if (!repo->keys->can_sign)
        return err_set(err, ERR_KEY, "mirror '%s': what a mirror does is journalled, which needs the write key",
                       options->name);

    struct mirror_job job;
    struct store_lock *lock = NULL;
    job_begin(&job, repo, mirror, options, result);
    int status = claim_mirror(&job, err);
    if (status == 0)
        status = job_lock(&job, &lock, err);
    if (status == 0)
        status = run_steps(&job, err);
    if (status < 0)
        save_events(&job);
    store_lock_release(lock);
    result->refused = job.destruction.refused;
    result->refused_until = job.destruction.refused_until;
    result->hidden = job.destruction.hidden;
    return job_end(&job, status, err);
}
