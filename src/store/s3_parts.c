#include "s3_internal.h"
#include <errno.h>
#include <muniment/util/memory.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A large object, from a file, in parts. Whoever sends the same object again finds the parts of an upload that was
 * cut off where it would have put them (see s3_part_size()).
 */

enum { THREADS_MAX = 8 }; /* each holds one part in memory */

struct sending {
    const struct s3_parts_job *job;
    const char *key;
    char *upload;
    size_t part_size;
    struct s3_part *parts; /* number 0: not sent yet */
    size_t count;

    pthread_mutex_t mutex; /* guards the next three */
    size_t next;
    bool failed;
    struct err err; /* of the part that failed first */
};

static int read_part(const struct sending *sending, size_t index, uint8_t *to, size_t *length, struct err *err) {
    const uint64_t offset = (uint64_t)index * sending->part_size, left = sending->job->length - offset;
    size_t done = 0;

    *length = left < sending->part_size ? (size_t)left : sending->part_size;
    while (done < *length) {
        const ssize_t got = pread(sending->job->file, to + done, *length - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? err_sys(err, "read a temporary file")
                           : err_set(err, ERR_SYSTEM, "a temporary file became shorter");
        done += (size_t)got;
    }
    return 0;
}

/*
 * Parts that are there already
 */

struct found {
    const char *key;
    char *upload;
    int64_t begun;
};

static int find_upload(void *context, const struct s3_upload *listed, struct err *err) {
    struct found *found = context;
    (void)err;

    if (strcmp(listed->key, found->key) != 0 || (found->upload != NULL && listed->begun < found->begun))
        return 0;
    free(found->upload);
    found->upload = mem_string(listed->upload);
    found->begun = listed->begun;
    return 0;
}

/* Where the ETag is the MD5 of the part, which it is wherever the service does not encrypt with keys of its own. */
static int part_is_same(const struct sending *sending, const struct s3_part *part, uint8_t *scratch, bool *same,
                        struct err *err) {
    uint8_t md5[S3_MD5_SIZE];
    size_t length;

    if (read_part(sending, part->number - 1, scratch, &length, err) < 0 || s3_md5(md5, scratch, length, err) < 0)
        return -1;
    *same = part->size == length && s3_etag_matches(part->etag, md5);
    return 0;
}

/* All parts that are there must be ours: an upload with others is that of another object. */
static int adopt_parts(struct sending *sending, const struct s3_part *parts, size_t count, bool *same,
                       struct err *err) {
    uint8_t *scratch = mem_alloc(sending->part_size);
    int status = 0;

    *same = true;
    for (size_t i = 0; i < count && *same && status == 0; i++) {
        *same = parts[i].number >= 1 && parts[i].number <= sending->count;
        if (*same)
            status = part_is_same(sending, &parts[i], scratch, same, err);
        if (*same && status == 0)
            sending->parts[parts[i].number - 1] = parts[i];
    }
    if (!*same)
        memset(sending->parts, 0, sending->count * sizeof *sending->parts);
    free(scratch);
    return status;
}

/* Continues an upload of this object that was cut off. That there is none, or that we may not know, is no failure. */
static int resume(struct sending *sending, struct err *err) {
    const struct s3_store *store = sending->job->store;
    struct found found = { .key = sending->key };
    struct s3_part *parts = NULL;
    size_t count = 0;
    struct err why = { 0 };
    bool same = false;

    int status = s3_list_uploads(store->s3, store->place.bucket, sending->key, find_upload, &found, &why);
    if (status == 0 && found.upload != NULL)
        status = s3_list_parts(store->s3, store->place.bucket, sending->key, found.upload, &parts, &count, &why);
    if (status == 0 && found.upload != NULL)
        status = adopt_parts(sending, parts, count, &same, &why);
    free(parts);
    if (status == 0 && same) {
        sending->upload = found.upload;
        if (count > 0)
            log_detail(store->log, "%s: %zu parts of '%s' are there already", store->base.label, count,
                       sending->job->name);
        return 0;
    }
    free(found.upload);
    if (status == 0 || why.code == ERR_NOT_FOUND || why.code == ERR_DENIED || why.code == ERR_UNSUPPORTED)
        return 0;
    if (err != NULL)
        *err = why;
    return -1;
}

/*
 * Sending
 */

/* The next part that is not there, or false when there is none or another failed. */
static bool next_part(struct sending *sending, size_t *index) {
    pthread_mutex_lock(&sending->mutex);
    while (sending->next < sending->count && sending->parts[sending->next].number != 0)
        sending->next++;
    const bool more = sending->next < sending->count && !sending->failed;
    if (more)
        *index = sending->next++;
    pthread_mutex_unlock(&sending->mutex);
    return more;
}

static void *send_parts(void *context) {
    struct sending *sending = context;
    const struct s3_store *store = sending->job->store;
    uint8_t *scratch = mem_alloc(sending->part_size);
    struct err err = { 0 };
    size_t index, length;

    while (next_part(sending, &index)) {
        struct s3_part part = { 0 };
        if (read_part(sending, index, scratch, &length, &err) == 0 &&
            s3_multipart_put(store->s3, store->place.bucket, sending->key, sending->upload, (unsigned)index + 1,
                             scratch, length, &part, &err) == 0) {
            /* Only this thread has this part, and none looks at another's before the end. */
            part.number = (unsigned)index + 1;
            pthread_mutex_lock(&sending->mutex);
            sending->parts[index] = part;
            pthread_mutex_unlock(&sending->mutex);
            continue;
        }
        pthread_mutex_lock(&sending->mutex);
        if (!sending->failed)
            sending->err = err;
        sending->failed = true;
        pthread_mutex_unlock(&sending->mutex);
        break;
    }
    free(scratch);
    return NULL;
}

/* Where no thread can be started, this one does it all. */
static int send_all(struct sending *sending, struct err *err) {
    const unsigned connections = s3_connections(sending->job->store->s3);
    pthread_t threads[THREADS_MAX];
    size_t wanted = connections < THREADS_MAX ? connections : THREADS_MAX, started = 0;

    if (wanted > sending->count)
        wanted = sending->count;
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, send_parts, sending) == 0)
        started++;
    send_parts(sending);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (!sending->failed)
        return 0;
    if (err != NULL)
        *err = sending->err;
    return -1;
}

