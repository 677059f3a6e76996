#include "format_bytes.h"
#include "format_reader.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *format_need(void *memory) {
    if (!memory)
        abort();
    return memory;
}

void format_append(struct bytes *to, const void *data, size_t length) {
    to->at = format_need(realloc(to->at, to->length + length + 1));
    if (length > 0)
        memcpy(to->at + to->length, data, length);
    to->length += length;
    to->at[to->length] = 0;
}

const unsigned char *format_take(struct span *span, size_t length) {
    static const unsigned char zeros[256];
    if (span->bad || span->left < length) {
        span->bad = true;
        return zeros;
    }
    span->at += length;
    span->left -= length;
    return span->at - length;
}

uint64_t format_number(struct span *span, unsigned size) {
    const unsigned char *at = format_take(span, size);
    uint64_t value = 0;
    for (unsigned i = size; i > 0; i--)
        value = value << 8 | at[i - 1];
    return value;
}

uint64_t format_varint(struct span *span) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned char byte = *format_take(span, 1);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            span->bad = span->bad || (byte == 0 && shift > 0);
            return value;
        }
    }
    span->bad = true;
    return 0;
}

int64_t format_signed_varint(struct span *span) {
    uint64_t value = format_varint(span);
    return value % 2 == 0 ? (int64_t)(value / 2) : -(int64_t)(value / 2) - 1;
}

/* Into the caller's array; longer text is malformed. */
void format_text(struct span *span, char *to, size_t size) {
    uint64_t length = format_varint(span);
    to[0] = '\0';
    if (length >= size || length > span->left) {
        span->bad = true;
        return;
    }
    memcpy(to, format_take(span, length), length);
    to[length] = '\0';
}

void format_skip_text(struct span *span) {
    format_take(span, format_varint(span));
}

bool format_read_file(const char *path, struct bytes *content) {
    FILE *file = fopen(path, "rb");
    unsigned char part[65536];
    size_t got;
    if (!file)
        return false;
    format_append(content, "", 0);
    while ((got = fread(part, 1, sizeof part, file)) > 0)
        format_append(content, part, got);
    bool whole = !ferror(file);
    fclose(file);
    return whole;
}

void format_hexadecimal(char *to, const unsigned char *data, size_t length) {
    sodium_bin2hex(to, 2 * length + 1, data, length);
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

const char *format_key_bytes(const char *line, const char *prefix, struct bytes *key) {
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    unsigned char values[2048];
    size_t count = 0;
    if (strncmp(line, prefix, strlen(prefix)) != 0)
        return "key: wrong prefix";
    for (const char *at = line + strlen(prefix); *at && *at != '\n'; at++) {
        if (*at == '-')
            continue;
        const char *digit = strchr(digits, *at);
        if (!digit || count == sizeof values)
            return "key: bad digit";
        values[count++] = (unsigned char)(digit - digits);
    }
    if (count < 6)
        return "key: too short";

    uint32_t pending = 0, sum = 0, expected = 0x3fffffff;
    unsigned bits = 0;
    for (size_t i = 0; i < count - 6; i++) {
        pending = pending << 5 | values[i];
        bits += 5;
        if (bits >= 8) {
            unsigned char byte = (unsigned char)(pending >> (bits -= 8));
            format_append(key, &byte, 1);
        }
        pending &= (1U << bits) - 1;
    }
    for (size_t i = count - 6; i < count; i++)
        sum = sum << 5 | values[i];

    struct bytes covered = { 0 };
    format_append(&covered, prefix, strlen(prefix));
    format_append(&covered, key->at, key->length);
    for (size_t i = 0; i < covered.length * 8; i++) {
        unsigned bit = (covered.at[i / 8] >> (7 - i % 8) & 1) ^ (expected >> 29 & 1);
        expected = (expected << 1 & 0x3fffffff) ^ (bit ? 0x2030b9c7 & 0x3fffffff : 0);
    }
    free(covered.at);
    return pending == 0 && sum == (expected ^ 0x3fffffff) ? NULL : "key: checksum";
}

void format_grow_set(struct set *set, const unsigned char secret[32]) {
    unsigned char seed[32], root_secret[64], write_secret[32], id[32];
    crypto_kdf_derive_from_key(seed, 32, 1, "munimnt1", secret);
    crypto_box_seed_keypair(set->box_public, set->box_secret, seed);
    crypto_kdf_derive_from_key(seed, 32, 2, "munimnt1", secret);
    crypto_sign_seed_keypair(set->root_public, root_secret, seed);
    crypto_kdf_derive_from_key(write_secret, 32, 3, "munimnt1", secret);
    crypto_kdf_derive_from_key(set->preshared, 32, 1, "munimnt2", write_secret);
    crypto_kdf_derive_from_key(set->chunk_id, 32, 2, "munimnt2", write_secret);
    crypto_kdf_derive_from_key(set->index, 32, 4, "munimnt2", write_secret);
    crypto_kdf_derive_from_key(id, 32, 5, "munimnt2", write_secret);
    memcpy(set->id, id, 16);
}

bool format_unseal(unsigned char *plain, const unsigned char *sealed, size_t length, const void *context,
                   size_t context_length, const unsigned char *nonce, const unsigned char *key) {
    return length >= 16 && crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed, length, context,
                                                                      context_length, nonce, key) == 0;
}

const char *format_open_copy(const char *line, const unsigned char set_id[16], const char *passphrase,
                             unsigned char secret[32]) {
    struct bytes key = { 0 }, context = { 0 };
    unsigned char wrapping[32];
    const char *wrong = format_key_bytes(line, "muniment-copy-1-", &key);
    if (!wrong && key.length < 104)
        wrong = "copy: too short";
    if (!wrong) {
        struct span span = { key.at + 8, key.length - 8, false };
        uint64_t passes = format_number(&span, 4), kib = format_number(&span, 4);
        format_append(&context, "muniment copy", 13);
        format_append(&context, set_id, 16);
        format_append(&context, key.at, 32);
        if (crypto_pwhash(wrapping, 32, passphrase, strlen(passphrase), key.at + 16, passes, kib * 1024,
                          crypto_pwhash_ALG_ARGON2ID13) != 0 ||
            !format_unseal(secret, key.at + 56, 48, context.at, context.length, key.at + 32, wrapping))
            wrong = "copy: does not open";
    }
    free(key.at);
    free(context.at);
    return wrong;
}
