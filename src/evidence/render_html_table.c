#include "render_html_internal.h"
#include <muniment/util/form.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void nothing(struct buffer *out, const char *sentence) {
    buffer_printf(out, "<p class=nothing>%s</p>\n", sentence);
}

/* A cell with text that has no field of its own, or none. */
static void text_cell(struct buffer *out, const char *text) {
    buffer_printf(out, "<td>");
    html_text(out, text ? text : "");
}

/* A line of a cell that holds several: what stands before it is closed, and the label opened. */
static void dated(struct buffer *out, const char *before, const char *label) {
    buffer_printf(out, "%s<div class=line><span>%s</span> ", before, label);
}

/* --- part 2 ------------------------------------------------------------------------------------------------------- */

static void tier_row(struct buffer *out, size_t version, const char *name, const char *title, uint32_t configured,
                     uint32_t effective) {
    buffer_printf(out, "<tr%s><th scope=row>%s<td class=n>", effective < configured ? " class=less" : "", title);
    html_count(out, FIELD("policies.%zu.%s", version, name), configured);
    buffer_printf(out, "<td class=n>");
    html_count(out, FIELD("policies.%zu.%s_effective", version, name), effective);
}

static void put_limits(struct buffer *out, const struct report *report, size_t at) {
    const struct report_policy *version = &report->policies[at];
    buffer_printf(out, "<dl class=facts><dt>Never older than<dd>");
    html_span(out, FIELD("policies.%zu.max_age", at), version->policy.max_age > 0 ? version->policy.max_age : -1,
              "no limit");
    buffer_printf(out, "<dt>Oldest age that is ever reached<dd>");
    html_span(out, FIELD("policies.%zu.oldest_age", at), version->reach.oldest_age, "unbounded");
    buffer_printf(out, "<dt>By its tiers alone<dd>");
    html_span(out, FIELD("policies.%zu.tiers_reach", at), version->reach.tiers_reach, "unbounded");
    buffer_printf(out, "<dt>A run every<dd>");
    html_span(out, FIELD("policies.%zu.interval", at), version->policy.interval, "");
    buffer_printf(out, "<dt>Destroyed after it expires within<dd>");
    html_span(out, FIELD("policies.%zu.purge_within", at), version->policy.purge_within, "");
    buffer_printf(out, "<dt>The last good copy<dd>%s",
                  version->policy.strict ? "goes by the same rules (strict)" : "is never destroyed by the calendar");
    buffer_printf(out, "<dt>Time zone<dd>");
    html_word(out, FIELD("policies.%zu.timezone", at), version->policy.timezone);
    buffer_printf(out, "<dt>What was promised for erasure<dd>");
    html_span(out, "erasure.promise", report->erasure_promise > 0 ? report->erasure_promise : -1, "nothing");
    buffer_printf(out, "</dl>\n");
}

static void put_history(struct buffer *out, const struct report *report) {
    buffer_printf(out, "<h3>Versions</h3>\n");
    html_table_begin(out, "Versions of the policy",
                     "In force since|Policy|>Daily|>Weekly|>Monthly|>Yearly|Never older than|"
                     "Erasure horizon");
    for (size_t i = 0; i < report->policy_count; i++) {
        const struct report_policy *version = &report->policies[i];
        buffer_printf(out, "<tr><td>");
        html_time(out, FIELD("policies.%zu.effective", i), version->effective, "the beginning");
        buffer_printf(out, "<td class=id>");
        html_word(out, FIELD("policies.%zu.id", i), version->id);
        buffer_printf(out, "<td class=n>%u<td class=n>%u<td class=n>%u<td class=n>%u<td>", version->policy.daily,
                      version->policy.weekly, version->policy.monthly, version->policy.yearly);
        html_span(out, FIELD("policies.%zu.max_age", i), version->policy.max_age > 0 ? version->policy.max_age : -1,
                  "no limit");
        buffer_printf(out, "<td>");
        html_span(out, FIELD("policies.%zu.erasure_horizon", i), version->reach.erasure_horizon, "unbounded");
        buffer_printf(out, "\n");
    }
    html_table_end(out);
}

