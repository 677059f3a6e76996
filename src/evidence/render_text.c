#include "render_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/form.h>
#include <muniment/util/text.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 100 };

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* Bytes of `text` that fit into `width` columns. */
static size_t bytes_that_fit(const char *text, size_t width) {
    size_t at = 0;
    for (; text[at] != '\0'; at++) {
        if (((unsigned char)text[at] & 0xc0) != 0x80 && width-- == 0)
            break;
    }
    return at;
}

/* A paragraph: lines begin with `indent` blanks, the first one with `first` in their place, and break at blanks; a word
 * that is longer than a line breaks anywhere. Controls are escaped. */
static void paragraph(struct buffer *out, const char *first, size_t indent, const char *format, ...) PRINTF_LIKE(4, 5);
static void paragraph(struct buffer *out, const char *first, size_t indent, const char *format, ...) {
    char *raw = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&raw, format, arguments) < 0)
        abort();
    va_end(arguments);
    char *text = text_escape(raw, "", "");
    buffer_printf(out, "%-*s", (int)indent, first);
    for (const char *at = text;;) {
        size_t fit = bytes_that_fit(at, COLUMNS - indent), next = fit;
        if (at[fit] != '\0') {
            const char *blank = memrchr(at, ' ', fit + 1);
            if (blank != NULL && blank > at)
                fit = (size_t)(blank - at), next = fit + 1;
        }
        buffer_put(out, at, fit);
        buffer_put_u8(out, '\n');
        at += next;
        if (*at == '\0')
            break;
        buffer_printf(out, "%*s", (int)indent, "");
    }
    free(text);
    free(raw);
}

static void part(struct buffer *out, int number) {
    buffer_printf(out, "\n%d. %s\n", number, RENDER_PART[number].title);
    paragraph(out, "", 3, "%s", RENDER_PART[number].how);
    buffer_put_u8(out, '\n');
}

static void none(struct buffer *out, const char *what) {
    buffer_printf(out, "   %s\n", what);
}

/* A time, or what stands for none. */
static const char *moment(char text[CLOCK_TEXT], int64_t when, const char *otherwise) {
    if (when == 0)
        snprintf(text, CLOCK_TEXT, "%s", otherwise);
    else
        clock_format(text, when);
    return text;
}

static const char *span(char text[CLOCK_TEXT], int64_t seconds, const char *otherwise) {
    if (seconds < 0)
        snprintf(text, CLOCK_TEXT, "%s", otherwise);
    else
        clock_format_span(text, seconds);
    return text;
}

/* --- parts 1 to 3 ------------------------------------------------------------------------------------------------- */

static void put_summary(struct buffer *out, const struct report *report) {
    struct render_numbers numbers;
    struct buffer sentence = { 0 };
    char from[CLOCK_TEXT], until[CLOCK_TEXT], bytes[FORM_TEXT], holds[FORM_TEXT], mark[RENDER_MARK];
    render_count(report, &numbers);
    buffer_printf(out, "BACKUP REPORT\n%s\n\n", render_mark(report, mark));
    render_verdict(report, &sentence);
    paragraph(out, "", 0, "%s: %s", report->set, buffer_text(&sentence));
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct report_finding *finding = &report->findings[i];
        if (finding->kind != FINDING_EXCEPTION)
            paragraph(out, "  !", 4, "%s%s%s: %s", finding_kind_text(finding->kind), finding->place ? " in " : "",
                      finding->place ? finding->place : "", finding->text);
    }
    buffer_put_u8(out, '\n');
    buffer_clear(&sentence);
    render_erasure(report, &sentence);
    paragraph(out, "", 0, "%s", buffer_text(&sentence));
    buffer_release(&sentence);

    part(out, 1);
    paragraph(out, "   set", 15, "%s (%s)", report->set, report->set_id);
    paragraph(out, "   period", 15, "%s to %s", clock_format(from, report->from), clock_format(until, report->until));
    paragraph(out, "   made", 15, "%s by muniment %s", clock_format(from, report->generated), report->tool);
    paragraph(out, "   signer", 15, "%s", report->signer[0] != '\0' ? report->signer : "none");
    paragraph(out, "   runs", 15, "%llu of %llu as expected; %llu late, %llu partial, %llu failed, %llu missed",
              (unsigned long long)numbers.runs_ok, (unsigned long long)numbers.runs,
              (unsigned long long)numbers.runs_late, (unsigned long long)numbers.runs_partial,
              (unsigned long long)numbers.runs_failed, (unsigned long long)numbers.runs_missed);
    paragraph(out, "   snapshots", 15, "%llu exist, %llu more existed in the period; %llu of %llu copies whole; %s",
              (unsigned long long)numbers.snapshots, (unsigned long long)numbers.snapshots_gone,
              (unsigned long long)numbers.copies_whole, (unsigned long long)numbers.copies,
              form_bytes(bytes, numbers.bytes));
    paragraph(out, "   restores", 15, "%llu of %llu tests passed", (unsigned long long)numbers.drills_passed,
              (unsigned long long)numbers.drills);
    paragraph(out, "   destroyed", 15, "%llu of %llu confirmed gone",
              (unsigned long long)numbers.destructions_confirmed, (unsigned long long)numbers.destructions);
    paragraph(out, "   exceptions", 15, "%llu, and %s in force", (unsigned long long)numbers.exceptions,
              form_count(holds, numbers.holds, "hold"));
}

