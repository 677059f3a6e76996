#include "mirror_internal.h"
#include <muniment/util/interrupt.h>
#include <string.h>

/* The last look before something goes: what the repository has, whatever was decided about it once, stays. */
static int remove_object(struct mirror_job *job, const char *name, uint64_t size, struct err *err) {
    uint64_t here;
    int64_t modified;
    struct err why = { 0 };
    if (interrupt_check(err) < 0)
        return -1;
    if (store_stat(job->repo->store, name, &here, &modified, &why) == 0)
        return 0;
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return -1;
    }
    if (store_remove(job->there.store, name, NULL, err) < 0)
        return err_wrap(err, "remove '%s'", name);
    job->result->removed++;
    job->result->removed_bytes += size;
    journal_add(&job->events, job->options->now, "removed", "mirror", job->options->name, "object",
                name + strlen(job->repo->keys->set_name) + 1, NULL);
    return 0;
}

static int remove_from_folder(struct mirror_job *job, enum folder_kind kind, struct err *err) {
    const struct folder *folder = &job->folders[kind];
    for (size_t i = 0; i < folder->there.count; i++)
        if (folder_must_go(job, kind, i))
            if (remove_object(job, folder->there.items[i].name, folder->there.items[i].size, err) < 0)
                return -1;
    return 0;
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
        if (folder_has(&folder->there, folder->here.items[i].name) ||
            store_stat(job->there.store, folder->here.items[i].name, &size, &modified, err) == 0)
            continue;
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        *current = false;
    }
    return 0;
}

static int remove_packs(struct mirror_job *job, struct err *err) {
    for (size_t i = 0; i < job->pack_count; i++) {
        char name[REPO_NAME_MAX];
        if (pack_must_go(&job->packs[i]))
            if (remove_object(job, repo_pack_name(&job->there, name, job->packs[i].hash), job->packs[i].size, err) < 0)
                return -1;
    }
    return 0;
}

int remove_decided(struct mirror_job *job, struct err *err) {
    if (!job->decisions_known)
        return 0;
    if (remove_from_folder(job, FOLDER_HEADS, err) < 0 || remove_from_folder(job, FOLDER_KEYS, err) < 0)
        return -1;

    if (!something_goes(job))
        return 0;

    /* Where something that should be there is not, the old may be the last that holds it. */
    bool strangers, current;
    if (job->pack_failures == 0 && needs_of_strangers(job, &strangers, err) < 0)
        return -1;
    if (job->pack_failures > 0) {
        log_warning(job->repo->log, "mirror '%s': no pack is removed, because others could not be sent",
                    job->options->name);
        return 0;
    }
    if (index_is_current(job, &current, err) < 0)
        return -1;
    if (!current) {
        log_info(job->repo->log, "mirror '%s': a purge is at work; what it destroyed is removed by the next run",
                 job->options->name);
        return 0;
    }
    if (!strangers && remove_from_folder(job, FOLDER_INDEX, err) < 0)
        return -1;
    return remove_packs(job, err);
}
