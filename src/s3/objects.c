#include "s3_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/* --- what an answer says of an object ----------------------------------------------------------------------------- */

static bool describes(const char *name) {
    static const char *const others[] = { "cache-control", "expires" };
    static const char *const transport[] = { "content-length", "content-range", "content-md5", "x-amz-request-id",
                                             "x-amz-id-2" };

    for (size_t i = 0; i < sizeof transport / sizeof *transport; i++)
        if (strcmp(name, transport[i]) == 0)
            return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(name, others[i]) == 0)
            return true;
    return strncmp(name, "content-", 8) == 0 || strncmp(name, "x-amz-", 6) == 0;
}

static int take_size(const struct s3_headers *headers, uint64_t *size, struct err *err) {
    const char *range = s3_headers_find(headers, "content-range"), *length = s3_headers_find(headers, "content-length");
    struct s3_range part = { 0 };

    *size = 0;
    if (range && s3_parse_range(range, &part, err) < 0)
        return err_set(err, ERR_CORRUPT, "the answer's Content-Range is not one");
    if (!range && length && s3_parse_number(length, size, err) < 0)
        return err_set(err, ERR_CORRUPT, "the answer's Content-Length is not one");
    if (range)
        *size = part.total;
    return 0;
}

int s3_info_from_answer(const struct s3_answer *answer, struct s3_info *info, struct err *err) {
    const struct s3_headers *headers = &answer->headers;
    const char *modified = s3_headers_find(headers, "last-modified"), *etag = s3_headers_find(headers, "etag");

    *info = (struct s3_info){ 0 };
    if (take_size(headers, &info->size, err) < 0 || s3_parse_etag(etag ? etag : "", info->etag, err) < 0 ||
        (modified && s3_parse_time(modified, &info->modified, err) < 0))
        return -1;
    info->version = mem_string(s3_headers_find(headers, "x-amz-version-id"));
    for (size_t i = 0; i < headers->count; i++)
        if (describes(headers->items[i].name))
            s3_headers_add(&info->headers, headers->items[i].name, headers->items[i].value);
    return 0;
}

/* --- put ---------------------------------------------------------------------------------------------------------- */

void s3_add_options(struct s3_request *request, const struct s3_put *options) {
    char until[CLOCK_TEXT];

    if (!options)
        return;
    for (size_t i = 0; options->headers && i < options->headers->count; i++)
        s3_headers_add(&request->headers, options->headers->items[i].name, options->headers->items[i].value);
    if (options->lock == S3_LOCK_NONE)
        return;
    s3_headers_add(&request->headers, "x-amz-object-lock-mode",
                   options->lock == S3_LOCK_COMPLIANCE ? "COMPLIANCE" : "GOVERNANCE");
    s3_headers_add(&request->headers, "x-amz-object-lock-retain-until-date", clock_format(until, options->lock_until));
}

int s3_compare_etag(const struct s3_answer *answer, const char *etag, struct err *err) {
    char md5[2 * S3_MD5_SIZE + 1];

    if (!s3_etag_is_md5(etag) || !s3_etag_is_of_content(&answer->headers) || s3_etag_matches(etag, answer->md5))
        return 0;
    return err_set(err, ERR_CORRUPT, "the server has stored something else: its MD5 is %s, ours %s", etag,
                   hex_encode(md5, answer->md5, S3_MD5_SIZE));
}

int s3_put(struct s3 *s3, const char *bucket, const char *key, const void *data, size_t length,
           const struct s3_put *options, struct s3_info *info, struct err *err) {
    struct s3_request request = { .what = "put",
                                  .method = "PUT",
                                  .bucket = bucket,
                                  .key = key,
                                  .body = data,
                                  .length = length,
                                  .md5 = true,
                                  .find = true };
    struct s3_answer answer = { 0 };
    struct s3_info found = { 0 };
    int rc = -1;

    if (s3_is_v2(s3))
        return s3_v2_put(s3, bucket, key, data, length, options, info, err);
    if (options)
        request.sha256 = options->sha256;
    s3_add_options(&request, options);
    if (s3_send(s3, &request, &answer, NULL, NULL, err) < 0)
        goto out;
    if (s3_info_from_answer(&answer, &found, err) < 0 || s3_compare_etag(&answer, found.etag, err) < 0) {
        s3_request_wrap(&request, s3, err);
        goto out;
    }
    found.size = length;
    if (info) {
        *info = found;
        found = (struct s3_info){ 0 };
    }
    rc = 0;

out:
    s3_info_release(&found);
    s3_answer_release(&answer);
    s3_request_release(&request);
    return rc;
}

/* --- get ---------------------------------------------------------------------------------------------------------- */

static void add_if_match(struct s3_request *request, const char *etag) {
    char *quoted;

    if (!etag)
        return;
    quoted = etag[0] == '"' ? mem_string(etag) : mem_format("\"%s\"", etag);
    s3_headers_add(&request->headers, "if-match", quoted);
    free(quoted);
}

