#include "render_internal.h"
#include <muniment/util/hex.h>
#include <muniment/util/json.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/* Names of members follow the fields of struct report. What is not there, not known or unbounded is null. */

static void put_span(struct json_writer *json, const char *name, int64_t seconds) {
    if (seconds < 0)
        json_write_null(json, name);
    else
        json_write_number(json, name, seconds);
}

static void put_tiers(struct json_writer *json, const char *name, uint8_t tiers) {
    char text[FORM_TEXT];
    json_write_open(json, name, '[');
    for (uint8_t bit = TIER_DAILY; bit <= TIER_YEARLY; bit = (uint8_t)(bit << 1)) {
        if (tiers & bit)
            json_write_text(json, NULL, form_tiers(text, bit));
    }
    json_write_close(json, ']');
}

/* A list of objects under a name, each with the members that a function puts. */
#define PUT_EACH(json, name, items, count, put)                                                                        \
    do {                                                                                                               \
        json_write_open(json, name, '[');                                                                              \
        for (size_t each = 0; each < (count); each++) {                                                                \
            json_write_open(json, NULL, '{');                                                                          \
            put(json, &(items)[each]);                                                                                 \
            json_write_close(json, '}');                                                                               \
        }                                                                                                              \
        json_write_close(json, ']');                                                                                   \
    } while (0)

static void put_strings(struct json_writer *json, const char *name, char *const *items, size_t count) {
    json_write_open(json, name, '[');
    for (size_t i = 0; i < count; i++)
        json_write_text(json, NULL, items[i]);
    json_write_close(json, ']');
}

/* "3, 4, 5" as a list. */
static void put_list(struct json_writer *json, const char *name, const char *text, const char *separator, bool number) {
    char *copy = mem_string(text ? text : ""), *rest = copy;
    json_write_open(json, name, '[');
    for (char *item = strsep(&rest, separator); item != NULL; item = strsep(&rest, separator)) {
        if (*item == '\0')
            continue;
        if (number)
            json_write_number(json, NULL, strtol(item, NULL, 10));
        else
            json_write_text(json, NULL, item);
    }
    json_write_close(json, ']');
    free(copy);
}

/* --- parts 1 and 2 ------------------------------------------------------------------------------------------------ */

static void put_numbers(struct json_writer *json, const struct report *report) {
    struct render_numbers numbers;
    render_count(report, &numbers);
    json_write_open(json, "numbers", '{');
    json_write_count(json, "snapshots", numbers.snapshots);
    json_write_count(json, "snapshots_gone", numbers.snapshots_gone);
    json_write_time(json, "oldest", numbers.oldest);
    json_write_time(json, "newest", numbers.newest);
    json_write_count(json, "bytes", numbers.bytes);
    json_write_count(json, "copies", numbers.copies);
    json_write_count(json, "copies_whole", numbers.copies_whole);
    json_write_count(json, "runs", numbers.runs);
    json_write_count(json, "runs_ok", numbers.runs_ok);
    json_write_count(json, "runs_late", numbers.runs_late);
    json_write_count(json, "runs_partial", numbers.runs_partial);
    json_write_count(json, "runs_failed", numbers.runs_failed);
    json_write_count(json, "runs_missed", numbers.runs_missed);
    json_write_count(json, "restore_tests", numbers.drills);
    json_write_count(json, "restore_tests_passed", numbers.drills_passed);
    json_write_count(json, "destructions", numbers.destructions);
    json_write_count(json, "destructions_confirmed", numbers.destructions_confirmed);
    json_write_count(json, "holds", numbers.holds);
    json_write_count(json, "findings", numbers.findings);
    json_write_count(json, "exceptions", numbers.exceptions);
    json_write_count(json, "reads", numbers.reads);
    json_write_close(json, '}');
}

static void put_heading(struct json_writer *json, const struct report *report) {
    char mark[RENDER_MARK];
    json_write_text(json, "type", "report");
    json_write_number(json, "schema", REPORT_SCHEMA);
    json_write_text(json, "document", render_mark(report, mark));
    json_write_text(json, "id", report->id);
    json_write_text(json, "set", report->set);
    json_write_text(json, "set_id", report->set_id);
    json_write_text(json, "tool", report->tool);
    json_write_text(json, "signer", report->signer[0] != '\0' ? report->signer : NULL);
    json_write_time(json, "generated", report->generated);
    json_write_time(json, "from", report->from);
    json_write_time(json, "until", report->until);
    json_write_flag(json, "as_expected", report->as_expected);
    put_numbers(json, report);
}

