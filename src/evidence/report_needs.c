#include "report_needs_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { COPIES_MAX = 16 }; /* of a slot that are looked at: a purge moves it once or twice */

/* A pack of the index, by its number there. */
struct numbered_pack {
    uint8_t name[32];
    uint32_t number;
};

/*
 * What an extent needs is worked out once: a snapshot shares nearly all of them with the one before it. Choices stand
 * one after another in `choices`, each as how many packs it names and their numbers: any one of them will do.
 */
struct known_extent {
    struct extent extent;
    size_t first, length; /* in `choices` */
    bool used, unknown;   /* unknown: no pack of the index holds one of its slots */
};

struct needs {
    struct index *index;
    struct numbered_pack *packs; /* sorted by name */
    size_t count;
    uint32_t *choices;
    size_t length, capacity;
    struct known_extent *table; /* open addressing; a power of two */
    size_t size, used;

    /* Of the snapshot at hand. */
    struct need *need;
    uint64_t *seen;  /* one bit a pack */
    size_t *several; /* choices between several packs, each once */
    size_t several_count, several_capacity;
};

static int by_name(const void *left, const void *right) {
    return memcmp(((const struct numbered_pack *)left)->name, ((const struct numbered_pack *)right)->name, 32);
}

struct needs *needs_new(struct index *index) {
    struct needs *needs = mem_zalloc(sizeof *needs);
    needs->index = index;
    needs->count = index_pack_count(index);
    needs->packs = mem_array(needs->count + 1, sizeof *needs->packs);
    needs->seen = mem_array(needs->count / 64 + 1, sizeof *needs->seen);
    for (size_t i = 0; i < needs->count; i++) {
        memcpy(needs->packs[i].name, index_pack(index, i)->pack, 32);
        needs->packs[i].number = (uint32_t)i;
    }
    if (needs->count > 1)
        qsort(needs->packs, needs->count, sizeof *needs->packs, by_name);
    needs->size = 1024;
    needs->table = mem_array(needs->size, sizeof *needs->table);
    return needs;
}

void needs_free(struct needs *needs) {
    if (!needs)
        return;
    free(needs->packs);
    free(needs->choices);
    free(needs->table);
    free(needs->seen);
    free(needs->several);
    free(needs);
}

/* --- extents --------------------------------------------------------------------------------------------------------
 */

static size_t place_of(const struct needs *needs, const struct extent *extent) {
    uint64_t hash = get_u64(extent->birth) ^ (extent->first * UINT64_C(0x9e3779b97f4a7c15)) ^
                    (extent->count * UINT64_C(0xc2b2ae3d27d4eb4f));
    size_t mask = needs->size - 1, at = (size_t)(hash ^ hash >> 29) & mask;
    while (needs->table[at].used &&
           (needs->table[at].extent.first != extent->first || needs->table[at].extent.count != extent->count ||
            memcmp(needs->table[at].extent.birth, extent->birth, BIRTH_SIZE) != 0))
        at = (at + 1) & mask;
    return at;
}

static void make_room(struct needs *needs) {
    if (needs->used * 2 < needs->size)
        return;
    struct known_extent *before = needs->table;
    size_t size = needs->size;
    needs->size *= 2;
    needs->table = mem_array(needs->size, sizeof *needs->table);
    for (size_t i = 0; i < size; i++)
        if (before[i].used)
            needs->table[place_of(needs, &before[i].extent)] = before[i];
    free(before);
}

/* The pack's number; false for one that came into the index after it was numbered. */
static bool number_of(const struct needs *needs, const uint8_t pack[32], uint32_t *number) {
    struct numbered_pack wanted = { 0 };
    memcpy(wanted.name, pack, sizeof wanted.name);
    const struct numbered_pack *found =
        needs->count ? bsearch(&wanted, needs->packs, needs->count, sizeof wanted, by_name) : NULL;
    if (found)
        *number = found->number;
    return found != NULL;
}

