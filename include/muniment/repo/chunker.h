/*
 * Content-defined chunking, without I/O: FastCDC (Xia et al., USENIX ATC 2016) with a Gear table drawn from a secret
 * seed, so that chunk sizes tell an observer nothing he can compare (eprint 2025/558), and normalised chunking around
 * the average. A cut depends only on the bytes since the last cut.
 */
#ifndef MUNIMENT_REPO_CHUNKER_H
#define MUNIMENT_REPO_CHUNKER_H

#include <stddef.h>
#include <stdint.h>

struct chunker_sizes {
    uint32_t minimum;
    uint32_t average; /* a power of two */
    uint32_t maximum;
};

/*
 * Measured on nights of scattered updates of a 456 MB dump, zstd 1 (first night, each further night, stored):
 *     4/16/64 KiB   162 MB, 51 MB        2/8/32 KiB   168 MB, 37 MB        6/8/64 KiB   167 MB, 40 MB
 * The last makes a third fewer chunks than 2/8/32. Files seldom change inside.
 */
extern const struct chunker_sizes CHUNKER_DATABASE; /* 6 KiB, 8 KiB, 64 KiB: about 11 KiB on average */
extern const struct chunker_sizes CHUNKER_FILES;    /* 16 KiB, 64 KiB, 256 KiB */
enum { CHUNK_MAX = 256 * 1024 };                    /* no chunk of any kind is longer */

struct chunker {
    struct chunker_sizes sizes;
    uint64_t strict_mask;
    uint64_t loose_mask;
    uint64_t gear[256];
    uint64_t gear_shifted[256];
};

void chunker_init(struct chunker *chunker, const uint8_t seed[32], struct chunker_sizes sizes);

/* Length of the first chunk of `data`; a cut may be seen only when one byte behind it is there. When no cut lies within
 * `length` bytes, returns `length` if it is the maximum or if `last` says that nothing follows, else 0: call again with
 * more. */
size_t chunker_cut(const struct chunker *chunker, const uint8_t *data, size_t length, int last);

#endif