/* An answer to a range past the end: nothing to read, and the object's size is all there is to say. */
static int read_nothing(struct s3 *s3, const char *bucket, const char *key, const struct s3_get *what,
                        struct s3_info *info, struct err *err) {
    struct s3_info found = { 0 };
    char name[S3_NAME_TEXT];
    int rc = -1;

    if (s3_head(s3, bucket, key, what->version, &found, err) < 0)
        return -1;
    if (what->length > 0 && found.size > what->offset)
        err_set(err, ERR_CORRUPT, "read %s: refused from byte %llu on, but the object has %llu",
                s3_name(name, s3, bucket, key), (unsigned long long)what->offset, (unsigned long long)found.size);
    else if (what->if_match && strcmp(found.etag, what->if_match) != 0)
        err_set(err, ERR_CHANGED, "read %s: it is not the object that was meant any more",
                s3_name(name, s3, bucket, key));
    else
        rc = 0;
    if (rc == 0 && info) {
        *info = found;
        found = (struct s3_info){ 0 };
    }
    s3_info_release(&found);
    return rc;
}

int s3_get(struct s3 *s3, const char *bucket, const char *key, const struct s3_get *what, struct buffer *out,
           struct s3_info *info, struct err *err) {
    const uint64_t count = what->length;
    struct s3_request request = { .what = "read",
                                  .method = "GET",
                                  .bucket = bucket,
                                  .key = key,
                                  .answer_max = count < what->max ? (size_t)count : what->max,
                                  .to = out,
                                  .range = what->offset > 0 || count != UINT64_MAX,
                                  .offset = what->offset,
                                  .count = count,
                                  .resume = true };
    const size_t start = out->length;
    struct s3_answer answer = { 0 };
    struct s3_info found = { 0 };
    long status = 0;
    int rc = -1;

    if (s3_is_v2(s3))
        return s3_v2_get(s3, bucket, key, what, out, info, err);
    if (count == 0)
        return read_nothing(s3, bucket, key, what, info, err);
    if (what->version)
        s3_headers_add(&request.query, "versionId", what->version);
    add_if_match(&request, what->if_match);
    if (s3_send(s3, &request, &answer, &status, NULL, err) < 0) {
        if (status == 416) {
            err_clear(err);
            rc = read_nothing(s3, bucket, key, what, info, err);
        }
        goto out;
    }
    if (s3_info_from_answer(&answer, &found, err) < 0) {
        s3_request_wrap(&request, s3, err);
        goto out;
    }
    if (!s3_headers_find(&answer.headers, "content-range"))
        found.size = out->length - start;
    if (info) {
        *info = found;
        found = (struct s3_info){ 0 };
    }
    rc = 0;

out:
    if (rc < 0)
        out->length = start;
    s3_info_release(&found);
    s3_answer_release(&answer);
    s3_request_release(&request);
    return rc;
}

/* --- head, delete ------------------------------------------------------------------------------------------------- */

int s3_head(struct s3 *s3, const char *bucket, const char *key, const char *version, struct s3_info *info,
            struct err *err) {
    struct s3_request request = { .what = "look at", .method = "HEAD", .bucket = bucket, .key = key };
    struct s3_answer answer = { 0 };
    int rc;

    if (s3_is_v2(s3))
        return version ? s3_refuse_v2(s3, "look at a version", err) : s3_v2_head(s3, bucket, key, info, err);
    if (version)
        s3_headers_add(&request.query, "versionId", version);
    rc = s3_send(s3, &request, &answer, NULL, NULL, err);
    if (rc == 0) {
        rc = s3_headers_find(&answer.headers, "content-length")
                 ? s3_info_from_answer(&answer, info, err)
                 : err_set(err, ERR_CORRUPT, "the answer does not say how long the object is");
        if (rc < 0)
            s3_request_wrap(&request, s3, err);
    }
    s3_answer_release(&answer);
    s3_request_release(&request);
    return rc;
}

int s3_delete(struct s3 *s3, const char *bucket, const char *key, const char *version, struct err *err) {
    struct s3_request request = { .what = "delete", .method = "DELETE", .bucket = bucket, .key = key };
    struct s3_answer answer = { 0 };
    struct err reason = { 0 };
    int rc;

    if (s3_is_v2(s3))
        return version ? s3_refuse_v2(s3, "delete a version", err) : s3_v2_delete(s3, bucket, key, err);
    if (version)
        s3_headers_add(&request.query, "versionId", version);
    rc = s3_send(s3, &request, &answer, NULL, NULL, &reason);
    if (rc < 0 && reason.code == ERR_NOT_FOUND)
        rc = 0;
    if (rc < 0 && err)
        *err = reason;
    s3_answer_release(&answer);
    s3_request_release(&request);
    return rc;
}
