#include "erase_internal.h"
#include <muniment/repo/claim.h>
#include <muniment/repo/destruction.h>
#include <muniment/repo/erasing.h>
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct erasing {
    const struct report_request *request;
    struct erase_result *result;
    struct erase_target *targets; /* one a place */
    struct journal_batch batch;
    struct holds holds;
    struct hold_witness witness; /* of the journal */
    struct dated_names removed;  /* wrapped copies, by id, that are journalled to go */
    int64_t finished;            /* the last time that nothing was left; 0: never */
    char *finished_in;           /* the segment that says so */
    char *damaged;               /* the first segment of which something is wrong, or NULL */
    struct err damage;
    struct store_lock *capture, *purge;
    struct claim *claim;
};

static bool is_away(const struct erasing *erasing, size_t place) {
    return erasing->targets[place].store == NULL || erasing->result->places[place].why != NULL;
}

/* A place that fails is left alone from here on; the others go on. */
static void fail_place(struct erasing *erasing, size_t at, struct err *why) {
    struct erase_place *place = &erasing->result->places[at];
    if (!place->why)
        place->why = mem_string(why->message);
    err_clear(why);
}

/* --- before anything goes -------------------------------------------------------------------------------------------
 */

static void add_key_id(struct erase_result *result, const char *id) {
    for (size_t i = 0; i < result->key_id_count; i++)
        if (strcmp(result->key_ids[i], id) == 0)
            return;
    result->key_ids = mem_resize(result->key_ids, result->key_id_count + 1, sizeof *result->key_ids);
    result->key_ids[result->key_id_count++] = mem_string(id);
}

static void note_finished(struct erasing *erasing, const char *segment, int64_t time) {
    if (time < erasing->finished)
        return;
    erasing->finished = time;
    free(erasing->finished_in);
    erasing->finished_in = mem_string(segment);
}

static int read_journal(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct erasing *erasing = context;
    const char *id = journal_field(entry, "id"), *outcome = journal_field(entry, "outcome");
    (void)err;
    hold_witness_read(&erasing->witness, entry);
    if (strcmp(entry->event, "erasing") == 0 && (erasing->result->begun == 0 || entry->time < erasing->result->begun))
        erasing->result->begun = entry->time;
    else if (strcmp(entry->event, "erased") == 0 && outcome && strcmp(outcome, "whole") == 0)
        note_finished(erasing, segment, entry->time);
    else if (strcmp(entry->event, "key_added") == 0 && id)
        add_key_id(erasing->result, id);
    else if (strcmp(entry->event, "key_removed") == 0 && id)
        dated_names_add(&erasing->removed, id, entry->time);
    return 0;
}

static void note_damage(void *context, const char *segment, const char *text) {
    struct erasing *erasing = context;
    if (erasing->damaged)
        return;
    erasing->damaged = mem_string(segment);
    err_set(&erasing->damage, ERR_CORRUPT, "read the journal: %s: %s", segment, text);
}

/* True for a mirror with a journal in which nothing is wrong. */
static bool has_whole_journal(const struct repo *repo, struct store *store) {
    struct repo there = *repo;
    struct journal_survey survey = { 0 };
    struct err ignored = { 0 };
    there.store = store;
    there.cache = NULL;
    bool whole =
        journal_look(&there, NULL, NULL, NULL, &survey, &ignored) == 0 && survey.findings == 0 && survey.segments > 0;
    journal_survey_release(&survey);
    return whole;
}

/* A journal that is not whole may have lost the word of a hold, so it stops everything; what mends it is a copy. */
static int refuse_damaged(const struct erasing *erasing, struct err *err) {
    const struct report_request *request = erasing->request;
    *err = erasing->damage;
    for (size_t i = 1; i < request->place_count; i++)
        if (request->places[i].store && has_whole_journal(request->repo, request->places[i].store))
            return err_hint(
                err,
                "nothing was erased: mirror '%s' has the journal whole; bring it back with 'muniment repair "
                "%s %s', and run this again",
                request->places[i].name, request->set, request->places[i].name);
    return err_hint(err,
                    "nothing was erased: no mirror that could be reached has the journal whole; bring '%s' back from "
                    "any other copy of the repository, and run this again",
                    erasing->damaged);
}

static bool is_time_for_journal(const struct erasing *erasing) {
    return erasing->finished != 0 && erasing->finished + erasing->request->repo->journal_keep <= erasing->request->now;
}

