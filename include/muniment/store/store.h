/*
 * A store: a flat space of named, immutable objects. A directory or a bucket.
 *
 * Names are relative paths of [A-Za-z0-9._-] components joined by '/', no component beginning with a dot, at most
 * 255 bytes in all. store_* refuses others with ERR_INVALID.
 *
 * Invariants every store keeps, and the shared suite tests:
 *  1. An object is visible under its name only whole. When put or commit returns 0 it is durable.
 *  2. A process killed at any instruction leaves either the object or nothing under the name. What else it leaves
 *     (a temporary file) is invisible to listing and swept by a later open.
 *  3. What was put before is listed after, and what was removed before is not.
 *  4. No operation depends on a condition ("create if absent"): B2 has none.
 *
 * A store may be used by several threads at once; an upload or a lock by one.
 */
#ifndef MUNIMENT_STORE_STORE_H
#define MUNIMENT_STORE_STORE_H

#include <muniment/s3/service.h>
#include <muniment/util/buffer.h>
#include <muniment/util/error.h>
#include <muniment/util/log.h>
#include <stdbool.h>
#include <stdint.h>

struct store;
struct store_upload;
struct store_lock;

enum { STORE_NAME_MAX = 255 };

/* Where a store is. Borrowed by store_open(), which copies what it needs. */
struct store_address {
    const char *path;                   /* a directory, or an address of object storage ("s3:...", see s3/service.h) */
    const char *label;                  /* how messages name it; NULL means the path */
    const struct s3_services *services; /* for addresses; may be NULL */
    enum s3_lock_mode lock;             /* how objects are locked that are put with a date; only on object storage */
    int64_t as_of;                      /* not 0: the store as it was then, read only, from the versions that a bucket
                                           kept (ERR_UNSUPPORTED where there are none) */
    struct log *log;                    /* borrowed; may be NULL */
};

struct store_object {
    const char *name; /* borrowed for the call */
    uint64_t size;    /* bytes */
    int64_t modified; /* by the store's own clock */
};

/* Opens a store; a directory must exist unless `create`, which makes it (mode 0700). ERR_NOT_FOUND when it is absent.
 */
int store_open(const struct store_address *address, bool create, struct store **store, struct err *err) MUST_CHECK;
void store_close(struct store *store); /* NULL is fine */
const char *store_label(const struct store *store);

/* How many transfers at once are of use: 1 for a directory, the connections of a bucket. */
unsigned store_transfers(const struct store *store);

/* Stores `length` bytes under `name`, replacing what was there. Durable when it returns 0. */
int store_put(struct store *store, const char *name, const void *data, size_t length, struct err *err) MUST_CHECK;

/* The same, locked until then from its first moment where the store was opened with a lock; 0: not locked. */
int store_put_locked(struct store *store, const char *name, const void *data, size_t length, int64_t until,
                     struct err *err) MUST_CHECK;

/* The same for large objects whose name is known only at their end. Nothing is visible before commit. Commit and
 * abort both free the upload, whatever they return. */
int store_upload_begin(struct store *store, struct store_upload **upload, struct err *err) MUST_CHECK;
int store_upload_write(struct store_upload *upload, const void *data, size_t length, struct err *err) MUST_CHECK;
void store_upload_lock(struct store_upload *upload, int64_t until);              /* as store_put_locked() */
void store_upload_hashed(struct store_upload *upload, const uint8_t sha256[32]); /* of all that was written, where the
                                                                                    caller knows it: saves a bucket's
                                                                                    store to compute it again */
int store_upload_commit(struct store_upload *upload, const char *name, struct err *err) MUST_CHECK;
void store_upload_abort(struct store_upload *upload); /* NULL is fine */

/* Appends the whole object to `out`. ERR_NOT_FOUND when absent, ERR_CORRUPT when it is larger than `max`. */
int store_get(struct store *store, const char *name, size_t max, struct buffer *out, struct err *err) MUST_CHECK;

/* Reads exactly `length` bytes at `offset`. A shorter object is ERR_CORRUPT, an absent one ERR_NOT_FOUND. */
int store_get_range(struct store *store, const char *name, uint64_t offset, void *to, size_t length,
                    struct err *err) MUST_CHECK;

