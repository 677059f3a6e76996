#include <muniment/repo/index.h>
#include <muniment/repo/session.h>
#include <muniment/util/memory.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* 24 bytes a chunk: births are kept once. Open addressing on the id, which is a keyed hash and so well spread. */
struct dedup_entry {
    uint8_t id[CHUNK_ID_SIZE];
    uint32_t birth; /* index into `births` plus one; 0: free */
    uint32_t number;
};

struct dedup {
    const struct index *index;
    const struct condemned *condemned;
    pthread_rwlock_t lock;
    struct dedup_entry *entries;
    size_t size, count;
    uint8_t (*births)[BIRTH_SIZE];
    size_t birth_count, birth_capacity;
};

static bool is_condemned(const struct dedup *dedup, const uint8_t pack[32]) {
    return dedup->condemned && condemned_has(dedup->condemned, pack);
}

static struct dedup_entry *position(const struct dedup *dedup, const uint8_t id[CHUNK_ID_SIZE]) {
    size_t mask = dedup->size - 1;
    size_t at = (size_t)get_u64(id) & mask;
    while (dedup->entries[at].birth != 0 && memcmp(dedup->entries[at].id, id, CHUNK_ID_SIZE) != 0)
        at = (at + 1) & mask;
    return &dedup->entries[at];
}

static void reserve(struct dedup *dedup, size_t count) {
    size_t size = dedup->size ? dedup->size : 1024;
    while (size / 4 * 3 < count)
        size *= 2;
    if (size == dedup->size)
        return;
    struct dedup_entry *old = dedup->entries;
    size_t old_size = dedup->size;
    dedup->entries = mem_array(size, sizeof *dedup->entries);
    dedup->size = size;
    for (size_t i = 0; i < old_size; i++)
        if (old[i].birth != 0)
            *position(dedup, old[i].id) = old[i];
    free(old);
}

static uint32_t birth_number(struct dedup *dedup, const uint8_t birth[BIRTH_SIZE]) {
    /* Chunks come section by section, so the birth is nearly always the last one. */
    if (dedup->birth_count == 0 || memcmp(dedup->births[dedup->birth_count - 1], birth, BIRTH_SIZE) != 0) {
        dedup->births = mem_grow(dedup->births, &dedup->birth_capacity, dedup->birth_count + 1, sizeof *dedup->births);
        memcpy(dedup->births[dedup->birth_count++], birth, BIRTH_SIZE);
    }
    return (uint32_t)dedup->birth_count;
}

static void add(struct dedup *dedup, const uint8_t id[CHUNK_ID_SIZE], const uint8_t birth[BIRTH_SIZE],
                uint32_t number) {
    reserve(dedup, dedup->count + 1);
    struct dedup_entry *entry = position(dedup, id);
    if (entry->birth != 0)
        return;
    memcpy(entry->id, id, CHUNK_ID_SIZE);
    entry->birth = birth_number(dedup, birth);
    entry->number = number;
    dedup->count++;
}

static size_t count_slots(const struct pack_table *table, enum section_kind kind) {
    size_t count = 0;
    for (uint32_t s = 0; s < table->slot_count; s++)
        count += table->sections[table->slots[s].section].kind == kind;
    return count;
}

struct dedup *dedup_new(const struct index *index, enum section_kind kind, const struct condemned *condemned) {
    struct dedup *dedup = mem_zalloc(sizeof *dedup);
    dedup->index = index;
    dedup->condemned = condemned;
    pthread_rwlock_init(&dedup->lock, NULL);

    size_t slots = 0;
    for (size_t i = 0; i < index_pack_count(index); i++)
        slots += count_slots(index_pack(index, i), kind);
    reserve(dedup, slots + slots / 8);

    for (size_t i = 0; i < index_pack_count(index); i++) {
        const struct pack_table *table = index_pack(index, i);
        if (is_condemned(dedup, table->pack))
            continue;
        for (uint32_t s = 0; s < table->slot_count; s++) {
            const struct pack_slot *slot = &table->slots[s];
            const struct pack_section *section = &table->sections[slot->section];
            if (section->kind == kind)
                add(dedup, slot->id, section->birth, slot->number);
        }
    }
    return dedup;
}

void dedup_free(struct dedup *dedup) {
    if (!dedup)
        return;
    pthread_rwlock_destroy(&dedup->lock);
    free(dedup->entries);
    free(dedup->births);
    free(dedup);
}

bool dedup_find(struct dedup *dedup, const uint8_t id[CHUNK_ID_SIZE], uint8_t birth[BIRTH_SIZE], uint32_t *number) {
    bool found = false;
    pthread_rwlock_rdlock(&dedup->lock);
    const struct dedup_entry *entry = position(dedup, id);
    if (entry->birth != 0) {
        memcpy(birth, dedup->births[entry->birth - 1], BIRTH_SIZE);
        *number = entry->number;
        found = true;
    }
    pthread_rwlock_unlock(&dedup->lock);
    return found;
}

void dedup_add(struct dedup *dedup, const uint8_t id[CHUNK_ID_SIZE], const uint8_t birth[BIRTH_SIZE], uint32_t number) {
    pthread_rwlock_wrlock(&dedup->lock);
    add(dedup, id, birth, number);
    pthread_rwlock_unlock(&dedup->lock);
}

static bool has_slot(const struct dedup *dedup, const uint8_t birth[BIRTH_SIZE], uint32_t number) {
    struct index_place place;
    for (unsigned skip = 0; index_place(dedup->index, birth, number, skip, &place); skip++)
        if (!is_condemned(dedup, place.table->pack))
            return true;
    return false;
}

bool dedup_has_extent(const struct dedup *dedup, const struct extent *extent) {
    for (uint32_t i = 0; i < extent->count; i++)
        if (!has_slot(dedup, extent->birth, extent->first + i))
            return false;
    return true;
}