/* Of one that is to go itself a run that was killed may have left the last segment alone, which says so. */
static int walk_journal(struct erasing *erasing, struct err *err) {
    struct journal_survey survey;
    if (journal_look(erasing->request->repo, read_journal, note_damage, erasing, &survey, err) < 0)
        return -1;
    journal_survey_release(&survey);
    if (erasing->damaged && !is_time_for_journal(erasing))
        return refuse_damaged(erasing, err);
    if (erasing->result->begun == 0)
        erasing->result->begun = erasing->finished;
    return 0;
}

/* Once erasing has begun the folder of holds goes like all others. */
static int refuse_held(struct erasing *erasing, struct err *err) {
    struct repo *repo = erasing->request->repo;
    int64_t now = erasing->request->now;
    if (holds_load(repo, &erasing->holds, err) < 0)
        return -1;
    if (erasing->result->begun == 0 && hold_witness_check(&erasing->witness, repo, &erasing->holds, now, err) < 0)
        return -1;
    for (size_t i = 0; i < erasing->holds.count; i++) {
        const struct hold *hold = &erasing->holds.items[i];
        if (!hold_in_force(hold, now))
            continue;
        err_set(err, ERR_REFUSED, "hold %s is in force (%s, %s): nothing is erased", hold->id, hold->owner,
                hold->reason);
        return err_hint(err, "muniment hold release %s %.8s", erasing->request->set, hold->id);
    }
    return 0;
}

static int read_hold(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct erasing *erasing = context;
    (void)segment, (void)err;
    hold_witness_read(&erasing->witness, entry);
    return 0;
}

static bool tells_more(const struct erasing *erasing, size_t place) {
    const struct store_names *there = &erasing->targets[place].journal, *here = &erasing->targets[0].journal;
    for (size_t i = 0; i < there->count; i++)
        if (!store_names_find(here, there->items[i].name))
            return true;
    return false;
}

/* Where the repository's journal was cut, or the repository set back, the word of a hold may be on a mirror alone. */
static int refuse_held_elsewhere(struct erasing *erasing, struct err *err) {
    const struct report_request *request = erasing->request;
    for (size_t i = 1; i < request->place_count && erasing->result->begun == 0; i++) {
        struct repo there = *request->repo;
        struct journal_survey survey;
        struct err why = { 0 };
        if (is_away(erasing, i) || !tells_more(erasing, i))
            continue;
        there.store = request->places[i].store;
        there.cache = NULL;
        if (journal_look(&there, read_hold, NULL, erasing, &survey, &why) < 0) {
            fail_place(erasing, i, &why);
            continue;
        }
        journal_survey_release(&survey);
        if (hold_witness_check(&erasing->witness, request->repo, &erasing->holds, request->now, &why) == 0)
            continue;
        err_set(err, why.code, "the journal on mirror '%s' tells more than the repository's: %s",
                request->places[i].name, why.message);
        return err_hint(err,
                        "nothing was erased: find out who changed the repository, bring its journal back with "
                        "'muniment repair %s %s', and end the hold if it is over",
                        request->set, request->places[i].name);
    }
    return 0;
}

static int take_locks(struct erasing *erasing, struct err *err) {
    struct repo *repo = erasing->request->repo;
    char name[REPO_NAME_MAX];
    if (store_lock_take(repo->store, repo_name(repo, name, "locks", "capture"), LOCK_WAIT, &erasing->capture, err) < 0)
        return err_wrap(err, "wait for a capture");
    if (store_lock_take(repo->store, repo_name(repo, name, "locks", "purge"), LOCK_WAIT, &erasing->purge, err) < 0 ||
        claim_take(repo, LOCK_WAIT, &erasing->claim, err) < 0)
        return err_wrap(err, "wait for a purge");
    return 0;
}

/* A place that cannot be listed is one that cannot be emptied now. */
static void list_places(struct erasing *erasing) {
    for (size_t i = 0; i < erasing->result->place_count; i++) {
        const struct report_place *place = &erasing->request->places[i];
        struct erase_target *target = &erasing->targets[i];
        struct err why = { 0 };
        *target = (struct erase_target){ .repo = erasing->request->repo,
                                         .store = place->store,
                                         .result = &erasing->result->places[i] };
        if (!place->store)
            target->result->why = mem_string(place->why ? place->why : "it could not be opened");
        else if (erase_lock(target, &why) < 0 || erase_list(target, &why) < 0)
            fail_place(erasing, i, &why);
        else
            target->result->reached = true;
    }
}

/* --- decisions ------------------------------------------------------------------------------------------------------
 */