/* Size and time of one object. ERR_NOT_FOUND when absent. */
int store_stat(struct store *store, const char *name, uint64_t *size, int64_t *modified, struct err *err) MUST_CHECK;

/* Calls `each` for every object below the folder `prefix` ("" is all; else without a trailing '/'), sorted by name
 * bytewise. A callback that returns non-zero ends the listing with that error. An absent folder lists nothing. */
typedef int store_each(void *context, const struct store_object *object, struct err *err);
int store_list(struct store *store, const char *prefix, store_each *each, void *context, struct err *err) MUST_CHECK;

/* The same with what is hidden: names that have versions in a bucket and are not listed, because a hide marker is the
 * newest. Where there are no versions this is store_list(). */
struct store_kept {
    const char *name;  /* borrowed for the call */
    uint64_t size;     /* of the newest version that is no marker */
    int64_t modified;  /* of the newest version */
    unsigned versions; /* hide markers counted */
    bool hidden;
};
typedef int store_each_kept(void *context, const struct store_kept *object, struct err *err);
int store_list_kept(struct store *store, const char *prefix, store_each_kept *each, void *context,
                    struct err *err) MUST_CHECK;

/* Lengthens the lock of the object's newest version; one that lasts longer stays. Nothing without a lock. */
int store_lock_until(struct store *store, const char *name, int64_t until, struct err *err) MUST_CHECK;
bool store_locks(const struct store *store); /* it was opened with a lock */

/* Until when the object's newest version is locked, whoever locked it, however the store was opened: 0 is not at all,
 * INT64_MAX by a legal hold. ERR_DENIED and ERR_UNSUPPORTED where that cannot be asked. */
int store_locked_until(struct store *store, const char *name, int64_t *until, struct err *err) MUST_CHECK;

/* How a removal went. */
struct store_removal {
    unsigned versions;    /* that were destroyed, hide markers counted; a directory's objects have one */
    struct buffer ids;    /* of those versions, joined by ','; empty for a directory. The caller's to release */
    bool hidden;          /* the key may not delete: the object is hidden, its bytes stay until the bucket's rules end
                             them */
    int64_t locked_until; /* a version is locked until then (INT64_MAX: by a legal hold) */
};

/* Removes an object with all its versions and its hide markers, by their ids, and lists it again to prove it. Durable
 * when it returns 0; an absent object is a success, so removal can be repeated. ERR_REFUSED when a lock holds a version
 * (what is not locked is gone then; nothing is hidden). `removal` may be NULL. */
int store_remove(struct store *store, const char *name, struct store_removal *removal, struct err *err) MUST_CHECK;

/* Calls `each` for every unfinished upload below the folder `prefix` that began before then, with the name that it was
 * to have. None in a directory. */
typedef int store_each_upload(void *context, const char *name, int64_t begun, struct err *err);
int store_list_uploads(struct store *store, const char *prefix, int64_t before, store_each_upload *each, void *context,
                       struct err *err) MUST_CHECK;

/* Aborts unfinished uploads below the folder `prefix` that began before then. Nothing for a directory, which sweeps
 * when it is opened. */
int store_sweep(struct store *store, const char *prefix, int64_t before, struct err *err) MUST_CHECK;

/* An exclusive advisory lock between the processes that use this store, freed by the system when its holder dies.
 * `name` as for objects; a lock is not an object and is not listed. Waits up to `wait` seconds, then ERR_LOCKED. */
int store_lock_take(struct store *store, const char *name, int64_t wait, struct store_lock **lock,
                    struct err *err) MUST_CHECK;
void store_lock_release(struct store_lock *lock); /* NULL is fine */

/* True when the lock is seen by every process that uses the store (a directory: flock inside it), false when it only
 * holds on this machine (a bucket). */
bool store_lock_is_global(const struct store *store);

/* A listing held in memory, for the layers whose listings are small by nature (snapshots, sessions, indexes). */
struct store_names {
    struct store_listed {
        char *name;
        uint64_t size;
        int64_t modified;
    } * items; /* sorted by name */
    size_t count;
    size_t capacity;
};
int store_names_load(struct store *store, const char *prefix, struct store_names *names, struct err *err) MUST_CHECK;
const struct store_listed *store_names_find(const struct store_names *names, const char *name);
void store_names_release(struct store_names *names);

#endif
