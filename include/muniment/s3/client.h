/*
 * A client of one object storage service. Blocking calls, any number of threads: each call borrows a connection of the
 * pool and waits while all are in use. Bodies are in memory; whoever moves large objects does it in parts.
 *
 * Every call retries by itself, on a fresh connection, what is worth retrying: network errors, 408, 429, 500, 502, 503,
 * 504, RequestTimeout, SlowDown, InternalError, BadDigest, IncompleteBody, a 200 that holds an <Error>; with full
 * jitter from 1 s to 60 s, at least as long as Retry-After asks, for the service's retry_for in all.
 * RequestTimeTooSkewed: takes the offset from the server's Date, once, with a warning. Everything else is final at
 * once. An interrupt (see interrupt.h) ends any call within a second. A PUT that may have arrived (an error after the
 * whole body was sent) is looked for with HEAD before it is sent again: on a versioned bucket a second one is a second,
 * billed version. Likewise an upload that may have been completed: it is only completed again while it is still there.
 *
 * Messages name what was tried, service, bucket, key, status, the server's code and message (its body, cut, where it is
 * not XML). Codes:
 *     ERR_NOT_FOUND    no such key, version or upload
 *     ERR_NO_BUCKET    no such bucket
 *     ERR_INVALID      wrong region or endpoint, redirect
 *     ERR_DENIED       401 and 403: credentials, capabilities, caps, a lock
 *     ERR_CHANGED      412: the object is not the one that was meant
 *     ERR_UNSUPPORTED  501, or what the signature cannot do
 *     ERR_CORRUPT      an answer that is not what the protocol allows, or whose checksum does not hold
 *     ERR_SYSTEM       the network, or a server that stayed out of order for so long
 *
 * Keys are any bytes but NUL, 1 to 1024 of them; they are encoded once and never normalised.
 */
#ifndef MUNIMENT_S3_CLIENT_H
#define MUNIMENT_S3_CLIENT_H

#include <muniment/s3/service.h>
#include <muniment/util/buffer.h>
#include <muniment/util/log.h>

enum {
    S3_KEY_MAX = 1024,
    S3_ETAG_MAX = 128,          /* with the terminator, without quotes */
    S3_PART_MIN = 5242880,      /* but for the last part */
    S3_PARTS_MAX = 10000,       /* of one upload */
    S3_PUT_BEST = 64 * 1048576, /* up to here one PUT is better than parts */
};

struct s3;

/* Loads the credentials, talks to nobody. `log` is borrowed and may be NULL. ERR_INVALID for a service that cannot be
 * used, ERR_KEY without credentials. */
int s3_open(const struct s3_service *service, struct log *log, struct s3 **s3, struct err *err) MUST_CHECK;
void s3_close(struct s3 *s3); /* NULL is fine; no call may be under way */
const struct s3_service *s3_service(const struct s3 *s3);
unsigned s3_connections(const struct s3 *s3); /* how many calls at once are of use */

/* Instead of the service's retry_for, for tests and for people who wait. */
void s3_set_retry_time(struct s3 *s3, int64_t seconds);

/* Headers as a list: of requests and of answers. Names in lower case. */
struct s3_headers {
    struct s3_header {
        char *name, *value;
    } * items;
    size_t count, capacity;
};
void s3_headers_add(struct s3_headers *headers, const char *name, const char *value);
const char *s3_headers_find(const struct s3_headers *headers, const char *name); /* or NULL */
void s3_headers_release(struct s3_headers *headers);

/* Percent-encodes everything but unreserved bytes (RFC 3986); '/' stays, too, if `slashes`. Appends. */
void s3_encode(struct buffer *out, const char *text, bool slashes);

struct s3_lock {
    enum s3_lock_mode mode;
    int64_t until;
    bool legal_hold;
};

/* What an answer says of an object. Release it after each call that succeeded. */
struct s3_info {
    uint64_t size; /* of the whole object, also after a read of a part */
    int64_t modified;
    char etag[S3_ETAG_MAX];
    char *version;             /* or NULL */
    struct s3_headers headers; /* content-*, cache-control, expires and x-amz-*: what describes the object */
};
void s3_info_release(struct s3_info *info);

