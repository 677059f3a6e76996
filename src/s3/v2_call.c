#include "v2_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

enum {
    SLICE = 200,       /* milliseconds after which an interrupt is noticed */
    SHORT_SLICE = 20,  /* while there is no socket to wait for */
    SECRET_LIMIT = 64, /* of libs3: the block of SHA-1 */
    ACCESS_LIMIT = 79, /* what fits into its Authorization header */
    STRANGE_TRIES = 3, /* of an answer that is not S3's */
    LIST_PAGE = 1000,
};

/* --- what libs3 keeps for the whole process ----------------------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static S3Status initialised;

/* It composes requests with gmtime(), which has one result for all threads. */
static pthread_mutex_t composing = PTHREAD_MUTEX_INITIALIZER;

static void initialise(void) {
    initialised = S3_initialize("muniment", S3_INIT_ALL, NULL);
}

/* --- callbacks ---------------------------------------------------------------------------------------------------- */

static void add_header(struct s3_headers *headers, const char *prefix, const char *name, const char *value) {
    char *full = mem_format("%s%s", prefix, name);

    for (char *at = full; *at != '\0'; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at + 32);
    s3_headers_add(headers, full, value);
    free(full);
}

static S3Status on_properties(const S3ResponseProperties *properties, void *context) {
    struct v2_call *call = context;

    call->announced = properties->contentLength;
    call->modified = properties->lastModified > 0 ? properties->lastModified : 0;
    if (properties->eTag && s3_parse_etag(properties->eTag, call->etag, NULL) < 0)
        call->etag[0] = '\0';
    call->unreadable = (call->kind == V2_GET || call->kind == V2_HEAD) && call->etag[0] == '\0';
    call->answered = !call->unreadable;
    if (properties->contentType)
        s3_headers_add(&call->headers, "content-type", properties->contentType);
    for (int i = 0; i < properties->metaDataCount; i++)
        add_header(&call->headers, S3_METADATA_HEADER_NAME_PREFIX, properties->metaData[i].name,
                   properties->metaData[i].value);
    return call->unreadable ? S3StatusAbortedByCallback : S3StatusOK;
}

static void on_complete(S3Status status, const S3ErrorDetails *details, void *context) {
    struct v2_call *call = context;

    call->status = status;
    if (details && details->message)
        s3_printable(call->message, sizeof call->message, details->message);
}

static int on_send(int room, char *to, void *context) {
    struct v2_call *call = context;
    size_t count = call->length - call->sent;

    if (count > (size_t)room)
        count = (size_t)room;
    memcpy(to, call->data + call->sent, count);
    call->sent += count;
    return (int)count;
}

static S3Status on_receive(int count, const char *data, void *context) {
    struct v2_call *call = context;

    if ((uint64_t)count > call->max - call->received) {
        call->too_much = true;
        return S3StatusAbortedByCallback;
    }
    buffer_put(call->to, data, (size_t)count);
    call->received += (uint64_t)count;
    return S3StatusOK;
}

static S3Status on_page(int truncated, const char *next, int count, const S3ListBucketContent *objects, int prefixes,
                        const char **prefix, void *context) {
    struct v2_call *call = context;

    (void)truncated;
    (void)next;
    (void)prefixes;
    (void)prefix;
    return call->page(count, objects, call->context);
}

/* --- a call ------------------------------------------------------------------------------------------------------- */