static void put_policies(struct buffer *out, const struct report *report) {
    char when[CLOCK_TEXT], age[CLOCK_TEXT], horizon[CLOCK_TEXT], cap[CLOCK_TEXT];
    part(out, 2);
    for (size_t i = 0; i < report->policy_count; i++) {
        const struct report_policy *version = &report->policies[i];
        const struct policy *policy = &version->policy;
        paragraph(out, "", 3, "since %s  (policy %s)", moment(when, version->effective, "the beginning"), version->id);
        paragraph(out, "     configured", 19,
                  "%u daily, %u weekly, %u monthly, %u yearly, at most %s old%s, a run every %s, in %s", policy->daily,
                  policy->weekly, policy->monthly, policy->yearly, span(cap, render_limit(policy->max_age), "any age"),
                  policy->strict ? ", strict" : "", span(age, policy->interval, "?"), policy->timezone);
        paragraph(out, "     effective", 19,
                  "%u daily, %u weekly, %u monthly, %u yearly; oldest age ever %s; erasure horizon %s",
                  version->reach.daily_effective, version->reach.weekly_effective, version->reach.monthly_effective,
                  version->reach.yearly_effective, span(age, version->reach.oldest_age, "unbounded"),
                  span(horizon, version->reach.erasure_horizon, "unbounded"));
    }
    for (size_t i = 0; i < report->policy_warning_count; i++)
        paragraph(out, "     warning", 19, "%s", report->policy_warnings[i]);
}

static void put_runs(struct buffer *out, const struct report *report) {
    static const char MARKS[] = ".LPFX?";
    part(out, 3);
    if (report->run_count == 0)
        none(out, "No run was expected.");
    for (size_t i = 0, column = 0; i < report->run_count; i++, column++) {
        const struct report_run *run = &report->runs[i];
        if (i == 0 || column == 80 || strncmp(run->day, report->runs[i - 1].day, 7) != 0) {
            buffer_printf(out, "%s   %.7s  ", i > 0 ? "\n" : "", run->day);
            column = 0;
        }
        buffer_put_u8(out, (uint8_t)MARKS[run->outcome]);
    }
    buffer_printf(out, "\n\n   . as expected  L late  P partial  F failed  X missed  ? not over yet\n\n");
    for (size_t i = 0; i < report->run_count; i++) {
        const struct report_run *run = &report->runs[i];
        if (run->outcome != RUN_OK && run->outcome != RUN_EXPECTED)
            paragraph(out, "", 3, "%s  %-8s %s", run->day, run_outcome_text(run->outcome),
                      run->reason ? run->reason : "no run began");
    }
}

/* --- parts 4 and 5 ------------------------------------------------------------------------------------------------ */

static void put_sources(struct buffer *out, const struct report_snapshot *snapshot) {
    char bytes[FORM_TEXT];
    for (size_t i = 0; i < snapshot->head.source_count; i++) {
        const struct head_source *source = &snapshot->head.sources[i];
        struct buffer facts = { 0 };
        for (size_t j = 0; j < source->fact_count; j++)
            buffer_printf(&facts, ", %s %s", source->facts[j].name, source->facts[j].value);
        paragraph(out, "", 13, "%s (%s): %s, %llu entries, %s%s", source->name, source->kind,
                  outcome_text(source->outcome), (unsigned long long)source->entries, form_bytes(bytes, source->bytes),
                  buffer_text(&facts));
        for (size_t j = 0; j < source->trouble_count; j++)
            paragraph(out, "", 13, "! %s", source->troubles[j]);
        buffer_release(&facts);
    }
}

