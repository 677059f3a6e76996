#include "mirror_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SMALL_OBJECT_MAX = 64 * 1024,
    PIECE_OF_FOLDER = 1024 * 1024,
    PIECE_OF_BUCKET = 8 * 1024 * 1024, /* a request waits for a network, and is paid for */
};

struct transfer transfer_of(const char *name, uint64_t size, enum folder_kind kind) {
    struct transfer transfer = { .size = size, .kind = kind };
    snprintf(transfer.name, sizeof transfer.name, "%s", name);
    return transfer;
}

/* Of a folder the system says so, with an errno; a service that is away has none. */
bool fails_alone(const struct err *err) {
    return err->code == ERR_NOT_FOUND || err->code == ERR_CORRUPT || err->sys != 0;
}

void job_fail(struct mirror_job *job, const struct err *why) {
    pthread_mutex_lock(&job->lock);
    if (job->failures++ == 0)
        job->first = *why;
    pthread_mutex_unlock(&job->lock);
    log_error(job->repo->log, "mirror '%s': %s", job->options->name, why->message);
}

void count_damaged(struct mirror_job *job) {
    pthread_mutex_lock(&job->lock);
    job->result->damaged++;
    pthread_mutex_unlock(&job->lock);
}

static void count_upload(struct mirror_job *job, uint64_t size) {
    pthread_mutex_lock(&job->lock);
    job->result->uploaded++;
    job->result->uploaded_bytes += size;
    pthread_mutex_unlock(&job->lock);
}

int read_object(struct store *store, const char *name, uint64_t size, struct store_upload *upload,
                uint8_t digest[SHA256_SIZE], bool *unread, struct err *err) {
    size_t most = store_transfers(store) > 1 ? PIECE_OF_BUCKET : PIECE_OF_FOLDER;
    uint8_t *piece = mem_alloc(size < most ? (size_t)size + 1 : most);
    struct sha256 *hash = sha256_new();
    int status = 0;
    *unread = false;
    for (uint64_t offset = 0; offset < size && status == 0;) {
        size_t length = size - offset < most ? (size_t)(size - offset) : most;
        status = interrupt_check(err);
        if (status < 0)
            break;
        status = store_get_range(store, name, offset, piece, length, err);
        if (status < 0) {
            *unread = true;
            break;
        }
        sha256_update(hash, piece, length);
        if (upload)
            status = store_upload_write(upload, piece, length, err);
        if (status < 0)
            err_wrap(err, "send '%s'", name);
        offset += length;
    }
    sha256_final(hash, digest);
    sha256_free(hash);
    free(piece);
    return status;
}

/* The store's own word that all of it is there. */
static int check_arrived(const struct copying *copying, struct err *err) {
    uint64_t there = 0;
    int64_t modified;
    if (store_stat(copying->to, copying->name, &there, &modified, err) < 0)
        return -1;
    if (there != copying->size)
        return err_set(err, ERR_DIVERGED, "'%s' has %llu bytes in '%s' after %llu were sent", copying->name,
                       (unsigned long long)there, store_label(copying->to), (unsigned long long)copying->size);
    return 0;
}

int copy_verified(const struct copying *copying, enum copied *copied, struct err *why, struct err *err) {
    const char *name = copying->name;
    uint8_t expected[SHA256_SIZE], digest[SHA256_SIZE];
    *copied = COPY_FAILED;
    if (!repo_name_hash(name, expected)) {
        err_set(why, ERR_CORRUPT, "'%s' in '%s' has a name without a hash", name, store_label(copying->from));
        return 0;
    }

    struct store_upload *upload = NULL;
    if (store_upload_begin(copying->to, &upload, err) < 0)
        return err_wrap(err, "send '%s'", name);
    store_upload_lock(upload, copying->lock_until);
    int status = -1;
    bool unread;
    if (read_object(copying->from, name, copying->size, upload, digest, &unread, err) < 0) {
        if (unread && fails_alone(err)) {
            *copied = err->code == ERR_NOT_FOUND ? COPY_VANISHED : COPY_FAILED;
            *why = *err;
            err_clear(err);
            status = 0;
        }
        goto out;
    }

    /* What was read is on its way already; only the commit makes it an object. */
    if (memcmp(digest, expected, sizeof digest) != 0) {
        err_set(why, ERR_CORRUPT, "'%s' is damaged in '%s', so it was not copied", name, store_label(copying->from));
        status = 0;
        goto out;
    }
    store_upload_hashed(upload, digest);
    status = store_upload_commit(upload, name, err);
    upload = NULL;
    if (status < 0)
        err_wrap(err, "send '%s'", name);
    else
        status = check_arrived(copying, err);
    if (status == 0)
        *copied = COPY_DONE;
out:
    store_upload_abort(upload);
    return status;
}

