#include "capture_internal.h"
#include <limits.h>
#include <muniment/repo/erasing.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOCK_AT_FIRST = 86400 }; /* seconds */

/* A capture on its way. */
struct capture {
    struct repo *repo;
    const struct capture_options *options;
    struct head *head;
    struct calendar *calendar;
    struct session *session;
    struct index *index;
    struct condemned condemned;
    struct heads earlier;
    struct depot *depot;
    struct cache_writer **caches; /* of the sources' trees; NULL: there is none */
    bool heal; /* a capture died before this one, perhaps between its commit and its line in the journal */
};

static void begin_head(struct capture *capture) {
    const struct capture_options *options = capture->options;
    struct head *head = capture->head;
    char hostname[256] = "";
    gethostname(hostname, sizeof hostname - 1);

    *head = (struct head){ 0 };
    head->hostname = mem_string(hostname);
    head->tool = mem_string(MUNIMENT_VERSION);
    head->sources = mem_array(options->source_count, sizeof *head->sources);
    head->source_count = options->source_count;
    for (size_t i = 0; i < options->source_count; i++) {
        head->sources[i].name = mem_string(options->sources[i].name);
        head->sources[i].kind = mem_string(options->sources[i].kind->name);
    }
}

/* Asks every source what would make it fail, before anything is stored. When all would, the first reason is the
 * error. */
static int preflight(struct capture *capture, struct err *err) {
    struct head *head = capture->head;
    struct err *reasons = mem_array(head->source_count, sizeof *reasons);
    size_t failed = 0;
    int result = -1;
    for (size_t i = 0; i < head->source_count; i++) {
        const struct source *source = &capture->options->sources[i];
        if (source->kind->preflight(source, capture->repo->log, &reasons[i]) == 0)
            continue;
        err_wrap(&reasons[i], "source '%s'", source->name);
        if (failed++ == 0 || reasons[i].code == ERR_INTERRUPTED)
            *err = reasons[i];
        if (reasons[i].code == ERR_INTERRUPTED)
            goto out;
    }
    if (failed > 0 && failed == head->source_count)
        goto out;

    err_clear(err);
    for (size_t i = 0; i < head->source_count; i++) {
        const struct err *why = &reasons[i];
        if (why->code == ERR_NONE)
            continue;
        log_error(capture->repo->log, "%s%s%s", why->message, why->hint[0] ? "; " : "", why->hint);
        head->sources[i].started = head->sources[i].finished = clock_now();
        capture_source_failed(&head->sources[i], why);
    }
    result = 0;
out:
    free(reasons);
    return result;
}

/* Now; but two captures within one second must not look as if they had begun together, or nobody could tell which is
 * the newer. */
static int64_t time_after(const struct heads *earlier) {
    enum { NEAR = 60 }; /* seconds; a clock that was set back further is left to tell what it tells */
    int64_t now = clock_now();
    int64_t newest = earlier->count > 0 ? earlier->items[earlier->count - 1].started : now - 1;
    return newest >= now && newest - now < NEAR ? newest + 1 : now;
}

/* Until when the snapshot's objects are locked. While it is not known to be whole, what is written may turn out to be
 * the rest of a run that was killed, or of a partial snapshot, which the next complete one ends: so for a day. */
static int64_t lock_date(const struct capture *capture) {
    const struct head *head = capture->head;
    int64_t a_day = head->started + LOCK_AT_FIRST;
    struct plan_snapshot snapshot = plan_snapshot_of(head);
    int64_t until = plan_lock_until(capture->calendar, capture->options->policy, &snapshot, head->tiers);
    return head->outcome == OUTCOME_COMPLETE || until < a_day ? until : a_day;
}

/* The order matters: session, condemned packs, index (see muniment/repo/session.h). */
static int begin_session(struct capture *capture, struct err *err) {
    struct repo *repo = capture->repo;
    const struct capture_options *options = capture->options;
    struct store_names sessions = { 0 };
    char folder[REPO_NAME_MAX];

    if (store_names_load(repo->store, repo_folder(repo, folder, "sessions"), &sessions, err) < 0)
        return -1;
    capture->heal = sessions.count > 0;
    store_names_release(&sessions);

    if (session_begin(repo, options->lock_wait, options->session_length ? options->session_length : SESSION_LENGTH,
                      &capture->session, err) < 0)
        return -1;
    capture->index = index_new();
    if (condemned_load(repo, &capture->condemned, err) < 0 || index_load(capture->index, repo, err) < 0 ||
        heads_load(repo, &capture->earlier, err) < 0)
        return -1;
    capture->depot = depot_new(repo, capture->session, capture->index, &capture->condemned);
    capture->head->started = options->started ? options->started : time_after(&capture->earlier);
    repo->lock_until = lock_date(capture);
    return 0;
}

