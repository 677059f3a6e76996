#include "s3_internal.h"
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char DIGITS[] = "0123456789";
static const char DEFAULT_REGION[] = "us-east-1";

enum {
    NAME_MAX_LENGTH = 64,
    REGION_MAX_LENGTH = 63,
    BUCKET_MIN = 3,
    BUCKET_MAX = 255,    /* as older buckets may be; new ones end at 63 */
    BUCKET_DNS_MAX = 63, /* a label of a host name */
    LIMIT_MIN = 1024,    /* bytes a second; less would not move one part in a day */
};

bool s3_is_address(const char *text) {
    return strncmp(text, "s3:", 3) == 0;
}

void s3_service_release(struct s3_service *service) {
    free(service->name);
    free(service->endpoint);
    free(service->region);
    free(service->credentials);
    free(service->profile);
    free(service->ca_file);
    *service = (struct s3_service){ 0 };
}

void s3_service_copy(struct s3_service *to, const struct s3_service *from) {
    *to = *from;
    to->name = mem_string(from->name);
    to->endpoint = mem_string(from->endpoint);
    to->region = mem_string(from->region);
    to->credentials = mem_string(from->credentials);
    to->profile = mem_string(from->profile);
    to->ca_file = mem_string(from->ca_file);
}

void s3_services_release(struct s3_services *services) {
    for (size_t i = 0; i < services->count; i++)
        s3_service_release(&services->items[i]);
    free(services->items);
    *services = (struct s3_services){ 0 };
}

/* --- what a service may say --------------------------------------------------------------------------------------- */

static bool consists_of(const char *text, size_t length, const char *more) {
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\0' || (!strchr(LETTERS, text[i]) && !strchr(DIGITS, text[i]) && !strchr(more, text[i])))
            return false;
    return true;
}

static bool is_token(const char *text, size_t max) {
    const size_t length = strlen(text);
    return length > 0 && length <= max && consists_of(text, length, "-_") && text[0] != '-' && text[0] != '_';
}

/* What libs3 can do; its other limits are those of requests. */
static int check_v2(const struct s3_service *service, const struct s3_endpoint *endpoint, struct err *err) {
    if (endpoint->path[0] != '\0')
        return err_set(err, ERR_INVALID, "signature: \"v2\" cannot be used with the path '%s' of the endpoint",
                       endpoint->path);
    if (!endpoint->loopback && !service->plain_http) {
        err_set(err, ERR_INVALID, "signature: \"v2\" does not verify who answers at '%s', not even with https://",
                service->endpoint);
        return err_hint(err, "use signature = \"v4\", or allow it with plain_http = true (--plain-http)");
    }
    if (service->ca_file)
        return err_set(err, ERR_INVALID, "ca_file: signature \"v2\" verifies no certificate");
    if (service->upload_limit > 0 || service->download_limit > 0)
        return err_set(err, ERR_INVALID, "%s: signature \"v2\" has no limits",
                       service->upload_limit > 0 ? "upload_limit" : "download_limit");
    return 0;
}

static int check_endpoint(const struct s3_service *service, struct err *err) {
    struct s3_endpoint endpoint;

    if (!service->endpoint)
        return service->name ? err_set(err, ERR_INVALID, "endpoint is missing") : 0;
    if (s3_endpoint_parse(service->endpoint, &endpoint, err) < 0)
        return err_wrap(err, "endpoint");
    if (!endpoint.tls && !endpoint.loopback && !service->plain_http) {
        err_set(err, ERR_INVALID, "endpoint: '%s' is plain HTTP to another machine", service->endpoint);
        return err_hint(err, "use https://, or allow it with plain_http = true (--plain-http)");
    }
    if (service->addressing == S3_ADDRESSING_HOST && endpoint.numeric)
        return err_set(err, ERR_INVALID, "addressing: \"host\" needs an endpoint with a name; '%s' is an address",
                       endpoint.host);
    return service->signature == S3_SIGNATURE_V2 ? check_v2(service, &endpoint, err) : 0;
}

