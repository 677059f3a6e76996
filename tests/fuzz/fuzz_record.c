/* Whole objects as they come from a store. The first byte chooses the type that is expected. */
#include "fuzz.h"
#include <muniment/repo/record.h>

void fuzz_seed(struct buffer *seed) {
    buffer_put_u8(seed, RECORD_JOURNAL);
    record_seal(fuzz_keys(), RECORD_JOURNAL, "payload", 7, seed, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buffer payload = { 0 };
    struct err err = { 0 };
    uint8_t signer[SIGN_PUBLIC_SIZE];
    if (size == 0)
        return 0;
    enum record_type type = RECORD_HEAD + data[0] % RECORD_CACHE;
    if (record_open(fuzz_keys(), type, "fuzzed", data + 1, size - 1, &payload, signer, &err) < 0)
        fuzz_require(payload.length == 0 && err.code != ERR_NONE);
    buffer_release(&payload);
    return 0;
}
