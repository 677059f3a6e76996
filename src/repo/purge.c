#include "purge_survey_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POLL_MILLISECONDS = 200 };

struct purge {
    struct repo *repo;
    struct purge_options *options; /* its expiries are an own array: those that a lock refuses leave it */
    struct purge_expiry *expiries;
    struct purge_result *result;
    struct purge_guard guard;
    bool refused;                /* a head that was to end stays, so that all must be looked at again */
    struct purge_record record;  /* what is known of packs between runs; without a name while it is not stored */
    struct purge_records merged; /* several that were found, which `record` will replace */
    struct survey survey;
    size_t damaged; /* packs that could not be moved from */
};

/* --- the record -----------------------------------------------------------------------------------------------------
 */

/* One record is the rule. A purge that was killed while it replaced it leaves two. */
static int load_records(struct purge *purge, struct err *err) {
    if (purge_records_load(purge->repo, &purge->merged, err) < 0)
        return -1;
    for (size_t i = 0; i < purge->merged.count; i++)
        if (purge->record.epoch < purge->merged.items[i].epoch)
            purge->record.epoch = purge->merged.items[i].epoch;
    return 0;
}

/* What is known of every pack that is condemned or has dead slots. */
static void describe_packs(const struct survey *survey, struct purge_record *record) {
    for (size_t i = 0; i < survey->count; i++) {
        const struct survey_pack *pack = &survey->packs[i];
        bool condemned = pack->fate != FATE_KEEP;
        int64_t deadline = pack->dead_bytes > 0 && !pack->young ? pack->deadline : 0;
        if (!condemned && deadline == 0)
            continue;
        struct purge_pack *line = purge_record_add(record, pack->name);
        line->deadline = deadline;
        line->condemned = condemned;
    }
}

static bool says_the_same(const struct purge_record *a, const struct purge_record *b) {
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (memcmp(a->packs[i].pack, b->packs[i].pack, sizeof a->packs[i].pack) != 0 ||
            a->packs[i].deadline != b->packs[i].deadline || a->packs[i].condemned != b->packs[i].condemned)
            return false;
    return true;
}

static int remove_record(struct purge *purge, const struct purge_record *record, struct err *err) {
    char name[REPO_NAME_MAX];
    if (record->name[0] == '\0')
        return 0;
    return store_remove(purge->repo->store, repo_name(purge->repo, name, "purges", record->name), NULL, err);
}

/* So that a record that is lost is missed. */
static int journal_record(struct purge *purge, const char *name, struct err *err) {
    struct journal_batch batch = { 0 };
    char object[PURGE_NAME_SIZE + sizeof "purges/"] = "none";
    if (name[0] != '\0')
        snprintf(object, sizeof object, "purges/%s", name);
    journal_add(&batch, purge->options->now, "recorded", "object", object, NULL);
    int result = journal_append(purge->repo, &batch, err);
    journal_batch_release(&batch);
    return result;
}

/* Makes the record say what the survey says. The new one is durable before older ones go; when there is nothing to say,
 * none stays. */
static int write_record(struct purge *purge, struct err *err) {
    struct purge_record next = { .written = purge->options->now, .epoch = purge->record.epoch + 1 };
    describe_packs(&purge->survey, &next);
    if (purge->merged.count == 0 && says_the_same(&next, &purge->record)) {
        purge_record_release(&next);
        return 0;
    }
    if (next.count > 0 && purge_record_store(purge->repo, &next, err) < 0) {
        purge_record_release(&next);
        return -1;
    }

    int result = journal_record(purge, next.name, err);
    if (result == 0)
        result = remove_record(purge, &purge->record, err);
    for (size_t i = 0; i < purge->merged.count && result == 0; i++)
        result = remove_record(purge, &purge->merged.items[i], err);
    purge_record_release(&purge->record);
    purge_records_release(&purge->merged);
    purge->record = next;
    return result < 0 ? err_wrap(err, "replace the purge record") : 0;
}

static int record_time(struct purge *purge, const struct purge_record *record, int64_t *modified, struct err *err) {
    char name[REPO_NAME_MAX];
    uint64_t size;
    return store_stat(purge->repo->store, repo_name(purge->repo, name, "purges", record->name), &size, modified, err);
}

/* Packs that an earlier run condemned, and which no capture of that time can refer to any more, need not wait again. */
static int settle_condemned(struct purge *purge, struct err *err) {
    for (size_t i = 0; i < purge->merged.count; i++) {
        const struct purge_record *record = &purge->merged.items[i];
        int64_t modified;
        bool ended;
        if (record_time(purge, record, &modified, err) < 0 ||
            captures_have_ended(purge->repo, modified, &ended, err) < 0)
            return -1;
        for (size_t j = 0; j < record->count && ended; j++) {
            struct survey_pack *pack = survey_find(&purge->survey, record->packs[j].pack);
            if (pack && record->packs[j].condemned)
                pack->settled = true;
        }
    }
    return 0;
}

/* --- steps ----------------------------------------------------------------------------------------------------------
 */

