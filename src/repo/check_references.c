#include "check_internal.h"
#include <muniment/repo/record.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_OBJECT_MAX = 256 * 1024 * 1024 };

/* --- the index ------------------------------------------------------------------------------------------------------
 */

int check_index_from_packs(struct check *check, struct index *index, struct err *err) {
    for (size_t i = 0; i < check->pack_count; i++) {
        const struct checked_pack *pack = &check->packs[i];
        struct pack_table table = { 0 };
        char name[REPO_NAME_MAX];
        if (interrupt_check(err) < 0)
            return -1;
        if (pack_table_load(check->repo, pack->name, pack->size, &table, err) == 0)
            index_add(index, &table);
        else if (err->code == ERR_NOT_FOUND)
            err_clear(err);
        else if (check_found(check, repo_pack_name(check->repo, name, pack->name), err) < 0)
            return -1;
    }
    return 0;
}

/* Names every damaged index object, not just the first. */
static int find_damaged(struct check *check, struct err *err) {
    for (size_t i = 0; i < check->index_names.count; i++) {
        const char *name = check->index_names.items[i].name;
        struct buffer payload = { 0 };
        int result = record_load(check->repo, RECORD_INDEX, name, INDEX_OBJECT_MAX, &payload, NULL, err);
        buffer_release(&payload);
        if (result < 0 && err->code == ERR_NOT_FOUND)
            err_clear(err);
        else if (result < 0 && check_found(check, name, err) < 0)
            return -1;
    }
    return 0;
}

/* With a damaged index, what the packs say of themselves stands in for it, so that the rest is checked all the same. */
static int load_index(struct check *check, struct err *err) {
    if (index_load(check->index, check->repo, err) == 0)
        return 0;
    if (err->code != ERR_CORRUPT && err->code != ERR_UNSUPPORTED)
        return -1;
    uint64_t before = check->result->findings;
    struct err why = *err;
    char folder[REPO_NAME_MAX];
    err_clear(err);
    if (find_damaged(check, err) < 0)
        return -1;
    if (check->result->findings == before && check_found(check, repo_folder(check->repo, folder, "index"), &why) < 0)
        return -1;
    index_free(check->index);
    check->index = index_new();
    return check_index_from_packs(check, check->index, err);
}

/* True when the store has the pack in the size the index tells. Packs come and go: so look again before judging. */
static bool is_whole(struct check *check, const struct pack_table *table, struct err *err) {
    const struct checked_pack *listed = check_find_pack(check, table->pack);
    char name[REPO_NAME_MAX];
    uint64_t size;
    int64_t modified;
    if (listed && listed->size == table->size)
        return true;
    bool whole =
        store_stat(check->repo->store, repo_pack_name(check->repo, name, table->pack), &size, &modified, err) == 0 &&
        size == table->size;
    err_clear(err);
    return whole;
}

static void describe_pack(struct check *check, const struct pack_table *table) {
    const struct checked_pack *listed = check_find_pack(check, table->pack);
    char name[REPO_NAME_MAX];
    repo_pack_name(check->repo, name, table->pack);
    if (listed)
        check_find(check, name, "has %llu bytes where the index tells of %llu", (unsigned long long)listed->size,
                   (unsigned long long)table->size);
    else if (!check->options
                  ->mirror) /* there the index knows packs whose copy is not due; snapshots tell which count */
        check_find(check, name, "is missing, with %u chunks that the index says are in it", table->slot_count);
}

/* Packs that are missing or cut answer for no slot any more. A purge may have ended them since the index was read. */
static int compare_packs(struct check *check, struct err *err) {
    struct index *fresh = NULL;
    int result = 0;
    for (size_t i = 0; i < index_pack_count(check->index); i++) {
        const struct pack_table *table = index_pack(check->index, i);
        check->result->chunks += table->slot_count;
        if (is_whole(check, table, err))
            continue;
        if (!fresh) {
            fresh = index_new();
            result = index_load(fresh, check->repo, err);
            if (result < 0 && err->code != ERR_CORRUPT)
                break;
            if (result < 0)
                err_clear(err); /* told already */
            result = 0;
        }
        if (index_pack_count(fresh) == 0 || index_find_pack(fresh, table->pack))
            describe_pack(check, table);
        index_forget_pack(check->index, table->pack);
    }
    index_free(fresh);
    return result;
}

/* --- references -----------------------------------------------------------------------------------------------------
 */

struct following {
    struct index *index;
    struct marks *marks;
    uint64_t missed; /* slots of this source that are nowhere */
};

static int follow(void *context, const struct extent *extent, enum extent_role role, struct err *err) {
    (void)role;
    struct following *following = context;
    struct index_place place;
    for (uint32_t i = 0; i < extent->count; i++)
        if (!index_place(following->index, extent->birth, extent->first + i, 0, &place))
            following->missed++;
    marks_add(following->marks, extent);
    return interrupt_check(err);
}

/* A snapshot that a purge ended in the meantime may well have lost its chunks. */
static bool is_gone(struct check *check, const char *name) {
    struct err why = { 0 };
    uint64_t size;
    int64_t modified;
    bool gone = store_stat(check->repo->store, name, &size, &modified, &why) < 0 && why.code == ERR_NOT_FOUND;
    err_clear(&why);
    return gone;
}

static int check_source(struct check *check, struct marks *marks, const char *head, const struct head_source *source,
                        struct err *err) {
    struct following following = { .index = check->index, .marks = marks };
    int result = references_walk(check->repo, check->index, &source->references, follow, &following, err);
    if (result < 0 && err->code != ERR_CORRUPT && err->code != ERR_NOT_FOUND)
        return -1;
    if ((result < 0 || following.missed > 0) && is_gone(check, head)) {
        err_clear(err);
        return 0;
    }
    if (result < 0) {
        check_find(check, head, "what source '%s' refers to cannot be read: %s", source->name, err->message);
        err_clear(err);
    } else if (following.missed > 0) {
        check_find(check, head, "source '%s' refers to %llu chunks that no whole pack of the index holds", source->name,
                   (unsigned long long)following.missed);
    }
    return 0;
}

/* Packs that a later purge removes: no snapshot refers to anything in them. */
static void count_unreferenced(struct check *check, const struct marks *marks) {
    for (size_t i = 0; i < check->pack_count; i++) {
        const struct pack_table *table = index_find_pack(check->index, check->packs[i].name);
        bool used = false;
        for (uint32_t s = 0; table && s < table->slot_count && !used; s++) {
            const struct pack_slot *slot = &table->slots[s];
            used = marks_has(marks, marks_base(marks, table->sections[slot->section].birth) + slot->number);
        }
        check->result->unreferenced_packs += !used;
    }
}

int check_references(struct check *check, struct err *err) {
    struct marks *marks = NULL;
    int result = -1;
    if (load_index(check, err) < 0 || compare_packs(check, err) < 0 || marks_new(check->index, &marks, err) < 0)
        goto out;
    for (size_t i = 0; i < check->heads.count; i++) {
        const struct head *head = &check->heads.items[i];
        char name[REPO_NAME_MAX];
        repo_name(check->repo, name, "snapshots", head->name);
        for (size_t s = 0; s < head->source_count; s++)
            if (check_source(check, marks, name, &head->sources[s], err) < 0)
                goto out;
    }
    count_unreferenced(check, marks);
    result = 0;
out:
    marks_free(marks);
    return result;
}
