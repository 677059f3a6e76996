/* Tables of packs: what is accepted has one spelling. */
#include "fuzz.h"
#include <muniment/repo/pack.h>
#include <string.h>

void fuzz_seed(struct buffer *seed) {
    struct pack_section sections[] = { { .birth = { 1 }, .kind = SECTION_DATA },
                                       { .birth = { 2 }, .kind = SECTION_INDEX } };
    struct pack_slot slots[] = {
        { .id = { 1 }, .section = 0, .number = 0, .plain_length = 5000, .stored_length = 3000, .codec = CODEC_ZSTD },
        { .id = { 2 }, .section = 0, .number = 1, .plain_length = 5000, .stored_length = 5016, .codec = CODEC_RAW },
        { .id = { 3 }, .section = 1, .number = 9, .plain_length = 24, .stored_length = 40, .codec = CODEC_RAW },
        { .id = { 4 }, .section = 1, .number = 2, .plain_length = 24, .stored_length = 40, .codec = CODEC_RAW },
    };
    struct pack_table table = { .sections = sections, .slots = slots, .section_count = 2, .slot_count = 4 };
    pack_table_encode(&table, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct pack_table table = { 0 };
    struct buffer again = { 0 };
    struct reader reader;
    struct err err = { 0 };
    reader_init(&reader, data, size);
    if (pack_table_decode(&table, &reader, "fuzzed", &err) == 0) {
        pack_table_encode(&table, &again);
        fuzz_require(again.length == size - reader.left && memcmp(again.data, data, again.length) == 0);
    }
    pack_table_release(&table);
    buffer_release(&again);
    return 0;
}
