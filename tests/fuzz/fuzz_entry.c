/* Entries of trees: what is accepted has one spelling. */
#include "fuzz.h"
#include <muniment/source/entry.h>
#include <string.h>

void fuzz_seed(struct buffer *seed) {
    static char path[] = "etc/passwd", user[] = "root";
    struct entry entry = { .path = path,
                           .type = ENTRY_FILE,
                           .mode = 0644,
                           .user = user,
                           .group = user,
                           .mtime = 1772366400,
                           .size = 5000,
                           .content = 3000,
                           .chunks = 1 };
    struct entry copy = { 0 };
    entry_copy(&copy, &entry);
    entry_add_attribute(&copy, "xattr.user.name", "value", 5);
    entry_add_range(&copy, 0, 1000);
    entry_add_range(&copy, 2000, 2000);
    entry_encode(&copy, seed);
    entry_release(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct entry entry = { 0 };
    struct buffer again = { 0 };
    struct reader reader;
    reader_init(&reader, data, size);
    if (entry_decode(&entry, &reader)) {
        fuzz_require(entry_path_is_valid(entry.type, entry.path));
        entry_encode(&entry, &again);
        fuzz_require(again.length == size - reader.left && memcmp(again.data, data, again.length) == 0);
        entry_release(&entry);
    } else {
        fuzz_require(reader.failed);
    }
    buffer_release(&again);
    return 0;
}
