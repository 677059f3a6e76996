/* Lower-case hexadecimal. */
#ifndef MUNIMENT_UTIL_HEX_H
#define MUNIMENT_UTIL_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes 2 * length digits and a terminator to `text`. Returns text. */
char *hex_encode(char *text, const void *data, size_t length);

/* True when `text` begins with exactly 2 * length lower-case digits, now decoded in `data`. What follows them in
 * `text` is the caller's to check. */
bool hex_decode(void *data, size_t length, const char *text);

#endif