int copy_object(struct mirror_job *job, const struct transfer *transfer, enum copied *copied, struct err *err) {
    const struct copying copying = {
        .from = job->repo->store,
        .to = job->there.store,
        .name = transfer->name,
        .size = transfer->size,
        .lock_until = lock_at_first(job, transfer->name, transfer->kind),
    };
    struct err why = { 0 };
    if (copy_verified(&copying, copied, &why, err) < 0)
        return -1;
    if (*copied == COPY_FAILED)
        job_fail(job, &why);
    if (*copied == COPY_DONE)
        count_upload(job, transfer->size);
    return 0;
}

int copy_transfer(void *context, void *item, struct err *err) {
    struct mirror_job *job = context;
    const struct transfer *transfer = item;
    enum copied copied;
    if (copy_object(job, transfer, &copied, err) < 0)
        return -1;
    if (copied == COPY_DONE) {
        inventory_sent(job, transfer);
        return 0;
    }
    pthread_mutex_lock(&job->lock);
    bool content = transfer->kind == FOLDER_KINDS || transfer->kind == FOLDER_INDEX;
    if (copied == COPY_VANISHED && content)
        job->vanished = true;
    else if (copied == COPY_FAILED && content)
        job->pack_failures++;
    else if (copied == COPY_FAILED && transfer->kind == FOLDER_JOURNAL)
        job->chain_broke = true;
    pthread_mutex_unlock(&job->lock);
    return 0;
}

/* --- packs -----------------------------------------------------------------------------------------------------------
 */

/* Place in the sorted inventory while the repository's listing, sorted the same way, goes by. */
struct pack_join {
    struct mirror_job *job;
    struct workers *workers;
    size_t at;
};

static int join_pack(void *context, const struct store_object *object, struct err *err) {
    struct pack_join *join = context;
    struct mirror_job *job = join->job;
    uint8_t hash[32];
    if (!repo_name_hash(object->name, hash))
        return 0;

    int order = 1;
    while (join->at < job->pack_count && (order = memcmp(job->packs[join->at].hash, hash, sizeof hash)) < 0)
        join->at++;
    if (join->at < job->pack_count && order == 0) {
        job->packs[join->at].seen = true;
        if (job->packs[join->at].size == object->size)
            return 0;
        log_warning(job->repo->log, "mirror '%s': '%s' has %llu bytes instead of %llu: sent again", job->options->name,
                    object->name, (unsigned long long)job->packs[join->at].size, (unsigned long long)object->size);
        count_damaged(job);
    } else if (!job->options->copy) {
        return 0;
    }
    struct transfer transfer = transfer_of(object->name, object->size, FOLDER_KINDS);
    return workers_give(join->workers, &transfer, err);
}

int copy_packs(struct mirror_job *job, struct err *err) {
    char name[REPO_NAME_MAX];
    for (size_t i = 0; i < job->pack_count; i++)
        job->packs[i].seen = false;
    struct workers *workers = workers_start(job->transfers, sizeof(struct transfer), copy_transfer, job);
    struct pack_join join = { .job = job, .workers = workers };
    int status = store_list(job->repo->store, repo_folder(job->repo, name, "packs"), join_pack, &join, err);
    if (status < 0)
        workers_stop(workers);
    else
        status = workers_finish(workers, err);
    inventory_sort(job);
    return status;
}

/* --- the small folders
 * ------------------------------------------------------------------------------------------------ */

/* Wrapped keys and holds have no hash in their names; they are compared byte by byte, and the mirror's is never
 * replaced, for it may be the good one. */
