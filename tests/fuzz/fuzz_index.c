/* Payloads of index objects, and finding every slot in what they hold. */
#include "../../src/repo/index.c" /* its decoder is its own */
#include "fuzz.h"

void fuzz_seed(struct buffer *seed) {
    buffer_put_varint(seed, 2);
    for (uint8_t i = 0; i < 2; i++) {
        struct pack_section sections[] = { { .birth = { i }, .kind = SECTION_DATA } };
        struct pack_slot slots[] = {
            { .number = 0, .plain_length = 5000, .stored_length = 3000, .codec = CODEC_ZSTD },
            { .number = i * 7U + 1, .plain_length = 24, .stored_length = 40, .codec = CODEC_RAW },
        };
        struct pack_table table = { .sections = sections, .slots = slots, .section_count = 1, .slot_count = 2 };
        uint8_t pack[32] = { i };
        buffer_put(seed, pack, sizeof pack);
        buffer_put_u64(seed, 4096);
        pack_table_encode(&table, seed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct index *index = index_new();
    struct buffer payload = { 0 };
    struct err err = { 0 };
    buffer_put(&payload, data, size);
    if (decode_object(index, &payload, "fuzzed", &err) == 0)
        for (size_t i = 0; i < index_pack_count(index); i++) {
            const struct pack_table *table = index_pack(index, i);
            for (uint32_t s = 0; s < table->slot_count && s < 64; s++) {
                const struct pack_slot *slot = &table->slots[s];
                struct index_place place;
                fuzz_require(index_place(index, table->sections[slot->section].birth, slot->number, 0, &place));
                fuzz_require(place.slot->number == slot->number);
            }
        }
    index_free(index);
    buffer_release(&payload);
    return 0;
}
