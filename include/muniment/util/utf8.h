/* Text in UTF-8 among bytes of any kind. */
#ifndef MUNIMENT_UTIL_UTF8_H
#define MUNIMENT_UTIL_UTF8_H

#include <stddef.h>

/* The length of the character at `text`, of which `left` bytes (one at least) may be read; 0 when there is none:
 * overlong forms, surrogates and what is beyond U+10FFFF are none. */
size_t utf8_length(const char *text, size_t left);

#endif
