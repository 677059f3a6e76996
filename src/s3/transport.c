#include "transport_internal.h"
#include <curl/curl.h>
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECT_TIMEOUT = 30,     /* seconds */
    CONTINUE_FROM = 1048576,  /* a body larger than this waits for "100 Continue": it may be refused unsent */
    CONTINUE_TIMEOUT = 1000,  /* milliseconds to wait for "100 Continue" before a large body goes out anyway */
    BUFFER_SIZE = 262144,     /* of curl, one for each direction */
    TROUBLE_MAX = 16384,      /* bytes kept of an answer that is an error */
    HEADERS_MAX = 256,        /* of an answer */
    HEADERS_SIZE_MAX = 65536, /* all of them */
    PIECE = 16384,            /* the most that curl hands over at once */
    SOCKETS = 4,
    RESERVE_MAX = 64 * 1048576, /* bytes of memory reserved on a server's word */
};

/* How many bytes a second may pass, over all connections. Whoever moves bytes first waits for those before it. */
struct limit {
    uint64_t rate; /* 0: none */
    double free;   /* clock_monotonic() from which the line is free */
};

/* A handle of curl, and the sockets it has open: one, or a few while it tries the addresses of a host. */
struct line {
    CURL *curl;
    curl_socket_t sockets[SOCKETS];
};

struct s3_transport {
    const struct s3_service *service;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t returned;
    struct line *
        *idle; /* the last one used is the first to be used again: its connection is the likeliest to be alive */
    size_t idle_count;
    unsigned connections;
    struct limit upload, download;
    atomic_bool reached; /* somebody has answered */
};

/* --- the pool ----------------------------------------------------------------------------------------------------- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void prepare_curl(void) {
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

int s3_transport_open(const struct s3_service *service, unsigned connections, struct s3_transport **result,
                      struct err *err) {
    struct s3_transport *transport;

    pthread_once(&curl_once, prepare_curl);
    if (curl_ready != CURLE_OK)
        return err_set(err, ERR_SYSTEM, "libcurl: %s", curl_easy_strerror(curl_ready));

    transport = mem_zalloc(sizeof *transport);
    transport->service = service;
    transport->connections = connections;
    transport->upload.rate = service->upload_limit;
    transport->download.rate = service->download_limit;
    transport->idle = mem_array(connections, sizeof(struct line *));
    for (unsigned i = 0; i < connections; i++) {
        struct line *line = mem_alloc(sizeof *line);
        line->curl = mem_require(curl_easy_init());
        for (size_t j = 0; j < SOCKETS; j++)
            line->sockets[j] = CURL_SOCKET_BAD;
        transport->idle[transport->idle_count++] = line;
    }
    pthread_mutex_init(&transport->lock, NULL);
    pthread_cond_init(&transport->returned, NULL);
    *result = transport;
    return 0;
}

void s3_transport_close(struct s3_transport *transport) {
    if (!transport)
        return;
    for (size_t i = 0; i < transport->idle_count; i++) {
        curl_easy_cleanup(transport->idle[i]->curl);
        free(transport->idle[i]);
    }
    free(transport->idle);
    pthread_cond_destroy(&transport->returned);
    pthread_mutex_destroy(&transport->lock);
    free(transport);
}

/* A signal may come to any thread, so whoever waits looks again now and then. */
static int borrow(struct s3_transport *transport, struct line **line, struct err *err) {
    int rc = 0;

    pthread_mutex_lock(&transport->lock);
    while (transport->idle_count == 0 && rc == 0) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 250000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_clockwait(&transport->returned, &transport->lock, CLOCK_MONOTONIC, &until);
        rc = interrupt_check(err);
    }
    if (rc == 0)
        *line = transport->idle[--transport->idle_count];
    pthread_mutex_unlock(&transport->lock);
    return rc;
}

