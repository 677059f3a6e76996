/* What the files about keys share. */
#ifndef MUNIMENT_REPO_KEYS_INTERNAL_H
#define MUNIMENT_REPO_KEYS_INTERNAL_H

#include <muniment/repo/keys.h>

/*
 * Bytes as text that people print, read aloud and type: prefix, then Crockford base32 in groups of five, the last six
 * characters a checksum. That is CRC-30 (polynomial 0x2030b9c7, initial value and final xor 0x3fffffff, most
 * significant bit first) over the bytes of the prefix and the data: it notices every change within six neighbouring
 * characters, and anything else with a chance of one in 2^30.
 */
void key_text_encode(const char *prefix, const uint8_t *data, size_t length, struct buffer *out);

/* Case, dashes and spaces do not matter, I and L are read as 1, O as 0. Appends the bytes to `out`; ERR_INVALID says
 * what is wrong with `what`. The prefix must be there, and at most `max` bytes. */
int key_text_decode(const char *prefix, const char *text, size_t max, const char *what, struct buffer *out,
                    struct err *err) MUST_CHECK;

/* Everything that grows from R. */
void keys_derive_from_read_secret(struct keys *keys, const uint8_t read_secret[KEY_SIZE]);

#endif
