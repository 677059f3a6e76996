#include "locks_internal.h"
#include <muniment/run/place.h>
#include <muniment/util/clock.h>
#include <string.h>

enum { DAY = 86400 };

/* What the journal remembers of a mirror. */
struct mirror_past {
    const char *name;
    bool known;       /* something was done to it once */
    int64_t mirrored; /* the last copy; 0: none */
};

static int read_past(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct mirror_past *past = context;
    const char *name = journal_field(entry, "mirror");
    (void)segment;
    (void)err;
    if (!name || strcmp(name, past->name) != 0)
        return 0;
    past->known = true;
    if (strcmp(entry->event, "mirrored") == 0 && entry->time > past->mirrored)
        past->mirrored = entry->time;
    return 0;
}

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

/* A mirror of the repository into itself would look perfect and save nothing. */
static int check_apart(const struct opened_set *set, const struct mirror_settings *mirror, struct err *err) {
    if (!stores_overlap(store_label(set->store), mirror->path, set->services))
        return 0;
    return err_set(err, ERR_INVALID, "'%s' is the repository itself", mirror->path);
}

/* A mirror that was there before and is not now is a disk that is not mounted, unless someone asks for a new one. */
static int check_present(struct store *store, const struct mirror_settings *mirror, const struct mirror_past *past,
                         struct err *err) {
    uint64_t size;
    int64_t modified;
    char last[CLOCK_TEXT];
    if (store_stat(store, "muniment", &size, &modified, err) == 0)
        return 0;
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    err_set(err, ERR_NOT_FOUND, "nothing is at '%s', where the mirror was (last copy %s)", mirror->path,
            past->mirrored ? clock_format(last, past->mirrored) : "unknown");
    return err_hint(err, "%s; for a new, empty mirror run: muniment mirror SET %s",
                    s3_is_address(mirror->path) ? "look at its bucket" : "mount it", mirror->name);
}

static int open_mirror(struct opened_set *set, const struct mirror_settings *mirror, const struct mirror_past *past,
                       bool create, struct store **store, struct err *err) {
    const struct store_address address = {
        .path = mirror->path,
        .services = set->services,
        .lock = mirror->lock,
        .log = set->repo.log,
    };
    if (check_apart(set, mirror, err) < 0 || store_open(&address, create, store, err) < 0)
        return -1;
    if (create || check_present(*store, mirror, past, err) == 0)
        return 0;
    store_close(*store);
    return -1;
}

int mirror_set(struct opened_set *set, const struct mirror_settings *mirror, int64_t now, bool force,
               unsigned verify_percent, struct mirror_result *result, struct err *err) {
    struct mirror_past past = { .name = mirror->name };
    *result = (struct mirror_result){ 0 };
    if (journal_walk(&set->repo, read_past, &past, err) < 0) {
        if (err->code != ERR_CORRUPT)
            return err_wrap(err, "mirror '%s'", mirror->name);
        err_clear(err); /* the mirror run tells, and copies all the same */
    }

    struct mirror_options options = {
        .name = mirror->name,
        .copy = force || copy_is_due(mirror, &past, now),
        .verify_percent = verify_percent,
        .now = now,
    };
    struct lock_policy locks;
    struct store *store;
    if (open_mirror(set, mirror, &past, force || !past.known, &store, err) < 0)
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
