/*
 * Buckets, as a source and as a place to restore to:
 *
 *     bucket.c            the source: one configured place after another, and what is said of them
 *     bucket_roots.c      the configured places, checked and in order
 *     bucket_listing.c    a listing that a thread of its own reads ahead
 *     bucket_fetch.c      contents, fetched ahead by several threads and handed out in order
 *     bucket_read.c       one place: listing, last tree and contents brought together
 *     bucket_object.c     headers, metadata and tags as attributes of an entry, and back
 *     bucket_pool.c       threads that transfer
 *     bucket_place.c      restoring: objects by one PUT or in parts
 *     bucket_look.c       what there is already
 *     bucket_upload.c     an upload in parts
 */
#ifndef MUNIMENT_SOURCE_BUCKET_INTERNAL_H
#define MUNIMENT_SOURCE_BUCKET_INTERNAL_H

#include <muniment/s3/client.h>
#include <muniment/source/bucket_place.h>
#include <muniment/source/source.h>
#include <stdatomic.h>

enum { BUCKET_CONNECTIONS = 32 }; /* where the configuration names none: most objects are small */

/* A client with more connections than a repository needs, unless the configuration says how many. */
int bucket_connect(const struct s3_service *service, struct log *log, struct s3 **s3, struct err *err) MUST_CHECK;

/* --- configured places -------------------------------------------------------------------------------------------- */

struct bucket_roots {
    struct s3_place *items; /* by "BUCKET/PREFIX", bytewise: so objects come in tree order */
    size_t count;
};

/* ERR_INVALID for addresses that are none, hold one another, or name one bucket of two services. */
int bucket_roots_load(const struct source *source, struct bucket_roots *roots, struct err *err) MUST_CHECK;
void bucket_roots_release(struct bucket_roots *roots);

/* "BUCKET" or "BUCKET/PREFIX". The caller frees it. */
char *bucket_root_name(const struct s3_place *root);

/* --- listings ----------------------------------------------------------------------------------------------------- */

/* A listed object, owned. */
struct bucket_listed {
    char *key, *etag;
    uint64_t size;
    int64_t modified;
};
void bucket_listed_release(struct bucket_listed *listed);

struct bucket_listing;

/* Starts the thread. Copies bucket, prefix and start_after (may be NULL); borrows s3 until bucket_listing_stop(). */
int bucket_listing_start(struct s3 *s3, const char *bucket, const char *prefix, const char *start_after,
                         struct bucket_listing **listing, struct err *err) MUST_CHECK;

enum bucket_listing_result {
    BUCKET_LISTING_FAILED = -1,
    BUCKET_LISTING_END,
    BUCKET_LISTING_ITEM,
    BUCKET_LISTING_LATER
};

/* The next object (owned by the caller, who released the one before), in order. Without `wait` it may be LATER. */
enum bucket_listing_result bucket_listing_next(struct bucket_listing *listing, bool wait, struct bucket_listed *listed,
                                               struct err *err) MUST_CHECK;
void bucket_listing_stop(struct bucket_listing *listing); /* NULL is fine */

/* --- objects ------------------------------------------------------------------------------------------------------ */

char *bucket_path(const char *bucket, const char *key); /* of an entry. The caller frees it. */

/* Fills a new entry. `tags` may be NULL. What no entry can hold is told to the log and left out. */
void bucket_entry_make(struct entry *entry, const char *bucket, const struct bucket_listed *listed,
                       const struct s3_info *info, const struct s3_headers *tags, struct log *log);

/* The server says that the object has some; which, s3_get_tags() tells. */
bool bucket_info_has_tags(const struct s3_info *info);

/* True when it is the object that the entry was made of. */
bool bucket_entry_is(const struct entry *entry, const struct bucket_listed *listed);

/* The headers that give an object an entry's metadata. `all` false leaves out what not every service takes: tags and
 * the storage class. */
void bucket_entry_headers(const struct entry *entry, bool all, struct s3_headers *headers);
bool bucket_entry_has_extras(const struct entry *entry); /* of which `all` makes a difference */

/* Headers and user metadata alike; tags too, if asked. Storage classes are no property of an object's content, and what
 * the service chose itself does not count. */
bool bucket_entry_like(const struct entry *left, const struct entry *right, bool tags);
bool bucket_entry_has_tags(const struct entry *entry);

/* --- contents ----------------------------------------------------------------------------------------------------- */

enum { BUCKET_PIECE = 8 * 1048576 }; /* bytes asked for at once */

/* What comes with an object's first piece. */
struct bucket_facts {
    struct s3_info info;
    struct s3_headers tags;
    struct err tags_err; /* why they are not there; no reason to go without the object */
};
void bucket_facts_release(struct bucket_facts *facts);

/* An object on its way. Zero-initialised but for `listed`. */
struct bucket_item {
    struct bucket_listed listed;
    void *held; /* of the sink, when it is kept as it was; else it is fetched */

    /* The fetch's. */
    struct bucket_facts facts;
    struct bucket_piece *first, *last;
    uint64_t asked, taken; /* bytes */
    bool all_asked;
    unsigned flying; /* pieces being fetched */
    struct bucket_item *next;
};
void bucket_item_release(struct bucket_item *item);

