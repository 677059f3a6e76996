/* Payloads of purge records: what is accepted has one spelling. */
#include "../../src/repo/purge_internal.h"
#include "fuzz.h"
#include <string.h>

void fuzz_seed(struct buffer *seed) {
    struct purge_record record = { .epoch = 1, .written = 1772366400 };
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t pack[32] = { i };
        *purge_record_add(&record, pack) = (struct purge_pack){ .pack = { i }, .deadline = i, .condemned = i == 1 };
    }
    purge_record_encode(&record, seed);
    purge_record_release(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char NAME[] = "0000000000000001-0000000000000000000000000000000000000000000000000000000000000000";
    struct buffer payload = { 0 }, again = { 0 };
    struct purge_record record;
    struct err err = { 0 };
    buffer_put(&payload, data, size);
    if (size >= 8)
        put_u64(payload.data, 1);
    if (purge_record_decode(&record, payload.data, payload.length, NAME, &err) == 0) {
        purge_record_encode(&record, &again);
        fuzz_require(again.length == payload.length && memcmp(again.data, payload.data, again.length) == 0);
        for (size_t i = 0; i < record.count; i++)
            fuzz_require(purge_record_find(&record, record.packs[i].pack) == &record.packs[i]);
        purge_record_release(&record);
    }
    buffer_release(&payload);
    buffer_release(&again);
    return 0;
}