static void put_policy(struct json_writer *json, const struct report_policy *version) {
    const struct policy *policy = &version->policy;
    const struct policy_reach *reach = &version->reach;
    json_write_text(json, "id", version->id);
    json_write_time(json, "effective", version->effective);
    json_write_count(json, "daily", policy->daily);
    json_write_count(json, "weekly", policy->weekly);
    json_write_count(json, "monthly", policy->monthly);
    json_write_count(json, "yearly", policy->yearly);
    put_span(json, "max_age", render_limit(policy->max_age));
    json_write_number(json, "purge_within", policy->purge_within);
    json_write_number(json, "interval", policy->interval);
    json_write_flag(json, "strict", policy->strict);
    json_write_text(json, "timezone", policy->timezone);
    json_write_count(json, "daily_effective", reach->daily_effective);
    json_write_count(json, "weekly_effective", reach->weekly_effective);
    json_write_count(json, "monthly_effective", reach->monthly_effective);
    json_write_count(json, "yearly_effective", reach->yearly_effective);
    put_span(json, "tiers_reach", reach->tiers_reach);
    put_span(json, "oldest_age", reach->oldest_age);
    put_span(json, "erasure_horizon", reach->erasure_horizon);
}

static void put_policies(struct json_writer *json, const struct report *report) {
    PUT_EACH(json, "policies", report->policies, report->policy_count, put_policy);
    put_strings(json, "policy_warnings", report->policy_warnings, report->policy_warning_count);
}

/* --- parts 3 to 5 ------------------------------------------------------------------------------------------------- */

static void put_run(struct json_writer *json, const struct report_run *run) {
    json_write_time(json, "expected", run->expected);
    json_write_text(json, "day", run->day);
    json_write_text(json, "outcome", run_outcome_text(run->outcome));
    json_write_time(json, "started", run->started);
    json_write_text(json, "snapshot", run->snapshot);
    json_write_text(json, "reason", run->reason);
}

static void put_fact(struct json_writer *json, const struct head_fact *fact) {
    json_write_text(json, "name", fact->name);
    json_write_text(json, "value", fact->value);
}

static void put_unit(struct json_writer *json, const struct head_unit *unit) {
    json_write_text(json, "name", unit->name);
    json_write_count(json, "bytes", unit->bytes);
    if (unit->rows_known)
        json_write_count(json, "rows", unit->rows);
    else
        json_write_null(json, "rows");
}

static void put_source(struct json_writer *json, const struct head_source *source) {
    char digest[2 * sizeof source->digest + 1];
    json_write_text(json, "name", source->name);
    json_write_text(json, "kind", source->kind);
    json_write_text(json, "outcome", outcome_text(source->outcome));
    json_write_time(json, "started", source->started);
    json_write_time(json, "finished", source->finished);
    json_write_count(json, "entries", source->entries);
    json_write_count(json, "bytes", source->bytes);
    json_write_count(json, "stored_bytes", source->stored_bytes);
    json_write_text(json, "digest", hex_encode(digest, source->digest, sizeof source->digest));
    PUT_EACH(json, "facts", source->facts, source->fact_count, put_fact);
    PUT_EACH(json, "units", source->units, source->unit_count, put_unit);
    put_strings(json, "troubles", source->troubles, source->trouble_count);
}

static void put_copies(struct json_writer *json, const struct report *report, const struct report_snapshot *snapshot) {
    json_write_open(json, "copies", '[');
    for (size_t i = 0; i < report->store_count && snapshot->copies != NULL; i++) {
        const struct report_copy *copy = &snapshot->copies[i];
        json_write_open(json, NULL, '{');
        json_write_text(json, "place", report->stores[i].name);
        json_write_text(json, "state", copy_state_text(copy->state));
        json_write_time(json, "stored", copy->stored);
        json_write_count(json, "versions", copy->versions);
        json_write_count(json, "packs", copy->packs);
        json_write_count(json, "missing_packs", copy->missing_packs);
        json_write_time(json, "locked_until", copy->locked_until);
        json_write_close(json, '}');
    }
    json_write_close(json, ']');
}

