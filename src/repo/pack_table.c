#include "pack_internal.h"
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char TABLE_CONTEXT[] = "muniment table";

enum {
    TABLE_NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TABLE_TAG = 16,
    TABLE_USUAL = 256 * 1024, /* bytes at a pack's end that hold most tables */
};

void pack_table_release(struct pack_table *table) {
    free(table->sections);
    free(table->slots);
    *table = (struct pack_table){ 0 };
}

/*
 * Slots mostly follow one another, so a slot's number stands as its difference from the number expected (one more than
 * the one before it), zigzag-coded: one byte, zero, nearly always.
 */
void pack_table_encode(const struct pack_table *table, struct buffer *out) {
    buffer_put_varint(out, table->section_count);
    for (uint32_t i = 0; i < table->section_count; i++) {
        const struct pack_section *section = &table->sections[i];
        buffer_put(out, section->birth, BIRTH_SIZE);
        buffer_put_u8(out, section->kind);
        buffer_put(out, section->wrapped, SECTION_WRAPPED_SIZE);
        buffer_put(out, section->commitment, sizeof section->commitment);
    }

    buffer_put_varint(out, table->slot_count);
    uint32_t expected = 0;
    for (uint32_t i = 0; i < table->slot_count; i++) {
        const struct pack_slot *slot = &table->slots[i];
        int64_t step = (int64_t)slot->number - (int64_t)expected;
        buffer_put(out, slot->id, CHUNK_ID_SIZE);
        buffer_put_varint(out, slot->section);
        buffer_put_varint(out, step >= 0 ? (uint64_t)step * 2 : (uint64_t)-step * 2 - 1);
        buffer_put_varint(out, slot->plain_length);
        buffer_put_varint(out, slot->stored_length);
        buffer_put_u8(out, slot->codec);
        expected = slot->number + 1;
    }
}

static bool decode_section(struct pack_section *section, struct reader *reader) {
    reader_copy(reader, section->birth, BIRTH_SIZE);
    section->kind = reader_u8(reader);
    reader_copy(reader, section->wrapped, SECTION_WRAPPED_SIZE);
    reader_copy(reader, section->commitment, sizeof section->commitment);
    return !reader->failed && (section->kind == SECTION_DATA || section->kind == SECTION_INDEX);
}

static bool decode_slot(struct pack_slot *slot, uint32_t section_count, uint32_t expected, struct reader *reader) {
    reader_copy(reader, slot->id, CHUNK_ID_SIZE);
    uint64_t section = reader_varint(reader);
    uint64_t zigzag = reader_varint(reader);
    uint64_t plain = reader_varint(reader);
    uint64_t stored = reader_varint(reader);
    slot->codec = reader_u8(reader);

    if (reader->failed || section >= section_count || zigzag > (uint64_t)UINT32_MAX * 2 || plain == 0 ||
        plain > CHUNK_MAX || stored <= CHUNK_OVERHEAD || stored > plain + CHUNK_OVERHEAD)
        return false;
    if (slot->codec != CODEC_RAW && slot->codec != CODEC_ZSTD)
        return false;
    if (slot->codec == CODEC_RAW && stored != plain + CHUNK_OVERHEAD)
        return false;

    int64_t step = zigzag % 2 == 0 ? (int64_t)(zigzag / 2) : -(int64_t)((zigzag + 1) / 2);
    int64_t number = (int64_t)expected + step;
    if (number < 0 || number >= UINT32_MAX)
        return false;
    slot->section = (uint32_t)section;
    slot->number = (uint32_t)number;
    slot->plain_length = (uint32_t)plain;
    slot->stored_length = (uint32_t)stored;
    return true;
}

int pack_table_decode(struct pack_table *table, struct reader *reader, const char *name, struct err *err) {
    enum { SECTION_BYTES = BIRTH_SIZE + 1 + SECTION_WRAPPED_SIZE + 32, SLOT_BYTES_LEAST = CHUNK_ID_SIZE + 5 };

    /* Counts are bounded by the bytes that are there, before anything is allocated for them. */
    uint64_t sections = reader_varint(reader);
    if (reader->failed || sections > reader->left / SECTION_BYTES)
        goto malformed;
    table->sections = mem_array(sections ? sections : 1, sizeof *table->sections);
    table->section_capacity = sections ? sections : 1;
    for (uint64_t i = 0; i < sections; i++)
        if (!decode_section(&table->sections[table->section_count++], reader))
            goto malformed;

    uint64_t slots = reader_varint(reader);
    if (reader->failed || slots > reader->left / SLOT_BYTES_LEAST)
        goto malformed;
    table->slots = mem_array(slots ? slots : 1, sizeof *table->slots);
    table->slot_capacity = slots ? slots : 1;
    uint32_t expected = 0;
    for (uint64_t i = 0; i < slots; i++) {
        struct pack_slot *slot = &table->slots[table->slot_count++];
        if (!decode_slot(slot, table->section_count, expected, reader))
            goto malformed;
        expected = slot->number + 1;
    }
    return 0;

malformed:
    pack_table_release(table);
    return err_set(err, ERR_CORRUPT, "%s: the table of a pack is malformed", name);
}

