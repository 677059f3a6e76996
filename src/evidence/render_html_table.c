#include "render_html_internal.h"
#include <muniment/util/form.h>

static void nothing(struct buffer *out, const char *sentence) {
    buffer_printf(out, "<p class=nothing>%s</p>\n", sentence);
}

/* A cell with text that has no field of its own, or none. */
static void text_cell(struct buffer *out, const char *text) {
    buffer_printf(out, "<td>");
    html_text(out, text ? text : "");
}

/* A line of a cell that holds several. */
#define LINE(label) "<div class=line><span>" label "</span> "

/* --- part 2 ------------------------------------------------------------------------------------------------------- */

static void put_tier(const struct html_row *row, const char *title, const char *name, uint32_t configured,
                     const char *effective_name, uint32_t effective) {
    buffer_printf(row->out, "<tr%s><th scope=row>%s", effective < configured ? " class=less" : "", title);
    html_count(row, "<td class=n>", name, configured);
    html_count(row, "<td class=n>", effective_name, effective);
}

static void put_limits(const struct html_row *row, const struct report_policy *version) {
    html_span(row, "<dl class=facts><dt>Never older than<dd>", "max_age", render_limit(version->policy.max_age),
              "no limit");
    html_span(row, "<dt>Oldest age that is ever reached<dd>", "oldest_age", version->reach.oldest_age, "unbounded");
    html_span(row, "<dt>By its tiers alone<dd>", "tiers_reach", version->reach.tiers_reach, "unbounded");
    html_span(row, "<dt>A run every<dd>", "interval", version->policy.interval, "");
    html_span(row, "<dt>Destroyed after it expires within<dd>", "purge_within", version->policy.purge_within, "");
    buffer_printf(row->out, "<dt>The last good copy<dd>%s",
                  version->policy.strict ? "goes by the same rules (strict)" : "is never destroyed by the calendar");
    html_word(row, "<dt>Time zone<dd>", "timezone", version->policy.timezone);
}

