#include <errno.h>
#include <ftw.h>
#include <muniment/evidence/document.h>
#include <muniment/run/erase.h>
#include <muniment/run/places.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FOLDERS_OPEN = 16 };

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status, (void)type, (void)place;
    return remove(path);
}

/* What this host remembers of the set: names and digests of files, copies of small objects. */
static bool remove_state(struct opened_set *set) {
    if (!set->state || nftw(set->state, remove_entry, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
        return true;
    struct err why = { 0 };
    err_sys(&why, "remove '%s'", set->state);
    log_error(set->repo.log, "%s", why.message);
    return false;
}

static bool remove_read_key(struct opened_set *set) {
    const char *path = set->settings->read_key;
    if (!path || unlink(path) == 0 || errno == ENOENT)
        return true;
    struct err why = { 0 };
    err_sys(&why, "remove the read key '%s'", path);
    log_error(set->repo.log, "%s", why.message);
    return false;
}

int set_erase(struct opened_set *set, int64_t now, enum report_format format, struct erase_result *result,
              struct buffer *certificate, bool *local, struct err *err) {
    struct set_places places;
    *result = (struct erase_result){ 0 };
    set->repo.cache = NULL; /* it is about to go, and must not be filled again */
    int status = set_places_open(set, &places, err);
    if (status == 0) {
        const struct report_request request = {
            .set = set->settings->name,
            .repo = &set->repo,
            .policy = &set->settings->policy,
            .erasure_promise = set->settings->erasure_promise,
            .places = places.items,
            .place_count = places.count,
            .from = now,
            .until = now,
            .now = now,
        };
        status = erase_set(&request, set->settings->journal_keep, result, err);
        if (status == 0) {
            erase_certificate(&request, result, format, certificate);
            status = document_sign(set->keys, format, certificate, err);
            *local = remove_read_key(set);
            *local = remove_state(set) && *local;
        }
    }
    set_places_close(&places);
    return status;
}
