#include "purge_survey_internal.h"
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/workers.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct destroyer {
    struct repo *repo;
    const struct purge_options *options;
    struct purge_result *result;
    struct purge_guard *guard;
    struct survey *survey; /* the new one */
    size_t doomed;         /* packs with FATE_DROP in it: those that go now */
};

/* --- sparing --------------------------------------------------------------------------------------------------------
 */

/* True when it was condemned with the survey before, and may go by now. */
static bool may_go(const struct survey *before, const struct survey_pack *pack, bool ended) {
    const struct survey_pack *earlier = survey_find(before, pack->name);
    return earlier && earlier->fate != FATE_KEEP && (ended || earlier->settled);
}

static bool is_waiting(const struct survey *before, const struct survey_pack *pack, bool ended) {
    const struct survey_pack *earlier = survey_find(before, pack->name);
    return earlier && earlier->fate != FATE_KEEP && !ended && !earlier->settled;
}

/* Takes the pack's slots as provided; true when one of them was needed and not provided before. */
static bool provide(struct survey *survey, const struct survey_pack *pack) {
    uint64_t *bases = survey_bases(survey, pack->table);
    bool needed = false;
    for (uint32_t i = 0; i < pack->table->slot_count; i++) {
        uint64_t bit = bases[pack->table->slots[i].section] + pack->table->slots[i].number;
        needed = needed || (marks_has(survey->marks, bit) && !marks_is_covered(survey->marks, bit));
    }
    for (uint32_t i = 0; i < pack->table->slot_count && (needed || pack->fate == FATE_KEEP); i++)
        marks_cover(survey->marks, bases[pack->table->slots[i].section] + pack->table->slots[i].number);
    free(bases);
    return needed;
}

/* What was condemned goes, unless a snapshot has come to need it in the meantime. */
static void spare(struct destroyer *destroyer, const struct survey *before, bool ended) {
    struct survey *survey = destroyer->survey;
    marks_uncover_all(survey->marks);

    /* Packs that wait for a session are condemned still: they provide nothing that another could need. */
    for (size_t i = 0; i < survey->count; i++) {
        struct survey_pack *pack = &survey->packs[i];
        const struct survey_pack *earlier = survey_find(before, pack->name);
        if (earlier && earlier->exists && earlier->table && !earlier->sound)
            pack->sound = false;
        if (may_go(before, pack, ended))
            pack->fate = FATE_DROP;
        else if (is_waiting(before, pack, ended))
            pack->fate = FATE_REWRITE;
        else if (pack->table && pack->sound)
            provide(survey, pack);
    }
    for (size_t i = 0; i < survey->count; i++) {
        struct survey_pack *pack = &survey->packs[i];
        if (pack->fate == FATE_DROP && pack->table && provide(survey, pack)) {
            pack->fate = FATE_KEEP;
            destroyer->result->packs_spared++;
        }
    }

    /* With an index that is not whole, a pack that is not in it may hold what is missed. */
    bool incomplete = marks_unknown(survey->marks) > 0 || marks_uncovered(survey->marks) > 0;
    for (size_t i = 0; i < survey->count; i++) {
        struct survey_pack *pack = &survey->packs[i];
        if (pack->fate == FATE_DROP && !pack->table && incomplete)
            pack->fate = FATE_KEEP;
        if (pack->fate == FATE_DROP)
            destroyer->doomed++;
        if (pack->fate == FATE_REWRITE)
            destroyer->result->packs_waiting++;
    }
    survey->incomplete = incomplete;
}

/* --- destroying -----------------------------------------------------------------------------------------------------
 */

static const char *reason_of(const struct survey *before, const struct survey_pack *pack) {
    const struct survey_pack *earlier = survey_find(before, pack->name);
    if (!pack->table && !(earlier && earlier->table))
        return "left by a run that was killed";
    return earlier && earlier->fate == FATE_REWRITE ? "what was alive in it has moved" : "nothing refers to it";
}

static int journal_destruction(struct destroyer *destroyer, const struct survey *before, struct err *err) {
    struct repo *repo = destroyer->repo;
    struct journal_batch batch = { 0 };
    int64_t now = destroyer->options->now;
    for (size_t i = 0; i < destroyer->survey->count; i++) {
        const struct survey_pack *pack = &destroyer->survey->packs[i];
        char name[REPO_NAME_MAX];
        if (pack->fate != FATE_DROP)
            continue;
        journal_add(&batch, now, "destroyed", "object", repo_below(repo, repo_pack_name(repo, name, pack->name)),
                    "reason", reason_of(before, pack), NULL);
    }
    const struct store_names *objects = index_objects(destroyer->survey->index);
    for (size_t i = 0; i < objects->count; i++)
        journal_add(&batch, now, "destroyed", "object", repo_below(repo, objects->items[i].name), "reason",
                    "replaced by a newer index", NULL);
    int result = journal_append(repo, &batch, err);
    journal_batch_release(&batch);
    return result;
}

