#include "bucket_internal.h"
#include <muniment/util/memory.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct bucket_upload {
    struct bucket_place *place;
    struct bucket_target target;
    char *id;
    pthread_mutex_t mutex;
    struct s3_part *parts; /* by number */
    size_t begun, done, capacity;
    bool all_begun, complete;
    unsigned users; /* the caller, and each part under way */
};

struct part_job {
    struct bucket_job job;
    struct bucket_upload *upload;
    unsigned number;
    struct buffer data;
};

/* What is left of an upload is billed, and seen by nobody. */
static void upload_free(struct bucket_upload *upload) {
    struct err err = { 0 };
    if (upload->id && !upload->complete &&
        s3_multipart_abort(upload->place->s3, upload->target.bucket, upload->target.key, upload->id, &err) < 0)
        log_warning(upload->place->log, "parts of an upload are left in the bucket: %s", err.message);
    bucket_target_release(&upload->target);
    pthread_mutex_destroy(&upload->mutex);
    free(upload->id);
    free(upload->parts);
    free(upload);
}

void bucket_upload_release(struct bucket_upload *upload) {
    if (!upload)
        return;
    pthread_mutex_lock(&upload->mutex);
    const bool last = --upload->users == 0;
    pthread_mutex_unlock(&upload->mutex);
    if (last)
        upload_free(upload);
}

static int begin(void *context, const struct s3_put *options, struct err *err) {
    struct bucket_upload *upload = context;
    return s3_multipart_begin(upload->place->s3, upload->target.bucket, upload->target.key, options, &upload->id, err);
}

int bucket_upload_begin(struct bucket_place *place, const struct bucket_target *target, const struct entry *entry,
                        struct bucket_upload **begun, struct err *err) {
    struct bucket_upload *upload = mem_zalloc(sizeof *upload);
    upload->place = place;
    upload->target.bucket = mem_string(target->bucket);
    upload->target.key = mem_string(target->key);
    upload->users = 1;
    pthread_mutex_init(&upload->mutex, NULL);
    if (bucket_make_with_headers(place, entry, begin, upload, err) < 0) {
        upload_free(upload);
        return -1;
    }
    *begun = upload;
    return 0;
}

/* --- parts -------------------------------------------------------------------------------------------------------- */

/* True when this was the last one. */
static bool note_part(struct bucket_upload *upload, const struct s3_part *part) {
    pthread_mutex_lock(&upload->mutex);
    upload->parts[part->number - 1] = *part;
    upload->done++;
    const bool all = upload->all_begun && upload->done == upload->begun;
    pthread_mutex_unlock(&upload->mutex);
    return all;
}

static int run_part(struct bucket_job *job, struct err *err) {
    struct part_job *part_job = (struct part_job *)job;
    struct bucket_upload *upload = part_job->upload;
    struct s3 *s3 = upload->place->s3;
    struct s3_part part = { 0 };
    if (s3_multipart_put(s3, upload->target.bucket, upload->target.key, upload->id, part_job->number,
                         part_job->data.data, part_job->data.length, &part, err) < 0)
        return -1;
    part.number = part_job->number;
    if (!note_part(upload, &part))
        return 0;
    if (s3_multipart_complete(s3, upload->target.bucket, upload->target.key, upload->id, upload->parts, upload->done,
                              NULL, err) < 0)
        return -1;
    upload->complete = true; /* nobody else uses it but to free it */
    return 0;
}

static void free_part(struct bucket_job *job) {
    struct part_job *part_job = (struct part_job *)job;
    buffer_release(&part_job->data);
    bucket_upload_release(part_job->upload);
    free(part_job);
}

int bucket_upload_part(struct bucket_upload *upload, struct buffer *data, bool last, struct err *err) {
    struct part_job *part_job = mem_zalloc(sizeof *part_job);
    pthread_mutex_lock(&upload->mutex);
    upload->parts = mem_grow(upload->parts, &upload->capacity, upload->begun + 1, sizeof *upload->parts);
    part_job->number = (unsigned)++upload->begun;
    upload->all_begun = last;
    upload->users++;
    pthread_mutex_unlock(&upload->mutex);
    part_job->job = (struct bucket_job){ .bytes = data->length, .run = run_part, .free = free_part };
    part_job->upload = upload;
    part_job->data = *data;
    *data = (struct buffer){ 0 };
    return bucket_pool_add(upload->place->pool, &part_job->job, err);
}
