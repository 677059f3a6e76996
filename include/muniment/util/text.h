/*
 * Text that others wrote, where it must not act: on a terminal, in JSON.
 */
#ifndef MUNIMENT_UTIL_TEXT_H
#define MUNIMENT_UTIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* What a terminal might obey: those of U+0080 to U+009F, whose last byte is their number, are controls too. `length` as
 * utf8_length() says. */
bool text_is_control(const char *character, size_t length);

/* Columns that a terminal uses for UTF-8: bytes that continue a sequence use none. */
size_t text_width(const char *text);

/* Control characters, and what is no UTF-8, become \xNN.
 * `spared` are bytes that stay although they are controls, `marked` others that do not. The caller frees it. */
char *text_escape(const char *text, const char *spared, const char *marked);

#endif
