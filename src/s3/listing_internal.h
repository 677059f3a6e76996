/* One page of a listing: what a single answer holds, before anybody trusts its order. */
#ifndef MUNIMENT_S3_LISTING_INTERNAL_H
#define MUNIMENT_S3_LISTING_INTERNAL_H

#include "s3_internal.h"

enum s3_page_kind { S3_PAGE_OBJECTS, S3_PAGE_VERSIONS, S3_PAGE_UPLOADS };

struct s3_page_item {
    char *key;
    char *id;   /* of the version or the upload; NULL for objects */
    char *etag; /* without quotes; NULL where there is none */
    uint64_t size;
    int64_t time;
    bool marker, latest;

    bool sized, timed; /* said so far */
    size_t position;   /* in the page */
};

struct s3_page {
    struct s3_page_item *items;
    size_t count, capacity;
    bool truncated;
    char *next_token, *next_key, *next_id; /* where the server wants to go on; NULL where it does not say */
};

/* Reads a whole answer. Keys are decoded: any bytes but NUL, 1 to S3_KEY_MAX of them. ERR_CORRUPT for what is no such
 * page, ERR_UNSUPPORTED for a key that holds a NUL, and where an answer about versions is a plain listing. */
int s3_page_read(enum s3_page_kind kind, const struct buffer *answer, struct s3_page *page, struct err *err) MUST_CHECK;
void s3_page_release(struct s3_page *page);

/* Sorts a page of versions by key, as it should have come, where a server gives versions and hide markers apart. */
void s3_page_sort_versions(struct s3_page *page);

#endif
