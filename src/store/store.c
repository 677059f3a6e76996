#include "store_internal.h"
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
    return dir_store_open(address, create, store, err);
}

void store_close(struct store *store) {
    if (store != NULL)
        store->ops->close(store);
}

const char *store_label(const struct store *store) {
    return store->label;
}

int store_put(struct store *store, const char *name, const void *data, size_t length, struct err *err) {
    if (check_name(name, err) < 0)
        return -1;
    return store->ops->put(store, name, data, length, err);
}

int store_upload_begin(struct store *store, struct store_upload **upload, struct err *err) {
    return store->ops->upload_begin(store, upload, err);
}

int store_upload_write(struct store_upload *upload, const void *data, size_t length, struct err *err) {
    return upload->store->ops->upload_write(upload, data, length, err);
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

int store_remove(struct store *store, const char *name, struct err *err) {
    if (check_name(name, err) < 0)
        return -1;
    return store->ops->remove(store, name, err);
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
