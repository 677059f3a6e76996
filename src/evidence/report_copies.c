#include "report_internal.h"
#include "report_needs_internal.h"
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What snapshots need, by one index: the repository's, or, for what only a mirror has, that mirror's. */
struct follower {
    struct reporting *reporting;
    size_t at; /* the place that the index is of */
    struct index *index;
    struct needs *needs;
    struct placed ***has; /* by place and number of the pack: where it is there, whole; or NULL */
    uint32_t **missing;   /* by place and number: snapshots that are there and miss it there */
    bool **unlisted;      /* by place and number: no index object there lists it */
    struct need need;
};

/* The index that a place is read by: its own. */
static int read_by(struct listed_place *place, struct index **index, struct err *err) {
    if (!place->index) {
        struct index *loaded = index_new();
        if (index_load(loaded, &place->repo, err) < 0) {
            index_free(loaded);
            return -1;
        }
        place->index = loaded;
    }
    *index = place->index;
    return 0;
}

static bool has_objects(const struct listed_place *place, const struct store_names *names) {
    bool all = true;
    for (size_t i = 0; i < names->count && all; i++) {
        const struct placed *placed = place_find(place, repo_below(&place->repo, names->items[i].name));
        all = placed && !placed->hidden && placed->size == names->items[i].size;
    }
    return all;
}

/* Without an index object that lists it a pack is there and of no use. Names are hashes: where a place has the index
 * objects that were loaded it knows the same packs, and only else its own must be read. */
static int look_for_unlisted(struct follower *follower, size_t p, struct err *err) {
    struct listed_place *place = &follower->reporting->places[p];
    struct index *own = NULL;
    if (!place->reached || has_objects(place, index_objects(follower->index)))
        return 0;
    if (read_by(place, &own, err) < 0) {
        if (err->code == ERR_INTERRUPTED)
            return -1;
        report_trouble(follower->reporting, place->asked->name, "index", err);
    }
    for (size_t i = 0; i < index_pack_count(follower->index); i++)
        follower->unlisted[p][i] = !own || !index_find_pack(own, index_pack(follower->index, i)->pack);
    return 0;
}

static int open_follower(struct follower *follower, struct reporting *reporting, size_t at, struct err *err) {
    *follower = (struct follower){ .reporting = reporting, .at = at, .index = index_new() };
    if (index_load(follower->index, &reporting->places[at].repo, err) < 0)
        return -1;
    size_t packs = index_pack_count(follower->index), places = reporting->request->place_count;
    follower->needs = needs_new(follower->index);
    follower->has = mem_array(places, sizeof *follower->has);
    follower->missing = mem_array(places, sizeof *follower->missing);
    follower->unlisted = mem_array(places, sizeof *follower->unlisted);
    for (size_t p = 0; p < places; p++) {
        follower->has[p] = mem_array(packs + 1, sizeof **follower->has);
        follower->missing[p] = mem_array(packs + 1, sizeof **follower->missing);
        follower->unlisted[p] = mem_array(packs + 1, sizeof **follower->unlisted);
        for (size_t i = 0; i < packs; i++) {
            const struct pack_table *table = index_pack(follower->index, i);
            struct placed *placed = place_find_pack(&reporting->places[p], table->pack);
            if (placed && !placed->hidden && placed->size == table->size)
                follower->has[p][i] = placed;
        }
    }
    for (size_t p = 0; p < places; p++)
        if (p != at && look_for_unlisted(follower, p, err) < 0)
            return -1;
    return 0;
}

static void close_follower(struct follower *follower) {
    for (size_t p = 0; follower->has && p < follower->reporting->request->place_count; p++) {
        free(follower->has[p]);
        free(follower->missing[p]);
        free(follower->unlisted[p]);
    }
    free(follower->has);
    free(follower->missing);
    free(follower->unlisted);
    free(follower->need.packs);
    needs_free(follower->needs);
    index_free(follower->index);
}

/* --- one snapshot ---------------------------------------------------------------------------------------------------
 */

