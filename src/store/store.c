#include "store_internal.h"
#include <muniment/util/clock.h>
#include <string.h>

static bool is_name_byte(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '.' || byte == '_' || byte == '-';
}

bool store_name_is_valid(const char *name, size_t length) {
    if (length == 0 || length > STORE_NAME_MAX || name[length - 1] == '/')
        return false;
    for (size_t i = 0; i < length; i++) {
        const bool begins = i == 0 || name[i - 1] == '/';
        if (begins ? name[i] == '.' || !is_name_byte(name[i]) : name[i] != '/' && !is_name_byte(name[i]))
            return false;
    }
    return true;
}

static int check_name(const char *name, struct err *err) {
    if (store_name_is_valid(name, strnlen(name, STORE_NAME_MAX + 1)))
        return 0;
    return err_set(err, ERR_INVALID, "'%.300s' is not a name an object can have", name);
}

int store_open(const struct store_address *address, bool create, struct store **store, struct err *err) {
    if (s3_is_address(address->path))
        return s3_store_open(address, create, store, err);
    if (address->as_of != 0)
        return err_set(err, ERR_UNSUPPORTED, "'%s' is a directory: it keeps no older versions to look at",
                       address->path);
    return dir_store_open(address, create, store, err);
}

void store_close(struct store *store) {
    if (store != NULL)
        store->ops->close(store);
}

const char *store_label(const struct store *store) {
    return store->label;
}

unsigned store_transfers(const struct store *store) {
    return store->transfers > 0 ? store->transfers : 1;
}

bool store_locks(const struct store *store) {
    return store->lock != S3_LOCK_NONE && store->ops->lock_until != NULL;
}

/* A date that is over locks nothing, and servers refuse it: a mirror that was away for weeks gets such objects. */
static int64_t lock_date(const struct store *store, int64_t until) {
    return store_locks(store) && until > clock_now() ? until : 0;
}

int store_put(struct store *store, const char *name, const void *data, size_t length, struct err *err) {
    return store_put_locked(store, name, data, length, 0, err);
}

int store_put_locked(struct store *store, const char *name, const void *data, size_t length, int64_t until,
                     struct err *err) {
    if (check_name(name, err) < 0)
        return -1;
    return store->ops->put(store, name, data, length, lock_date(store, until), err);
}

int store_upload_begin(struct store *store, struct store_upload **upload, struct err *err) {
    return store->ops->upload_begin(store, upload, err);
}

int store_upload_write(struct store_upload *upload, const void *data, size_t length, struct err *err) {
    return upload->store->ops->upload_write(upload, data, length, err);
}

void store_upload_lock(struct store_upload *upload, int64_t until) {
    upload->lock_until = lock_date(upload->store, until);
}

void store_upload_hashed(struct store_upload *upload, const uint8_t sha256[32]) {
    upload->hashed = true;
    memcpy(upload->sha256, sha256, sizeof upload->sha256);
}

int store_upload_commit(struct store_upload *upload, const char *name, struct err *err) {
    if (check_name(name, err) < 0) {
        store_upload_abort(upload);
        return -1;
    }
    return upload->store->ops->upload_commit(upload, name, err);
}

void store_upload_abort(struct store_upload *upload) {
    if (upload != NULL)
        upload->store->ops->upload_abort(upload);
}

int store_get(struct store *store, const char *name, size_t max, struct buffer *out, struct err *err) {
    if (check_name(name, err) < 0)
        return -1;
    return store->ops->get(store, name, max, out, err);
}

int store_get_range(struct store *store, const char *name, uint64_t offset, void *to, size_t length, struct err *err) {
    if (check_name(name, err) < 0)
        return -1;
    return store->ops->get_range(store, name, offset, to, length, err);
}

int store_stat(struct store *store, const char *name, uint64_t *size, int64_t *modified, struct err *err) {
    if (check_name(name, err) < 0)
        return -1;
    return store->ops->stat(store, name, size, modified, err);
}

int store_list(struct store *store, const char *prefix, store_each *each, void *context, struct err *err) {
    if (*prefix != '\0' && check_name(prefix, err) < 0)
        return -1;
    return store->ops->list(store, prefix, each, context, err);
}

struct kept_listing {
    store_each_kept *each;
    void *context;
};

static int list_as_kept(void *context, const struct store_object *object, struct err *err) {
    const struct kept_listing *listing = context;
    const struct store_kept kept = {
        .name = object->name, .size = object->size, .modified = object->modified, .versions = 1
    };
    return listing->each(listing->context, &kept, err);
}

int store_list_unhidden(struct store *store, const char *prefix, store_each_kept *each, void *context,
                        struct err *err) {
    struct kept_listing listing = { each, context };
    return store->ops->list(store, prefix, list_as_kept, &listing, err);
}

int store_list_kept(struct store *store, const char *prefix, store_each_kept *each, void *context, struct err *err) {
    if (*prefix != '\0' && check_name(prefix, err) < 0)
        return -1;
    return (store->ops->list_kept != NULL ? store->ops->list_kept : store_list_unhidden)(store, prefix, each, context,
                                                                                         err);
}

int store_lock_until(struct store *store, const char *name, int64_t until, struct err *err) {
    if (check_name(name, err) < 0)
        return -1;
    return lock_date(store, until) != 0 ? store->ops->lock_until(store, name, until, err) : 0;
}

int store_locked_until(struct store *store, const char *name, int64_t *until, struct err *err) {
    *until = 0;
    if (check_name(name, err) < 0)
        return -1;
    return store->ops->locked_until != NULL ? store->ops->locked_until(store, name, until, err) : 0;
}

int store_remove(struct store *store, const char *name, struct store_removal *removal, struct err *err) {
    struct store_removal unasked = { 0 };
    if (check_name(name, err) < 0)
        return -1;
    if (removal != NULL)
        *removal = unasked;
    int status = store->ops->remove(store, name, removal != NULL ? removal : &unasked, err);
    buffer_release(&unasked.ids);
    return status;
}

int store_list_uploads(struct store *store, const char *prefix, int64_t before, store_each_upload *each, void *context,
                       struct err *err) {
    if (*prefix != '\0' && check_name(prefix, err) < 0)
        return -1;
    return store->ops->list_uploads != NULL ? store->ops->list_uploads(store, prefix, before, each, context, err) : 0;
}

int store_sweep(struct store *store, const char *prefix, int64_t before, struct err *err) {
    if (*prefix != '\0' && check_name(prefix, err) < 0)
        return -1;
    return store->ops->sweep != NULL ? store->ops->sweep(store, prefix, before, err) : 0;
}

int store_lock_take(struct store *store, const char *name, int64_t wait, struct store_lock **lock, struct err *err) {
    if (check_name(name, err) < 0)
        return -1;
    return store->ops->lock_take(store, name, wait, lock, err);
}

void store_lock_release(struct store_lock *lock) {
    if (lock != NULL)
        lock->store->ops->lock_release(lock);
}

bool store_lock_is_global(const struct store *store) {
    return store->ops->lock_is_global;
}