static void put_snapshots(struct buffer *out, const struct report *report) {
    char started[CLOCK_TEXT], gone[CLOCK_TEXT], end[CLOCK_TEXT], tiers[FORM_TEXT], bytes[FORM_TEXT];
    part(out, 4);
    if (report->snapshot_count == 0)
        none(out, "There is none.");
    for (size_t i = 0; i < report->snapshot_count; i++) {
        const struct report_snapshot *snapshot = &report->snapshots[i];
        paragraph(out, "", 3, "%s  %s  %s  %s  %s  gone by %s", snapshot->short_name,
                  clock_format(started, snapshot->started), outcome_text(snapshot->outcome),
                  form_tiers(tiers, snapshot->tiers), form_bytes(bytes, snapshot->bytes),
                  moment(gone, snapshot->gone_by, "no date"));
        if (!snapshot->exists) {
            paragraph(out, "", 13, "went %s: %s", moment(end, snapshot->expired, "at a time not known"),
                      snapshot->reason ? snapshot->reason : "no reason is known");
            continue;
        }
        paragraph(out, "", 13, "%s; expected to go %s%s%s", snapshot->reason ? snapshot->reason : "stays",
                  moment(end, snapshot->expires, "at no known date"), snapshot->held ? "; held" : "",
                  snapshot->past_deadline ? "; past its deadline" : "");
        put_sources(out, snapshot);
    }
}

static void put_places(struct buffer *out, const struct report *report) {
    char bytes[FORM_TEXT], hidden[FORM_TEXT], snapshots[FORM_TEXT];
    char when[CLOCK_TEXT], copied[CLOCK_TEXT], lag[CLOCK_TEXT];
    part(out, 5);
    for (size_t i = 0; i < report->store_count; i++) {
        const struct report_store *store = &report->stores[i];
        paragraph(out, "", 3, "%s  %s", store->name, store->address);
        if (!store->reached) {
            paragraph(out, "", 5, "could not be looked at: %s", store->why ? store->why : "no reason is known");
            continue;
        }
        paragraph(out, "", 5, "%llu objects, %s, %llu versions, %llu hidden (%s); versioning %s, lock %s%s%s",
                  (unsigned long long)store->objects, form_bytes(bytes, store->bytes),
                  (unsigned long long)store->versions, (unsigned long long)store->hidden,
                  form_bytes(hidden, store->hidden_bytes), store->versioning, store->lock,
                  store->region ? ", region " : "", store->region ? store->region : "");
        paragraph(out, "", 5, "%s, the newest of %s, %s behind the repository",
                  form_count(snapshots, store->snapshots, "snapshot"), moment(when, store->newest_snapshot, "no time"),
                  span(lag, store->lag, "an unknown time"));
        paragraph(out, "", 5, "last copied %s, last verified %s (%llu objects, %llu damaged)",
                  moment(copied, store->copied, "never"), moment(when, store->verified, "never"),
                  (unsigned long long)store->verified_objects, (unsigned long long)store->verified_damaged);
    }

    buffer_put_u8(out, '\n');
    for (size_t i = 0; i < report->snapshot_count; i++) {
        const struct report_snapshot *snapshot = &report->snapshots[i];
        struct buffer line = { 0 };
        for (size_t place = 0; place < report->store_count && snapshot->copies != NULL; place++) {
            const struct report_copy *copy = &snapshot->copies[place];
            buffer_printf(&line, "%s%s %s", place > 0 ? "; " : "", report->stores[place].name,
                          copy_state_text(copy->state));
            if (copy->missing_packs > 0)
                buffer_printf(&line, " (%llu of %llu packs missing)", (unsigned long long)copy->missing_packs,
                              (unsigned long long)copy->packs);
            if (copy->locked_until != 0)
                buffer_printf(&line, ", locked until %s", clock_format(when, copy->locked_until));
        }
        if (snapshot->exists)
            paragraph(out, "", 3, "%s  %s", snapshot->short_name, buffer_text(&line));
        buffer_release(&line);
    }
}

/* --- parts 6 to 9 ------------------------------------------------------------------------------------------------- */

static void put_drills(struct buffer *out, const struct report *report) {
    char when[CLOCK_TEXT], fetch[FORM_TEXT], load[FORM_TEXT], verify[FORM_TEXT];
    part(out, 6);
    if (report->drill_count == 0)
        none(out, "No restore was tested.");
    for (size_t i = 0; i < report->drill_count; i++) {
        const struct report_drill *drill = &report->drills[i];
        paragraph(out, "", 3, "%s  %s%s%s", clock_format(when, drill->time), drill->passed ? "PASSED" : "FAILED",
                  drill->snapshot ? "  " : "", drill->snapshot ? drill->snapshot : "");
        paragraph(out, "", 5, "from %s by %s: %llu of %llu found; fetched in %s, loaded in %s, compared in %s",
                  drill->target ? drill->target : "a place not named", drill->operator? drill->operator: "nobody named",
                  (unsigned long long)drill->found, (unsigned long long)drill->expected,
                  form_seconds(fetch, drill->fetch_seconds), form_seconds(load, drill->load_seconds),
                  form_seconds(verify, drill->verify_seconds));
        if (drill->message != NULL)
            paragraph(out, "", 5, "%s", drill->message);
    }
}

