#include "transport_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SILENCE = 60,            /* seconds after which a server that says nothing counts as gone */
    SILENCE_AT_WORK = 600,   /* likewise after a POST: joining the parts of an upload takes a server a while */
    NOWHERE = 60,            /* seconds to wait for what looks like a wrong endpoint */
    SKEW = 300,              /* seconds of difference between clocks that servers may refuse; they allow 900 */
    RETRY_AFTER_MAX = 86400, /* no server means more */
    UNWANTED_MAX = 65536,    /* bytes of an answer that nobody reads */
    DOCUMENT_MAX = 4 * 1024 * 1024,
};

enum step { STEP_DONE, STEP_AGAIN, STEP_FINAL };

/* One request under way, over all its tries. */
struct sending {
    struct s3 *s3;
    const struct s3_request *request;
    struct s3_answer *answer;
    char *host, *path, *url;
    char payload[2 * SHA256_SIZE + 1];
    char content_md5[32];
    struct buffer scratch; /* an answer that nobody wants; but it may be an error */
    struct buffer *to;
    size_t start; /* of the answer in `to` */
    struct s3_retry retry;
    struct s3_refusal refusal;
    bool refused;
    bool sent;           /* the last try may have done what it asked for */
    bool dated;          /* the clock's offset was taken once */
    int64_t retry_after; /* -1: at once */

    /* A read that goes on where it broke off. */
    uint64_t done;
    char etag[S3_ETAG_MAX + 2];
    uint64_t total; /* bytes that there will be in `to`, as an answer said; UINT64_MAX: it did not say */
    bool known;     /* etag and total are those of the first answer */
};

/* --- what is sent ------------------------------------------------------------------------------------------------- */

