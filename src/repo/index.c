#include "pack_internal.h"
#include <muniment/repo/index.h>
#include <muniment/repo/object_cache.h>
#include <muniment/repo/record.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANCHOR_STEP = 32,                     /* slots between two remembered offsets */
    INDEX_PAYLOAD = 64 * 1024 * 1024,     /* an index object is closed when it has reached this */
    INDEX_OBJECT_MAX = 256 * 1024 * 1024, /* nothing longer is read */
    INDEX_RESTARTS = 8,
};

struct indexed_pack {
    struct pack_table table;
    uint64_t *anchors;  /* offset of every ANCHOR_STEP-th slot */
    uint32_t *order;    /* slots by (section, number); NULL when they stand like that already */
    uint32_t *sections; /* where each section begins in that order; section_count + 1 of them */
    uint8_t object[32]; /* the index object that it was loaded from; zeros: it was added since */
    bool forgotten;
};

/* Open addressing; a birth stands once for every pack that holds slots of it. */
struct birth_entry {
    uint64_t tag; /* first 8 bytes of the birth */
    uint32_t pack;
    uint32_t section;
};

struct index {
    struct indexed_pack *packs;
    size_t count, capacity;
    uint32_t *by_name; /* pack + 1, open addressing on the name's first bytes */
    size_t by_name_size;
    struct birth_entry *births; /* pack UINT32_MAX: free */
    size_t birth_count, birth_size;
    struct store_names objects;
};

struct index *index_new(void) {
    return mem_zalloc(sizeof(struct index));
}

static void clear(struct index *index) {
    for (size_t i = 0; i < index->count; i++) {
        pack_table_release(&index->packs[i].table);
        free(index->packs[i].anchors);
        free(index->packs[i].order);
        free(index->packs[i].sections);
    }
    free(index->packs);
    free(index->by_name);
    free(index->births);
    store_names_release(&index->objects);
    *index = (struct index){ 0 };
}

void index_free(struct index *index) {
    if (!index)
        return;
    clear(index);
    free(index);
}

/* --- packs by name ---------------------------------------------------------------------------------------------- */

static size_t name_position(const struct index *index, const uint8_t pack[32]) {
    size_t mask = index->by_name_size - 1;
    size_t at = (size_t)get_u64(pack) & mask;
    while (index->by_name[at] != 0 && memcmp(index->packs[index->by_name[at] - 1].table.pack, pack, 32) != 0)
        at = (at + 1) & mask;
    return at;
}

static void grow_names(struct index *index) {
    if ((index->count + 1) * 2 <= index->by_name_size)
        return;
    free(index->by_name);
    index->by_name_size = index->by_name_size ? index->by_name_size * 2 : 64;
    index->by_name = mem_array(index->by_name_size, sizeof *index->by_name);
    for (size_t i = 0; i < index->count; i++)
        index->by_name[name_position(index, index->packs[i].table.pack)] = (uint32_t)i + 1;
}

static struct indexed_pack *find_pack(const struct index *index, const uint8_t pack[32]) {
    if (index->by_name_size == 0)
        return NULL;
    uint32_t entry = index->by_name[name_position(index, pack)];
    return entry ? &index->packs[entry - 1] : NULL;
}

/* --- sections by birth -------------------------------------------------------------------------------------------- */

static void place_birth(struct index *index, struct birth_entry entry) {
    size_t mask = index->birth_size - 1;
    size_t at = (size_t)entry.tag & mask;
    while (index->births[at].pack != UINT32_MAX)
        at = (at + 1) & mask;
    index->births[at] = entry;
}

static void add_birth(struct index *index, const uint8_t birth[BIRTH_SIZE], uint32_t pack, uint32_t section) {
    if ((index->birth_count + 1) * 2 > index->birth_size) {
        struct birth_entry *old = index->births;
        size_t old_size = index->birth_size;
        index->birth_size = old_size ? old_size * 2 : 64;
        index->births = mem_array(index->birth_size, sizeof *index->births);
        for (size_t i = 0; i < index->birth_size; i++)
            index->births[i].pack = UINT32_MAX;
        for (size_t i = 0; i < old_size; i++)
            if (old[i].pack != UINT32_MAX)
                place_birth(index, old[i]);
        free(old);
    }
    place_birth(index, (struct birth_entry){ get_u64(birth), pack, section });
    index->birth_count++;
}

/* --- one pack ----------------------------------------------------------------------------------------------------- */

struct order_context {
    const struct pack_slot *slots;
};

