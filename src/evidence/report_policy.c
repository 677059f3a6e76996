#include "report_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

static void add_warnings(struct report *report, const struct policy *policy) {
    struct buffer lines = { 0 };
    plan_describe(policy, &lines);
    char *text = mem_string(buffer_text(&lines)), *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        if (line[0] == '\0')
            continue;
        report->policy_warnings =
            report_add(report->policy_warnings, &report->policy_warning_count, sizeof *report->policy_warnings);
        report->policy_warnings[report->policy_warning_count - 1] = mem_string(line);
    }
    free(text);
    buffer_release(&lines);
}

void report_policies(struct reporting *reporting) {
    const struct policy *policy = reporting->request->policy;
    struct report *report = reporting->report;
    report->policies = report_add(report->policies, &report->policy_count, sizeof *report->policies);
    struct report_policy *last = &report->policies[report->policy_count - 1];
    last->policy = *policy;
    plan_reach(policy, &last->reach);
    report->erasure_horizon = last->reach.erasure_horizon;
    add_warnings(report, policy);
}