static int check_fields(const struct s3_service *service, struct err *err) {
    if (service->name && !is_token(service->name, NAME_MAX_LENGTH))
        return err_set(err, ERR_INVALID, "name: it is 1 to %d letters, digits, '-' and '_', a letter or digit first",
                       NAME_MAX_LENGTH);
    if (check_endpoint(service, err) < 0)
        return -1;
    if (service->region && !is_token(service->region, REGION_MAX_LENGTH))
        return err_set(err, ERR_INVALID, "region: '%s' is not 1 to %d letters, digits, '-' and '_'", service->region,
                       REGION_MAX_LENGTH);
    if (service->connections > S3_CONNECTIONS_MAX)
        return err_set(err, ERR_INVALID, "connections: %u is more than %d", service->connections, S3_CONNECTIONS_MAX);
    if (service->upload_limit > 0 && service->upload_limit < LIMIT_MIN)
        return err_set(err, ERR_INVALID, "upload_limit: less than %d bytes a second", LIMIT_MIN);
    if (service->download_limit > 0 && service->download_limit < LIMIT_MIN)
        return err_set(err, ERR_INVALID, "download_limit: less than %d bytes a second", LIMIT_MIN);
    return 0;
}

int s3_service_check(const struct s3_service *service, struct err *err) {
    if (check_fields(service, err) == 0)
        return 0;
    return service->name ? err_wrap(err, "service '%s'", service->name) : err_wrap(err, "object storage");
}

/* The text between `before` and `after`, when `host` is just these three and the text is one label. */
static bool label_between(const char *host, const char *before, const char *after, char text[64]) {
    const size_t first = strlen(before), last = strlen(after), length = strlen(host);

    if (length <= first + last || length - first - last > REGION_MAX_LENGTH || strncmp(host, before, first) != 0 ||
        strcmp(host + length - last, after) != 0)
        return false;
    snprintf(text, 64, "%.*s", (int)(length - first - last), host + first);
    return strchr(text, '.') == NULL;
}

const char *s3_service_region(const struct s3_service *service, char text[64]) {
    struct s3_endpoint endpoint;

    if (service->region)
        return service->region;
    if (service->endpoint && s3_endpoint_parse(service->endpoint, &endpoint, NULL) == 0 &&
        (label_between(endpoint.host, "s3.", ".backblazeb2.com", text) ||
         label_between(endpoint.host, "s3.dualstack.", ".amazonaws.com", text) ||
         label_between(endpoint.host, "s3.", ".amazonaws.com", text)))
        return text;
    snprintf(text, 64, "%s", DEFAULT_REGION);
    return text;
}

/* --- addresses ---------------------------------------------------------------------------------------------------- */

static bool is_dotted_quad(const char *text) {
    int numbers = 0;
    for (;; text++, numbers++) {
        const size_t length = strspn(text, DIGITS);
        if (length == 0)
            return false;
        text += length;
        if (*text != '.')
            return *text == '\0' && numbers == 3;
    }
}

static bool is_dns_label(const char *text) {
    const size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        if (strchr(LETTERS, text[i]) ? text[i] < 'a' : text[i] == '_')
            return false;
    return length <= BUCKET_DNS_MAX && text[length - 1] != '-' && text[length - 1] != '.' &&
           strstr(text, ".-") == NULL && strstr(text, "-.") == NULL;
}

/* Upper case, '_' and long names are what older buckets have: they mean nothing to a path. */
static int check_bucket(const char *bucket, const struct s3_service *service, struct err *err) {
    const size_t length = strlen(bucket);

    if (length < BUCKET_MIN || length > BUCKET_MAX || !consists_of(bucket, length, "-_.") ||
        !consists_of(bucket, 1, "") || strstr(bucket, "..") != NULL || is_dotted_quad(bucket)) {
        err_set(err, ERR_INVALID, "'%.*s' is no name of a bucket", BUCKET_MAX, bucket);
        return err_hint(err, "a bucket's name is 3 to 63 of a-z, 0-9, '.' and '-'");
    }
    if (service->addressing == S3_ADDRESSING_HOST && !is_dns_label(bucket))
        return err_set(err, ERR_INVALID, "bucket '%s' cannot be part of a host name; use addressing = \"path\"",
                       bucket);
    return 0;
}

/* What is normalised on the way by people or tools ("a//b", "a/./b") would be another place than the one that is seen.
 */
static int parse_prefix(const char *text, struct s3_place *place, struct err *err) {
    size_t length = strlen(text);

    if (length > 1 && text[length - 1] == '/')
        length--;
    if (length >= S3_KEY_MAX)
        return err_set(err, ERR_INVALID, "the prefix is longer than a key may be");
    for (size_t at = 0, component; length > 0 && at <= length; at += component + 1) {
        component = strcspn(text + at, "/");
        if (component == 0 || (component == 1 && text[at] == '.') ||
            (component == 2 && memcmp(text + at, "..", 2) == 0))
            return err_set(err, ERR_INVALID, "the prefix '%.*s' has an empty, \".\" or \"..\" component", (int)length,
                           text);
    }
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return err_set(err, ERR_INVALID, "the prefix has a control character");
    place->prefix = length > 0 ? mem_format("%.*s/", (int)length, text) : mem_string("");
    return 0;
}

