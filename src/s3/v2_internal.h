/*
 * One call of libs3. What the library cannot do, and what it does wrong, is known here and nowhere else:
 *
 *  - It signs with V2 only, without session tokens, cuts secret keys after 64 bytes, and has no versions, locks, tags
 *    or multipart uploads: objects are at most 5 GB.
 *  - It does not verify the certificate of a server, follows redirects, and trusts the server with its own memory. So
 * V2 is for servers and networks one trusts, and the configuration has to say so (s3_service_check()).
 *  - In keys it writes a space as '+', and libcurl takes "." and ".." components away: refused. Listings break at
 *    control characters and bytes that are not UTF-8, and keys of more than 1022 bytes are cut there: refused in a PUT.
 *  - It keeps of a PUT's headers Content-Type, Cache-Control, Content-Encoding, Expires, a Content-Disposition that is
 * a file's name, and x-amz-meta-*; of an answer's Content-Type and x-amz-meta-*. Anything else in a PUT is refused.
 *  - It never knows how a PUT ended: every one is looked for with HEAD (size, ETag, headers), so servers whose ETags
 * are not MD5 cannot be used.
 *  - It takes an answer that broke off for a whole one: lengths are compared. The XML of a listing has none, so an
 * empty page is believed only the second time.
 *  - It reads names of headers only as AWS spells them: behind HTTP/2, which has them in lower case, it is refused.
 *  - It reads the times of listings as local time; that is undone, but for the hour that a change of clocks skips.
 *  - It dates requests by this machine's clock, whatever the server's says.
 *  - A transfer that stays below 1 kB/s for 15 s is broken off; bandwidth limits are not possible; every call makes
 *    a connection of its own.
 */
#ifndef MUNIMENT_S3_V2_INTERNAL_H
#define MUNIMENT_S3_V2_INTERNAL_H

#include "transport_internal.h"
#include <libs3.h>

enum { V2_LISTED_KEY_MAX = 1022 };

enum v2_kind { V2_PUT, V2_GET, V2_HEAD, V2_DELETE, V2_LIST };

struct v2_call {
    enum v2_kind kind;
    const char *bucket, *key;

    /* PUT */
    const S3PutProperties *properties;
    const uint8_t *data;
    size_t length;

    /* GET: `count` 0 asks for no range */
    const char *if_match; /* with its quotes */
    uint64_t offset, count;
    struct buffer *to;
    uint64_t max; /* more than this is not taken */

    /* LIST */
    const char *prefix, *marker;
    S3Status (*page)(int count, const S3ListBucketContent *objects, void *context);
    void *context;

    /* How it went */
    S3Status status;
    bool answered;   /* with a 2xx whose headers libs3 could read */
    bool unreadable; /* with a 2xx whose headers it could not */
    bool too_much;   /* more than `max` */
    size_t sent;
    uint64_t announced; /* Content-Length */
    uint64_t received;
    int64_t modified;
    char etag[S3_ETAG_MAX];
    struct s3_headers headers;
    char message[256];
};

/* Clears how an earlier call went, and does this one. -1 only for what has nothing to do with the server. */
int v2_perform(struct s3 *s3, struct v2_call *call, struct err *err) MUST_CHECK;
void v2_call_release(struct v2_call *call);

enum v2_verdict {
    V2_GOOD,
    V2_AGAIN, /* worth another try */
    V2_FINAL,
};

/* What the status of a call means; sets `err` unless it is good. `tries` are those that failed so far. */
enum v2_verdict v2_judge(struct s3 *s3, const struct v2_call *call, unsigned tries, struct err *err);

/* Refuses credentials that libs3 would cut. */
int v2_check_credentials(const struct s3 *s3, struct err *err) MUST_CHECK;

/* As libs3 encodes it. */
size_t v2_encoded_length(const char *text);

/* --- v2.c --------------------------------------------------------------------------------------------------------- */

/* ERR_UNSUPPORTED for a key that libs3 would make another one of or, `to_put`, whose listing would fail. */
int v2_check_key(struct s3 *s3, const char *bucket, const char *key, bool to_put, struct err *err) MUST_CHECK;

/* One call with all its tries, that keeps how the last one went. `what` is for the log. */
int v2_send(struct s3 *s3, struct v2_call *call, const char *what, struct err *err) MUST_CHECK;

/* What an answer said of its object; takes the headers away. */
void v2_fill_info(struct v2_call *call, uint64_t size, struct s3_info *info);

#endif
