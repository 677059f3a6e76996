#include "mirror_internal.h"

/* What is damaged in the repository is told at the end of the run, and keeps nothing from being copied. */
static int note_unread(struct mirror_job *job, struct err *err) {
    if (err->code != ERR_CORRUPT && err->code != ERR_NOT_FOUND)
        return -1;
    job_fail(job, err);
    err_clear(err);
    return 0;
}

int lock_dates_load(struct mirror_job *job, struct err *err) {
    const struct lock_rule *rule = job->options->locks;
    if (!rule || !store_locks(job->there.store))
        return 0;
    if (heads_load(job->repo, &job->heads, err) < 0)
        return note_unread(job, err);
    return 0;
}

static int64_t head_until(const struct mirror_job *job, const char *name) {
    const struct lock_rule *rule = job->options->locks;
    const struct head *head = heads_named(&job->heads, repo_leaf(name));
    return head ? rule->dates(rule->context, head).until : 0;
}

/* A segment counts from when it was written, whenever it is sent. */
static int64_t segment_until(const struct mirror_job *job, const char *name) {
    const struct store_listed *here = store_names_find(&job->folders[FOLDER_JOURNAL].here, name);
    int64_t now = job->options->now, written = here && here->modified < now ? here->modified : now;
    return job->repo->journal_keep > 0 ? written + job->repo->journal_keep : 0;
}

/* An index object is replaced by every purge, and keys may be removed at any time. */
int64_t lock_at_first(const struct mirror_job *job, const char *name, enum folder_kind kind) {
    switch (kind) {
    case FOLDER_KEYS:
    case FOLDER_INDEX:
    case FOLDER_HOLDS:
    case FOLDER_ERASURES:
        return 0;
    case FOLDER_HEADS:
        return head_until(job, name);
    case FOLDER_JOURNAL:
        return segment_until(job, name);
    case FOLDER_KINDS:
        break;
    }
    return job->options->now + LOCK_AT_FIRST;
}

static bool is_there(void *context, const uint8_t pack[32]) {
    return inventory_find(context, pack) != NULL;
}

int lock_contents(struct mirror_job *job, struct err *err) {
    uint64_t lengthened = 0;
    if (!job->options->locks)
        return 0;
    int status = locks_lengthen(job->repo, job->there.store, job->options->locks, job->options->now, is_there, job,
                                &lengthened, err);
    if (lengthened > 0)
        log_detail(job->repo->log, "mirror '%s': the locks of %llu objects were lengthened", job->options->name,
                   (unsigned long long)lengthened);
    return status < 0 ? note_unread(job, err) : 0;
}
