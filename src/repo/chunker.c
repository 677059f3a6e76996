#include <muniment/repo/chunker.h>
#include <sodium.h>
#include <string.h>

const struct chunker_sizes CHUNKER_DATABASE = { 6 * 1024, 8 * 1024, 64 * 1024 };
const struct chunker_sizes CHUNKER_FILES = { 16 * 1024, 64 * 1024, 256 * 1024 };

/*
 * A mask of `bits` ones just below the top bit. The high bits of a Gear hash depend on the most bytes (up to 64); the
 * very top one stays free so that the mask can be shifted left once for the first byte of a pair.
 */
static uint64_t high_mask(unsigned bits) {
    return ((UINT64_C(1) << bits) - 1) << (63 - bits);
}

void chunker_init(struct chunker *chunker, const uint8_t seed[32], struct chunker_sizes sizes) {
    *chunker = (struct chunker){ .sizes = sizes };

    uint8_t table[256 * 8];
    randombytes_buf_deterministic(table, sizeof table, seed);
    for (unsigned i = 0; i < 256; i++) {
        uint64_t value = 0;
        for (unsigned byte = 0; byte < 8; byte++)
            value |= (uint64_t)table[8 * i + byte] << (8 * byte);
        chunker->gear[i] = value;
        chunker->gear_shifted[i] = value << 1;
    }
    sodium_memzero(table, sizeof table);

    /* Normalised chunking, level 2: harder to cut before the average, easier after it. */
    unsigned bits = 0;
    while ((UINT32_C(1) << (bits + 1)) <= sizes.average)
        bits++;
    chunker->strict_mask = high_mask(bits + 2);
    chunker->loose_mask = high_mask(bits - 2);
}

/* Rolls over data[*at, end) two bytes a step. True when a cut was found; *at is then its offset. */
static int scan(const struct chunker *chunker, const uint8_t *data, size_t *at, size_t end, uint64_t *hash,
                uint64_t mask) {
    uint64_t rolling = *hash;
    uint64_t shifted_mask = mask << 1;
    size_t i = *at;
    for (; i + 2 <= end; i += 2) {
        rolling = (rolling << 2) + chunker->gear_shifted[data[i]];
        if ((rolling & shifted_mask) == 0) {
            *at = i + 1;
            return 1;
        }
        rolling += chunker->gear[data[i + 1]];
        if ((rolling & mask) == 0) {
            *at = i + 2;
            return 1;
        }
    }
    *at = i;
    *hash = rolling;
    return 0;
}

size_t chunker_cut(const struct chunker *chunker, const uint8_t *data, size_t length, int last) {
    size_t maximum = chunker->sizes.maximum, average = chunker->sizes.average;

    if (length > chunker->sizes.minimum) {
        /* The minimum is skipped, not hashed: sizes are even, so pairs stay aligned. */
        size_t at = chunker->sizes.minimum;
        uint64_t hash = 0;
        size_t strict_end = length < average ? length : average;
        size_t loose_end = length < maximum ? length : maximum;
        if (scan(chunker, data, &at, strict_end, &hash, chunker->strict_mask) ||
            scan(chunker, data, &at, loose_end, &hash, chunker->loose_mask))
            return at;
    }
    if (length >= maximum)
        return maximum;
    return last ? length : 0;
}
