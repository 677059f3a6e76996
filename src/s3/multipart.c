#include "s3_internal.h"
#include <inttypes.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEBIBYTE = 1024 * 1024, ANSWER_MAX = 4 * MEBIBYTE, ID_MAX = 1024 };

/*
 * Beginning
 */

static int take_upload_id(void *context, const char *path, const char *text, struct err *err) {
    char **upload = context;

    if (strcmp(path, "UploadId") != 0)
        return 0;
    if (*upload || text[0] == '\0' || strlen(text) > ID_MAX)
        return err_set(err, ERR_CORRUPT, "the upload's id is not one");
    *upload = mem_string(text);
    return 0;
}

int s3_multipart_begin(struct s3 *s3, const char *bucket, const char *key, const struct s3_put *options, char **upload,
                       struct err *err) {
    struct s3_request request = { .what = "begin the upload of", .method = "POST", .bucket = bucket, .key = key };

    *upload = NULL;
    if (s3_is_v2(s3))
        return s3_refuse_v2(s3, "an upload in parts", err);
    s3_headers_add(&request.query, "uploads", "");
    s3_add_options(&request, options);
    int result = s3_send_for_document(s3, &request, "InitiateMultipartUploadResult", take_upload_id, upload, NULL, err);
    if (result == 0 && !*upload) {
        err_set(err, ERR_CORRUPT, "the answer names no upload");
        result = s3_request_wrap(&request, s3, err);
    }
    if (result < 0) {
        free(*upload);
        *upload = NULL;
    }
    return result;
}

/*
 * Parts
 */

uint64_t s3_part_size(uint64_t size) {
    const uint64_t usual = 16 * MEBIBYTE, least = (size + S3_PARTS_MAX - 1) / S3_PARTS_MAX;
    return least <= usual ? usual : (least + MEBIBYTE - 1) / MEBIBYTE * MEBIBYTE;
}

int s3_multipart_put(struct s3 *s3, const char *bucket, const char *key, const char *upload, unsigned number,
                     const void *data, size_t length, struct s3_part *part, struct err *err) {
    char text[16];
    struct s3_answer answer = { 0 };
    struct s3_request request = { .what = "put a part of",
                                  .method = "PUT",
                                  .bucket = bucket,
                                  .key = key,
                                  .body = data,
                                  .length = length,
                                  .md5 = true };

    *part = (struct s3_part){ .number = number, .size = length };
    if (s3_is_v2(s3))
        return s3_refuse_v2(s3, "an upload in parts", err);
    if (number < 1 || number > S3_PARTS_MAX)
        return err_set(err, ERR_INVALID, "part %u of an upload: there are 1 to %d", number, S3_PARTS_MAX);
    snprintf(text, sizeof text, "%u", number);
    s3_headers_add(&request.query, "partNumber", text);
    s3_headers_add(&request.query, "uploadId", upload);
    int result = s3_send(s3, &request, &answer, NULL, NULL, err);
    if (result == 0) {
        const char *etag = s3_headers_find(&answer.headers, "etag");
        result = s3_parse_etag(etag ? etag : "", part->etag, err);
        if (result == 0 && part->etag[0] == '\0')
            result = err_set(err, ERR_CORRUPT, "the answer has no ETag, without which the parts cannot be joined");
        if (result == 0)
            result = s3_compare_etag(&answer, part->etag, err);
        if (result < 0)
            s3_request_wrap(&request, s3, err);
    }
    s3_answer_release(&answer);
    s3_request_release(&request);
    return result;
}

struct parts_page {
    struct s3_part *parts;
    size_t count, capacity;
    struct s3_part part; /* that is being read */
    bool sized;
    bool truncated, said_truncated;
};

static int take_part(struct parts_page *page, struct err *err) {
    const struct s3_part *part = &page->part;
    const unsigned last = page->count > 0 ? page->parts[page->count - 1].number : 0;

    if (!page->sized || part->etag[0] == '\0' || part->number <= last || part->number > S3_PARTS_MAX)
        return err_set(err, ERR_CORRUPT, "part %u after part %u, or without its size or ETag", part->number, last);
    page->parts = mem_grow(page->parts, &page->capacity, page->count + 1, sizeof *page->parts);
    page->parts[page->count++] = *part;
    page->part = (struct s3_part){ 0 };
    page->sized = false;
    return 0;
}

