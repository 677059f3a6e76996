#include "mirror_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/sha256.h>
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

int verify_object(struct mirror_job *job, const char *name, uint64_t size, bool *good, struct err *err) {
    uint8_t expected[32], digest[32];
    *good = false;
    if (!repo_name_hash(name, expected))
        return 0;

    struct sha256 *hash = sha256_new();
    int status = 0;
    bool whole = true;
    for (uint64_t offset = 0; offset < size && whole;) {
        size_t length = size - offset < SCRATCH_SIZE ? (size_t)(size - offset) : SCRATCH_SIZE;
        status = interrupt_check(err);
        if (status < 0)
            break;
        if (store_get_range(job->there.store, name, offset, job->scratch, length, err) < 0) {
            /* Cut, gone, or on a bad sector: all the same to a mirror. */
            log_warning(job->repo->log, "mirror '%s': %s", job->options->name, err->message);
            err_clear(err);
            whole = false;
            break;
        }
        sha256_update(hash, job->scratch, length);
        offset += length;
    }
    sha256_final(hash, digest);
    *good = status == 0 && whole && memcmp(digest, expected, sizeof digest) == 0;
    sha256_free(hash);
    return status;
}

static int verify_one(struct mirror_job *job, const char *name, uint64_t size, bool in_repository, struct err *err) {
    bool good;
    if (!verify_is_due(name, job->options->verify_percent, job->options->now))
        return 0;
    if (verify_object(job, name, size, &good, err) < 0)
        return -1;
    job->result->verified++;
    job->result->verified_bytes += size;
    if (good)
        return 0;

    /* Replacing it is safe: only bytes that are what the name says are ever committed. */
    job->result->damaged++;
    log_warning(job->repo->log, "mirror '%s': '%s' is damaged there", job->options->name, name);
    enum copied copied = COPY_VANISHED;
    uint64_t here;
    int64_t modified;
    if (in_repository && store_stat(job->repo->store, name, &here, &modified, err) == 0 &&
        copy_object(job, name, here, &copied, err) < 0)
        return -1;
    err_clear(err);
    if (copied == COPY_DONE) {
        log_info(job->repo->log, "mirror '%s': '%s' was sent again", job->options->name, name);
        return 0;
    }
    struct err why = { 0 };
    err_set(&why, ERR_DIVERGED, "'%s' is damaged on the mirror, and the repository cannot mend it", name);
    job_fail(job, &why);
    return 0;
}

int verify_sample(struct mirror_job *job, struct err *err) {
    char name[REPO_NAME_MAX];
    if (job->options->verify_percent == 0)
        return 0;
    const enum folder_kind kinds[] = { FOLDER_HEADS, FOLDER_INDEX };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const struct folder *folder = &job->folders[kinds[k]];
        for (size_t i = 0; i < folder->there.count; i++) {
            const struct store_listed *item = &folder->there.items[i];
            const struct store_listed *here = store_names_find(&folder->here, item->name);
            if (here || !folder->decided[i])
                if (verify_one(job, item->name, here ? here->size : item->size, here != NULL, err) < 0)
                    return -1;
        }
    }
    for (size_t i = 0; i < job->pack_count; i++) {
        const struct mirrored_pack *pack = &job->packs[i];
        if (pack->seen || !pack->decided)
            if (verify_one(job, repo_pack_name(&job->there, name, pack->hash), pack->size, pack->seen, err) < 0)
                return -1;
    }
    return 0;
}