static void put_history(struct buffer *out, const struct report *report) {
    buffer_printf(out, "<h3>Versions</h3>\n");
    html_table_begin(out, "Versions of the policy",
                     "In force since|Policy|>Daily|>Weekly|>Monthly|>Yearly|Never older than|"
                     "Erasure horizon");
    for (size_t i = 0; i < report->policy_count; i++) {
        const struct report_policy *version = &report->policies[i];
        const struct html_row row = html_row(out, "policies.%zu.", i);
        html_time(&row, "<tr><td>", "effective", version->effective, "the beginning");
        html_word(&row, "<td class=id>", "id", version->id);
        buffer_printf(out, "<td class=n>%u<td class=n>%u<td class=n>%u<td class=n>%u", version->policy.daily,
                      version->policy.weekly, version->policy.monthly, version->policy.yearly);
        html_span(&row, "<td>", "max_age", render_limit(version->policy.max_age), "no limit");
        html_span(&row, "<td>", "erasure_horizon", version->reach.erasure_horizon, "unbounded");
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
    const struct html_row erasure = html_row(out, "erasure."), row = html_row(out, "policies.%zu.", last);
    buffer_printf(out,
                  "<div class=pair><table class=small><thead><tr><th scope=col>Kept<th scope=col class=n>Configured"
                  "<th scope=col class=n>Effective<tbody>");
    put_tier(&row, "Daily", "daily", version->policy.daily, "daily_effective", version->reach.daily_effective);
    put_tier(&row, "Weekly", "weekly", version->policy.weekly, "weekly_effective", version->reach.weekly_effective);
    put_tier(&row, "Monthly", "monthly", version->policy.monthly, "monthly_effective",
             version->reach.monthly_effective);
    put_tier(&row, "Yearly", "yearly", version->policy.yearly, "yearly_effective", version->reach.yearly_effective);
    buffer_printf(out, "</table>\n");
    put_limits(&row, version);
    html_span(&erasure, "<dt>What was promised for erasure<dd>", "promise", render_limit(report->erasure_promise),
              "nothing");
    buffer_printf(out, "</dl>\n</div>\n");
    for (size_t i = 0; i < report->policy_warning_count; i++) {
        const struct html_row warning = html_row(out, "policy_warnings.%zu", i);
        html_word(&warning, "<p class=note>", "", report->policy_warnings[i]);
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
        const struct html_row row = html_row(out, "runs.%zu.", i);
        if (run->outcome == RUN_OK || run->outcome == RUN_EXPECTED)
            continue;
        if (shown++ == 0)
            html_table_begin(out, "Runs that were not as expected", "Day|Outcome|Began|Why");
        html_word(&row, "<tr><td>", "day", run->day);
        buffer_printf(out, "<td class=state>");
        html_mark(out, "", "r%d", (int)run->outcome);
        html_word(&row, "", "outcome", run_outcome_text(run->outcome));
        html_time(&row, "<td>", "started", run->started, "&ndash;");
        html_word(&row, "<td>", "reason", run->reason);
        buffer_printf(out, "\n");
    }
    if (shown > 0)
        html_table_end(out);
    else
        nothing(out, report->run_count > 0 ? "Every run came when it should." : "No run was expected in this period.");
}

/* --- part 4 ------------------------------------------------------------------------------------------------------- */

static void put_source(struct buffer *out, size_t at, size_t number, const struct head_source *source) {
    const struct html_row row = html_row(out, "snapshots.%zu.sources.%zu.", at, number);
    char bytes[FORM_TEXT];
    html_word(&row, "<div class=source>", "name", source->name);
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
    const struct html_row row = html_row(out, "snapshots.%zu.", i);
    char tiers[FORM_TEXT];
    buffer_printf(out, "<tr><th scope=row class=id id=\"s%zu\">", i);
    html_word(&row, "", "short_name", snapshot->short_name);
    html_time(&row, "<td>", "started", snapshot->started, "");
    buffer_printf(out, "<td>%s", form_tiers(tiers, snapshot->tiers));
    if (snapshot->outcome != OUTCOME_COMPLETE)
        buffer_printf(out, " <b class=bad>%s</b>", outcome_text(snapshot->outcome));
    if (snapshot->held)
        buffer_printf(out, " <b class=warn>held</b>");
    html_bytes(&row, "<td class=n>", "bytes", snapshot->bytes);
    html_time(&row, "<td>", "gone_by", snapshot->gone_by, "no date");
    if (snapshot->past_deadline)
        buffer_printf(out, " <b class=bad>passed</b>");
    html_time(&row, "<td>", "expires", snapshot->expires, "&ndash;");
    html_word(&row, "<td>", "reason", snapshot->reason);
    buffer_printf(out, "<td>");
    for (size_t j = 0; j < snapshot->head.source_count; j++)
        put_source(out, i, j, &snapshot->head.sources[j]);
    buffer_printf(out, "\n");
}

static void put_gone(struct buffer *out, size_t i, const struct report_snapshot *snapshot) {
    const struct html_row row = html_row(out, "snapshots.%zu.", i);
    char tiers[FORM_TEXT];
    html_word(&row, "<tr><th scope=row class=id>", "short_name", snapshot->short_name);
    html_time(&row, "<td>", "started", snapshot->started, "");
    buffer_printf(out, "<td>%s", form_tiers(tiers, snapshot->birth_tiers));
    html_time(&row, "<td>", "gone_by", snapshot->gone_by, "no date");
    html_time(&row, "<td>", "expired", snapshot->expired, "not known");
    html_word(&row, "<td>", "reason", snapshot->reason);
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
    const struct html_row row = html_row(out, "places.%zu.", i);
    html_word(&row, "<article class=place><h3>", "name", store->name);
    html_word(&row, "</h3><p class=address>", "address", store->address);
    buffer_printf(out, "</p>");
    if (!store->reached) {
        html_word(&row, "<p class=note>Could not be looked at: ", "why", store->why);
        buffer_printf(out, "</p>");
    }
    html_count(&row, "<dl class=facts><dt>Snapshots<dd>", "snapshots", store->snapshots);
    html_time(&row, "<dt>Newest<dd>", "newest_snapshot", store->newest_snapshot, "none");
    html_span(&row, "<dt>Behind the repository<dd>", "lag", store->lag, "not known");
    html_count(&row, "<dt>Objects<dd>", "objects", store->objects);
    html_bytes(&row, ", ", "bytes", store->bytes);
    html_count(&row, "<dt>Versions, markers among them<dd>", "versions", store->versions);
    html_count(&row, "<dt>Hidden<dd>", "hidden", store->hidden);
    html_bytes(&row, ", ", "hidden_bytes", store->hidden_bytes);
    html_word(&row, "<dt>Versioning<dd>", "versioning", store->versioning);
    html_word(&row, "<dt>Object lock<dd>", "lock", store->lock);
    html_word(&row, "<dt>Region<dd>", "region", store->region);
    html_time(&row, "<dt>Last copied<dd>", "copied", store->copied, "&ndash;");
    html_time(&row, "<dt>Last verified<dd>", "verified", store->verified, "never");
    html_count(&row, "<dt>Read back then, damaged<dd>", "verified_objects", store->verified_objects);
    html_count(&row, ", ", "verified_damaged", store->verified_damaged);
    buffer_printf(out, "</dl></article>\n");
}

static void put_copies(struct buffer *out, const struct report *report, size_t at) {
    const struct report_snapshot *snapshot = &report->snapshots[at];
    buffer_printf(out, "<tr><th scope=row class=id>%s", snapshot->short_name);
    for (size_t i = 0; i < report->store_count; i++) {
        const struct report_copy *copy = &snapshot->copies[i];
        const struct html_row row = html_row(out, "snapshots.%zu.copies.%zu.", at, i);
        buffer_printf(out, "<td class=state>");
        html_mark(out, "", "c%d", (int)copy->state);
        html_word(&row, "", "state", copy_state_text(copy->state));
        if (copy->state == COPY_ABSENT || copy->state == COPY_UNKNOWN)
            continue;
        html_count(&row, "<div class=soft>", "packs", copy->packs);
        buffer_printf(out, " packs");
        if (copy->missing_packs > 0) {
            html_count(&row, ", <b class=bad>", "missing_packs", copy->missing_packs);
            buffer_printf(out, " missing</b>");
        }
        if (copy->stored != 0)
            html_time(&row, ", stored ", "stored", copy->stored, "");
        if (copy->locked_until != 0)
            html_time(&row, ", locked until ", "locked_until", copy->locked_until, "");
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
        const struct html_row row = html_row(out, "restore_tests.%zu.", i);
        html_time(&row, "<tr><td>", "time", drill->time, "");
        buffer_printf(out, "<td class=state>");
        html_mark(out, drill->passed ? "" : "bad", drill->passed ? "c0" : "r3");
        buffer_printf(out, "%s", drill->passed ? "passed" : "<b class=bad>failed</b>");
        html_count(&row, "<td>", "found", drill->found);
        html_count(&row, " of ", "expected", drill->expected);
        html_seconds(&row, "<td>" LINE("fetched"), "fetch_seconds", drill->fetch_seconds);
        html_seconds(&row, "</div>" LINE("loaded"), "load_seconds", drill->load_seconds);
        html_seconds(&row, "</div>" LINE("compared"), "verify_seconds", drill->verify_seconds);
        html_bytes(&row, "</div><td class=n>", "bytes", drill->bytes);
        html_word(&row, "<td>", "target", drill->target);
        html_word(&row, "<td>", "operator", drill->operator);
        html_word(&row, "<td>", "message", drill->message);
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
        const struct html_row row = html_row(out, "destructions.%zu.", i);
        html_word(&row, "<tr><th scope=row class=\"id object\">", "object", destruction->object);
        text_cell(out, report->stores[destruction->place].name);
        buffer_printf(out, "<td class=state>");
        html_mark(out, "", "%s", SHAPES[destruction->state]);
        html_word(&row, "", "state", destruction_state_text(destruction->state));
        if (destruction->refused_until != 0)
            html_time(&row, " until ", "refused_until", destruction->refused_until, "");
        html_time(&row, "<td>" LINE("decided"), "decided", destruction->decided, "&ndash;");
        html_time(&row, "</div>" LINE("due"), "due", destruction->due, "&ndash;");
        if (destruction->removed != 0)
            html_time(&row, "</div>" LINE("removed"), "removed", destruction->removed, "&ndash;");
        buffer_printf(out, "</div><td class=object>%s",
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
    const struct html_row row = html_row(out, "holds.%zu.", i);
    html_word(&row, "<tr><th scope=row class=id>", "id", hold->id);
    html_word(&row, "<td>", "scope", hold_scope_text(hold->scope));
    if (hold->snapshot != NULL) {
        buffer_printf(out, " <span class=\"id object\">");
        html_text(out, hold->snapshot);
        buffer_printf(out, "</span>");
    }
    if (hold->scope == HOLD_RANGE) {
        html_time(&row, " ", "from", hold->from, "");
        html_time(&row, " to ", "until", hold->until, "");
    }
    html_word(&row, "<td>", "owner", hold->owner);
    html_word(&row, "<td>", "reason", hold->reason);
    html_time(&row, "<td>" LINE("placed"), "placed", hold->placed, "");
    html_time(&row, "</div>" LINE("review"), "review", hold->review, "&ndash;");
    html_time(&row, "</div>" LINE("ends"), "ends", hold->ends, "when released");
    html_time(&row, "</div>" LINE("released"), "released", hold->released, "in force");
    buffer_printf(out, "</div>\n");
}

void html_exceptions(struct buffer *out, const struct report *report) {
    if (report->finding_count == 0)
        nothing(out, "Nothing was found that does not agree.");
    else
        html_table_begin(out, "Findings", "Kind|What|Where|Object");
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct report_finding *finding = &report->findings[i];
        const struct html_row row = html_row(out, "findings.%zu.", i);
        html_word(&row, finding->kind == FINDING_EXCEPTION ? "<tr><td><b class=warn>" : "<tr><td><b class=bad>", "kind",
                  finding_kind_text(finding->kind));
        html_word(&row, "</b><td class=wide>", "text", finding->text);
        html_word(&row, "<td>", "place", finding->place);
        html_word(&row, "<td class=\"id object\">", "object", finding->object);
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
        const struct html_row row = html_row(out, "reads.%zu.", i);
        html_time(&row, "<tr><td>", "time", read->time, "");
        html_word(&row, "<td>", "command", read->command);
        html_count(&row, "<td class=n>", "status", (uint64_t)read->status);
        html_word(&row, "<td class=id>", "key", read->key);
        html_word(&row, "<td class=id>", "host", read->host);
        html_word(&row, "<td class=\"id object\">", "snapshot", read->snapshot);
        buffer_printf(out, "\n");
    }
    html_table_end(out);
}

void html_journal(struct buffer *out, const struct report *report) {
    const struct html_row erasure = html_row(out, "erasure.");
    char witness[JOURNAL_WITNESS];
    html_span(&erasure, "<p>By the policy alone, what is deleted leaves every backup within ", "horizon",
              report->erasure_horizon, "no bounded time");
    html_count(&erasure, ". The erasure ledger has ", "requests", report->erasures);
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
        const struct html_row row = html_row(out, "journal.chains.%zu.", i);
        html_word(&row, "<tr><th scope=row class=id>", "host", chain->host);
        html_count(&row, "<td>", "first", chain->first);
        html_count(&row, " to ", "number", chain->number);
        html_count(&row, "<td class=n>", "events", chain->events);
        html_word(&row, "<td class=\"id token\">", "witness", render_witness(report, chain, witness));
        buffer_printf(out, "\n");
    }
    html_table_end(out);
}
