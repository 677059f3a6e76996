#include "render_html_internal.h"
#include <muniment/util/sha256.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { FINDINGS_AT_TOP = 6 };

/* Nothing may be loaded or run. The style is allowed by its hash, so that no other can be slipped in beside it. */
static void put_head(struct buffer *out, const struct report *report) {
    uint8_t digest[SHA256_SIZE];
    char hash[sodium_base64_ENCODED_LEN(SHA256_SIZE, sodium_base64_VARIANT_ORIGINAL)], mark[RENDER_MARK];
    sha256_once(digest, RENDER_STYLE, strlen(RENDER_STYLE));
    sodium_bin2base64(hash, sizeof hash, digest, sizeof digest, sodium_base64_VARIANT_ORIGINAL);
    buffer_printf(out,
                  "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
                  "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'sha256-%s'; "
                  "img-src data:; base-uri 'none'; form-action 'none'\">\n"
                  "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
                  "<meta name=color-scheme content=\"light dark\">\n<meta name=referrer content=no-referrer>\n"
                  "<meta name=muniment content=\"%s\">\n<link rel=icon href=\"data:,\">\n<title>Backup report: ",
                  hash, render_mark(report, mark));
    html_text(out, report->set);
    buffer_printf(out, "</title>\n<style>%s</style>\n%s\n", RENDER_STYLE, RENDER_SHAPES);
}

static void put_verdict(struct buffer *out, const struct report *report, const struct render_numbers *numbers) {
    const struct html_row row = html_row(out, "numbers.");
    buffer_printf(out,
                  "<div class=\"verdict %s\"><svg width=44 height=44 viewBox=\"0 0 12 12\" aria-hidden=true><use "
                  "href=\"#%s\"/></svg><div><p class=word>%s</p><p>",
                  report->as_expected ? "good" : "bad", report->as_expected ? "yes" : "no",
                  report->as_expected ? "As promised" : "Not as promised");
    if (!report->as_expected) {
        html_count(&row, "", "findings", numbers->findings);
        buffer_printf(out, " %s <a href=\"#part-8\">not agree</a>.",
                      numbers->findings == 1 ? "thing does" : "things do");
    } else {
        buffer_printf(out, "Every copy, deadline and destruction was found as the policy and the journal say.");
    }
    if (numbers->exceptions > 0) {
        html_count(&row, " ", "exceptions", numbers->exceptions);
        buffer_printf(out, " <a href=\"#part-8\">exception%s</a> %s meant.", numbers->exceptions == 1 ? "" : "s",
                      numbers->exceptions == 1 ? "is" : "are");
    }
    buffer_printf(out, "</p></div></div>\n");
}

/* What is not as promised, in words, before anything else; part 8 has all of it. */
static void put_findings(struct buffer *out, const struct report *report) {
    size_t shown = 0;
    if (report->as_expected)
        return;
    buffer_printf(out, "<ul class=findings>\n");
    for (size_t i = 0; i < report->finding_count && shown < FINDINGS_AT_TOP; i++) {
        const struct report_finding *finding = &report->findings[i];
        const struct html_row row = html_row(out, "findings.%zu.", i);
        if (finding->kind == FINDING_EXCEPTION)
            continue;
        buffer_printf(out, "<li><b class=bad>%s</b> ", finding_kind_text(finding->kind));
        if (finding->place != NULL) {
            html_text(out, finding->place);
            buffer_printf(out, ": ");
        }
        html_word(&row, "", "text", finding->text);
        buffer_printf(out, "\n");
        shown++;
    }
    buffer_printf(out, "</ul>\n");
}

static void put_promise(struct buffer *out, const struct report *report) {
    const struct html_row whole = { .out = out }, erasure = html_row(out, "erasure.");
    html_date(&whole, "<p class=promise>A row deleted on ", "generated", report->generated);
    if (report->erased_after != 0) {
        html_date(&erasure, " is in no backup after <strong>", "erased_after", report->erased_after);
        buffer_printf(out, "</strong>.");
    } else {
        buffer_printf(out, " may stay in a backup <strong>without end</strong>.");
    }
    if (render_policy_is_sooner(report)) {
        html_span(&erasure, " By the policy, with every run in time, it is gone within ", "horizon",
                  report->erasure_horizon, "");
        buffer_printf(out, ".");
    }
    buffer_printf(out, "</p>\n");
}

static void number(struct buffer *out, const char *field, uint64_t value, const char *of, uint64_t all,
                   const char *words) {
    const struct html_row row = html_row(out, "numbers.");
    buffer_printf(out, "<div%s><dt>%s", of != NULL && value < all ? " class=short" : "", words);
    html_count(&row, "<dd>", field, value);
    if (of != NULL) {
        html_count(&row, "<span> of ", of, all);
        buffer_printf(out, "</span>");
    }
    buffer_printf(out, "</div>\n");
}

