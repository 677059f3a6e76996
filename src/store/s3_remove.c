#include "s3_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/*
 * An object is gone when none of its versions is left. The versions go from the oldest to the newest and hide markers
 * last, so that whoever is killed on the way leaves under the name what was there before, or nothing.
 *
 * Each removal lists the versions itself, before and after, although whoever removes many has mostly listed them all
 * not long ago: what was written since would only be met by the proof, and the ids of all versions would have to be
 * carried through every layer between.
 */

enum { ROUNDS = 3 }; /* of listing and destroying: somebody may write the name meanwhile */

struct versions {
    const char *key;
    struct version {
        char *id;
        bool marker;
    } * items; /* newest first */
    size_t count, capacity;
    bool past; /* the listing has come to other keys */
};

struct removing {
    struct s3_store *store;
    const char *name, *key;
    struct store_removal *removal;
    bool append_only; /* a version was not ours to destroy */
};

static void versions_release(struct versions *versions) {
    for (size_t i = 0; i < versions->count; i++)
        free(versions->items[i].id);
    free(versions->items);
    *versions = (struct versions){ 0 };
}

/* Keys that merely begin with ours come after it. */
static int add_version(void *context, const struct s3_version *version, struct err *err) {
    struct versions *versions = context;

    if (strcmp(version->key, versions->key) != 0) {
        versions->past = true;
        return err_set(err, ERR_EXISTS, "another key");
    }
    versions->items = mem_grow(versions->items, &versions->capacity, versions->count + 1, sizeof *versions->items);
    versions->items[versions->count++] =
        (struct version){ .id = mem_string(version->version), .marker = version->hide_marker };
    return 0;
}

static int list_versions(const struct removing *removing, struct versions *versions, struct err *err) {
    const struct s3_store *store = removing->store;
    struct err inner = { 0 };

    *versions = (struct versions){ .key = removing->key };
    if (s3_list_versions(store->s3, store->place.bucket, removing->key, add_version, versions, &inner) == 0 ||
        versions->past)
        return 0;
    versions_release(versions);
    *err = inner;
    return -1;
}

/* A version that may not be destroyed: 0 when its lock or the rights of the key say why, else -1 with the error. */
static int explain_refusal(struct removing *removing, const struct version *version, struct err *err) {
    const struct s3_store *store = removing->store;
    struct s3_lock lock = { 0 };
    struct err why = { 0 };
    int64_t until = 0;

    if (err->code == ERR_SYSTEM || err->code == ERR_INTERRUPTED)
        return -1;
    if (!version->marker && s3_get_lock(store->s3, store->place.bucket, removing->key, version->id, &lock, &why) == 0)
        until = lock.legal_hold ? INT64_MAX : lock.mode != S3_LOCK_NONE && lock.until > clock_now() ? lock.until : 0;
    if (why.code == ERR_SYSTEM || why.code == ERR_INTERRUPTED) {
        *err = why;
        return -1;
    }
    if (until > removing->removal->locked_until)
        removing->removal->locked_until = until;
    if (until > 0)
        return 0;
    removing->append_only = err->code == ERR_DENIED;
    return removing->append_only ? 0 : -1;
}

static void count_destroyed(struct store_removal *removal, const char *id) {
    removal->versions++;
    buffer_printf(&removal->ids, "%s%s", removal->ids.length > 0 ? "," : "", id);
}

static int destroy_version(struct removing *removing, const struct version *version, struct err *err) {
    const struct s3_store *store = removing->store;

    if (s3_delete(store->s3, store->place.bucket, removing->key, version->id, err) < 0) {
        if (explain_refusal(removing, version, err) < 0)
            return -1;
        err_clear(err);
        return 0;
    }
    count_destroyed(removing->removal, version->id);
    return 0;
}

static int destroy_versions(struct removing *removing, const struct versions *versions, bool markers, struct err *err) {
    for (size_t i = versions->count; i-- > 0 && !removing->append_only;)
        if (versions->items[i].marker == markers && destroy_version(removing, &versions->items[i], err) < 0)
            return -1;
    return 0;
}

/* All that a key without the right to destroy can do. Where the bucket keeps no versions this destroys after all. */
static int hide(struct removing *removing, const struct versions *versions, struct err *err) {
    const struct s3_store *store = removing->store;
    struct store_removal *removal = removing->removal;
    struct versions left;

    if (versions->items[0].marker) {
        removal->hidden = true;
        return 0;
    }
    if (s3_delete(store->s3, store->place.bucket, removing->key, NULL, err) < 0)
        return err_wrap(err, "the key may neither destroy nor hide objects");
    if (list_versions(removing, &left, err) < 0)
        return -1;
    removal->hidden = left.count > 0 && left.items[0].marker;
    const bool gone = left.count == 0, hidden = removal->hidden;
    versions_release(&left);
    if (gone)
        count_destroyed(removal, versions->items[0].id);
    return gone || hidden ? 0 : err_set(err, ERR_CHANGED, "it was written again while it was removed");
}

static int refuse_locked(const struct removing *removing, struct err *err) {
    char date[CLOCK_TEXT];

    if (removing->removal->locked_until == INT64_MAX)
        return err_set(err, ERR_REFUSED, "a legal hold keeps it");
    return err_set(err, ERR_REFUSED, "object lock keeps it until %s",
                   clock_format(date, removing->removal->locked_until));
}

