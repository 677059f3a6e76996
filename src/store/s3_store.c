#include "s3_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/*
 * Names and errors
 */

char *s3_store_key(const struct s3_store *store, const char *name) {
    return mem_format("%s%s", store->place.prefix, name);
}

char *s3_store_folder(const struct s3_store *store, const char *folder) {
    return mem_format("%s%s%s", store->place.prefix, folder, *folder != '\0' ? "/" : "");
}

const char *s3_store_name(const struct s3_store *store, const char *key) {
    const size_t length = strlen(store->place.prefix);

    if (strncmp(key, store->place.prefix, length) == 0 &&
        store_name_is_valid(key + length, strnlen(key + length, STORE_NAME_MAX + 1)))
        return key + length;
    log_detail(store->log, "%s: '%s' is no object of ours and is left alone", store->base.label, key);
    return NULL;
}

int s3_store_wrap(const struct s3_store *store, const char *what, const char *name, struct err *err) {
    return err_wrap(err, "%s '%s%s%s'", what, store->base.label, *name != '\0' ? "/" : "", name);
}

bool s3_store_has_no_versions(const struct s3_store *store, struct err *err) {
    struct s3_bucket bucket;

    if (err->code == ERR_UNSUPPORTED) {
        err_clear(err);
        return true;
    }
    if (err->code != ERR_DENIED)
        return false;
    if (s3_bucket_describe(store->s3, store->place.bucket, &bucket, NULL) == 0) {
        const bool off = bucket.versioning == S3_VERSIONING_OFF;
        s3_bucket_release(&bucket);
        if (off) {
            err_clear(err);
            return true;
        }
    }
    err_wrap(err, "the key must be able to list the versions of objects (s3:ListBucketVersions)");
    return false;
}

/*
 * Reading
 */

int s3_store_read(struct s3_store *store, const char *name, const char *version, size_t max, struct buffer *out,
                  struct err *err) {
    const struct s3_get what = { .version = version, .length = UINT64_MAX, .max = max };
    char *key = s3_store_key(store, name);

    int status = s3_get(store->s3, store->place.bucket, key, &what, out, NULL, err);
    if (status < 0)
        s3_store_wrap(store, "read", name, err);
    free(key);
    return status;
}

int s3_store_read_range(struct s3_store *store, const char *name, const char *version, uint64_t offset, void *to,
                        size_t length, struct err *err) {
    const struct s3_get what = { .version = version, .offset = offset, .length = length, .max = length };
    struct buffer content = buffer_over(to, length);
    char *key = s3_store_key(store, name);

    int status = s3_get(store->s3, store->place.bucket, key, &what, &content, NULL, err);
    if (status < 0)
        s3_store_wrap(store, "read", name, err);
    else if (content.length != length)
        status = err_set(err, ERR_CORRUPT, "'%s/%s' has too few bytes for %zu at %llu", store->base.label, name, length,
                         (unsigned long long)offset);
    free(key);
    return status;
}

static int get(struct store *base, const char *name, size_t max, struct buffer *out, struct err *err) {
    return s3_store_read((struct s3_store *)base, name, NULL, max, out, err);
}

static int stat_object(struct store *base, const char *name, uint64_t *size, int64_t *modified, struct err *err) {
    struct s3_store *store = (struct s3_store *)base;
    struct s3_info info;
    char *key = s3_store_key(store, name);

    int status = s3_head(store->s3, store->place.bucket, key, NULL, &info, err);
    free(key);
    if (status < 0)
        return s3_store_wrap(store, "look at", name, err);
    if (size != NULL)
        *size = info.size;
    if (modified != NULL)
        *modified = info.modified;
    s3_info_release(&info);
    return 0;
}

static int get_range(struct store *base, const char *name, uint64_t offset, void *to, size_t length, struct err *err) {
    uint64_t size;

    if (length > 0 && offset <= UINT64_MAX - length)
        return s3_store_read_range((struct s3_store *)base, name, NULL, offset, to, length, err);
    if (stat_object(base, name, &size, NULL, err) < 0)
        return -1;
    if (length == 0 && offset <= size)
        return 0;
    return err_set(err, ERR_CORRUPT, "'%s/%s' has %llu bytes, too few for %zu at %llu", base->label, name,
                   (unsigned long long)size, length, (unsigned long long)offset);
}

/*
 * Listing
 */

struct listing {
    const struct s3_store *store;
    store_each *each;
    void *context;
    struct err stopped; /* what the callback said, which is passed on as it is */
};

