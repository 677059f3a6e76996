/* Signed documents, as they come back from anywhere. */
#include "fuzz.h"
#include <muniment/evidence/document.h>
#include <string.h>

void fuzz_seed(struct buffer *seed) {
    struct err err = { 0 };
    buffer_printf(seed, "{\"type\":\"report\"}\n");
    fuzz_require(document_sign(fuzz_keys(), REPORT_JSON, seed, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct document_signature signature;
    struct buffer document = { 0 };
    struct err err = { 0 };

    /* Only the seed itself verifies: nothing that is made from it may. */
    if (document_verify(fuzz_keys(), data, size, &signature, &err) == 0) {
        fuzz_seed(&document);
        fuzz_require(size == document.length && memcmp(data, document.data, size) == 0);
    } else {
        fuzz_require(err.code == ERR_CORRUPT || err.code == ERR_KEY);
    }

    buffer_clear(&document);
    buffer_put(&document, data, size);
    buffer_put_u8(&document, '\n');
    if (document_sign(fuzz_keys(), REPORT_TEXT, &document, &err) == 0) {
        fuzz_require(document_verify(fuzz_keys(), document.data, document.length, &signature, &err) == 0);
        fuzz_require(signature.format == REPORT_TEXT);
    }
    buffer_release(&document);
    return 0;
}
