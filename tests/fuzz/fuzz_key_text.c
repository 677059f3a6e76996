/* Keys as people type them. */
#include "../../src/repo/keys_internal.h"
#include "fuzz.h"
#include <string.h>

static const char PREFIX[] = "muniment-read-1-";

void fuzz_seed(struct buffer *seed) {
    keys_write_text(fuzz_keys(), seed);
}

/* Whatever is accepted means the same when it is written as it should be. */
static void check_text(const char *text) {
    struct buffer data = { 0 }, again = { 0 }, twice = { 0 };
    struct err err = { 0 };
    if (key_text_decode(PREFIX, text, 192, "fuzzed", &data, &err) == 0) {
        key_text_encode(PREFIX, data.data, data.length, &again);
        fuzz_require(key_text_decode(PREFIX, buffer_text(&again), 192, "fuzzed", &twice, &err) == 0);
        fuzz_require(twice.length == data.length && memcmp(twice.data, data.data, data.length) == 0);
    } else {
        fuzz_require(data.length == 0 && err.code == ERR_INVALID);
    }
    buffer_release(&data);
    buffer_release(&again);
    buffer_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buffer text = { 0 }, made = { 0 };
    struct keys keys;
    struct err err = { 0 };
    buffer_put(&text, data, size);
    check_text(buffer_text(&text));
    if (keys_parse(&keys, buffer_text(&text), &err) < 0)
        fuzz_require(err.code == ERR_INVALID && !keys.can_read && !keys.can_sign);
    keys_wipe(&keys);

    /* Chance does not find checksums: the same bytes with the right one. */
    if (size <= 192) {
        key_text_encode(PREFIX, data, size, &made);
        check_text(buffer_text(&made));
        buffer_clear(&made);
        key_text_encode("muniment-write-1-", data, size, &made);
        if (keys_parse(&keys, buffer_text(&made), &err) == 0)
            keys_wipe(&keys);
    }
    buffer_release(&text);
    buffer_release(&made);
    return 0;
}