static void put_numbers(struct buffer *out, bool as_expected, const struct render_numbers *numbers) {
    /* Less than all is no fault in itself: a weekly mirror has not what came after its last copy. */
    buffer_printf(out, "<dl class=\"numbers%s\">\n", as_expected ? "" : " alarm");
    number(out, "runs_ok", numbers->runs_ok, "runs", numbers->runs, "runs as expected");
    number(out, "snapshots", numbers->snapshots, NULL, 0, "snapshots exist");
    number(out, "copies_whole", numbers->copies_whole, "copies", numbers->copies, "copies whole");
    number(out, "restore_tests_passed", numbers->drills_passed, "restore_tests", numbers->drills,
           "restore tests passed");
    number(out, "destructions_confirmed", numbers->destructions_confirmed, "destructions", numbers->destructions,
           "destructions confirmed");
    number(out, "holds", numbers->holds, NULL, 0, "holds in force");
    buffer_printf(out, "</dl>\n");
}

static void put_masthead(struct buffer *out, const struct report *report) {
    struct render_numbers numbers;
    render_count(report, &numbers);
    const struct html_row whole = { .out = out };
    html_word(&whole, "<body>\n<header class=masthead>\n<p class=kicker>Backup report</p>\n<h1>", "set", report->set);
    html_date(&whole, "</h1>\n<p class=period>", "from", report->from);
    html_date(&whole, " to ", "until", report->until);
    buffer_printf(out, "</p>\n");
    put_verdict(out, report, &numbers);
    put_findings(out, report);
    put_promise(out, report);
    put_numbers(out, report->as_expected, &numbers);
    buffer_printf(out, "<nav aria-label=Parts><ol>");
    for (int i = 1; i <= RENDER_PARTS; i++)
        buffer_printf(out, "<li><a href=\"#part-%d\">%s</a>", i, RENDER_PART[i].title);
    buffer_printf(out, "</ol></nav>\n</header>\n<main>\n");
}

static void html_about(struct buffer *out, const struct report *report) {
    const struct html_row whole = { .out = out };
    html_word(&whole, "<dl class=facts><dt>Set<dd>", "set", report->set);
    html_word(&whole, " <span class=id>", "set_id", report->set_id);
    html_time(&whole, "</span><dt>Period<dd>", "from", report->from, "");
    html_time(&whole, " to ", "until", report->until, "");
    html_time(&whole, "<dt>Generated<dd>", "generated", report->generated, "");
    html_word(&whole, "; times are UTC<dt>By<dd>muniment ", "tool", report->tool);
    html_word(&whole, "<dt>Signer<dd class=id>", "signer", report->signer[0] != '\0' ? report->signer : NULL);
    html_word(&whole, "<dt>Report<dd class=id>", "id", report->id);
    buffer_printf(out, "</dl>\n");
}

static void put_parts(struct buffer *out, const struct report *report) {
    static void (*const BODIES[RENDER_PARTS + 1])(struct buffer *, const struct report *) = {
        NULL,        html_about,        html_policies,   html_runs,  html_snapshots, html_places,
        html_drills, html_destructions, html_exceptions, html_reads, html_journal,
    };
    for (int i = 1; i <= RENDER_PARTS; i++) {
        buffer_printf(out,
                      "<section id=\"part-%d\" aria-labelledby=\"title-%d\"><h2 id=\"title-%d\"><span class=part>%d"
                      "</span> %s</h2>\n<p class=how>%s</p>\n",
                      i, i, i, i, RENDER_PART[i].title, RENDER_PART[i].how);
        BODIES[i](out, report);
        buffer_printf(out, "</section>\n");
    }
}

static void put_mapping(struct buffer *out) {
    buffer_printf(out, "<section id=mapping><h2>What these parts serve</h2>\n");
    html_table_begin(out, "What these parts serve", "Requirement|What it asks for|Parts");
    for (const struct render_requirement *item = RENDER_REQUIREMENTS; item->source != NULL; item++)
        buffer_printf(out, "<tr><th scope=row>%s<td>%s<td>%s\n", item->source, item->what, item->parts);
    html_table_end(out);
    buffer_printf(out, "</section>\n<section id=limits><h2>What this report does not cover</h2>\n<ul>\n");
    for (const char *const *line = RENDER_NOT_COVERED; *line != NULL; line++)
        buffer_printf(out, "<li>%s\n", *line);
    buffer_printf(out, "</ul></section>\n");
}

void render_html(const struct report *report, struct buffer *out) {
    char mark[RENDER_MARK];
    put_head(out, report);
    put_masthead(out, report);
    put_parts(out, report);
    put_mapping(out);
    buffer_printf(out,
                  "</main>\n<footer><p>A signed copy of this file verifies anywhere, without network: <code>muniment "
                  "verify-report FILE --public-key FILE</code>. How each part was found out, and how to check it by "
                  "hand: <code>man muniment-report</code>.</p><p class=\"id token\">%s</p></footer>\n",
                  render_mark(report, mark));
}
