#include "transport_internal.h"
#include <muniment/util/memory.h>
#include <muniment/util/text.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct s3 {
    struct s3_service service;
    struct s3_endpoint endpoint;
    struct s3_credentials *credentials;
    struct s3_transport *transport;
    struct log *log;
    _Atomic int64_t retry_time;
    _Atomic int64_t clock_offset;
    atomic_flag clock_warned;
};

int s3_open(const struct s3_service *service, struct log *log, struct s3 **result, struct err *err) {
    struct s3 *s3 = mem_zalloc(sizeof *s3);
    char region[64];
    int rc = -1;

    s3_service_copy(&s3->service, service);
    s3->log = log;
    s3->retry_time = service->retry_for > 0 ? service->retry_for : S3_RETRY_TIME;
    atomic_flag_clear(&s3->clock_warned);
    if (s3->service.connections == 0)
        s3->service.connections = S3_CONNECTIONS;

    if (s3_service_check(&s3->service, err) < 0)
        goto out;
    if (!s3->service.endpoint) {
        err_set(err, ERR_INVALID, "no endpoint is given");
        goto out;
    }
    if (s3_endpoint_parse(s3->service.endpoint, &s3->endpoint, err) < 0)
        goto out;
    if (!s3->service.region)
        s3->service.region = mem_string(s3_service_region(&s3->service, region));
    if (s3_credentials_load(&s3->service, &s3->credentials, err) < 0 ||
        s3_transport_open(&s3->service, s3->service.connections, &s3->transport, err) < 0)
        goto out;
    *result = s3;
    s3 = NULL;
    rc = 0;

out:
    if (rc < 0)
        err_wrap(err, "object storage '%s'",
                 service->name       ? service->name
                 : service->endpoint ? service->endpoint
                                     : "");
    s3_close(s3);
    return rc;
}

void s3_close(struct s3 *s3) {
    if (!s3)
        return;
    s3_transport_close(s3->transport);
    s3_credentials_free(s3->credentials);
    s3_service_release(&s3->service);
    free(s3);
}

const struct s3_service *s3_service(const struct s3 *s3) {
    return &s3->service;
}

unsigned s3_connections(const struct s3 *s3) {
    return s3->service.connections;
}

const struct s3_credentials *s3_credentials(const struct s3 *s3) {
    return s3->credentials;
}

const struct s3_endpoint *s3_endpoint(const struct s3 *s3) {
    return &s3->endpoint;
}

struct log *s3_log(const struct s3 *s3) {
    return s3->log;
}

struct s3_transport *s3_transport(const struct s3 *s3) {
    return s3->transport;
}

void s3_set_retry_time(struct s3 *s3, int64_t seconds) {
    s3->retry_time = seconds;
}

int64_t s3_retry_time(const struct s3 *s3) {
    return s3->retry_time;
}

int64_t s3_clock_offset(const struct s3 *s3) {
    return atomic_load(&s3->clock_offset);
}

void s3_set_clock_offset(struct s3 *s3, int64_t seconds) {
    atomic_store(&s3->clock_offset, seconds);
    if (!atomic_flag_test_and_set(&s3->clock_warned))
        log_warning(s3->log, "the clock of this machine and that of %s differ by %lld s; requests are dated by theirs",
                    s3->endpoint.authority, (long long)seconds);
}

bool s3_is_v2(const struct s3 *s3) {
    return s3->service.signature == S3_SIGNATURE_V2;
}

int s3_refuse_v2(const struct s3 *s3, const char *what, struct err *err) {
    err_set(err, ERR_UNSUPPORTED, "%s: not with signature = \"v2\" (%s)", what,
            s3->service.name ? s3->service.name : s3->service.endpoint);
    return err_hint(err, "set signature = \"v4\" for this service, if its server knows it");
}

/* --- names in messages -------------------------------------------------------------------------------------------- */

char *s3_printable(char *text, size_t size, const char *from) {
    char *plain = text_escape(from, "", "");
    size_t length = strlen(plain);
    const bool whole = length < size;

    /* Not in the middle of a character. */
    if (!whole)
        for (length = size - sizeof "..."; length > 0 && ((unsigned char)plain[length] & 0xc0) == 0x80;)
            length--;
    snprintf(text, size, "%.*s%s", (int)length, plain, whole ? "" : "...");
    free(plain);
    return text;
}

char *s3_name(char text[S3_NAME_TEXT], const struct s3 *s3, const char *bucket, const char *key) {
    const char *service = s3->service.name ? s3->service.name : s3->service.endpoint;
    char shown[S3_KEY_TEXT];

    if (key)
        snprintf(text, S3_NAME_TEXT, "'%s' in 's3:%.120s/%.120s'", s3_printable(shown, sizeof shown, key), service,
                 bucket ? bucket : "");
    else
        snprintf(text, S3_NAME_TEXT, "'s3:%.120s%s%.120s'", service, bucket ? "/" : "", bucket ? bucket : "");
    return text;
}

/* --- headers ------------------------------------------------------------------------------------------------------ */

void s3_headers_add(struct s3_headers *headers, const char *name, const char *value) {
    headers->items = mem_grow(headers->items, &headers->capacity, headers->count + 1, sizeof *headers->items);
    headers->items[headers->count++] = (struct s3_header){ .name = mem_string(name), .value = mem_string(value) };
}

const char *s3_headers_find(const struct s3_headers *headers, const char *name) {
    for (size_t i = 0; i < headers->count; i++)
        if (strcmp(headers->items[i].name, name) == 0)
            return headers->items[i].value;
    return NULL;
}

/* Wiped, since one of them may be a session token. */
void s3_headers_release(struct s3_headers *headers) {
    for (size_t i = 0; i < headers->count; i++) {
        free(headers->items[i].name);
        explicit_bzero(headers->items[i].value, strlen(headers->items[i].value));
        free(headers->items[i].value);
    }
    free(headers->items);
    *headers = (struct s3_headers){ 0 };
}

void s3_info_release(struct s3_info *info) {
    free(info->version);
    s3_headers_release(&info->headers);
    *info = (struct s3_info){ 0 };
}