static void decide_keys(struct erasing *erasing) {
    for (size_t i = 0; i < erasing->result->place_count; i++) {
        const struct store_names *keys = &erasing->targets[i].keys;
        for (size_t j = 0; j < keys->count; j++)
            add_key_id(erasing->result, repo_leaf(keys->items[j].name));
    }
    for (size_t i = 0; i < erasing->result->key_id_count; i++) {
        const char *id = erasing->result->key_ids[i];
        if (!dated_names_find(&erasing->removed, id))
            journal_add(&erasing->batch, erasing->request->now, "key_removed", "id", id, NULL);
    }
    for (size_t i = 0; i < erasing->removed.count; i++)
        add_key_id(erasing->result, erasing->removed.items[i].name);
}

/* Snapshots of the repository end like all that end: so a mirror that is away lets go of them whenever it is back. */
static void decide_heads(struct erasing *erasing) {
    const struct erase_target *target = &erasing->targets[0];
    for (size_t i = 0; i < target->objects.count; i++)
        if (strncmp(repo_below(target->repo, target->objects.items[i].name), "snapshots/", 10) == 0)
            journal_add(&erasing->batch, erasing->request->now, "expired", "snapshot",
                        repo_leaf(target->objects.items[i].name), "reason", "the set is erased", "deadline", "none",
                        NULL);
}

static int journal_decisions(struct erasing *erasing, struct err *err) {
    struct repo *repo = erasing->request->repo;
    char host[17];
    if (erasing->result->begun == 0) {
        erasing->result->begun = erasing->request->now;
        journal_add(&erasing->batch, erasing->request->now, "erasing", "by", keys_host_name(repo->keys, host), NULL);
    }
    decide_keys(erasing);
    decide_heads(erasing);
    return journal_append(repo, &erasing->batch, err);
}

/* --- destruction ----------------------------------------------------------------------------------------------------
 */

/* Every place first, then the rest of any: from here on nothing can be opened, however long the rest takes. */
static void destroy_keys(struct erasing *erasing) {
    for (size_t i = 0; i < erasing->result->place_count; i++) {
        struct erase_target *target = &erasing->targets[i];
        struct err why = { 0 };
        if (is_away(erasing, i))
            continue;
        uint64_t found = target->keys.count;
        if (erase_send_journal(target, &why) < 0 || erase_remove(target, &target->keys, &why) < 0 ||
            erase_list(target, &why) < 0)
            fail_place(erasing, i, &why);
        else
            target->result->keys = found - target->keys.count;
    }
}

static void destroy_objects(struct erasing *erasing) {
    for (size_t i = 0; i < erasing->result->place_count; i++) {
        struct erase_target *target = &erasing->targets[i];
        struct err why = { 0 };
        if (is_away(erasing, i))
            continue;
        if (erase_remove(target, &target->objects, &why) < 0 ||
            store_sweep(target->store, target->repo->keys->set_name, INT64_MAX, &why) < 0)
            fail_place(erasing, i, &why);
    }
}

/* What is there still, whatever was said about its removal. */
static void look_again(struct erasing *erasing) {
    for (size_t i = 0; i < erasing->result->place_count; i++) {
        struct erase_target *target = &erasing->targets[i];
        struct err why = { 0 };
        if (!target->result->reached)
            continue;
        if (erase_list(target, &why) < 0) {
            fail_place(erasing, i, &why);
            continue;
        }
        if (target->keys.count > 0) {
            err_set(&why, ERR_REFUSED,
                    "%zu wrapped copies of the read key could not be destroyed: whoever has their "
                    "passphrase opens what is left here",
                    target->keys.count);
            fail_place(erasing, i, &why);
        }
        const struct store_names *left[] = { &target->keys, &target->objects };
        for (size_t k = 0; k < 2; k++)
            for (size_t j = 0; j < left[k]->count; j++) {
                target->result->remaining++;
                target->result->remaining_bytes += left[k]->items[j].size;
            }
        if (target->result->remaining == 0)
            target->result->remaining_until = 0;
    }
}

/* --- the end --------------------------------------------------------------------------------------------------------
 */

static void judge(struct erasing *erasing) {
    struct erase_result *result = erasing->result;
    result->whole = true;
    for (size_t i = 0; i < result->place_count; i++)
        result->whole = result->whole && !result->places[i].why && result->places[i].remaining == 0;
}

