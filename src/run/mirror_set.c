#include "locks_internal.h"
#include "mirror_place_internal.h"

enum { DAY = 86400 };

/* Half a day early is in time: the run of a night never starts at the same second. */
static bool copy_is_due(const struct mirror_settings *mirror, const struct mirror_past *past, int64_t now) {
    switch (mirror->schedule) {
    case MIRROR_DAILY:
        return true;
    case MIRROR_WEEKLY:
        return past->mirrored == 0 || past->mirrored > now || now - past->mirrored >= 7 * DAY - DAY / 2;
    case MIRROR_MANUAL:
        break;
    }
    return false;
}

int mirror_set(struct opened_set *set, const struct mirror_settings *mirror, int64_t now, bool force,
               unsigned verify_percent, struct mirror_result *result, struct err *err) {
    struct mirror_past past;
    *result = (struct mirror_result){ 0 };
    if (mirror_past_load(set, mirror->name, &past, err) < 0)
        return err_wrap(err, "mirror '%s'", mirror->name);

    struct mirror_options options = {
        .name = mirror->name,
        .copy = force || copy_is_due(mirror, &past, now),
        .verify_percent = verify_percent,
        .now = now,
    };
    struct lock_policy locks;
    struct store *store;
    if (mirror_place_open(set, mirror, force || !past.known ? MIRROR_IS_MADE : MIRROR_IF_KNOWN, &store, err) < 0)
        return err_wrap(err, "mirror '%s'", mirror->name);
    int status = lock_policy_open(&locks, set, mirror->name, now, err);
    if (status == 0) {
        options.locks = &locks.rule;
        status = mirror_run(&set->repo, store, &options, result, err);
        lock_policy_close(&locks);
    }
    store_close(store);
    return status;
}
