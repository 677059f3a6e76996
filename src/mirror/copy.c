#include "mirror_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/sha256.h>
#include <string.h>

enum { KEY_OBJECT_MAX = 64 * 1024 };

void job_fail(struct mirror_job *job, const struct err *why) {
    if (job->failures++ == 0)
        job->first = *why;
    log_error(job->repo->log, "mirror '%s': %s", job->options->name, why->message);
}

static void count_upload(struct mirror_job *job, uint64_t size) {
    job->result->uploaded++;
    job->result->uploaded_bytes += size;
    if (job->options->progress)
        job->options->progress->items++;
}

/* What was read is on its way already; only the commit makes it an object, and only the right bytes get that far. */
static int stream_object(struct mirror_job *job, struct store_upload *upload, struct sha256 *hash, const char *name,
                         uint64_t size, bool *unread, struct err *err) {
    *unread = false;
    for (uint64_t offset = 0; offset < size;) {
        size_t length = size - offset < SCRATCH_SIZE ? (size_t)(size - offset) : SCRATCH_SIZE;
        if (interrupt_check(err) < 0)
            return -1;
        if (store_get_range(job->repo->store, name, offset, job->scratch, length, err) < 0) {
            *unread = true;
            return -1;
        }
        sha256_update(hash, job->scratch, length);
        if (store_upload_write(upload, job->scratch, length, err) < 0)
            return err_wrap(err, "send '%s'", name);
        offset += length;
        if (job->options->progress)
            job->options->progress->done += length;
    }
    return 0;
}

int copy_object(struct mirror_job *job, const char *name, uint64_t size, enum copied *copied, struct err *err) {
    uint8_t expected[32], digest[32];
    struct err why = { 0 };
    *copied = COPY_FAILED;
    if (!repo_name_hash(name, expected)) {
        err_set(&why, ERR_CORRUPT, "'%s' in the repository has a name without a hash", name);
        job_fail(job, &why);
        return 0;
    }

    struct store_upload *upload = NULL;
    if (store_upload_begin(job->there.store, &upload, err) < 0)
        return err_wrap(err, "send '%s'", name);
    struct sha256 *hash = sha256_new();
    int status = -1;
    bool unread;
    if (stream_object(job, upload, hash, name, size, &unread, err) < 0) {
        if (unread && err->code != ERR_INTERRUPTED) {
            *copied = err->code == ERR_NOT_FOUND ? COPY_VANISHED : COPY_FAILED;
            if (*copied == COPY_FAILED)
                job_fail(job, err);
            err_clear(err);
            status = 0;
        }
        goto out;
    }

    sha256_final(hash, digest);
    if (memcmp(digest, expected, sizeof digest) != 0) {
        err_set(&why, ERR_CORRUPT, "'%s' is damaged in the repository, so it was not sent", name);
        job_fail(job, &why);
        status = 0;
        goto out;
    }
    status = store_upload_commit(upload, name, err);
    upload = NULL;
    if (status < 0) {
        err_wrap(err, "send '%s'", name);
        goto out;
    }

    /* The mirror's own word that all of it is there. */
    uint64_t there = 0;
    int64_t modified;
    status = store_stat(job->there.store, name, &there, &modified, err);
    if (status == 0 && there != size)
        status = err_set(err, ERR_DIVERGED, "'%s' has %llu bytes on the mirror after %llu were sent", name,
                         (unsigned long long)there, (unsigned long long)size);
    if (status == 0) {
        *copied = COPY_DONE;
        count_upload(job, size);
    }
out:
    store_upload_abort(upload);
    sha256_free(hash);
    return status;
}

/* --- packs -----------------------------------------------------------------------------------------------------------
 */

/* Place in the sorted inventory while the repository's listing, sorted the same way, goes by. */
struct pack_join {
    struct mirror_job *job;
    size_t at, end;
};

