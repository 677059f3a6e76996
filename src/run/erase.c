#include <errno.h>
#include <muniment/evidence/document.h>
#include <muniment/run/erase.h>
#include <muniment/run/places.h>
#include <muniment/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What this host remembers of the set: names and digests of files, copies of small objects. */
static bool remove_state(struct opened_set *set) {
    struct err why = { 0 };
    if (!set->state || file_remove_tree(set->state, &why) == 0)
        return true;
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
    int status = set_places_open(set, &places, err);
    if (status == 0) {
        const struct report_request request = set_places_request(set, &places, now, now, now);
        status = erase_set(&request, result, err);
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
