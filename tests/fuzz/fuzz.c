#include "fuzz.h"
#include "../../src/repo/keys_internal.h"
#include <muniment/util/file.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argument_count, char ***arguments);

void fuzz_fail(const char *condition) {
    fprintf(stderr, "does not hold: %s\n", condition);
    abort();
}

const struct keys *fuzz_keys(void) {
    static struct keys keys;
    if (!keys.can_read) {
        static const uint8_t secret[KEY_SIZE] = "always the same, for every run..";
        keys_derive_from_read_secret(&keys, secret);
        keys_new_host(&keys);
    }
    return &keys;
}

/* Called before the corpus is read: the seed is then part of it. */
int LLVMFuzzerInitialize(int *argument_count, char ***arguments) {
    (void)argument_count;
    (void)arguments;
    const char *corpus = getenv("FUZZ_CORPUS");
    if (!corpus)
        return 0;

    char path[4096];
    struct buffer seed = { 0 };
    struct err err = { 0 };
    fuzz_keys();
    fuzz_seed(&seed);
    snprintf(path, sizeof path, "%s/seed", corpus);
    if (file_replace(path, 0600, seed.data, seed.length, &err) < 0)
        fuzz_fail(err.message);
    buffer_release(&seed);
    return 0;
}
