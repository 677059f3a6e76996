#include "purge_guard_internal.h"
#include "purge_survey_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UPLOAD_LASTS = 86400 }; /* seconds: an upload that is older is nobody's any more */

/* --- what the journal knows -----------------------------------------------------------------------------------------
 */

static int note_hidden(void *context, const struct store_kept *object, struct err *err) {
    struct purge_guard *guard = context;
    (void)err;
    if (object->hidden)
        dated_names_add(&guard->hidden, repo_below(guard->repo, object->name), 0);
    return 0;
}

/* What a walk over the journal collects beside the guard. */
struct walk {
    struct purge_guard *guard;
    struct dated_names ended; /* snapshots */
};

static int follow(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct walk *walk = context;
    struct dated_names *hidden = &walk->guard->hidden;
    const char *snapshot = journal_field(entry, "snapshot");
    char object[REPO_NAME_MAX];
    (void)segment, (void)err;
    if (strcmp(entry->event, "captured") == 0 && snapshot) {
        dated_names_add(&walk->guard->captured, snapshot, entry->time);
    } else if (strcmp(entry->event, "expired") == 0 && snapshot) {
        dated_names_add(&walk->ended, snapshot, entry->time);
    } else if (strcmp(entry->event, "checkpoint") == 0) {
        for (size_t i = 0; i < hidden->count; i++)
            if (journal_checkpoint_covers(entry, hidden->items[i].name))
                hidden->items[i].time = 1;
    }
    struct dated_name *found = destruction_decided(entry, object) ? dated_names_find(hidden, object) : NULL;
    if (found)
        found->time = 1;
    hold_witness_read(&walk->guard->witness, entry);
    destruction_read(&walk->guard->destruction, entry);
    return 0;
}

/* These live for a run, and whoever ends one removes it. */
static bool is_passing(const char *name) {
    return strncmp(name, "sessions/", 9) == 0 || strncmp(name, "claims/", 7) == 0 || strncmp(name, "purges/", 7) == 0;
}

static void forget_ended(struct purge_guard *guard, const struct dated_names *ended) {
    struct dated_names *captured = &guard->captured;
    size_t kept = 0;
    for (size_t i = 0; i < captured->count; i++)
        if (dated_names_find(ended, captured->items[i].name))
            free(captured->items[i].name);
        else
            captured->items[kept++] = captured->items[i];
    captured->count = kept;
}

/* A journal that is damaged must not keep what is due to go; it says so in each run. */
static int read_journal(struct purge_guard *guard, struct err *err) {
    struct walk walk = { .guard = guard };
    struct err why = { 0 };
    guard->journal_known = journal_walk(guard->repo, follow, &walk, &why) == 0;
    dated_names_sort(&walk.ended);
    dated_names_sort(&guard->captured);
    destruction_sort(&guard->destruction);
    forget_ended(guard, &walk.ended);
    dated_names_release(&walk.ended);
    if (guard->journal_known)
        return 0;
    dated_names_release(&guard->captured);
    if (why.code != ERR_CORRUPT) {
        *err = why;
        return -1;
    }
    log_warning(guard->repo->log, "the listing of snapshots cannot be compared with the journal: %s", why.message);
    return 0;
}

/* --- unfinished uploads ---------------------------------------------------------------------------------------------
 */

/* Where no capture runs, every upload that began before the claim was left by a run that was killed. */
static int sweep_uploads(struct purge_guard *guard, struct err *err) {
    struct repo *repo = guard->repo;
    int64_t before = clock_now() - UPLOAD_LASTS;
    bool ended = false;
    if (claim_time(guard->claim) != 0 && captures_have_ended(repo, INT64_MAX - SESSION_MARGIN, &ended, err) < 0)
        return -1;
    if (ended)
        before = claim_time(guard->claim);
    struct err why = { 0 };
    if (store_sweep(repo->store, repo->keys->set_name, before, &why) < 0)
        log_warning(repo->log, "unfinished uploads stay: %s", why.message);
    return 0;
}

/* --- the guard ------------------------------------------------------------------------------------------------------
 */

