/* Payloads of the erasure ledger: what is accepted has one spelling. */
#include "../../src/repo/erasure_internal.h"
#include "fuzz.h"
#include <string.h>

static const char NAME[] = "20260301T120000Z-0000000000000000000000000000000000000000000000000000000000000000";

void fuzz_seed(struct buffer *seed) {
    char *references[] = { (char[]){ "customers/8f3a" }, (char[]){ "orders/7" } };
    struct erasure erasure = { .recorded = 1772366400, .references = references, .count = 2 };
    erasure_encode(&erasure, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buffer payload = { 0 }, again = { 0 };
    struct erasure erasure;
    struct err err = { 0 };
    buffer_put(&payload, data, size);
    if (size >= 8)
        put_u64(payload.data, 1772366400);
    if (erasure_decode(&erasure, payload.data, payload.length, NAME, &err) == 0) {
        erasure_encode(&erasure, &again);
        fuzz_require(again.length == payload.length && memcmp(again.data, payload.data, again.length) == 0);
        struct erasures all = { &erasure, 1 };
        buffer_clear(&again);
        fuzz_require(erasures_after(&all, 0, &again) <= erasure.count);
        erasure_free(&erasure);
    }
    buffer_release(&payload);
    buffer_release(&again);
    return 0;
}
