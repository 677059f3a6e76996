#include "invocation_internal.h"
#include <muniment/util/clock.h>

static void report(struct invocation *invocation, const struct opened_set *set, const struct head *head,
                   double seconds) {
    struct output *output = invocation->output;
    char id[9], bytes[FORM_TEXT], stored[FORM_TEXT], when[CLOCK_TEXT], span[FORM_TEXT];
    output_text(output, "%s@%s  %s  %s  %s read, %s stored, in %s\n", set_title(set), head_short_name(head->name, id),
                clock_format(when, head->started), outcome_text(head->outcome), form_bytes(bytes, head_bytes(head)),
                form_bytes(stored, head_stored_bytes(head)), form_seconds(span, seconds));
    json_begin(output, "snapshot");
    json_text(output, "set", set_title(set));
    json_head(output, head);
    json_end(output);
}

static int run_snapshot(struct invocation *invocation, struct err *err) {
    int64_t when = 0;
    if (option_time(&invocation->options, OPTION_TIME, &when, err) != 0)
        return -1;

    struct opened_set set = { 0 };
    struct head head = { 0 };
    int result = invocation_open(invocation, invocation->words[0], OPEN_TO_WRITE, &set, err);
    double began = clock_monotonic();
    if (result == 0)
        result = step_capture(invocation, &set, when, &head, err);
    if (result == 0) {
        report(invocation, &set, &head, clock_monotonic() - began);
        if (head.outcome != OUTCOME_COMPLETE)
            invocation_status(invocation, STATUS_PARTIAL);
    }
    head_release(&head);
    opened_set_close(&set);
    return result;
}

const struct command COMMAND_SNAPSHOT = {
    .name = "snapshot",
    .arguments = "SET [--time T]",
    .summary = "capture all sources of a set into one snapshot",
    .help = "--time T gives the snapshot another time than now (for importing old backups). A snapshot that misses\n"
            "something is partial: it is kept, named as such, counts for no tier, and the exit status is 3.\n",
    .accepts = OPTION_BIT(OPTION_TIME),
    .least = 1,
    .most = 1,
    .run = run_snapshot,
};