/* Looks at everything; what was condemned before stays so until it is judged again. */
static int look(struct purge *purge, struct err *err) {
    if (load_records(purge, err) < 0 ||
        survey_load(purge->repo, purge->options, &purge->merged, &purge->guard, &purge->survey, err) < 0 ||
        settle_condemned(purge, err) < 0 || survey_deadlines(purge->repo, purge->options, &purge->survey, err) < 0)
        return -1;
    for (size_t i = 0; i < purge->survey.count; i++)
        if (purge->survey.packs[i].condemned)
            purge->survey.packs[i].fate = FATE_DROP;

    /* A single record is the one to compare with. */
    if (purge->merged.count == 1) {
        purge->record = purge->merged.items[0];
        purge->merged.items[0] = (struct purge_record){ 0 };
        purge_records_release(&purge->merged);
    }
    return 0;
}

/* Takes a snapshot from those that expire: a lock or a hold keeps its head, so what it refers to stays as well. */
static void spare_head(struct purge *purge, size_t at) {
    purge->options->expiry_count--;
    memmove(purge->expiries + at, purge->expiries + at + 1,
            (purge->options->expiry_count - at) * sizeof *purge->expiries);
}

static void spare_locked_heads(struct purge *purge) {
    struct destruction *destruction = &purge->guard.destruction;
    for (size_t i = purge->options->expiry_count; i-- > 0;) {
        char name[REPO_NAME_MAX];
        int64_t until =
            destruction_refused(destruction, repo_name(purge->repo, name, "snapshots", purge->expiries[i].head));
        if (until == 0)
            continue;
        destruction_count_refusal(destruction, until);
        spare_head(purge, i);
    }
}

/* Takes the snapshots that a hold keeps from those that expire: whoever asked for this purge may not have known it. */
static bool spare_held_heads(struct purge *purge) {
    bool any = false;
    for (size_t i = purge->options->expiry_count; i-- > 0;) {
        if (!purge_guard_holds(&purge->guard, purge->expiries[i].head, purge->options->now))
            continue;
        log_info(purge->repo->log, "snapshot %s stays: a hold was placed on it", purge->expiries[i].head);
        spare_head(purge, i);
        any = true;
    }
    return any;
}

static int end_heads(struct purge *purge, struct err *err) {
    for (size_t i = purge->options->expiry_count; i-- > 0;) {
        char name[REPO_NAME_MAX];
        enum removed removed;
        if (!heads_named(&purge->survey.heads, purge->expiries[i].head))
            continue;
        repo_name(purge->repo, name, "snapshots", purge->expiries[i].head);
        if (purge_guard_check(&purge->guard, err) < 0 ||
            destruction_remove(&purge->guard.destruction, name, false, &removed, err) < 0)
            return err_wrap(err, "end a snapshot");
        if (removed == REMOVED_REFUSED) {
            spare_head(purge, i);
            purge->refused = true;
        } else {
            purge->result->heads_removed++;
        }
    }
    return 0;
}

/* The decision is journalled, then the deadlines are kept, then the snapshots end. One that is gone already was ended
 * by a run before this one. */
static int expire(struct purge *purge, struct err *err) {
    const struct purge_options *options = purge->options;
    struct journal_batch batch = { 0 };
    for (size_t i = 0; i < options->expiry_count; i++) {
        const struct head *head = heads_named(&purge->survey.heads, options->expiries[i].head);
        char deadline[CLOCK_TEXT] = "none";
        if (!head)
            continue;
        if (head->deadline != 0)
            clock_format(deadline, head->deadline);
        journal_add(&batch, options->now, "expired", "snapshot", head->name, "reason", options->expiries[i].reason,
                    "deadline", deadline, NULL);
    }
    bool any = batch.count > 0;
    int result = journal_append(purge->repo, &batch, err);
    journal_batch_release(&batch);
    if (result < 0 || !any)
        return result;

    if (write_record(purge, err) < 0)
        return -1;
    return end_heads(purge, err);
}

static int wait_for_captures(struct purge *purge, bool *ended, struct err *err) {
    double until = clock_monotonic() + (double)purge->options->wait;
    int64_t modified;
    if (record_time(purge, &purge->record, &modified, err) < 0)
        return -1;
    for (;;) {
        if (captures_have_ended(purge->repo, modified, ended, err) < 0)
            return -1;
        if (*ended || clock_monotonic() >= until)
            return 0;
        nanosleep(&(struct timespec){ .tv_nsec = POLL_MILLISECONDS * 1000000L }, NULL);
        if (interrupt_check(err) < 0)
            return -1;
    }
}

static int destroy(struct purge *purge, struct err *err) {
    size_t condemned = 0;
    for (size_t i = 0; i < purge->survey.count; i++)
        condemned += purge->survey.packs[i].fate != FATE_KEEP;
    if (condemned == 0 && index_objects(purge->survey.index)->count <= INDEX_OBJECTS_MANY)
        return 0;

    bool ended = true;
    if (condemned > 0 && wait_for_captures(purge, &ended, err) < 0)
        return -1;
    if (survey_destroy(purge->repo, purge->options, &purge->record, ended, &purge->guard, &purge->survey, purge->result,
                       err) < 0)
        return -1;
    return write_record(purge, err);
}

