#include "listing_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/*
 * Where a listing goes on is decided here, by the last key that came, and by the server's own marker only where a page
 * had nothing in it. So each page is a request of its own that starts after a known key, and the one that yields
 * nothing proves the end.
 */

enum { ANSWER_MAX = 16 * 1024 * 1024, UPLOAD_PAGES_MAX = 10000 };
static const char PAGE[] = "1000";

struct listing {
    struct s3 *s3;
    const char *bucket, *prefix;
    char *key, *id; /* the last one; NULL: none yet */
    char *token;    /* the server's marker, instead of the last one; of versions and uploads its `id` goes with it */
    char *token_id;
    uint64_t same;    /* versions of the last key so far */
    char *checkpoint; /* one of them: see advance() */
};

static void listing_release(struct listing *listing) {
    free(listing->key);
    free(listing->id);
    free(listing->token);
    free(listing->token_id);
    free(listing->checkpoint);
}

static int wrap(const struct listing *listing, struct err *err) {
    char name[S3_NAME_TEXT];
    return err_wrap(err, "list %s", s3_name(name, listing->s3, listing->bucket, NULL));
}

static void replace(char **to, const char *text) {
    char *copy = mem_string(text);
    free(*to);
    *to = copy;
}

static void add_unless_null(struct s3_request *request, const char *name, const char *value) {
    if (value)
        s3_headers_add(&request->query, name, value);
}

static void add_markers(const struct listing *listing, enum s3_page_kind kind, struct s3_request *request) {
    const char *key = listing->token ? listing->token : listing->key;
    const char *id = listing->token ? listing->token_id : listing->id;

    switch (kind) {
    case S3_PAGE_OBJECTS:
        s3_headers_add(&request->query, "list-type", "2");
        add_unless_null(request, "start-after", listing->key);
        add_unless_null(request, "continuation-token", listing->token);
        break;
    case S3_PAGE_VERSIONS:
        s3_headers_add(&request->query, "versions", "");
        add_unless_null(request, "key-marker", key);
        add_unless_null(request, "version-id-marker", id);
        break;
    case S3_PAGE_UPLOADS:
        s3_headers_add(&request->query, "uploads", "");
        add_unless_null(request, "key-marker", key);
        add_unless_null(request, "upload-id-marker", id);
        break;
    }
}

static int fetch(struct listing *listing, enum s3_page_kind kind, struct s3_page *page, struct err *err) {
    struct buffer answer_body = { 0 };
    struct s3_answer answer = { 0 };
    struct s3_request request = { .what = "list",
                                  .method = "GET",
                                  .bucket = listing->bucket,
                                  .xml = true,
                                  .answer_max = ANSWER_MAX,
                                  .to = &answer_body };

    add_markers(listing, kind, &request);
    s3_headers_add(&request.query, kind == S3_PAGE_UPLOADS ? "max-uploads" : "max-keys", PAGE);
    /* RGW encodes the keys of uploads when asked to, but does not say so: better as they are. */
    if (kind != S3_PAGE_UPLOADS)
        s3_headers_add(&request.query, "encoding-type", "url");
    add_unless_null(&request, "prefix", listing->prefix && listing->prefix[0] != '\0' ? listing->prefix : NULL);
    int result = s3_send(listing->s3, &request, &answer, NULL, NULL, err);
    if (result == 0 && s3_page_read(kind, &answer_body, page, err) < 0)
        result = wrap(listing, err);
    s3_answer_release(&answer);
    s3_request_release(&request);
    buffer_release(&answer_body);
    return result;
}

