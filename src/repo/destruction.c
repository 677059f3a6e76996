#include <muniment/repo/destruction.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDS_NAMED = 8 /* of the versions of an object */ };

/* --- names ----------------------------------------------------------------------------------------------------------
 */

void dated_names_add(struct dated_names *names, const char *name, int64_t time) {
    names->items = mem_grow(names->items, &names->capacity, names->count + 1, sizeof *names->items);
    names->items[names->count++] = (struct dated_name){ mem_string(name), time };
}

static int by_name(const void *left, const void *right) {
    const struct dated_name *a = left, *b = right;
    return strcmp(a->name, b->name);
}

void dated_names_sort(struct dated_names *names) {
    if (names->count > 1)
        qsort(names->items, names->count, sizeof *names->items, by_name);
    size_t kept = 0;
    for (size_t i = 0; i < names->count; i++) {
        struct dated_name *last = kept > 0 ? &names->items[kept - 1] : NULL;
        if (!last || strcmp(last->name, names->items[i].name) != 0) {
            names->items[kept++] = names->items[i];
            continue;
        }
        last->time = names->items[i].time > last->time ? names->items[i].time : last->time;
        free(names->items[i].name);
    }
    names->count = kept;
}

struct dated_name *dated_names_find(const struct dated_names *names, const char *name) {
    size_t low = 0, high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(names->items[middle].name, name);
        if (order == 0)
            return &names->items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void dated_names_release(struct dated_names *names) {
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i].name);
    free(names->items);
    *names = (struct dated_names){ 0 };
}

/* --- decisions ------------------------------------------------------------------------------------------------------
 */

bool destruction_decided(const struct journal_entry *entry, char object[REPO_NAME_MAX]) {
    static const struct {
        const char *event, *field, *folder;
        bool whole; /* the field's value begins with the folder */
    } RULES[] = {
        { "expired", "snapshot", "snapshots/", false }, { "key_removed", "id", "keys/", false },
        { "released", "hold", "holds/", false },        { "erasure_over", "object", "erasures/", true },
        { "destroyed", "object", "packs/", true },      { "destroyed", "object", "index/", true },
    };
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++) {
        const char *value = strcmp(entry->event, RULES[i].event) == 0 ? journal_field(entry, RULES[i].field) : NULL;
        if (!value || (RULES[i].whole && strncmp(value, RULES[i].folder, strlen(RULES[i].folder)) != 0))
            continue;
        return snprintf(object, REPO_NAME_MAX, "%s%s", RULES[i].whole ? "" : RULES[i].folder, value) < REPO_NAME_MAX;
    }
    return false;
}

/* --- what earlier runs met ------------------------------------------------------------------------------------------
 */

void destruction_begin(struct destruction *destruction, struct repo *repo, struct store *store, const char *mirror,
                       int64_t now) {
    *destruction = (struct destruction){ .repo = repo, .store = store, .mirror = mirror, .now = now };
    pthread_mutex_init(&destruction->lock, NULL);
}

void destruction_release(struct destruction *destruction) {
    dated_names_release(&destruction->refusals);
    journal_batch_release(&destruction->events);
    pthread_mutex_destroy(&destruction->lock);
}

void destruction_read(struct destruction *destruction, const struct journal_entry *entry) {
    const char *object = journal_field(entry, "object"), *until = journal_field(entry, "until");
    const char *mirror = journal_field(entry, "mirror");
    int64_t time;
    if (strcmp(entry->event, "refused") != 0 || !object || !until)
        return;
    if ((mirror == NULL) != (destruction->mirror == NULL) || (mirror && strcmp(mirror, destruction->mirror) != 0))
        return;
    if (strcmp(until, DESTRUCTION_HOLD) == 0)
        time = entry->time + DESTRUCTION_HOLD_PAUSE;
    else if (clock_parse(until, &time, NULL) < 0)
        return;
    dated_names_add(&destruction->refusals, object, time);
}

void destruction_sort(struct destruction *destruction) {
    dated_names_sort(&destruction->refusals);
}

int64_t destruction_refused(const struct destruction *destruction, const char *name) {
    const struct dated_name *known = dated_names_find(&destruction->refusals, repo_below(destruction->repo, name));
    return known && known->time > destruction->now ? known->time : 0;
}

/* --- removing -------------------------------------------------------------------------------------------------------
 */

