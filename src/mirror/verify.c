#include "mirror_internal.h"
#include <string.h>

enum { DAY = 86400 };

/* Each name has a place among a hundred by its hash, and every day the window of those that are read moves on by its
 * own width: so all are read within 100 / percent days, however names are distributed. */
bool verify_is_due(const char *name, unsigned percent, int64_t now) {
    uint8_t hash[32];
    if (percent >= 100)
        return true;
    if (percent == 0 || !repo_name_hash(name, hash))
        return false;
    unsigned place = (hash[0] | (unsigned)hash[1] << 8) % 100;
    unsigned window = (unsigned)((uint64_t)(now / DAY) * percent % 100);
    return (place + 100 - window) % 100 < percent;
}

int verify_object(struct mirror_job *job, struct store *store, const char *name, uint64_t size, bool *good,
                  struct err *err) {
    uint8_t expected[SHA256_SIZE], digest[SHA256_SIZE];
    bool unread;
    *good = false;
    if (!repo_name_hash(name, expected))
        return 0;
    if (read_object(store, name, size, NULL, digest, &unread, err) < 0) {
        if (!unread || !fails_alone(err))
            return -1;

        /* Cut, gone, or on a bad sector: all the same here. */
        log_warning(job->repo->log, "%s", err->message);
        err_clear(err);
        return 0;
    }
    *good = memcmp(digest, expected, sizeof digest) == 0;
    return 0;
}

/* Replacing it is safe: only bytes that are what the name says are ever committed. */
static int mend(struct mirror_job *job, const struct transfer *transfer, struct err *err) {
    const char *name = transfer->name;
    enum copied copied = COPY_VANISHED;
    int64_t modified;
    struct err why = { 0 };
    struct transfer again = *transfer;
    if (store_stat(job->repo->store, name, &again.size, &modified, &why) == 0) {
        if (copy_object(job, &again, &copied, err) < 0)
            return -1;
    } else if (!fails_alone(&why)) {
        *err = why;
        return err_wrap(err, "mend '%s'", name);
    }
    if (copied == COPY_DONE) {
        log_info(job->repo->log, "mirror '%s': '%s' was sent again", job->options->name, name);
        return 0;
    }
    err_clear(&why);
    err_set(&why, ERR_DIVERGED, "'%s' is damaged on the mirror, and the repository cannot mend it", name);
    job_fail(job, &why);
    return 0;
}

static int verify_transfer(void *context, void *item, struct err *err) {
    struct mirror_job *job = context;
    const struct transfer *transfer = item;
    bool good;
    if (verify_object(job, job->there.store, transfer->name, transfer->size, &good, err) < 0)
        return -1;
    pthread_mutex_lock(&job->lock);
    job->result->verified++;
    job->result->verified_bytes += transfer->size;
    pthread_mutex_unlock(&job->lock);
    if (good)
        return 0;
    count_damaged(job);
    log_warning(job->repo->log, "mirror '%s': '%s' is damaged there", job->options->name, transfer->name);
    return mend(job, transfer, err);
}

/* Whoever overwrites an object leaves more than one version; our own writing twice is rare, and is read once. */
static int give_if_due(struct mirror_job *job, struct workers *workers, const struct transfer *transfer,
                       int64_t overwritten, struct err *err) {
    unsigned percent = job->options->verify_percent;
    if (overwritten <= job->last_run && !verify_is_due(transfer->name, percent, job->options->now))
        return 0;
    return workers_give(workers, transfer, err);
}

static int give_sample(struct mirror_job *job, struct workers *workers, struct err *err) {
    char name[REPO_NAME_MAX];
    const enum folder_kind kinds[] = { FOLDER_HEADS, FOLDER_INDEX, FOLDER_ERASURES, FOLDER_JOURNAL };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const struct folder *folder = &job->folders[kinds[k]];
        for (size_t i = 0; i < folder->there.count; i++) {
            const struct store_listed *item = &folder->there.items[i];
            const struct store_listed *here = store_names_find(&folder->here, item->name);
            struct transfer transfer = transfer_of(item->name, here ? here->size : item->size, kinds[k]);
            if (here || !folder->decided[i])
                if (give_if_due(job, workers, &transfer, folder->overwritten[i], err) < 0)
                    return -1;
        }
    }
    for (size_t i = 0; i < job->pack_count; i++) {
        const struct mirrored_pack *pack = &job->packs[i];
        struct transfer transfer = transfer_of(repo_pack_name(&job->there, name, pack->hash), pack->size, FOLDER_KINDS);
        if (pack->seen || !pack->decided)
            if (give_if_due(job, workers, &transfer, pack->overwritten, err) < 0)
                return -1;
    }
    return 0;
}

int verify_sample(struct mirror_job *job, struct err *err) {
    struct workers *workers = workers_start(job->transfers, sizeof(struct transfer), verify_transfer, job);
    if (give_sample(job, workers, err) < 0) {
        workers_stop(workers);
        return -1;
    }
    return workers_finish(workers, err);
}