static int capture_one(struct capture *capture, size_t at, struct err *err) {
    struct head_source *described = &capture->head->sources[at];
    if (described->outcome == OUTCOME_FAILED)
        return 0; /* its preflight said so */
    return capture_source(capture->repo, capture->depot, capture->options, &capture->options->sources[at], described,
                          &capture->caches[at], err);
}

/* The next higher order of a source's kind than `after`; INT_MAX when there is none. */
static int next_order(const struct capture_options *options, int after) {
    int next = INT_MAX;
    for (size_t i = 0; i < options->source_count; i++) {
        const int order = options->sources[i].kind->order;
        if (order > after && order < next)
            next = order;
    }
    return next;
}

/* By the order of their kinds, and of one kind as they were configured; the head keeps the configured order. */
static int capture_sources(struct capture *capture, struct err *err) {
    const struct capture_options *options = capture->options;
    struct head *head = capture->head;
    size_t whole = 0, kept = 0;
    for (int order = INT_MIN; (order = next_order(options, order)) != INT_MAX;)
        for (size_t i = 0; i < options->source_count; i++)
            if (options->sources[i].kind->order == order && capture_one(capture, i, err) < 0)
                return -1;
    for (size_t i = 0; i < head->source_count; i++) {
        whole += head->sources[i].outcome == OUTCOME_COMPLETE;
        kept += head->sources[i].outcome != OUTCOME_FAILED;
    }
    if (kept == 0) {
        const struct head_source *first = &head->sources[0];
        return err_set(err, ERR_SOURCE, "no source could be captured: source '%s': %s", first->name,
                       first->trouble_count ? first->troubles[0] : "no reason was given");
    }
    head->outcome = whole == head->source_count ? OUTCOME_COMPLETE : OUTCOME_PARTIAL;
    return 0;
}

/* Tiers, their limits and the deadline are decided at birth and never move afterwards. */
static void decide_life(struct capture *capture, double began) {
    const struct policy *policy = capture->options->policy;
    struct head *head = capture->head;
    struct plan_snapshot *earlier = mem_array(capture->earlier.count, sizeof *earlier);
    for (size_t i = 0; i < capture->earlier.count; i++)
        earlier[i] = plan_snapshot_of(&capture->earlier.items[i]);
    if (head->outcome == OUTCOME_COMPLETE)
        head->tiers = plan_birth_tiers(capture->calendar, policy, earlier, capture->earlier.count, head->started);
    plan_birth_limits(policy, head->limits);
    head->deadline = plan_deadline(policy, head->started);
    head->finished = head->started + (int64_t)(clock_monotonic() - began);
    free(earlier);
}

/* --- the journal -------------------------------------------------------------------------------------------------- */

static void journal_captured(struct journal_batch *batch, const struct head *head) {
    char started[CLOCK_TEXT], deadline[CLOCK_TEXT], tiers[8];
    snprintf(tiers, sizeof tiers, "%u", head->tiers);
    journal_add(batch, clock_now(), "captured", "snapshot", head->name, "outcome", outcome_text(head->outcome),
                "started", clock_format(started, head->started), "deadline",
                head->deadline ? clock_format(deadline, head->deadline) : "none", "tiers", tiers, NULL);
}

struct known_heads {
    const struct heads *heads;
    bool *known;
};

static int note_known(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    (void)segment, (void)err;
    struct known_heads *known = context;
    const char *name = strcmp(entry->event, "captured") == 0 ? journal_field(entry, "snapshot") : NULL;
    const struct head *head = name ? heads_named(known->heads, name) : NULL;
    if (head)
        known->known[head - known->heads->items] = true;
    return 0;
}

/* Snapshots whose capture died before it could write them into the journal. */
static int journal_missed(struct capture *capture, struct journal_batch *batch, struct err *err) {
    const struct heads *heads = &capture->earlier;
    if (!capture->heal || heads->count == 0)
        return 0;
    struct known_heads known = { heads, mem_array(heads->count, sizeof(bool)) };
    int result = journal_walk(capture->repo, note_known, &known, err);
    for (size_t i = 0; i < heads->count && result == 0; i++)
        if (!known.known[i])
            journal_captured(batch, &heads->items[i]);
    free(known.known);
    return result;
}

