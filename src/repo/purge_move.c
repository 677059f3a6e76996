#include "pack_internal.h"
#include "purge_survey_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <stdlib.h>
#include <string.h>

struct mover {
    struct repo *repo;
    struct survey *survey;
    struct purge_result *result;
    size_t *damaged;            /* packs that could not be moved from */
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

/* Bytes that move get a new name that vouches for them: so they are compared with the old name first. */
static int read_pack(struct mover *mover, const struct survey_pack *pack, struct err *err) {
    char name[REPO_NAME_MAX];
    uint8_t hash[SHA256_SIZE];
    repo_pack_name(mover->repo, name, pack->name);
    buffer_clear(&mover->bytes);
    if (store_get(mover->repo->store, name, PACK_TARGET + PACK_TABLE_MAX, &mover->bytes, err) < 0)
        return -1;
    sha256_once(hash, mover->bytes.data, mover->bytes.length);
    if (memcmp(hash, pack->name, sizeof hash) != 0 || mover->bytes.length != pack->table->size)
        return err_set(err, ERR_CORRUPT, "%s: its bytes are not those its name was made from", name);
    return 0;
}

static bool must_move(const struct survey *survey, uint64_t bit) {
    return marks_has(survey->marks, bit) && !marks_is_covered(survey->marks, bit);
}

static int move_slots(struct mover *mover, const struct pack_table *table, const uint64_t *bases, struct err *err) {
    struct survey *survey = mover->survey;
    uint64_t offset = PACK_MAGIC_SIZE;
    for (uint32_t i = 0; i < table->slot_count; i++) {
        const struct pack_slot *slot = &table->slots[i];
        uint64_t bit = bases[slot->section] + slot->number;
        if (slot->stored_length > mover->bytes.length - offset)
            return err_set(err, ERR_CORRUPT, "the index describes more chunks than a pack has bytes for");
        if (must_move(survey, bit)) {
            marks_cover(survey->marks, bit);
            if (move_slot(mover, table, slot, offset, err) < 0)
                return -1;
        }
        offset += slot->stored_length;
    }
    return 0;
}

/* Reads the pack unless all that is needed of it has moved already. */
static int move_pack(struct mover *mover, struct survey_pack *pack, struct err *err) {
    uint64_t *bases = survey_bases(mover->survey, pack->table);
    bool any = false;
    int result = 0;
    for (uint32_t i = 0; i < pack->table->slot_count && !any; i++)
        any = must_move(mover->survey, bases[pack->table->slots[i].section] + pack->table->slots[i].number);
    if (any && read_pack(mover, pack, err) == 0) {
        result = move_slots(mover, pack->table, bases, err);
    } else if (any && err->code == ERR_CORRUPT) {
        log_error(mover->repo->log, "a pack stays although dead chunks in it are due, because it is damaged: %s",
                  err->message);
        err_clear(err);
        pack->sound = false;
        ++*mover->damaged;
    } else if (any) {
        result = -1;
    }
    free(bases);
    return result;
}

static void cover(struct survey *survey, const struct pack_table *table) {
    uint64_t *bases = survey_bases(survey, table);
    for (uint32_t i = 0; i < table->slot_count; i++)
        marks_cover(survey->marks, bases[table->slots[i].section] + table->slots[i].number);
    free(bases);
}

/* What packs that stay provide need not move, nor what has moved. */
static void cover_what_stays(const struct mover *mover) {
    struct survey *survey = mover->survey;
    marks_uncover_all(survey->marks);
    for (size_t i = 0; i < survey->count; i++) {
        const struct survey_pack *pack = &survey->packs[i];
        if (pack->fate == FATE_KEEP && pack->table && pack->sound)
            cover(survey, pack->table);
    }
    for (size_t i = 0; i < index_pack_count(mover->moved); i++)
        cover(survey, index_pack(mover->moved, i));
}

/* In the order of the index, where what was captured together stands together. */
static int move_packs(struct mover *mover, struct err *err) {
    const struct index *index = mover->survey->index;
    cover_what_stays(mover);
    for (size_t i = 0; i < index_pack_count(index); i++) {
        struct survey_pack *pack = survey_find(mover->survey, index_pack(index, i)->pack);
        if (pack->fate == FATE_REWRITE && (interrupt_check(err) < 0 || move_pack(mover, pack, err) < 0))
            return -1;
    }
    return close_pack(mover, err);
}

int survey_move(struct repo *repo, const struct purge_options *options, struct survey *survey, size_t *damaged,
                struct purge_result *result, struct err *err) {
    struct mover mover = { .repo = repo, .survey = survey, .result = result, .damaged = damaged, .moved = index_new() };
    int status = 0;

    /* What a damaged pack seemed to provide must come from others, so all is judged anew. */
    *damaged = 0;
    for (size_t before = SIZE_MAX; before != *damaged && status == 0;) {
        before = *damaged;
        survey_judge(options, survey);
        status = move_packs(&mover, err);
    }
    if (status == 0)
        status = index_save(mover.moved, 0, repo, err);
    for (size_t i = 0; i < survey->count; i++)
        result->packs_rewritten += survey->packs[i].fate == FATE_REWRITE;
    pack_writer_abort(mover.writer);
    index_free(mover.moved);
    buffer_release(&mover.bytes);
    return status < 0 ? err_wrap(err, "move what is alive out of packs with dead chunks") : 0;
}
