#include "bucket_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMORY_MAX = 128 * 1048576, /* bytes of objects and parts on their way */
    ONE_PUT_MAX = 16 * 1048576, /* larger objects go in parts */
};

/* --- where to ----------------------------------------------------------------------------------------------------- */

void bucket_target_release(struct bucket_target *target) {
    free(target->bucket);
    free(target->key);
    *target = (struct bucket_target){ 0 };
}

int bucket_target_of(const struct bucket_place *place, const struct entry *entry, struct bucket_target *target,
                     struct err *err) {
    const struct s3_place *to = place->place;
    if (entry->type != ENTRY_OBJECT || !entry_path_is_valid(ENTRY_OBJECT, entry->path))
        return err_set(err, ERR_CORRUPT, "'%s' is no object of a bucket", entry->path);
    const char *key = strchr(entry->path, '/') + 1;
    char *full =
        to->bucket[0] == '\0' ? mem_string(key) : mem_format("%s%s", to->prefix, place->several ? entry->path : key);
    if (strlen(full) > S3_KEY_MAX) {
        err_set(err, ERR_INVALID, "object '%s' would get a key of %zu bytes, and %d are the most", entry->path,
                strlen(full), S3_KEY_MAX);
        free(full);
        return err_hint(err, "restore to an address with a shorter prefix");
    }
    target->key = full;
    target->bucket =
        to->bucket[0] != '\0' ? mem_string(to->bucket) : mem_format("%.*s", (int)(key - 1 - entry->path), entry->path);
    return 0;
}

int bucket_place_open(const struct s3_place *to, bool several, struct log *log, struct bucket_place **opened,
                      struct err *err) {
    struct bucket_place *place = mem_zalloc(sizeof *place);
    place->place = to;
    place->several = several;
    place->log = log;
    if (bucket_connect(&to->service, log, &place->s3, err) < 0) {
        free(place);
        return -1;
    }
    place->pool = bucket_pool_new(s3_connections(place->s3), MEMORY_MAX);
    *opened = place;
    return 0;
}

/* --- one object --------------------------------------------------------------------------------------------------- */

static int make_with(const struct entry *entry, bool extras, bucket_make *make, void *context, struct err *err) {
    struct s3_headers headers = { 0 };
    bucket_entry_headers(entry, extras, &headers);
    const int result = make(context, &(struct s3_put){ .headers = &headers }, err);
    s3_headers_release(&headers);
    return result;
}

int bucket_make_with_headers(struct bucket_place *place, const struct entry *entry, bucket_make *make, void *context,
                             struct err *err) {
    const bool extras = !place->plain;
    if (make_with(entry, extras, make, context, err) == 0)
        return 0;
    if (!extras || !bucket_entry_has_extras(entry) || err->code == ERR_INTERRUPTED || err->code == ERR_SYSTEM)
        return -1;
    struct err why = { 0 };
    if (make_with(entry, false, make, context, &why) < 0)
        return -1; /* they were not to blame, and the first error says what is */
    if (!atomic_exchange(&place->plain, true))
        log_warning(place->log, "objects are restored without tags and storage classes: %s", err->message);
    err_clear(err);
    return 0;
}

struct put_job {
    struct bucket_job job;
    struct bucket_place *place;
    struct bucket_target target;
    struct entry entry;
    struct buffer data;
};

static int put(void *context, const struct s3_put *options, struct err *err) {
    struct put_job *put_job = context;
    return s3_put(put_job->place->s3, put_job->target.bucket, put_job->target.key, put_job->data.data,
                  put_job->data.length, options, NULL, err);
}

static int run_put(struct bucket_job *job, struct err *err) {
    struct put_job *put_job = (struct put_job *)job;
    return bucket_make_with_headers(put_job->place, &put_job->entry, put, put_job, err);
}

static void free_put(struct bucket_job *job) {
    struct put_job *put_job = (struct put_job *)job;
    bucket_target_release(&put_job->target);
    entry_release(&put_job->entry);
    buffer_release(&put_job->data);
    free(put_job);
}

/* Services that know no parts take larger objects at once, as far as there is memory. */
static bool goes_at_once(const struct bucket_place *place, uint64_t size) {
    return size <= ONE_PUT_MAX || (place->place->service.signature == S3_SIGNATURE_V2 && size <= S3_PUT_BEST);
}

static void forget_object(struct bucket_place *place) {
    bucket_target_release(&place->target);
    entry_release(&place->entry);
    bucket_upload_release(place->upload);
    place->upload = NULL;
    place->taken = 0;
    buffer_clear(&place->data);
}

int bucket_place_begin(struct bucket_place *place, const struct entry *entry, struct err *err) {
    forget_object(place);
    if (bucket_target_of(place, entry, &place->target, err) < 0)
        return -1;
    entry_copy(&place->entry, entry);
    if (!goes_at_once(place, entry->size) &&
        bucket_upload_begin(place, &place->target, entry, &place->upload, err) < 0) {
        forget_object(place);
        return -1;
    }
    return 0;
}

static int wrong_length(const struct bucket_place *place, struct err *err) {
    return err_set(err, ERR_CORRUPT, "object '%s': its content is not the %llu bytes that were captured",
                   place->entry.path, (unsigned long long)place->entry.size);
}

int bucket_place_data(struct bucket_place *place, const void *data, size_t length, struct err *err) {
    const uint8_t *at = data;
    const uint64_t part_size = place->upload ? s3_part_size(place->entry.size) : place->entry.size;
    if (length > place->entry.size - place->taken)
        return wrong_length(place, err);
    while (length > 0) {
        const size_t room = (size_t)(part_size - place->data.length);
        const size_t part = length < room ? length : room;
        if (place->data.length == 0)
            buffer_reserve(&place->data, (size_t)part_size);
        buffer_put(&place->data, at, part);
        place->taken += part;
        at += part;
        length -= part;
        /* The last part waits for bucket_place_end(): nothing is complete before it is known to be right. */
        if (place->upload && place->data.length == part_size && place->taken < place->entry.size &&
            bucket_upload_part(place->upload, &place->data, false, err) < 0)
            return -1;
    }
    return 0;
}

static int end_object(struct bucket_place *place, struct err *err) {
    if (place->taken != place->entry.size)
        return wrong_length(place, err);
    if (place->upload)
        return bucket_upload_part(place->upload, &place->data, true, err);

    struct put_job *put_job = mem_zalloc(sizeof *put_job);
    put_job->job = (struct bucket_job){ .bytes = place->data.length, .run = run_put, .free = free_put };
    put_job->place = place;
    put_job->target = place->target;
    put_job->entry = place->entry;
    put_job->data = place->data;
    place->target = (struct bucket_target){ 0 };
    place->entry = (struct entry){ 0 };
    place->data = (struct buffer){ 0 };
    return bucket_pool_add(place->pool, &put_job->job, err);
}

int bucket_place_end(struct bucket_place *place, struct err *err) {
    const int result = end_object(place, err);
    forget_object(place);
    return result;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void place_free(struct bucket_place *place) {
    forget_object(place);
    bucket_pool_free(place->pool);
    bucket_cursor_free(place->cursor);
    buffer_release(&place->data);
    s3_close(place->s3);
    free(place);
}

int bucket_place_close(struct bucket_place *place, struct err *err) {
    const int result = bucket_pool_wait(place->pool, err);
    place_free(place);
    return result;
}

void bucket_place_abort(struct bucket_place *place) {
    if (place)
        place_free(place);
}