/* Where it stands in each place, but for what it needs there. */
static void place_snapshot(struct reporting *reporting, struct report_snapshot *snapshot) {
    char object[REPO_NAME_MAX];
    report_object_of(snapshot, object);
    for (size_t p = 0; p < reporting->request->place_count; p++) {
        struct report_copy *copy = &snapshot->copies[p];
        const struct placed *placed = place_find(&reporting->places[p], object);
        copy->state = !reporting->places[p].reached ? COPY_UNKNOWN
                      : !placed                     ? COPY_ABSENT
                      : placed->hidden              ? COPY_HIDDEN
                                                    : COPY_UNKNOWN;
        if (!placed)
            continue;
        copy->stored = placed->modified;
        copy->versions = placed->versions;
    }
}

static bool stands_in(const struct reporting *reporting, const struct report_snapshot *snapshot, size_t p) {
    return reporting->places[p].reached && snapshot->copies[p].state == COPY_UNKNOWN;
}

/* The reference streams are read wherever they are whole: what the repository lost a mirror may have. */
static int follow(struct follower *follower, const struct report_snapshot *snapshot, struct err *err) {
    struct reporting *reporting = follower->reporting;
    struct err first = { 0 };
    for (size_t p = 0; p < reporting->request->place_count; p++) {
        struct index *index;
        if (!reporting->places[p].reached)
            continue;
        err_clear(err);
        if (read_by(&reporting->places[p], &index, err) == 0 &&
            needs_of(follower->needs, &reporting->places[p].repo, index, &snapshot->head, &follower->need, err) == 0)
            return 0;
        if (err->code == ERR_INTERRUPTED)
            return -1;
        if (first.code == ERR_NONE)
            first = *err;
    }
    *err = first;
    return -1;
}

/* What was decided to go may be incomplete: that it is still there is told elsewhere. */
static bool goes(const struct report_snapshot *snapshot) {
    return snapshot->expired != 0 && !snapshot->held;
}

static bool serves(const struct follower *follower, size_t p, uint32_t pack) {
    return follower->has[p][pack] && !follower->unlisted[p][pack];
}

static void judge_copy(struct follower *follower, struct report_snapshot *snapshot, size_t p) {
    struct report_copy *copy = &snapshot->copies[p];
    const uint32_t *packs;
    uint32_t count;
    copy->packs = follower->need.count;
    for (size_t i = 0; i < follower->need.count; i++) {
        uint32_t pack = follower->need.packs[i];
        if (serves(follower, p, pack))
            continue;
        copy->missing_packs++;
        follower->missing[p][pack] += !goes(snapshot);
    }
    for (size_t at = 0; needs_choice(follower->needs, at, &packs, &count); at++) {
        bool met = false;
        for (uint32_t i = 0; i < count; i++)
            met = met || serves(follower, p, packs[i]);
        copy->packs++;
        copy->missing_packs += !met;
        for (uint32_t i = 0; i < count && !met; i++)
            follower->missing[p][packs[i]] += !goes(snapshot);
    }
    copy->state = copy->missing_packs > 0 || follower->need.unknown ? COPY_INCOMPLETE : COPY_WHOLE;
}

/* What a snapshot refers to that stays must not go, wherever it is. */
static void mark_needed(struct follower *follower, const struct report_snapshot *snapshot) {
    struct reporting *reporting = follower->reporting;
    char object[REPO_NAME_MAX];
    report_object_of(snapshot, object);
    for (size_t p = 0; p < reporting->request->place_count; p++) {
        const uint32_t *packs;
        uint32_t count;
        if (goes(snapshot) && report_refused_until(reporting, object, &reporting->places[p]) == 0)
            continue;
        for (size_t i = 0; i < follower->need.count; i++)
            if (follower->has[p][follower->need.packs[i]])
                follower->has[p][follower->need.packs[i]]->needed = true;
        for (size_t at = 0; needs_choice(follower->needs, at, &packs, &count); at++)
            for (uint32_t i = 0; i < count; i++)
                if (follower->has[p][packs[i]])
                    follower->has[p][packs[i]]->needed = true;
    }
}