static int compare_slots(const void *left, const void *right, void *context) {
    const struct pack_slot *slots = ((const struct order_context *)context)->slots;
    const struct pack_slot *a = &slots[*(const uint32_t *)left], *b = &slots[*(const uint32_t *)right];
    if (a->section != b->section)
        return a->section < b->section ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* A pack that was captured stands in order; only one that a purge filled from several packs may not. */
static void sort_slots(struct indexed_pack *pack) {
    const struct pack_table *table = &pack->table;
    bool sorted = true;
    for (uint32_t i = 1; i < table->slot_count && sorted; i++) {
        const struct pack_slot *before = &table->slots[i - 1], *slot = &table->slots[i];
        sorted = before->section < slot->section || (before->section == slot->section && before->number < slot->number);
    }
    if (!sorted) {
        struct order_context context = { table->slots };
        pack->order = mem_array(table->slot_count, sizeof *pack->order);
        for (uint32_t i = 0; i < table->slot_count; i++)
            pack->order[i] = i;
        qsort_r(pack->order, table->slot_count, sizeof *pack->order, compare_slots, &context);
    }

    pack->sections = mem_array(table->section_count + (size_t)1, sizeof *pack->sections);
    for (uint32_t i = 0; i < table->slot_count; i++)
        pack->sections[table->slots[i].section + 1]++;
    for (uint32_t s = 0; s < table->section_count; s++)
        pack->sections[s + 1] += pack->sections[s];
}

static void anchor_slots(struct indexed_pack *pack) {
    const struct pack_table *table = &pack->table;
    pack->anchors = mem_array(table->slot_count / ANCHOR_STEP + (size_t)1, sizeof *pack->anchors);
    uint64_t offset = PACK_MAGIC_SIZE;
    for (uint32_t i = 0; i < table->slot_count; i++) {
        if (i % ANCHOR_STEP == 0)
            pack->anchors[i / ANCHOR_STEP] = offset;
        offset += table->slots[i].stored_length;
    }
}

void index_add(struct index *index, struct pack_table *table) {
    if (find_pack(index, table->pack)) {
        pack_table_release(table);
        return;
    }
    grow_names(index);
    index->packs = mem_grow(index->packs, &index->capacity, index->count + 1, sizeof *index->packs);
    uint32_t number = (uint32_t)index->count++;
    struct indexed_pack *pack = &index->packs[number];
    *pack = (struct indexed_pack){ .table = *table };
    *table = (struct pack_table){ 0 };

    sort_slots(pack);
    anchor_slots(pack);
    index->by_name[name_position(index, pack->table.pack)] = number + 1;
    for (uint32_t section = 0; section < pack->table.section_count; section++)
        add_birth(index, pack->table.sections[section].birth, number, section);
}

size_t index_pack_count(const struct index *index) {
    return index->count;
}

const struct pack_table *index_pack(const struct index *index, size_t at) {
    return &index->packs[at].table;
}

const struct pack_table *index_find_pack(const struct index *index, const uint8_t pack[32]) {
    struct indexed_pack *found = find_pack(index, pack);
    return found && !found->forgotten ? &found->table : NULL;
}

void index_forget_pack(struct index *index, const uint8_t pack[32]) {
    struct indexed_pack *found = find_pack(index, pack);
    if (found)
        found->forgotten = true;
}

const uint8_t *index_pack_object(const struct index *index, size_t at) {
    return index->packs[at].object;
}

const struct store_names *index_objects(const struct index *index) {
    return &index->objects;
}

/* --- places ---------------------------------------------------------------------------------------------------------
 */

static const struct pack_slot *find_slot(const struct indexed_pack *pack, uint32_t section, uint32_t number) {
    uint32_t low = pack->sections[section], high = pack->sections[section + 1];

    /* Nearly always slot n of a section is its n-th. */
    if (!pack->order && number < high - low && pack->table.slots[low + number].number == number)
        return &pack->table.slots[low + number];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct pack_slot *slot = &pack->table.slots[pack->order ? pack->order[middle] : middle];
        if (slot->number == number)
            return slot;
        if (slot->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static uint64_t slot_offset(const struct indexed_pack *pack, const struct pack_slot *slot) {
    uint32_t at = (uint32_t)(slot - pack->table.slots);
    uint64_t offset = pack->anchors[at / ANCHOR_STEP];
    for (uint32_t i = at - at % ANCHOR_STEP; i < at; i++)
        offset += pack->table.slots[i].stored_length;
    return offset;
}

bool index_place(const struct index *index, const uint8_t birth[BIRTH_SIZE], uint32_t number, unsigned skip,
                 struct index_place *place) {
    if (index->birth_size == 0)
        return false;
    uint64_t tag = get_u64(birth);
    size_t mask = index->birth_size - 1;
    for (size_t at = (size_t)tag & mask; index->births[at].pack != UINT32_MAX; at = (at + 1) & mask) {
        const struct birth_entry *entry = &index->births[at];
        if (entry->tag != tag)
            continue;
        const struct indexed_pack *pack = &index->packs[entry->pack];
        if (pack->forgotten || memcmp(pack->table.sections[entry->section].birth, birth, BIRTH_SIZE) != 0)
            continue;
        const struct pack_slot *slot = find_slot(pack, entry->section, number);
        if (!slot || skip-- > 0)
            continue;
        *place = (struct index_place){ &pack->table, entry->pack, slot, slot_offset(pack, slot) };
        return true;
    }
    return false;
}

/* --- objects
 * ---------------------------------------------------------------------------------------------------------- */

static int decode_object(struct index *index, const struct buffer *payload, const char *name, struct err *err) {
    struct reader reader;
    size_t first = index->count;
    reader_init(&reader, payload->data, payload->length);
    uint64_t count = reader_varint(&reader);
    for (uint64_t i = 0; i < count && !reader.failed; i++) {
        struct pack_table table = { 0 };
        uint8_t pack[32];
        reader_copy(&reader, pack, sizeof pack);
        uint64_t size = reader_u64(&reader);
        if (reader.failed)
            break;
        if (pack_table_decode(&table, &reader, name, err) < 0)
            return -1;
        memcpy(table.pack, pack, sizeof pack);
        table.size = size;
        index_add(index, &table);
    }
    for (size_t i = first; i < index->count; i++)
        (void)repo_name_hash(name, index->packs[i].object);
    return reader_finish(&reader, name, err);
}

/* Returns 1 when an object vanished, so that the caller lists anew. */
static int load_objects(struct index *index, struct repo *repo, struct err *err) {
    char folder[REPO_NAME_MAX];
    struct store_names names = { 0 };
    struct buffer payload = { 0 };
    int result = -1;

    if (store_names_load(repo->store, repo_folder(repo, folder, "index"), &names, err) < 0)
        goto out;
    object_cache_keep(repo, "index", &names);
    for (size_t i = 0; i < names.count; i++) {
        if (store_names_find(&index->objects, names.items[i].name))
            continue;
        buffer_clear(&payload);
        if (record_load(repo, RECORD_INDEX, names.items[i].name, INDEX_OBJECT_MAX, &payload, NULL, err) < 0) {
            result = err->code == ERR_NOT_FOUND ? 1 : -1;
            goto out;
        }
        if (decode_object(index, &payload, names.items[i].name, err) < 0)
            goto out;
    }
    store_names_release(&index->objects);
    index->objects = names;
    names = (struct store_names){ 0 };
    result = 0;
out:
    if (result < 0 && err->code == ERR_CORRUPT)
        err_hint(err, "`muniment repair` writes the index anew from the packs");
    buffer_release(&payload);
    store_names_release(&names);
    return result;
}

int index_load(struct index *index, struct repo *repo, struct err *err) {
    for (int attempt = 0; attempt < INDEX_RESTARTS; attempt++) {
        int result = load_objects(index, repo, err);
        if (result <= 0)
            return result < 0 ? err_wrap(err, "load the index") : 0;
        err_clear(err);
    }
    return err_set(err, ERR_CORRUPT, "load the index: its objects vanished while they were read, %d times in a row",
                   INDEX_RESTARTS);
}

static int save_object(struct repo *repo, const struct buffer *tables, uint64_t count, struct err *err) {
    struct buffer payload = { 0 }, object = { 0 };
    uint8_t hash[32];
    char leaf[65], name[REPO_NAME_MAX];

    buffer_put_varint(&payload, count);
    buffer_put(&payload, tables->data, tables->length);
    record_seal(repo->keys, RECORD_INDEX, payload.data, payload.length, &object, hash);
    repo_name(repo, name, "index", hex_encode(leaf, hash, sizeof hash));
    struct repo unlocked = *repo; /* the next purge replaces it */
    unlocked.lock_until = 0;
    int result = record_store(&unlocked, name, &object, err);
    buffer_release(&payload);
    buffer_release(&object);
    return result < 0 ? err_wrap(err, "save the index") : 0;
}

int index_save(const struct index *index, size_t first_pack, struct repo *repo, struct err *err) {
    struct buffer tables = { 0 };
    uint64_t count = 0;
    int result = 0;
    for (size_t i = first_pack; i < index->count && result == 0; i++) {
        if (index->packs[i].forgotten)
            continue;
        const struct pack_table *table = &index->packs[i].table;
        buffer_put(&tables, table->pack, sizeof table->pack);
        buffer_put_u64(&tables, table->size);
        pack_table_encode(table, &tables);
        count++;
        if (tables.length >= INDEX_PAYLOAD) {
            result = save_object(repo, &tables, count, err);
            buffer_clear(&tables);
            count = 0;
        }
    }
    if (result == 0 && count > 0)
        result = save_object(repo, &tables, count, err);
    buffer_release(&tables);
    return result;
}
