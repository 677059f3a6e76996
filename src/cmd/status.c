#include "invocation_internal.h"
#include <muniment/util/clock.h>

enum { HOUR = 3600 };

static size_t count_in_force(const struct holds *holds, int64_t now) {
    size_t count = 0;
    for (size_t i = 0; i < holds->count; i++)
        count += hold_in_force(&holds->items[i], now);
    return count;
}

/* Holds that somebody should have looked at by now: no failure, but they must not be forgotten. */
static size_t tell_reviews(struct invocation *invocation, const struct opened_set *set, const struct holds *holds,
                           int64_t now) {
    size_t count = 0;
    for (size_t i = 0; i < holds->count; i++) {
        const struct hold *hold = &holds->items[i];
        char when[CLOCK_TEXT];
        if (!hold_in_force(hold, now) || hold->review == 0 || hold->review > now)
            continue;
        log_warning(invocation->log, "%s: hold %s was to be reviewed on %s by %s", set_title(set), hold->id,
                    clock_format(when, hold->review), hold->owner);
        count++;
    }
    return count;
}

static int status_of_set(struct invocation *invocation, const struct set_settings *settings, int64_t max_age,
                         bool *stale, struct err *err) {
    struct opened_set set = { 0 };
    struct heads heads = { 0 };
    struct holds holds = { 0 };
    int result = invocation_open(invocation, settings->name, OPEN_TO_LIST, &set, err);
    if (result == 0)
        result = heads_load(&set.repo, &heads, err);
    if (result != 0)
        goto out;

    const struct head *newest = NULL;
    for (size_t i = 0; i < heads.count; i++) {
        if (heads.items[i].outcome == OUTCOME_COMPLETE)
            newest = &heads.items[i];
    }
    int64_t now = clock_now();
    *stale = newest == NULL || now - newest->started > max_age;

    char id[9] = "", count[FORM_TEXT], when[FORM_TEXT], limit[CLOCK_TEXT];
    if (newest == NULL)
        output_text(invocation->output, "%s: STALE: no complete snapshot among %zu\n", settings->name, heads.count);
    else
        output_text(invocation->output, "%s: %s: newest complete snapshot %s, %s; at most %s allowed; %s\n",
                    settings->name, *stale ? "STALE" : "ok", head_short_name(newest->name, id),
                    form_when(when, newest->started, now), clock_format_span(limit, max_age),
                    form_count(count, heads.count, "snapshot"));
    invocation_holds(invocation, &set, &holds);
    size_t reviews = tell_reviews(invocation, &set, &holds, now);
    json_begin(invocation->output, "status");
    json_text(invocation->output, "set", settings->name);
    json_flag(invocation->output, "stale", *stale);
    json_number(invocation->output, "max_age", max_age);
    json_count(invocation->output, "snapshots", heads.count);
    json_text(invocation->output, "newest", newest != NULL ? head_short_name(newest->name, id) : NULL);
    json_time(invocation->output, "started", newest != NULL ? newest->started : 0);
    if (newest != NULL)
        json_number(invocation->output, "age", now - newest->started);
    json_count(invocation->output, "holds", count_in_force(&holds, now));
    json_count(invocation->output, "reviews_due", reviews);
    json_end(invocation->output);
out:
    holds_release(&holds);
    heads_release(&heads);
    opened_set_close(&set);
    return result;
}

static int run_status(struct invocation *invocation, struct err *err) {
    struct set_settings *sets = NULL;
    size_t count = 0, stale_count = 0;
    int64_t max_age = 0;
    const char *name = invocation->word_count > 0 ? invocation->words[0] : NULL;
    if (option_span(&invocation->options, OPTION_MAX_AGE, &max_age, err) != 0 ||
        invocation_sets(invocation, name, &sets, &count, err) != 0)
        return -1;

    for (size_t i = 0; i < count; i++) {
        struct err trouble = { 0 };
        bool stale = false;
        int64_t limit = max_age > 0 ? max_age : sets[i].policy.interval + 2 * HOUR;
        if (status_of_set(invocation, &sets[i], limit, &stale, &trouble) != 0)
            invocation_fail(invocation, sets[i].name, &trouble);
        stale_count += stale;
    }
    if (stale_count > 0)
        return err_set(err, ERR_STALE, "%zu of %zu sets have no complete snapshot that is new enough", stale_count,
                       count);
    return 0;
}

const struct command COMMAND_STATUS = {
    .name = "status",
    .arguments = "[SET] [--max-age SPAN]",
    .summary = "is every set backed up? exits with 22 when one is stale",
    .help = "For monitoring: takes the write key only and is quick. SPAN (\"26h\") is the age the newest complete\n"
            "snapshot may have; by default the set's interval and two hours.\n",
    .accepts = OPTION_BIT(OPTION_MAX_AGE),
    .least = 0,
    .most = 1,
    .run = run_status,
};