int purge_guard_open(struct repo *repo, const struct purge_options *options, struct purge_guard *guard,
                     struct err *err) {
    *guard = (struct purge_guard){ .repo = repo };
    destruction_begin(&guard->destruction, repo, repo->store, NULL, options->now);
    if (claim_take(repo, options->wait, &guard->claim, err) < 0 || sweep_uploads(guard, err) < 0)
        return -1;
    if (store_list_kept(repo->store, repo->keys->set_name, note_hidden, guard, err) < 0)
        return err_wrap(err, "look for what is hidden");
    dated_names_sort(&guard->hidden);
    for (size_t i = 0; i < guard->hidden.count; i++)
        guard->hidden.items[i].time = is_passing(guard->hidden.items[i].name);
    if (purge_guard_reload_holds(guard, err) < 0 || read_journal(guard, err) < 0)
        return -1;
    return guard->journal_known ? hold_witness_check(&guard->witness, repo, &guard->holds, options->now, err) : 0;
}

void purge_guard_close(struct purge_guard *guard) {
    claim_release(guard->claim);
    destruction_release(&guard->destruction);
    dated_names_release(&guard->captured);
    dated_names_release(&guard->hidden);
    holds_release(&guard->holds);
    hold_witness_release(&guard->witness);
}

int purge_guard_check(const struct purge_guard *guard, struct err *err) {
    return claim_check(guard->claim, err);
}

static int refuse_hidden(const char *name, struct err *err) {
    err_set(err, ERR_CORRUPT, "snapshot %s never expired, and somebody hid it: nothing is destroyed", name);
    return err_hint(err, "restore --as-of reads what was hidden; to go on without it, delete its versions");
}

/* One that the journal knows and the listing does not. */
static int judge_absent(struct purge_guard *guard, const char *name, struct err *err) {
    struct repo *repo = guard->repo;
    char object[REPO_NAME_MAX];
    uint64_t size;
    int64_t modified;
    struct err why = { 0 };
    repo_name(repo, object, "snapshots", name);
    if (store_stat(repo->store, object, &size, &modified, &why) == 0) {
        err_set(err, ERR_CORRUPT, "'%s' exists and is not listed: nothing is destroyed", object);
        return err_hint(err, "the store's listings cannot be relied on; what they leave out could be destroyed");
    }
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return -1;
    }
    if (dated_names_find(&guard->hidden, repo_below(repo, object)))
        return refuse_hidden(name, err);
    if (!guard->absent_told)
        log_warning(repo->log, "snapshot %s is gone although nothing expired it", name);
    return 0;
}

int purge_guard_heads(struct purge_guard *guard, const struct heads *heads, const struct purge_options *options,
                      struct err *err) {
    for (size_t i = 0; i < guard->captured.count; i++) {
        const char *name = guard->captured.items[i].name;
        if (!heads_named(heads, name) && !purge_expires(options, name) && judge_absent(guard, name, err) < 0)
            return -1;
    }
    guard->absent_told = true;
    return 0;
}

/* --- holds ----------------------------------------------------------------------------------------------------------
 */

int purge_guard_reload_holds(struct purge_guard *guard, struct err *err) {
    holds_release(&guard->holds);
    return holds_load(guard->repo, &guard->holds, err);
}

bool purge_guard_holds(const struct purge_guard *guard, const char *head, int64_t now) {
    int64_t started = 0;
    if (clock_parse_compact(head, &started, NULL) < 0)
        return true; /* no name of a snapshot */
    return holds_covering(&guard->holds, head, started, now) != NULL;
}

/* --- hidden remains -------------------------------------------------------------------------------------------------
 */

static void tell_of_others(const struct purge_guard *guard) {
    size_t count = 0;
    const char *first = NULL;
    for (size_t i = 0; i < guard->hidden.count; i++)
        if (guard->hidden.items[i].time == 0 && count++ == 0)
            first = guard->hidden.items[i].name;
    if (count > 0)
        log_warning(guard->repo->log, "%zu objects were hidden, and not by a decision of this set (the first is '%s')",
                    count, first);
}

int purge_guard_remove_hidden(struct purge_guard *guard, struct err *err) {
    if (!guard->journal_known)
        return 0;
    tell_of_others(guard);
    return destruction_remove_hidden(&guard->destruction, &guard->hidden, NULL, NULL, err);
}
