#include "pack_internal.h"
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { WRITE_SIZE = 256 * 1024 }; /* bytes gathered before they go to the store */

struct pack_writer {
    struct repo *repo;
    struct store_upload *upload;
    struct sha256 *hash;
    struct buffer pending;
    uint64_t written; /* bytes of chunks, pending ones included */
    struct pack_table table;
    struct open_section {
        struct section_key key; /* of sections begun here; moved ones have none */
        uint32_t next;          /* the next number */
        bool moved;
    } * open;
    size_t open_capacity;
};

int pack_writer_new(struct repo *repo, struct pack_writer **writer, struct err *err) {
    struct store_upload *upload;
    if (store_upload_begin(repo->store, &upload, err) < 0)
        return err_wrap(err, "begin a pack");
    store_upload_lock(upload, repo->lock_until);
    struct pack_writer *w = mem_zalloc(sizeof *w);
    w->repo = repo;
    w->upload = upload;
    w->hash = sha256_new();
    buffer_reserve(&w->pending, WRITE_SIZE + CHUNK_MAX + CHUNK_OVERHEAD);
    buffer_put(&w->pending, PACK_MAGIC, PACK_MAGIC_SIZE);
    *writer = w;
    return 0;
}

static void writer_free(struct pack_writer *writer) {
    if (writer->open)
        sodium_memzero(writer->open, writer->open_capacity * sizeof *writer->open);
    free(writer->open);
    pack_table_release(&writer->table);
    buffer_release(&writer->pending);
    sha256_free(writer->hash);
    free(writer);
}

static int flush(struct pack_writer *writer, struct err *err) {
    sha256_update(writer->hash, writer->pending.data, writer->pending.length);
    if (store_upload_write(writer->upload, writer->pending.data, writer->pending.length, err) < 0)
        return err_wrap(err, "write a pack");
    buffer_clear(&writer->pending);
    return 0;
}

static uint32_t add_section(struct pack_writer *writer) {
    struct pack_table *table = &writer->table;
    uint32_t index = table->section_count++;
    table->sections =
        mem_grow(table->sections, &table->section_capacity, table->section_count, sizeof *table->sections);
    writer->open = mem_grow(writer->open, &writer->open_capacity, table->section_count, sizeof *writer->open);
    writer->open[index] = (struct open_section){ 0 };
    return index;
}

int pack_writer_section(struct pack_writer *writer, enum section_kind kind, uint32_t *section, struct err *err) {
    if (writer->table.section_count >= UINT16_MAX)
        return err_set(err, ERR_INVALID, "a pack cannot hold more than %u sections", UINT16_MAX);
    uint32_t index = add_section(writer);
    writer->table.sections[index].kind = (uint8_t)kind;
    section_key_create(writer->repo->keys, &writer->table.sections[index], &writer->open[index].key);
    *section = index;
    return 0;
}

static struct pack_slot *add_slot(struct pack_writer *writer) {
    struct pack_table *table = &writer->table;
    table->slots = mem_grow(table->slots, &table->slot_capacity, table->slot_count + (size_t)1, sizeof *table->slots);
    return &table->slots[table->slot_count++];
}

int pack_writer_add(struct pack_writer *writer, uint32_t section, const uint8_t id[CHUNK_ID_SIZE],
                    uint32_t plain_length, enum codec codec, const void *encoded, uint32_t length, uint32_t *number,
                    struct err *err) {
    struct open_section *open = &writer->open[section];
    const struct pack_section *described = &writer->table.sections[section];

    struct pack_slot *slot = add_slot(writer);
    memcpy(slot->id, id, CHUNK_ID_SIZE);
    slot->section = section;
    slot->number = open->next++;
    slot->plain_length = plain_length;
    slot->stored_length = length + CHUNK_OVERHEAD;
    slot->codec = (uint8_t)codec;

    uint8_t nonce[CHUNK_NONCE_SIZE], context[CHUNK_CONTEXT_SIZE];
    chunk_context(writer->repo->keys, described->birth, slot->number, plain_length, slot->codec, nonce, context);
    uint8_t *sealed = buffer_extend(&writer->pending, slot->stored_length);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, encoded, length, context, sizeof context, NULL, nonce,
                                               open->key.key);
    writer->written += slot->stored_length;
    *number = slot->number;
    return writer->pending.length >= WRITE_SIZE ? flush(writer, err) : 0;
}

int pack_writer_move(struct pack_writer *writer, const struct pack_section *section, const struct pack_slot *slot,
                     const void *ciphertext, struct err *err) {
    /* A section travels with its chunks, once: most moves continue the last one. */
    uint32_t index = writer->table.section_count;
    while (index > 0 && memcmp(writer->table.sections[index - 1].birth, section->birth, BIRTH_SIZE) != 0)
        index--;
    if (index == 0) {
        index = add_section(writer) + 1;
        writer->table.sections[index - 1] = *section;
        writer->open[index - 1].moved = true;
    }

    struct pack_slot *moved = add_slot(writer);
    *moved = *slot;
    moved->section = index - 1;
    buffer_put(&writer->pending, ciphertext, slot->stored_length);
    writer->written += slot->stored_length;
    return writer->pending.length >= WRITE_SIZE ? flush(writer, err) : 0;
}

uint64_t pack_writer_size(const struct pack_writer *writer) {
    return writer->written;
}

const struct pack_table *pack_writer_table(const struct pack_writer *writer) {
    return &writer->table;
}

int pack_writer_finish(struct pack_writer *writer, struct pack_table *table, struct err *err) {
    size_t before = writer->pending.length;
    pack_trailer_encode(writer->repo->keys, &writer->table, &writer->pending);
    writer->table.size = PACK_MAGIC_SIZE + writer->written + (writer->pending.length - before);
    if (flush(writer, err) < 0) {
        pack_writer_abort(writer);
        return -1;
    }
    sha256_final(writer->hash, writer->table.pack);

    char name[REPO_NAME_MAX];
    repo_pack_name(writer->repo, name, writer->table.pack);
    struct store_upload *upload = writer->upload;
    writer->upload = NULL;
    store_upload_hashed(upload, writer->table.pack);
    store_upload_lock(upload, writer->repo->lock_until);
    if (store_upload_commit(upload, name, err) < 0) {
        writer_free(writer);
        return err_wrap(err, "store a pack");
    }

    *table = writer->table;
    writer->table = (struct pack_table){ 0 };
    writer_free(writer);
    return 0;
}

void pack_writer_abort(struct pack_writer *writer) {
    if (!writer)
        return;
    store_upload_abort(writer->upload);
    writer_free(writer);
}