static int follow_snapshot(struct follower *follower, struct report_snapshot *snapshot, struct err *err) {
    struct reporting *reporting = follower->reporting;
    bool followed = follow(follower, snapshot, err) == 0;
    if (!followed && err->code == ERR_INTERRUPTED)
        return -1;
    if ((!followed || follower->need.unknown) && !goes(snapshot)) {
        char object[REPO_NAME_MAX];
        report_find(reporting, FINDING_MISSING, reporting->places[follower->at].asked->name,
                    report_object_of(snapshot, object), "%s",
                    followed ? "it needs chunks that no pack of the index holds" : err->message);
    }
    if (followed)
        mark_needed(follower, snapshot);
    for (size_t p = 0; p < reporting->request->place_count; p++)
        if (stands_in(reporting, snapshot, p)) {
            if (followed)
                judge_copy(follower, snapshot, p);
            else
                snapshot->copies[p].state = COPY_INCOMPLETE;
        }
    err_clear(err);
    return 0;
}

/* --- what is missing ------------------------------------------------------------------------------------------------
 */

static void tell_pack(const struct follower *follower, size_t p, size_t i) {
    const struct pack_table *table = index_pack(follower->index, i);
    const struct listed_place *place = &follower->reporting->places[p];
    const struct placed *placed = place_find_pack(place, table->pack);
    uint32_t missing = follower->missing[p][i];
    char name[REPO_NAME_MAX];
    repo_pack_name(&place->repo, name, table->pack);
    report_find(follower->reporting, placed && !placed->hidden ? FINDING_TAMPERED : FINDING_MISSING, place->asked->name,
                repo_below(&place->repo, name), "%s, and %u snapshot%s that the place has need%s it",
                !placed          ? "it is not there"
                : placed->hidden ? "it is hidden"
                                 : "it has not the size that it was written with",
                missing, missing == 1 ? "" : "s", missing == 1 ? "s" : "");
}

/* One that is hidden is told of with all that is hidden and should not be. */
static void tell_index_object(const struct follower *follower, size_t p, const uint8_t object[32]) {
    const struct listed_place *place = &follower->reporting->places[p];
    char hash[65], name[REPO_NAME_MAX];
    snprintf(name, sizeof name, "index/%s", hex_encode(hash, object, 32));
    if (!place_find(place, name))
        report_find(follower->reporting, FINDING_MISSING, place->asked->name, name,
                    "it is not there, and it alone lists packs that snapshots there need");
}

/* The packs of one index object stand together in the index. */
static void tell_missing(const struct follower *follower) {
    for (size_t p = 0; p < follower->reporting->request->place_count; p++) {
        const uint8_t *told = NULL;
        for (size_t i = 0; i < index_pack_count(follower->index); i++) {
            const uint8_t *object = index_pack_object(follower->index, i);
            if (follower->missing[p][i] == 0)
                continue;
            if (!follower->has[p][i])
                tell_pack(follower, p, i);
            if (follower->unlisted[p][i] && (!told || memcmp(told, object, 32) != 0))
                tell_index_object(follower, p, told = object);
        }
    }
}

/* Snapshots that only this mirror has are followed by its own index. */
static int follow_place(struct reporting *reporting, size_t at, struct err *err) {
    struct follower follower = { 0 };
    bool opened = false;
    int result = 0;
    for (size_t i = 0; i < reporting->report->snapshot_count && result == 0; i++) {
        struct report_snapshot *snapshot = &reporting->report->snapshots[i];
        if (!snapshot->head_known || (at == 0) != snapshot->exists || !stands_in(reporting, snapshot, at))
            continue;
        if (!opened && open_follower(&follower, reporting, at, err) < 0) {
            close_follower(&follower);
            if (err->code == ERR_INTERRUPTED)
                return -1;
            report_trouble(reporting, reporting->places[at].asked->name, "index", err);
            return 0;
        }
        opened = true;
        result = follow_snapshot(&follower, snapshot, err);
    }
    if (result == 0 && opened)
        tell_missing(&follower);
    if (opened && at == 0) {
        reporting->index = follower.index;
        follower.index = NULL;
    }
    close_follower(&follower);
    return result;
}

int report_copies(struct reporting *reporting, struct err *err) {
    for (size_t i = 0; i < reporting->report->snapshot_count; i++)
        place_snapshot(reporting, &reporting->report->snapshots[i]);
    for (size_t p = 0; p < reporting->request->place_count; p++)
        if (reporting->places[p].reached && follow_place(reporting, p, err) < 0)
            return -1;
    return 0;
}