static int take_parts(void *context, const char *path, const char *text, struct err *err) {
    struct parts_page *page = context;
    uint64_t number;

    if (strcmp(path, "IsTruncated") == 0) {
        page->truncated = strcmp(text, "true") == 0;
        page->said_truncated = true;
    } else if (strcmp(path, "Part/PartNumber") == 0) {
        if (s3_parse_number(text, &number, err) < 0)
            return -1;
        page->part.number = number <= S3_PARTS_MAX ? (unsigned)number : 0;
    } else if (strcmp(path, "Part/Size") == 0) {
        page->sized = true;
        return s3_parse_number(text, &page->part.size, err);
    } else if (strcmp(path, "Part/ETag") == 0) {
        return s3_parse_etag(text, page->part.etag, err);
    } else if (strcmp(path, "Part") == 0) {
        return take_part(page, err);
    }
    return 0;
}

static int fetch_parts(struct s3 *s3, const char *bucket, const char *key, const char *upload, struct parts_page *page,
                       struct err *err) {
    char after[16];
    struct s3_request request = { .what = "list the parts of", .method = "GET", .bucket = bucket, .key = key };
    const size_t before = page->count;

    s3_headers_add(&request.query, "uploadId", upload);
    s3_headers_add(&request.query, "max-parts", "1000");
    if (before > 0) {
        snprintf(after, sizeof after, "%u", page->parts[before - 1].number);
        s3_headers_add(&request.query, "part-number-marker", after);
    }
    page->truncated = page->said_truncated = false;
    if (s3_send_for_document(s3, &request, "ListPartsResult", take_parts, page, NULL, err) < 0)
        return -1;
    if (page->said_truncated && !(page->truncated && page->count == before))
        return 0;
    err_set(err, ERR_CORRUPT, "the list of parts does not say where it ends");
    return s3_request_wrap(&request, s3, err);
}

int s3_list_parts(struct s3 *s3, const char *bucket, const char *key, const char *upload, struct s3_part **parts,
                  size_t *count, struct err *err) {
    struct parts_page page = { .truncated = true };

    *parts = NULL;
    *count = 0;
    if (s3_is_v2(s3))
        return s3_refuse_v2(s3, "an upload in parts", err);
    while (page.truncated)
        if (fetch_parts(s3, bucket, key, upload, &page, err) < 0) {
            free(page.parts);
            return -1;
        }
    *parts = page.parts;
    *count = page.count;
    return 0;
}

/*
 * Completing
 */

/* False where the ETags of the parts are no MD5s. */
static bool joined_etag(const struct s3_part *parts, size_t count, char etag[S3_ETAG_MAX]) {
    uint8_t *md5s = mem_array(count, S3_MD5_SIZE);
    bool good = true;

    for (size_t i = 0; i < count && good; i++)
        good = s3_etag_is_md5(parts[i].etag) && hex_decode(md5s + i * S3_MD5_SIZE, S3_MD5_SIZE, parts[i].etag);
    good = good && s3_etag_join(etag, md5s, count, NULL) == 0;
    free(md5s);
    return good;
}

static void describe_parts(struct buffer *document, const struct s3_part *parts, size_t count) {
    buffer_printf(document, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < count; i++) {
        buffer_printf(document, "<Part><PartNumber>%u</PartNumber><ETag>&quot;", parts[i].number);
        s3_xml_escape(document, parts[i].etag);
        buffer_printf(document, "&quot;</ETag></Part>");
    }
    buffer_printf(document, "</CompleteMultipartUpload>");
}

static int take_etag(void *context, const char *path, const char *text, struct err *err) {
    return strcmp(path, "ETag") == 0 ? s3_parse_etag(text, context, err) : 0;
}

/* The object must be there with the size of its parts; if `same`, with the ETag that they make. */
static int look_for_it(struct s3 *s3, const struct s3_request *request, const char *version,
                       const struct s3_part *parts, size_t count, bool same, struct s3_info *info, struct err *err) {
    char etag[S3_ETAG_MAX];
    uint64_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    if (s3_head(s3, request->bucket, request->key, version, info, err) < 0)
        return -1;
    if (info->size == size && (!same || (joined_etag(parts, count, etag) && strcmp(info->etag, etag) == 0)))
        return 0;
    err_set(err, ERR_CORRUPT, "the parts have %" PRIu64 " bytes, the object has %" PRIu64 " and the ETag '%s'", size,
            info->size, info->etag);
    s3_info_release(info);
    return s3_request_wrap(request, s3, err);
}

