/* What the fuzz targets share. Each is one program of libFuzzer: it may end only by surviving. */
#ifndef MUNIMENT_TESTS_FUZZ_H
#define MUNIMENT_TESTS_FUZZ_H

#include <muniment/repo/keys.h>
#include <muniment/util/buffer.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each target's own: a valid input to begin from. */
void fuzz_seed(struct buffer *seed);

/* Always the same keys, that can read and sign. */
const struct keys *fuzz_keys(void);

/* Ends the program, which libFuzzer reports with the input, unless the condition holds. */
#define fuzz_require(condition)                                                                                        \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fuzz_fail(#condition);                                                                                     \
    } while (0)
_Noreturn void fuzz_fail(const char *condition);

#endif