static void count_what_stays(struct purge *purge) {
    struct purge_result *result = purge->result;
    for (size_t i = 0; i < purge->survey.count; i++) {
        const struct survey_pack *pack = &purge->survey.packs[i];
        if (pack->locked_until != 0 && pack->exists && pack->needed_bytes == 0)
            destruction_count_refusal(&purge->guard.destruction, pack->locked_until);
        if (pack->fate != FATE_KEEP || pack->young || pack->dead_bytes == 0)
            continue;
        result->dead_bytes_kept += pack->dead_bytes;
        if (result->earliest_deadline == 0 || pack->deadline < result->earliest_deadline)
            result->earliest_deadline = pack->deadline;
    }
}

static void forget(struct purge *purge) {
    survey_release(&purge->survey);
    purge_record_release(&purge->record);
    purge_records_release(&purge->merged);
    purge->record = (struct purge_record){ 0 };
}

/* What moves is locked with what it is moved to (see muniment/repo/locks.h), not as long as the run's own objects. */
static int judge_and_move(struct purge *purge, struct err *err) {
    struct survey *survey = &purge->survey;
    int64_t until = purge->repo->lock_until;
    purge->repo->lock_until = 0;
    int result = survey_move(purge->repo, purge->options, survey, &purge->damaged, purge->result, err);
    purge->repo->lock_until = until;
    for (size_t i = 0; i < survey->count && result == 0; i++)
        purge->result->packs_spared += survey->packs[i].condemned && survey->packs[i].fate == FATE_KEEP;
    return result;
}

/* Looking takes its time, and until a decision is journalled a hold that is placed counts. */
static int look_beside_holds(struct purge *purge, struct err *err) {
    for (;;) {
        if (look(purge, err) < 0 || purge_guard_reload_holds(&purge->guard, err) < 0)
            return -1;
        if (!spare_held_heads(purge))
            return 0;
        forget(purge);
    }
}

static int run_steps(struct purge *purge, struct err *err) {
    if (look_beside_holds(purge, err) < 0)
        return -1;
    if (expire(purge, err) < 0)
        return -1;
    if (purge->refused) {
        forget(purge);
        if (look(purge, err) < 0)
            return -1;
    }
    if (judge_and_move(purge, err) < 0)
        return -1;
    if (write_record(purge, err) < 0) /* condemns */
        return -1;
    if (destroy(purge, err) < 0)
        return -1;
    if (purge_guard_remove_hidden(&purge->guard, err) < 0)
        return -1;
    count_what_stays(purge);

    /* What could be done is done; what was found on the way is no success. */
    if (purge->damaged > 0) {
        err_set(err, ERR_CORRUPT, "%zu packs with chunks that are due to go are damaged, and stay", purge->damaged);
        return err_hint(err, "`muniment check --read-data` names them");
    }
    if (purge->survey.incomplete) {
        err_set(err, ERR_CORRUPT, "snapshots refer to chunks that no whole pack of the index holds");
        return err_hint(
            err, "`muniment check` names them; `muniment repair SET MIRROR` brings back what a mirror has whole");
    }
    return 0;
}

/* What was removed and refused is written down, however the run ended; then a failure of it is the lesser one. */
static int finish(struct purge *purge, int status, struct err *err) {
    struct destruction *destruction = &purge->guard.destruction;
    struct err why = { 0 };
    purge->result->refused = destruction->refused;
    purge->result->refused_until = destruction->refused_until;
    purge->result->hidden = destruction->hidden;
    if (destruction_journal(destruction, &why) == 0)
        return status;
    if (status == 0)
        *err = why;
    else
        log_error(purge->repo->log, "%s", why.message);
    return -1;
}

int purge_run(struct repo *repo, const struct purge_options *options, struct purge_result *result, struct err *err) {
    *result = (struct purge_result){ 0 };
    if (!repo->keys->can_sign)
        return err_set(err, ERR_KEY, "purging takes a write key");

    char name[REPO_NAME_MAX];
    struct store_lock *lock;
    if (store_lock_take(repo->store, repo_name(repo, name, "locks", "purge"), options->wait, &lock, err) < 0)
        return err_wrap(err, "begin a purge");

    struct purge_options own = *options;
    struct purge purge = { .repo = repo, .options = &own, .result = result };
    own.expiries = purge.expiries = mem_array(own.expiry_count + 1, sizeof *purge.expiries);
    if (own.expiry_count > 0)
        memcpy(purge.expiries, options->expiries, own.expiry_count * sizeof *purge.expiries);

    int status = purge_guard_open(repo, &own, &purge.guard, err);
    if (status == 0) {
        spare_locked_heads(&purge);
        spare_held_heads(&purge);
        status = run_steps(&purge, err);
    }
    status = finish(&purge, status, err);
    forget(&purge);
    purge_guard_close(&purge.guard);
    free(purge.expiries);
    store_lock_release(lock);
    return status < 0 ? err_wrap(err, "purge") : 0;
}
