/* Payloads of holds: what is accepted has one spelling. */
#include "../../src/repo/hold_internal.h"
#include "fuzz.h"
#include <string.h>

static const char NAME[] = "0101010101010101";

void fuzz_seed(struct buffer *seed) {
    struct hold hold = { .scope = HOLD_RANGE,
                         .from = 1772366400,
                         .until = 1772452800,
                         .owner = (char[]){ "legal" },
                         .reason = (char[]){ "case 7" },
                         .placed = 1772366400,
                         .review = 1775000000,
                         .ends = 1780000000 };
    strcpy(hold.id, NAME);
    hold_encode(&hold, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buffer payload = { 0 }, again = { 0 };
    struct hold hold;
    struct err err = { 0 };
    buffer_put(&payload, data, size);
    if (size >= 8)
        memset(payload.data, 1, 8);
    if (hold_decode(&hold, payload.data, payload.length, NAME, &err) == 0) {
        hold_encode(&hold, &again);
        fuzz_require(again.length == payload.length && memcmp(again.data, payload.data, again.length) == 0);
        fuzz_require(hold.owner[0] && hold.reason[0] && (hold.scope == HOLD_SNAPSHOT) == (hold.snapshot != NULL));
        hold_free(&hold);
    }
    buffer_release(&payload);
    buffer_release(&again);
    return 0;
}
