#include "keys_internal.h"
#include <sodium.h>
#include <string.h>
#include <strings.h>

static const char DIGITS[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum { GROUP = 5, CHECKSUM_DIGITS = 6, CHECKSUM_BITS = 30 };

static uint32_t checksum_more(uint32_t sum, const void *data, size_t length) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++)
        for (int bit = 7; bit >= 0; bit--) {
            uint32_t top = (sum >> (CHECKSUM_BITS - 1)) ^ ((uint32_t)bytes[i] >> bit & 1);
            sum = (sum << 1 & 0x3fffffff) ^ (top ? 0x2030b9c7 : 0);
        }
    return sum;
}

static uint32_t checksum(const char *prefix, const uint8_t *data, size_t length) {
    uint32_t sum = checksum_more(0x3fffffff, prefix, strlen(prefix));
    return checksum_more(sum, data, length) ^ 0x3fffffff;
}

static void put_digit(struct buffer *out, uint32_t digit, size_t *digits) {
    if (*digits > 0 && *digits % GROUP == 0)
        buffer_put_u8(out, '-');
    buffer_put_u8(out, (uint8_t)DIGITS[digit & 31]);
    ++*digits;
}

void key_text_encode(const char *prefix, const uint8_t *data, size_t length, struct buffer *out) {
    uint32_t pending = 0;
    unsigned bits = 0;
    size_t digits = 0;

    /* Room for all of it at once, so that no copy of a secret stays behind where the buffer grew. */
    size_t most = (length * 8 + 4) / 5 + CHECKSUM_DIGITS;
    buffer_reserve(out, strlen(prefix) + most + most / GROUP + 2);

    buffer_put(out, prefix, strlen(prefix));
    for (size_t i = 0; i < length; i++) {
        pending = (pending << 8 | data[i]) & 0xffff;
        for (bits += 8; bits >= 5; bits -= 5)
            put_digit(out, pending >> (bits - 5), &digits);
    }
    if (bits > 0)
        put_digit(out, pending << (5 - bits), &digits);

    uint32_t sum = checksum(prefix, data, length);
    for (int shift = CHECKSUM_BITS - 5; shift >= 0; shift -= 5)
        put_digit(out, sum >> shift, &digits);
}

/* 0 to 31, -1 for what is passed over, -2 for what is no digit. */
static int digit_value(char character) {
    if (character == '-' || character == ' ')
        return -1;
    char lower = character >= 'A' && character <= 'Z' ? (char)(character - 'A' + 'a') : character;
    if (lower == 'i' || lower == 'l')
        lower = '1';
    if (lower == 'o')
        lower = '0';
    const char *at = lower ? strchr(DIGITS, lower) : NULL;
    return at ? (int)(at - DIGITS) : -2;
}

/* The digits of the text, one a byte. */
static int collect(const char *text, size_t most, const char *what, struct buffer *digits, struct err *err) {
    buffer_reserve(digits, most);
    for (const char *at = text; *at; at++) {
        int value = digit_value(*at);
        if (value == -2)
            return err_set(err, ERR_INVALID, "%s: character %zu after the prefix does not belong in a key", what,
                           (size_t)(at - text) + 1);
        if (value >= 0 && digits->length == most)
            return err_set(err, ERR_INVALID, "%s: too long", what);
        if (value >= 0)
            buffer_put_u8(digits, (uint8_t)value);
    }
    if (digits->length <= CHECKSUM_DIGITS)
        return err_set(err, ERR_INVALID, "%s: too short", what);
    return 0;
}

static int assemble(const char *prefix, const struct buffer *digits, const char *what, struct buffer *out,
                    struct err *err) {
    size_t data_digits = digits->length - CHECKSUM_DIGITS;
    size_t length = data_digits * 5 / 8, from = out->length;
    uint32_t pending = 0;
    unsigned bits = 0;

    buffer_reserve(out, length);
    for (size_t i = 0; i < data_digits; i++) {
        pending = (pending << 5 | digits->data[i]) & 0xfff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            buffer_put_u8(out, (uint8_t)(pending >> bits));
        }
    }
    uint32_t sum = 0;
    for (size_t i = data_digits; i < digits->length; i++)
        sum = sum << 5 | digits->data[i];

    /* Only the bits that fill up the last digit may be left, as zeros: every text has one reading and one spelling. */
    bool whole = bits < 5 && (pending & ((1U << bits) - 1)) == 0;
    if (!whole || sum != checksum(prefix, out->data + from, length)) {
        err_set(err, ERR_INVALID, "%s: the checksum does not match", what);
        return err_hint(err, "a character is wrong, missing or too many: compare it with the original");
    }
    return 0;
}

int key_text_decode(const char *prefix, const char *text, size_t max, const char *what, struct buffer *out,
                    struct err *err) {
    struct buffer digits = { 0 };
    size_t before = out->length;
    if (strncasecmp(text, prefix, strlen(prefix)) != 0)
        return err_set(err, ERR_INVALID, "%s: does not begin with '%s'", what, prefix);

    int result = collect(text + strlen(prefix), (max * 8 + 4) / 5 + CHECKSUM_DIGITS, what, &digits, err);
    if (result == 0)
        result = assemble(prefix, &digits, what, out, err);
    buffer_wipe(&digits);
    if (result < 0 && out->data) {
        sodium_memzero(out->data + before, out->length - before);
        out->length = before;
    }
    return result;
}