static void put_snapshot(struct json_writer *json, const struct report *report,
                         const struct report_snapshot *snapshot) {
    json_write_open(json, NULL, '{');
    json_write_text(json, "name", snapshot->name);
    json_write_text(json, "short_name", snapshot->short_name);
    json_write_flag(json, "exists", snapshot->exists);
    json_write_flag(json, "head_known", snapshot->head_known);
    json_write_text(json, "outcome", outcome_text(snapshot->outcome));
    json_write_time(json, "started", snapshot->started);
    json_write_time(json, "finished", snapshot->finished);
    put_tiers(json, "tiers", snapshot->tiers);
    put_tiers(json, "birth_tiers", snapshot->birth_tiers);
    json_write_text(json, "reason", snapshot->reason);
    json_write_time(json, "gone_by", snapshot->gone_by);
    json_write_time(json, "expires", snapshot->expires);
    json_write_time(json, "expired", snapshot->expired);
    json_write_flag(json, "held", snapshot->held);
    json_write_flag(json, "past_deadline", snapshot->past_deadline);
    json_write_text(json, "host", snapshot->host);
    json_write_text(json, "tool", snapshot->tool);
    json_write_count(json, "bytes", snapshot->bytes);
    json_write_count(json, "stored_bytes", snapshot->stored_bytes);
    PUT_EACH(json, "sources", snapshot->head.sources, snapshot->head.source_count, put_source);
    put_copies(json, report, snapshot);
    json_write_close(json, '}');
}

/* What stands in every place's list and in the journal's; the caller closes the object. */
static void open_chain(struct json_writer *json, const struct report *report, const struct report_chain *chain) {
    char witness[JOURNAL_WITNESS];
    json_write_open(json, NULL, '{');
    json_write_text(json, "host", chain->host);
    json_write_count(json, "first", chain->first);
    json_write_count(json, "number", chain->number);
    json_write_text(json, "hash", chain->hash);
    json_write_text(json, "witness", render_witness(report, chain, witness));
}

static void put_place(struct json_writer *json, const struct report *report, const struct report_store *store) {
    json_write_open(json, NULL, '{');
    json_write_text(json, "name", store->name);
    json_write_text(json, "address", store->address);
    json_write_flag(json, "reached", store->reached);
    json_write_text(json, "why", store->why);
    json_write_text(json, "versioning", store->versioning);
    json_write_text(json, "lock", store->lock);
    json_write_text(json, "region", store->region);
    json_write_text(json, "bucket", store->bucket);
    json_write_count(json, "objects", store->objects);
    json_write_count(json, "bytes", store->bytes);
    json_write_count(json, "versions", store->versions);
    json_write_count(json, "hidden", store->hidden);
    json_write_count(json, "hidden_bytes", store->hidden_bytes);
    json_write_count(json, "snapshots", store->snapshots);
    json_write_time(json, "newest_snapshot", store->newest_snapshot);
    json_write_time(json, "copied", store->copied);
    json_write_time(json, "verified", store->verified);
    json_write_count(json, "verified_objects", store->verified_objects);
    json_write_count(json, "verified_damaged", store->verified_damaged);
    put_span(json, "lag", store->lag);
    json_write_open(json, "journal", '[');
    for (size_t i = 0; i < store->chain_count; i++) {
        open_chain(json, report, &store->chains[i]);
        json_write_close(json, '}');
    }
    json_write_close(json, ']');
    json_write_close(json, '}');
}

/* --- parts 6 to 10 ------------------------------------------------------------------------------------------------ */

static void put_drill(struct json_writer *json, const struct report_drill *drill) {
    json_write_time(json, "time", drill->time);
    json_write_text(json, "snapshot", drill->snapshot);
    json_write_text(json, "target", drill->target);
    json_write_text(json, "operator", drill->operator);
    json_write_text(json, "message", drill->message);
    json_write_flag(json, "passed", drill->passed);
    json_write_seconds(json, "fetch_seconds", drill->fetch_seconds);
    json_write_seconds(json, "load_seconds", drill->load_seconds);
    json_write_seconds(json, "verify_seconds", drill->verify_seconds);
    json_write_count(json, "expected", drill->expected);
    json_write_count(json, "found", drill->found);
    json_write_count(json, "bytes", drill->bytes);
}

static void put_destruction(struct json_writer *json, const struct report *report,
                            const struct report_destruction *destruction) {
    json_write_open(json, NULL, '{');
    json_write_text(json, "object", destruction->object);
    json_write_text(json, "reason", destruction->reason);
    json_write_text(json, "place", report->stores[destruction->place].name);
    json_write_time(json, "decided", destruction->decided);
    json_write_time(json, "due", destruction->due);
    json_write_time(json, "removed", destruction->removed);
    json_write_count(json, "versions", destruction->versions);
    put_list(json, "ids", destruction->ids, ",", false);
    json_write_time(json, "refused_until", destruction->refused_until);
    json_write_text(json, "state", destruction_state_text(destruction->state));
    json_write_close(json, '}');
}

