#include "invocation_internal.h"
#include <muniment/run/lint.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum {
    DAY = 86400,
    DAYS_MAX = 36525,
};

struct simulation {
    struct invocation *invocation;
    const struct calendar *calendar;
    const char *set;
    bool *missed; /* a flag a day */
    int days;
    bool verbose;
    struct table *last; /* what exists after the last night */
};

/* "3,10-12": the days of the simulation on which no run happens. */
static int parse_missed(const char *text, bool *missed, int days, struct err *err) {
    const char *at = text;
    while (at != NULL && *at != '\0') {
        char *end;
        long first = strtol(at, &end, 10);
        long last = first;
        if (end != at && *end == '-') {
            at = end + 1;
            last = strtol(at, &end, 10);
        }
        if (end == at || (*end != '\0' && *end != ',') || first < 0 || last < first || last >= days)
            return err_set(err, ERR_INVALID, "--missed: '%s' is not a list of days such as 3,10-12, each below %d",
                           text, days);
        for (long day = first; day <= last; day++)
            missed[day] = true;
        at = *end == ',' ? end + 1 : end;
    }
    return 0;
}

static bool is_missed(void *context, int day) {
    const struct simulation *simulation = context;
    return day >= 0 && day < simulation->days && simulation->missed[day];
}

static size_t count_kept(const struct simulation_night *night) {
    size_t kept = 0;
    for (size_t i = 0; i < night->count; i++)
        kept += night->verdicts[i].keep;
    return kept;
}

static void record_night(struct simulation *simulation, const struct simulation_night *night) {
    struct output *output = simulation->invocation->output;
    if (!output_is_json(output))
        return;
    json_begin(output, "night");
    json_text(output, "set", simulation->set);
    json_number(output, "day", night->day);
    json_time(output, "when", night->when);
    json_flag(output, "missed", night->missed);
    json_list(output, "kept"); /* oldest first */
    for (size_t i = 0; i < night->count; i++) {
        if (night->verdicts[i].keep)
            json_time(output, NULL, night->snapshots[i].started);
    }
    json_list_end(output);
    json_end(output);
}

static void keep_last(struct simulation *simulation, const struct simulation_night *night) {
    simulation->last = table_new("lrllll");
    for (size_t i = 0; i < night->count; i++) {
        const struct plan_verdict *verdict = &night->verdicts[i];
        char when[CLOCK_TEXT], age[CLOCK_TEXT], tiers[FORM_TEXT], deadline[CLOCK_TEXT];
        if (!verdict->keep)
            continue;
        table_cell(simulation->last, "  %s",
                   calendar_format_local(simulation->calendar, night->snapshots[i].started, when));
        table_cell(simulation->last, "%s", clock_format_span(age, night->when - night->snapshots[i].started));
        table_cell(simulation->last, "%s", form_tiers(tiers, verdict->tiers));
        table_cell(simulation->last, "%s%s", verdict->deadline ? "gone by " : "",
                   verdict->deadline ? clock_format(deadline, verdict->deadline) : "");
        table_cell(simulation->last, "%s", verdict->past_deadline ? "past its deadline" : "");
        table_cell(simulation->last, "%s", verdict->reason);
    }
}

static int each_night(void *context, const struct simulation_night *night, struct err *err) {
    struct simulation *simulation = context;
    (void)err;
    if (simulation->verbose) {
        char when[CLOCK_TEXT];
        output_text(simulation->invocation->output, "day %4d  %s  %s  %zu kept, %zu expire\n", night->day,
                    calendar_format_local(simulation->calendar, night->when, when), night->missed ? "missed" : "run   ",
                    count_kept(night), night->count - count_kept(night));
    }
    record_night(simulation, night);
    if (night->day == simulation->days - 1)
        keep_last(simulation, night);
    return 0;
}

