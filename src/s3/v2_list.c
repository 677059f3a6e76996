#include "v2_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ENCODED_MAX = 3071,  /* of a parameter: one byte more and libs3 writes past the end of its buffer */
    PAGE_LIMIT = 100000, /* more than any server gives at once */
    EMPTY_PAGES = 2,     /* that end a listing: one could be an answer that broke off */
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
        const char *etag = objects[i].eTag ? objects[i].eTag : "";
        size_t length = strlen(etag);
        if (length >= 2 && etag[0] == '"' && etag[length - 1] == '"') {
            etag++;
            length -= 2;
        }
        page->items[page->count++] = (struct found){ .key = mem_string(objects[i].key),
                                                     .etag = mem_format("%.*s", (int)length, etag),
                                                     .size = objects[i].size,
                                                     .modified = undo_local_time(objects[i].lastModified) };
    }
    return S3StatusOK;
}

static int check(struct s3 *s3, const char *bucket, const char *prefix, const char *last, const char *key,
                 struct err *err) {
    char name[S3_NAME_TEXT], shown[360];

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

/* Tells of a page. `last` is the last key there was, owned. */
static int deliver(struct s3 *s3, const char *bucket, const char *prefix, const struct page *page, char **last,
                   s3_each *each, void *context, struct err *err) {
    for (size_t i = 0; i < page->count; i++) {
        const struct found *found = &page->items[i];
        const struct s3_listed listed = {
            .key = found->key, .size = found->size, .modified = found->modified, .etag = found->etag
        };
        if (check(s3, bucket, prefix, *last, found->key, err) < 0)
            return -1;
        const int result = each(context, &listed, err);
        if (result != 0)
            return result;
        free(*last);
        *last = mem_string(found->key);
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

int s3_v2_list(struct s3 *s3, const char *bucket, const char *prefix, const char *start_after, s3_each *each,
               void *context, struct err *err) {
    struct page page = { 0 };
    struct v2_call list = {
        .kind = V2_LIST, .bucket = bucket, .prefix = prefix ? prefix : "", .page = on_page, .context = &page
    };
    char *last = start_after && start_after[0] != '\0' ? mem_string(start_after) : NULL;
    int result = v2_check_credentials(s3, err);

    for (int empty = 0; result == 0 && empty < EMPTY_PAGES;) {
        list.marker = last;
        result = fetch(s3, &list, &page, err);
        if (result == 0)
            result = deliver(s3, bucket, list.prefix, &page, &last, each, context, err);
        empty = page.count == 0 ? empty + 1 : 0;
    }
    clear(&page);
    free(page.items);
    free(last);
    v2_call_release(&list);
    return result;
}
