/*
 * Between the parts of the client:
 *
 *     service.c, endpoint.c             where: services, addresses, URLs
 *     credentials.c, credentials_file.c who: the places of secrets, and the files
 *     sign.c                            Signature V4, pure functions
 *     transport.c                       one HTTP exchange over libcurl, and the pool of connections
 *     retry.c                           what is worth trying again, and when
 *     refusal.c                         what a server's refusal means
 *     request.c                         s3_send(): sign, exchange, judge, try again
 *     client.c, objects.c               opening; put, get, head, delete
 *     etag.c                            what an ETag says of content
 *     xml.c                             bounded XML (expat); listing.c, multipart.c, lock.c, bucket.c are made of it
 *     v2.c                              Signature V2, through libs3
 */
#ifndef MUNIMENT_S3_INTERNAL_H
#define MUNIMENT_S3_INTERNAL_H

#include <muniment/s3/client.h>
#include <muniment/s3/credentials.h>

/* --- endpoint.c --------------------------------------------------------------------------------------------------- */

/* An endpoint's URL, taken apart. */
struct s3_endpoint {
    bool tls;
    bool loopback;       /* 127.0.0.0/8, ::1, localhost */
    bool numeric;        /* an IP address */
    char host[256];      /* lower case; an IPv6 address has its brackets */
    unsigned port;       /* the scheme's own where the URL has none */
    char authority[264]; /* as the Host header has it: host, and the port when it is not the scheme's own */
    char path[256];      /* empty, or begins with '/' and does not end in one */
};

/* "http[s]://HOST[:PORT][/PATH]" and nothing else: no user, no query, no host that resolvers read in more than one way.
 * ERR_INVALID. */
int s3_endpoint_parse(const char *url, struct s3_endpoint *endpoint, struct err *err) MUST_CHECK;

/* --- credentials_file.c ------------------------------------------------------------------------------------------- */

/* Reads what a file says into `to`, which is empty. A file with sections but none of `profile` is not `found`. A file
 * whose mode has bits of `refused`, or that has only one half, is ERR_INVALID. */
int s3_credentials_read(const char *path, unsigned refused, const char *profile, struct s3_credentials *to, bool *found,
                        struct err *err) MUST_CHECK;

/* The same for its text, which is torn apart. `path` is for messages. */
int s3_credentials_parse(char *text, const char *path, const char *profile, struct s3_credentials *to, bool *found,
                         struct err *err) MUST_CHECK;

/* --- sign.c ------------------------------------------------------------------------------------------------------- */

/* What a signature covers. Names of headers in lower case. */
struct s3_signing {
    const char *method;
    const char *path;                 /* as it goes over the wire: encoded already, begins with '/' */
    const struct s3_headers *query;   /* not encoded, in any order */
    const struct s3_headers *headers; /* all that are signed: host, x-amz-*, content-md5, ... */
    const char *payload;              /* hexadecimal SHA-256, or "UNSIGNED-PAYLOAD" */
    const char *region, *service;     /* service is "s3" */
    const char *date;                 /* "20261121T102030Z", as in x-amz-date */
};

/* The query as it is signed and sent: encoded, sorted by name and value, joined. Appends. */
void s3_canonical_query(struct buffer *out, const struct s3_headers *query);

/* The value of the Authorization header. Appends. (AWS General Reference, "Signature Version 4 signing process".) */
void s3_sign(struct buffer *out, const struct s3_signing *signing, const struct s3_credentials *credentials);

/* Takes an element of a document at its end; see s3_xml_parse(). Non-zero ends it, with an error. */
typedef int s3_element(void *context, const char *path, const char *text, struct err *err);

/* --- request.c ---------------------------------------------------------------------------------------------------- */

