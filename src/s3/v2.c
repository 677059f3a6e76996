#include "v2_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER_LIMIT = 127,      /* of libs3, with the name */
    METADATA_LIMIT = 2048,   /* of S3, and of libs3's buffers */
    METADATA_COUNT_MAX = 64, /* its arrays hold 157, and two of its own */
    STRANGE_TRIES = 3,       /* of a PUT that is said to be done, and is not there */
};

static const uint64_t OBJECT_MAX = 5ULL << 30;

/* --- keys --------------------------------------------------------------------------------------------------------- */

static bool has_dot_component(const char *key) {
    for (const char *at = key;; at++) {
        const size_t length = strcspn(at, "/");
        if ((length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.'))
            return true;
        at += length;
        if (*at == '\0')
            return false;
    }
}

static bool can_be_listed(const char *key) {
    size_t left = strlen(key), length;

    if (left > V2_LISTED_KEY_MAX)
        return false;
    for (; left > 0; key += length, left -= length) {
        length = s3_xml_character(key, left);
        if (length == 0 || (unsigned char)*key < 0x20 || *key == 0x7f)
            return false;
    }
    return true;
}

static int refuse_key(struct s3 *s3, const char *bucket, const char *key, const char *why, struct err *err) {
    char name[S3_NAME_TEXT];

    err_set(err, ERR_UNSUPPORTED, "%s: not with signature = \"v2\": %s", s3_name(name, s3, bucket, key), why);
    return err_hint(err, "set signature = \"v4\" for this service, if its server knows it");
}

int v2_check_key(struct s3 *s3, const char *bucket, const char *key, bool to_put, struct err *err) {
    char name[S3_NAME_TEXT];
    const size_t length = strlen(key);

    if (length == 0 || length > S3_KEY_MAX)
        return err_set(err, ERR_INVALID, "%s: a key has 1 to %d bytes", s3_name(name, s3, bucket, key), S3_KEY_MAX);
    if (v2_check_credentials(s3, err) < 0)
        return -1;
    if (strchr(key, ' '))
        return refuse_key(s3, bucket, key, "a key with a space becomes another one on the way", err);
    if (has_dot_component(key))
        return refuse_key(s3, bucket, key, "a key with a \".\" or \"..\" component becomes another one on the way",
                          err);
    if (to_put && !can_be_listed(key))
        return refuse_key(s3, bucket, key,
                          "a key with control characters, bytes that are not UTF-8 or more than 1022 bytes breaks "
                          "listings",
                          err);
    return 0;
}

/* --- what a call says of an object -------------------------------------------------------------------------------- */

void v2_fill_info(struct v2_call *call, uint64_t size, struct s3_info *info) {
    *info = (struct s3_info){ .size = size, .modified = call->modified, .headers = call->headers };
    memcpy(info->etag, call->etag, sizeof info->etag);
    call->headers = (struct s3_headers){ 0 };
}

int v2_send(struct s3 *s3, struct v2_call *call, const char *what, struct err *err) {
    struct s3_retry retry = { .start = clock_monotonic() };

    for (;;) {
        if (v2_perform(s3, call, err) < 0)
            return -1;
        const enum v2_verdict verdict = v2_judge(s3, call, retry.tries, err);
        if (verdict == V2_GOOD)
            return 0;
        if (verdict == V2_FINAL || s3_retry_wait(&retry, s3, what, 0, err) < 0)
            return -1;
    }
}

int s3_v2_head(struct s3 *s3, const char *bucket, const char *key, struct s3_info *info, struct err *err) {
    struct v2_call call = { .kind = V2_HEAD, .bucket = bucket, .key = key };
    int result = -1;

    if (v2_check_key(s3, bucket, key, false, err) == 0 && v2_send(s3, &call, "look at an object", err) == 0) {
        if (info)
            v2_fill_info(&call, call.announced, info);
        result = 0;
    }
    v2_call_release(&call);
    return result;
}

int s3_v2_delete(struct s3 *s3, const char *bucket, const char *key, struct err *err) {
    struct v2_call call = { .kind = V2_DELETE, .bucket = bucket, .key = key };

    if (v2_check_key(s3, bucket, key, false, err) < 0)
        return -1;
    int result = v2_send(s3, &call, "delete an object", err);
    if (result < 0 && call.status == S3StatusErrorNoSuchKey) {
        err_clear(err);
        result = 0;
    }
    v2_call_release(&call);
    return result;
}

/* --- put ---------------------------------------------------------------------------------------------------------- */

struct putting {
    struct s3 *s3;
    const struct s3_headers *headers; /* that were asked for, or NULL */
    S3PutProperties properties;
    S3NameValue metadata[METADATA_COUNT_MAX];
    size_t metadata_size;
    char *filename; /* of Content-Disposition */
    uint8_t md5[S3_MD5_SIZE];
    char content_md5[32];
};

/* What libs3 or a server would change on the way, so that the signature or the object would be another one. */
static bool value_is_plain(const char *value) {
    const size_t length = strlen(value);

    if (length == 0 || value[0] == ' ' || value[length - 1] == ' ' || strstr(value, "  "))
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
            return false;
    return true;
}

static int refuse_header(const struct putting *putting, const char *name, struct err *err) {
    char *what = mem_format("the header %s, as it is here", name);
    s3_refuse_v2(putting->s3, what, err);
    free(what);
    return -1;
}

static bool take_metadata(struct putting *putting, const char *name, const char *value) {
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    S3PutProperties *properties = &putting->properties;

    putting->metadata_size += strlen(S3_METADATA_HEADER_NAME_PREFIX) + strlen(name) + strlen(value) + 4;
    if (name[0] == '\0' || strspn(name, LETTERS) != strlen(name) || properties->metaDataCount == METADATA_COUNT_MAX ||
        putting->metadata_size > METADATA_LIMIT)
        return false;
    putting->metadata[properties->metaDataCount++] = (S3NameValue){ name, value };
    return true;
}

/* libs3 writes `attachment; filename="..."` around a name, and nothing else. */
static bool take_disposition(struct putting *putting, const char *value) {
    static const char before[] = "attachment; filename=\"";
    const size_t first = sizeof before - 1, length = strlen(value);

    if (length <= first + 1 || strncmp(value, before, first) != 0 || value[length - 1] != '"')
        return false;
    putting->filename = mem_format("%.*s", (int)(length - first - 1), value + first);
    putting->properties.contentDispositionFilename = putting->filename;
    return value_is_plain(putting->filename) && strpbrk(putting->filename, "\"\\") == NULL;
}

static bool take_header(struct putting *putting, const char *name, const char *value) {
    static const char metadata[] = S3_METADATA_HEADER_NAME_PREFIX;
    S3PutProperties *properties = &putting->properties;

    if (!value_is_plain(value))
        return false;
    if (strncmp(name, metadata, sizeof metadata - 1) == 0)
        return take_metadata(putting, name + sizeof metadata - 1, value);
    if (strlen(name) + 2 + strlen(value) > HEADER_LIMIT)
        return false;
    if (strcmp(name, "content-type") == 0)
        properties->contentType = value;
    else if (strcmp(name, "cache-control") == 0)
        properties->cacheControl = value;
    else if (strcmp(name, "content-encoding") == 0)
        properties->contentEncoding = value;
    else if (strcmp(name, "content-disposition") == 0)
        return take_disposition(putting, value);
    else if (strcmp(name, "expires") == 0)
        return s3_parse_time(value, &properties->expires, NULL) == 0 && properties->expires >= 0;
    else
        return false;
    return true;
}

static int prepare(struct putting *putting, const void *data, size_t length, const struct s3_put *options,
                   struct err *err) {
    putting->properties.expires = -1;
    putting->properties.metaData = putting->metadata;
    if (options && options->lock != S3_LOCK_NONE)
        return s3_refuse_v2(putting->s3, "a lock", err);
    putting->headers = options ? options->headers : NULL;
    for (size_t i = 0; putting->headers && i < putting->headers->count; i++)
        if (!take_header(putting, putting->headers->items[i].name, putting->headers->items[i].value))
            return refuse_header(putting, putting->headers->items[i].name, err);

    if (s3_md5(putting->md5, data, length, err) < 0)
        return -1;
    EVP_EncodeBlock((unsigned char *)putting->content_md5, putting->md5, sizeof putting->md5);
    putting->properties.md5 = putting->content_md5;
    return 0;
}

/* Whether HEAD found just what was put. Of the headers it shows only some. */
static bool is_there(const struct putting *putting, size_t length, const struct v2_call *found) {
    if (found->announced != length || !s3_etag_matches(found->etag, putting->md5))
        return false;
    for (size_t i = 0; putting->headers && i < putting->headers->count; i++) {
        const struct s3_header *header = &putting->headers->items[i];
        if (strcmp(header->name, "content-type") != 0 &&
            strncmp(header->name, S3_METADATA_HEADER_NAME_PREFIX, strlen(S3_METADATA_HEADER_NAME_PREFIX)) != 0)
            continue;
        const char *value = s3_headers_find(&found->headers, header->name);
        if (!value || strcmp(value, header->value) != 0)
            return false;
    }
    return true;
}

/* Whether a PUT that did not fail for certain is there. 0: it is; 1: it is not; -1: there is no way to know. */
static int find(const struct putting *putting, const struct v2_call *put, struct v2_call *found, unsigned tries,
                struct err *err) {
    struct err problem = { 0 };
    char name[S3_NAME_TEXT];

    s3_name(name, putting->s3, put->bucket, put->key);
    if (v2_send(putting->s3, found, "look at an object", &problem) < 0) {
        if (problem.code == ERR_NOT_FOUND && put->status != S3StatusOK)
            return 1; /* `err` says what became of the PUT */
        *err = problem;
        return problem.code == ERR_NOT_FOUND && tries < STRANGE_TRIES ? 1 : -1;
    }
    if (is_there(putting, put->length, found))
        return 0;
    if (!s3_etag_is_md5(found->etag))
        return err_set(err, ERR_UNSUPPORTED,
                       "put %s: its ETag is no MD5, so signature = \"v2\" cannot tell whether it is whole", name);
    if (put->status != S3StatusOK)
        return 1;
    err_set(err, ERR_CORRUPT, "put %s: what is there afterwards is not what was put", name);
    return tries < STRANGE_TRIES ? 1 : -1;
}

int s3_v2_put(struct s3 *s3, const char *bucket, const char *key, const void *data, size_t length,
              const struct s3_put *options, struct s3_info *info, struct err *err) {
    struct s3_retry retry = { .start = clock_monotonic() };
    struct putting putting = { .s3 = s3 };
    struct v2_call found = { .kind = V2_HEAD, .bucket = bucket, .key = key };
    struct v2_call put = {
        .kind = V2_PUT, .bucket = bucket, .key = key, .properties = &putting.properties, .data = data, .length = length
    };
    struct err problem = { 0 };
    int result = -1;

    if (v2_check_key(s3, bucket, key, true, &problem) < 0 || prepare(&putting, data, length, options, &problem) < 0)
        goto out;
    if (length > OBJECT_MAX) {
        s3_refuse_v2(s3, "an object of more than 5 GB", &problem);
        goto out;
    }
    for (;;) {
        if (v2_perform(s3, &put, &problem) < 0 || v2_judge(s3, &put, retry.tries, &problem) == V2_FINAL)
            goto out;
        const int absent = find(&putting, &put, &found, retry.tries, &problem);
        if (absent == 0)
            break;
        if (absent < 0 || s3_retry_wait(&retry, s3, "put an object", 0, &problem) < 0)
            goto out;
    }
    if (info)
        v2_fill_info(&found, length, info);
    result = 0;

out:
    if (result < 0 && err)
        *err = problem;
    v2_call_release(&put);
    v2_call_release(&found);
    free(putting.filename);
    return result;
}