static bool is_clean(const char *text) {
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static int check_request(const struct s3_request *request, struct err *err) {
    const size_t length = request->key ? strlen(request->key) : 1;

    if (length == 0 || length > S3_KEY_MAX)
        return err_set(err, ERR_INVALID, "a key has 1 to %d bytes, this one %zu", S3_KEY_MAX, length);
    for (size_t i = 0; i < request->headers.count; i++)
        if (!is_clean(request->headers.items[i].name) || !is_clean(request->headers.items[i].value))
            return err_set(err, ERR_INVALID, "the value of %s holds control characters",
                           request->headers.items[i].name);
    return 0;
}

/* The path is encoded once, and the same bytes are signed and sent. */
static void build_url(struct sending *sending) {
    const struct s3_service *service = s3_service(sending->s3);
    const struct s3_endpoint *endpoint = s3_endpoint(sending->s3);
    const struct s3_request *request = sending->request;
    const bool in_host = service->addressing == S3_ADDRESSING_HOST && request->bucket;
    struct buffer path = { 0 }, query = { 0 };

    buffer_printf(&path, "%s", endpoint->path);
    if (request->bucket && !in_host) {
        buffer_put(&path, "/", 1);
        s3_encode(&path, request->bucket, false);
    }
    if (request->key) {
        buffer_put(&path, "/", 1);
        s3_encode(&path, request->key, true);
    } else if (path.length == 0 || in_host) {
        buffer_put(&path, "/", 1);
    }
    s3_canonical_query(&query, &request->query);

    sending->host =
        in_host ? mem_format("%s.%s", request->bucket, endpoint->authority) : mem_string(endpoint->authority);
    sending->path = mem_string(buffer_text(&path));
    sending->url = mem_format("%s://%s%s%s%s", endpoint->tls ? "https" : "http", sending->host, sending->path,
                              query.length > 0 ? "?" : "", buffer_text(&query));
    buffer_release(&path);
    buffer_release(&query);
}

static int hash_body(struct sending *sending, struct err *err) {
    const struct s3_request *request = sending->request;
    uint8_t digest[SHA256_SIZE];

    if (!request->sha256)
        sha256_once(digest, request->body, request->length);
    hex_encode(sending->payload, request->sha256 ? request->sha256 : digest, SHA256_SIZE);
    if (!request->md5)
        return 0;

    if (s3_md5(sending->answer->md5, request->body, request->length, err) < 0)
        return -1;
    EVP_EncodeBlock((unsigned char *)sending->content_md5, sending->answer->md5, sizeof sending->answer->md5);
    return 0;
}

static void add_range(const struct sending *sending, struct s3_headers *headers) {
    const struct s3_request *request = sending->request;
    const uint64_t first = request->offset + sending->done;
    char text[64];

    if (!request->range && sending->done == 0)
        return;
    if (!request->range || request->count == UINT64_MAX)
        snprintf(text, sizeof text, "bytes=%llu-", (unsigned long long)first);
    else
        snprintf(text, sizeof text, "bytes=%llu-%llu", (unsigned long long)first,
                 (unsigned long long)(request->offset + (request->count - 1)));
    s3_headers_add(headers, "range", text);
    if (sending->done > 0 && !s3_headers_find(headers, "if-match"))
        s3_headers_add(headers, "if-match", sending->etag);
}

static bool is_signed(const char *name) {
    return strcmp(name, "content-type") == 0 || strncmp(name, "x-amz-", 6) == 0;
}

static void build_headers(const struct sending *sending, struct s3_headers *headers) {
    const struct s3_credentials *credentials = s3_credentials(sending->s3);
    const struct s3_request *request = sending->request;
    struct buffer authorization = { 0 };
    char date[CLOCK_TEXT];

    clock_format_compact(date, clock_now() + s3_clock_offset(sending->s3));
    s3_headers_add(headers, "host", sending->host);
    s3_headers_add(headers, "x-amz-date", date);
    s3_headers_add(headers, "x-amz-content-sha256", sending->payload);
    if (credentials->session_token[0] != '\0')
        s3_headers_add(headers, "x-amz-security-token", credentials->session_token);
    if (request->md5)
        s3_headers_add(headers, "content-md5", sending->content_md5);
    for (size_t i = 0; i < request->headers.count; i++)
        if (is_signed(request->headers.items[i].name))
            s3_headers_add(headers, request->headers.items[i].name, request->headers.items[i].value);

    s3_sign(&authorization,
            &(struct s3_signing){ .method = request->method,
                                  .path = sending->path,
                                  .query = &request->query,
                                  .headers = headers,
                                  .payload = sending->payload,
                                  .region = s3_service(sending->s3)->region,
                                  .service = "s3",
                                  .date = date },
            credentials);

    for (size_t i = 0; i < request->headers.count; i++)
        if (!is_signed(request->headers.items[i].name))
            s3_headers_add(headers, request->headers.items[i].name, request->headers.items[i].value);
    add_range(sending, headers);
    s3_headers_add(headers, "user-agent", "muniment/" MUNIMENT_VERSION);
    s3_headers_add(headers, "authorization", buffer_text(&authorization));
    buffer_release(&authorization);
}

/* --- reads that go on --------------------------------------------------------------------------------------------- */

/* The whole object instead of a part of it will do where the part is the whole. */
static int accept_whole(struct sending *sending, const struct s3_exchange *exchange, uint64_t *total, struct err *err) {
    const struct s3_request *request = sending->request;
    const char *length = s3_headers_find(&exchange->answer, "content-length");
    const char *encoding = s3_headers_find(&exchange->answer, "transfer-encoding");

    *total = UINT64_MAX;
    if (length && s3_parse_number(length, total, err) < 0)
        return err_wrap(err, "Content-Length");
    if (!length && !encoding)
        return err_set(err, ERR_CORRUPT, "the answer does not say how long it is");
    if (sending->done > 0 || (request->range && (request->offset > 0 || *total > request->count)))
        return err_set(err, ERR_CORRUPT, "a part was asked for, and the answer is not that part");
    return 0;
}

static int accept_part(struct sending *sending, const struct s3_exchange *exchange, uint64_t *total, struct err *err) {
    const struct s3_request *request = sending->request;
    const char *text = s3_headers_find(&exchange->answer, "content-range");
    uint64_t wanted = UINT64_MAX;
    struct s3_range part;

    if (request->range && request->count < UINT64_MAX - request->offset)
        wanted = request->offset + request->count;
    if (!text || s3_parse_range(text, &part, NULL) < 0)
        return err_set(err, ERR_CORRUPT, "the answer does not say which part it is");
    if (part.first != request->offset + sending->done || part.last + 1 != (wanted < part.total ? wanted : part.total))
        return err_set(err, ERR_CORRUPT, "the answer is another part than the one that was asked for");
    *total = part.last + 1 - request->offset;
    return 0;
}

static int on_begin(void *context, const struct s3_exchange *exchange, struct err *err) {
    struct sending *sending = context;
    const char *etag = s3_headers_find(&exchange->answer, "etag");
    uint64_t total = 0;

    if ((exchange->status == 206 ? accept_part : accept_whole)(sending, exchange, &total, err) < 0)
        return -1;
    if (sending->known && sending->done > 0 && (total != sending->total || !etag || strcmp(etag, sending->etag) != 0))
        return err_set(err, ERR_CHANGED, "the object changed while it was read");
    sending->known = etag && strlen(etag) < sizeof sending->etag;
    sending->total = total;
    if (sending->known)
        strcpy(sending->etag, etag);
    return 0;
}

/* What came before the break counts, if the rest can be known to belong to it. */
static void keep_or_drop(struct sending *sending, const struct s3_exchange *exchange) {
    if (exchange->received == 0)
        return;
    if (sending->request->resume && sending->known) {
        sending->done += exchange->received;
        sending->retry.failed = 0;
    } else {
        sending->done = 0;
        sending->to->length = sending->start;
    }
}

/* --- what is answered --------------------------------------------------------------------------------------------- */

/* "5", or a date by the server's own clock. */
static int64_t wanted_pause(const struct s3_headers *headers) {
    const char *text = s3_headers_find(headers, "retry-after"), *date = s3_headers_find(headers, "date");
    int64_t when, now, pause = 0;
    char *end;

    if (!text)
        return 0;
    pause = strtoll(text, &end, 10);
    if (end == text || *end != '\0') {
        if (!date || s3_parse_time(date, &now, NULL) < 0)
            now = clock_now();
        pause = s3_parse_time(text, &when, NULL) == 0 ? when - now : 0;
    }
    return pause < 0 ? 0 : pause > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : pause;
}

/* A HEAD that is refused comes without a code, so there the clocks are compared. */
static bool takes_date(struct sending *sending, const struct s3_headers *headers) {
    const char *text = s3_headers_find(headers, "date");
    const bool silent = sending->refusal.status == 403 && strcmp(sending->request->method, "HEAD") == 0;
    int64_t theirs, ours = clock_now();

    if (sending->dated || !text || s3_parse_time(text, &theirs, NULL) < 0)
        return false;
    if (strcmp(sending->refusal.code, "RequestTimeTooSkewed") != 0 &&
        !(silent && llabs(theirs - ours - s3_clock_offset(sending->s3)) > SKEW))
        return false;
    sending->dated = true;
    s3_set_clock_offset(sending->s3, theirs - ours);
    return true;
}

/* An error in a 200 is what became of work that had begun when the status was sent; few of them are for good. */
static bool is_final_inside(const char *code) {
    return strncmp(code, "NoSuch", 6) == 0 || strncmp(code, "Invalid", 7) == 0 || strcmp(code, "AccessDenied") == 0 ||
           strcmp(code, "EntityTooSmall") == 0 || strcmp(code, "MalformedXML") == 0 ||
           strcmp(code, "SignatureDoesNotMatch") == 0 || strcmp(code, "NotImplemented") == 0;
}

static enum step refuse(struct sending *sending, const struct s3_exchange *exchange, const void *body, size_t length,
                        struct err *err) {
    struct s3_refusal *refusal = &sending->refusal;
    bool again;

    s3_refusal_read(refusal, exchange->status, &exchange->answer, body, length);
    sending->refused = true;
    s3_refusal_error(refusal, sending->s3, err);
    if (takes_date(sending, &exchange->answer)) {
        sending->retry_after = -1;
        return STEP_AGAIN;
    }
    again = s3_retry_is_worth(refusal->status, refusal->code) ||
            (refusal->status >= 200 && refusal->status <= 299 && !is_final_inside(refusal->code));
    sending->retry_after = wanted_pause(&exchange->answer);
    /* With these the server may have done it all the same; the others say that it has not. */
    sending->sent = exchange->sent && (refusal->status == 500 || refusal->status == 502 || refusal->status == 504);
    return again ? STEP_AGAIN : STEP_FINAL;
}

static enum step judge(struct sending *sending, struct s3_exchange *exchange, struct err *err) {
    struct buffer *to = sending->to;

    if (exchange->status < 200 || exchange->status > 299)
        return refuse(sending, exchange, exchange->trouble.data, exchange->trouble.length, err);
    if ((sending->request->xml || !sending->request->to) &&
        s3_xml_is_error(to->data + sending->start, to->length - sending->start)) {
        const enum step step = refuse(sending, exchange, to->data + sending->start, to->length - sending->start, err);
        to->length = sending->start;
        return step;
    }
    if (sending->request->resume && sending->total != UINT64_MAX &&
        sending->done + exchange->received != sending->total) {
        err_set(err, ERR_CORRUPT, "the answer has %llu bytes instead of the %llu that it announced",
                (unsigned long long)(sending->done + exchange->received), (unsigned long long)sending->total);
        return STEP_FINAL;
    }
    sending->answer->status = exchange->status;
    s3_headers_release(&sending->answer->headers);
    sending->answer->headers = exchange->answer;
    exchange->answer = (struct s3_headers){ 0 };
    return STEP_DONE;
}

static enum step try_once(struct sending *sending, struct err *err) {
    const struct s3_request *request = sending->request;
    const bool read = request->range || request->resume;
    struct s3_headers headers = { 0 };
    enum step step = STEP_FINAL;

    build_headers(sending, &headers);
    struct s3_exchange exchange = { .method = request->method,
                                    .url = sending->url,
                                    .headers = &headers,
                                    .body = request->body,
                                    .length = request->length,
                                    .fresh = sending->retry.tries > 0,
                                    .once = request->find,
                                    .silence = strcmp(request->method, "POST") == 0 ? SILENCE_AT_WORK : SILENCE,
                                    .to = sending->to,
                                    .max = request->to || request->xml ? request->answer_max - sending->done
                                                                       : UNWANTED_MAX,
                                    .begin = read ? on_begin : NULL,
                                    .context = sending };
    enum s3_outcome outcome = s3_exchange(s3_transport(sending->s3), &exchange, err);
    sending->refused = false;
    sending->retry_after = 0;
    sending->sent = false;
    if (outcome == S3_BROKEN) {
        sending->sent = exchange.sent;
        keep_or_drop(sending, &exchange);
        step = STEP_AGAIN;
        if (exchange.nowhere && sending->retry.waited > NOWHERE) {
            err_hint(err, "check the endpoint (%s)", s3_service(sending->s3)->endpoint);
            step = STEP_FINAL;
        }
    } else if (outcome == S3_ANSWERED) {
        step = judge(sending, &exchange, err);
    }
    s3_exchange_release(&exchange);
    s3_headers_release(&headers);
    return step;
}

/* --- a PUT that may have arrived ---------------------------------------------------------------------------------- */

static void end(struct sending *sending) {
    free(sending->host);
    free(sending->path);
    free(sending->url);
    buffer_release(&sending->scratch);
}

/* What HEAD found is ours: these bytes, written since the first try. An equal object from before would do for its
 * content, but not for its headers and its lock. All of it by the server's clock. */
static bool is_ours(const struct sending *sending, const struct s3_headers *found) {
    const char *length = s3_headers_find(found, "content-length"), *quoted = s3_headers_find(found, "etag");
    const char *date = s3_headers_find(found, "date"), *modified = s3_headers_find(found, "last-modified");
    char etag[S3_ETAG_MAX];
    uint64_t size;
    int64_t now, then;

    if (!length || s3_parse_number(length, &size, NULL) < 0 || size != sending->request->length || !quoted ||
        s3_parse_etag(quoted, etag, NULL) < 0 || !s3_etag_matches(etag, sending->answer->md5))
        return false;
    return date && modified && s3_parse_time(date, &now, NULL) == 0 && s3_parse_time(modified, &then, NULL) == 0 &&
           (double)(now - then) <= clock_monotonic() - sending->retry.start + 2;
}

/* One try of another request, between two of the first. */
static enum step ask_aside(const struct sending *sending, const struct s3_request *request, struct s3_answer *answer,
                           struct s3_refusal *refusal, struct err *err) {
    struct sending aside = {
        .s3 = sending->s3, .request = request, .answer = answer, .retry = sending->retry, .dated = true
    };
    enum step step = STEP_FINAL;

    aside.to = &aside.scratch;
    build_url(&aside);
    if (hash_body(&aside, err) == 0)
        step = try_once(&aside, err);
    *refusal = aside.refused ? aside.refusal : (struct s3_refusal){ 0 };
    end(&aside);
    return step;
}

/* STEP_FINAL: it is not there, as far as this key may know. */
static enum step look_for_it(struct sending *sending, struct err *err) {
    struct s3_answer answer = { 0 };
    struct s3_refusal refusal;
    const struct s3_request request = {
        .what = "look for", .method = "HEAD", .bucket = sending->request->bucket, .key = sending->request->key
    };
    enum step step = ask_aside(sending, &request, &answer, &refusal, err);

    if (step == STEP_DONE && is_ours(sending, &answer.headers)) {
        sending->answer->status = 200;
        sending->answer->headers = answer.headers;
        answer.headers = (struct s3_headers){ 0 };
    } else if (step == STEP_DONE) {
        step = STEP_FINAL;
    }
    s3_answer_release(&answer);
    return step;
}

/* Then that is what became of the request. RGW says NoSuchKey of an upload that somebody tried to complete twice. */
static bool upload_is_gone(struct sending *sending, struct err *err) {
    struct s3_answer answer = { 0 };
    struct s3_refusal refusal;
    struct s3_request request = {
        .what = "list the parts of", .method = "GET", .bucket = sending->request->bucket, .key = sending->request->key
    };

    s3_headers_add(&request.query, "uploadId", sending->request->completes);
    s3_headers_add(&request.query, "max-parts", "1");
    const enum step step = ask_aside(sending, &request, &answer, &refusal, err);
    const bool gone = step == STEP_FINAL && refusal.status == 404 &&
                      (strcmp(refusal.code, "NoSuchUpload") == 0 || strcmp(refusal.code, "NoSuchKey") == 0);
    if (gone) {
        sending->refusal = refusal;
        snprintf(sending->refusal.code, sizeof sending->refusal.code, "NoSuchUpload");
        err_set(err, ERR_NOT_FOUND, "NoSuchUpload: it was completed or aborted meanwhile");
    }
    sending->refused = gone;
    s3_answer_release(&answer);
    s3_request_release(&request);
    return gone;
}

/* --- all tries ---------------------------------------------------------------------------------------------------- */

static int try_until_done(struct sending *sending, const char *what, struct err *err) {
    for (;;) {
        enum step step = STEP_FINAL;

        if (sending->sent && sending->request->completes && upload_is_gone(sending, err))
            return -1;
        if (sending->sent && sending->request->find)
            step = look_for_it(sending, err);
        if (step == STEP_FINAL)
            step = try_once(sending, err);
        if (step == STEP_DONE)
            return 0;
        if (step == STEP_FINAL)
            return -1;
        if (sending->retry_after < 0) {
            sending->retry.tries++;
            continue;
        }
        if (s3_retry_wait(&sending->retry, sending->s3, what, sending->retry_after, err) < 0)
            return -1;
    }
}

int s3_send(struct s3 *s3, const struct s3_request *request, struct s3_answer *answer, long *status, char *code,
            struct err *err) {
    struct sending sending = { .s3 = s3, .request = request, .answer = answer };
    char name[S3_NAME_TEXT], what[S3_NAME_TEXT + 64];
    struct err reason = { 0 };
    int rc = -1;

    snprintf(what, sizeof what, "%s %s", request->what, s3_name(name, s3, request->bucket, request->key));
    *answer = (struct s3_answer){ 0 };
    sending.retry.start = clock_monotonic();
    sending.to = request->to ? request->to : &sending.scratch;
    sending.start = sending.to->length;
    if (check_request(request, &reason) < 0)
        goto out;
    build_url(&sending);
    if (hash_body(&sending, &reason) < 0)
        goto out;
    rc = try_until_done(&sending, what, &reason);

out:
    if (rc < 0) {
        err_wrap(&reason, "%s", what);
        sending.to->length = sending.start;
        s3_answer_release(answer);
        if (err)
            *err = reason;
    }
    if (status)
        *status = rc == 0 ? answer->status : sending.refused ? sending.refusal.status : 0;
    if (code)
        snprintf(code, 64, "%s", rc < 0 && sending.refused ? sending.refusal.code : "");
    end(&sending);
    return rc;
}

int s3_request_wrap(const struct s3_request *request, const struct s3 *s3, struct err *err) {
    char name[S3_NAME_TEXT];
    return err_wrap(err, "%s %s", request->what, s3_name(name, s3, request->bucket, request->key));
}

int s3_send_for_document(struct s3 *s3, struct s3_request *request, const char *root, s3_element *element,
                         void *context, char *code, struct err *err) {
    struct buffer document = { 0 };
    struct s3_answer answer = { 0 };

    request->xml = true;
    request->answer_max = DOCUMENT_MAX;
    request->to = &document;
    int result = s3_send(s3, request, &answer, NULL, code, err);
    if (result == 0 && s3_xml_parse_below(root, &document, element, context, err) < 0)
        result = s3_request_wrap(request, s3, err);
    s3_answer_release(&answer);
    s3_request_release(request);
    buffer_release(&document);
    return result;
}

void s3_request_release(struct s3_request *request) {
    s3_headers_release(&request->query);
    s3_headers_release(&request->headers);
}

void s3_answer_release(struct s3_answer *answer) {
    s3_headers_release(&answer->headers);
    answer->status = 0;
}
