#include "transport_internal.h"
#include <stdio.h>
#include <string.h>

enum { BODY_SHOWN = 400 };

static int take_element(void *context, const char *path, const char *text, struct err *err) {
    struct s3_refusal *refusal = context;

    (void)err;
    if (strcmp(path, "Error/Code") == 0)
        s3_printable(refusal->code, sizeof refusal->code, text);
    else if (strcmp(path, "Error/Message") == 0)
        s3_printable(refusal->message, sizeof refusal->message, text);
    else if (strcmp(path, "Error/Region") == 0)
        s3_printable(refusal->region, sizeof refusal->region, text);
    else if (strcmp(path, "Error/Endpoint") == 0)
        s3_printable(refusal->endpoint, sizeof refusal->endpoint, text);
    else if (strcmp(path, "Error/RequestId") == 0)
        s3_printable(refusal->id, sizeof refusal->id, text);
    return 0;
}

/* White space runs become one blank: such bodies are HTML or a sentence. */
static void show_body(struct s3_refusal *refusal, const char *body, size_t length) {
    char text[BODY_SHOWN];
    size_t at = 0;

    for (size_t i = 0; i < length && at + 1 < sizeof text; i++) {
        const char byte = strchr(" \t\r\n", body[i]) != NULL ? ' ' : body[i];
        if (byte != ' ' || (at > 0 && text[at - 1] != ' '))
            text[at++] = byte;
    }
    text[at] = '\0';
    s3_printable(refusal->message, sizeof refusal->message, text);
}

void s3_refusal_read(struct s3_refusal *refusal, long status, const struct s3_headers *headers, const void *body,
                     size_t length) {
    const char *id = s3_headers_find(headers, "x-amz-request-id");
    const char *marker = s3_headers_find(headers, "x-amz-delete-marker");
    const char *region = s3_headers_find(headers, "x-amz-bucket-region");
    const char *location = s3_headers_find(headers, "location");
    struct err ignored = { 0 };

    *refusal = (struct s3_refusal){ .status = status };
    refusal->absent = marker && strcmp(marker, "true") == 0;
    if (length > 0 && s3_xml_parse(body, length, take_element, refusal, &ignored) < 0)
        refusal->code[0] = '\0';
    if (length > 0 && refusal->code[0] == '\0') {
        refusal->foreign = true;
        show_body(refusal, body, length);
    }
    if (id && refusal->id[0] == '\0')
        s3_printable(refusal->id, sizeof refusal->id, id);
    if (region && refusal->region[0] == '\0')
        s3_printable(refusal->region, sizeof refusal->region, region);
    if (location && refusal->endpoint[0] == '\0')
        s3_printable(refusal->endpoint, sizeof refusal->endpoint, location);
}

static bool is(const struct s3_refusal *refusal, const char *code) {
    return strcmp(refusal->code, code) == 0;
}

static bool is_credentials(const struct s3_refusal *refusal) {
    return is(refusal, "InvalidAccessKeyId") || is(refusal, "SignatureDoesNotMatch") || is(refusal, "InvalidToken") ||
           is(refusal, "InvalidSecurity") || is(refusal, "ExpiredToken") || is(refusal, "TokenRefreshRequired");
}

static bool is_region(const struct s3_refusal *refusal, const struct s3 *s3) {
    const bool other = refusal->region[0] != '\0' && strcmp(refusal->region, s3_service(s3)->region) != 0;
    return is(refusal, "AuthorizationHeaderMalformed") || is(refusal, "IllegalLocationConstraintException") ||
           is(refusal, "InvalidRegion") ||
           ((other || (!refusal->foreign && strcasestr(refusal->message, "region"))) &&
            (refusal->status == 400 || refusal->status == 403));
}

static enum err_code code_of(const struct s3_refusal *refusal, const struct s3 *s3) {
    if (is(refusal, "NoSuchBucket"))
        return ERR_NO_BUCKET;
    if (is(refusal, "InvalidBucketName") || is_region(refusal, s3) ||
        (refusal->status >= 300 && refusal->status <= 399))
        return ERR_INVALID;
    switch (refusal->status) {
    case 401:
    case 403:
        return ERR_DENIED;
    case 404:
        return refusal->foreign ? ERR_INVALID : ERR_NOT_FOUND;
    case 405:
        return refusal->absent ? ERR_NOT_FOUND : ERR_UNSUPPORTED;
    case 412:
        return ERR_CHANGED;
    case 501:
        return ERR_UNSUPPORTED;
    default:
        break;
    }
    if (is_credentials(refusal) || is(refusal, "AccessDenied"))
        return ERR_DENIED;
    if (is(refusal, "NoSuchKey") || is(refusal, "NoSuchVersion") || is(refusal, "NoSuchUpload"))
        return ERR_NOT_FOUND;
    return refusal->status >= 400 && refusal->status <= 499 && refusal->status != 408 && refusal->status != 429
               ? ERR_INVALID
               : ERR_SYSTEM;
}

static void give_hint(const struct s3_refusal *refusal, const struct s3 *s3, struct err *err) {
    const char *region = s3_service(s3)->region;

    if (is(refusal, "NoSuchBucket"))
        err_hint(err, "check the bucket's name and the endpoint (%s); buckets are made by their owner, not by muniment",
                 s3_service(s3)->endpoint);
    else if (refusal->status >= 300 && refusal->status <= 399)
        err_hint(err, "the bucket is elsewhere%s%s%s%s; set endpoint and region to that",
                 refusal->endpoint[0] != '\0' ? ": endpoint " : "", refusal->endpoint,
                 refusal->region[0] != '\0' ? ", region " : "", refusal->region);
    else if (is_region(refusal, s3) && refusal->region[0] != '\0')
        err_hint(err, "the server's region is \"%s\", the requests are signed for \"%s\"; set region", refusal->region,
                 region);
    else if (is_region(refusal, s3))
        err_hint(err, "the requests are signed for the region \"%s\"; set region to what the server expects", region);
    else if (is(refusal, "InvalidAccessKeyId"))
        err_hint(err, "the server does not know this access key; check the credentials, and that they belong to %s",
                 s3_service(s3)->endpoint);
    else if (is(refusal, "SignatureDoesNotMatch"))
        err_hint(err, "check the secret key, and that the region is right (now \"%s\")", region);
    else if (is(refusal, "ExpiredToken") || is(refusal, "InvalidToken") || is(refusal, "TokenRefreshRequired"))
        err_hint(err, "the session token is over; fetch new credentials");
    else if (is(refusal, "RequestTimeTooSkewed"))
        err_hint(err, "set the clock of this machine");
    else if (refusal->status == 401 || refusal->status == 403)
        err_hint(err, refusal->foreign ? "the server's own words are above; a cap or a firewall answers like this"
                                       : "the key is not allowed to do this, or a cap of the account is reached");
    else if (refusal->status == 404 && refusal->foreign)
        err_hint(err, "this does not look like an answer of object storage; check the endpoint (%s)",
                 s3_service(s3)->endpoint);
}

int s3_refusal_error(const struct s3_refusal *refusal, const struct s3 *s3, struct err *err) {
    char status[16] = "";

    snprintf(status, sizeof status, "HTTP %ld", refusal->status);
    err_set(err, code_of(refusal, s3), "%s%s%s%s%s%s%s%s", status, refusal->code[0] != '\0' ? " " : "", refusal->code,
            refusal->message[0] != '\0' ? ": " : "", refusal->message, refusal->id[0] != '\0' ? " (request " : "",
            refusal->id, refusal->id[0] != '\0' ? ")" : "");
    give_hint(refusal, s3, err);
    return -1;
}