static bool equal(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* On with the server's marker, which must be another one than before. */
static int follow(struct listing *listing, enum s3_page_kind kind, const struct s3_page *page, struct err *err) {
    const char *token = kind == S3_PAGE_OBJECTS ? page->next_token : page->next_key;

    if (!token || (equal(token, listing->token) && equal(page->next_id, listing->token_id))) {
        err_set(err, ERR_CORRUPT, "the listing is truncated, but does not say where it goes on");
        return wrap(listing, err);
    }
    replace(&listing->token, token);
    replace(&listing->token_id, page->next_id);
    return 0;
}

static int refuse(const struct listing *listing, const struct s3_page_item *item, const char *why, struct err *err) {
    char last[S3_KEY_TEXT], key[S3_KEY_TEXT];

    err_set(err, ERR_CORRUPT, "%s: '%s' after '%s'", why, s3_printable(key, sizeof key, item->key),
            s3_printable(last, sizeof last, listing->key ? listing->key : ""));
    return wrap(listing, err);
}

/* Notes that `item` is the last one now. Versions of one key have no order that could be checked; a server that goes
 * round in circles comes back to the checkpoint, which moves on at every power of two. */
static int advance(struct listing *listing, const struct s3_page_item *item, struct err *err) {
    const size_t prefix = listing->prefix ? strlen(listing->prefix) : 0;
    const int order = listing->key ? strcmp(item->key, listing->key) : 1;

    if (prefix > 0 && strncmp(item->key, listing->prefix, prefix) != 0)
        return refuse(listing, item, "the listing has keys that do not begin with the prefix", err);
    if (order < 0 || (order == 0 && !item->id))
        return refuse(listing, item, "the listing does not advance bytewise", err);
    if (order == 0 && listing->checkpoint && strcmp(item->id, listing->checkpoint) == 0)
        return refuse(listing, item, "the listing repeats a version", err);

    listing->same = order == 0 ? listing->same + 1 : 1;
    if ((listing->same & (listing->same - 1)) == 0)
        replace(&listing->checkpoint, item->id);
    if (order != 0)
        replace(&listing->key, item->key);
    replace(&listing->id, item->id);
    replace(&listing->token, NULL);
    replace(&listing->token_id, NULL);
    return 0;
}

/*
 * Objects and versions: the end is proved
 */

typedef int take_item(void *context, const struct s3_page_item *item, struct err *err);

static int take_page(struct listing *listing, const struct s3_page *page, take_item *take, void *context, size_t *taken,
                     struct err *err) {
    *taken = 0;
    for (size_t i = 0; i < page->count; i++) {
        const struct s3_page_item *item = &page->items[i];
        /* Some servers begin with the version that the page should begin after. */
        if (i == 0 && item->id && equal(item->key, listing->key) && equal(item->id, listing->id))
            continue;
        if (advance(listing, item, err) < 0)
            return -1;
        const int result = take(context, item, err);
        if (result != 0)
            return result;
        ++*taken;
    }
    return 0;
}

static int walk(struct listing *listing, enum s3_page_kind kind, take_item *take, void *context, struct err *err) {
    struct s3_page page;
    size_t taken;
    bool more = true;
    int result = 0;

    while (result == 0 && more) {
        if (fetch(listing, kind, &page, err) < 0)
            return -1;
        if (kind == S3_PAGE_VERSIONS)
            s3_page_sort_versions(&page);
        result = take_page(listing, &page, take, context, &taken, err);
        more = taken > 0 || page.truncated;
        if (result == 0 && taken == 0 && page.truncated)
            result = follow(listing, kind, &page, err);
        s3_page_release(&page);
    }
    return result;
}

struct object_taker {
    s3_each *each;
    void *context;
};

static int take_object(void *context, const struct s3_page_item *item, struct err *err) {
    const struct object_taker *taker = context;
    const struct s3_listed object = {
        .key = item->key, .size = item->size, .modified = item->time, .etag = item->etag
    };
    return taker->each(taker->context, &object, err);
}

int s3_list(struct s3 *s3, const char *bucket, const char *prefix, const char *start_after, s3_each *each,
            void *context, struct err *err) {
    struct listing listing = { .s3 = s3, .bucket = bucket, .prefix = prefix };
    struct object_taker taker = { each, context };

    if (s3_is_v2(s3))
        return s3_v2_list(s3, bucket, prefix, start_after, each, context, err);
    if (start_after && start_after[0] != '\0')
        listing.key = mem_string(start_after);
    const int result = walk(&listing, S3_PAGE_OBJECTS, take_object, &taker, err);
    listing_release(&listing);
    return result;
}

static int stop_at_first(void *context, const struct s3_listed *object, struct err *err) {
    (void)object;
    *(bool *)context = true;
    return err_set(err, ERR_EXISTS, "there is an object");
}

int s3_reach(struct s3 *s3, const char *bucket, const char *prefix, struct err *err) {
    bool seen = false;
    struct err why = { 0 };

    if (s3_list(s3, bucket, prefix, NULL, stop_at_first, &seen, &why) == 0 || seen)
        return 0;
    if (err)
        *err = why;
    return -1;
}

struct version_taker {
    s3_each_version *each;
    void *context;
};

static int take_version(void *context, const struct s3_page_item *item, struct err *err) {
    const struct version_taker *taker = context;
    const struct s3_version version = { .key = item->key,
                                        .version = item->id,
                                        .hide_marker = item->marker,
                                        .latest = item->latest,
                                        .size = item->size,
                                        .modified = item->time,
                                        .etag = item->etag && !item->marker ? item->etag : "" };
    return taker->each(taker->context, &version, err);
}

int s3_list_versions(struct s3 *s3, const char *bucket, const char *prefix, s3_each_version *each, void *context,
                     struct err *err) {
    struct listing listing = { .s3 = s3, .bucket = bucket, .prefix = prefix };
    struct version_taker taker = { each, context };

    if (s3_is_v2(s3))
        return s3_refuse_v2(s3, "listing versions", err);
    const int result = walk(&listing, S3_PAGE_VERSIONS, take_version, &taker, err);
    listing_release(&listing);
    return result;
}

/*
 * Unfinished uploads: nothing is concluded from the absence of one, so the server's word for the end will do
 */

static int take_uploads(const struct listing *listing, const struct s3_page *page, s3_each_upload *each, void *context,
                        struct err *err) {
    const size_t prefix = listing->prefix ? strlen(listing->prefix) : 0;

    for (size_t i = 0; i < page->count; i++) {
        const struct s3_page_item *item = &page->items[i];
        const struct s3_upload upload = { .key = item->key, .upload = item->id, .begun = item->time };
        if (prefix > 0 && strncmp(item->key, listing->prefix, prefix) != 0)
            return refuse(listing, item, "the listing has keys that do not begin with the prefix", err);
        const int result = each(context, &upload, err);
        if (result != 0)
            return result;
    }
    return 0;
}

int s3_list_uploads(struct s3 *s3, const char *bucket, const char *prefix, s3_each_upload *each, void *context,
                    struct err *err) {
    struct listing listing = { .s3 = s3, .bucket = bucket, .prefix = prefix };
    struct s3_page page;
    bool more = true;
    int result = 0;

    if (s3_is_v2(s3))
        return s3_refuse_v2(s3, "listing unfinished uploads", err);
    for (unsigned pages = 0; result == 0 && more; pages++) {
        result = pages < UPLOAD_PAGES_MAX ? fetch(&listing, S3_PAGE_UPLOADS, &page, err)
                                          : err_set(err, ERR_CORRUPT, "the listing of uploads has no end");
        if (result < 0)
            break;
        result = take_uploads(&listing, &page, each, context, err);
        more = page.truncated;
        if (result == 0 && more)
            result = follow(&listing, S3_PAGE_UPLOADS, &page, err);
        s3_page_release(&page);
    }
    listing_release(&listing);
    return result;
}