static int journal_outcome(struct erasing *erasing, struct err *err) {
    const struct erase_result *result = erasing->result;
    uint64_t sums[4] = { 0 };
    int64_t until = 0;
    char texts[4][24], date[CLOCK_TEXT];
    for (size_t i = 0; i < result->place_count; i++) {
        const struct erase_place *place = &result->places[i];
        const uint64_t parts[4] = { place->objects, place->versions, place->remaining, place->keys };
        for (size_t j = 0; j < 4; j++)
            sums[j] += parts[j];
        until = place->remaining_until > until ? place->remaining_until : until;
    }
    for (size_t j = 0; j < 4; j++)
        snprintf(texts[j], sizeof texts[j], "%llu", (unsigned long long)sums[j]);
    journal_add(&erasing->batch, erasing->request->now, "erased", "outcome", result->whole ? "whole" : "remains",
                "objects", texts[0], "versions", texts[1], "remaining", texts[2], "keys", texts[3],
                until != 0 ? "until" : NULL, until == INT64_MAX ? "hold" : clock_format(date, until), NULL);
    return journal_append(erasing->request->repo, &erasing->batch, err);
}

static void send_outcome(struct erasing *erasing) {
    for (size_t i = 0; i < erasing->result->place_count; i++) {
        struct err why = { 0 };
        if (erasing->result->places[i].reached && erase_send_journal(&erasing->targets[i], &why) < 0)
            fail_place(erasing, i, &why);
    }
}

/* The last of the set: its journal, once it is as old as it had to get. The repository's goes when no mirror has one
 * any more, and in it the segment goes last that tells a later run to go on. */
static void destroy_journal(struct erasing *erasing) {
    bool last = true;
    for (size_t i = erasing->result->place_count; i-- > 0;) {
        struct erase_target *target = &erasing->targets[i];
        struct err why = { 0 };
        if ((i > 0 || last) && erase_journal(target, erasing->finished_in, &why) < 0)
            fail_place(erasing, i, &why);
        last = last && target->journal.count == 0;
        target->result->remaining += target->journal.count;
    }
    erasing->result->journal_gone = last;
    judge(erasing);
}

static int run_steps(struct erasing *erasing, struct err *err) {
    struct err why = { 0 };
    if (take_locks(erasing, err) < 0 || walk_journal(erasing, err) < 0 || refuse_held(erasing, err) < 0)
        return -1;
    dated_names_sort(&erasing->removed);
    list_places(erasing);
    if (erasing->result->places[0].why)
        return err_set(err, ERR_SYSTEM, "list the repository: %s", erasing->result->places[0].why);
    if (refuse_held_elsewhere(erasing, err) < 0 || interrupt_check(err) < 0 || journal_decisions(erasing, err) < 0)
        return -1;

    /* From here on every failure is a part of the result. */
    destroy_keys(erasing);
    destroy_objects(erasing);
    claim_release(erasing->claim);
    erasing->claim = NULL;
    look_again(erasing);
    judge(erasing);
    if (erasing->result->whole && is_time_for_journal(erasing)) {
        destroy_journal(erasing);
        return 0;
    }
    if (journal_outcome(erasing, &why) < 0)
        fail_place(erasing, 0, &why);
    send_outcome(erasing);
    judge(erasing);
    return 0;
}

int erase_set(const struct report_request *request, struct erase_result *result, struct err *err) {
    *result = (struct erase_result){ .places = mem_array(request->place_count, sizeof *result->places),
                                     .place_count = request->place_count };
    if (!request->repo->keys->can_sign)
        return err_set(err, ERR_KEY, "erasing a set takes its write key, which signs what was done");
    keys_fingerprint(result->key, request->repo->keys->box_public);

    struct erasing erasing = { .request = request,
                               .result = result,
                               .targets = mem_array(request->place_count, sizeof *erasing.targets) };
    int status = run_steps(&erasing, err);
    result->ended = clock_now() > request->now ? clock_now() : request->now;
    for (size_t i = 0; i < request->place_count; i++)
        erase_target_release(&erasing.targets[i]);
    free(erasing.targets);
    journal_batch_release(&erasing.batch);
    holds_release(&erasing.holds);
    hold_witness_release(&erasing.witness);
    free(erasing.finished_in);
    free(erasing.damaged);
    dated_names_release(&erasing.removed);
    claim_release(erasing.claim);
    store_lock_release(erasing.purge);
    store_lock_release(erasing.capture);
    return status < 0 ? err_wrap(err, "erase set '%s'", request->set) : 0;
}

void erase_result_release(struct erase_result *result) {
    for (size_t i = 0; i < result->place_count; i++)
        free(result->places[i].why);
    free(result->places);
    mem_free_strings(result->key_ids, result->key_id_count);
    *result = (struct erase_result){ 0 };
}
