#include "report_internal.h"
#include <muniment/util/workers.h>

/* A head in a place, to be asked for. Each has a copy of its own to write to. */
struct asked_lock {
    struct listed_place *place;
    const struct report_snapshot *snapshot;
    struct report_copy *copy;
};

/* A lock that is over is none. What the key may not ask, or the service does not know, stays unknown; and a head that
 * a run removed meanwhile has no lock. */
static int ask(void *context, void *item, struct err *err) {
    const struct reporting *reporting = context;
    const struct asked_lock *asked = item;
    char name[REPO_NAME_MAX];
    int64_t until;
    repo_name(&asked->place->repo, name, "snapshots", asked->snapshot->name);
    if (store_locked_until(asked->place->repo.store, name, &until, err) < 0) {
        if (err->code != ERR_DENIED && err->code != ERR_UNSUPPORTED && err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    asked->copy->locked_until = until > reporting->request->now ? until : 0;
    return 0;
}

static bool locks(const struct report_place *place) {
    return place->lock != S3_LOCK_NONE || (place->bucket && place->bucket->default_mode != S3_LOCK_NONE);
}

static int ask_place(struct reporting *reporting, size_t p, struct err *err) {
    struct listed_place *place = &reporting->places[p];
    struct report *report = reporting->report;
    struct workers *workers =
        workers_start(store_transfers(place->repo.store), sizeof(struct asked_lock), ask, reporting);
    int result = 0;
    for (size_t i = 0; i < report->snapshot_count && result == 0; i++) {
        struct report_copy *copy = &report->snapshots[i].copies[p];
        const struct asked_lock asked = { place, &report->snapshots[i], copy };
        if (copy->state == COPY_WHOLE || copy->state == COPY_INCOMPLETE)
            result = workers_give(workers, &asked, err);
    }
    if (result < 0) {
        workers_stop(workers);
        return -1;
    }
    return workers_finish(workers, err);
}

int report_locks(struct reporting *reporting, struct err *err) {
    for (size_t p = 0; p < reporting->request->place_count; p++) {
        if (!reporting->places[p].reached || !locks(&reporting->request->places[p]) ||
            ask_place(reporting, p, err) == 0)
            continue;
        if (err->code == ERR_INTERRUPTED)
            return -1;
        report_find(reporting, FINDING_UNKNOWN, reporting->request->places[p].name, NULL,
                    "its locks could not be asked for: %s", err->message);
        err_clear(err);
    }
    return 0;
}
