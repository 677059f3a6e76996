#include "purge_survey_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/* --- deadlines ------------------------------------------------------------------------------------------------------
 */

struct expiring {
    struct survey *survey;
    int64_t deadline;
};

static void bring_forward(struct survey_pack *pack, int64_t deadline) {
    if (pack->deadline == 0 || deadline < pack->deadline)
        pack->deadline = deadline;
}

/* Slots that die with this snapshot give their packs its deadline, wherever they stand. */
static int set_deadlines(void *context, const struct extent *extent, enum extent_role role, struct err *err) {
    (void)role;
    struct expiring *expiring = context;
    struct survey *survey = expiring->survey;
    uint64_t base = marks_base(survey->marks, extent->birth);
    if (interrupt_check(err) < 0)
        return -1;

    for (uint32_t i = 0; i < extent->count; i++) {
        struct index_place place;
        for (unsigned skip = 0; index_place(survey->index, extent->birth, extent->first + i, skip, &place); skip++) {
            if (marks_has(survey->marks, base + extent->first + i))
                break;
            bring_forward(survey_find(survey, place.table->pack), expiring->deadline);
        }
    }
    return 0;
}

int survey_deadlines(struct repo *repo, const struct purge_options *options, struct survey *survey, struct err *err) {
    int64_t usual = options->now + options->purge_within;
    int64_t unknown = usual;
    for (size_t i = 0; i < survey->heads.count; i++) {
        const struct head *head = &survey->heads.items[i];
        if (!purge_expires(options, head->name))
            continue;
        int64_t deadline = head->deadline != 0 && head->deadline < usual ? head->deadline : usual;
        struct expiring expiring = { survey, deadline > 1 ? deadline : 1 };
        for (size_t s = 0; s < head->source_count; s++) {
            if (references_walk(repo, survey->index, &head->sources[s].references, set_deadlines, &expiring, err) == 0)
                continue;
            if (err->code != ERR_CORRUPT && err->code != ERR_NOT_FOUND)
                return err_wrap(err, "read what snapshot %s refers to", head->name);
            /* Damaged or not, it ends; then whatever is dead may have been its. */
            log_warning(repo->log, "snapshot %s expires although what it refers to cannot be read: %s", head->name,
                        err->message);
            err_clear(err);
            unknown = expiring.deadline < unknown ? expiring.deadline : unknown;
        }
    }

    for (size_t i = 0; i < survey->count; i++) {
        struct survey_pack *pack = &survey->packs[i];
        if (pack->dead_bytes == 0 || pack->young)
            pack->deadline = 0;
        else if (pack->deadline == 0)
            pack->deadline = unknown;
    }
    return 0;
}

/* --- fates ----------------------------------------------------------------------------------------------------------
 */

/* Who provides first: what is sound and not condemned, and of those what holds the fewest dead bytes. */
static int compare_providers(const void *left, const void *right) {
    const struct survey_pack *a = *(struct survey_pack *const *)left, *b = *(struct survey_pack *const *)right;
    if (a->sound != b->sound)
        return a->sound ? -1 : 1;
    if (a->condemned != b->condemned)
        return a->condemned ? 1 : -1;
    if (a->dead_bytes != b->dead_bytes)
        return a->dead_bytes < b->dead_bytes ? -1 : 1;
    return memcmp(a->name, b->name, sizeof a->name);
}

/* Counts what only this pack provides, so far, and takes it as provided. */
static void count_needed(struct survey *survey, struct survey_pack *pack) {
    uint64_t *bases = survey_bases(survey, pack->table);
    pack->needed_bytes = 0;
    for (uint32_t i = 0; i < pack->table->slot_count; i++) {
        const struct pack_slot *slot = &pack->table->slots[i];
        uint64_t bit = bases[slot->section] + slot->number;
        if (!marks_has(survey->marks, bit) || marks_is_covered(survey->marks, bit))
            continue;
        pack->needed_bytes += slot->stored_length;
        if (pack->sound)
            marks_cover(survey->marks, bit);
    }
    free(bases);
}

static bool is_due(const struct purge_options *options, const struct survey_pack *pack) {
    return pack->deadline != 0 && pack->deadline - options->slack <= options->now;
}

static enum purge_fate fate_of(const struct purge_options *options, const struct survey_pack *pack) {
    if ((pack->young && !pack->condemned) || pack->locked_until != 0)
        return FATE_KEEP;
    if (pack->needed_bytes == 0)
        return FATE_DROP;
    if (!pack->sound || pack->dead_bytes == 0)
        return FATE_KEEP;
    bool mostly_waste = !options->patient && pack->needed_bytes < pack->bytes / 2;
    return is_due(options, pack) || mostly_waste ? FATE_REWRITE : FATE_KEEP;
}

/* Where anything is rewritten anyhow, small packs with something dead in them are joined to it. */
static void join_small_packs(struct survey *survey) {
    bool rewriting = false;
    for (size_t i = 0; i < survey->count; i++)
        rewriting = rewriting || survey->packs[i].fate == FATE_REWRITE;
    for (size_t i = 0; rewriting && i < survey->count; i++) {
        struct survey_pack *pack = &survey->packs[i];
        if (pack->fate == FATE_KEEP && pack->table && pack->sound && !pack->young && pack->dead_bytes > 0 &&
            pack->bytes < PACK_TARGET / 8)
            pack->fate = FATE_REWRITE;
    }
}

void survey_judge(const struct purge_options *options, struct survey *survey) {
    struct survey_pack **order = mem_array(survey->count ? survey->count : 1, sizeof *order);
    size_t known = 0;
    for (size_t i = 0; i < survey->count; i++)
        if (survey->packs[i].table)
            order[known++] = &survey->packs[i];
    if (known > 1)
        qsort(order, known, sizeof *order, compare_providers);

    marks_uncover_all(survey->marks);
    for (size_t i = 0; i < known; i++) {
        count_needed(survey, order[i]);
        order[i]->fate = fate_of(options, order[i]);
    }
    free(order);
    if (!options->patient)
        join_small_packs(survey);

    /* Packs that no index knows were left by runs that were killed; unless the index is what is damaged. */
    survey->incomplete = marks_unknown(survey->marks) > 0 || marks_uncovered(survey->marks) > 0;
    for (size_t i = 0; i < survey->count; i++) {
        struct survey_pack *pack = &survey->packs[i];
        if (!pack->table)
            pack->fate = survey->incomplete || (pack->young && !pack->condemned) || pack->locked_until != 0 ? FATE_KEEP
                                                                                                            : FATE_DROP;
    }
}