static int join_pack(void *context, const struct store_object *object, struct err *err) {
    struct pack_join *join = context;
    struct mirror_job *job = join->job;
    uint8_t hash[32];
    if (!repo_name_hash(object->name, hash))
        return 0;

    int order = 1;
    while (join->at < join->end && (order = memcmp(job->packs[join->at].hash, hash, sizeof hash)) < 0)
        join->at++;
    bool there = join->at < join->end && order == 0;
    if (there) {
        job->packs[join->at].seen = true;
        if (job->packs[join->at].size == object->size)
            return 0;
        log_warning(job->repo->log, "mirror '%s': '%s' has %llu bytes instead of %llu: sent again", job->options->name,
                    object->name, (unsigned long long)job->packs[join->at].size, (unsigned long long)object->size);
        job->result->damaged++;
    } else if (!job->options->copy) {
        return 0;
    }

    enum copied copied;
    if (copy_object(job, object->name, object->size, &copied, err) < 0)
        return -1;
    if (copied == COPY_VANISHED)
        job->vanished = true;
    else if (copied == COPY_FAILED)
        job->pack_failures++;
    else if (there)
        job->packs[join->at].size = object->size;
    else
        inventory_add(job, hash, object->size);
    return 0;
}

int copy_packs(struct mirror_job *job, struct err *err) {
    char name[REPO_NAME_MAX];
    for (size_t i = 0; i < job->pack_count; i++)
        job->packs[i].seen = false;
    struct pack_join join = { .job = job, .end = job->pack_count };
    int status = store_list(job->repo->store, repo_folder(job->repo, name, "packs"), join_pack, &join, err);
    inventory_sort(job);
    return status;
}

/* --- the small folders
 * ------------------------------------------------------------------------------------------------ */

/* Wrapped keys have no hash in their names; they are compared byte by byte, and the mirror's is never replaced, for it
 * may be the good one. */
static int copy_key(struct mirror_job *job, const struct store_listed *here, const struct store_listed *there,
                    struct err *err) {
    struct buffer mine = { 0 }, theirs = { 0 };
    int status = -1;
    struct err why = { 0 };
    if (store_get(job->repo->store, here->name, KEY_OBJECT_MAX, &mine, &why) < 0) {
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
    if (store_get(job->there.store, here->name, KEY_OBJECT_MAX, &theirs, &why) < 0 || theirs.length != mine.length ||
        memcmp(theirs.data, mine.data, mine.length) != 0) {
        err_set(&why, ERR_DIVERGED, "'%s' differs between the repository and the mirror", here->name);
        err_hint(&why, "find out which of the two opens (muniment key open), and remove the other");
        job->result->damaged++;
        job_fail(job, &why);
    }
    status = 0;
out:
    buffer_release(&mine);
    buffer_release(&theirs);
    return status;
}

/* True when the mirror has another segment under this host and number: two histories. */
static bool journal_forks(const struct store_names *there, const char *name) {
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

    /* What was listed in the beginning may have been sent since. */
    bool good = there && there->size == here->size;
    if (!good) {
        uint64_t size;
        int64_t modified;
        struct err why = { 0 };
        good = store_stat(job->there.store, here->name, &size, &modified, &why) == 0 && size == here->size;
    }
    if (good && there && kind == FOLDER_JOURNAL && !job->mirror_journal_good &&
        verify_object(job, there->name, here->size, &good, err) < 0)
        return -1;
    *send = !good;
    if (there && !good) {
        log_warning(job->repo->log, "mirror '%s': '%s' is damaged there: sent again", job->options->name, here->name);
        job->result->damaged++;
    }
    return 0;
}

/* In the order of the names: segments of the journal are sorted by their numbers in it, so that a run that is killed
 * leaves chains without gaps. */
int copy_folder(struct mirror_job *job, enum folder_kind kind, struct err *err) {
    struct folder *folder = &job->folders[kind];
    for (size_t i = 0; i < folder->here.count; i++) {
        const struct store_listed *here = &folder->here.items[i];
        const struct store_listed *there = store_names_find(&folder->there, here->name);
        if (interrupt_check(err) < 0)
            return -1;
        if (kind == FOLDER_KEYS) {
            if (copy_key(job, here, there, err) < 0)
                return -1;
            continue;
        }

        bool send;
        if (must_send(job, kind, here, there, &send, err) < 0)
            return -1;
        if (send && kind == FOLDER_HEADS && job->pack_failures > 0 && needs_are_met(job, here->name, &send, err) < 0)
            return -1;
        if (!send)
            continue;

        enum copied copied;
        if (copy_object(job, here->name, here->size, &copied, err) < 0)
            return -1;
        if (copied == COPY_VANISHED && kind == FOLDER_INDEX)
            job->vanished = true;
        else if (copied == COPY_FAILED && kind == FOLDER_INDEX)
            job->pack_failures++;
        else if (copied == COPY_FAILED && kind == FOLDER_JOURNAL)
            break; /* what follows would hang in the air */
    }
    return 0;
}
