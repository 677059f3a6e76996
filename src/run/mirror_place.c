#include "mirror_place_internal.h"
#include <muniment/run/place.h>
#include <muniment/util/clock.h>
#include <string.h>

int mirror_past_read(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
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

/* A mirror of the repository into itself would look perfect and save nothing. */
static int check_apart(const struct opened_set *set, const struct mirror_settings *mirror, struct err *err) {
    if (!stores_overlap(store_label(set->store), mirror->path, set->services))
        return 0;
    return err_set(err, ERR_INVALID, "'%s' is the repository itself", mirror->path);
}

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

int mirror_place_open(struct opened_set *set, const struct mirror_settings *mirror, const struct mirror_past *past,
                      bool create, struct store **store, struct err *err) {
    const struct store_address address = {
        .path = mirror->path,
        .services = set->services,
        .lock = mirror->lock,
        .log = set->repo.log,
    };
    *store = NULL;
    if (check_apart(set, mirror, err) < 0 || store_open(&address, create, store, err) < 0)
        return -1;
    if (create || !past->known || check_present(*store, mirror, past, err) == 0)
        return 0;
    store_close(*store);
    *store = NULL;
    return -1;
}

int mirror_open(struct opened_set *set, const char *name, struct store **store, struct err *err) {
    for (size_t i = 0; i < set->settings->mirror_count; i++) {
        const struct mirror_settings *mirror = &set->settings->mirrors[i];
        const struct mirror_past past = { .name = name };
        if (strcmp(mirror->name, name) == 0)
            return mirror_place_open(set, mirror, &past, false, store, err) < 0 ? err_wrap(err, "mirror '%s'", name)
                                                                                : 0;
    }
    return err_set(err, ERR_INVALID, "set '%s' has no mirror '%s'", set->settings->name, name);
}
