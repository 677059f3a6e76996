/* Payloads of heads: what is accepted has one spelling. */
#include "fuzz.h"
#include <muniment/repo/head.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/* 2026-03-01T12:00:00Z, and it must be the name's, so it is not left to chance. */
static const int64_t STARTED = 1772366400;
enum { STARTED_AT = 2 + 4 * HEAD_TIERS };

void fuzz_seed(struct buffer *seed) {
    static const uint8_t birth[BIRTH_SIZE] = { 7 };
    static char name[] = "name", value[] = "value";
    static char *troubles[] = { value };
    struct head_fact fact = { name, value };
    struct head_unit units[] = { { name, 1000, 5, true }, { value, 3, 0, false } };
    struct head_source source = { .name = name,
                                  .kind = value,
                                  .outcome = OUTCOME_PARTIAL,
                                  .started = STARTED,
                                  .finished = STARTED,
                                  .bytes = 123456789,
                                  .facts = &fact,
                                  .units = units,
                                  .troubles = troubles,
                                  .fact_count = 1,
                                  .unit_count = 2,
                                  .trouble_count = 1 };
    struct head_source sources[2];
    extents_add(&source.references.root, birth, 3, 4);
    sources[0] = sources[1] = source;
    struct head head = { .started = STARTED,
                         .finished = STARTED,
                         .hostname = name,
                         .tool = value,
                         .outcome = OUTCOME_PARTIAL,
                         .sources = sources,
                         .source_count = 2 };
    head_encode(&head, seed);
    extents_release(&source.references.root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char NAME[] = "20260301T120000Z-0000000000000000000000000000000000000000000000000000000000000000";
    struct buffer payload = { 0 }, again = { 0 };
    struct head head;
    struct err err = { 0 };
    buffer_put(&payload, data, size);
    if (size >= STARTED_AT + 8)
        put_u64(payload.data + STARTED_AT, (uint64_t)STARTED);
    if (head_decode(&head, payload.data, payload.length, NAME, &err) == 0) {
        head_encode(&head, &again);
        fuzz_require(again.length == payload.length && memcmp(again.data, payload.data, again.length) == 0);
        head_release(&head);
    }
    buffer_release(&payload);
    buffer_release(&again);
    return 0;
}