static void put_destructions(struct buffer *out, const struct report *report) {
    char decided[CLOCK_TEXT], due[CLOCK_TEXT], removed[CLOCK_TEXT];
    part(out, 7);
    if (report->destruction_count == 0)
        none(out, "Nothing was decided to go.");
    for (size_t i = 0; i < report->destruction_count; i++) {
        const struct report_destruction *destruction = &report->destructions[i];
        paragraph(out, "", 3, "%s", destruction->object);
        paragraph(out, "", 5, "%s: %s; decided %s, due %s, removed %s%s%s%s%s", report->stores[destruction->place].name,
                  destruction_state_text(destruction->state), moment(decided, destruction->decided, "-"),
                  moment(due, destruction->due, "-"), moment(removed, destruction->removed, "-"),
                  destruction->ids ? "; versions " : "", destruction->ids ? destruction->ids : "",
                  destruction->reason ? "; " : "", destruction->reason ? destruction->reason : "");
        if (destruction->refused_until != 0)
            paragraph(out, "", 5, "a lock holds it until %s", clock_format(due, destruction->refused_until));
    }
}

static void put_exceptions(struct buffer *out, const struct report *report) {
    char placed[CLOCK_TEXT], end[CLOCK_TEXT], review[CLOCK_TEXT];
    part(out, 8);
    if (report->hold_count + report->finding_count == 0)
        none(out, "There are none.");
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct report_finding *finding = &report->findings[i];
        paragraph(out, "", 3, "%s%s%s%s%s: %s", finding_kind_text(finding->kind), finding->place ? " in " : "",
                  finding->place ? finding->place : "", finding->object ? ", " : "",
                  finding->object ? finding->object : "", finding->text);
    }
    for (size_t i = 0; i < report->hold_count; i++) {
        const struct hold *hold = &report->holds[i];
        paragraph(out, "", 3, "hold %s of a %s%s%s: %s; by %s", hold->id, hold_scope_text(hold->scope),
                  hold->snapshot ? " " : "", hold->snapshot ? hold->snapshot : "", hold->reason ? hold->reason : "",
                  hold->owner ? hold->owner : "");
        paragraph(out, "", 5, "placed %s, to be reviewed %s, ends %s, %s%s", moment(placed, hold->placed, "-"),
                  moment(review, hold->review, "at no date"), moment(end, hold->ends, "when it is released"),
                  hold->released != 0 ? "released " : "in force",
                  hold->released != 0 ? moment(review, hold->released, "") : "");
    }
}

static void put_reads(struct buffer *out, const struct report *report) {
    char when[CLOCK_TEXT];
    part(out, 9);
    if (report->read_count == 0)
        none(out, "The read key was not used.");
    for (size_t i = 0; i < report->read_count; i++) {
        const struct report_read *read = &report->reads[i];
        paragraph(out, "", 3, "%s  %s  status %d  key %s  host %s  %s", clock_format(when, read->time), read->command,
                  read->status, read->key ? read->key : "-", read->host ? read->host : "-",
                  read->snapshot ? read->snapshot : "");
    }
}

/* --- part 10, and what it is good for ----------------------------------------------------------------------------- */

static void put_erasure(struct buffer *out, const struct report *report) {
    struct buffer sentence = { 0 };
    char witness[JOURNAL_WITNESS];
    part(out, 10);
    render_erasure(report, &sentence);
    paragraph(out, "", 3, "%s", buffer_text(&sentence));
    paragraph(out, "", 3, "%llu recorded erasures would have to be repeated after a restore.",
              (unsigned long long)report->erasures);
    paragraph(out, "", 3, "The journal %s. Its newest segments, as witnesses for later:",
              report->journal_whole ? "is whole" : "IS NOT WHOLE: see part 8");
    for (size_t i = 0; i < report->chain_count; i++)
        buffer_printf(out, "%s\n", render_witness(report, &report->chains[i], witness));
    buffer_release(&sentence);
}

static void put_mapping(struct buffer *out) {
    buffer_printf(out, "\nWhat these parts serve\n\n");
    for (const struct render_requirement *item = RENDER_REQUIREMENTS; item->source != NULL; item++)
        paragraph(out, "", 3, "%s: %s. Parts %s.", item->source, item->what, item->parts);
    buffer_printf(out, "\nWhat this report does not cover\n\n");
    for (const char *const *line = RENDER_NOT_COVERED; *line != NULL; line++)
        paragraph(out, "   -", 5, "%s", *line);
}

void render_text(const struct report *report, struct buffer *out) {
    put_summary(out, report);
    put_policies(out, report);
    put_runs(out, report);
    put_snapshots(out, report);
    put_places(out, report);
    put_drills(out, report);
    put_destructions(out, report);
    put_exceptions(out, report);
    put_reads(out, report);
    put_erasure(out, report);
    put_mapping(out);
}
