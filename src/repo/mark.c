#include "mark_internal.h"
#include <muniment/repo/pack.h>
#include <muniment/util/hex.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/* A section is begun in one pack, whose table takes at least this many bytes a slot. */
enum { SLOT_BYTES_LEAST = CHUNK_ID_SIZE + 5, SECTION_SLOTS_MAX = PACK_TABLE_MAX / SLOT_BYTES_LEAST };

struct marked_birth {
    uint8_t birth[BIRTH_SIZE];
    uint32_t slots;
    uint64_t base;
};

struct marks {
    struct marked_birth *births; /* sorted, each once */
    size_t count;
    uint64_t words; /* of each bitmap */
    uint64_t *live, *covered;
    uint64_t unknown;
};

static int compare_births(const void *left, const void *right) {
    const struct marked_birth *a = left, *b = right;
    return memcmp(a->birth, b->birth, BIRTH_SIZE);
}

/* One line for every section of every pack, with the slots it must have room for. */
static int list_births(struct marks *marks, const struct index *index, struct err *err) {
    size_t capacity = 0;
    for (size_t i = 0; i < index_pack_count(index); i++) {
        const struct pack_table *table = index_pack(index, i);
        size_t first = marks->count;
        marks->count += table->section_count;
        marks->births = mem_grow(marks->births, &capacity, marks->count, sizeof *marks->births);
        for (uint32_t s = 0; s < table->section_count; s++) {
            struct marked_birth *birth = &marks->births[first + s];
            *birth = (struct marked_birth){ 0 };
            memcpy(birth->birth, table->sections[s].birth, BIRTH_SIZE);
        }
        for (uint32_t s = 0; s < table->slot_count; s++) {
            const struct pack_slot *slot = &table->slots[s];
            struct marked_birth *birth = &marks->births[first + slot->section];
            if (slot->number >= SECTION_SLOTS_MAX) {
                char name[2 * sizeof table->pack + 1];
                return err_set(err, ERR_CORRUPT, "the index has a slot %u in pack %s, more than a pack can hold",
                               slot->number, hex_encode(name, table->pack, sizeof table->pack));
            }
            if (birth->slots <= slot->number)
                birth->slots = slot->number + 1;
        }
    }
    return 0;
}

/* Slots of one birth may have moved to several packs: they share their bits. */
static void join_births(struct marks *marks) {
    if (marks->count > 1)
        qsort(marks->births, marks->count, sizeof *marks->births, compare_births);
    size_t kept = 0;
    for (size_t i = 0; i < marks->count; i++) {
        struct marked_birth *last = kept > 0 ? &marks->births[kept - 1] : NULL;
        if (last && compare_births(last, &marks->births[i]) == 0) {
            if (last->slots < marks->births[i].slots)
                last->slots = marks->births[i].slots;
        } else {
            marks->births[kept++] = marks->births[i];
        }
    }
    marks->count = kept;
}

int marks_new(const struct index *index, struct marks **marks, struct err *err) {
    struct marks *m = mem_zalloc(sizeof *m);
    if (list_births(m, index, err) < 0) {
        marks_free(m);
        return -1;
    }
    join_births(m);

    uint64_t bits = 0;
    for (size_t i = 0; i < m->count; i++) {
        m->births[i].base = bits;
        bits += m->births[i].slots;
    }
    m->words = bits / 64 + 1;
    m->live = mem_array(m->words, sizeof *m->live);
    m->covered = mem_array(m->words, sizeof *m->covered);
    *marks = m;
    return 0;
}

void marks_free(struct marks *marks) {
    if (!marks)
        return;
    free(marks->births);
    free(marks->live);
    free(marks->covered);
    free(marks);
}

static const struct marked_birth *find_birth(const struct marks *marks, const uint8_t birth[BIRTH_SIZE]) {
    struct marked_birth wanted = { 0 };
    memcpy(wanted.birth, birth, BIRTH_SIZE);
    return marks->count ? bsearch(&wanted, marks->births, marks->count, sizeof wanted, compare_births) : NULL;
}

void marks_add(struct marks *marks, const struct extent *extent) {
    const struct marked_birth *birth = find_birth(marks, extent->birth);
    uint64_t slots = birth ? birth->slots : 0;
    uint64_t end = (uint64_t)extent->first + extent->count;
    uint64_t known_end = end < slots ? end : slots;
    for (uint64_t number = extent->first; number < known_end; number++) {
        uint64_t bit = birth->base + number;
        marks->live[bit / 64] |= UINT64_C(1) << bit % 64;
    }
    if (end > slots)
        marks->unknown += end - (extent->first > slots ? extent->first : slots);
}

static int mark_extent(void *context, const struct extent *extent, enum extent_role role, struct err *err) {
    (void)role;
    marks_add(context, extent);
    return interrupt_check(err);
}

int marks_add_head(struct marks *marks, struct repo *repo, struct index *index, const struct head *head,
                   struct err *err) {
    for (size_t i = 0; i < head->source_count; i++)
        if (references_walk(repo, index, &head->sources[i].references, mark_extent, marks, err) < 0)
            return err_wrap(err, "read what snapshot %s refers to", head->name);
    return 0;
}

uint64_t marks_unknown(const struct marks *marks) {
    return marks->unknown;
}

uint64_t marks_base(const struct marks *marks, const uint8_t birth[BIRTH_SIZE]) {
    const struct marked_birth *found = find_birth(marks, birth);
    return found ? found->base : UINT64_MAX;
}

bool marks_has(const struct marks *marks, uint64_t bit) {
    return marks->live[bit / 64] >> bit % 64 & 1;
}

bool marks_is_covered(const struct marks *marks, uint64_t bit) {
    return marks->covered[bit / 64] >> bit % 64 & 1;
}

void marks_cover(struct marks *marks, uint64_t bit) {
    marks->covered[bit / 64] |= UINT64_C(1) << bit % 64;
}

void marks_uncover_all(struct marks *marks) {
    memset(marks->covered, 0, marks->words * sizeof *marks->covered);
}

uint64_t marks_uncovered(const struct marks *marks) {
    uint64_t count = 0;
    for (uint64_t i = 0; i < marks->words; i++)
        count += (uint64_t)__builtin_popcountll(marks->live[i] & ~marks->covered[i]);
    return count;
}
