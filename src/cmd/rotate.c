#include "invocation_internal.h"
#include <muniment/util/clock.h>
#include <stdlib.h>

static void print_table(struct invocation *invocation, const struct heads *heads, const struct plan_verdict *verdicts) {
    struct table *table = table_new("llllll");
    static const char *const CAPTIONS[] = { "SNAPSHOT", "TIME", "TIERS", "VERDICT", "GONE BY", "REASON" };
    for (size_t i = 0; i < sizeof CAPTIONS / sizeof *CAPTIONS; i++)
        table_cell(table, "%s", CAPTIONS[i]);
    for (size_t i = 0; i < heads->count; i++) {
        char id[9], when[CLOCK_TEXT], tiers[FORM_TEXT], deadline[CLOCK_TEXT];
        table_cell(table, "%s", head_short_name(heads->items[i].name, id));
        table_cell(table, "%s", clock_format(when, heads->items[i].started));
        table_cell(table, "%s", form_tiers(tiers, verdicts[i].tiers));
        table_cell(table, "%s", verdicts[i].keep ? "keep" : "expire");
        table_cell(table, "%s%s", verdicts[i].deadline == 0 ? "-" : clock_format(deadline, verdicts[i].deadline),
                   verdicts[i].past_deadline ? " PAST" : "");
        table_cell(table, "%s", verdicts[i].reason);
    }
    table_print(table, invocation->output);
}

static void report_plan(struct invocation *invocation, const struct opened_set *set, const struct heads *heads,
                        const struct plan_verdict *verdicts, const struct plan_summary *summary) {
    struct output *output = invocation->output;
    print_table(invocation, heads, verdicts);
    output_text(output, "\nset %s: %zu to keep, %zu to expire\n", set_title(set), summary->keep, summary->expire);
    if (summary->guard[0] != '\0')
        output_text(output, "guard: %s\n", summary->guard);

    for (size_t i = 0; i < heads->count; i++) {
        char id[9], tiers[FORM_TEXT];
        json_begin(output, "verdict");
        json_text(output, "set", set_title(set));
        json_text(output, "snapshot", head_short_name(heads->items[i].name, id));
        json_text(output, "name", heads->items[i].name);
        json_time(output, "started", heads->items[i].started);
        json_flag(output, "keep", verdicts[i].keep);
        json_text(output, "tiers", verdicts[i].tiers != 0 ? form_tiers(tiers, verdicts[i].tiers) : "");
        json_text(output, "reason", verdicts[i].reason);
        json_time(output, "deadline", verdicts[i].deadline);
        json_flag(output, "past_deadline", verdicts[i].past_deadline);
        json_end(output);
    }
    json_begin(output, "plan_summary");
    json_text(output, "set", set_title(set));
    json_count(output, "keep", summary->keep);
    json_count(output, "expire", summary->expire);
    json_text(output, "guard", summary->guard[0] != '\0' ? summary->guard : NULL);
    json_time(output, "next_expiry", summary->next_expiry);
    json_end(output);
}

static void report_purge(struct invocation *invocation, const struct opened_set *set,
                         const struct purge_result *purge) {
    struct output *output = invocation->output;
    char snapshots[FORM_TEXT], packs[FORM_TEXT], destroyed[FORM_TEXT], moved[FORM_TEXT], dead[FORM_TEXT];
    output_text(output, "removed %s; destroyed %s (%s), rewrote %llu (%s moved)\n",
                form_count(snapshots, purge->heads_removed, "snapshot"),
                form_count(packs, purge->packs_destroyed, "pack"), form_bytes(destroyed, purge->bytes_destroyed),
                (unsigned long long)purge->packs_rewritten, form_bytes(moved, purge->bytes_moved));
    if (purge->packs_waiting > 0)
        output_text(output, "%s wait for a capture under way to end; the next rotation destroys them\n",
                    form_count(packs, purge->packs_waiting, "pack"));
    if (purge->dead_bytes_kept > 0 && purge->earliest_deadline > 0) {
        char when[FORM_TEXT];
        output_text(output, "%s of no snapshot stay in packs that live, until %s at the latest\n",
                    form_bytes(dead, purge->dead_bytes_kept), form_when(when, purge->earliest_deadline, clock_now()));
    }
    json_begin(output, "purged");
    json_text(output, "set", set_title(set));
    json_purge(output, purge);
    json_end(output);
    report_purge_troubles(invocation, set, purge);
}

static int run_rotate(struct invocation *invocation, struct err *err) {
    int64_t now = clock_now();
    if (option_time(&invocation->options, OPTION_AS_OF, &now, err) != 0)
        return -1;

    struct opened_set set = { 0 };
    struct heads heads = { 0 };
    struct plan_verdict *verdicts = NULL;
    struct plan_summary summary = { 0 };
    struct purge_result purge = { 0 };

    /* The plan is shown even when it is going to be carried out: it is the record of what was meant. */
    int result = invocation_open(invocation, invocation->words[0], OPEN_TO_WRITE, &set, err);
    if (result == 0)
        result = rotate_plan(&set, now, &heads, &verdicts, &summary, err);
    if (result == 0)
        report_plan(invocation, &set, &heads, verdicts, &summary);
    if (result == 0 && option_given(&invocation->options, OPTION_APPLY)) {
        result = rotate_apply(&set, now, invocation->lock_wait, &summary, &purge, err);
        if (result == 0)
            report_purge(invocation, &set, &purge);
    } else if (result == 0 && summary.expire > 0) {
        output_text(invocation->output, "nothing was changed; --apply carries this out\n");
    }
    free(verdicts);
    heads_release(&heads);
    opened_set_close(&set);
    return result;
}

const struct command COMMAND_ROTATE = {
    .name = "rotate",
    .arguments = "SET [--apply] [--as-of T]",
    .summary = "show what retention keeps and expires, and why; --apply does it",
    .help = "--apply removes the expired snapshots and purges the packs that only they needed. With --lock-wait it\n"
            "also waits for captures under way. --as-of T decides as if it were T: it needs care with --apply.\n",
    .accepts = OPTION_BIT(OPTION_APPLY) | OPTION_BIT(OPTION_AS_OF),
    .least = 1,
    .most = 1,
    .run = run_rotate,
};