/* An object that goes. */
struct doomed {
    char name[REPO_NAME_MAX];
    struct survey_pack *pack; /* NULL: an index object */
};

static int remove_doomed(void *context, void *item, struct err *err) {
    struct destroyer *destroyer = context;
    const struct doomed *doomed = item;
    enum removed removed;
    if (purge_guard_check(destroyer->guard, err) < 0 ||
        destruction_remove(&destroyer->guard->destruction, doomed->name, false, &removed, err) < 0)
        return -1;
    if (!doomed->pack)
        return 0;
    if (removed == REMOVED_REFUSED)
        doomed->pack->fate = FATE_KEEP;
    if (removed == REMOVED_GONE && doomed->pack->exists) {
        pthread_mutex_lock(&destroyer->guard->destruction.lock);
        destroyer->result->packs_destroyed++;
        destroyer->result->bytes_destroyed += doomed->pack->size;
        pthread_mutex_unlock(&destroyer->guard->destruction.lock);
    }
    return 0;
}

static struct workers *start_removing(struct destroyer *destroyer) {
    return workers_start(store_transfers(destroyer->repo->store), sizeof(struct doomed), remove_doomed, destroyer);
}

static int remove_all(struct destroyer *destroyer, const struct store_names *names, struct err *err) {
    struct workers *workers = start_removing(destroyer);
    int given = 0;
    for (size_t i = 0; i < names->count && given == 0; i++) {
        struct doomed doomed = { .pack = NULL };
        snprintf(doomed.name, sizeof doomed.name, "%s", names->items[i].name);
        given = workers_give(workers, &doomed, err);
    }
    return workers_finish(workers, err);
}

/* The new index first: whoever reads the old one until it is gone finds packs vanished and reads the new one. */
static int replace_index(struct destroyer *destroyer, struct err *err) {
    struct survey *survey = destroyer->survey;
    for (size_t i = 0; i < survey->count; i++)
        if (survey->packs[i].fate == FATE_DROP)
            index_forget_pack(survey->index, survey->packs[i].name);
    if (index_save(survey->index, 0, destroyer->repo, err) < 0)
        return -1;

    return remove_all(destroyer, index_objects(survey->index), err);
}

static int remove_packs(struct destroyer *destroyer, struct err *err) {
    struct workers *workers = start_removing(destroyer);
    int given = 0;
    for (size_t i = 0; i < destroyer->survey->count && given == 0; i++) {
        struct doomed doomed = { .pack = &destroyer->survey->packs[i] };
        if (doomed.pack->fate != FATE_DROP)
            continue;
        repo_pack_name(destroyer->repo, doomed.name, doomed.pack->name);
        given = workers_give(workers, &doomed, err);
    }
    return workers_finish(workers, err);
}

static int still_there(void *context, const struct store_object *object, struct err *err) {
    const struct survey *survey = context;
    uint8_t name[32];
    const struct survey_pack *pack = repo_name_hash(object->name, name) ? survey_find(survey, name) : NULL;
    if (pack && pack->fate == FATE_DROP)
        return err_set(err, ERR_REFUSED, "%s was destroyed and is listed still", object->name);
    return 0;
}

static int prove_absence(struct destroyer *destroyer, struct err *err) {
    char folder[REPO_NAME_MAX];
    return store_list(destroyer->repo->store, repo_folder(destroyer->repo, folder, "packs"), still_there,
                      destroyer->survey, err);
}

static void drop_destroyed(struct survey *survey) {
    size_t kept = 0;
    for (size_t i = 0; i < survey->count; i++)
        if (survey->packs[i].fate != FATE_DROP)
            survey->packs[kept++] = survey->packs[i];
    survey->count = kept;
}

int survey_destroy(struct repo *repo, const struct purge_options *options, const struct purge_record *record,
                   bool ended, struct purge_guard *guard, struct survey *survey, struct purge_result *result,
                   struct err *err) {
    struct survey again = { 0 };
    struct purge_record known = *record;
    const struct purge_records records = { .items = &known, .count = 1 };
    struct destroyer destroyer = {
        .repo = repo, .options = options, .result = result, .guard = guard, .survey = &again
    };

    if (survey_load(repo, options, &records, guard, &again, err) < 0)
        return -1;
    spare(&destroyer, survey, ended);
    if (destroyer.doomed > 0 || index_objects(again.index)->count > INDEX_OBJECTS_MANY) {
        if (purge_guard_check(guard, err) < 0 || journal_destruction(&destroyer, survey, err) < 0 ||
            replace_index(&destroyer, err) < 0 || remove_packs(&destroyer, err) < 0 ||
            prove_absence(&destroyer, err) < 0) {
            survey_release(&again);
            return -1;
        }
        drop_destroyed(&again);
    }
    survey_release(survey);
    *survey = again;
    return 0;
}