void html_policies(struct buffer *out, const struct report *report) {
    if (report->policy_count == 0) {
        nothing(out, "No policy is known.");
        return;
    }
    size_t last = report->policy_count - 1;
    const struct report_policy *version = &report->policies[last];
    buffer_printf(out,
                  "<div class=pair><table class=small><thead><tr><th scope=col>Kept<th scope=col class=n>Configured"
                  "<th scope=col class=n>Effective<tbody>");
    tier_row(out, last, "daily", "Daily", version->policy.daily, version->reach.daily_effective);
    tier_row(out, last, "weekly", "Weekly", version->policy.weekly, version->reach.weekly_effective);
    tier_row(out, last, "monthly", "Monthly", version->policy.monthly, version->reach.monthly_effective);
    tier_row(out, last, "yearly", "Yearly", version->policy.yearly, version->reach.yearly_effective);
    buffer_printf(out, "</table>\n");
    put_limits(out, report, last);
    buffer_printf(out, "</div>\n");
    for (size_t i = 0; i < report->policy_warning_count; i++) {
        buffer_printf(out, "<p class=note>");
        html_word(out, FIELD("policy_warnings.%zu", i), report->policy_warnings[i]);
        buffer_printf(out, "</p>\n");
    }
    put_history(out, report);
}

/* --- part 3 ------------------------------------------------------------------------------------------------------- */

void html_runs(struct buffer *out, const struct report *report) {
    size_t shown = 0;
    html_calendar(out, report);
    for (size_t i = 0; i < report->run_count; i++) {
        const struct report_run *run = &report->runs[i];
        char shape[16];
        if (run->outcome == RUN_OK || run->outcome == RUN_EXPECTED)
            continue;
        if (shown++ == 0)
            html_table_begin(out, "Runs that were not as expected", "Day|Outcome|Began|Why");
        snprintf(shape, sizeof shape, "r%d", (int)run->outcome);
        buffer_printf(out, "<tr><td>");
        html_word(out, FIELD("runs.%zu.day", i), run->day);
        buffer_printf(out, "<td class=state>");
        html_mark(out, shape, "");
        html_word(out, FIELD("runs.%zu.outcome", i), run_outcome_text(run->outcome));
        buffer_printf(out, "<td>");
        html_time(out, FIELD("runs.%zu.started", i), run->started, "&ndash;");
        buffer_printf(out, "<td>");
        html_word(out, FIELD("runs.%zu.reason", i), run->reason);
        buffer_printf(out, "\n");
    }
    if (shown > 0)
        html_table_end(out);
    else
        nothing(out, report->run_count > 0 ? "Every run came when it should." : "No run was expected in this period.");
}

/* --- part 4 ------------------------------------------------------------------------------------------------------- */

static void put_source(struct buffer *out, size_t at, size_t number, const struct head_source *source) {
    char bytes[FORM_TEXT];
    buffer_printf(out, "<div class=source>");
    html_word(out, FIELD("snapshots.%zu.sources.%zu.name", at, number), source->name);
    if (source->outcome != OUTCOME_COMPLETE)
        buffer_printf(out, " <b class=bad>%s</b>", outcome_text(source->outcome));
    buffer_printf(out, " <span class=soft>");
    html_text(out, source->kind);
    buffer_printf(out, ", %s", form_bytes(bytes, source->bytes));
    for (size_t i = 0; i < source->fact_count; i++) {
        buffer_printf(out, ", ");
        html_text(out, source->facts[i].name);
        buffer_printf(out, " ");
        html_text(out, source->facts[i].value);
    }
    buffer_printf(out, "</span>");
    for (size_t i = 0; i < source->trouble_count; i++) {
        buffer_printf(out, "<div class=trouble>");
        html_text(out, source->troubles[i]);
        buffer_printf(out, "</div>");
    }
    buffer_printf(out, "</div>");
}

