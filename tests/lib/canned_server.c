#include "canned_server.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include <arpa/inet.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct canned_server {
    int listener;
    char endpoint[64];
    char *folder; /* of the credentials */
    const char *const *bodies;
    struct buffer requests;
    pthread_t thread;
};

/* Where the request ends, as far as it is known. What is left unread would reset the connection. */
static bool is_whole(const char *head, size_t length) {
    const char *end = strstr(head, "\r\n\r\n"), *body = strcasestr(head, "\r\nContent-Length:");

    return end && length >= (size_t)(end - head) + 4 + (body && body < end ? strtoul(body + 17, NULL, 10) : 0);
}

/* One small request, and its answer. */
static void serve(struct canned_server *server, int connection) {
    char head[16384];
    size_t length = 0;
    struct buffer answer = { 0 };

    while (length + 1 < sizeof head) {
        const ssize_t got = read(connection, head + length, sizeof head - 1 - length);
        if (got <= 0)
            return;
        length += (size_t)got;
        head[length] = '\0';
        if (is_whole(head, length))
            break;
    }
    buffer_printf(&server->requests, "%.*s\n", (int)strcspn(head, "\r"), head);
    const char *body = *server->bodies;
    if (server->bodies[1])
        server->bodies++;
    if (strncmp(body, "HTTP/", 5) == 0)
        buffer_put(&answer, body, strlen(body));
    else
        buffer_printf(&answer,
                      "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nConnection: close\r\n"
                      "Content-Length: %zu\r\n\r\n%s",
                      strlen(body), body);
    for (size_t at = 0; at < answer.length;) {
        const ssize_t sent = send(connection, answer.data + at, answer.length - at, MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        at += (size_t)sent;
    }
    buffer_release(&answer);
}

static void *run(void *context) {
    struct canned_server *server = context;
    int connection;

    while ((connection = accept(server->listener, NULL, NULL)) >= 0) {
        serve(server, connection);
        close(connection);
    }
    return NULL;
}

struct canned_server *canned_server_start(const char *const *bodies) {
    struct canned_server *server = mem_zalloc(sizeof *server);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;

    server->bodies = bodies;
    server->folder = scratch_make();
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
    snprintf(server->endpoint, sizeof server->endpoint, "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    assert_int_equal(pthread_create(&server->thread, NULL, run, server), 0);
    return server;
}

const char *canned_server_endpoint(const struct canned_server *server) {
    return server->endpoint;
}

struct s3 *canned_server_client(struct canned_server *server) {
    static const char credentials[] = "access_key = access\nsecret_key = secret\n";
    struct s3_service service = { .endpoint = mem_string(server->endpoint),
                                  .credentials = mem_format("%s/credentials", server->folder) };
    struct s3 *s3 = NULL;
    struct err err = { 0 };

    assert_success(file_replace(service.credentials, 0600, credentials, sizeof credentials - 1, &err), &err);
    assert_success(s3_open(&service, NULL, &s3, &err), &err);
    s3_set_retry_time(s3, 5);
    s3_service_release(&service);
    return s3;
}

void canned_server_stop(struct canned_server *server, struct buffer *requests) {
    shutdown(server->listener, SHUT_RDWR); /* accept() returns */
    pthread_join(server->thread, NULL);
    close(server->listener);
    if (requests)
        buffer_put(requests, server->requests.data, server->requests.length);
    buffer_release(&server->requests);
    scratch_remove(server->folder);
    free(server);
}
