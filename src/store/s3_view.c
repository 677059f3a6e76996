#include "s3_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/*
 * The store as it was: for each name the version that was the newest then, if it was no hide marker. Who may write to a
 * bucket may hide and overwrite everything in it by name; what was there stays below, until the bucket's rules end it.
 */

struct s3_view {
    struct past {
        char *name, *version;
        uint64_t size;
        int64_t modified;
    } * items; /* sorted by name */
    size_t count, capacity;
};

struct loading {
    const struct s3_store *store;
    struct s3_view *view;
    int64_t as_of;
    char settled[STORE_NAME_MAX + 1]; /* the name whose version of that time was seen already */
    bool versions;                    /* one with an id was seen: the bucket keeps them */
};

static int add_version(void *context, const struct s3_version *version, struct err *err) {
    struct loading *loading = context;
    struct s3_view *view = loading->view;
    const char *name = s3_store_name(loading->store, version->key);
    (void)err;

    if (name == NULL)
        return 0;
    if (strcmp(version->version, "null") != 0)
        loading->versions = true;
    if (version->modified > loading->as_of || strcmp(name, loading->settled) == 0)
        return 0;
    strcpy(loading->settled, name);
    if (version->hide_marker)
        return 0;
    view->items = mem_grow(view->items, &view->capacity, view->count + 1, sizeof *view->items);
    view->items[view->count++] = (struct past){
        .name = mem_string(name),
        .version = mem_string(version->version),
        .size = version->size,
        .modified = version->modified,
    };
    return 0;
}

/* A bucket that keeps no versions shows only what nobody has touched since. */
static int check_versioning(const struct s3_store *store, bool seen, struct err *err) {
    struct s3_bucket bucket;

    if (seen)
        return 0;
    if (s3_bucket_describe(store->s3, store->place.bucket, &bucket, err) < 0)
        return -1;
    const enum s3_versioning versioning = bucket.versioning;
    s3_bucket_release(&bucket);
    if (versioning == S3_VERSIONING_OFF)
        return err_set(err, ERR_UNSUPPORTED, "the bucket '%s' keeps no older versions to look at", store->place.bucket);
    if (versioning == S3_VERSIONING_UNKNOWN)
        log_warning(store->log, "%s: no older version is kept here, so what was overwritten is missing",
                    store->base.label);
    return 0;
}

static int compare_name(const void *name, const void *item) {
    return strcmp(name, ((const struct past *)item)->name);
}

static const struct past *find(const struct store *base, const char *name, struct err *err) {
    const struct s3_view *view = ((const struct s3_store *)base)->view;
    const struct past *past =
        view->count > 0 ? bsearch(name, view->items, view->count, sizeof *view->items, compare_name) : NULL;

    if (past == NULL)
        err_set(err, ERR_NOT_FOUND, "there was no '%s/%s' then", base->label, name);
    return past;
}

static int get(struct store *base, const char *name, size_t max, struct buffer *out, struct err *err) {
    const struct past *past = find(base, name, err);

    return past != NULL ? s3_store_read((struct s3_store *)base, name, past->version, max, out, err) : -1;
}

static int get_range(struct store *base, const char *name, uint64_t offset, void *to, size_t length, struct err *err) {
    const struct past *past = find(base, name, err);

    if (past == NULL)
        return -1;
    if (offset > past->size || length > past->size - offset)
        return err_set(err, ERR_CORRUPT, "'%s/%s' had %llu bytes, too few for %zu at %llu", base->label, name,
                       (unsigned long long)past->size, length, (unsigned long long)offset);
    if (length == 0)
        return 0;
    return s3_store_read_range((struct s3_store *)base, name, past->version, offset, to, length, err);
}

static int stat_object(struct store *base, const char *name, uint64_t *size, int64_t *modified, struct err *err) {
    const struct past *past = find(base, name, err);

    if (past == NULL)
        return -1;
    if (size != NULL)
        *size = past->size;
    if (modified != NULL)
        *modified = past->modified;
    return 0;
}

static int list(struct store *base, const char *prefix, store_each *each, void *context, struct err *err) {
    const struct s3_view *view = ((struct s3_store *)base)->view;
    char *folder = mem_format("%s%s", prefix, *prefix != '\0' ? "/" : "");
    const size_t length = strlen(folder);
    size_t from = 0, to = view->count;
    int status = 0;

    while (from < to) {
        const size_t middle = from + (to - from) / 2;
        if (strcmp(view->items[middle].name, folder) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    for (; from < view->count && status == 0 && strncmp(view->items[from].name, folder, length) == 0; from++) {
        const struct past *past = &view->items[from];
        const struct store_object object = { .name = past->name, .size = past->size, .modified = past->modified };
        status = each(context, &object, err);
    }
    free(folder);
    return status;
}

/*
 * What a look at the past cannot do
 */

static int refuse(const struct store *base, struct err *err) {
    return err_set(err, ERR_REFUSED, "'%s' is looked at as it was, and the past cannot be written", base->label);
}

static int refuse_put(struct store *base, const char *name, const void *data, size_t length, int64_t until,
                      struct err *err) {
    (void)name;
    (void)data;
    (void)length;
    (void)until;
    return refuse(base, err);
}

static int refuse_upload(struct store *base, struct store_upload **upload, struct err *err) {
    (void)upload;
    return refuse(base, err);
}

static int refuse_remove(struct store *base, const char *name, struct store_removal *removal, struct err *err) {
    (void)name;
    (void)removal;
    return refuse(base, err);
}

static int refuse_lock_until(struct store *base, const char *name, int64_t until, struct err *err) {
    (void)name;
    (void)until;
    return refuse(base, err);
}

static int refuse_sweep(struct store *base, const char *prefix, int64_t before, struct err *err) {
    (void)prefix;
    (void)before;
    return refuse(base, err);
}

static int refuse_lock(struct store *base, const char *name, int64_t wait, struct store_lock **lock, struct err *err) {
    (void)name;
    (void)wait;
    (void)lock;
    return refuse(base, err);
}

static const struct store_ops VIEW_OPS = {
    .close = s3_store_close,
    .put = refuse_put,
    .upload_begin = refuse_upload,
    .get = get,
    .get_range = get_range,
    .stat = stat_object,
    .list = list,
    .remove = refuse_remove,
    .lock_until = refuse_lock_until,
    .sweep = refuse_sweep,
    .lock_take = refuse_lock,
};

int s3_view_open(struct s3_store *store, int64_t as_of, struct err *err) {
    struct loading loading = { .store = store, .view = mem_zalloc(sizeof *loading.view), .as_of = as_of };

    store->view = loading.view;
    store->base.ops = &VIEW_OPS;
    if (s3_list_versions(store->s3, store->place.bucket, store->place.prefix, add_version, &loading, err) < 0)
        return err_wrap(err, "list the versions of all objects");
    return check_versioning(store, loading.versions, err);
}

void s3_view_free(struct s3_view *view) {
    if (view == NULL)
        return;
    for (size_t i = 0; i < view->count; i++) {
        free(view->items[i].name);
        free(view->items[i].version);
    }
    free(view->items);
    free(view);
}