/* Without versions there is one object, and one request. */
static int remove_plainly(struct removing *removing, struct err *err) {
    const struct s3_store *store = removing->store;
    const char *bucket = store->place.bucket;
    struct s3_info info;

    if (s3_head(store->s3, bucket, removing->key, NULL, &info, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    s3_info_release(&info);
    if (s3_delete(store->s3, bucket, removing->key, NULL, err) < 0)
        return -1;
    if (s3_head(store->s3, bucket, removing->key, NULL, &info, err) < 0 && err->code == ERR_NOT_FOUND) {
        removing->removal->versions = 1;
        err_clear(err);
        return 0;
    }
    if (err->code != ERR_NONE)
        return -1;
    s3_info_release(&info);
    return err_set(err, ERR_CHANGED, "it is still there after it was removed");
}

static int remove_object(struct removing *removing, struct err *err) {
    struct versions versions;

    for (int round = 0;; round++) {
        if (list_versions(removing, &versions, err) < 0) {
            if (!s3_store_has_no_versions(removing->store, err))
                return -1;
            return remove_plainly(removing, err);
        }
        if (versions.count == 0)
            return 0;
        int status = round < ROUNDS ? destroy_versions(removing, &versions, false, err)
                                    : err_set(err, ERR_CHANGED, "there are new versions each time it is removed");
        const bool locked = removing->removal->locked_until != 0;
        if (status == 0 && !locked && !removing->append_only)
            status = destroy_versions(removing, &versions, true, err);
        if (status == 0 && locked)
            status = refuse_locked(removing, err);
        else if (status == 0 && removing->append_only)
            status = hide(removing, &versions, err);
        versions_release(&versions);
        if (status < 0 || removing->append_only)
            return status;
    }
}

int s3_store_remove(struct store *base, const char *name, struct store_removal *removal, struct err *err) {
    struct s3_store *store = (struct s3_store *)base;
    char *key = s3_store_key(store, name);
    struct removing removing = { .store = store, .name = name, .key = key, .removal = removal };
    struct err inner = { 0 };

    int status;
    if (store->place.service.signature == S3_SIGNATURE_V2)
        status = remove_plainly(&removing, &inner);
    else
        status = remove_object(&removing, &inner);
    free(key);
    if (status == 0)
        return 0;
    s3_store_wrap(store, "remove", name, &inner);
    if (err != NULL)
        *err = inner;
    return -1;
}

/*
 * Unfinished uploads
 */

struct unfinished {
    const struct s3_store *store;
    int64_t before;
    struct unfinished_upload {
        char *key, *upload;
        int64_t begun;
    } * items;
    size_t count, capacity;
};

static int add_unfinished(void *context, const struct s3_upload *upload, struct err *err) {
    struct unfinished *found = context;
    (void)err;

    if (upload->begun >= found->before || s3_store_name(found->store, upload->key) == NULL)
        return 0;
    found->items = mem_grow(found->items, &found->capacity, found->count + 1, sizeof *found->items);
    found->items[found->count++] = (struct unfinished_upload){ .key = mem_string(upload->key),
                                                               .upload = mem_string(upload->upload),
                                                               .begun = upload->begun };
    return 0;
}

static int list_unfinished(struct s3_store *store, const char *prefix, int64_t before, struct unfinished *found,
                           struct err *err) {
    char *folder = s3_store_folder(store, prefix);
    struct err inner = { 0 };
    *found = (struct unfinished){ .store = store, .before = before };

    /* What a service has no word for it does not keep. */
    int status = s3_list_uploads(store->s3, store->place.bucket, folder, add_unfinished, found, &inner);
    free(folder);
    if (status == 0 || inner.code == ERR_UNSUPPORTED)
        return 0;
    s3_store_wrap(store, "look for unfinished uploads below", prefix, &inner);
    if (err != NULL)
        *err = inner;
    return -1;
}

static void unfinished_release(struct unfinished *found) {
    for (size_t i = 0; i < found->count; i++) {
        free(found->items[i].key);
        free(found->items[i].upload);
    }
    free(found->items);
}

int s3_store_list_uploads(struct store *base, const char *prefix, int64_t before, store_each_upload *each,
                          void *context, struct err *err) {
    struct s3_store *store = (struct s3_store *)base;
    struct unfinished found;

    int status = list_unfinished(store, prefix, before, &found, err);
    for (size_t i = 0; i < found.count && status == 0; i++)
        status = each(context, s3_store_name(store, found.items[i].key), found.items[i].begun, err);
    unfinished_release(&found);
    return status;
}

int s3_store_sweep(struct store *base, const char *prefix, int64_t before, struct err *err) {
    struct s3_store *store = (struct s3_store *)base;
    struct unfinished found;

    int status = list_unfinished(store, prefix, before, &found, err);
    for (size_t i = 0; i < found.count && status == 0; i++) {
        const struct unfinished_upload *upload = &found.items[i];
        status = s3_multipart_abort(store->s3, store->place.bucket, upload->key, upload->upload, err);
        if (status == 0)
            log_detail(store->log, "%s: an unfinished upload of '%s' was ended", base->label, upload->key);
        else
            s3_store_wrap(store, "end an unfinished upload below", prefix, err);
    }
    unfinished_release(&found);
    return status;
}
