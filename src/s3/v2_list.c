#include "v2_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ENCODED_MAX = 3071,  /* of a parameter: one byte more and libs3 writes past the end of its buffer */
    PAGE_LIMIT = 100000, /* more than any server gives at once */
    EMPTY_PAGES = 4,     /* that end a listing whose end cannot be confirmed */
};

struct found {
    char *key, *etag;
    uint64_t size;
    int64_t modified;
};

struct page {
    struct found *items;
    size_t count, capacity;
};

static void clear(struct page *page) {
    for (size_t i = 0; i < page->count; i++) {
        free(page->items[i].key);
        free(page->items[i].etag);
    }
    page->count = 0;
}

/* libs3 reads times, which are UTC, as local ones. */
static int64_t undo_local_time(int64_t when) {
    const time_t local = when;
    struct tm fields;

    return when > 0 && localtime_r(&local, &fields) ? timegm(&fields) : 0;
}

/* Kept until the answer is at its end: whoever is told of them may take long, and libs3 has no patience. */
static S3Status on_page(int count, const S3ListBucketContent *objects, void *context) {
    struct page *page = context;

    if (page->count + (size_t)count > PAGE_LIMIT)
        return S3StatusXmlDocumentTooLarge;
    page->items = mem_grow(page->items, &page->capacity, page->count + (size_t)count, sizeof *page->items);
    for (int i = 0; i < count; i++) {
        char etag[S3_ETAG_MAX];
        if (s3_parse_etag(objects[i].eTag ? objects[i].eTag : "", etag, NULL) < 0)
            return S3StatusXmlParseFailure;
        page->items[page->count++] = (struct found){ .key = mem_string(objects[i].key),
                                                     .etag = mem_string(etag),
                                                     .size = objects[i].size,
                                                     .modified = undo_local_time(objects[i].lastModified) };
    }
    return S3StatusOK;
}

static int check(struct s3 *s3, const char *bucket, const char *prefix, const char *last, const char *key,
                 struct err *err) {
    char name[S3_NAME_TEXT], shown[S3_KEY_TEXT];

    s3_name(name, s3, bucket, NULL);
    s3_printable(shown, sizeof shown, key);
    if (strlen(key) > V2_LISTED_KEY_MAX)
        return err_set(err, ERR_UNSUPPORTED, "list %s: signature = \"v2\" cannot read keys of more than %d bytes: '%s'",
                       name, V2_LISTED_KEY_MAX, shown);
    for (const char *at = key; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return err_set(err, ERR_UNSUPPORTED,
                           "list %s: signature = \"v2\" cannot read keys with control characters: '%s'", name, shown);
    if (strncmp(key, prefix, strlen(prefix)) != 0)
        return err_set(err, ERR_CORRUPT, "list %s: '%s' does not begin with the prefix", name, shown);
    if (last && strcmp(key, last) <= 0)
        return err_set(err, ERR_CORRUPT, "list %s: '%s' comes again, or out of order", name, shown);
    return 0;
}

struct listing {
    struct v2_call call;
    struct page page;
    char *last, *before; /* the last two keys there were; `before` may be where the listing starts */
    bool any;            /* `last` is a key that was listed */
};

/* Tells of the page from `first` on. */
static int deliver(struct s3 *s3, struct listing *listing, size_t first, s3_each *each, void *context,
                   struct err *err) {
    for (size_t i = first; i < listing->page.count; i++) {
        const struct found *found = &listing->page.items[i];
        const struct s3_listed listed = {
            .key = found->key, .size = found->size, .modified = found->modified, .etag = found->etag
        };
        if (check(s3, listing->call.bucket, listing->call.prefix, listing->last, found->key, err) < 0)
            return -1;
        const int result = each(context, &listed, err);
        if (result != 0)
            return result;
        free(listing->before);
        listing->before = listing->last;
        listing->last = mem_string(found->key);
        listing->any = true;
    }
    return 0;
}

/* One page, with all its tries. */
static int fetch(struct s3 *s3, struct v2_call *list, struct page *page, struct err *err) {
    struct s3_retry retry = { .start = clock_monotonic() };
    char name[S3_NAME_TEXT];

    if (v2_encoded_length(list->prefix) > ENCODED_MAX ||
        (list->marker && v2_encoded_length(list->marker) > ENCODED_MAX))
        return err_set(err, ERR_UNSUPPORTED, "list %s: signature = \"v2\" cannot ask for a key that long",
                       s3_name(name, s3, list->bucket, NULL));
    for (;;) {
        clear(page);
        if (v2_perform(s3, list, err) < 0)
            return -1;
        const enum v2_verdict verdict = v2_judge(s3, list, retry.tries, err);
        if (verdict == V2_GOOD)
            return 0;
        if (verdict == V2_FINAL || s3_retry_wait(&retry, s3, "list a bucket", 0, err) < 0)
            break;
    }
    if (list->status == S3StatusXmlParseFailure)
        err_hint(err, "keys with control characters, or that are not UTF-8, break listings with signature = \"v2\"");
    return -1;
}

/*
 * An empty page may be an answer that broke off, or that is no listing at all: libs3 does not tell. So the next request
 * starts before the last key: an answer that has it is a listing, and what follows it is what follows it. Returns how
 * many empty pages it counts for.
 */
static int confirm(struct s3 *s3, struct listing *listing, size_t *first, struct err *err) {
    struct page *page = &listing->page;
    bool last_is_there = false;

    listing->call.marker = listing->any ? listing->before : listing->last;
    if (fetch(s3, &listing->call, page, err) < 0)
        return -1;
    for (*first = 0; listing->any && *first < page->count; ++*first) {
        const int order = strcmp(page->items[*first].key, listing->last);
        last_is_there = last_is_there || order == 0;
        if (order > 0)
            break;
    }
    if (*first < page->count)
        return 0;
    return last_is_there || !listing->any ? EMPTY_PAGES : 1;
}

int s3_v2_list(struct s3 *s3, const char *bucket, const char *prefix, const char *start_after, s3_each *each,
               void *context, struct err *err) {
    struct listing listing = { .call = { .kind = V2_LIST, .bucket = bucket, .prefix = prefix ? prefix : "" } };
    int result = v2_check_credentials(s3, err), empty = 0;

    listing.call.page = on_page;
    listing.call.context = &listing.page;
    listing.last = start_after && start_after[0] != '\0' ? mem_string(start_after) : NULL;
    while (result == 0 && empty < EMPTY_PAGES) {
        size_t first = 0;
        int counts = 1;
        listing.call.marker = listing.last;
        if (empty == 0)
            result = fetch(s3, &listing.call, &listing.page, err);
        else
            result = (counts = confirm(s3, &listing, &first, err)) < 0 ? -1 : 0;
        if (result == 0)
            result = deliver(s3, &listing, first, each, context, err);
        empty = first == listing.page.count ? empty + counts : 0;
    }
    clear(&listing.page);
    free(listing.page.items);
    free(listing.last);
    free(listing.before);
    v2_call_release(&listing.call);
    return result;
}
