#include "render_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/form.h>
#include <muniment/util/hex.h>
#include <stdio.h>
#include <string.h>

void report_render(const struct report *report, enum report_format format, struct buffer *out) {
    static void (*const FORMS[])(const struct report *, struct buffer *) = {
        [REPORT_TEXT] = render_text,
        [REPORT_JSON] = render_json,
        [REPORT_CSV] = render_csv,
        [REPORT_HTML] = render_html,
    };
    FORMS[format](report, out);
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

static void count_snapshots(const struct report *report, struct render_numbers *numbers) {
    for (size_t i = 0; i < report->snapshot_count; i++) {
        const struct report_snapshot *snapshot = &report->snapshots[i];
        if (!snapshot->exists) {
            numbers->snapshots_gone++;
            continue;
        }
        if (numbers->snapshots++ == 0)
            numbers->oldest = snapshot->started;
        numbers->newest = snapshot->started;
        for (size_t place = 0; place < report->store_count; place++) {
            numbers->copies++;
            numbers->copies_whole += snapshot->copies[place].state == COPY_WHOLE;
        }
    }
}

void render_count(const struct report *report, struct render_numbers *numbers) {
    *numbers = (struct render_numbers){ .drills = report->drill_count,
                                        .destructions = report->destruction_count,
                                        .reads = report->read_count };
    count_snapshots(report, numbers);
    for (size_t i = 0; i < report->store_count; i++)
        numbers->bytes += report->stores[i].bytes + report->stores[i].hidden_bytes;
    for (size_t i = 0; i < report->run_count; i++) {
        enum run_outcome outcome = report->runs[i].outcome;
        numbers->runs += outcome != RUN_EXPECTED;
        numbers->runs_ok += outcome == RUN_OK;
        numbers->runs_late += outcome == RUN_LATE;
        numbers->runs_partial += outcome == RUN_PARTIAL;
        numbers->runs_failed += outcome == RUN_FAILED;
        numbers->runs_missed += outcome == RUN_MISSED;
    }
    for (size_t i = 0; i < report->drill_count; i++)
        numbers->drills_passed += report->drills[i].passed;
    for (size_t i = 0; i < report->destruction_count; i++)
        numbers->destructions_confirmed += report->destructions[i].state == DESTRUCTION_CONFIRMED;
    for (size_t i = 0; i < report->hold_count; i++)
        numbers->holds += report->holds[i].released == 0 && hold_in_force(&report->holds[i], report->generated);
    for (size_t i = 0; i < report->finding_count; i++)
        numbers->exceptions += report->findings[i].kind == FINDING_EXCEPTION;
    numbers->findings = report->finding_count - numbers->exceptions;
}

/* --- tokens ------------------------------------------------------------------------------------------------------- */

char *render_mark(const struct report *report, char text[RENDER_MARK]) {
    char from[CLOCK_TEXT], until[CLOCK_TEXT], generated[CLOCK_TEXT];
    snprintf(text, RENDER_MARK, "muniment-report-%d:%s:%s:%.16s:%.16s:%.16s", REPORT_SCHEMA, report->set_id, report->id,
             clock_format_compact(from, report->from), clock_format_compact(until, report->until),
             clock_format_compact(generated, report->generated));
    return text;
}

bool report_find_mark(const void *document, size_t length, const char *set_id, struct report_mark *mark) {
    static const char BEGIN[] = "muniment-report-";
    char token[RENDER_MARK], set[33], from[CLOCK_TEXT], until[CLOCK_TEXT], generated[CLOCK_TEXT];
    struct report_mark found = { 0 };
    int schema;
    *mark = found;
    const char *at = memmem(document, length, BEGIN, strlen(BEGIN));
    if (!at)
        return false;
    size_t left = length - (size_t)(at - (const char *)document);
    snprintf(token, sizeof token, "%.*s", (int)(left < sizeof token ? left : sizeof token - 1), at);
    if (sscanf(token, "muniment-report-%d:%32[0-9a-f]:%32[0-9a-f]:%16[0-9TZ]:%16[0-9TZ]:%16[0-9TZ]", &schema, set,
               found.id, from, until, generated) != 6 ||
        schema != REPORT_SCHEMA || strcmp(set, set_id) != 0 || strlen(found.id) != 32 ||
        clock_parse_compact(from, &found.from, NULL) < 0 || clock_parse_compact(until, &found.until, NULL) < 0 ||
        clock_parse_compact(generated, &found.generated, NULL) < 0)
        return false;
    *mark = found;
    return true;
}

char *render_witness(const struct report *report, const struct report_chain *chain, char text[JOURNAL_WITNESS]) {
    struct keys keys = { 0 };
    struct journal_chain known = { .last = chain->number };
    memcpy(keys.set_name, report->set_id, sizeof keys.set_name);
    memcpy(known.host, chain->host, sizeof known.host);
    if (!hex_decode(known.hash, sizeof known.hash, chain->hash))
        memset(known.hash, 0, sizeof known.hash);
    return journal_witness(&keys, &known, text);
}

/* --- sentences ---------------------------------------------------------------------------------------------------- */

void render_verdict(const struct report *report, struct buffer *out) {
    struct render_numbers numbers;
    char count[FORM_TEXT];
    render_count(report, &numbers);
    if (report->as_expected && numbers.exceptions == 0)
        buffer_printf(out, "As promised. Every copy, deadline and destruction was found as the policy and the journal "
                           "say.");
    else if (report->as_expected)
        buffer_printf(out, "As promised, with %s that %s meant and listed in part 8.",
                      form_count(count, numbers.exceptions, "exception"), numbers.exceptions == 1 ? "is" : "are");
    else
        buffer_printf(out, "Not as promised: %s, listed in part 8.", form_count(count, numbers.findings, "finding"));
}

int64_t render_limit(int64_t seconds) {
    return seconds > 0 ? seconds : -1;
}

bool render_policy_is_sooner(const struct report *report) {
    return report->erasure_horizon >= 0 &&
           (report->erased_after == 0 || report->generated + report->erasure_horizon < report->erased_after);
}

void render_erasure(const struct report *report, struct buffer *out) {
    char when[CLOCK_TEXT], now[CLOCK_TEXT], span[CLOCK_TEXT];
    clock_format(now, report->generated);
    if (report->erased_after != 0)
        buffer_printf(out, "What is deleted in the live systems at %s is in no backup after %s.", now,
                      clock_format(when, report->erased_after));
    else
        buffer_printf(out, "What is deleted in the live systems at %s may stay in a backup without end.", now);
    if (render_policy_is_sooner(report))
        buffer_printf(out, " By the policy, with every run in time, it is gone within %s.",
                      clock_format_span(span, report->erasure_horizon));
    if (report->erasure_promise > 0)
        buffer_printf(out, " Promised: %s.", clock_format_span(span, report->erasure_promise));
}