static size_t table_context(const struct keys *keys, uint8_t context[64]) {
    size_t length = sizeof TABLE_CONTEXT - 1;
    memcpy(context, TABLE_CONTEXT, length);
    memcpy(context + length, keys->set_id, SET_ID_SIZE);
    return length + SET_ID_SIZE;
}

void pack_trailer_encode(const struct keys *keys, const struct pack_table *table, struct buffer *out) {
    struct buffer plain = { 0 };
    pack_table_encode(table, &plain);

    uint8_t context[64];
    size_t context_length = table_context(keys, context);
    uint32_t sealed_length = (uint32_t)(TABLE_NONCE + plain.length + TABLE_TAG);
    uint8_t *sealed = buffer_extend(out, sealed_length);
    randombytes_buf(sealed, TABLE_NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + TABLE_NONCE, NULL, plain.data, plain.length, context,
                                               context_length, NULL, sealed, keys->index_key);
    buffer_put_u32(out, sealed_length);
    buffer_put(out, PACK_TRAILER_MAGIC, PACK_MAGIC_SIZE);
    buffer_release(&plain);
}

static int open_table(const struct keys *keys, const uint8_t *sealed, size_t length, struct pack_table *table,
                      const char *name, struct err *err) {
    uint8_t context[64];
    size_t context_length = table_context(keys, context);
    size_t plain_length = length - TABLE_NONCE - TABLE_TAG;
    uint8_t *plain = mem_alloc(plain_length + 1);
    struct reader reader;
    int result = -1;

    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed + TABLE_NONCE, length - TABLE_NONCE,
                                                   context, context_length, sealed, keys->index_key) != 0) {
        err_set(err, ERR_CORRUPT, "%s: the table of the pack does not authenticate", name);
        goto out;
    }
    reader_init(&reader, plain, plain_length);
    if (pack_table_decode(table, &reader, name, err) < 0)
        goto out;
    if (reader_finish(&reader, name, err) < 0) {
        pack_table_release(table);
        goto out;
    }
    result = 0;
out:
    free(plain);
    return result;
}

int pack_table_open(const struct keys *keys, const uint8_t pack[32], const uint8_t *tail, size_t length, uint64_t size,
                    struct pack_table *table, size_t *needed, struct err *err) {
    char name[2 * SHA256_SIZE + 1];
    hex_encode(name, pack, SHA256_SIZE);
    *table = (struct pack_table){ 0 };

    /* The end says how long the table before it is. */
    if (size < PACK_MAGIC_SIZE + TABLE_NONCE + TABLE_TAG + PACK_TRAILER_SIZE || length < PACK_TRAILER_SIZE)
        return err_set(err, ERR_CORRUPT, "%s: too short to be a pack", name);
    const uint8_t *end = tail + length - PACK_TRAILER_SIZE;
    uint32_t sealed_length = get_u32(end);
    if (memcmp(end + 4, PACK_TRAILER_MAGIC, PACK_MAGIC_SIZE) != 0 || sealed_length < TABLE_NONCE + TABLE_TAG ||
        sealed_length > PACK_TABLE_MAX || sealed_length > size - PACK_MAGIC_SIZE - PACK_TRAILER_SIZE)
        return err_set(err, ERR_CORRUPT, "%s: the end of the pack is not one", name);
    size_t whole = (size_t)sealed_length + PACK_TRAILER_SIZE;
    if (needed)
        *needed = whole;
    if (whole > length)
        return 0;
    if (open_table(keys, end - sealed_length, sealed_length, table, name, err) < 0)
        return -1;

    /* The chunks must fill the pack exactly. */
    uint64_t sum = PACK_MAGIC_SIZE + whole;
    for (uint32_t i = 0; i < table->slot_count; i++)
        sum += table->slots[i].stored_length;
    if (sum != size) {
        pack_table_release(table);
        return err_set(err, ERR_CORRUPT, "%s: holds %llu bytes where its table describes %llu", name,
                       (unsigned long long)size, (unsigned long long)sum);
    }
    memcpy(table->pack, pack, sizeof table->pack);
    table->size = size;
    return 0;
}

int pack_table_load(struct repo *repo, const uint8_t pack[32], uint64_t size, struct pack_table *table,
                    struct err *err) {
    char name[REPO_NAME_MAX];
    struct buffer tail = { 0 };
    size_t length, needed = size < TABLE_USUAL ? (size_t)size : TABLE_USUAL;
    int result;
    repo_pack_name(repo, name, pack);
    do {
        length = needed;
        buffer_clear(&tail);
        result = store_get_range(repo->store, name, size - length, buffer_extend(&tail, length), length, err);
        if (result == 0)
            result = pack_table_open(repo->keys, pack, tail.data, length, size, table, &needed, err);
    } while (result == 0 && length < needed);
    buffer_release(&tail);
    return result;
}
