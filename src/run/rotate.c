#include "journal_set_internal.h"
#include "locks_internal.h"
#include <muniment/repo/erasure.h>
#include <muniment/repo/hold.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <stdlib.h>

int rotate_plan(struct opened_set *set, int64_t now, struct heads *heads, struct plan_verdict **verdicts,
                struct plan_summary *summary, struct err *err) {
    const struct policy *policy = &set->settings->policy;
    struct calendar *calendar = NULL;
    struct holds holds = { 0 };
    struct plan_snapshot *snapshots = NULL;
    struct plan_verdict *made = NULL;
    *heads = (struct heads){ 0 };
    *verdicts = NULL;

    int status = calendar_open(policy->timezone, &calendar, err);
    if (status == 0)
        status = heads_load(&set->repo, heads, err);
    if (status == 0)
        status = holds_load(&set->repo, &holds, err);
    if (status == 0) {
        snapshots = mem_array(heads->count + 1, sizeof *snapshots);
        made = mem_array(heads->count + 1, sizeof *made);
        for (size_t i = 0; i < heads->count; i++) {
            const struct head *head = &heads->items[i];
            snapshots[i] = plan_snapshot_of(head);
            snapshots[i].held = holds_covering(&holds, head->name, head->started, now) != NULL;
        }
        status = plan_make(policy, calendar, snapshots, heads->count, now, made, summary, err);
    }
    if (status == 0) {
        *verdicts = made;
    } else {
        free(made);
        heads_release(heads);
    }
    free(snapshots);
    holds_release(&holds);
    calendar_close(calendar);
    return status;
}

/* Purges, and lengthens the locks of what stays, also when the purge failed: they must not run out for that. */
static int purge_and_lock(struct opened_set *set, const struct purge_options *options, const struct heads *heads,
                          struct purge_result *result, struct err *err) {
    struct lock_policy locks;
    uint64_t lengthened = 0;
    struct err why = { 0 };
    if (lock_policy_open(&locks, set, NULL, options->now, err) < 0)
        return -1;
    set->repo.lock_until = store_locks(set->store) ? lock_policy_latest(&locks, heads) : 0;
    int status = purge_run(&set->repo, options, result, err);
    set->repo.lock_until = 0;
    if (!interrupt_requested() &&
        locks_lengthen(&set->repo, set->store, &locks.rule, options->now, NULL, NULL, &lengthened, &why) < 0) {
        if (status == 0)
            *err = why;
        else
            log_error(set->repo.log, "%s", why.message);
        status = -1;
    }
    if (lengthened > 0)
        log_detail(set->repo.log, "the locks of %llu objects were lengthened", (unsigned long long)lengthened);
    lock_policy_close(&locks);
    return status;
}

/* The erasure ledger must not outlive the snapshots that it is about. */
static int forget_erasures(struct opened_set *set, int64_t now, struct err *err) {
    uint64_t removed = 0;
    int status = erasures_forget(&set->repo, now, &removed, err);
    if (removed > 0)
        log_info(set->repo.log, "no snapshot is left that could bring back what %llu erasures were about: forgotten",
                 (unsigned long long)removed);
    return status;
}

int rotate_apply(struct opened_set *set, int64_t now, int64_t wait, struct plan_summary *summary,
                 struct purge_result *result, struct err *err) {
    struct heads heads;
    struct plan_verdict *verdicts;
    *result = (struct purge_result){ 0 };
    if (policy_journal(set, now, err) < 0 || rotate_plan(set, now, &heads, &verdicts, summary, err) < 0)
        return err_wrap(err, "rotate set '%s'", set->settings->name);

    struct purge_expiry *expiries = mem_array(heads.count + 1, sizeof *expiries);
    struct purge_options options = {
        .now = now,
        .purge_within = set->settings->policy.purge_within,
        .slack = plan_purge_slack(&set->settings->policy),
        .patient = set_locks_anything(set),
        .wait = wait,
        .expiries = expiries,
    };
    for (size_t i = 0; i < heads.count; i++)
        if (!verdicts[i].keep)
            expiries[options.expiry_count++] =
                (struct purge_expiry){ .head = heads.items[i].name, .reason = verdicts[i].reason };

    int status = purge_and_lock(set, &options, &heads, result, err);
    if (status == 0)
        status = forget_erasures(set, now, err);
    if (status == 0)
        status = journal_drop_old(set, &heads, now, err);
    if (status < 0)
        err_wrap(err, "rotate set '%s'", set->settings->name);
    free(expiries);
    free(verdicts);
    heads_release(&heads);
    return status;
}