static int list_object(void *context, const struct s3_listed *listed, struct err *err) {
    struct listing *listing = context;
    const struct store_object object = {
        .name = s3_store_name(listing->store, listed->key),
        .size = listed->size,
        .modified = listed->modified,
    };

    if (object.name == NULL || listing->each(listing->context, &object, err) == 0)
        return 0;
    listing->stopped = *err;
    return -1;
}

/* The end of a listing that failed: with what its callback said, if it was that, else with what was tried. */
static int fail_listing(const struct s3_store *store, const char *what, const char *prefix, const struct err *stopped,
                        struct err *why, struct err *err) {
    if (stopped->code == ERR_NONE)
        s3_store_wrap(store, what, prefix, why);
    if (err != NULL)
        *err = stopped->code == ERR_NONE ? *why : *stopped;
    return -1;
}

static int list(struct store *base, const char *prefix, store_each *each, void *context, struct err *err) {
    struct s3_store *store = (struct s3_store *)base;
    struct listing listing = { .store = store, .each = each, .context = context };
    char *folder = s3_store_folder(store, prefix);
    struct err inner = { 0 };

    int status = s3_list(store->s3, store->place.bucket, folder, NULL, list_object, &listing, &inner);
    free(folder);
    return status == 0 ? 0 : fail_listing(store, "list", prefix, &listing.stopped, &inner, err);
}

/* The versions of one name come one after the other, the newest first. */
struct kept_listing {
    const struct s3_store *store;
    store_each_kept *each;
    void *context;
    char name[STORE_NAME_MAX + 1]; /* at hand; empty: none yet */
    struct store_kept kept;
    bool sized;         /* its newest version that is no marker was there */
    struct err stopped; /* what the callback said */
};

static int hand_on(struct kept_listing *listing, struct err *err) {
    if (listing->name[0] == '\0')
        return 0;
    listing->kept.name = listing->name;
    if (listing->each(listing->context, &listing->kept, err) == 0)
        return 0;
    listing->stopped = *err;
    return -1;
}

static int list_version(void *context, const struct s3_version *version, struct err *err) {
    struct kept_listing *listing = context;
    const char *name = s3_store_name(listing->store, version->key);

    if (name == NULL)
        return 0;
    if (strcmp(name, listing->name) != 0) {
        if (hand_on(listing, err) < 0)
            return -1;
        strcpy(listing->name, name);
        listing->kept = (struct store_kept){ .modified = version->modified, .hidden = version->hide_marker };
        listing->sized = false;
    }
    if (!version->hide_marker && !listing->sized) {
        listing->kept.size = version->size;
        listing->sized = true;
    }
    listing->kept.versions++;
    return 0;
}

static int list_kept(struct store *base, const char *prefix, store_each_kept *each, void *context, struct err *err) {
    struct s3_store *store = (struct s3_store *)base;
    struct kept_listing listing = { .store = store, .each = each, .context = context };
    char *folder = s3_store_folder(store, prefix);
    struct err inner = { 0 };

    int status = s3_list_versions(store->s3, store->place.bucket, folder, list_version, &listing, &inner);
    free(folder);
    if (status == 0)
        status = hand_on(&listing, &inner);
    else if (listing.stopped.code == ERR_NONE && listing.name[0] == '\0' && s3_store_has_no_versions(store, &inner))
        return store_list_unhidden(base, prefix, each, context, err);
    return status == 0 ? 0 : fail_listing(store, "list the versions below", prefix, &listing.stopped, &inner, err);
}

/*
 * Dates of locks
 */

static int lock_until(struct store *base, const char *name, int64_t until, struct err *err) {
    struct s3_store *store = (struct s3_store *)base;
    const char *bucket = store->place.bucket;
    struct s3_lock lock = { 0 };
    char *key = s3_store_key(store, name);

    int status = s3_get_lock(store->s3, bucket, key, NULL, &lock, err);
    if (status == 0 && (lock.mode == S3_LOCK_NONE || lock.until < until)) {
        /* One that holds keeps its mode: changing it takes rights that lengthening does not. */
        const bool holds = lock.mode != S3_LOCK_NONE && lock.until > clock_now();
        status = s3_set_lock(store->s3, bucket, key, NULL, holds ? lock.mode : base->lock, until, err);
    }
    if (status < 0)
        s3_store_wrap(store, "lock", name, err);
    free(key);
    return status;
}