static void put_existing(struct buffer *out, size_t i, const struct report_snapshot *snapshot) {
    char tiers[FORM_TEXT];
    buffer_printf(out, "<tr><th scope=row class=id id=\"s%zu\">", i);
    html_word(out, FIELD("snapshots.%zu.short_name", i), snapshot->short_name);
    buffer_printf(out, "<td>");
    html_time(out, FIELD("snapshots.%zu.started", i), snapshot->started, "");
    buffer_printf(out, "<td>%s", form_tiers(tiers, snapshot->tiers));
    if (snapshot->outcome != OUTCOME_COMPLETE)
        buffer_printf(out, " <b class=bad>%s</b>", outcome_text(snapshot->outcome));
    if (snapshot->held)
        buffer_printf(out, " <b class=warn>held</b>");
    buffer_printf(out, "<td class=n>");
    html_bytes(out, FIELD("snapshots.%zu.bytes", i), snapshot->bytes);
    buffer_printf(out, "<td>");
    html_time(out, FIELD("snapshots.%zu.gone_by", i), snapshot->gone_by, "no date");
    if (snapshot->past_deadline)
        buffer_printf(out, " <b class=bad>passed</b>");
    buffer_printf(out, "<td>");
    html_time(out, FIELD("snapshots.%zu.expires", i), snapshot->expires, "&ndash;");
    buffer_printf(out, "<td>");
    html_word(out, FIELD("snapshots.%zu.reason", i), snapshot->reason);
    buffer_printf(out, "<td>");
    for (size_t j = 0; j < snapshot->head.source_count; j++)
        put_source(out, i, j, &snapshot->head.sources[j]);
    buffer_printf(out, "\n");
}

static void put_gone(struct buffer *out, size_t i, const struct report_snapshot *snapshot) {
    char tiers[FORM_TEXT];
    buffer_printf(out, "<tr><th scope=row class=id>");
    html_word(out, FIELD("snapshots.%zu.short_name", i), snapshot->short_name);
    buffer_printf(out, "<td>");
    html_time(out, FIELD("snapshots.%zu.started", i), snapshot->started, "");
    buffer_printf(out, "<td>%s<td>", form_tiers(tiers, snapshot->birth_tiers));
    html_time(out, FIELD("snapshots.%zu.gone_by", i), snapshot->gone_by, "no date");
    buffer_printf(out, "<td>");
    html_time(out, FIELD("snapshots.%zu.expired", i), snapshot->expired, "not known");
    buffer_printf(out, "<td>");
    html_word(out, FIELD("snapshots.%zu.reason", i), snapshot->reason);
    buffer_printf(out, "\n");
}

void html_snapshots(struct buffer *out, const struct report *report) {
    struct render_numbers numbers;
    render_count(report, &numbers);
    if (report->snapshot_count == 0)
        nothing(out, "There is no snapshot.");
    html_timeline(out, report);
    if (numbers.snapshots > 0) {
        html_table_begin(out, "Snapshots that exist",
                         "Snapshot|Captured|Tiers|>Size|Gone by|Expected to go|Stays because|"
                         "Holds");
        for (size_t i = 0; i < report->snapshot_count; i++)
            if (report->snapshots[i].exists)
                put_existing(out, i, &report->snapshots[i]);
        html_table_end(out);
    }
    if (numbers.snapshots_gone > 0) {
        buffer_printf(out, "<h3>Gone in the period</h3>\n");
        html_table_begin(out, "Snapshots that are gone", "Snapshot|Captured|Tiers at birth|Gone by|Went|Why");
        for (size_t i = 0; i < report->snapshot_count; i++)
            if (!report->snapshots[i].exists)
                put_gone(out, i, &report->snapshots[i]);
        html_table_end(out);
    }
}

/* --- part 5 ------------------------------------------------------------------------------------------------------- */