/* What the policy says, and what it comes to. */
static void report_reach(struct invocation *invocation, const char *name, const struct policy *policy) {
    struct output *output = invocation->output;
    struct policy_reach reach;
    plan_reach(policy, &reach);
    char span[CLOCK_TEXT];
    output_text(output, "set %s: %u daily, %u weekly, %u monthly, %u yearly, max_age %s, in %s\n", name, policy->daily,
                policy->weekly, policy->monthly, policy->yearly,
                policy->max_age > 0 ? clock_format_span(span, policy->max_age) : "none", policy->timezone);
    output_text(output, "effective:       %u daily, %u weekly, %u monthly, %u yearly\n", reach.daily_effective,
                reach.weekly_effective, reach.monthly_effective, reach.yearly_effective);
    output_text(output, "tiers reach:     %s\n", clock_format_span(span, reach.tiers_reach));
    output_text(output, "oldest snapshot: %s\n", clock_format_span(span, reach.oldest_age));
    if (reach.erasure_horizon >= 0)
        output_text(output, "erasure horizon: what is deleted today is in no backup after %s\n",
                    clock_format_span(span, reach.erasure_horizon));
    else
        output_text(output, "erasure horizon: none: what is deleted today may stay in a backup for ever\n");

    json_begin(output, "policy");
    json_text(output, "set", name);
    json_count(output, "daily", policy->daily);
    json_count(output, "weekly", policy->weekly);
    json_count(output, "monthly", policy->monthly);
    json_count(output, "yearly", policy->yearly);
    json_number(output, "max_age", policy->max_age);
    json_text(output, "timezone", policy->timezone);
    json_count(output, "daily_effective", reach.daily_effective);
    json_count(output, "weekly_effective", reach.weekly_effective);
    json_count(output, "monthly_effective", reach.monthly_effective);
    json_count(output, "yearly_effective", reach.yearly_effective);
    json_number(output, "tiers_reach", reach.tiers_reach);
    json_number(output, "oldest_age", reach.oldest_age);
    json_number(output, "erasure_horizon", reach.erasure_horizon);
    json_end(output);
}

/* What is to be said of all settings of the set, as `config check` says it. */
static void report_findings(struct invocation *invocation, const struct set_settings *set) {
    struct output *output = invocation->output;
    struct lint lint = { 0 };
    lint_set(&invocation->settings, set, &lint);
    for (size_t i = 0; i < lint.count; i++) {
        const char *severity = lint_severity_text(lint.findings[i].severity), *text = lint.findings[i].text;
        output_text(output, "%s: %s\n", severity, text);
        json_begin(output, "set_finding");
        json_text(output, "set", set->name);
        json_text(output, "severity", severity);
        json_text(output, "message", text);
        json_end(output);
    }
    lint_release(&lint);
}

static void report_simulation(struct simulation *simulation, const struct simulation_result *result) {
    struct output *output = simulation->invocation->output;
    char oldest[CLOCK_TEXT];
    output_text(output, "\nafter %d days:\n", simulation->days);
    if (simulation->last != NULL)
        table_print(simulation->last, output);
    output_text(output, "\noldest age ever reached: %s, on day %d; at most %zu snapshots at once\n",
                clock_format_span(oldest, result->oldest_age), result->oldest_day, result->most_snapshots);
    json_begin(output, "simulation");
    json_text(output, "set", simulation->set);
    json_number(output, "days", simulation->days);
    json_number(output, "oldest_age", result->oldest_age);
    json_number(output, "oldest_day", result->oldest_day);
    json_count(output, "most_snapshots", result->most_snapshots);
    json_end(output);
}

static int run_plan(struct invocation *invocation, struct err *err) {
    const struct options *options = &invocation->options;
    int64_t days = 365, start = clock_now();
    struct set_settings *settings = NULL;
    if (option_number(options, OPTION_DAYS, 1, DAYS_MAX, &days, err) != 0 ||
        option_time(options, OPTION_START, &start, err) != 0 ||
        invocation_find_set(invocation, invocation->words[0], &settings, err) != 0)
        return -1;

    struct calendar *calendar = NULL;
    if (calendar_open(settings->policy.timezone, &calendar, err) != 0)
        return -1;
    struct simulation simulation = {
        .invocation = invocation,
        .calendar = calendar,
        .set = settings->name,
        .missed = mem_array((size_t)days, sizeof *simulation.missed),
        .days = (int)days,
        .verbose = option_given(options, OPTION_VERBOSE),
    };
    struct simulation_result simulated = { 0 };
    int result = parse_missed(option_text(options, OPTION_MISSED), simulation.missed, simulation.days, err);
    if (result == 0) {
        report_reach(invocation, settings->name, &settings->policy);
        report_findings(invocation, settings);
        result = plan_simulate(&settings->policy, calendar, start, simulation.days, is_missed, each_night, &simulation,
                               &simulated, err);
    }
    if (result == 0)
        report_simulation(&simulation, &simulated);
    else if (simulation.last != NULL)
        table_free(simulation.last);
    free(simulation.missed);
    calendar_close(calendar);
    return result;
}

const struct command COMMAND_PLAN = {
    .name = "plan",
    .arguments = "SET [--days N] [--start T] [--missed DAYS]",
    .summary = "simulate the retention of a set: what will exist, how old it gets",
    .help = "Simulates a run a day from now (or --start T) for 365 days (or --days N), leaving out the days of\n"
            "--missed (\"3,10-12\", counted from 0). Nothing is read but the configuration. -v shows every night.\n",
    .accepts = OPTION_BIT(OPTION_DAYS) | OPTION_BIT(OPTION_START) | OPTION_BIT(OPTION_MISSED),
    .least = 1,
    .most = 1,
    .run = run_plan,
};