static int locked_until(struct store *base, const char *name, int64_t *until, struct err *err) {
    struct s3_store *store = (struct s3_store *)base;
    struct s3_lock lock = { 0 };
    char *key = s3_store_key(store, name);

    int status = s3_get_lock(store->s3, store->place.bucket, key, NULL, &lock, err);
    free(key);
    if (status < 0)
        return s3_store_wrap(store, "look at the lock of", name, err);
    *until = lock.legal_hold ? INT64_MAX : lock.mode != S3_LOCK_NONE ? lock.until : 0;
    return 0;
}

/*
 * Opening
 */

void s3_store_close(struct store *base) {
    struct s3_store *store = (struct s3_store *)base;

    s3_view_free(store->view);
    s3_close(store->s3);
    s3_place_release(&store->place);
    free(base->label);
    free(store);
}

static const struct store_ops BUCKET_OPS = {
    .close = s3_store_close,
    .put = s3_store_put,
    .upload_begin = s3_store_upload_begin,
    .upload_write = s3_store_upload_write,
    .upload_commit = s3_store_upload_commit,
    .upload_abort = s3_store_upload_abort,
    .get = get,
    .get_range = get_range,
    .stat = stat_object,
    .list = list,
    .list_kept = list_kept,
    .remove = s3_store_remove,
    .lock_until = lock_until,
    .locked_until = locked_until,
    .list_uploads = s3_store_list_uploads,
    .sweep = s3_store_sweep,
    .lock_take = s3_store_lock_take,
    .lock_release = s3_store_lock_release,
};

static int check_address(const struct store_address *address, const struct s3_place *place, struct err *err) {
    if (*place->bucket == '\0') {
        err_set(err, ERR_INVALID, "the address '%s' names no bucket", address->path);
        return err_hint(err, "%s/BUCKET or %s/BUCKET/PREFIX", address->path, address->path);
    }
    if (strlen(place->prefix) > S3_KEY_MAX - STORE_NAME_MAX)
        return err_set(err, ERR_INVALID, "the address '%s' is longer than keys of objects leave room for",
                       address->path);
    if (place->service.signature == S3_SIGNATURE_V2 && (address->lock != S3_LOCK_NONE || address->as_of != 0)) {
        err_set(err, ERR_UNSUPPORTED, "'%s' is reached with signature V2, which knows no %s", address->path,
                address->lock != S3_LOCK_NONE ? "object lock" : "older versions of objects");
        return err_hint(err, "signature = \"v4\", if the service knows it");
    }
    return 0;
}

static int check_bucket(const struct s3_store *store, struct err *err) {
    if (s3_reach(store->s3, store->place.bucket, store->place.prefix, err) == 0)
        return 0;
    if (err != NULL && err->code == ERR_NO_BUCKET)
        err->code = ERR_NOT_FOUND; /* which says the same of a store as of a key */
    return -1;
}

static int check_locks(const struct s3_store *store, struct err *err) {
    struct s3_bucket bucket;

    if (store->base.lock == S3_LOCK_NONE)
        return 0;
    if (s3_bucket_describe(store->s3, store->place.bucket, &bucket, err) < 0)
        return -1;
    const bool locks = bucket.locks, known = bucket.locks_known;
    s3_bucket_release(&bucket);
    if (!known)
        log_warning(store->log, "%s: the key may not see whether the bucket '%s' has object lock", store->base.label,
                    store->place.bucket);
    if (locks || !known)
        return 0;
    err_set(err, ERR_UNSUPPORTED, "the bucket '%s' has no object lock", store->place.bucket);
    return err_hint(err, "object lock is enabled when a bucket is made; without it leave `lock` out");
}

int s3_store_open(const struct store_address *address, bool create, struct store **opened, struct err *err) {
    struct s3_store *store = mem_zalloc(sizeof *store);
    (void)create; /* whose buckets these are, and under which rules, is not for us to decide */

    store->base.ops = &BUCKET_OPS;
    store->base.label = mem_string(address->label != NULL ? address->label : address->path);
    store->base.lock = address->lock;
    store->log = address->log;
    if (s3_place_parse(address->path, address->services, &store->place, err) < 0)
        goto failed;
    if (check_address(address, &store->place, err) < 0 ||
        s3_open(&store->place.service, address->log, &store->s3, err) < 0)
        goto failed;
    store->base.transfers = s3_connections(store->s3);
    if (check_bucket(store, err) < 0 || check_locks(store, err) < 0 ||
        (address->as_of != 0 && s3_view_open(store, address->as_of, err) < 0)) {
        err_wrap(err, "open '%s'", store->base.label);
        goto failed;
    }
    *opened = &store->base;
    return 0;

failed:
    s3_store_close(&store->base);
    return -1;
}