static void give_back(struct s3_transport *transport, struct line *line) {
    pthread_mutex_lock(&transport->lock);
    transport->idle[transport->idle_count++] = line;
    pthread_cond_signal(&transport->returned);
    pthread_mutex_unlock(&transport->lock);
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

/* False when someone asked to stop. */
static bool pass(struct s3_transport *transport, struct limit *limit, size_t bytes) {
    if (limit->rate == 0)
        return true;

    pthread_mutex_lock(&transport->lock);
    const double now = clock_monotonic();
    const double mine = limit->free > now ? limit->free : now;
    limit->free = mine + (double)bytes / (double)limit->rate;
    pthread_mutex_unlock(&transport->lock);

    for (double left = mine - now; left > 0; left -= 0.1) {
        const struct timespec slice = { .tv_nsec = left < 0.1 ? (long)(left * 1e9) : 100000000 };
        if (interrupt_requested())
            return false;
        nanosleep(&slice, NULL);
    }
    return true;
}

/* Of a slow line small pieces, so that no connection holds it for long. */
static size_t piece(const struct limit *limit, size_t size) {
    const uint64_t tenth = limit->rate / 10;

    if (limit->rate == 0 || tenth >= size)
        return size;
    return tenth < 512 ? (size < 512 ? size : 512) : (size_t)tenth;
}

/* --- one exchange ------------------------------------------------------------------------------------------------- */

struct call {
    struct line *line;
    struct s3_transport *transport;
    struct s3_exchange *exchange;
    struct err *err;
    bool failed; /* and `err` is set: curl's own error is a consequence */
    bool begun;  /* the body of the answer */
    size_t position;
    size_t header_bytes;
    uint64_t announced; /* Content-Length; 0 without */
    char text[CURL_ERROR_SIZE];
};

/* Not inherited by the programs that we start. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    struct line *line = context;
    const curl_socket_t opened = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    (void)purpose;
    for (size_t i = 0; i < SOCKETS && opened != CURL_SOCKET_BAD; i++)
        if (line->sockets[i] == CURL_SOCKET_BAD) {
            line->sockets[i] = opened;
            break;
        }
    return opened;
}

static int close_socket(void *context, curl_socket_t closed) {
    struct line *line = context;

    for (size_t i = 0; i < SOCKETS; i++)
        if (line->sockets[i] == closed)
            line->sockets[i] = CURL_SOCKET_BAD;
    return close(closed);
}

/* A server that sends headers and body in two writes, and waits in between for the first to be acknowledged, makes a
 * small read last as long as acknowledgements may be held back: 40 ms instead of 1 ms, measured with RGW. */
static void acknowledge(const struct line *line) {
    const int yes = 1;

    for (size_t i = 0; i < SOCKETS; i++)
        if (line->sockets[i] != CURL_SOCKET_BAD)
            setsockopt(line->sockets[i], IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes);
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    (void)context;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return interrupt_requested() ? 1 : 0;
}

static size_t on_read(char *to, size_t size, size_t count, void *context) {
    struct call *call = context;
    struct s3_exchange *exchange = call->exchange;
    const size_t left = exchange->length - call->position;
    size_t take = piece(&call->transport->upload, size * count);

    if (take > left)
        take = left;
    if (take > 0 && !pass(call->transport, &call->transport->upload, take))
        return CURL_READFUNC_ABORT;
    if (take > 0)
        memcpy(to, (const char *)exchange->body + call->position, take);
    call->position += take;
    return take;
}

/* curl begins a body anew by itself when a connection that was used before turns out to be dead. */
static int on_seek(void *context, curl_off_t offset, int origin) {
    struct call *call = context;
    struct s3_exchange *exchange = call->exchange;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > exchange->length)
        return CURL_SEEKFUNC_FAIL;
    if (exchange->once && call->position == exchange->length)
        return CURL_SEEKFUNC_FAIL;
    call->position = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static size_t refuse(struct call *call) {
    call->failed = true;
    return 0;
}

static bool is_good(const struct s3_exchange *exchange) {
    return exchange->status >= 200 && exchange->status <= 299;
}

static void start_answer(struct call *call, const char *line, size_t length) {
    struct s3_exchange *exchange = call->exchange;
    const char *space = memchr(line, ' ', length);

    s3_headers_release(&exchange->answer);
    call->header_bytes = 0;
    call->announced = 0;
    exchange->status = space && length - (size_t)(space - line) > 3 ? strtol(space, NULL, 10) : 0;
}

static void add_header(struct call *call, const char *line, size_t length) {
    const char *colon = memchr(line, ':', length), *end = line + length;
    char *name, *value;

    if (!colon || colon == line)
        return;
    for (; end > colon + 1 && strchr(" \t\r\n", end[-1]); end--)
        ;
    const char *begin = colon + 1;
    for (; begin < end && (*begin == ' ' || *begin == '\t'); begin++)
        ;
    name = strndup(line, (size_t)(colon - line));
    value = strndup(begin, (size_t)(end - begin));
    mem_require(name);
    mem_require(value);
    for (char *at = name; *at != '\0'; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at + 32);
    s3_headers_add(&call->exchange->answer, name, value);
    if (strcmp(name, "content-length") == 0)
        call->announced = strtoull(value, NULL, 10);
    free(name);
    free(value);
}

/* Also called for the lines of "100 Continue" before the answer, and for trailers after it. */
static size_t on_header(char *line, size_t size, size_t count, void *context) {
    struct call *call = context;
    const size_t length = size * count;

    if (call->begun)
        return length;
    if (length > 5 && memcmp(line, "HTTP/", 5) == 0) {
        start_answer(call, line, length);
        return length;
    }
    if (length <= 2) {
        acknowledge(call->line);
        return length;
    }
    call->header_bytes += length;
    if (call->header_bytes > HEADERS_SIZE_MAX || call->exchange->answer.count >= HEADERS_MAX) {
        err_set(call->err, ERR_CORRUPT, "the answer has more headers than any should have");
        return refuse(call);
    }
    add_header(call, line, length);
    return length;
}

static int begin_body(struct call *call) {
    struct s3_exchange *exchange = call->exchange;

    call->begun = true;
    if (!is_good(exchange))
        return 0;
    if (exchange->begin && exchange->begin(exchange->context, exchange, call->err) < 0)
        return -1;
    if (exchange->to && call->announced <= exchange->max && call->announced <= RESERVE_MAX)
        buffer_reserve(exchange->to, call->announced);
    return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context) {
    struct call *call = context;
    struct s3_exchange *exchange = call->exchange;
    const size_t length = size * count;

    if (!call->begun && begin_body(call) < 0)
        return refuse(call);
    if (!pass(call->transport, &call->transport->download, length))
        return 0;
    if (!is_good(exchange)) {
        const size_t room = TROUBLE_MAX - exchange->trouble.length;
        buffer_put(&exchange->trouble, data, length < room ? length : room);
        return length;
    }
    if (length > exchange->max - exchange->received) {
        err_set(call->err, ERR_CORRUPT, "the answer is longer than the %llu bytes that it may have",
                (unsigned long long)exchange->max);
        return refuse(call);
    }
    exchange->received += length;
    if (exchange->to)
        buffer_put(exchange->to, data, length);
    return length;
}

static struct curl_slist *append(struct curl_slist *list, const char *name, const char *value) {
    /* An empty value would make curl leave the header out; a semicolon instead of the colon does not. */
    char *line = *value == '\0' ? mem_format("%s;", name) : mem_format("%s: %s", name, value);

    list = mem_require(curl_slist_append(list, line));
    explicit_bzero(line, strlen(line));
    free(line);
    return list;
}

static void wipe_list(struct curl_slist *list) {
    for (struct curl_slist *at = list; at != NULL; at = at->next)
        explicit_bzero(at->data, strlen(at->data));
    curl_slist_free_all(list);
}

static void set_connection(struct line *line, const struct s3_transport *transport,
                           const struct s3_exchange *exchange) {
    const uint64_t up = transport->upload.rate, down = transport->download.rate;
    CURL *curl = line->curl;
    const uint64_t slowest = up != 0 && (down == 0 || up < down) ? up : down;

    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (transport->service->ca_file) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, transport->service->ca_file);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, line);
    curl_easy_setopt(curl, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(curl, CURLOPT_CLOSESOCKETDATA, line);
    curl_easy_setopt(curl, CURLOPT_MAXCONNECTS, 1L);
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, exchange->fresh ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, (long)BUFFER_SIZE);
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER_SIZE);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    /* Behind a limit a connection may have to wait for a piece of each of the others. */
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                     (long)(exchange->silence + (slowest ? PIECE * S3_CONNECTIONS_MAX / slowest : 0)));
}

