/* What format_reader.c is made of: bytes, numbers, keys. Shares no code with muniment either. */
#ifndef MUNIMENT_TESTS_FORMAT_BYTES_H
#define MUNIMENT_TESTS_FORMAT_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    unsigned char *at;
    size_t length;
};

struct span {
    const unsigned char *at;
    size_t left;
    bool bad;
};

/* What grows from R. */
struct set {
    unsigned char id[16], box_public[32], box_secret[32], root_public[32], preshared[32], chunk_id[32], index[32];
};

/* A span that is too short, or malformed, is bad from then on. */
void *format_need(void *memory);
void format_append(struct bytes *to, const void *data, size_t length);
const unsigned char *format_take(struct span *span, size_t length);
uint64_t format_number(struct span *span, unsigned size);
uint64_t format_varint(struct span *span);
int64_t format_signed_varint(struct span *span);
void format_text(struct span *span, char *to, size_t size);
void format_skip_text(struct span *span);
bool format_read_file(const char *path, struct bytes *content);
void format_hexadecimal(char *to, const unsigned char *data, size_t length);
const char *format_key_bytes(const char *line, const char *prefix, struct bytes *key);
void format_grow_set(struct set *set, const unsigned char secret[32]);
bool format_unseal(unsigned char *plain, const unsigned char *sealed, size_t length, const void *context,
                   size_t context_length, const unsigned char *nonce, const unsigned char *key);

#endif