static void put_place(struct buffer *out, size_t i, const struct report_store *store) {
    buffer_printf(out, "<article class=place><h3>");
    html_word(out, FIELD("places.%zu.name", i), store->name);
    buffer_printf(out, "</h3><p class=address>");
    html_word(out, FIELD("places.%zu.address", i), store->address);
    buffer_printf(out, "</p>");
    if (!store->reached) {
        buffer_printf(out, "<p class=note>Could not be looked at: ");
        html_word(out, FIELD("places.%zu.why", i), store->why);
        buffer_printf(out, "</p>");
    }
    buffer_printf(out, "<dl class=facts><dt>Snapshots<dd>");
    html_count(out, FIELD("places.%zu.snapshots", i), store->snapshots);
    buffer_printf(out, "<dt>Newest<dd>");
    html_time(out, FIELD("places.%zu.newest_snapshot", i), store->newest_snapshot, "none");
    buffer_printf(out, "<dt>Behind the repository<dd>");
    html_span(out, FIELD("places.%zu.lag", i), store->lag, "not known");
    buffer_printf(out, "<dt>Objects<dd>");
    html_count(out, FIELD("places.%zu.objects", i), store->objects);
    buffer_printf(out, ", ");
    html_bytes(out, FIELD("places.%zu.bytes", i), store->bytes);
    buffer_printf(out, "<dt>Versions, markers among them<dd>");
    html_count(out, FIELD("places.%zu.versions", i), store->versions);
    buffer_printf(out, "<dt>Hidden<dd>");
    html_count(out, FIELD("places.%zu.hidden", i), store->hidden);
    buffer_printf(out, ", ");
    html_bytes(out, FIELD("places.%zu.hidden_bytes", i), store->hidden_bytes);
    buffer_printf(out, "<dt>Versioning<dd>");
    html_word(out, FIELD("places.%zu.versioning", i), store->versioning);
    buffer_printf(out, "<dt>Object lock<dd>");
    html_word(out, FIELD("places.%zu.lock", i), store->lock);
    buffer_printf(out, "<dt>Region<dd>");
    html_word(out, FIELD("places.%zu.region", i), store->region);
    buffer_printf(out, "<dt>Last copied<dd>");
    html_time(out, FIELD("places.%zu.copied", i), store->copied, "&ndash;");
    buffer_printf(out, "<dt>Last verified<dd>");
    html_time(out, FIELD("places.%zu.verified", i), store->verified, "never");
    buffer_printf(out, "<dt>Read back then, damaged<dd>");
    html_count(out, FIELD("places.%zu.verified_objects", i), store->verified_objects);
    buffer_printf(out, ", ");
    html_count(out, FIELD("places.%zu.verified_damaged", i), store->verified_damaged);
    buffer_printf(out, "</dl></article>\n");
}

static void put_copies(struct buffer *out, const struct report *report, size_t at) {
    const struct report_snapshot *snapshot = &report->snapshots[at];
    buffer_printf(out, "<tr><th scope=row class=id>%s", snapshot->short_name);
    for (size_t i = 0; i < report->store_count; i++) {
        const struct report_copy *copy = &snapshot->copies[i];
        char shape[16];
        snprintf(shape, sizeof shape, "c%d", (int)copy->state);
        buffer_printf(out, "<td class=state>");
        html_mark(out, shape, "");
        html_word(out, FIELD("snapshots.%zu.copies.%zu.state", at, i), copy_state_text(copy->state));
        if (copy->state == COPY_ABSENT || copy->state == COPY_UNKNOWN)
            continue;
        buffer_printf(out, "<div class=soft>");
        html_count(out, FIELD("snapshots.%zu.copies.%zu.packs", at, i), copy->packs);
        buffer_printf(out, " packs");
        if (copy->missing_packs > 0) {
            buffer_printf(out, ", <b class=bad>");
            html_count(out, FIELD("snapshots.%zu.copies.%zu.missing_packs", at, i), copy->missing_packs);
            buffer_printf(out, " missing</b>");
        }
        if (copy->stored != 0) {
            buffer_printf(out, ", stored ");
            html_time(out, FIELD("snapshots.%zu.copies.%zu.stored", at, i), copy->stored, "");
        }
        if (copy->locked_until != 0) {
            buffer_printf(out, ", locked until ");
            html_time(out, FIELD("snapshots.%zu.copies.%zu.locked_until", at, i), copy->locked_until, "");
        }
        buffer_printf(out, "</div>");
    }
    buffer_printf(out, "\n");
}

