#include "mirror_internal.h"
#include <muniment/repo/record.h>
#include <stdio.h>
#include <string.h>

/* Whether an object of the mirror is a segment that a host of this set signed. */
static int is_segment(struct mirror_job *job, const char *name, bool *genuine, struct err *err) {
    struct buffer payload = { 0 };
    *genuine = record_load(&job->there, RECORD_JOURNAL, name, JOURNAL_OBJECT_MAX, &payload, NULL, err) == 0;
    buffer_release(&payload);
    if (*genuine)
        return 0;
    if (!record_fails_alone(err))
        return -1;
    err_clear(err);
    return 0;
}

/* The mirror was listed before the repository is: so whatever it has was in the repository then. */
int notice_cut(struct mirror_job *job, struct err *err) {
    const struct folder *folder = &job->folders[FOLDER_JOURNAL];
    const char *first = NULL;
    size_t count = 0;
    if (!job->decisions_known)
        return 0; /* the repository's journal is damaged, which is told already */
    if (folder_list_here(job, FOLDER_JOURNAL, err) < 0)
        return -1;
    for (size_t i = 0; i < folder->there.count; i++) {
        const char *name = folder->there.items[i].name;
        bool genuine = false;
        if (folder->decided[i] || folder_has(&folder->here, name))
            continue;
        if (is_segment(job, name, &genuine, err) < 0)
            return -1;
        if (genuine && count++ == 0)
            first = name;
    }
    job->journal_was_cut = count > 0;
    if (count == 0)
        return 0;

    struct err why = { 0 };
    char segments[32];
    err_set(&why, ERR_DIVERGED,
            "%zu segments of the journal are on the mirror and not in the repository (the first is '%s'): the "
            "repository's journal was cut, or the repository was set back. Nothing is removed from the mirror",
            count, first);
    err_hint(&why,
             "find out who changed the repository; 'muniment journal --mirror %s SET' shows what it lost, and "
             "'muniment repair SET %s' brings it back",
             job->options->name, job->options->name);
    job_fail(job, &why);
    snprintf(segments, sizeof segments, "%zu", count);
    journal_add(&job->destruction.events, job->options->now, "diverged", "mirror", job->options->name, "segments",
                segments, "object", repo_below(job->repo, first), NULL);
    return 0;
}

/* A chain that is broken in the repository is not sent on, nor one that was cut there and goes on as another. */
int copy_journal(struct mirror_job *job, struct err *err) {
    if (!job->decisions_known || job->journal_was_cut)
        return 0;
    if (folder_list_here(job, FOLDER_JOURNAL, err) < 0)
        return -1;
    return copy_folder(job, FOLDER_JOURNAL, err);
}

int mirror_journal(struct repo *repo, struct store *mirror, const char *name, int64_t now, struct err *err) {
    const struct mirror_options options = { .name = name, .now = now };
    struct mirror_result result;
    struct mirror_job job;
    struct store_lock *lock = NULL;
    char folder[REPO_NAME_MAX];
    job_begin(&job, repo, mirror, &options, &result);
    int status = job_lock(&job, &lock, err);
    if (status == 0)
        status = inventory_load(&job, repo_folder(repo, folder, "journal"), err);
    if (status == 0)
        status = notice_cut(&job, err);
    if (status == 0)
        status = copy_journal(&job, err);
    store_lock_release(lock);
    return job_end(&job, status, err);
}
