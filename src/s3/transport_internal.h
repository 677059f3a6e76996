/*
 * One HTTP exchange, and the pool of connections it borrows one from. Knows HTTP, not S3.
 */
#ifndef MUNIMENT_S3_TRANSPORT_INTERNAL_H
#define MUNIMENT_S3_TRANSPORT_INTERNAL_H

#include "s3_internal.h"

struct s3_transport;

/* Talks to nobody. `service` is borrowed. */
int s3_transport_open(const struct s3_service *service, unsigned connections, struct s3_transport **transport,
                      struct err *err) MUST_CHECK;
void s3_transport_close(struct s3_transport *transport); /* NULL is fine */

struct s3_exchange {
    /* What is asked. Names and values of headers hold no control characters. */
    const char *method;
    const char *url;
    const struct s3_headers *headers; /* all of them but Content-Length and Expect */
    const void *body;                 /* of a PUT or POST */
    size_t length;
    bool fresh;       /* not over a connection that was used before */
    bool once;        /* a body that was handed over whole is not sent again by itself */
    unsigned silence; /* seconds without a byte after which the other side counts as gone */

    /* Where the body of an answer goes: that of a 2xx to `to`, of others to `trouble`. */
    struct buffer *to; /* NULL: it is dropped */
    uint64_t max;      /* bytes of it; one more is ERR_CORRUPT */

    /* Called when the headers of a 2xx are in, before the first byte of its body: an error ends the exchange. */
    int (*begin)(void *context, const struct s3_exchange *exchange, struct err *err);
    void *context;

    /* The answer. */
    long status;
    struct s3_headers answer;
    struct buffer trouble; /* the beginning of it */
    uint64_t received;     /* bytes of body, of a 2xx */
    bool sent;             /* all of the request went out, so that the server may have done what it asks for */
    bool nowhere;          /* no host of this name, or none that speaks TLS; and none before got an answer */
};

enum s3_outcome {
    S3_ANSWERED, /* whole */
    S3_BROKEN,   /* the network; worth another try */
    S3_USELESS,  /* not worth another try */
};

/* All but S3_ANSWERED set `err`. What was received before a break stays in `to`, and counted. */
enum s3_outcome s3_exchange(struct s3_transport *transport, struct s3_exchange *exchange, struct err *err);
void s3_exchange_release(struct s3_exchange *exchange); /* its answer */

/* --- refusal.c ---------------------------------------------------------------------------------------------------- */

/* What a server said when it refused. Strings are printable. */
struct s3_refusal {
    long status;
    char code[64];      /* empty where the answer is not S3's XML */
    char message[512];  /* or the beginning of the body */
    char region[64];    /* that the server wants */
    char endpoint[256]; /* likewise */
    char id[128];       /* of the request, for the server's people */
    bool absent;        /* the version that was asked for is a hide marker */
    bool foreign;       /* it has a body that is not S3's */
};
void s3_refusal_read(struct s3_refusal *refusal, long status, const struct s3_headers *headers, const void *body,
                     size_t length);

/* Sets code, message and hint. Always returns -1. */
int s3_refusal_error(const struct s3_refusal *refusal, const struct s3 *s3, struct err *err);

/* --- client.c ----------------------------------------------------------------------------------------------------- */

struct s3_transport *s3_transport(const struct s3 *s3);
int64_t s3_retry_time(const struct s3 *s3);

/* How far the server's clock is ahead of ours, as far as it matters. */
int64_t s3_clock_offset(const struct s3 *s3);
void s3_set_clock_offset(struct s3 *s3, int64_t seconds); /* warns the first time */

#endif