struct bucket_fetch;

/* Borrows all until bucket_fetch_free(). `tags`: fetch them too, where there are some. */
struct bucket_fetch *bucket_fetch_new(struct s3 *s3, const char *bucket, bool tags);

/* Asks for an object. Items are taken in the order in which they were asked for. */
int bucket_fetch_ask(struct bucket_fetch *fetch, struct bucket_item *item, struct err *err) MUST_CHECK;

/* The next piece of the first item: 1, 0 at its end (content and ETag fit), -1. `data` is replaced. ERR_CHANGED and
 * ERR_NOT_FOUND when it is not there any more as it was listed, ERR_CORRUPT when it is not what its ETag says. */
int bucket_fetch_take(struct bucket_fetch *fetch, struct bucket_item *item, struct buffer *data,
                      struct err *err) MUST_CHECK;

/* Done with the first item, at its end or before. It can be released then. */
void bucket_fetch_drop(struct bucket_fetch *fetch, struct bucket_item *item);
void bucket_fetch_free(struct bucket_fetch *fetch); /* NULL is fine */

/* One piece, in the caller's thread: content from `offset` on, checked to be as long as it must be, and the MD5 where
 * it is the whole. `facts` is filled with the first (offset 0). */
int bucket_fetch_piece(struct s3 *s3, const char *bucket, const struct bucket_listed *listed, uint64_t offset,
                       bool tags, struct buffer *data, struct bucket_facts *facts, struct err *err) MUST_CHECK;

/* --- reading one place -------------------------------------------------------------------------------------------- */

struct bucket_counts {
    uint64_t listed, excluded, read, unchanged, vanished, bytes;
};

/* Captures what is there. 0, or -1 with *fatal when the whole source must end (the sink's error, an interrupt) and
 * without it when only this place could not be read to its end. */
int bucket_read(const struct source *source, const struct s3_place *root, struct source_sink *sink, struct log *log,
                struct bucket_counts *counts, bool *fatal, struct err *err) MUST_CHECK;

/* --- transfers ---------------------------------------------------------------------------------------------------- */

/* Embedded as the first member of what a thread does. */
struct bucket_job {
    struct bucket_job *next;
    size_t bytes;                                        /* of memory that it holds */
    int (*run)(struct bucket_job *job, struct err *err); /* in a thread of the pool */
    void (*free)(struct bucket_job *job);                /* after it ran, or instead */
};

struct bucket_pool;
struct bucket_pool *bucket_pool_new(unsigned threads, size_t bytes);

/* Takes the job; waits while there is no room for its bytes. Returns the first error of any job before: then this one
 * is freed and none will run any more. */
int bucket_pool_add(struct bucket_pool *pool, struct bucket_job *job, struct err *err) MUST_CHECK;
int bucket_pool_wait(struct bucket_pool *pool, struct err *err) MUST_CHECK; /* until all have run */
void bucket_pool_free(struct bucket_pool *pool);                            /* drops what has not begun; NULL is fine */

/* --- restoring ---------------------------------------------------------------------------------------------------- */

/* Where an entry goes. Owned. */
struct bucket_target {
    char *bucket, *key;
};
void bucket_target_release(struct bucket_target *target);

struct bucket_place {
    const struct s3_place *place;
    bool several;
    struct log *log;
    struct s3 *s3;
    struct bucket_pool *pool;
    atomic_bool plain; /* the service takes no tags or no storage classes: objects go without */

    struct bucket_cursor *cursor; /* of what is looked at */

    /* The object under way. */
    struct bucket_target target;
    struct entry entry;
    struct buffer data; /* of it, or of its next part */
    uint64_t taken;
    struct bucket_upload *upload; /* NULL: it goes by one PUT */
};

/* ERR_INVALID when the key would be too long there. */
int bucket_target_of(const struct bucket_place *place, const struct entry *entry, struct bucket_target *target,
                     struct err *err) MUST_CHECK;
void bucket_cursor_free(struct bucket_cursor *cursor); /* NULL is fine */

/* Calls what makes an object with the headers of its entry, and once more with fewer where the service refuses some. */
typedef int bucket_make(void *context, const struct s3_put *options, struct err *err);
int bucket_make_with_headers(struct bucket_place *place, const struct entry *entry, bucket_make *make, void *context,
                             struct err *err) MUST_CHECK;

/* An upload in parts, each a job of the pool. It completes itself when the last part is there. */
struct bucket_upload;
int bucket_upload_begin(struct bucket_place *place, const struct bucket_target *target, const struct entry *entry,
                        struct bucket_upload **upload, struct err *err) MUST_CHECK;
/* Takes the data, also when it fails. `last`: there are no more parts. */
int bucket_upload_part(struct bucket_upload *upload, struct buffer *data, bool last, struct err *err) MUST_CHECK;
/* The caller is done with it. Unless it is complete, it is aborted when the last part under way is over. */
void bucket_upload_release(struct bucket_upload *upload); /* NULL is fine */

#endif
