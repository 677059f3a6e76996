#include "listing_internal.h"
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_MAX = 1024 };

/* What the elements of each kind are called. */
static const struct form {
    const char *root, *item, *marker, *id, *time, *next_id;
} forms[] = {
    [S3_PAGE_OBJECTS] = { "ListBucketResult", "Contents", NULL, NULL, "LastModified", NULL },
    [S3_PAGE_VERSIONS] = { "ListVersionsResult", "Version", "DeleteMarker", "VersionId", "LastModified",
                           "NextVersionIdMarker" },
    [S3_PAGE_UPLOADS] = { "ListMultipartUploadsResult", "Upload", NULL, "UploadId", "Initiated", "NextUploadIdMarker" },
};

struct reading {
    enum s3_page_kind kind;
    const struct form *form;
    struct s3_page *page;
    struct s3_page_item item; /* the one that is being read */
    bool encoded;             /* keys are percent-encoded: the server says so */
    bool said_truncated;
};

/*
 * One element
 */

static int take_text(char **to, const char *text, struct err *err) {
    if (*to)
        return err_set(err, ERR_CORRUPT, "an entry says something twice");
    *to = mem_string(text);
    return 0;
}

static int take_id(char **to, const char *text, struct err *err) {
    if (text[0] == '\0' || strlen(text) > ID_MAX)
        return err_set(err, ERR_CORRUPT, "an id has %zu bytes", strlen(text));
    return take_text(to, text, err);
}

static int take_bool(bool *to, const char *text, struct err *err) {
    *to = strcmp(text, "true") == 0;
    if (!*to && strcmp(text, "false") != 0)
        return err_set(err, ERR_CORRUPT, "'%.32s' is neither true nor false", text);
    return 0;
}

static int take_field(struct reading *reading, const char *name, const char *text, struct err *err) {
    const struct form *form = reading->form;
    struct s3_page_item *item = &reading->item;
    char etag[S3_ETAG_MAX];

    if (strcmp(name, "Key") == 0)
        return take_text(&item->key, text, err);
    if (form->id && strcmp(name, form->id) == 0)
        return take_id(&item->id, text, err);
    if (strcmp(name, form->time) == 0) {
        item->timed = true;
        return s3_parse_time(text, &item->time, err);
    }
    if (strcmp(name, "Size") == 0) {
        item->sized = true;
        return s3_parse_number(text, &item->size, err);
    }
    if (strcmp(name, "ETag") == 0)
        return s3_parse_etag(text, etag, err) < 0 ? -1 : take_text(&item->etag, etag, err);
    if (strcmp(name, "IsLatest") == 0)
        return take_bool(&item->latest, text, err);
    return 0;
}

static int take_item(struct reading *reading, bool marker, struct err *err) {
    struct s3_page *page = reading->page;
    struct s3_page_item *item = &reading->item;
    char name[S3_KEY_TEXT];
    const bool content = reading->kind != S3_PAGE_UPLOADS && !marker;

    if (!item->key)
        return err_set(err, ERR_CORRUPT, "an entry has no key");
    if (!item->timed || (reading->form->id && !item->id) || (content && (!item->sized || !item->etag)))
        return err_set(err, ERR_CORRUPT, "the entry of '%s' does not say all that it must",
                       s3_printable(name, sizeof name, item->key));
    item->marker = marker;
    item->position = page->count;
    page->items = mem_grow(page->items, &page->capacity, page->count + 1, sizeof *page->items);
    page->items[page->count++] = *item;
    *item = (struct s3_page_item){ 0 };
    return 0;
}

static int take_about_page(struct reading *reading, const char *name, const char *text, struct err *err) {
    struct s3_page *page = reading->page;

    if (strcmp(name, "IsTruncated") == 0) {
        reading->said_truncated = true;
        return take_bool(&page->truncated, text, err);
    }
    if (strcmp(name, "EncodingType") == 0) {
        reading->encoded = text[0] != '\0';
        return strcmp(text, "url") == 0 || text[0] == '\0'
                   ? 0
                   : err_set(err, ERR_CORRUPT, "keys are encoded as '%.32s', which nobody asked for", text);
    }
    if (text[0] == '\0')
        return 0;
    if (strcmp(name, "NextContinuationToken") == 0)
        return take_text(&page->next_token, text, err);
    if (strcmp(name, "NextKeyMarker") == 0)
        return take_text(&page->next_key, text, err);
    if (reading->form->next_id && strcmp(name, reading->form->next_id) == 0)
        return take_text(&page->next_id, text, err);
    return 0;
}