/* Adds "event object=... mirror=..." and up to two more fields. */
static void add_event(struct destruction *destruction, const char *event, const char *name, const char *first_name,
                      const char *first, const char *second_name, const char *second) {
    const char *object = repo_below(destruction->repo, name);
    if (destruction->mirror)
        journal_add(&destruction->events, destruction->now, event, "mirror", destruction->mirror, "object", object,
                    first_name, first, second_name, second, NULL);
    else
        journal_add(&destruction->events, destruction->now, event, "object", object, first_name, first, second_name,
                    second, NULL);
}

void destruction_count_refusal(struct destruction *destruction, int64_t until) {
    destruction->refused++;
    if (until > destruction->refused_until)
        destruction->refused_until = until;
}

static void note_refusal(struct destruction *destruction, const char *name, int64_t until, const struct err *why) {
    char date[CLOCK_TEXT];
    log_warning(destruction->repo->log, "%s", why->message);
    add_event(destruction, "refused", name, "until", until == INT64_MAX ? DESTRUCTION_HOLD : clock_format(date, until),
              NULL, NULL);
    destruction_count_refusal(destruction, until);
}

static void note_removal(struct destruction *destruction, const char *name, struct store_removal *removal) {
    char versions[16];
    snprintf(versions, sizeof versions, "%u", removal->versions);
    if (removal->ids.length == 0) {
        if (destruction->mirror)
            add_event(destruction, "removed", name, NULL, NULL, NULL, NULL);
        return;
    }
    char *ids = mem_string(buffer_text(&removal->ids)), *end = ids;
    for (int named = 0; end && named < IDS_NAMED; named++)
        end = strchr(named == 0 ? end : end + 1, ',');
    if (end)
        *end = '\0';
    add_event(destruction, "removed", name, "versions", versions, "ids", ids);
    free(ids);
}

static int attempt(struct destruction *destruction, const char *name, bool hidden, enum removed *removed,
                   struct store_removal *removal, struct err *err) {
    int result = store_remove(destruction->store, name, removal, err);
    if (result < 0 && (err->code != ERR_REFUSED || removal->locked_until == 0))
        return -1;
    pthread_mutex_lock(&destruction->lock);
    if (result < 0) {
        *removed = REMOVED_REFUSED;
        note_refusal(destruction, name, removal->locked_until, err);
        err_clear(err);
    } else if (removal->hidden) {
        *removed = REMOVED_HIDDEN;
        destruction->only_hides = true;
        destruction->hidden++;
        if (!hidden)
            add_event(destruction, "hidden", name, NULL, NULL, NULL, NULL);
    } else {
        note_removal(destruction, name, removal);
    }
    pthread_mutex_unlock(&destruction->lock);
    return 0;
}

int destruction_remove(struct destruction *destruction, const char *name, bool hidden, enum removed *removed,
                       struct err *err) {
    int64_t until = destruction_refused(destruction, name);
    *removed = REMOVED_GONE;

    pthread_mutex_lock(&destruction->lock);
    if (until != 0) {
        *removed = REMOVED_REFUSED;
        destruction_count_refusal(destruction, until);
    } else if (hidden && destruction->only_hides) {
        *removed = REMOVED_HIDDEN;
        destruction->hidden++;
    }
    pthread_mutex_unlock(&destruction->lock);
    if (*removed != REMOVED_GONE)
        return 0;

    struct store_removal removal = { 0 };
    int result = attempt(destruction, name, hidden, removed, &removal, err);
    buffer_release(&removal.ids);
    return result < 0 ? err_wrap(err, "remove '%s'", name) : 0;
}

static int remove_one_hidden(void *context, void *name, struct err *err) {
    enum removed removed;
    return destruction_remove(context, name, true, &removed, err);
}

int destruction_remove_hidden(struct destruction *destruction, const struct dated_names *hidden, workers_each *remove,
                              void *context, struct err *err) {
    struct workers *workers = NULL;
    int given = 0;
    if (!remove) {
        remove = remove_one_hidden;
        context = destruction;
    }
    for (size_t i = 0; i < hidden->count && given == 0; i++) {
        char name[REPO_NAME_MAX];
        if (hidden->items[i].time == 0)
            continue;
        snprintf(name, sizeof name, "%s/%s", destruction->repo->keys->set_name, hidden->items[i].name);
        if (workers)
            given = workers_give(workers, name, err);
        else if (remove(context, name, err) < 0) /* the first alone: it shows what the key may do */
            return -1;
        else
            workers = workers_start(store_transfers(destruction->store), sizeof name, remove, context);
    }
    return workers ? workers_finish(workers, err) : 0;
}

int destruction_journal(struct destruction *destruction, struct err *err) {
    return journal_append(destruction->repo, &destruction->events, err);
}
