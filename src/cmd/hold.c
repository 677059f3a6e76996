#include "verb_internal.h"
#include <muniment/repo/erasing.h>
#include <muniment/repo/hold.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>

#define LAST_TIME INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static char *scope_words(const struct hold *hold) {
    char from[CLOCK_TEXT], until[CLOCK_TEXT], id[9];
    switch (hold->scope) {
    case HOLD_SNAPSHOT:
        return mem_format("snapshot %s", head_short_name(hold->snapshot, id));
    case HOLD_RANGE:
        if (hold->from == 0)
            return mem_format("until %s", clock_format(until, hold->until));
        if (hold->until == LAST_TIME)
            return mem_format("since %s", clock_format(from, hold->from));
        return mem_format("%s to %s", clock_format(from, hold->from), clock_format(until, hold->until));
    case HOLD_SET:
        break;
    }
    return mem_string("the whole set");
}

static void json_hold(struct output *output, const char *type, const struct opened_set *set, const struct hold *hold,
                      int64_t now) {
    json_begin(output, type);
    json_text(output, "set", set_title(set));
    json_text(output, "hold", hold->id);
    json_flag(output, "in_force", hold_in_force(hold, now));
    json_text(output, "scope", hold_scope_text(hold->scope));
    json_text(output, "snapshot", hold->snapshot);
    json_time(output, "from", hold->from);
    json_time(output, "until", hold->until == LAST_TIME ? 0 : hold->until);
    json_text(output, "owner", hold->owner);
    json_text(output, "reason", hold->reason);
    json_time(output, "placed", hold->placed);
    json_time(output, "review", hold->review);
    json_time(output, "ends", hold->ends);
    json_end(output);
}

void invocation_holds(struct invocation *invocation, struct opened_set *set, struct holds *holds) {
    struct err why = { 0 };
    if (holds_load(&set->repo, holds, &why) != 0)
        log_warning(invocation->log, "%s: what is held is not known: %s", set_title(set), why.message);
}

/* --- add -----------------------------------------------------------------------------------------------------------
 */

/* What the words and options say, but for the snapshot's name. */
static int read_hold(const struct invocation *invocation, const char *snapshot, struct hold *hold, struct err *err) {
    const struct options *options = &invocation->options;
    int64_t since = 0, until = LAST_TIME;
    hold->placed = clock_now();
    if (option_time(options, OPTION_SINCE, &since, err) != 0 || option_time(options, OPTION_UNTIL, &until, err) != 0 ||
        option_time(options, OPTION_REVIEW, &hold->review, err) != 0 ||
        option_time(options, OPTION_ENDS, &hold->ends, err) != 0)
        return -1;
    if (!option_given(options, OPTION_OWNER) || !option_given(options, OPTION_REASON))
        return err_set(err, ERR_INVALID, "'hold add' needs --owner NAME and --reason TEXT");
    hold->owner = mem_string(option_text(options, OPTION_OWNER));
    hold->reason = mem_string(option_text(options, OPTION_REASON));

    bool range = option_given(options, OPTION_SINCE) || option_given(options, OPTION_UNTIL);
    hold->scope = snapshot[0] != '\0' ? HOLD_SNAPSHOT : range ? HOLD_RANGE : HOLD_SET;
    if (range && snapshot[0] != '\0')
        return err_set(err, ERR_INVALID,
                       "a hold covers one snapshot or a time: --since and --until need the set alone");
    if (range && since > until)
        return err_set(err, ERR_INVALID, "--since is after --until");
    hold->from = range ? since : 0;
    hold->until = range ? until : 0;
    if (hold->ends != 0 && hold->ends <= hold->placed)
        return err_set(err, ERR_INVALID, "--ends is in the past");
    return 0;
}

/* A purge that had decided already may have ended what was to be held. */
static int count_covered(struct opened_set *set, struct hold *hold, size_t *count, struct err *err) {
    struct heads heads = { 0 };
    struct holds one = { .items = hold, .count = 1 };
    *count = 0;
    if (hold_await_purge(&set->repo, err) != 0 || erasing_refuse(&set->repo, "hold what is there", err) != 0 ||
        heads_load(&set->repo, &heads, err) != 0)
        return -1;
    for (size_t i = 0; i < heads.count; i++)
        *count += holds_cover(&one, heads.items[i].name, heads.items[i].started, hold->placed);
    heads_release(&heads);
    if (hold->scope == HOLD_SNAPSHOT && *count == 0) {
        err_set(err, ERR_NOT_FOUND, "the hold was placed, but a rotation had ended its snapshot just before");
        return err_hint(err, "a mirror may have it still, where it is held now; else: muniment hold release %s %.8s",
                        set_title(set), hold->id);
    }
    return 0;
}

static int place(struct invocation *invocation, struct opened_set *set, const char *snapshot, struct err *err) {
    struct hold hold = { 0 };
    struct heads heads = { 0 };
    const struct head *head = NULL;
    size_t covered = 0;
    char count[FORM_TEXT];
    int result = read_hold(invocation, snapshot, &hold, err);
    if (result == 0 && hold.scope == HOLD_SNAPSHOT) {
        result = invocation_find_head(set, snapshot, &heads, &head, err);
        hold.snapshot = result == 0 ? mem_string(head->name) : NULL;
    }
    if (result == 0)
        result = erasing_refuse(&set->repo, "place a hold", err);
    if (result == 0)
        result = hold_place(&set->repo, &hold, err);
    if (result == 0)
        result = count_covered(set, &hold, &covered, err);
    if (result == 0) {
        output_text(invocation->output, "%s: hold %s placed; it covers %s by now\n", set_title(set), hold.id,
                    form_count(count, covered, "snapshot"));
        json_hold(invocation->output, "hold_placed", set, &hold, hold.placed);
    }
    hold_free(&hold);
    heads_release(&heads);
    return result;
}

