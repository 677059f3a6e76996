#include "invocation_internal.h"
#include <muniment/evidence/document.h>
#include <muniment/run/report.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <string.h>

enum {
    PERIOD = 35 * 86400,  /* seconds, by default: the last month, and to spare */
    DOCUMENT_MODE = 0644, /* a report is for others */
};

static int parse_format(const struct invocation *invocation, enum report_format *format, struct err *err) {
    static const char *const NAMES[] = { "text", "json", "csv", "html" };
    const char *given = option_text(&invocation->options, OPTION_FORMAT);
    *format = output_is_json(invocation->output) ? REPORT_JSON : REPORT_TEXT;
    if (given == NULL)
        return 0;
    for (int i = REPORT_TEXT; i <= REPORT_HTML; i++)
        if (strcmp(given, NAMES[i]) == 0) {
            *format = (enum report_format)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "--format: '%s' is none of text, json, csv, html", given);
}

/* What a monitor should be told: the report itself is written in any case. */
static enum err_code code_of(const struct report *report, const struct report_finding *finding) {
    switch (finding->kind) {
    case FINDING_TAMPERED:
        return ERR_CORRUPT;
    case FINDING_MISSING:
        if (finding->object == NULL)
            return ERR_STALE;
        return finding->place != NULL && strcmp(finding->place, report->stores[0].name) != 0 ? ERR_DIVERGED
                                                                                             : ERR_CORRUPT;
    case FINDING_STALE:
        return ERR_STALE;
    case FINDING_LATE:
    case FINDING_EXCESS:
    case FINDING_POLICY:
    case FINDING_UNKNOWN:
        return ERR_DIVERGED;
    case FINDING_EXCEPTION:
        break;
    }
    return ERR_NONE;
}

static int write_document(struct invocation *invocation, const struct buffer *document, struct err *err) {
    const char *file = option_text(&invocation->options, OPTION_TO);
    if (file != NULL)
        return file_replace(file, DOCUMENT_MODE, document->data, document->length, err);
    output_document(invocation->output, document->data, document->length);
    return 0;
}

static int run_report(struct invocation *invocation, struct err *err) {
    struct opened_set set = { 0 };
    struct report report = { 0 };
    struct buffer document = { 0 };
    enum report_format format;
    int64_t now = clock_now(), until = now;
    if (option_time(&invocation->options, OPTION_UNTIL, &until, err) != 0)
        return -1;
    int64_t from = until - PERIOD;
    if (parse_format(invocation, &format, err) != 0 || option_time(&invocation->options, OPTION_SINCE, &from, err) != 0)
        return -1;
    if (from >= until)
        return err_set(err, ERR_INVALID, "--since: the period would end before it begins");

    int result = invocation_open(invocation, invocation->words[0], OPEN_TO_WRITE, &set, err);
    if (result == 0)
        result = report_set(&set, &invocation->settings, from, until, now, &report, err);
    if (result == 0) {
        report_render(&report, format, &document);
        if (option_given(&invocation->options, OPTION_SIGN))
            result = document_sign(set.keys, format, &document, err);
    }
    if (result == 0)
        result = write_document(invocation, &document, err);
    for (size_t i = 0; result == 0 && i < report.finding_count; i++)
        invocation_status(invocation, err_exit_status(code_of(&report, &report.findings[i])));
    buffer_release(&document);
    report_release(&report);
    opened_set_close(&set);
    return result;
}

const struct command COMMAND_REPORT = {
    .name = "report",
    .arguments = "SET [--since T] [--until T] [--format text|json|csv|html] [--sign] [--to FILE]",
    .summary = "what was kept, where, why, until when, and what was destroyed, for auditors",
    .help = "Looks at the repository and every mirror, versions included, and holds them against the journal, over\n"
            "the last 35 days or the given period. Takes the write key only. --sign lets verify-report tell that\n"
            "nothing was changed since. Exits with 20 when something is altered or gone, 24 when a place is not as\n"
            "it should be, 22 when something is too old or a run was missed; the report is written in any case.\n",
    .accepts = OPTION_BIT(OPTION_SINCE) | OPTION_BIT(OPTION_UNTIL) | OPTION_BIT(OPTION_FORMAT) |
               OPTION_BIT(OPTION_SIGN) | OPTION_BIT(OPTION_TO),
    .least = 1,
    .most = 1,
    .run = run_report,
};
