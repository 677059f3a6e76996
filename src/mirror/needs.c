#include "mirror_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/* --- what a snapshot needs ---------------------------------------------------------------------------------------- */

typedef void place_each(void *context, const struct index_place *place, bool first);

struct need_walk {
    struct index *index;
    place_each *each; /* every place of every slot; `first` begins a new slot */
    void *context;
};

static int walk_extent(void *context, const struct extent *extent, enum extent_role role, struct err *err) {
    struct need_walk *walk = context;
    (void)role;
    if (interrupt_check(err) < 0)
        return -1;
    for (uint32_t i = 0; i < extent->count; i++) {
        struct index_place place;
        unsigned copies = 0;
        while (index_place(walk->index, extent->birth, extent->first + i, copies, &place))
            walk->each(walk->context, &place, copies++ == 0);
        if (copies == 0)
            return err_set(err, ERR_CORRUPT, "no indexed pack holds slot %u of a snapshot", extent->first + i);
    }
    return 0;
}

static int walk_head(struct repo *repo, const char *name, struct need_walk *walk, struct err *err) {
    struct head head = { 0 };
    int status = head_load(repo, name, &head, err);
    for (size_t i = 0; status == 0 && i < head.source_count; i++)
        status = references_walk(repo, walk->index, &head.sources[i].references, walk_extent, walk, err);
    head_release(&head);
    return status < 0 ? err_wrap(err, "follow snapshot '%s'", name) : 0;
}

/* --- packs that are missing on the mirror --------------------------------------------------------------------------
 */

/* A flag for each pack of the index: needed. Every place of a slot counts: whoever reads the mirror may be led to any
 * of them by the index. */
static void mark_place(void *context, const struct index_place *place, bool first) {
    bool *needed = context;
    (void)first;
    needed[place->pack] = true;
}

static bool lacks_any(const struct mirror_job *job, const struct index *index) {
    for (size_t i = 0; i < index_pack_count(index); i++)
        if (!inventory_find(job, index_pack(index, i)->pack))
            return true;
    return false;
}

static int send_missing(struct mirror_job *job, const struct index *index, const bool *needed, struct err *err) {
    struct workers *workers = workers_start(job->transfers, sizeof(struct transfer), copy_transfer, job);
    int status = 0;
    for (size_t i = 0; i < index_pack_count(index) && status == 0; i++) {
        char name[REPO_NAME_MAX];
        const struct pack_table *table = index_pack(index, i);
        if (!needed[i] || inventory_find(job, table->pack))
            continue;
        struct transfer transfer = transfer_of(repo_pack_name(job->repo, name, table->pack), table->size, FOLDER_KINDS);
        status = workers_give(workers, &transfer, err);
    }
    if (status < 0)
        workers_stop(workers);
    else
        status = workers_finish(workers, err);
    inventory_sort(job);
    return status;
}

/* The index or a head that cannot be read is no reason to end the run, but one to let nothing go. */
static int note_unread(struct mirror_job *job, struct err *err) {
    if (err->code != ERR_CORRUPT && err->code != ERR_NOT_FOUND)
        return -1;
    if (err->code == ERR_NOT_FOUND) {
        job->vanished = true;
    } else {
        job->pack_failures++;
        job_fail(job, err);
    }
    err_clear(err);
    return 0;
}

int needs_upload(struct mirror_job *job, struct err *err) {
    const struct folder *heads = &job->folders[FOLDER_HEADS];
    struct need_walk walk = { .index = index_new(), .each = mark_place };
    bool *needed = NULL;
    int status = -1;
    if (index_load(walk.index, job->repo, err) < 0) {
        status = note_unread(job, err);
        goto out;
    }
    walk.context = needed = mem_array(index_pack_count(walk.index) + 1, sizeof *needed);
    bool any = lacks_any(job, walk.index);
    for (size_t i = 0; any && i < heads->there.count; i++) {
        const char *name = heads->there.items[i].name;
        if (!folder_has(&heads->here, name))
            continue;
        if (walk_head(job->repo, repo_leaf(name), &walk, err) < 0 && note_unread(job, err) < 0)
            goto out;
    }
    status = send_missing(job, walk.index, needed, err);
out:
    free(needed);
    index_free(walk.index);
    return status;
}

/* --- snapshots that only the mirror has ------------------------------------------------------------------------------
 */

static void mark_needed(void *context, const struct index_place *place, bool first) {
    struct mirrored_pack *pack = inventory_find(context, place->table->pack);
    (void)first;
    if (pack)
        pack->needed = true;
}

/* A head that the mirror has and the repository has not, and that stays: nobody decided about it, or a lock or a hold
 * keeps it. */
static bool stays_alone(const struct folder *heads, size_t at) {
    return (!heads->decided[at] || heads->refused[at] || heads->held[at]) &&
           !folder_has(&heads->here, heads->there.items[at].name);
}

int needs_of_strangers(struct mirror_job *job, bool *any, struct err *err) {
    const struct folder *heads = &job->folders[FOLDER_HEADS];
    *any = false;
    for (size_t i = 0; i < heads->there.count && !*any; i++)
        *any = stays_alone(heads, i);
    if (!*any)
        return 0;

    struct need_walk walk = { .index = index_new(), .each = mark_needed, .context = job };
    int status = index_load(walk.index, &job->there, err);
    for (size_t i = 0; status == 0 && i < heads->there.count; i++) {
        const char *name = heads->there.items[i].name;
        if (!stays_alone(heads, i))
            continue;
        if (!heads->decided[i])
            log_warning(
                job->repo->log,
                "mirror '%s': snapshot '%s' is gone from the repository though no rotation expired it: it stays",
                job->options->name, repo_leaf(name));
        status = walk_head(&job->there, repo_leaf(name), &walk, err);
    }
    if (status < 0)
        status = note_unread(job, err);
    index_free(walk.index);
    return status;
}

/* --- a snapshot about to be sent -------------------------------------------------------------------------------------
 */

struct coverage {
    struct mirror_job *job;
    bool slot_met; /* of the slot that is being walked */
    bool all_met;  /* of those before it */
};

static void cover(void *context, const struct index_place *place, bool first) {
    struct coverage *coverage = context;
    if (first) {
        coverage->all_met = coverage->all_met && coverage->slot_met;
        coverage->slot_met = false;
    }
    if (inventory_find(coverage->job, place->table->pack))
        coverage->slot_met = true;
}

int needs_are_met(struct mirror_job *job, const char *name, bool *met, struct err *err) {
    *met = false;
    if (!job->index) {
        struct index *index = index_new();
        if (index_load(index, job->repo, err) < 0) {
            index_free(index);
            return note_unread(job, err);
        }
        job->index = index;
    }

    struct coverage coverage = { .job = job, .slot_met = true, .all_met = true };
    struct need_walk walk = { .index = job->index, .each = cover, .context = &coverage };
    if (walk_head(job->repo, repo_leaf(name), &walk, err) < 0)
        return note_unread(job, err);
    *met = coverage.all_met && coverage.slot_met;
    if (!*met)
        log_error(job->repo->log, "mirror '%s': snapshot '%s' was not sent, because a pack it needs was not",
                  job->options->name, repo_leaf(name));
    return 0;
}