/* A refusal is worth a line, but must not hide its own reason. */
static void journal_refused(struct capture *capture, const struct err *why) {
    struct journal_batch batch = { 0 };
    struct err ignored = { 0 };
    char status[8];
    snprintf(status, sizeof status, "%d", err_exit_status(why->code));
    journal_add(&batch, clock_now(), "refused", "source", "all", "status", status, NULL);
    if (journal_append(capture->repo, &batch, &ignored) < 0)
        log_warning(capture->repo->log, "the journal could not take down the refusal: %s", ignored.message);
    journal_batch_release(&batch);
}

/* --- commit ---------------------------------------------------------------------------------------------------------
 */

/* A snapshot that is stored is no failure because the journal is: the session that is left makes the next capture write
 * what is missed. */
static void journal_success(struct capture *capture) {
    struct journal_batch batch = { 0 };
    struct err err = { 0 };
    int result = journal_missed(capture, &batch, &err);
    if (result == 0) {
        journal_captured(&batch, capture->head);
        result = journal_append(capture->repo, &batch, &err);
    }
    if (result < 0) {
        log_warning(capture->repo->log, "the snapshot is stored, but not yet in the journal: %s", err.message);
        session_abandon(capture->session);
        capture->session = NULL;
    }
    journal_batch_release(&batch);
}

/* The snapshot exists: a lock that fails is repeated by the next rotation. */
static void lock_packs(struct capture *capture) {
    struct err err = { 0 };
    if (depot_lock(capture->depot, capture->repo->lock_until, &err) < 0)
        log_warning(capture->repo->log, "the snapshot is stored, but not yet locked for as long as it should be: %s",
                    err.message);
}

/* Where locks are not everyone's, another host may have erased the set while this one captured. */
static int refuse_erased(struct capture *capture, struct err *err) {
    return store_lock_is_global(capture->repo->store) ? 0 : erasing_refuse(capture->repo, "commit the snapshot", err);
}

/* Packs, index, head, journal, memory: durable in this order. From the head on the snapshot exists, and nothing may say
 * otherwise. */
static int commit(struct capture *capture, double began, struct err *err) {
    if (depot_finish(capture->depot, err) < 0)
        return -1;
    decide_life(capture, began);
    capture->repo->lock_until = lock_date(capture);
    if (refuse_erased(capture, err) < 0 || session_check(capture->session, err) < 0 ||
        head_commit(capture->repo, capture->head, err) < 0)
        return -1;
    lock_packs(capture);
    journal_success(capture);
    for (size_t i = 0; i < capture->head->source_count; i++) {
        cache_writer_commit(capture->caches[i]);
        capture->caches[i] = NULL;
    }
    return 0;
}

static void tell_window(const struct capture *capture) {
    char span[CLOCK_TEXT];
    int64_t from, until;
    if (capture_window(capture->head, &from, &until))
        log_info(capture->repo->log, "from the beginning of the databases to the end of the buckets: %s",
                 clock_format_span(span, until - from));
}

static void release(struct capture *capture) {
    for (size_t i = 0; i < capture->options->source_count; i++)
        cache_writer_abort(capture->caches[i]);
    free(capture->caches);
    depot_free(capture->depot);
    heads_release(&capture->earlier);
    index_free(capture->index);
    condemned_release(&capture->condemned);
    session_end(capture->session);
    calendar_close(capture->calendar);
}

int capture_run(struct repo *repo, const struct capture_options *options, struct head *head, struct err *err) {
    struct capture capture = { .repo = repo, .options = options, .head = head };
    double began = clock_monotonic();
    int result = -1;
    capture.caches = mem_array(options->source_count, sizeof *capture.caches);
    begin_head(&capture);

    if (calendar_open(options->policy->timezone, &capture.calendar, err) < 0)
        goto out;
    if (options->state_folder && file_make_folders(options->state_folder, 0700, err) < 0)
        goto out;
    if (preflight(&capture, err) < 0)
        goto refused;
    if (begin_session(&capture, err) < 0 || erasing_refuse(repo, "capture", err) < 0)
        goto out;
    if (capture_sources(&capture, err) < 0)
        goto refused;
    result = commit(&capture, began, err);
    if (result == 0)
        tell_window(&capture);
    goto out;

refused:
    journal_refused(&capture, err);
out:
    release(&capture);
    repo->lock_until = 0;
    return result;
}
