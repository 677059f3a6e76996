#include "report_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

static int add_object(void *context, const struct store_kept *object, struct err *err) {
    struct listed_place *place = context;
    place->objects = mem_grow(place->objects, &place->capacity, place->count + 1, sizeof *place->objects);
    place->objects[place->count++] = (struct placed){
        .name = mem_string(repo_below(&place->repo, object->name)),
        .size = object->size,
        .modified = object->modified,
        .versions = object->versions,
        .hidden = object->hidden,
    };
    return interrupt_check(err);
}

static int by_name(const void *left, const void *right) {
    return strcmp(((const struct placed *)left)->name, ((const struct placed *)right)->name);
}

static int list_place(struct listed_place *place, struct err *err) {
    if (store_list_kept(place->repo.store, place->repo.keys->set_name, add_object, place, err) < 0)
        return -1;
    if (place->count > 1)
        qsort(place->objects, place->count, sizeof *place->objects, by_name);
    place->reached = true;
    return 0;
}

static void forget_objects(struct listed_place *place) {
    for (size_t i = 0; i < place->count; i++)
        free(place->objects[i].name);
    free(place->objects);
    place->objects = NULL;
    place->count = place->capacity = 0;
}

/* A mirror that cannot be listed is a finding; without the repository there is nothing to say. */
int places_load(struct reporting *reporting, struct err *err) {
    const struct report_request *request = reporting->request;
    reporting->places = mem_array(request->place_count + 1, sizeof *reporting->places);
    for (size_t i = 0; i < request->place_count; i++) {
        struct listed_place *place = &reporting->places[i];
        const struct report_place *asked = &request->places[i];
        struct report_store *store = &reporting->report->stores[i];
        struct err why = { 0 };
        *place = (struct listed_place){ .asked = asked, .mirror = i > 0 ? asked->name : NULL, .repo = *request->repo };
        if (i > 0) {
            place->repo.store = asked->store;
            place->repo.cache = NULL; /* it is of what the repository has */
        }
        if (!asked->store)
            err_set(&why, ERR_NOT_FOUND, "%s", asked->why ? asked->why : "it could not be opened");
        else if (list_place(place, &why) == 0)
            continue;
        if (i == 0 || why.code == ERR_INTERRUPTED) {
            *err = why;
            return err_wrap(err, "list '%s'", asked->name);
        }
        forget_objects(place);
        store->why = mem_string(why.message);
        report_find(reporting, FINDING_UNKNOWN, asked->name, NULL, "it could not be looked at: %s", why.message);
    }
    return 0;
}

void places_release(struct reporting *reporting) {
    for (size_t i = 0; reporting->places && i < reporting->request->place_count; i++) {
        forget_objects(&reporting->places[i]);
        index_free(reporting->places[i].index);
    }
    free(reporting->places);
}

static int compare_name(const void *name, const void *object) {
    return strcmp(name, ((const struct placed *)object)->name);
}

struct placed *place_find(const struct listed_place *place, const char *name) {
    return place->count > 0 ? bsearch(name, place->objects, place->count, sizeof *place->objects, compare_name) : NULL;
}

struct placed *place_find_pack(const struct listed_place *place, const uint8_t pack[32]) {
    char name[REPO_NAME_MAX];
    repo_pack_name(&place->repo, name, pack);
    return place_find(place, repo_below(&place->repo, name));
}

static size_t first_not_below(const struct listed_place *place, const char *folder, size_t length, int least) {
    size_t low = 0, high = place->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strncmp(place->objects[middle].name, folder, length) < least)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t place_folder(const struct listed_place *place, const char *folder, size_t *first) {
    size_t length = strlen(folder);
    *first = first_not_below(place, folder, length, 0);
    return first_not_below(place, folder, length, 1);
}

/* --- part 5: the stores ---------------------------------------------------------------------------------------------
 */

static const char *versioning_text(const struct report_place *place) {
    if (!s3_is_address(place->address))
        return "none";
    switch (place->bucket ? place->bucket->versioning : S3_VERSIONING_UNKNOWN) {
    case S3_VERSIONING_OFF:
        return "off";
    case S3_VERSIONING_ON:
        return "on";
    case S3_VERSIONING_SUSPENDED:
        return "suspended";
    case S3_VERSIONING_UNKNOWN:
        break;
    }
    return "unknown";
}

static const char *lock_text(enum s3_lock_mode mode) {
    return mode == S3_LOCK_GOVERNANCE ? "governance" : mode == S3_LOCK_COMPLIANCE ? "compliance" : "none";
}

static void count_objects(struct report_store *store, const struct listed_place *place) {
    for (size_t i = 0; i < place->count; i++) {
        const struct placed *object = &place->objects[i];
        store->versions += object->versions;
        if (object->hidden) {
            store->hidden++;
            store->hidden_bytes += object->size;
        } else {
            store->objects++;
            store->bytes += object->size;
        }
    }
}

static void count_snapshots(struct report_store *store, const struct reporting *reporting, size_t at) {
    for (size_t i = 0; i < reporting->report->snapshot_count; i++) {
        const struct report_snapshot *snapshot = &reporting->report->snapshots[i];
        const struct report_copy *copy = &snapshot->copies[at];
        if (copy->state != COPY_WHOLE && copy->state != COPY_INCOMPLETE)
            continue;
        store->snapshots++;
        if (snapshot->started > store->newest_snapshot)
            store->newest_snapshot = snapshot->started;
    }
}

static void tell_past(struct report_store *store, const struct reporting *reporting, const char *mirror) {
    const struct past *past = &reporting->past;
    const struct fact *copied = mirror ? past_last(past, FACT_MIRRORED, NULL, mirror) : NULL;
    const struct fact *verified =
        mirror ? past_last(past, FACT_VERIFIED, NULL, mirror) : past_last(past, FACT_CHECKED, NULL, NULL);
    store->copied = copied ? copied->time : 0;
    if (!verified)
        return;
    store->verified = verified->time;
    store->verified_objects = fact_count(verified, mirror ? "objects" : "packs");
    store->verified_damaged = fact_count(verified, mirror ? "damaged" : "findings");
}

static void name_bucket(struct report_store *store, const struct report_place *asked) {
    struct s3_place place = { 0 };
    if (s3_is_address(asked->address) && s3_place_parse(asked->address, NULL, &place, NULL) == 0)
        store->bucket = mem_string(place.bucket);
    store->region = mem_string(asked->region);
    s3_place_release(&place);
}

void report_stores(struct reporting *reporting) {
    struct report *report = reporting->report;
    for (size_t i = 0; i < report->store_count; i++) {
        const struct listed_place *place = &reporting->places[i];
        struct report_store *store = &report->stores[i];
        store->name = mem_string(place->asked->name);
        store->address = mem_string(place->asked->address);
        store->reached = place->reached;
        store->versioning = mem_string(versioning_text(place->asked));
        store->lock = mem_string(lock_text(place->asked->lock));
        name_bucket(store, place->asked);
        count_objects(store, place);
        count_snapshots(store, reporting, i);
        tell_past(store, reporting, place->mirror);
    }
    for (size_t i = 0; i < report->store_count; i++) {
        struct report_store *store = &report->stores[i];
        int64_t newest = report->stores[0].newest_snapshot, own = store->newest_snapshot;
        store->lag = own == 0 ? -1 : newest > own ? newest - own : 0;
    }
}
