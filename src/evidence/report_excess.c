#include "report_internal.h"
#include <muniment/repo/session.h>
#include <muniment/util/clock.h>
#include <string.h>

enum { UPLOAD_LASTS = 86400 }; /* seconds; every run ends those that are older */

/* What a folder may hold. */
static const struct folder_kind {
    const char *folder;
    bool mirrored; /* mirrors have it, too */
    bool passing;  /* its objects live for a run, or from one to the next */
} FOLDERS[] = {
    { "keys/", true, false },      { "packs/", true, false },    { "index/", true, false },
    { "snapshots/", true, false }, { "sessions/", false, true }, { "claims/", false, true },
    { "purges/", false, true },    { "journal/", true, false },  { "holds/", true, false },
    { "erasures/", true, false },
};

static const struct folder_kind *folder_of(const char *object) {
    for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++)
        if (report_is_below(object, FOLDERS[i].folder))
            return &FOLDERS[i];
    return NULL;
}

static bool is_visible(const struct placed *placed) {
    return placed && !placed->hidden;
}

/* When the oldest capture that may still run began, by the repository's clock; INT64_MAX: none does. */
static int64_t oldest_session(const struct reporting *reporting) {
    int64_t oldest = INT64_MAX;
    size_t at, end = place_folder(&reporting->places[0], "sessions/", &at);
    for (; at < end; at++) {
        const struct placed *session = &reporting->places[0].objects[at];
        if (!session->hidden && session->modified - SESSION_MARGIN < oldest)
            oldest = session->modified - SESSION_MARGIN;
    }
    return oldest;
}

static bool index_knows(const struct reporting *reporting, const char *object) {
    uint8_t pack[32];
    char name[REPO_NAME_MAX];
    const struct repo *repo = reporting->request->repo;
    if (!repo_name_hash(object, pack) || !reporting->index || !index_find_pack(reporting->index, pack))
        return false;
    repo_pack_name(repo, name, pack);
    return strcmp(repo_below(repo, name), object) == 0;
}

/* Then packs may be there that it moves chunks to, and that no index object lists yet. In a bucket it has a claim, in a
 * directory it holds a lock. */
static bool is_purged(const struct reporting *reporting) {
    const struct repo *repo = reporting->request->repo;
    struct store_lock *lock = NULL;
    struct err why = { 0 };
    char name[REPO_NAME_MAX];
    size_t at, end = place_folder(&reporting->places[0], "claims/", &at);
    if (at < end || store_lock_take(repo->store, repo_name(repo, name, "locks", "purge"), 0, &lock, &why) < 0)
        return at < end || why.code == ERR_LOCKED;
    store_lock_release(lock);
    return false;
}

/* Known by what the repository itself says, or by its journal. */
static bool is_known_here(const struct reporting *reporting, const struct placed *placed, int64_t session) {
    const char *object = placed->name;
    if (report_is_below(object, "packs/"))
        return !reporting->index || index_knows(reporting, object) || placed->modified >= session ||
               is_purged(reporting);
    if (report_is_below(object, "snapshots/"))
        return !reporting->report->journal_whole || past_last(&reporting->past, FACT_CAPTURED, object, NULL) ||
               placed->modified >= session;
    if (report_is_below(object, "keys/") || report_is_below(object, "holds/") || report_is_below(object, "erasures/"))
        return !reporting->report->journal_whole || past_last(&reporting->past, FACT_STORED, object, NULL);
    return true; /* index and journal are verified as a whole */
}

/* A mirror has what the repository has; and what only the mirror has is known where the journal or a snapshot that
 * stays there knows it. */
static bool is_known_there(const struct reporting *reporting, const struct placed *placed) {
    return is_visible(place_find(&reporting->places[0], placed->name)) || placed->needed ||
           (report_is_below(placed->name, "snapshots/") &&
            past_last(&reporting->past, FACT_CAPTURED, placed->name, NULL) != NULL) ||
           report_is_below(placed->name, "journal/"); /* compared chain by chain */
}

static void check_object(struct reporting *reporting, size_t p, const struct placed *placed, int64_t session) {
    const char *place = reporting->request->places[p].name;
    const struct folder_kind *kind = folder_of(placed->name);
    bool decided = past_last(&reporting->past, FACT_DECIDED, placed->name, NULL) != NULL;
    if (!kind || (p > 0 && !kind->mirrored)) {
        report_find(reporting, FINDING_EXCESS, place, placed->name, "nothing of the kind belongs there");
        return;
    }
    if (kind->passing)
        return;
    bool known = p == 0 ? is_known_here(reporting, placed, session) : is_known_there(reporting, placed);
    if (!known && !decided)
        report_find(reporting, FINDING_EXCESS, place, placed->name,
                    p == 0 ? "neither the index nor the journal knows it" : "the repository does not know it");
    else if (!placed->hidden && placed->versions > 1)
        report_find(reporting, FINDING_EXCESS, place, placed->name, "%u versions of it are kept", placed->versions);
    else if (placed->hidden && known && !decided && !report_is_below(placed->name, "snapshots/") && !placed->needed &&
             !report_is_below(placed->name, "packs/"))
        report_find(reporting, FINDING_MISSING, place, placed->name, "it is hidden, and nobody decided that it goes");
}

/* Of a set that was erased only the journal stays; what a lock holds is unreadable from then on. */
static void tell_remains(struct reporting *reporting, size_t p) {
    const struct listed_place *place = &reporting->places[p];
    size_t remains = 0;
    bool locked = true;
    for (size_t i = 0; i < place->count; i++)
        if (!report_is_below(place->objects[i].name, "journal/")) {
            remains++;
            locked = locked && report_refused_until(reporting, place->objects[i].name, place) != 0;
        }
    if (remains > 0)
        report_find(reporting, locked ? FINDING_EXCEPTION : FINDING_EXCESS, place->asked->name, NULL,
                    "%zu objects are left of the set that was erased%s", remains, locked ? ": locks hold them" : "");
}

struct upload_listing {
    struct reporting *reporting;
    size_t place;
};

static int tell_upload(void *context, const char *name, int64_t begun, struct err *err) {
    const struct upload_listing *listing = context;
    const struct report_request *request = listing->reporting->request;
    char date[CLOCK_TEXT];
    (void)err;
    report_find(
        listing->reporting, FINDING_EXCESS, request->places[listing->place].name, repo_below(request->repo, name),
        "an upload of it that began at %s was never finished, and its parts are kept", clock_format(date, begun));
    return 0;
}

/* What a listing of objects does not show, and is paid for all the same. */
static void look_for_uploads(struct reporting *reporting, size_t p) {
    struct upload_listing listing = { reporting, p };
    const struct repo *repo = &reporting->places[p].repo;
    struct err why = { 0 };
    if (!reporting->places[p].reached ||
        store_list_uploads(repo->store, repo->keys->set_name, reporting->request->now - UPLOAD_LASTS, tell_upload,
                           &listing, &why) == 0)
        return;
    if (why.code != ERR_DENIED)
        report_find(reporting, FINDING_UNKNOWN, reporting->request->places[p].name, NULL, "%s", why.message);
}

void report_excess(struct reporting *reporting) {
    int64_t session = oldest_session(reporting);
    for (size_t p = 0; p < reporting->request->place_count; p++) {
        look_for_uploads(reporting, p);
        if (reporting->erased != 0)
            tell_remains(reporting, p);
        else
            for (size_t i = 0; i < reporting->places[p].count; i++)
                check_object(reporting, p, &reporting->places[p].objects[i], session);
    }
}
