#include "mirror_place_internal.h"
#include <muniment/run/place.h>
#include <muniment/util/clock.h>
#include <string.h>

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

int mirror_past_load(struct opened_set *set, const char *name, struct mirror_past *past, struct err *err) {
    *past = (struct mirror_past){ .name = name };
    if (journal_walk(&set->repo, read_past, past, err) == 0)
        return 0;
    if (err->code != ERR_CORRUPT)
        return -1;
    err_clear(err);
    return 0;
}

/* A mirror of the repository into itself would look perfect and save nothing. */
static int check_apart(const struct opened_set *set, const struct mirror_settings *mirror, struct err *err) {
    if (!stores_overlap(store_label(set->store), mirror->path, set->services))
        return 0;
    return err_set(err, ERR_INVALID, "'%s' is the repository itself", mirror->path);
}

static int check_present(struct opened_set *set, const struct mirror_settings *mirror, struct store *store,
                         struct err *err) {
    uint64_t size;
    int64_t modified;
    char last[CLOCK_TEXT];
    struct mirror_past past;
    if (store_stat(store, "muniment", &size, &modified, err) == 0)
        return 0;
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    if (mirror_past_load(set, mirror->name, &past, err) < 0)
        return -1;
    if (!past.known)
        return 0;
    err_set(err, ERR_NOT_FOUND, "nothing is at '%s', where the mirror was (last copy %s)", mirror->path,
            past.mirrored ? clock_format(last, past.mirrored) : "unknown");
    return err_hint(err, "%s; for a new, empty mirror run: muniment mirror SET %s",
                    s3_is_address(mirror->path) ? "look at its bucket" : "mount it", mirror->name);
}

int mirror_place_open(struct opened_set *set, const struct mirror_settings *mirror, enum mirror_presence presence,
                      struct store **store, struct err *err) {
    const struct store_address address = {
        .path = mirror->path,
        .services = set->services,
        .lock = mirror->lock,
        .log = set->repo.log,
    };
    *store = NULL;
    if (check_apart(set, mirror, err) < 0 || store_open(&address, presence == MIRROR_IS_MADE, store, err) < 0)
        return -1;
    if (presence != MIRROR_IF_KNOWN || check_present(set, mirror, *store, err) == 0)
        return 0;
    store_close(*store);
    *store = NULL;
    return -1;
}

int mirror_open(struct opened_set *set, const char *name, struct store **store, struct err *err) {
    for (size_t i = 0; i < set->settings->mirror_count; i++) {
        const struct mirror_settings *mirror = &set->settings->mirrors[i];
        if (strcmp(mirror->name, name) != 0)
            continue;
        if (mirror_place_open(set, mirror, MIRROR_AS_IT_IS, store, err) < 0)
            return err_wrap(err, "mirror '%s'", name);
        return 0;
    }
    return err_set(err, ERR_INVALID, "set '%s' has no mirror '%s'", set->settings->name, name);
}
