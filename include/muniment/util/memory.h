/*
 * Allocation that cannot return NULL.
 *
 * When memory runs out the process writes one line to standard error and exits with status 1. That is safe here
 * and nowhere a loss: every stored object becomes visible by an atomic rename, so a run may end at any
 * instruction (see muniment/store/store.h). Sizes that come from outside are bounded by the caller first.
 */
#ifndef MUNIMENT_UTIL_MEMORY_H
#define MUNIMENT_UTIL_MEMORY_H

#include <stddef.h>

void *mem_alloc(size_t size);                              /* uninitialised */
void *mem_zalloc(size_t size);                             /* zeroed */
void *mem_array(size_t count, size_t size);                /* zeroed; exits when count * size overflows */
void *mem_resize(void *memory, size_t count, size_t size); /* keeps the old content; new bytes uninitialised */
void *mem_require(void *memory);                           /* what a library allocated; exits when it is NULL */
char *mem_string(const char *text);                        /* a copy; NULL stays NULL */
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes room for at least `need` elements in a growing array: doubles *capacity as needed. */
void *mem_grow(void *memory, size_t *capacity, size_t need, size_t size);

/* Frees the elements and the array of a NULL-terminated or counted list of strings. */
void mem_free_strings(char **strings, size_t count);

#endif