static void set_request(struct call *call, struct curl_slist *headers) {
    CURL *curl = call->line->curl;
    const struct s3_exchange *exchange = call->exchange;

    curl_easy_setopt(curl, CURLOPT_URL, exchange->url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_EXPECT_100_TIMEOUT_MS, (long)CONTINUE_TIMEOUT);
    if (strcmp(exchange->method, "HEAD") == 0) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (strcmp(exchange->method, "PUT") == 0 || strcmp(exchange->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)exchange->length);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(curl, CURLOPT_READDATA, call);
        curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(curl, CURLOPT_SEEKDATA, call);
    }
    if (strcmp(exchange->method, "POST") == 0 || strcmp(exchange->method, "DELETE") == 0)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, exchange->method);

    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, call->text);
}

static enum s3_outcome judge(struct call *call, CURLcode code) {
    const char *text = call->text[0] != '\0' ? call->text : curl_easy_strerror(code);
    char shown[CURL_ERROR_SIZE + 16];

    if (call->exchange->status != 0)
        atomic_store(&call->transport->reached, true);
    call->exchange->nowhere = (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_SSL_CONNECT_ERROR) &&
                              !atomic_load(&call->transport->reached);
    call->exchange->sent = call->position == call->exchange->length && code != CURLE_COULDNT_CONNECT &&
                           code != CURLE_COULDNT_RESOLVE_HOST && code != CURLE_SSL_CONNECT_ERROR;
    if (call->failed)
        return S3_USELESS;
    if (interrupt_requested() && code != CURLE_OK && interrupt_check(call->err) < 0)
        return S3_USELESS;
    switch (code) {
    case CURLE_OK:
        if (!call->begun && begin_body(call) < 0)
            return S3_USELESS;
        return S3_ANSWERED;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        err_set(call->err, ERR_INVALID, "%s", s3_printable(shown, sizeof shown, text));
        err_hint(call->err, "if the server's certificate is not signed by an authority that this system trusts, name "
                            "the file with the right one as ca_file");
        return S3_USELESS;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_NOT_BUILT_IN:
        err_set(call->err, ERR_SYSTEM, "%s", s3_printable(shown, sizeof shown, text));
        return S3_USELESS;
    default:
        err_set(call->err, ERR_SYSTEM, "%s", s3_printable(shown, sizeof shown, text));
        return S3_BROKEN;
    }
}

