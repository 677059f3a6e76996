/*
 * A server of a test's own that says what it was told to, one answer a request, for what no real server does on demand.
 */
#ifndef MUNIMENT_TESTS_CANNED_SERVER_H
#define MUNIMENT_TESTS_CANNED_SERVER_H

#include <muniment/s3/client.h>
#include <muniment/util/buffer.h>

struct canned_server;

/* The bodies, ended by NULL, are the answers to come, each with status 200; after the last one the last is repeated.
 * One that begins with "HTTP/" is an answer as it is, status line and all. */
struct canned_server *canned_server_start(const char *const *bodies);
const char *canned_server_endpoint(const struct canned_server *server);
struct s3 *canned_server_client(struct canned_server *server); /* to be closed before the server is stopped */

/* Ends it. `requests` (may be NULL) gets the first line of each request. */
void canned_server_stop(struct canned_server *server, struct buffer *requests);

#endif