/* With a request context nothing goes out yet: the request is composed, and waits in the context. */
static void compose(struct s3 *s3, struct v2_call *call, S3RequestContext *context) {
    const struct s3_credentials *credentials = s3_credentials(s3);
    const struct s3_endpoint *endpoint = s3_endpoint(s3);
    const S3ResponseHandler response = { on_properties, on_complete };
    const S3PutObjectHandler put = { response, on_send };
    const S3GetObjectHandler get = { response, on_receive };
    const S3ListBucketHandler list = { response, on_page };
    const S3GetConditions conditions = { -1, -1, call->if_match, NULL };
    const S3BucketContext bucket = {
        .hostName = endpoint->authority,
        .bucketName = call->bucket,
        .protocol = endpoint->tls ? S3ProtocolHTTPS : S3ProtocolHTTP,
        .uriStyle = s3_service(s3)->addressing == S3_ADDRESSING_HOST ? S3UriStyleVirtualHost : S3UriStylePath,
        .accessKeyId = credentials->access_key,
        .secretAccessKey = credentials->secret_key,
    };

    pthread_mutex_lock(&composing);
    switch (call->kind) {
    case V2_PUT:
        S3_put_object(&bucket, call->key, call->length, call->properties, context, &put, call);
        break;
    case V2_GET:
        S3_get_object(&bucket, call->key, &conditions, call->offset, call->count, context, &get, call);
        break;
    case V2_HEAD:
        S3_head_object(&bucket, call->key, context, &response, call);
        break;
    case V2_DELETE:
        S3_delete_object(&bucket, call->key, context, &response, call);
        break;
    case V2_LIST:
        S3_list_bucket(&bucket, call->prefix, call->marker, NULL, LIST_PAGE, context, &list, call);
        break;
    }
    pthread_mutex_unlock(&composing);
}

static void wait_for(S3RequestContext *context) {
    fd_set readable, writable, failed;
    int last = -1;
    const int64_t asked = S3_get_request_context_timeout(context);

    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_ZERO(&failed);
    if (S3_get_request_context_fdsets(context, &readable, &writable, &failed, &last) != S3StatusOK)
        last = -1;
    const int64_t slice = last < 0 ? SHORT_SLICE : SLICE, wait = asked >= 0 && asked < slice ? asked : slice;
    struct timeval time = { .tv_usec = wait * 1000 };
    select(last + 1, &readable, &writable, &failed, &time);
}

static void forget_outcome(struct v2_call *call) {
    call->status = S3StatusConnectionFailed;
    call->answered = call->unreadable = call->too_much = false;
    call->sent = 0;
    call->announced = call->received = 0;
    call->modified = 0;
    call->etag[0] = call->message[0] = '\0';
    s3_headers_release(&call->headers);
}

void v2_call_release(struct v2_call *call) {
    s3_headers_release(&call->headers);
}

int v2_perform(struct s3 *s3, struct v2_call *call, struct err *err) {
    S3RequestContext *context = NULL;
    S3Status status = S3StatusOK;
    int left = 1;

    pthread_once(&once, initialise);
    if (initialised != S3StatusOK)
        return err_set(err, ERR_SYSTEM, "libs3 cannot start: %s", S3_get_status_name(initialised));
    if (interrupt_check(err) < 0)
        return -1;
    forget_outcome(call);
    mem_require(S3_create_request_context(&context) == S3StatusOK ? context : NULL);
    compose(s3, call, context);
    for (;;) {
        status = S3_runonce_request_context(context, &left);
        if (status != S3StatusOK || left == 0 || interrupt_requested())
            break;
        wait_for(context);
    }
    S3_destroy_request_context(context); /* completes what has not */
    if (interrupt_check(err) < 0)
        return -1;
    if (status != S3StatusOK)
        call->status = status;
    return 0;
}

/* --- what came of it ---------------------------------------------------------------------------------------------- */

static const char *const VERBS[] = {
    [V2_PUT] = "put", [V2_GET] = "get", [V2_HEAD] = "look at", [V2_DELETE] = "delete", [V2_LIST] = "list"
};

