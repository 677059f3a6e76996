#include <muniment/util/buffer.h>
#include <muniment/util/memory.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VARINT_MAX = 10 }; /* bytes that 64 bits take, seven at a time */

/*
 * Fixed places
 */

void put_u32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

void put_u64(uint8_t *at, uint64_t value) {
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

uint32_t get_u32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint64_t get_u64(const uint8_t *at) {
    return (uint64_t)get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

/*
 * Writing
 */

struct buffer buffer_over(void *memory, size_t capacity) {
    return (struct buffer){ .data = memory, .capacity = capacity, .borrowed = true };
}

void buffer_release(struct buffer *buffer) {
    if (!buffer->borrowed)
        free(buffer->data);
    *buffer = (struct buffer){ 0 };
}

void buffer_wipe(struct buffer *buffer) {
    if (buffer->data != NULL)
        explicit_bzero(buffer->data, buffer->capacity);
    buffer_release(buffer);
}

void buffer_clear(struct buffer *buffer) {
    buffer->length = 0;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t more) {
    size_t need;

    /* No memory holds the sum then; asking for all there is ends the process with the right message. */
    if (__builtin_add_overflow(buffer->length, more, &need))
        need = SIZE_MAX;
    if (buffer->borrowed && need > buffer->capacity)
        abort();
    if (need > buffer->capacity || buffer->data == NULL)
        buffer->data = mem_grow(buffer->data, &buffer->capacity, need > 64 ? need : 64, 1);
    return buffer->data + buffer->length;
}

uint8_t *buffer_extend(struct buffer *buffer, size_t more) {
    uint8_t *at = buffer_reserve(buffer, more);
    buffer->length += more;
    return at;
}

void buffer_put(struct buffer *buffer, const void *data, size_t length) {
    if (length > 0)
        memcpy(buffer_extend(buffer, length), data, length);
}

void buffer_put_u8(struct buffer *buffer, uint8_t value) {
    *buffer_extend(buffer, 1) = value;
}

void buffer_put_u16(struct buffer *buffer, uint16_t value) {
    uint8_t *at = buffer_extend(buffer, 2);
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

void buffer_put_u32(struct buffer *buffer, uint32_t value) {
    put_u32(buffer_extend(buffer, 4), value);
}

void buffer_put_u64(struct buffer *buffer, uint64_t value) {
    put_u64(buffer_extend(buffer, 8), value);
}

void buffer_put_i64(struct buffer *buffer, int64_t value) {
    buffer_put_u64(buffer, (uint64_t)value);
}

void buffer_put_varint(struct buffer *buffer, uint64_t value) {
    uint8_t *at = buffer_reserve(buffer, VARINT_MAX);
    size_t length = 0;

    while (value >= 0x80) {
        at[length++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    at[length++] = (uint8_t)value;
    buffer->length += length;
}

void buffer_put_blob(struct buffer *buffer, const void *data, size_t length) {
    buffer_put_varint(buffer, length);
    buffer_put(buffer, data, length);
}

void buffer_put_text(struct buffer *buffer, const char *text) {
    buffer_put_blob(buffer, text, text != NULL ? strlen(text) : 0);
}

void buffer_printf(struct buffer *buffer, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length <= 0)
        return;

    char *at = (char *)buffer_reserve(buffer, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(at, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->length += (size_t)length;
}

const char *buffer_text(struct buffer *buffer) {
    *buffer_reserve(buffer, 1) = '\0';
    return (const char *)buffer->data;
}

/*
 * Reading
 */

void reader_init(struct reader *reader, const void *data, size_t length) {
    *reader = (struct reader){ .at = data, .left = length };
}

const uint8_t *reader_bytes(struct reader *reader, size_t length) {
    static const uint8_t nothing[1];

    if (reader->failed || length > reader->left) {
        reader->failed = true;
        return NULL;
    }
    if (length == 0)
        return reader->at != NULL ? reader->at : nothing;
    const uint8_t *bytes = reader->at;
    reader->at += length;
    reader->left -= length;
    return bytes;
}

void reader_copy(struct reader *reader, void *to, size_t length) {
    const uint8_t *bytes = reader_bytes(reader, length);

    if (bytes == NULL)
        memset(to, 0, length);
    else if (length > 0)
        memcpy(to, bytes, length);
}

uint8_t reader_u8(struct reader *reader) {
    const uint8_t *at = reader_bytes(reader, 1);
    return at != NULL ? at[0] : 0;
}

uint16_t reader_u16(struct reader *reader) {
    const uint8_t *at = reader_bytes(reader, 2);
    return at != NULL ? (uint16_t)(at[0] | at[1] << 8) : 0;
}

uint32_t reader_u32(struct reader *reader) {
    const uint8_t *at = reader_bytes(reader, 4);
    return at != NULL ? get_u32(at) : 0;
}

uint64_t reader_u64(struct reader *reader) {
    const uint8_t *at = reader_bytes(reader, 8);
    return at != NULL ? get_u64(at) : 0;
}

int64_t reader_i64(struct reader *reader) {
    return (int64_t)reader_u64(reader);
}

uint64_t reader_varint(struct reader *reader) {
    uint64_t value = 0;

    for (int i = 0; i < VARINT_MAX; i++) {
        const uint8_t byte = reader_u8(reader);
        if (reader->failed)
            return 0;
        /* One number has one form: the tenth byte has room for one bit, and a last byte of zero says nothing. */
        if ((i == VARINT_MAX - 1 && byte > 1) || (i > 0 && byte == 0))
            break;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return value;
    }
    reader->failed = true;
    return 0;
}

const uint8_t *reader_blob(struct reader *reader, size_t max, size_t *length) {
    const uint64_t announced = reader_varint(reader);

    *length = 0;
    if (announced > max)
        reader->failed = true;
    const uint8_t *bytes = reader->failed ? NULL : reader_bytes(reader, (size_t)announced);
    if (bytes != NULL)
        *length = (size_t)announced;
    return bytes;
}

char *reader_text(struct reader *reader, size_t max) {
    size_t length;
    const uint8_t *bytes = reader_blob(reader, max, &length);

    if (bytes != NULL && length > 0 && memchr(bytes, '\0', length) != NULL) {
        reader->failed = true;
        length = 0;
    }
    char *text = mem_alloc(length + 1);
    if (length > 0)
        memcpy(text, bytes, length);
    text[length] = '\0';
    return text;
}

int reader_finish(const struct reader *reader, const char *what, struct err *err) {
    if (reader->failed)
        return err_set(err, ERR_CORRUPT, "%s is cut short or malformed", what);
    if (reader->left > 0)
        return err_set(err, ERR_CORRUPT, "%s has %zu bytes too many", what, reader->left);
    return 0;
}