void html_places(struct buffer *out, const struct report *report) {
    struct render_numbers numbers;
    render_count(report, &numbers);
    buffer_printf(out, "<div class=places>\n");
    for (size_t i = 0; i < report->store_count; i++)
        put_place(out, i, &report->stores[i]);
    buffer_printf(out, "</div>\n");
    if (numbers.snapshots == 0)
        return;
    struct buffer headings = { 0 };
    buffer_printf(&headings, "Snapshot");
    for (size_t i = 0; i < report->store_count; i++) {
        buffer_printf(&headings, "|");
        html_text(&headings, report->stores[i].name);
    }
    buffer_printf(out, "<h3>Copies</h3>\n");
    html_table_begin(out, "Copies of each snapshot", buffer_text(&headings));
    for (size_t i = 0; i < report->snapshot_count; i++)
        if (report->snapshots[i].exists)
            put_copies(out, report, i);
    html_table_end(out);
    buffer_release(&headings);
}

/* --- part 6 ------------------------------------------------------------------------------------------------------- */

void html_drills(struct buffer *out, const struct report *report) {
    if (report->drill_count == 0) {
        nothing(out, "No restore was tested in this period.");
        return;
    }
    html_table_begin(out, "Restore tests", "When|Result|Compared|Time taken|>Size|Restored from|By|Message");
    for (size_t i = 0; i < report->drill_count; i++) {
        const struct report_drill *drill = &report->drills[i];
        buffer_printf(out, "<tr><td>");
        html_time(out, FIELD("restore_tests.%zu.time", i), drill->time, "");
        buffer_printf(out, "<td class=state>");
        html_mark(out, drill->passed ? "c0" : "r3", drill->passed ? "" : "bad");
        buffer_printf(out, "%s<td>", drill->passed ? "passed" : "<b class=bad>failed</b>");
        html_count(out, FIELD("restore_tests.%zu.found", i), drill->found);
        buffer_printf(out, " of ");
        html_count(out, FIELD("restore_tests.%zu.expected", i), drill->expected);
        dated(out, "<td>", "fetched");
        html_seconds(out, FIELD("restore_tests.%zu.fetch_seconds", i), drill->fetch_seconds);
        dated(out, "</div>", "loaded");
        html_seconds(out, FIELD("restore_tests.%zu.load_seconds", i), drill->load_seconds);
        dated(out, "</div>", "compared");
        html_seconds(out, FIELD("restore_tests.%zu.verify_seconds", i), drill->verify_seconds);
        buffer_printf(out, "</div>");
        buffer_printf(out, "<td class=n>");
        html_bytes(out, FIELD("restore_tests.%zu.bytes", i), drill->bytes);
        buffer_printf(out, "<td>");
        html_word(out, FIELD("restore_tests.%zu.target", i), drill->target);
        buffer_printf(out, "<td>");
        html_word(out, FIELD("restore_tests.%zu.operator", i), drill->operator);
        buffer_printf(out, "<td>");
        html_word(out, FIELD("restore_tests.%zu.message", i), drill->message);
        buffer_printf(out, "\n");
    }
    html_table_end(out);
}

/* --- part 7 ------------------------------------------------------------------------------------------------------- */

