/* An open hash table from (device, inode) to the path that was captured first. */

#include "files_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>

static struct link_slot *find_slot(const struct link_table *table, uint64_t device, uint64_t inode) {
    /* Inode numbers are dense: a multiplication spreads them over the table. */
    uint64_t hash = (inode ^ device << 48) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(hash >> 32) & (table->capacity - 1);

    for (;;) {
        struct link_slot *slot = &table->slots[at];
        if (slot->path == NULL || (slot->inode == inode && slot->device == device))
            return slot;
        at = (at + 1) & (table->capacity - 1);
    }
}

const char *link_table_find(const struct link_table *table, uint64_t device, uint64_t inode) {
    return table->capacity == 0 ? NULL : find_slot(table, device, inode)->path;
}

static void grow(struct link_table *table) {
    struct link_table larger = { .count = table->count };

    larger.capacity = table->capacity == 0 ? 64 : table->capacity * 2;
    larger.slots = mem_array(larger.capacity, sizeof *larger.slots);
    for (size_t i = 0; i < table->capacity; i++) {
        const struct link_slot *slot = &table->slots[i];
        if (slot->path != NULL)
            *find_slot(&larger, slot->device, slot->inode) = *slot;
    }
    free(table->slots);
    *table = larger;
}

void link_table_add(struct link_table *table, uint64_t device, uint64_t inode, const char *path) {
    if (table->count * 2 >= table->capacity)
        grow(table);

    struct link_slot *slot = find_slot(table, device, inode);
    if (slot->path == NULL) {
        *slot = (struct link_slot){ .device = device, .inode = inode, .path = mem_string(path) };
        table->count++;
    }
}

void link_table_release(struct link_table *table) {
    for (size_t i = 0; i < table->capacity; i++)
        free(table->slots[i].path);
    free(table->slots);
    *table = (struct link_table){ 0 };
}