/* --- objects ------------------------------------------------------------------------------------------------------ */

struct s3_put {
    const struct s3_headers *headers; /* content-type, cache-control, x-amz-meta-*, x-amz-tagging, ...; or NULL */
    const uint8_t *sha256;            /* of the data, when the caller knows it already; or NULL */
    enum s3_lock_mode lock;
    int64_t lock_until;
};

/* Durable when it returns 0. The ETag is compared with the data's MD5 where it has the form of one. `options` and
 * `info` (etag, version) may be NULL. */
int s3_put(struct s3 *s3, const char *bucket, const char *key, const void *data, size_t length,
           const struct s3_put *options, struct s3_info *info, struct err *err) MUST_CHECK;

struct s3_get {
    const char *version;  /* or NULL */
    const char *if_match; /* an ETag, or NULL */
    uint64_t offset;
    uint64_t length; /* at most this many bytes; UINT64_MAX: to the end. With offset 0 and UINT64_MAX no range is asked
                        for */
    size_t max;      /* more than this is ERR_CORRUPT */
};

/* Appends to `out`; a cut answer is continued where it broke off, if the ETag is still the same. An offset at or past
 * the end yields nothing. `info` may be NULL. */
int s3_get(struct s3 *s3, const char *bucket, const char *key, const struct s3_get *what, struct buffer *out,
           struct s3_info *info, struct err *err) MUST_CHECK;

int s3_head(struct s3 *s3, const char *bucket, const char *key, const char *version, struct s3_info *info,
            struct err *err) MUST_CHECK;

/* With `version` that version is gone for good; without, on a versioned bucket, the object is only hidden. An absent
 * one is a success. */
int s3_delete(struct s3 *s3, const char *bucket, const char *key, const char *version, struct err *err) MUST_CHECK;

/* --- ETags -------------------------------------------------------------------------------------------------------- */

/* Of an object that went by one PUT the ETag is its MD5. It guards nothing but the way. */
enum { S3_MD5_SIZE = 16 };
int s3_md5(uint8_t md5[S3_MD5_SIZE], const void *data, size_t length, struct err *err) MUST_CHECK;

/* Without quotes. */
bool s3_etag_is_md5(const char *etag); /* by its form */
bool s3_etag_matches(const char *etag, const uint8_t md5[S3_MD5_SIZE]);

/* What the ETag of an upload in parts is, where those of its parts are their MD5s: `md5s` are `count` of these, one
 * after the other. */
int s3_etag_join(char etag[S3_ETAG_MAX], const uint8_t *md5s, size_t count, struct err *err) MUST_CHECK;

/* False where the service says (in the headers of an answer) that it encrypts with a key of its own or the customer's:
 * then an ETag only looks like an MD5. */
bool s3_etag_is_of_content(const struct s3_headers *headers);

/* --- listings ----------------------------------------------------------------------------------------------------- */

/*
 * Listings are sorted bytewise, and refused (ERR_CORRUPT) when they do not advance. The end is believed only when a
 * request that starts after the last key yields nothing: servers that end a listing early exist, and absence from a
 * listing must mean absence. A callback that returns non-zero ends the listing with that error.
 */
struct s3_listed {
    const char *key; /* borrowed for the call */
    uint64_t size;
    int64_t modified;
    const char *etag; /* without quotes */
};
typedef int s3_each(void *context, const struct s3_listed *object, struct err *err);
int s3_list(struct s3 *s3, const char *bucket, const char *prefix, const char *start_after, s3_each *each,
            void *context, struct err *err) MUST_CHECK;

struct s3_version {
    const char *key, *version; /* "null" where the bucket has no versions */
    bool hide_marker, latest;
    uint64_t size;
    int64_t modified;
    const char *etag; /* "" for markers */
};
typedef int s3_each_version(void *context, const struct s3_version *version, struct err *err);

/* By key, the versions of one key newest first. ERR_UNSUPPORTED where the server knows no versions. */
int s3_list_versions(struct s3 *s3, const char *bucket, const char *prefix, s3_each_version *each, void *context,
                     struct err *err) MUST_CHECK;