static int take_element(void *context, const char *path, const char *text, struct err *err) {
    struct reading *reading = context;
    const struct form *form = reading->form;
    const size_t root = strcspn(path, "/");

    if (strncmp(path, form->root, root) != 0 || form->root[root] != '\0') {
        if (reading->kind == S3_PAGE_VERSIONS && strncmp(path, "ListBucketResult", root) == 0)
            return err_set(err, ERR_UNSUPPORTED, "the server knows no versions: it answers with a plain listing");
        return err_set(err, ERR_CORRUPT, "the answer is a %.*s, not a %s", (int)(root < 64 ? root : 64), path,
                       form->root);
    }
    if (path[root] == '\0')
        return 0;
    const char *name = path + root + 1;
    const size_t length = strcspn(name, "/");
    const bool item = strncmp(name, form->item, length) == 0 && form->item[length] == '\0';
    const bool marker = form->marker && strncmp(name, form->marker, length) == 0 && form->marker[length] == '\0';
    if (name[length] == '/')
        return item || marker ? take_field(reading, name + length + 1, text, err) : 0;
    return item || marker ? take_item(reading, marker, err) : take_about_page(reading, name, text, err);
}

/*
 * The page as a whole
 */

static int hex_value(char digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static int check_encoding(const char *text, struct err *err) {
    char shown[S3_KEY_TEXT];

    for (const char *at = strchr(text, '%'); at; at = strchr(at + 3, '%')) {
        if (hex_value(at[1]) < 0 || hex_value(at[2]) < 0)
            return err_set(err, ERR_CORRUPT, "the key '%s' is not percent-encoded",
                           s3_printable(shown, sizeof shown, text));
        if (at[1] == '0' && at[2] == '0')
            return err_set(err, ERR_UNSUPPORTED, "the key '%s' (percent-encoded) holds a NUL byte",
                           s3_printable(shown, sizeof shown, text));
    }
    return 0;
}

/* In place. Servers that leave '+' alone mean a space by it: those that encode a space as %20 encode '+' too. */
static int decode(char *text, struct err *err) {
    char *to = text;

    if (check_encoding(text, err) < 0)
        return -1;
    for (const char *at = text; *at != '\0'; at++, to++) {
        *to = *at == '+' ? ' ' : *at;
        if (*at == '%') {
            *to = (char)(hex_value(at[1]) * 16 + hex_value(at[2]));
            at += 2;
        }
    }
    *to = '\0';
    return 0;
}

static int check_key(const struct s3_page_item *item, struct err *err) {
    char name[S3_KEY_TEXT];
    const size_t length = strlen(item->key);

    if (length >= 1 && length <= S3_KEY_MAX)
        return 0;
    return err_set(err, ERR_CORRUPT, "the key '%s' has %zu bytes", s3_printable(name, sizeof name, item->key), length);
}

static int finish(struct reading *reading, struct err *err) {
    struct s3_page *page = reading->page;

    if (!reading->said_truncated)
        return err_set(err, ERR_CORRUPT, "it does not say whether it is truncated");
    for (size_t i = 0; i < page->count; i++)
        if ((reading->encoded && decode(page->items[i].key, err) < 0) || check_key(&page->items[i], err) < 0)
            return -1;
    return reading->encoded && page->next_key ? decode(page->next_key, err) : 0;
}

static void release_item(struct s3_page_item *item) {
    free(item->key);
    free(item->id);
    free(item->etag);
}

int s3_page_read(enum s3_page_kind kind, const struct buffer *answer, struct s3_page *page, struct err *err) {
    struct reading reading = { .kind = kind, .form = &forms[kind], .page = page };

    *page = (struct s3_page){ 0 };
    const int result =
        s3_xml_parse(answer->data, answer->length, take_element, &reading, err) < 0 || finish(&reading, err) < 0 ? -1
                                                                                                                 : 0;
    release_item(&reading.item);
    if (result < 0)
        s3_page_release(page);
    return result;
}

void s3_page_release(struct s3_page *page) {
    for (size_t i = 0; i < page->count; i++)
        release_item(&page->items[i]);
    free(page->items);
    free(page->next_token);
    free(page->next_key);
    free(page->next_id);
    *page = (struct s3_page){ 0 };
}

/* Of one key the latest first, then the newer ones. */
static int compare_versions(const void *left, const void *right) {
    const struct s3_page_item *a = left, *b = right;
    const int keys = strcmp(a->key, b->key);

    if (keys != 0)
        return keys;
    if (a->latest != b->latest)
        return a->latest ? -1 : 1;
    if (a->time != b->time)
        return a->time > b->time ? -1 : 1;
    return a->position < b->position ? -1 : 1;
}

void s3_page_sort_versions(struct s3_page *page) {
    const char *last[2] = { "", "" };
    bool sorted = true;

    for (size_t i = 0; i < page->count; i++) {
        const struct s3_page_item *item = &page->items[i];
        if (strcmp(item->key, last[item->marker]) < 0)
            return; /* neither together nor apart: for the caller to refuse */
        sorted = sorted && strcmp(item->key, last[!item->marker]) >= 0;
        last[item->marker] = item->key;
    }
    if (!sorted)
        qsort(page->items, page->count, sizeof *page->items, compare_versions);
}
