#include "pack_internal.h"
#include "purge_survey_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <stdlib.h>

struct mover {
    struct repo *repo;
    struct survey *survey;
    struct purge_result *result;
    struct pack_writer *writer; /* NULL between packs */
    struct index *moved;        /* the new packs */
    struct buffer bytes;        /* of the pack that is read */
};

static int close_pack(struct mover *mover, struct err *err) {
    if (!mover->writer)
        return 0;
    struct pack_writer *writer = mover->writer;
    struct pack_table table = { 0 };
    mover->writer = NULL;
    if (pack_writer_finish(writer, &table, err) < 0)
        return -1;
    index_add(mover->moved, &table);
    return 0;
}

static int move_slot(struct mover *mover, const struct pack_table *table, const struct pack_slot *slot, uint64_t offset,
                     struct err *err) {
    if (!mover->writer && pack_writer_new(mover->repo, &mover->writer, err) < 0)
        return -1;
    if (pack_writer_move(mover->writer, &table->sections[slot->section], slot, mover->bytes.data + offset, err) < 0)
        return -1;
    mover->result->bytes_moved += slot->stored_length;
    return pack_writer_size(mover->writer) >= PACK_TARGET ? close_pack(mover, err) : 0;
}

static int move_pack(struct mover *mover, const struct survey_pack *pack, struct err *err) {
    struct survey *survey = mover->survey;
    if (survey_read_pack(mover->repo, pack, &mover->bytes, err) < 0)
        return -1;

    uint64_t *bases = survey_bases(survey, pack);
    uint64_t offset = PACK_MAGIC_SIZE;
    int result = 0;
    for (uint32_t i = 0; i < pack->table->slot_count && result == 0; i++) {
        const struct pack_slot *slot = &pack->table->slots[i];
        uint64_t bit = bases[slot->section] + slot->number;
        if (slot->stored_length > mover->bytes.length - offset)
            result = err_set(err, ERR_CORRUPT, "the index describes more chunks than a pack has bytes for");
        else if (marks_has(survey->marks, bit) && !marks_is_covered(survey->marks, bit)) {
            marks_cover(survey->marks, bit);
            result = move_slot(mover, pack->table, slot, offset, err);
        }
        offset += slot->stored_length;
    }
    free(bases);
    mover->result->packs_rewritten++;
    return result;
}

/* What packs that stay provide need not move. */
static void cover_what_stays(struct survey *survey) {
    marks_uncover_all(survey->marks);
    for (size_t i = 0; i < survey->count; i++) {
        const struct survey_pack *pack = &survey->packs[i];
        if (pack->fate != FATE_KEEP || !pack->table || !pack->sound)
            continue;
        uint64_t *bases = survey_bases(survey, pack);
        for (uint32_t s = 0; s < pack->table->slot_count; s++)
            marks_cover(survey->marks, bases[pack->table->slots[s].section] + pack->table->slots[s].number);
        free(bases);
    }
}

int survey_move(struct repo *repo, struct survey *survey, struct purge_result *result, struct err *err) {
    struct mover mover = { .repo = repo, .survey = survey, .result = result, .moved = index_new() };
    int status = -1;

    /* In the order of the index, where what was captured together stands together. */
    cover_what_stays(survey);
    for (size_t i = 0; i < index_pack_count(survey->index); i++) {
        const struct survey_pack *pack = survey_find(survey, index_pack(survey->index, i)->pack);
        if (pack->fate != FATE_REWRITE)
            continue;
        if (interrupt_check(err) < 0 || move_pack(&mover, pack, err) < 0)
            goto out;
    }
    if (close_pack(&mover, err) < 0 || index_save(mover.moved, 0, repo, err) < 0)
        goto out;
    status = 0;
out:
    pack_writer_abort(mover.writer);
    index_free(mover.moved);
    buffer_release(&mover.bytes);
    return status < 0 ? err_wrap(err, "move what is alive out of packs with dead chunks") : 0;
}