void html_destructions(struct buffer *out, const struct report *report) {
    static const char *const SHAPES[] = { "c0", "c2", "c3", "c3", "r3", "c4" };
    if (report->destruction_count == 0) {
        nothing(out, "Nothing was decided to go in this period.");
        return;
    }
    html_table_begin(out, "Destructions", "Object|Place|State|Dates|Proof|Why");
    for (size_t i = 0; i < report->destruction_count; i++) {
        const struct report_destruction *destruction = &report->destructions[i];
        buffer_printf(out, "<tr><th scope=row class=\"id object\">");
        html_word(out, FIELD("destructions.%zu.object", i), destruction->object);
        text_cell(out, report->stores[destruction->place].name);
        buffer_printf(out, "<td class=state>");
        html_mark(out, SHAPES[destruction->state], "");
        html_word(out, FIELD("destructions.%zu.state", i), destruction_state_text(destruction->state));
        if (destruction->refused_until != 0) {
            buffer_printf(out, " until ");
            html_time(out, FIELD("destructions.%zu.refused_until", i), destruction->refused_until, "");
        }
        dated(out, "<td>", "decided");
        html_time(out, FIELD("destructions.%zu.decided", i), destruction->decided, "&ndash;");
        dated(out, "</div>", "due");
        html_time(out, FIELD("destructions.%zu.due", i), destruction->due, "&ndash;");
        if (destruction->removed != 0) {
            dated(out, "</div>", "removed");
            html_time(out, FIELD("destructions.%zu.removed", i), destruction->removed, "&ndash;");
        }
        buffer_printf(out, "</div>");
        buffer_printf(out, "<td class=object>%s",
                      destruction->state == DESTRUCTION_CONFIRMED ? "listed, not there" : "");
        if (destruction->ids != NULL) {
            buffer_printf(out, "; version <span class=id>");
            html_text(out, destruction->ids);
            buffer_printf(out, "</span>");
        }
        text_cell(out, destruction->reason);
        buffer_printf(out, "\n");
    }
    html_table_end(out);
}

/* --- parts 8 to 10 ------------------------------------------------------------------------------------------------ */

static void put_hold(struct buffer *out, size_t i, const struct hold *hold) {
    buffer_printf(out, "<tr><th scope=row class=id>");
    html_word(out, FIELD("holds.%zu.id", i), hold->id);
    buffer_printf(out, "<td>");
    html_word(out, FIELD("holds.%zu.scope", i), hold_scope_text(hold->scope));
    if (hold->snapshot != NULL) {
        buffer_printf(out, " <span class=\"id object\">");
        html_text(out, hold->snapshot);
        buffer_printf(out, "</span>");
    }
    if (hold->scope == HOLD_RANGE) {
        buffer_printf(out, " ");
        html_time(out, FIELD("holds.%zu.from", i), hold->from, "");
        buffer_printf(out, " to ");
        html_time(out, FIELD("holds.%zu.until", i), hold->until, "");
    }
    buffer_printf(out, "<td>");
    html_word(out, FIELD("holds.%zu.owner", i), hold->owner);
    buffer_printf(out, "<td>");
    html_word(out, FIELD("holds.%zu.reason", i), hold->reason);
    dated(out, "<td>", "placed");
    html_time(out, FIELD("holds.%zu.placed", i), hold->placed, "");
    dated(out, "</div>", "review");
    html_time(out, FIELD("holds.%zu.review", i), hold->review, "&ndash;");
    dated(out, "</div>", "ends");
    html_time(out, FIELD("holds.%zu.ends", i), hold->ends, "when released");
    dated(out, "</div>", "released");
    html_time(out, FIELD("holds.%zu.released", i), hold->released, "in force");
    buffer_printf(out, "</div>\n");
}