static int find_named(const char *name, size_t length, const struct s3_services *services, struct s3_service *found,
                      struct err *err) {
    struct buffer names = { 0 };

    /* A URL without its scheme, of which a part may be a password. */
    if (memchr(name, '@', length) != NULL)
        return err_set(err, ERR_INVALID, "it names neither a service nor a URL");
    for (size_t i = 0; services && i < services->count; i++) {
        const char *other = services->items[i].name;
        if (other && strlen(other) == length && memcmp(other, name, length) == 0) {
            s3_service_copy(found, &services->items[i]);
            buffer_release(&names);
            return 0;
        }
    }
    for (size_t i = 0; services && i < services->count; i++)
        if (services->items[i].name)
            buffer_printf(&names, "%s%s", names.length > 0 ? ", " : "", services->items[i].name);
    if (names.length > 0)
        err_set(err, ERR_INVALID, "there is no service '%.*s'; there are: %s", (int)length, name, buffer_text(&names));
    else
        err_set(err, ERR_INVALID, "there is no service '%.*s', nor any other", (int)length, name);
    buffer_release(&names);
    return err_hint(err, "name it under services in the configuration, or write s3:https://HOST/BUCKET/PREFIX");
}

/* The service without a name lends everything but its endpoint. */
static void make_nameless(const char *url, size_t length, const struct s3_services *services,
                          struct s3_service *service) {
    for (size_t i = 0; services && i < services->count; i++)
        if (!services->items[i].name && !service->endpoint) {
            s3_service_copy(service, &services->items[i]);
            free(service->endpoint);
            service->endpoint = NULL;
        }
    service->endpoint = mem_format("%.*s", (int)length, url);
}

/* Each endpoint in one spelling, so that whoever compares two places compares their texts. */
static int spell_endpoint(struct s3_service *service, struct err *err) {
    struct s3_endpoint endpoint;

    if (s3_endpoint_parse(service->endpoint, &endpoint, err) < 0)
        return -1;
    free(service->endpoint);
    service->endpoint = mem_format("%s://%s%s", endpoint.tls ? "https" : "http", endpoint.authority, endpoint.path);
    return 0;
}

static int parse(const char *text, const struct s3_services *services, struct s3_place *place, struct err *err) {
    const char *scheme_end = strstr(text, "://");
    const bool url = scheme_end != NULL && (size_t)(scheme_end - text) < strcspn(text, "/");
    const size_t length = url ? (size_t)(scheme_end - text) + 3 + strcspn(scheme_end + 3, "/") : strcspn(text, "/");

    if (url)
        make_nameless(text, length, services, &place->service);
    else if (find_named(text, length, services, &place->service, err) < 0)
        return -1;
    if (s3_service_check(&place->service, err) < 0 || spell_endpoint(&place->service, err) < 0)
        return -1;

    const char *bucket = text[length] == '/' ? text + length + 1 : text + length;
    const size_t bucket_length = strcspn(bucket, "/");
    const char *prefix = bucket[bucket_length] == '/' ? bucket + bucket_length + 1 : bucket + bucket_length;
    place->bucket = mem_format("%.*s", (int)bucket_length, bucket);
    if ((bucket_length > 0 || bucket[0] != '\0') && check_bucket(place->bucket, &place->service, err) < 0)
        return -1;
    return parse_prefix(prefix, place, err);
}

enum { ADDRESS_MAX = 4096 };

int s3_place_parse(const char *address, const struct s3_services *services, struct s3_place *place, struct err *err) {
    *place = (struct s3_place){ 0 };
    if (!s3_is_address(address))
        return err_set(err, ERR_INVALID, "'%.100s' is no address of object storage: it does not begin with \"s3:\"",
                       address);
    if (strlen(address) > ADDRESS_MAX)
        return err_set(err, ERR_INVALID, "the address '%.40s...' is longer than %d bytes", address, ADDRESS_MAX);
    if (parse(address + 3, services, place, err) < 0) {
        s3_place_release(place);
        /* A URL with a user may hold a password. */
        return strchr(address, '@') ? err_wrap(err, "address") : err_wrap(err, "address '%.200s'", address);
    }
    return 0;
}

void s3_place_release(struct s3_place *place) {
    s3_service_release(&place->service);
    free(place->bucket);
    free(place->prefix);
    *place = (struct s3_place){ 0 };
}