static void put_hold(struct json_writer *json, const struct hold *hold) {
    json_write_text(json, "id", hold->id);
    json_write_text(json, "scope", hold_scope_text(hold->scope));
    json_write_text(json, "snapshot", hold->snapshot);
    json_write_time(json, "from", hold->from);
    json_write_time(json, "until", hold->until);
    json_write_text(json, "owner", hold->owner);
    json_write_text(json, "reason", hold->reason);
    json_write_time(json, "placed", hold->placed);
    json_write_time(json, "review", hold->review);
    json_write_time(json, "ends", hold->ends);
    json_write_time(json, "released", hold->released);
}

static void put_finding(struct json_writer *json, const struct report_finding *finding) {
    json_write_text(json, "kind", finding_kind_text(finding->kind));
    json_write_text(json, "place", finding->place);
    json_write_text(json, "object", finding->object);
    json_write_text(json, "text", finding->text);
}

static void put_read(struct json_writer *json, const struct report_read *read) {
    json_write_time(json, "time", read->time);
    json_write_text(json, "command", read->command);
    json_write_text(json, "snapshot", read->snapshot);
    json_write_text(json, "host", read->host);
    json_write_text(json, "key", read->key);
    json_write_number(json, "status", read->status);
}

static void put_erasure(struct json_writer *json, const struct report *report) {
    json_write_open(json, "erasure", '{');
    put_span(json, "horizon", report->erasure_horizon);
    put_span(json, "promise", render_limit(report->erasure_promise));
    json_write_time(json, "erased_after", report->erased_after);
    json_write_count(json, "requests", report->erasures);
    json_write_close(json, '}');
}

static void put_journal(struct json_writer *json, const struct report *report) {
    json_write_open(json, "journal", '{');
    json_write_flag(json, "whole", report->journal_whole);
    json_write_open(json, "chains", '[');
    for (size_t i = 0; i < report->chain_count; i++) {
        open_chain(json, report, &report->chains[i]);
        json_write_count(json, "events", report->chains[i].events);
        json_write_close(json, '}');
    }
    json_write_close(json, ']');
    json_write_close(json, '}');
}

static void put_mapping(struct json_writer *json) {
    json_write_open(json, "mapping", '[');
    for (const struct render_requirement *item = RENDER_REQUIREMENTS; item->source != NULL; item++) {
        json_write_open(json, NULL, '{');
        json_write_text(json, "source", item->source);
        json_write_text(json, "what", item->what);
        put_list(json, "parts", item->parts, ", ", true);
        json_write_close(json, '}');
    }
    json_write_close(json, ']');
    json_write_open(json, "not_covered", '[');
    for (const char *const *line = RENDER_NOT_COVERED; *line != NULL; line++)
        json_write_text(json, NULL, *line);
    json_write_close(json, ']');
}

void render_json(const struct report *report, struct buffer *out) {
    struct json_writer json = { .out = out };
    json_write_open(&json, NULL, '{');
    put_heading(&json, report);
    put_policies(&json, report);
    PUT_EACH(&json, "runs", report->runs, report->run_count, put_run);
    json_write_open(&json, "snapshots", '[');
    for (size_t i = 0; i < report->snapshot_count; i++)
        put_snapshot(&json, report, &report->snapshots[i]);
    json_write_close(&json, ']');
    json_write_open(&json, "places", '[');
    for (size_t i = 0; i < report->store_count; i++)
        put_place(&json, report, &report->stores[i]);
    json_write_close(&json, ']');
    PUT_EACH(&json, "restore_tests", report->drills, report->drill_count, put_drill);
    json_write_open(&json, "destructions", '[');
    for (size_t i = 0; i < report->destruction_count; i++)
        put_destruction(&json, report, &report->destructions[i]);
    json_write_close(&json, ']');
    PUT_EACH(&json, "holds", report->holds, report->hold_count, put_hold);
    PUT_EACH(&json, "findings", report->findings, report->finding_count, put_finding);
    PUT_EACH(&json, "reads", report->reads, report->read_count, put_read);
    put_erasure(&json, report);
    put_journal(&json, report);
    put_mapping(&json);
    json_write_close(&json, '}');
    buffer_put(out, "\n", 1);
}