/* What the next try can continue stays; the rest is of no use to anybody. */
static void give_up(const struct sending *sending, const struct err *why) {
    const struct s3_store *store = sending->job->store;

    if (sending->upload == NULL || why->code == ERR_SYSTEM || why->code == ERR_INTERRUPTED ||
        why->code == ERR_NOT_FOUND)
        return;
    if (s3_multipart_abort(store->s3, store->place.bucket, sending->key, sending->upload, NULL) < 0)
        log_detail(store->log, "%s: an unfinished upload of '%s' stays", store->base.label, sending->job->name);
}

static int send_once(const struct s3_parts_job *job, const char *key, bool may_resume, bool *resumed, struct err *err) {
    struct s3_store *store = job->store;
    struct sending sending = { .job = job, .key = key, .part_size = s3_part_size(job->length) };
    int status = -1;

    sending.count = (size_t)((job->length + sending.part_size - 1) / sending.part_size);
    sending.parts = mem_array(sending.count, sizeof *sending.parts);
    pthread_mutex_init(&sending.mutex, NULL);
    *resumed = false;

    if (may_resume && resume(&sending, err) < 0)
        goto out;
    *resumed = sending.upload != NULL;
    if (!*resumed && s3_multipart_begin(store->s3, store->place.bucket, key, job->options, &sending.upload, err) < 0)
        goto out;
    if (send_all(&sending, err) < 0 || s3_multipart_complete(store->s3, store->place.bucket, key, sending.upload,
                                                             sending.parts, sending.count, NULL, err) < 0) {
        give_up(&sending, err);
        goto out;
    }
    status = 0;

out:
    pthread_mutex_destroy(&sending.mutex);
    free(sending.parts);
    free(sending.upload);
    return status;
}

int s3_parts_send(const struct s3_parts_job *job, struct err *err) {
    char *key = s3_store_key(job->store, job->name);
    struct err why = { 0 };
    bool resumed;

    int status = send_once(job, key, true, &resumed, &why);
    if (status < 0 && resumed && why.code == ERR_NOT_FOUND) {
        /* The upload that was continued belonged to somebody who finished it, or swept it. */
        err_clear(&why);
        status = send_once(job, key, false, &resumed, &why);
    }
    /* One that was continued was begun with another date, and some servers (RGW) forget the lock of an upload. */
    if (status == 0 && job->options->lock != S3_LOCK_NONE)
        status = job->store->base.ops->lock_until(&job->store->base, job->name, job->options->lock_until, &why);
    free(key);
    if (status < 0 && err != NULL)
        *err = why;
    return status;
}
