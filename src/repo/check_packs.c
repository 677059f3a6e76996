#include "check_internal.h"
#include "pack_internal.h"
#include <muniment/util/cores.h>
#include <muniment/util/hex.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { READERS_MAX = 4, DAY = 86400 };

struct readers {
    struct check *check;
    atomic_size_t next;  /* the pack that is read next */
    atomic_bool stopped; /* one of them could not go on */
    struct err err;      /* why; under the check's mutex */
};

/* --- one pack -------------------------------------------------------------------------------------------------------
 */

/* Opens every chunk that the keys here can open. */
static int open_chunks(struct check *check, struct chunk_opener *opener, const struct pack_table *table,
                       const struct buffer *bytes, const char *name, struct err *err) {
    const struct keys *keys = check->repo->keys;
    struct section_key *section_keys = mem_array(table->section_count + (size_t)1, sizeof *section_keys);
    uint8_t *plain = mem_alloc(CHUNK_MAX);
    int result = 0;

    for (uint32_t i = 0; i < table->section_count && result == 0; i++)
        if (keys->can_read || table->sections[i].kind == SECTION_INDEX)
            result = section_key_open(keys, &table->sections[i], &section_keys[i], err);
    uint64_t offset = PACK_MAGIC_SIZE;
    for (uint32_t i = 0; i < table->slot_count && result == 0; i++) {
        const struct pack_slot *slot = &table->slots[i];
        const struct pack_section *section = &table->sections[slot->section];
        if (keys->can_read || section->kind == SECTION_INDEX)
            result = chunk_open(opener, keys, &section_keys[slot->section], section, slot, bytes->data + offset, plain,
                                NULL, name, err);
        offset += slot->stored_length;
    }
    free(section_keys);
    free(plain);
    return result;
}

static bool tables_agree(const struct pack_table *left, const struct pack_table *right) {
    struct buffer a = { 0 }, b = { 0 };
    pack_table_encode(left, &a);
    pack_table_encode(right, &b);
    bool agree = a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
    buffer_release(&a);
    buffer_release(&b);
    return agree;
}

/* Hash, beginning, table, index, chunks, in this order: -1 tells the first that does not hold. */
static int check_bytes(struct check *check, struct chunk_opener *opener, const struct checked_pack *pack,
                       const struct buffer *bytes, const char *name, struct err *err) {
    struct pack_table table = { 0 };
    uint8_t hash[32];
    sha256_once(hash, bytes->data, bytes->length);
    if (memcmp(hash, pack->name, sizeof hash) != 0)
        return err_set(err, ERR_CORRUPT, "%s: its bytes are not those its name was made from", name);
    if (bytes->length < PACK_MAGIC_SIZE || memcmp(bytes->data, PACK_MAGIC, PACK_MAGIC_SIZE) != 0)
        return err_set(err, ERR_CORRUPT, "%s: does not begin as a pack", name);
    if (pack_table_open(check->repo->keys, pack->name, bytes->data, bytes->length, bytes->length, &table, NULL, err) <
        0)
        return -1;

    const struct pack_table *indexed = index_find_pack(check->index, pack->name);
    int result = indexed && !tables_agree(&table, indexed)
                     ? err_set(err, ERR_CORRUPT, "%s: the index tells of other chunks than its own table", name)
                     : open_chunks(check, opener, &table, bytes, name, err);
    pack_table_release(&table);
    return result;
}

static int check_pack(struct check *check, struct chunk_opener *opener, const struct checked_pack *pack,
                      struct buffer *bytes, struct err *err) {
    char name[REPO_NAME_MAX];
    repo_pack_name(check->repo, name, pack->name);
    buffer_clear(bytes);

    int result = store_get(check->repo->store, name, PACK_TARGET + PACK_TABLE_MAX, bytes, err);
    if (result == 0) {
        pthread_mutex_lock(&check->mutex);
        check->result->bytes_read += bytes->length;
        pthread_mutex_unlock(&check->mutex);
        result = check_bytes(check, opener, pack, bytes, name, err);
    }
    if (check->options->progress) {
        atomic_fetch_add(&check->options->progress->done, pack->size);
        atomic_fetch_add(&check->options->progress->items, 1);
    }
    if (result < 0 && err->code == ERR_NOT_FOUND) {
        err_clear(err); /* a purge destroyed it; what is missed was told before */
        return 0;
    }
    return result < 0 ? check_found(check, name, err) : 0;
}

/* --- all of them ----------------------------------------------------------------------------------------------------
 */

/* A hundred groups by name; the turn moves on by as many groups a day as are read at a time. */
static bool has_its_turn(const struct check_options *options, const struct checked_pack *pack) {
    if (options->read_percent >= 100)
        return true;
    uint64_t group = get_u32(pack->name) % 100;
    uint64_t first = (uint64_t)(options->now / DAY) * options->read_percent % 100;
    return (group + 100 - first) % 100 < options->read_percent;
}

static void *read_packs(void *context) {
    struct readers *readers = context;
    struct check *check = readers->check;
    struct chunk_opener *opener = chunk_opener_new(check->repo->keys);
    struct buffer bytes = { 0 };
    struct err err = { 0 };

    while (!atomic_load(&readers->stopped)) {
        size_t at = atomic_fetch_add(&readers->next, 1);
        if (at >= check->pack_count)
            break;
        if (!has_its_turn(check->options, &check->packs[at]))
            continue;
        if (interrupt_check(&err) == 0 && check_pack(check, opener, &check->packs[at], &bytes, &err) == 0)
            continue;
        pthread_mutex_lock(&check->mutex);
        if (!atomic_exchange(&readers->stopped, true))
            readers->err = err;
        pthread_mutex_unlock(&check->mutex);
    }
    buffer_release(&bytes);
    chunk_opener_free(opener);
    return NULL;
}

int check_packs(struct check *check, struct err *err) {
    struct readers readers = { .check = check };
    pthread_t threads[READERS_MAX];
    size_t started = 0, chosen = 0;
    uint64_t total = 0;

    for (size_t i = 0; i < check->pack_count; i++)
        if (has_its_turn(check->options, &check->packs[i])) {
            total += check->packs[i].size;
            chosen++;
        }
    if (check->options->progress)
        atomic_store(&check->options->progress->total, total);

    /* This thread reads, too; one that cannot be started is one fewer. */
    unsigned wanted = store_transfers(check->repo->store) > 1 ? READERS_MAX : cores_online();
    while (chosen > 1 && started + 1 < READERS_MAX && started + 1 < chosen && started + 1 < wanted &&
           pthread_create(&threads[started], NULL, read_packs, &readers) == 0)
        started++;
    if (chosen > 0)
        read_packs(&readers);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (readers.stopped)
        *err = readers.err;
    return readers.stopped ? -1 : 0;
}