struct s3_request {
    const char *what;          /* for messages: "put", "list", "complete the upload of" */
    const char *method;        /* "GET", "PUT", "POST", "HEAD", "DELETE" */
    const char *bucket;        /* or NULL */
    const char *key;           /* or NULL */
    struct s3_headers query;   /* names and values, not encoded; a value may be "" ("uploads") */
    struct s3_headers headers; /* beyond host, date, content hash and authorization, which s3_send() adds */
    const void *body;
    size_t length;
    const uint8_t *sha256; /* of the body, when known; NULL: computed */
    bool md5;              /* send Content-MD5 */
    bool xml;              /* a 200 answer is XML: one whose root is Error is an error, and worth retrying */
    size_t answer_max;     /* more bytes of answer than this are ERR_CORRUPT */
    struct buffer *to;     /* where the body of a good answer is appended; NULL: it is dropped */
    bool find;             /* a PUT of an object: where it may have arrived, HEAD looks for it before another one */
    const char *completes; /* the upload that a POST makes an object of, or NULL: where it may have been done, another
                              one is only sent while the upload is there. RGW answers 500 for ever to one that is not */

    /* A GET of a part: `count` bytes (UINT64_MAX: to the end) from `offset`. The answer's Content-Range is checked. */
    bool range;
    uint64_t offset, count;
    bool resume; /* a GET whose body broke off is continued with a range, if the ETag has not changed */
};

struct s3_answer {
    long status;
    struct s3_headers headers; /* names in lower case */
    uint8_t md5[S3_MD5_SIZE];  /* of the request's body, where `md5` was asked for */
};
void s3_answer_release(struct s3_answer *answer);

/* One request with all its tries. On an error that the server gave, *status (may be NULL) is its HTTP status, and
 * `code` (may be NULL; 64 bytes) its S3 code, for callers that know better what it means. */
int s3_send(struct s3 *s3, const struct s3_request *request, struct s3_answer *answer, long *status, char *code,
            struct err *err) MUST_CHECK;
void s3_request_release(struct s3_request *request); /* its query and headers */

/* Puts what a request tries, and on what, before an error that its answer gave rise to; s3_send() has done so with its
 * own. Returns -1. */
int s3_request_wrap(const struct s3_request *request, const struct s3 *s3, struct err *err);

/* A request whose good answer is a document with this root: `element` gets the paths below it. `code` as of s3_send().
 * Fills in what such a request needs, and releases it. */
int s3_send_for_document(struct s3 *s3, struct s3_request *request, const char *root, s3_element *element,
                         void *context, char *code, struct err *err) MUST_CHECK;

/* --- retry.c ------------------------------------------------------------------------------------------------------ */

struct s3_retry {
    double start;    /* clock_monotonic() before the first try */
    double waited;   /* seconds in all */
    unsigned tries;  /* that failed */
    unsigned failed; /* those since the last progress; waits grow with them */
};

/* What the server said is worth another try. */
bool s3_retry_is_worth(long status, const char *code);

/* After a try that failed with `err`: waits, at least `retry_after` seconds, and returns 0. -1 when the time for this
 * call is over (`err` says so) or someone asked to stop. `what` is for the log. */
int s3_retry_wait(struct s3_retry *retry, struct s3 *s3, const char *what, int64_t retry_after,
                  struct err *err) MUST_CHECK;

/* --- client.c ----------------------------------------------------------------------------------------------------- */

const struct s3_credentials *s3_credentials(const struct s3 *s3);
const struct s3_endpoint *s3_endpoint(const struct s3 *s3);
struct log *s3_log(const struct s3 *s3); /* may be NULL */

/* What others wrote, for messages: cut to `size`, and with no byte that a terminal would obey. Returns text. */
enum { S3_KEY_TEXT = 360 }; /* that suits keys */
char *s3_printable(char *text, size_t size, const char *from);

/* "'KEY' in 's3:SERVICE/BUCKET'", for messages: shortened, and with no byte that a terminal would obey. Returns text.
 */
enum { S3_NAME_TEXT = 640 };
char *s3_name(char text[S3_NAME_TEXT], const struct s3 *s3, const char *bucket, const char *key);

bool s3_is_v2(const struct s3 *s3);
int s3_refuse_v2(const struct s3 *s3, const char *what, struct err *err); /* ERR_UNSUPPORTED; always -1 */

/* --- objects.c ---------------------------------------------------------------------------------------------------- */

/* The header list of an answer as an info; takes the ETag's quotes off. */
int s3_info_from_answer(const struct s3_answer *answer, struct s3_info *info, struct err *err) MUST_CHECK;