void html_exceptions(struct buffer *out, const struct report *report) {
    if (report->finding_count == 0)
        nothing(out, "Nothing was found that does not agree.");
    else
        html_table_begin(out, "Findings", "Kind|What|Where|Object");
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct report_finding *finding = &report->findings[i];
        bool meant = finding->kind == FINDING_EXCEPTION;
        buffer_printf(out, "<tr><td><b class=%s>", meant ? "warn" : "bad");
        html_word(out, FIELD("findings.%zu.kind", i), finding_kind_text(finding->kind));
        buffer_printf(out, "</b><td class=wide>");
        html_word(out, FIELD("findings.%zu.text", i), finding->text);
        buffer_printf(out, "<td>");
        html_word(out, FIELD("findings.%zu.place", i), finding->place);
        buffer_printf(out, "<td class=\"id object\">");
        html_word(out, FIELD("findings.%zu.object", i), finding->object);
        buffer_printf(out, "\n");
    }
    if (report->finding_count > 0)
        html_table_end(out);
    if (report->hold_count == 0) {
        nothing(out, "No hold was in force or released.");
        return;
    }
    buffer_printf(out, "<h3>Holds</h3>\n");
    html_table_begin(out, "Holds", "Hold|Covers|Owner|Reason|Dates");
    for (size_t i = 0; i < report->hold_count; i++)
        put_hold(out, i, &report->holds[i]);
    html_table_end(out);
}

void html_reads(struct buffer *out, const struct report *report) {
    if (report->read_count == 0) {
        nothing(out, "The read key was not used in this period.");
        return;
    }
    html_table_begin(out, "Uses of the read key", "When|Command|>Exit status|Key|Host|Snapshot");
    for (size_t i = 0; i < report->read_count; i++) {
        const struct report_read *read = &report->reads[i];
        buffer_printf(out, "<tr><td>");
        html_time(out, FIELD("reads.%zu.time", i), read->time, "");
        buffer_printf(out, "<td>");
        html_word(out, FIELD("reads.%zu.command", i), read->command);
        buffer_printf(out, "<td class=n>");
        html_count(out, FIELD("reads.%zu.status", i), (uint64_t)read->status);
        buffer_printf(out, "<td class=id>");
        html_word(out, FIELD("reads.%zu.key", i), read->key);
        buffer_printf(out, "<td class=id>");
        html_word(out, FIELD("reads.%zu.host", i), read->host);
        buffer_printf(out, "<td class=\"id object\">");
        html_word(out, FIELD("reads.%zu.snapshot", i), read->snapshot);
        buffer_printf(out, "\n");
    }
    html_table_end(out);
}

void html_journal(struct buffer *out, const struct report *report) {
    char witness[JOURNAL_WITNESS];
    buffer_printf(out, "<p>By the policy alone, what is deleted leaves every backup within ");
    html_span(out, "erasure.horizon", report->erasure_horizon, "no bounded time");
    buffer_printf(out, ". The erasure ledger has ");
    html_count(out, "erasure.requests", report->erasures);
    buffer_printf(out, " %s that a restore would have to repeat.</p>\n",
                  report->erasures == 1 ? "request" : "requests");
    buffer_printf(out,
                  "<p>The journal %s. Its newest segments are witnesses: a journal from which anything is cut later "
                  "no longer agrees with this report.</p>\n",
                  report->journal_whole ? "is whole: every segment is signed, certified and in its chain"
                                        : "<b class=bad>is not whole</b>; part 8 names what is wrong");
    if (report->chain_count == 0)
        return;
    html_table_begin(out, "Chains of the journal", "Host|Segments kept|>Events|Witness");
    for (size_t i = 0; i < report->chain_count; i++) {
        const struct report_chain *chain = &report->chains[i];
        buffer_printf(out, "<tr><th scope=row class=id>");
        html_word(out, FIELD("journal.chains.%zu.host", i), chain->host);
        buffer_printf(out, "<td>");
        html_count(out, FIELD("journal.chains.%zu.first", i), chain->first);
        buffer_printf(out, " to ");
        html_count(out, FIELD("journal.chains.%zu.number", i), chain->number);
        buffer_printf(out, "<td class=n>");
        html_count(out, FIELD("journal.chains.%zu.events", i), chain->events);
        buffer_printf(out, "<td class=\"id token\">");
        html_word(out, FIELD("journal.chains.%zu.witness", i), render_witness(report, chain, witness));
        buffer_printf(out, "\n");
    }
    html_table_end(out);
}