static void add_choice(struct needs *needs, struct known_extent *known, const uint32_t *packs, uint32_t count,
                       size_t *last) {
    const uint32_t *before = needs->choices + *last;
    if (known->length > 0 && before[0] == count && memcmp(before + 1, packs, count * sizeof *packs) == 0)
        return;
    needs->choices = mem_grow(needs->choices, &needs->capacity, needs->length + count + 1, sizeof *needs->choices);
    *last = needs->length;
    needs->choices[needs->length++] = count;
    memcpy(needs->choices + needs->length, packs, count * sizeof *packs);
    needs->length += count;
    known->length = needs->length - known->first;
}

static void work_out(struct needs *needs, struct known_extent *known) {
    size_t last = known->first = needs->length;
    for (uint32_t i = 0; i < known->extent.count; i++) {
        uint32_t packs[COPIES_MAX], count = 0;
        struct index_place place;
        for (unsigned copy = 0; count < COPIES_MAX &&
                                index_place(needs->index, known->extent.birth, known->extent.first + i, copy, &place);
             copy++)
            count += number_of(needs, place.table->pack, &packs[count]);
        if (count == 0)
            known->unknown = true;
        else
            add_choice(needs, known, packs, count, &last);
    }
}

static const struct known_extent *look_up(struct needs *needs, const struct extent *extent) {
    make_room(needs);
    struct known_extent *known = &needs->table[place_of(needs, extent)];
    if (!known->used) {
        *known = (struct known_extent){ .extent = *extent, .used = true };
        needs->used++;
        work_out(needs, known);
    }
    return known;
}

/* --- snapshots ------------------------------------------------------------------------------------------------------
 */

static void need_one(struct needs *needs, uint32_t pack) {
    if (needs->seen[pack / 64] >> pack % 64 & 1)
        return;
    needs->seen[pack / 64] |= UINT64_C(1) << pack % 64;
    struct need *need = needs->need;
    need->packs = mem_grow(need->packs, &need->capacity, need->count + 1, sizeof *need->packs);
    need->packs[need->count++] = pack;
}

/* Choices that were met already are mostly the last ones. */
static void need_one_of(struct needs *needs, size_t choice) {
    size_t bytes = (needs->choices[choice] + (size_t)1) * sizeof *needs->choices;
    for (size_t i = needs->several_count; i-- > 0;)
        if (needs->choices[needs->several[i]] == needs->choices[choice] &&
            memcmp(needs->choices + needs->several[i], needs->choices + choice, bytes) == 0)
            return;
    needs->several =
        mem_grow(needs->several, &needs->several_capacity, needs->several_count + 1, sizeof *needs->several);
    needs->several[needs->several_count++] = choice;
}

static int need_extent(void *context, const struct extent *extent, enum extent_role role, struct err *err) {
    struct needs *needs = context;
    (void)role;
    const struct known_extent *known = look_up(needs, extent);
    for (size_t at = known->first; at < known->first + known->length; at += needs->choices[at] + (size_t)1)
        if (needs->choices[at] == 1)
            need_one(needs, needs->choices[at + 1]);
        else
            need_one_of(needs, at);
    if (known->unknown)
        needs->need->unknown = true;
    return interrupt_check(err);
}

int needs_of(struct needs *needs, struct repo *repo, struct index *index, const struct head *head, struct need *need,
             struct err *err) {
    int result = 0;
    need->count = 0;
    need->unknown = false;
    needs->need = need;
    needs->several_count = 0;
    for (size_t i = 0; i < head->source_count && result == 0; i++)
        result = references_walk(repo, index, &head->sources[i].references, need_extent, needs, err);
    for (size_t i = 0; i < need->count; i++)
        needs->seen[need->packs[i] / 64] &= ~(UINT64_C(1) << need->packs[i] % 64);
    return result < 0 ? err_wrap(err, "follow snapshot '%s'", head->name) : 0;
}

bool needs_choice(const struct needs *needs, size_t at, const uint32_t **packs, uint32_t *count) {
    if (at >= needs->several_count)
        return false;
    *count = needs->choices[needs->several[at]];
    *packs = needs->choices + needs->several[at] + 1;
    return true;
}
