#include "lease_internal.h"
#include <muniment/repo/record.h>
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NONCE_BYTES = 8,
    OBJECT_MAX = 4096,
    STEP_TIME = 60, /* how long before the end something may still be begun */
};

void lease_hostname(char hostname[LEASE_HOSTNAME_SIZE]) {
    memset(hostname, 0, LEASE_HOSTNAME_SIZE);
    if (gethostname(hostname, LEASE_HOSTNAME_SIZE - 1) < 0)
        hostname[0] = '\0';
}

int lease_put(struct repo *repo, const char *folder, int64_t length, struct lease *lease, struct err *err) {
    struct buffer payload = { 0 }, object = { 0 };
    uint8_t nonce[NONCE_BYTES];
    char leaf[LEASE_HOST_DIGITS + 1 + 2 * NONCE_BYTES + 1], hostname[LEASE_HOSTNAME_SIZE];

    keys_host_name(repo->keys, leaf);
    leaf[LEASE_HOST_DIGITS] = '-';
    randombytes_buf(nonce, sizeof nonce);
    hex_encode(leaf + LEASE_HOST_DIGITS + 1, nonce, sizeof nonce);
    repo_name(repo, lease->name, folder, leaf);

    /* Measured from before the object is there. */
    int64_t spare = length / 10 < STEP_TIME ? length / 10 : STEP_TIME;
    lease->last_step = clock_monotonic() + (double)(length - spare);
    lease_hostname(hostname);
    buffer_put_i64(&payload, clock_now());
    buffer_put_i64(&payload, length);
    buffer_put_text(&payload, hostname);
    record_seal(repo->keys, RECORD_SESSION, payload.data, payload.length, &object, NULL);
    int result = store_put(repo->store, lease->name, object.data, object.length, err);
    buffer_release(&payload);
    buffer_release(&object);
    return result;
}

bool lease_holds(const struct lease *lease) {
    return clock_monotonic() < lease->last_step;
}

bool lease_is_own(const struct repo *repo, const char *name) {
    char host[LEASE_HOST_DIGITS + 1];
    return strncmp(repo_leaf(name), keys_host_name(repo->keys, host), LEASE_HOST_DIGITS) == 0;
}

static int decode(const struct buffer *payload, const char *name, struct lease_found *found, struct err *err) {
    struct reader reader;
    reader_init(&reader, payload->data, payload->length);
    reader_i64(&reader);
    found->length = reader_i64(&reader);
    char *hostname = reader_text(&reader, LEASE_HOSTNAME_SIZE - 1);
    snprintf(found->hostname, sizeof found->hostname, "%s", hostname);
    free(hostname);
    if (found->length < 1 || found->length > LEASE_LENGTH_MAX)
        reader.failed = true;
    return reader_finish(&reader, name, err);
}

int lease_read(struct repo *repo, const char *name, int64_t usual, struct lease_found *found, struct err *err) {
    struct buffer payload = { 0 };
    *found = (struct lease_found){ 0 };
    int result = record_load(repo, RECORD_SESSION, name, OBJECT_MAX, &payload, NULL, err);
    if (result == 0)
        result = decode(&payload, name, found, err);
    buffer_release(&payload);
    if (result == 0)
        return 0;

    if (err->code == ERR_NOT_FOUND) {
        found->gone = true;
    } else if (err->code == ERR_CORRUPT || err->code == ERR_UNSUPPORTED) {
        log_warning(repo->log, "what runs elsewhere cannot be read, so it counts for %d h: %s", (int)(usual / 3600),
                    err->message);
        *found = (struct lease_found){ .length = usual };
    } else {
        return -1;
    }
    err_clear(err);
    return 0;
}