static int copy_nameless(struct mirror_job *job, const struct store_listed *here, const struct store_listed *there,
                         struct err *err) {
    struct buffer mine = { 0 }, theirs = { 0 };
    int status = -1;
    struct err why = { 0 };
    if (store_get(job->repo->store, here->name, SMALL_OBJECT_MAX, &mine, &why) < 0) {
        if (!fails_alone(&why)) {
            *err = why;
            goto out;
        }
        if (why.code != ERR_NOT_FOUND)
            job_fail(job, &why);
        status = 0;
        goto out;
    }
    if (!there) {
        status = store_put(job->there.store, here->name, mine.data, mine.length, err);
        if (status == 0)
            count_upload(job, mine.length);
        goto out;
    }
    const bool read = store_get(job->there.store, here->name, SMALL_OBJECT_MAX, &theirs, &why) == 0;
    if (!read && !fails_alone(&why)) {
        *err = why;
        goto out;
    }
    if (!read || theirs.length != mine.length || memcmp(theirs.data, mine.data, mine.length) != 0) {
        err_set(&why, ERR_DIVERGED, "'%s' differs between the repository and the mirror", here->name);
        err_hint(&why, "find out which of the two opens, and remove the other");
        count_damaged(job);
        job_fail(job, &why);
    }
    status = 0;
out:
    buffer_release(&mine);
    buffer_release(&theirs);
    return status;
}

bool journal_forks(const struct store_names *there, const char *name) {
    const char *hash = strrchr(name, '-');
    size_t length = hash ? (size_t)(hash - name) + 1 : strlen(name);
    for (size_t i = 0; i < there->count; i++)
        if (strncmp(there->items[i].name, name, length) == 0 && strcmp(there->items[i].name, name) != 0)
            return true;
    return false;
}

/* Whether this object of the repository has to be sent, given what the mirror has under its name. */
static int must_send(struct mirror_job *job, enum folder_kind kind, const struct store_listed *here,
                     const struct store_listed *there, bool *send, struct err *err) {
    if (!there && kind == FOLDER_JOURNAL && journal_forks(&job->folders[kind].there, here->name)) {
        struct err why = { 0 };
        err_set(&why, ERR_DIVERGED, "'%s': the mirror has another segment with this number", here->name);
        err_hint(&why, "one of the two stores was set back to an earlier state; compare their journals");
        job_fail(job, &why);
        *send = false;
        return 0;
    }

    /* What was sent in this run was verified then. */
    const struct store_listed *sent = store_names_find(&job->folders[kind].sent, here->name);
    bool good = (there && there->size == here->size) || (sent && sent->size == here->size);
    if (good && there && !sent && kind == FOLDER_JOURNAL && !job->mirror_journal_good &&
        verify_object(job, job->there.store, there->name, here->size, &good, err) < 0)
        return -1;
    *send = !good;
    if (there && !good) {
        log_warning(job->repo->log, "mirror '%s': '%s' is damaged there: sent again", job->options->name, here->name);
        count_damaged(job);
    }
    return 0;
}

static int give_folder(struct mirror_job *job, enum folder_kind kind, struct workers *workers, struct err *err) {
    struct folder *folder = &job->folders[kind];
    for (size_t i = 0; i < folder->here.count; i++) {
        const struct store_listed *here = &folder->here.items[i];
        const struct store_listed *there = store_names_find(&folder->there, here->name);
        if (interrupt_check(err) < 0)
            return -1;
        if (kind == FOLDER_KEYS || kind == FOLDER_HOLDS) {
            if (copy_nameless(job, here, there, err) < 0)
                return -1;
            continue;
        }

        bool send;
        if (must_send(job, kind, here, there, &send, err) < 0)
            return -1;
        if (send && kind == FOLDER_HEADS && job->pack_failures > 0 && needs_are_met(job, here->name, &send, err) < 0)
            return -1;
        struct transfer transfer = transfer_of(here->name, here->size, kind);
        if (send && workers_give(workers, &transfer, err) < 0)
            return -1;
        if (kind == FOLDER_JOURNAL && job->chain_broke)
            break; /* what follows would hang in the air */
    }
    return 0;
}

/* Segments of the journal go one after another, in the order of their numbers: so a run that is killed leaves chains
 * without gaps. */
int copy_folder(struct mirror_job *job, enum folder_kind kind, struct err *err) {
    unsigned transfers = kind == FOLDER_JOURNAL ? 1 : job->transfers;
    struct workers *workers = workers_start(transfers, sizeof(struct transfer), copy_transfer, job);
    job->chain_broke = false;
    if (give_folder(job, kind, workers, err) < 0) {
        workers_stop(workers);
        return -1;
    }
    return workers_finish(workers, err);
}