static enum v2_verdict verdict_of(const struct v2_call *call, unsigned tries, enum err_code *code) {
    *code = ERR_SYSTEM;
    switch (call->status) {
    case S3StatusOK:
        return V2_GOOD;

    case S3StatusErrorNoSuchKey:
    case S3StatusHttpErrorNotFound:
        *code = ERR_NOT_FOUND;
        return V2_FINAL;

    case S3StatusErrorPreconditionFailed:
        *code = ERR_CHANGED;
        return V2_FINAL;

    case S3StatusErrorAccessDenied:
    case S3StatusErrorAccountProblem:
    case S3StatusErrorCredentialsNotSupported:
    case S3StatusErrorExpiredToken:
    case S3StatusErrorInvalidAccessKeyId:
    case S3StatusErrorInvalidSecurity:
    case S3StatusErrorInvalidToken:
    case S3StatusErrorNotSignedUp:
    case S3StatusErrorRequestTimeTooSkewed:
    case S3StatusErrorSignatureDoesNotMatch:
    case S3StatusHttpErrorForbidden:
        *code = ERR_DENIED;
        return V2_FINAL;

    case S3StatusErrorNotImplemented:
    case S3StatusErrorMethodNotAllowed:
    case S3StatusQueryParamsTooLong:
    case S3StatusUriTooLong:
        *code = ERR_UNSUPPORTED;
        return V2_FINAL;

    case S3StatusNameLookupError:
    case S3StatusFailedToConnect:
    case S3StatusConnectionFailed:
    case S3StatusInternalError: /* libcurl's other troubles */
    case S3StatusErrorBadDigest:
    case S3StatusErrorIncompleteBody:
    case S3StatusErrorInternalError:
    case S3StatusErrorOperationAborted:
    case S3StatusErrorRequestTimeout:
    case S3StatusErrorSlowDown:
        return V2_AGAIN;

    case S3StatusErrorUnknown:     /* a code that is newer than libs3 */
    case S3StatusHttpErrorUnknown: /* 429, 502, 504, but also others */
    case S3StatusXmlParseFailure:  /* an error that is not S3's: the status is lost */
        return tries < STRANGE_TRIES ? V2_AGAIN : V2_FINAL;

    case S3StatusErrorNoSuchBucket:
        *code = ERR_NO_BUCKET;
        return V2_FINAL;

    default:
        *code = ERR_INVALID;
        return V2_FINAL;
    }
}

enum v2_verdict v2_judge(struct s3 *s3, const struct v2_call *call, unsigned tries, struct err *err) {
    char name[S3_NAME_TEXT];
    enum err_code code;

    s3_name(name, s3, call->bucket, call->kind == V2_LIST ? NULL : call->key);
    if (call->unreadable) {
        err_set(err, ERR_UNSUPPORTED, "%s %s: the answer has no ETag that libs3 can read", VERBS[call->kind], name);
        err_hint(err, "signature = \"v2\" needs a server that answers in HTTP/1.1 and spells headers as AWS does");
        return tries < STRANGE_TRIES ? V2_AGAIN : V2_FINAL;
    }
    if (call->too_much) {
        err_set(err, ERR_CORRUPT, "%s %s: more than the %llu bytes that were to come", VERBS[call->kind], name,
                (unsigned long long)call->max);
        return V2_FINAL;
    }
    const enum v2_verdict verdict = verdict_of(call, tries, &code);
    if (verdict != V2_GOOD)
        err_set(err, code, "%s %s: %s%s%s", VERBS[call->kind], name, S3_get_status_name(call->status),
                call->message[0] != '\0' ? ": " : "", call->message);
    return verdict;
}

int v2_check_credentials(const struct s3 *s3, struct err *err) {
    const struct s3_credentials *credentials = s3_credentials(s3);

    if (credentials->session_token[0] != '\0')
        return s3_refuse_v2(s3, "a session token", err);
    if (strlen(credentials->secret_key) > SECRET_LIMIT)
        return s3_refuse_v2(s3, "a secret key of more than 64 bytes", err);
    if (strlen(credentials->access_key) > ACCESS_LIMIT)
        return s3_refuse_v2(s3, "an access key of more than 79 bytes", err);
    return 0;
}

size_t v2_encoded_length(const char *text) {
    size_t length = 0;

    for (; *text != '\0'; text++) {
        const unsigned char byte = (unsigned char)*text;
        const bool plain = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                           (byte >= '0' && byte <= '9') || strchr("-_.!~*'()/ ", byte) != NULL;
        length += plain ? 1 : 3;
    }
    return length;
}
