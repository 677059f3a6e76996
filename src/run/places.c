#include "mirror_place_internal.h"
#include <muniment/run/bucket.h>
#include <muniment/run/place.h>
#include <muniment/run/places.h>
#include <muniment/util/memory.h>
#include <stdlib.h>

enum { DAY = 86400 };

static int64_t copy_interval(const struct mirror_settings *mirror) {
    switch (mirror->schedule) {
    case MIRROR_DAILY:
        return DAY;
    case MIRROR_WEEKLY:
        return 7 * DAY;
    case MIRROR_MANUAL:
        break;
    }
    return 0;
}

/* What its bucket says of itself. Asked first, because only this gives up soon on a service that is away. */
static int describe(struct opened_set *set, struct set_places *places, size_t at, const char *path, struct err *err) {
    struct s3_place place = { 0 };
    if (!s3_is_address(path))
        return 0;
    if (s3_place_parse(path, set->services, &place, NULL) == 0)
        places->items[at].region = places->regions[at] = mem_string(place.service.region);
    s3_place_release(&place);
    if (bucket_describe(path, set->services, set->repo.log, &places->buckets[at], err) < 0)
        return -1;
    places->items[at].bucket = &places->buckets[at];
    return 0;
}

static int open_mirror(struct opened_set *set, struct set_places *places, size_t at, struct err *err) {
    const struct mirror_settings *mirror = &set->settings->mirrors[at - 1];
    if (describe(set, places, at, mirror->path, err) < 0)
        return -1;
    return mirror_place_open(set, mirror, MIRROR_IF_KNOWN, &places->items[at].store, err);
}

int set_places_open(struct opened_set *set, struct set_places *places, struct err *err) {
    const struct set_settings *settings = set->settings;
    set->repo.cache = NULL;
    size_t count = settings->mirror_count + 1;
    *places = (struct set_places){
        .items = mem_array(count, sizeof *places->items),
        .count = count,
        .addresses = mem_array(count, sizeof *places->addresses),
        .reasons = mem_array(count, sizeof *places->reasons),
        .regions = mem_array(count, sizeof *places->regions),
        .buckets = mem_array(count, sizeof *places->buckets),
    };

    places->addresses[0] = store_spelled_out(store_label(set->store), set->services);
    places->items[0] = (struct report_place){
        .name = "repository", .address = places->addresses[0], .store = set->store, .lock = set->lock
    };
    if (describe(set, places, 0, store_label(set->store), err) < 0)
        return err_wrap(err, "look at the repository");
    for (size_t i = 1; i < count; i++) {
        const struct mirror_settings *mirror = &settings->mirrors[i - 1];
        struct err why = { 0 };
        places->addresses[i] = store_spelled_out(mirror->path, set->services);
        places->items[i] = (struct report_place){
            .name = mirror->name,
            .address = places->addresses[i],
            .lock = mirror->lock,
            .copy_interval = copy_interval(mirror),
        };
        if (open_mirror(set, places, i, &why) < 0)
            places->items[i].why = places->reasons[i] = mem_string(why.message);
    }
    return 0;
}

void set_places_close(struct set_places *places) {
    for (size_t i = 0; i < places->count; i++) {
        if (i > 0)
            store_close(places->items[i].store); /* the first one's is the set's */
        s3_bucket_release(&places->buckets[i]);
        free(places->addresses[i]);
        free(places->reasons[i]);
        free(places->regions[i]);
    }
    free(places->items);
    free(places->addresses);
    free(places->reasons);
    free(places->regions);
    free(places->buckets);
    *places = (struct set_places){ 0 };
}

struct report_request set_places_request(struct opened_set *set, const struct set_places *places, int64_t from,
                                         int64_t until, int64_t now) {
    return (struct report_request){
        .set = set->settings->name,
        .repo = &set->repo,
        .policy = &set->settings->policy,
        .erasure_promise = set->settings->erasure_promise,
        .places = places->items,
        .place_count = places->count,
        .from = from,
        .until = until,
        .now = now,
    };
}
