#include "invocation_internal.h"
#include <inttypes.h>
#include <muniment/repo/journal.h>
#include <muniment/util/clock.h>
#include <stdio.h>

int step_capture(struct invocation *invocation, struct opened_set *set, int64_t when, struct head *head,
                 struct err *err) {
    const struct set_settings *settings = set->settings;
    struct progress progress = { 0 };
    struct err why = { 0 };
    if (policy_journal(set, when != 0 ? when : clock_now(), &why) != 0)
        log_warning(invocation->log, "the policy could not be journalled: %s", why.message);
    struct capture_options options = {
        .sources = settings->sources,
        .source_count = settings->source_count,
        .policy = &settings->policy,
        .state_folder = set->state,
        .started = when,
        .lock_wait = invocation->lock_wait,
        .session_length = settings->session_length,
        .compression = settings->compression,
        .progress = &progress,
    };
    console_progress_start(invocation->console, "capturing", &progress);
    int result = capture_run(&set->repo, &options, head, err);
    console_progress_stop(invocation->console);
    return result;
}

void report_finding(void *context, const char *text) {
    struct invocation *invocation = context;
    output_text(invocation->output, "%s\n", text);
    json_begin(invocation->output, "finding");
    json_text(invocation->output, "text", text);
    json_end(invocation->output);
}

/* What was looked at, and that it was, is for those who ask later. */
static void journal_check(struct invocation *invocation, struct opened_set *set, const struct check_result *result) {
    struct journal_batch batch = { 0 };
    struct err why = { 0 };
    char snapshots[24], packs[24], bytes[24], findings[24];
    snprintf(snapshots, sizeof snapshots, "%" PRIu64, result->snapshots);
    snprintf(packs, sizeof packs, "%" PRIu64, result->packs);
    snprintf(bytes, sizeof bytes, "%" PRIu64, result->bytes_read);
    snprintf(findings, sizeof findings, "%" PRIu64, result->findings);
    journal_add(&batch, clock_now(), "checked", "snapshots", snapshots, "packs", packs, "bytes", bytes, "findings",
                findings, NULL);
    if (journal_append(&set->repo, &batch, &why) != 0)
        log_warning(invocation->log, "the check could not be journalled: %s", why.message);
    journal_batch_release(&batch);
}

int step_check(struct invocation *invocation, struct opened_set *set, unsigned read_percent,
               struct check_result *result, struct err *err) {
    struct progress progress = { 0 };
    struct check_options options = {
        .read_percent = read_percent,
        .mirror = option_given(&invocation->options, OPTION_MIRROR) || option_given(&invocation->options, OPTION_FROM),
        .now = clock_now(),
        .progress = &progress,
        .finding = report_finding,
        .context = invocation,
    };
    console_progress_start(invocation->console, "checking", &progress);
    int checked = check_run(&set->repo, &options, result, err);
    console_progress_stop(invocation->console);
    if (checked == 0 && !options.mirror && set->keys->can_sign && !option_given(&invocation->options, OPTION_AS_OF))
        journal_check(invocation, set, result);
    return checked;
}

int step_mirror(struct opened_set *set, const struct mirror_settings *mirror, bool force, struct mirror_result *result,
                struct err *err) {
    return mirror_set(set, mirror, clock_now(), force, mirror->verify_percent, result, err);
}

void json_head_facts(struct output *output, const struct head *head) {
    char id[9], tiers[FORM_TEXT];
    json_text(output, "snapshot", head_short_name(head->name, id));
    json_text(output, "name", head->name);
    json_time(output, "started", head->started);
    json_time(output, "finished", head->finished);
    json_text(output, "outcome", outcome_text(head->outcome));
    json_text(output, "tiers", head->tiers != 0 ? form_tiers(tiers, head->tiers) : "");
    json_time(output, "deadline", head->deadline);
    json_text(output, "host", head->hostname);
    json_count(output, "bytes", head_bytes(head));
    json_count(output, "stored_bytes", head_stored_bytes(head));
    int64_t from = 0, until = 0;
    if (capture_window(head, &from, &until))
        json_number(output, "window_seconds", until - from);
}

void json_head(struct output *output, const struct head *head) {
    json_head_facts(output, head);
    json_list(output, "sources");
    for (size_t i = 0; i < head->source_count; i++)
        json_text(output, NULL, head->sources[i].name);
    json_list_end(output);
}

/* A legal hold has no date. */
static void json_until(struct output *output, int64_t until) {
    json_time(output, "refused_until", until == INT64_MAX ? 0 : until);
}

void json_purge(struct output *output, const struct purge_result *purge) {
    json_count(output, "snapshots_removed", purge->heads_removed);
    json_count(output, "packs_destroyed", purge->packs_destroyed);
    json_count(output, "bytes_destroyed", purge->bytes_destroyed);
    json_count(output, "packs_rewritten", purge->packs_rewritten);
    json_count(output, "bytes_moved", purge->bytes_moved);
    json_count(output, "packs_spared", purge->packs_spared);
    json_count(output, "packs_waiting", purge->packs_waiting);
    json_count(output, "dead_bytes_kept", purge->dead_bytes_kept);
    json_time(output, "earliest_deadline", purge->earliest_deadline);
    json_count(output, "refused", purge->refused);
    json_until(output, purge->refused_until);
    json_count(output, "hidden", purge->hidden);
}

void json_mirror(struct output *output, const struct mirror_result *mirror) {
    json_count(output, "uploaded", mirror->uploaded);
    json_count(output, "uploaded_bytes", mirror->uploaded_bytes);
    json_count(output, "removed", mirror->removed);
    json_count(output, "removed_bytes", mirror->removed_bytes);
    json_count(output, "verified", mirror->verified);
    json_count(output, "verified_bytes", mirror->verified_bytes);
    json_count(output, "strangers", mirror->strangers);
    json_count(output, "damaged", mirror->damaged);
    json_count(output, "refused", mirror->refused);
    json_until(output, mirror->refused_until);
    json_count(output, "hidden", mirror->hidden);
    json_count(output, "found_hidden", mirror->found_hidden);
    json_time(output, "newest_snapshot", mirror->newest_snapshot);
}

void json_check(struct output *output, const struct check_result *check) {
    json_count(output, "snapshots", check->snapshots);
    json_count(output, "packs", check->packs);
    json_count(output, "chunks", check->chunks);
    json_count(output, "bytes_read", check->bytes_read);
    json_count(output, "findings", check->findings);
    json_count(output, "unreferenced_packs", check->unreferenced_packs);
}
