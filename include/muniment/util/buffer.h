/*
 * Bytes that grow, and a bounded reader over bytes.
 *
 * Every integer on disk is little-endian and goes through these two; structs are never dumped. A buffer is
 * zero-initialised (`struct buffer b = {0};`) and released with buffer_release().
 *
 * The reader never reads past its end: a short or malformed input sets `failed`, every later get returns zero,
 * and the caller checks `failed` once at the end (reader_finish() also refuses bytes that were left over).
 */
#ifndef MUNIMENT_UTIL_BUFFER_H
#define MUNIMENT_UTIL_BUFFER_H

#include <muniment/util/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *data;
    size_t length;
    size_t capacity;
    bool borrowed; /* the memory is another's, and does not grow */
};

/* Over memory of the caller's. Whoever writes to it keeps within `capacity` by a bound of his own: to exceed it is an
 * error of the program, which ends it. */
struct buffer buffer_over(void *memory, size_t capacity);

void buffer_release(struct buffer *buffer);                  /* frees; the buffer is empty again */
void buffer_wipe(struct buffer *buffer);                     /* zeroes what it held, then frees: for secrets */
void buffer_clear(struct buffer *buffer);                    /* length 0, keeps the memory */
uint8_t *buffer_reserve(struct buffer *buffer, size_t more); /* room for `more` bytes after length; returns where */
uint8_t *buffer_extend(struct buffer *buffer, size_t more);  /* reserve and count them as used, uninitialised */

void buffer_put(struct buffer *buffer, const void *data, size_t length);
void buffer_put_u8(struct buffer *buffer, uint8_t value);
void buffer_put_u16(struct buffer *buffer, uint16_t value);
void buffer_put_u32(struct buffer *buffer, uint32_t value);
void buffer_put_u64(struct buffer *buffer, uint64_t value);
void buffer_put_i64(struct buffer *buffer, int64_t value);
void buffer_put_varint(struct buffer *buffer, uint64_t value); /* LEB128, at most 10 bytes */
void buffer_put_text(struct buffer *buffer,
                     const char *text); /* varint length, then the bytes, no terminator; NULL is "" */
void buffer_put_blob(struct buffer *buffer, const void *data, size_t length); /* varint length, then the bytes */
void buffer_printf(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3); /* no terminator counted */
const char *buffer_text(struct buffer *buffer); /* the bytes, terminated (the terminator is not counted) */

struct reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

void reader_init(struct reader *reader, const void *data, size_t length);
uint8_t reader_u8(struct reader *reader);
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
int64_t reader_i64(struct reader *reader);
uint64_t reader_varint(struct reader *reader);                     /* refuses more than 64 bits and non-minimal forms */
const uint8_t *reader_bytes(struct reader *reader, size_t length); /* borrowed; NULL when short */
void reader_copy(struct reader *reader, void *to, size_t length);  /* zeroes `to` when short */
char *reader_text(struct reader *reader, size_t max); /* owned, terminated; refuses NUL bytes and length > max;
                                                         never NULL: "" when failed */
const uint8_t *reader_blob(struct reader *reader, size_t max, size_t *length);                /* borrowed */
int reader_finish(const struct reader *reader, const char *what, struct err *err) MUST_CHECK; /* ERR_CORRUPT */

/* Fixed places in a caller's memory. */
void put_u32(uint8_t *at, uint32_t value);
void put_u64(uint8_t *at, uint64_t value);
uint32_t get_u32(const uint8_t *at);
uint64_t get_u64(const uint8_t *at);

#endif