/* One cheap request that needs what most others need: the bucket, the region, credentials that may list. */
int s3_reach(struct s3 *s3, const char *bucket, const char *prefix, struct err *err) MUST_CHECK;

/* --- large objects ------------------------------------------------------------------------------------------------ */

struct s3_part {
    unsigned number; /* from 1 */
    uint64_t size;
    char etag[S3_ETAG_MAX];
};

/* How large the parts of an upload of `size` bytes are (only the last is smaller): 16 MiB, or larger where there would
 * be too many. It follows from the size alone, so that whoever sends the same content again makes the same parts. */
uint64_t s3_part_size(uint64_t size);

/* `*upload`, its id, is the caller's to free. RGW 16 forgets the lock of `options` when the upload is completed:
 * whoever asks for one looks with s3_get_lock(), and sets it with s3_set_lock(). */
int s3_multipart_begin(struct s3 *s3, const char *bucket, const char *key, const struct s3_put *options, char **upload,
                       struct err *err) MUST_CHECK;
int s3_multipart_put(struct s3 *s3, const char *bucket, const char *key, const char *upload, unsigned number,
                     const void *data, size_t length, struct s3_part *part, struct err *err) MUST_CHECK;
int s3_multipart_complete(struct s3 *s3, const char *bucket, const char *key, const char *upload,
                          const struct s3_part *parts, size_t count, struct s3_info *info, struct err *err) MUST_CHECK;
int s3_multipart_abort(struct s3 *s3, const char *bucket, const char *key, const char *upload,
                       struct err *err) MUST_CHECK; /* one that is gone already is a success */

struct s3_upload {
    const char *key, *upload;
    int64_t begun;
};
typedef int s3_each_upload(void *context, const struct s3_upload *upload, struct err *err);
int s3_list_uploads(struct s3 *s3, const char *bucket, const char *prefix, s3_each_upload *each, void *context,
                    struct err *err) MUST_CHECK;
int s3_list_parts(struct s3 *s3, const char *bucket, const char *key, const char *upload, struct s3_part **parts,
                  size_t *count, struct err *err) MUST_CHECK; /* `parts` is freed with free() */

/* --- tags, locks, buckets ----------------------------------------------------------------------------------------- */

int s3_get_tags(struct s3 *s3, const char *bucket, const char *key, const char *version, struct s3_headers *tags,
                struct err *err) MUST_CHECK; /* names as they are, not in lower case */

/* A version without a lock has mode none. */
int s3_get_lock(struct s3 *s3, const char *bucket, const char *key, const char *version, struct s3_lock *lock,
                struct err *err) MUST_CHECK;
int s3_set_lock(struct s3 *s3, const char *bucket, const char *key, const char *version, enum s3_lock_mode mode,
                int64_t until, struct err *err) MUST_CHECK;

enum s3_versioning { S3_VERSIONING_OFF, S3_VERSIONING_ON, S3_VERSIONING_SUSPENDED, S3_VERSIONING_UNKNOWN };

struct s3_rule {           /* of a bucket's lifecycle, where it is enabled */
    char *prefix;          /* "" for all */
    int64_t expire;        /* days after which objects are hidden or removed; 0: never */
    int64_t expire_hidden; /* days after which versions that are not the latest are removed; 0: never */
    int64_t abort_uploads; /* days; 0: never */
};
struct s3_bucket {
    enum s3_versioning versioning;
    bool locks;                     /* object lock is enabled */
    bool locks_known;               /* the key may ask, and the server knows */
    enum s3_lock_mode default_mode; /* of new objects */
    int64_t default_days;
    bool rules_known; /* the key may read them */
    struct s3_rule *rules;
    size_t rule_count;
};

/* What this key may not read, or this server does not know, stays unknown: only trouble to reach the bucket is an
 * error. */
int s3_bucket_describe(struct s3 *s3, const char *bucket, struct s3_bucket *description, struct err *err) MUST_CHECK;
void s3_bucket_release(struct s3_bucket *description);

#endif
