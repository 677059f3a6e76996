/*
 * Object storage as people name it: services, credentials, addresses.
 *
 * An address is "s3:SERVICE/BUCKET[/PREFIX]" with SERVICE one of the configuration's `services`, or
 * "s3:https://HOST[:PORT]/BUCKET[/PREFIX]" with no configuration at all (a person in an incident has none). Bucket and
 * prefix are written as they are, never percent-encoded.
 */
#ifndef MUNIMENT_S3_SERVICE_H
#define MUNIMENT_S3_SERVICE_H

#include <muniment/util/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum s3_signature {
    S3_SIGNATURE_V4,
    S3_SIGNATURE_V2, /* for gateways that know nothing newer: list, get, put, head, delete; no versions, no lock, no
                        multipart */
};

enum s3_addressing {
    S3_ADDRESSING_PATH, /* https://host/bucket/key: works everywhere, so it is the default */
    S3_ADDRESSING_HOST, /* https://bucket.host/key */
};

/* Object lock: nobody removes a locked version before its date; under governance a privileged key may. */
enum s3_lock_mode { S3_LOCK_NONE, S3_LOCK_GOVERNANCE, S3_LOCK_COMPLIANCE };

enum {
    S3_CONNECTIONS = 6,
    S3_CONNECTIONS_MAX = 64,
    S3_RETRY_TIME = 1800, /* seconds; a B2 vault may be away for half an hour */
};

/* Zero and NULL mean the default. All strings are owned. */
struct s3_service {
    char *name;     /* as in addresses; NULL: answers for every address that is a URL */
    char *endpoint; /* "https://HOST[:PORT][/PATH]" */
    char *region;   /* default: from host names that say it (s3.REGION.backblazeb2.com, s3.REGION.amazonaws.com), else
                       "us-east-1" */
    char *credentials; /* a file; see credentials.h for the order of places without one */
    char *profile;     /* of an AWS credentials file */
    char *ca_file;     /* PEM file of certificates to trust instead of the system's */
    enum s3_signature signature;
    enum s3_addressing addressing;
    bool plain_http;         /* allows http://, and signature V2, to more than loopback: nobody then
                        proves to be the server */
    unsigned connections;    /* transfers at once */
    int64_t retry_for;       /* seconds that a call is tried again; default S3_RETRY_TIME */
    uint64_t upload_limit;   /* bytes a second, over all connections; 0: none */
    uint64_t download_limit; /* likewise */
};

struct s3_services {
    struct s3_service *items;
    size_t count;
};

void s3_service_release(struct s3_service *service);
void s3_service_copy(struct s3_service *to, const struct s3_service *from);
void s3_services_release(struct s3_services *services);

/* Refuses (ERR_INVALID, naming the field) an endpoint that is no URL, plain HTTP to more than loopback unless allowed,
 * a region or limits that cannot be, and what a signature of V2 cannot do. A service without a name may lack the
 * endpoint: its addresses bring theirs. */
int s3_service_check(const struct s3_service *service, struct err *err) MUST_CHECK;

/* The region that requests are signed for. Borrowed from the service, or into `text` (64 bytes). */
const char *s3_service_region(const struct s3_service *service, char text[64]);

/* A place in a service. `bucket` is empty when the address ends with the service; `prefix` is empty or ends in '/', and
 * has no empty, "." or ".." component. The service has passed s3_service_check(), and its
 * endpoint has one spelling: scheme and host in lower case, no default port, no slash at its end. */
struct s3_place {
    struct s3_service service; /* a copy */
    char *bucket;
    char *prefix;
};

bool s3_is_address(const char *text); /* begins with "s3:" */

/* `services` may be NULL. ERR_INVALID names what is wrong and, for an unknown service, those that there are. */
int s3_place_parse(const char *address, const struct s3_services *services, struct s3_place *place,
                   struct err *err) MUST_CHECK;
void s3_place_release(struct s3_place *place);

#endif
