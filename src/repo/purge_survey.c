#include "purge_survey_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

bool purge_expires(const struct purge_options *options, const char *head) {
    for (size_t i = 0; i < options->expiry_count; i++)
        if (strcmp(options->expiries[i].head, head) == 0)
            return true;
    return false;
}

/* --- captures that run ------------------------------------------------------------------------------------------ */

int captures_have_ended(struct repo *repo, int64_t modified, bool *ended, struct err *err) {
    size_t count;
    *ended = false;
    if (sessions_older(repo, modified, &count, err) < 0)
        return -1;
    if (count == 0) {
        *ended = true;
        return 0;
    }

    /* Whoever captures holds the lock. Where it is free for everyone, the sessions that are left are of the dead. */
    if (!store_lock_is_global(repo->store))
        return 0;
    char name[REPO_NAME_MAX];
    struct store_lock *lock;
    if (store_lock_take(repo->store, repo_name(repo, name, "locks", "capture"), 0, &lock, err) < 0) {
        if (err->code != ERR_LOCKED)
            return -1;
        err_clear(err);
        return 0;
    }
    store_lock_release(lock);
    *ended = true;
    return 0;
}

/* Packs written since then may belong to a capture that runs. INT64_MAX: none does. */
static int oldest_capture(struct repo *repo, int64_t *since, struct err *err) {
    struct store_names names = { 0 };
    char folder[REPO_NAME_MAX];
    bool ended;
    *since = INT64_MAX;
    if (captures_have_ended(repo, INT64_MAX - SESSION_MARGIN, &ended, err) < 0)
        return -1;
    if (ended)
        return 0;
    if (store_names_load(repo->store, repo_folder(repo, folder, "sessions"), &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++)
        if (names.items[i].modified - SESSION_MARGIN < *since)
            *since = names.items[i].modified - SESSION_MARGIN;
    store_names_release(&names);
    return 0;
}

/* --- packs ----------------------------------------------------------------------------------------------------------
 */

struct listing {
    struct survey *survey;
    size_t capacity;
};

static struct survey_pack *add_pack(struct listing *listing, const uint8_t name[32]) {
    struct survey *survey = listing->survey;
    survey->packs = mem_grow(survey->packs, &listing->capacity, survey->count + 1, sizeof *survey->packs);
    struct survey_pack *pack = &survey->packs[survey->count++];
    *pack = (struct survey_pack){ 0 };
    memcpy(pack->name, name, sizeof pack->name);
    return pack;
}

static int list_pack(void *context, const struct store_object *object, struct err *err) {
    (void)err;
    struct listing *listing = context;
    uint8_t name[32];
    if (!repo_name_hash(object->name, name))
        return 0; /* no pack; a check tells of it */
    struct survey_pack *pack = add_pack(listing, name);
    pack->exists = true;
    pack->size = object->size;
    pack->modified = object->modified;
    return 0;
}

static int compare_packs(const void *left, const void *right) {
    const struct survey_pack *a = left, *b = right;
    return memcmp(a->name, b->name, sizeof a->name);
}

static void sort_packs(struct survey *survey) {
    if (survey->count > 1)
        qsort(survey->packs, survey->count, sizeof *survey->packs, compare_packs);
}

struct survey_pack *survey_find(const struct survey *survey, const uint8_t name[32]) {
    struct survey_pack wanted = { 0 };
    memcpy(wanted.name, name, sizeof wanted.name);
    return survey->count ? bsearch(&wanted, survey->packs, survey->count, sizeof wanted, compare_packs) : NULL;
}

/* What is stored and what the index knows, joined. */
static int list_packs(struct repo *repo, struct survey *survey, struct err *err) {
    char folder[REPO_NAME_MAX];
    struct listing listing = { .survey = survey };
    int64_t since;

    /* Captures are looked for after their packs: one that ends in between has written its index. */
    if (store_list(repo->store, repo_folder(repo, folder, "packs"), list_pack, &listing, err) < 0 ||
        oldest_capture(repo, &since, err) < 0)
        return -1;
    for (size_t i = 0; i < survey->count; i++)
        survey->packs[i].young = survey->packs[i].modified >= since;
    sort_packs(survey);

    size_t stored = survey->count;
    for (size_t i = 0; i < index_pack_count(survey->index); i++) {
        const struct pack_table *table = index_pack(survey->index, i);
        struct survey listed = *survey;
        listed.count = stored;
        struct survey_pack *pack = survey_find(&listed, table->pack);
        if (!pack)
            pack = add_pack(&listing, table->pack);
        pack->table = table;
        pack->sound = pack->exists && pack->size == table->size;
    }
    sort_packs(survey);
    return 0;
}

uint64_t *survey_bases(const struct survey *survey, const struct pack_table *table) {
    uint64_t *bases = mem_array(table->section_count + (size_t)1, sizeof *bases);
    for (uint32_t s = 0; s < table->section_count; s++)
        bases[s] = marks_base(survey->marks, table->sections[s].birth);
    return bases;
}

static void measure(const struct survey *survey, struct survey_pack *pack) {
    uint64_t *bases = survey_bases(survey, pack->table);
    for (uint32_t i = 0; i < pack->table->slot_count; i++) {
        const struct pack_slot *slot = &pack->table->slots[i];
        pack->bytes += slot->stored_length;
        if (!marks_has(survey->marks, bases[slot->section] + slot->number))
            pack->dead_bytes += slot->stored_length;
    }
    free(bases);
}

static void read_records(const struct purge_records *records, struct survey *survey) {
    struct purge_record known;
    purge_records_join(records, &known);
    for (size_t i = 0; i < known.count; i++) {
        struct survey_pack *pack = survey_find(survey, known.packs[i].pack);
        if (!pack)
            continue;
        pack->condemned = known.packs[i].condemned;
        pack->deadline = known.packs[i].deadline;
    }
    purge_record_release(&known);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

int survey_load(struct repo *repo, const struct purge_options *options, const struct purge_records *records,
                struct purge_guard *guard, struct survey *survey, struct err *err) {
    *survey = (struct survey){ .index = index_new() };

    /* Heads first: whatever they refer to is then in the index that is loaded after them. */
    if (heads_load(repo, &survey->heads, err) < 0 || purge_guard_heads(guard, &survey->heads, options, err) < 0 ||
        index_load(survey->index, repo, err) < 0 || marks_new(survey->index, &survey->marks, err) < 0)
        goto failed;
    for (size_t i = 0; i < survey->heads.count; i++) {
        const struct head *head = &survey->heads.items[i];
        if (!purge_expires(options, head->name) && marks_add_head(survey->marks, repo, survey->index, head, err) < 0)
            goto failed;
    }

    if (list_packs(repo, survey, err) < 0)
        goto failed;
    for (size_t i = 0; i < survey->count; i++) {
        char name[REPO_NAME_MAX];
        struct survey_pack *pack = &survey->packs[i];
        pack->locked_until = destruction_refused(&guard->destruction, repo_pack_name(repo, name, pack->name));
        if (pack->table)
            measure(survey, pack);
    }
    read_records(records, survey);
    return 0;

failed:
    survey_release(survey);
    return -1;
}

void survey_release(struct survey *survey) {
    heads_release(&survey->heads);
    marks_free(survey->marks);
    index_free(survey->index);
    free(survey->packs);
    *survey = (struct survey){ 0 };
}
