/*
 * What a host remembers of the locks it set: a text of "muniment locks 1" and a line for each object, its hash and the
 * date. A file that is malformed counts as none.
 */
#ifndef MUNIMENT_REPO_LOCK_MEMORY_INTERNAL_H
#define MUNIMENT_REPO_LOCK_MEMORY_INTERNAL_H

#include <muniment/util/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lock_memory {
    struct locked_object {
        uint8_t hash[32]; /* that its name ends in */
        int64_t until;
    } * items;
    size_t count, capacity;
};

void lock_memory_add(struct lock_memory *memory, const uint8_t hash[32], int64_t until);
int64_t lock_memory_find(const struct lock_memory *memory, const uint8_t hash[32]); /* of a loaded one; 0: none */
void lock_memory_load(struct lock_memory *memory, const char *path);                /* empty when there is none */
int lock_memory_save(const struct lock_memory *memory, const char *path, struct err *err) MUST_CHECK;
void lock_memory_release(struct lock_memory *memory);

#endif