enum s3_outcome s3_exchange(struct s3_transport *transport, struct s3_exchange *exchange, struct err *err) {
    struct err reason = { 0 };
    struct call call = { .transport = transport, .exchange = exchange, .err = &reason };
    struct curl_slist *headers = NULL;
    enum s3_outcome outcome;

    if (borrow(transport, &call.line, err) < 0)
        return S3_USELESS;
    for (size_t i = 0; i < exchange->headers->count; i++)
        headers = append(headers, exchange->headers->items[i].name, exchange->headers->items[i].value);

    if (exchange->length <= CONTINUE_FROM)
        headers = mem_require(curl_slist_append(headers, "expect:"));

    /* What a call sets is gone with it; the connection stays. */
    curl_easy_reset(call.line->curl);
    set_connection(call.line, transport, exchange);
    set_request(&call, headers);
    outcome = judge(&call, curl_easy_perform(call.line->curl));

    /* Nothing of this call may be left where a later one could meet it. */
    curl_easy_reset(call.line->curl);
    give_back(transport, call.line);
    wipe_list(headers);
    if (outcome != S3_ANSWERED && err)
        *err = reason;
    return outcome;
}

void s3_exchange_release(struct s3_exchange *exchange) {
    s3_headers_release(&exchange->answer);
    buffer_release(&exchange->trouble);
}
