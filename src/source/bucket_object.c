#include "bucket_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What describes an object and is given back with it. */
static const char *const HEADERS[] = {
    "cache-control",       "content-disposition",
    "content-encoding",    "content-language",
    "content-type",        "expires",
    "x-amz-storage-class", "x-amz-website-redirect-location",
};
static const char STORAGE_CLASS[] = "s3.header.x-amz-storage-class";
static const char META[] = "x-amz-meta-";

char *bucket_path(const char *bucket, const char *key) {
    return mem_format("%s/%s", bucket, key);
}

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

/* --- to an entry -------------------------------------------------------------------------------------------------- */

static void add(struct entry *entry, const char *kind, const char *name, const char *value, struct log *log) {
    char *full = mem_format("%s%s", kind, name);
    const struct entry_attribute *there = entry_attribute(entry, full);
    if (strlen(full) > ENTRY_NAME_MAX)
        log_warning(log, "'%s': a name of its metadata is too long, and was left out", entry->path);
    else if (there)
        log_warning(log, "'%s': its metadata has '%s' twice; the first is kept", entry->path, full);
    else
        entry_add_attribute(entry, full, value, strlen(value));
    free(full);
}

/* "aws-chunked" is how an object was sent once, though some services go on telling it; given back it would be taken for
 * the form of the body. */
static char *without_chunked(const char *value) {
    struct buffer out = { 0 };
    for (const char *at = value; *at != '\0';) {
        at += strspn(at, ", \t");
        const size_t length = strcspn(at, ",");
        if (length > 0 && !(strncasecmp(at, "aws-chunked", 11) == 0 && (length == 11 || strchr(" \t", at[11]))))
            buffer_printf(&out, "%s%.*s", out.length > 0 ? "," : "", (int)length, at);
        at += length;
    }
    char *kept = mem_string(buffer_text(&out));
    buffer_release(&out);
    return kept;
}

static void add_header(struct entry *entry, const struct s3_header *header, struct log *log) {
    if (begins(header->name, META)) {
        add(entry, "s3.meta.", header->name + strlen(META), header->value, log);
        return;
    }
    for (size_t i = 0; i < sizeof HEADERS / sizeof *HEADERS; i++) {
        if (strcmp(header->name, HEADERS[i]) != 0)
            continue;
        const bool encoding = strcmp(header->name, "content-encoding") == 0;
        char *value = encoding ? without_chunked(header->value) : mem_string(header->value);
        if (value[0] != '\0')
            add(entry, "s3.header.", header->name, value, log);
        free(value);
    }
}

void bucket_entry_make(struct entry *entry, const char *bucket, const struct bucket_listed *listed,
                       const struct s3_info *info, const struct s3_headers *tags, struct log *log) {
    *entry = (struct entry){
        .path = bucket_path(bucket, listed->key),
        .type = ENTRY_OBJECT,
        .mode = 0600,
        .mtime = listed->modified,
        .ctime = listed->modified,
        .size = listed->size,
    };
    entry_add_attribute(entry, "s3.etag", listed->etag, strlen(listed->etag));
    if (info->version && info->version[0] != '\0')
        entry_add_attribute(entry, "s3.version", info->version, strlen(info->version));
    for (size_t i = 0; i < info->headers.count; i++)
        add_header(entry, &info->headers.items[i], log);
    for (size_t i = 0; tags && i < tags->count; i++)
        add(entry, "s3.tag.", tags->items[i].name, tags->items[i].value, log);
}

bool bucket_info_has_tags(const struct s3_info *info) {
    const char *count = s3_headers_find(&info->headers, "x-amz-tagging-count");
    return count && strcmp(count, "0") != 0;
}

bool bucket_entry_is(const struct entry *entry, const struct bucket_listed *listed) {
    const struct entry_attribute *etag = entry_attribute(entry, "s3.etag");
    return entry->type == ENTRY_OBJECT && entry->size == listed->size && entry->mtime == listed->modified && etag &&
           etag->length > 0 && etag->length == strlen(listed->etag) &&
           memcmp(etag->value, listed->etag, etag->length) == 0;
}

/* --- and back ----------------------------------------------------------------------------------------------------- */

static char *text_of(const struct entry_attribute *attribute) {
    return mem_format("%.*s", (int)attribute->length, (const char *)attribute->value);
}

static void add_named(struct s3_headers *headers, const char *prefix, const char *name,
                      const struct entry_attribute *attribute) {
    char *full = mem_format("%s%s", prefix, name), *value = text_of(attribute);
    s3_headers_add(headers, full, value);
    free(full);
    free(value);
}

static void add_tag(struct buffer *tags, const char *name, const struct entry_attribute *attribute) {
    char *value = text_of(attribute);
    if (tags->length > 0)
        buffer_put_u8(tags, '&');
    s3_encode(tags, name, false);
    buffer_put_u8(tags, '=');
    s3_encode(tags, value, false);
    free(value);
}

void bucket_entry_headers(const struct entry *entry, bool all, struct s3_headers *headers) {
    struct buffer tags = { 0 };
    for (size_t i = 0; i < entry->attribute_count; i++) {
        const struct entry_attribute *attribute = &entry->attributes[i];
        if (begins(attribute->name, "s3.header.") && (all || strcmp(attribute->name, STORAGE_CLASS) != 0)) {
            add_named(headers, "", attribute->name + strlen("s3.header."), attribute);
        } else if (begins(attribute->name, "s3.meta.")) {
            add_named(headers, META, attribute->name + strlen("s3.meta."), attribute);
        } else if (all && begins(attribute->name, "s3.tag.")) {
            add_tag(&tags, attribute->name + strlen("s3.tag."), attribute);
        }
    }
    if (tags.length > 0)
        s3_headers_add(headers, "x-amz-tagging", buffer_text(&tags));
    buffer_release(&tags);
}

bool bucket_entry_has_tags(const struct entry *entry) {
    for (size_t i = 0; i < entry->attribute_count; i++)
        if (begins(entry->attributes[i].name, "s3.tag."))
            return true;
    return false;
}

bool bucket_entry_has_extras(const struct entry *entry) {
    return entry_attribute(entry, STORAGE_CLASS) != NULL || bucket_entry_has_tags(entry);
}

/* The next attribute that counts, from *at on; NULL at the end. */
static const struct entry_attribute *next_counting(const struct entry *entry, size_t *at, bool tags) {
    while (*at < entry->attribute_count) {
        const struct entry_attribute *attribute = &entry->attributes[(*at)++];
        const char *name = attribute->name;
        if ((begins(name, "s3.header.") && strcmp(name, STORAGE_CLASS) != 0) || begins(name, "s3.meta.") ||
            (tags && begins(name, "s3.tag.")))
            return attribute;
    }
    return NULL;
}

bool bucket_entry_like(const struct entry *left, const struct entry *right, bool tags) {
    size_t at = 0, other_at = 0;
    for (;;) {
        const struct entry_attribute *one = next_counting(left, &at, tags);
        const struct entry_attribute *other = next_counting(right, &other_at, tags);
        if (!one || !other)
            return one == other;
        if (strcmp(one->name, other->name) != 0 || one->length != other->length ||
            memcmp(one->value, other->value, one->length) != 0)
            return false;
    }
}