/* The headers and the lock that an object gets. `options` may be NULL. */
void s3_add_options(struct s3_request *request, const struct s3_put *options);

/* What was sent against the ETag of what was stored, where that is its MD5. ERR_CORRUPT. */
int s3_compare_etag(const struct s3_answer *answer, const char *etag, struct err *err) MUST_CHECK;

/* --- xml.c -------------------------------------------------------------------------------------------------------- */

/* A bounded pull over a document: calls `element` at the end of each element with its path ("ListBucketResult/Contents/
 * Key") and its text. No DTDs, no entities but the five, at most 16 deep, text of at most 64 KiB an element. Control
 * characters and bytes that are not UTF-8, which XML forbids and servers send all the same, are taken. A callback that
 * returns non-zero ends it. ERR_CORRUPT for what is not such a document. */
int s3_xml_parse(const void *data, size_t length, s3_element *element, void *context, struct err *err) MUST_CHECK;

/* Only a document whose root has this name: `element` gets the paths below it, "" for the root itself. */
int s3_xml_parse_below(const char *root, const struct buffer *document, s3_element *element, void *context,
                       struct err *err) MUST_CHECK;

/* The length of the character at `text`, of which `left` bytes may be read; 0 when it is none that XML may hold. */
size_t s3_xml_character(const char *text, size_t left);

/* Appends text with &, <, >, quotes and control characters escaped. */
void s3_xml_escape(struct buffer *out, const char *text);

bool s3_xml_is_error(const void *data, size_t length); /* an <Error> document, or the beginning of one */

/* What the text of elements and headers says; ERR_CORRUPT. Times are "2026-11-21T10:20:30.000Z" or HTTP dates, numbers
 * decimal digits alone. An ETag loses its quotes; it is plain ASCII, and shorter than S3_ETAG_MAX. */
int s3_parse_time(const char *text, int64_t *when, struct err *err) MUST_CHECK;
int s3_parse_number(const char *text, uint64_t *number, struct err *err) MUST_CHECK;

/* "bytes FIRST-LAST/TOTAL", of a Content-Range. */
struct s3_range {
    uint64_t first, last, total;
};
int s3_parse_range(const char *text, struct s3_range *range, struct err *err) MUST_CHECK;
int s3_parse_etag(const char *text, char etag[S3_ETAG_MAX], struct err *err) MUST_CHECK;

/* --- lock.c ------------------------------------------------------------------------------------------------------- */

/* What is asked of a bucket, an object or a version besides its content. */
struct s3_facet {
    const char *what; /* for messages: "read the lock of" */
    const char *name; /* "retention" */
    const char *bucket;
    const char *key;     /* or NULL */
    const char *version; /* or NULL */
    const char *root;    /* of the document that describes it */
};

/* `element` gets the paths below the root. `code` is what s3_send() gives. */
int s3_read_facet(struct s3 *s3, const struct s3_facet *facet, s3_element *element, void *context, char code[64],
                  struct err *err) MUST_CHECK;

/* "GOVERNANCE" or "COMPLIANCE"; ERR_CORRUPT. */
int s3_parse_lock_mode(const char *text, enum s3_lock_mode *mode, struct err *err) MUST_CHECK;

/* --- v2.c --------------------------------------------------------------------------------------------------------- */

int s3_v2_put(struct s3 *s3, const char *bucket, const char *key, const void *data, size_t length,
              const struct s3_put *options, struct s3_info *info, struct err *err) MUST_CHECK;
int s3_v2_get(struct s3 *s3, const char *bucket, const char *key, const struct s3_get *what, struct buffer *out,
              struct s3_info *info, struct err *err) MUST_CHECK;
int s3_v2_head(struct s3 *s3, const char *bucket, const char *key, struct s3_info *info, struct err *err) MUST_CHECK;
int s3_v2_delete(struct s3 *s3, const char *bucket, const char *key, struct err *err) MUST_CHECK;
int s3_v2_list(struct s3 *s3, const char *bucket, const char *prefix, const char *start_after, s3_each *each,
               void *context, struct err *err) MUST_CHECK;

#endif