static int hold_add(struct invocation *invocation, struct opened_set *set, struct err *err) {
    struct set_word word;
    set_word_split(&word, invocation->words[1]);
    int result = place(invocation, set, word.snapshot, err);
    set_word_release(&word);
    return result;
}

/* --- list ----------------------------------------------------------------------------------------------------------
 */

static void add_row(struct table *table, const struct hold *hold, int64_t now) {
    char placed[CLOCK_TEXT], review[CLOCK_TEXT], ends[CLOCK_TEXT];
    char *scope = scope_words(hold), *owner = form_name(hold->owner), *reason = form_name(hold->reason);
    table_cell(table, "%s", hold->id);
    table_cell(table, "%s", scope);
    table_cell(table, "%s", clock_format(placed, hold->placed));
    table_cell(table, "%s%s", hold->review == 0 ? "-" : clock_format(review, hold->review),
               hold_in_force(hold, now) && hold->review != 0 && hold->review <= now ? " DUE" : "");
    table_cell(table, "%s%s", hold->ends == 0 ? "when released" : clock_format(ends, hold->ends),
               hold_in_force(hold, now) ? "" : " (over)");
    table_cell(table, "%s", owner);
    table_cell(table, "%s", reason);
    free(scope);
    free(owner);
    free(reason);
}

static void report(struct invocation *invocation, const struct opened_set *set, const struct holds *holds) {
    static const char *const CAPTIONS[] = { "HOLD", "COVERS", "PLACED", "REVIEW", "ENDS", "OWNER", "REASON" };
    int64_t now = clock_now();
    char count[FORM_TEXT];
    struct table *table = table_new("lllllll");
    for (size_t i = 0; i < sizeof CAPTIONS / sizeof *CAPTIONS; i++)
        table_cell(table, "%s", CAPTIONS[i]);
    for (size_t i = 0; i < holds->count; i++) {
        add_row(table, &holds->items[i], now);
        json_hold(invocation->output, "hold", set, &holds->items[i], now);
    }
    output_text(invocation->output, "set %s: %s\n", set_title(set), form_count(count, holds->count, "hold"));
    if (holds->count > 0)
        table_print(table, invocation->output);
    else
        table_free(table);
}

static int hold_list(struct invocation *invocation, struct opened_set *set, struct err *err) {
    struct holds holds = { 0 };
    if (holds_load(&set->repo, &holds, err) != 0)
        return -1;
    report(invocation, set, &holds);
    holds_release(&holds);
    return 0;
}

/* --- release -------------------------------------------------------------------------------------------------------
 */

static int hold_end(struct invocation *invocation, struct opened_set *set, struct err *err) {
    char id[17];
    if (hold_release(&set->repo, invocation->words[2], clock_now(), id, err) != 0)
        return -1;
    output_text(invocation->output, "%s: hold %s released; what it kept goes with the next rotation\n", set_title(set),
                id);
    json_begin(invocation->output, "hold_released");
    json_text(invocation->output, "set", set_title(set));
    json_text(invocation->output, "hold", id);
    json_end(invocation->output);
    return 0;
}

/* --- all of them ---------------------------------------------------------------------------------------------------
 */

static const char ELSEWHERE[] = "holds are placed and released in the repository, and carried to mirrors";

static const struct verb VERBS[] = {
    { "add", 2, 2, "a set", OPEN_TO_WRITE, true, ELSEWHERE, hold_add },
    { "list", 2, 2, "a set", OPEN_TO_LIST, false, NULL, hold_list },
    { "release", 3, 3, "a set and the id of a hold", OPEN_TO_WRITE, false, ELSEWHERE, hold_end },
    { 0 },
};

static int run_hold(struct invocation *invocation, struct err *err) {
    const struct verb *verb = verb_find(invocation, VERBS, err);
    return verb != NULL ? verb_run(invocation, verb, invocation->words[1], err) : -1;
}

const struct command COMMAND_HOLD = {
    .name = "hold",
    .arguments = "add SET[@SNAPSHOT] [--since T] [--until T] --owner NAME --reason TEXT [--review T] [--ends T]\n"
                 "    | list SET [--mirror NAME | --from STORE [--key FILE]] | release SET ID",
    .summary = "keep snapshots past every rule, and let go of them again",
    .help =
        "  add      covers the whole set with what is still to come, one SNAPSHOT, or what was captured from\n"
        "           --since to --until. NAME is who answers for it: a role or a case number\n"
        "  list     every hold, also those that are over\n"
        "  release  ends one; ID may be its beginning. What it kept goes with the next rotation\n"
        "What a hold covers stays in every place that has it, past its deadline too, until the hold is released or\n"
        "--ends has come. From --review on 'status' reminds of it. Takes the write key only.\n",
    .accepts = OPTIONS_OF_ANY_READING | OPTION_BIT(OPTION_MIRROR) | OPTION_BIT(OPTION_SINCE) |
               OPTION_BIT(OPTION_UNTIL) | OPTION_BIT(OPTION_OWNER) | OPTION_BIT(OPTION_REASON) |
               OPTION_BIT(OPTION_REVIEW) | OPTION_BIT(OPTION_ENDS),
    .least = 2,
    .most = 3,
    .run = run_hold,
};