/* The server has said that it is done. One that names no ETag, or another than the parts make, is not taken at its
 * word. */
static int read_completion(struct s3 *s3, const struct s3_request *request, const struct s3_answer *answer,
                           const struct s3_part *parts, size_t count, struct s3_info *info, struct err *err) {
    char etag[S3_ETAG_MAX] = "", expected[S3_ETAG_MAX];
    const char *version = s3_headers_find(&answer->headers, "x-amz-version-id");

    if (s3_xml_parse_below("CompleteMultipartUploadResult", request->to, take_etag, etag, err) < 0)
        return s3_request_wrap(request, s3, err);
    if (!joined_etag(parts, count, expected) || strcmp(etag, expected) != 0)
        return look_for_it(s3, request, version, parts, count, false, info, err);
    *info = (struct s3_info){ .version = mem_string(version) };
    memcpy(info->etag, etag, sizeof etag);
    for (size_t i = 0; i < count; i++)
        info->size += parts[i].size;
    return 0;
}

static int complete(struct s3 *s3, const struct s3_request *request, const struct s3_part *parts, size_t count,
                    struct s3_info *info, struct err *err) {
    char code[64];
    struct s3_answer answer = { 0 };
    struct err reason = { 0 };

    int result = s3_send(s3, request, &answer, NULL, code, &reason);
    if (result == 0)
        result = read_completion(s3, request, &answer, parts, count, info, &reason);
    else if (strcmp(code, "NoSuchUpload") == 0 || strcmp(code, "InternalError") == 0)
        /* Both come after a completion whose answer was lost. What HEAD says otherwise is not what went wrong. */
        result = look_for_it(s3, request, NULL, parts, count, true, info, NULL);
    s3_answer_release(&answer);
    if (result < 0 && err)
        *err = reason;
    return result;
}

int s3_multipart_complete(struct s3 *s3, const char *bucket, const char *key, const char *upload,
                          const struct s3_part *parts, size_t count, struct s3_info *info, struct err *err) {
    struct buffer document = { 0 }, answer = { 0 };
    struct s3_info found = { 0 };
    struct s3_request request = { .what = "complete the upload of",
                                  .method = "POST",
                                  .bucket = bucket,
                                  .key = key,
                                  .md5 = true,
                                  .xml = true,
                                  .answer_max = ANSWER_MAX,
                                  .to = &answer,
                                  .completes = upload };

    if (s3_is_v2(s3))
        return s3_refuse_v2(s3, "an upload in parts", err);
    if (count == 0 || count > S3_PARTS_MAX) {
        err_set(err, ERR_INVALID, "an upload of %zu parts: there are 1 to %d", count, S3_PARTS_MAX);
        return s3_request_wrap(&request, s3, err);
    }
    s3_headers_add(&request.query, "uploadId", upload);
    s3_headers_add(&request.headers, "content-type", "application/xml");
    describe_parts(&document, parts, count);
    request.body = document.data;
    request.length = document.length;
    const int result = complete(s3, &request, parts, count, &found, err);
    if (result == 0 && info) {
        *info = found;
        found = (struct s3_info){ 0 };
    }
    s3_info_release(&found);
    s3_request_release(&request);
    buffer_release(&document);
    buffer_release(&answer);
    return result;
}

int s3_multipart_abort(struct s3 *s3, const char *bucket, const char *key, const char *upload, struct err *err) {
    char code[64];
    struct s3_answer answer = { 0 };
    struct s3_request request = { .what = "abort the upload of", .method = "DELETE", .bucket = bucket, .key = key };
    struct err reason = { 0 };

    if (s3_is_v2(s3))
        return s3_refuse_v2(s3, "an upload in parts", err);
    s3_headers_add(&request.query, "uploadId", upload);
    int result = s3_send(s3, &request, &answer, NULL, code, &reason);
    if (result < 0 && strcmp(code, "NoSuchUpload") == 0)
        result = 0;
    if (result < 0 && err)
        *err = reason;
    s3_answer_release(&answer);
    s3_request_release(&request);
    return result;
}
