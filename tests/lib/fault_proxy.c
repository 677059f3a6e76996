#include "fault_proxy.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rgw.h"
#include "scratch.h"
#include "script.h"
#include <arpa/inet.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct fault_proxy {
    pid_t pid;
    char *folder;
    char *endpoint;
    uint16_t port;
};

static void wait_for_endpoint(struct fault_proxy *proxy, const char *path) {
    struct buffer text = { 0 };
    struct err err = { 0 };
    for (int i = 0; i < 400 && file_read(path, 256, &text, &err) < 0; i++) {
        assert_int_equal(waitpid(proxy->pid, NULL, WNOHANG), 0);
        usleep(25000);
        err_clear(&err);
    }
    assert_int_equal(err.code, ERR_NONE);
    proxy->endpoint = mem_format("%.*s", (int)strcspn(buffer_text(&text), "\n"), buffer_text(&text));
    proxy->port = (uint16_t)atoi(strrchr(proxy->endpoint, ':') + 1);
    buffer_release(&text);
}

static struct fault_proxy *start(bool tls) {
    struct fault_proxy *proxy = mem_zalloc(sizeof *proxy);
    proxy->folder = scratch_make();
    char *path = mem_format("%s/endpoint", proxy->folder), *program = script_path("tools/fault-proxy");
    char *upstream = mem_string(test_rgw_endpoint()), *credentials = mem_string(test_rgw_credentials());
    proxy->pid = scratch_fork();
    if (proxy->pid == 0) {
        execl(program, program, upstream, path, "--credentials", credentials, tls ? "--tls" : NULL, proxy->folder,
              (char *)NULL);
        _exit(127);
    }
    wait_for_endpoint(proxy, path);
    free(credentials);
    free(upstream);
    free(program);
    free(path);
    return proxy;
}

struct fault_proxy *fault_proxy_start(void) {
    return start(false);
}

struct fault_proxy *fault_proxy_start_tls(void) {
    return start(true);
}

char *fault_proxy_ca_file(const struct fault_proxy *proxy) {
    return mem_format("%s/ca.pem", proxy->folder);
}

void fault_proxy_stop(struct fault_proxy *proxy) {
    kill(proxy->pid, SIGKILL);
    waitpid(proxy->pid, NULL, 0);
    scratch_remove(proxy->folder);
    free(proxy->endpoint);
    free(proxy);
}

const char *fault_proxy_endpoint(const struct fault_proxy *proxy) {
    return proxy->endpoint;
}

/* One small request to the proxy itself; the answer, whole. */
static void ask(struct fault_proxy *proxy, struct buffer *request, struct buffer *answer) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(proxy->port) };
    struct err err = { 0 };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_success(file_write_all(fd, request->data, request->length, "proxy", &err), &err);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    for (ssize_t got = 1; got > 0;) {
        got = read(fd, buffer_reserve(answer, 4096), 4096);
        assert_true(got >= 0);
        answer->length += (size_t)got;
    }
    close(fd);
    assert_int_equal(strncmp(buffer_text(answer), "HTTP/1.1 200 ", 13), 0);
}

void fault_proxy_set(struct fault_proxy *proxy, const char *rules) {
    struct buffer request = { 0 }, answer = { 0 };
    buffer_printf(&request, "PUT /__faults HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%s", strlen(rules), rules);
    ask(proxy, &request, &answer);
    buffer_release(&request);
    buffer_release(&answer);
}

/* What the proxy says at this target, without the head of its answer. The text is the caller's. */
static char *fetch(struct fault_proxy *proxy, const char *target) {
    struct buffer request = { 0 }, answer = { 0 };
    buffer_printf(&request, "GET %s HTTP/1.1\r\n\r\n", target);
    ask(proxy, &request, &answer);
    const char *body = strstr(buffer_text(&answer), "\r\n\r\n");
    assert_non_null(body);
    char *text = mem_string(body + 4);
    buffer_release(&request);
    buffer_release(&answer);
    return text;
}

unsigned long fault_proxy_count(struct fault_proxy *proxy, const char *kind) {
    char *text = fetch(proxy, "/__counts"), *counts = mem_format("\n%s", text), *line = mem_format("\n%s ", kind);
    const char *found = strstr(counts, line);
    unsigned long count = found != NULL ? strtoul(found + strlen(line), NULL, 10) : 0;
    free(line);
    free(counts);
    free(text);
    return count;
}

/* Lines of "NUMBER FAULT [MORE]". */
unsigned long fault_proxy_taken(struct fault_proxy *proxy, const char *fault) {
    char *text = fetch(proxy, "/__faults"), *rest = NULL;
    unsigned long sum = 0;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char *name = NULL;
        unsigned long taken = strtoul(line, &name, 10);
        name++;
        if (strcspn(name, " ") == strlen(fault) && strncmp(name, fault, strlen(fault)) == 0)
            sum += taken;
    }
    free(text);
    return sum;
}

char *fault_proxy_log(struct fault_proxy *proxy) {
    return fetch(proxy, "/__log");
}
