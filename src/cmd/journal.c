#include "invocation_internal.h"
#include <muniment/util/clock.h>
#include <stdlib.h>

struct reading {
    struct invocation *invocation;
    uint64_t events;
};

static int print_event(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct reading *reading = context;
    struct output *output = reading->invocation->output;
    char when[CLOCK_TEXT];
    (void)err;
    output_text(output, "%s  %-12s", clock_format(when, entry->time), entry->event);
    for (size_t i = 0; entry->fields[i] != NULL; i += 2) {
        char *value = form_name(entry->fields[i + 1]);
        output_text(output, "  %s=%s", entry->fields[i], value);
        free(value);
    }
    output_text(output, "\n");

    json_begin(output, "event");
    json_text(output, "segment", segment);
    json_time(output, "time", entry->time);
    json_text(output, "event", entry->event);
    json_group(output, "fields");
    for (size_t i = 0; entry->fields[i] != NULL; i += 2)
        json_text(output, entry->fields[i], entry->fields[i + 1]);
    json_group_end(output);
    json_end(output);
    reading->events++;
    return 0;
}

static int run_journal(struct invocation *invocation, struct err *err) {
    struct opened_set set = { 0 };
    struct reading reading = { .invocation = invocation };
    int result = invocation_open(invocation, invocation->words[0], OPEN_TO_LIST, &set, err);
    if (result == 0)
        result = journal_walk(&set.repo, print_event, &reading, err);
    if (result == 0)
        log_info(invocation->log, "%llu events; every segment is signed, certified and in its chain",
                 (unsigned long long)reading.events);
    opened_set_close(&set);
    return result;
}

const struct command COMMAND_JOURNAL = {
    .name = "journal",
    .arguments = "SET [--mirror NAME | --from STORE [--key FILE]]",
    .summary = "verify the journal and print what was captured, expired, destroyed",
    .help = "Events stand by host, each host's in order. Takes the write key only. A segment that is missing, changed\n"
            "or signed by a host without certificate ends it with status 20.\n",
    .accepts = OPTIONS_OF_ANY_READING | OPTION_BIT(OPTION_MIRROR) | OPTION_BIT(OPTION_AS_OF),
    .least = 1,
    .most = 1,
    .run = run_journal,
};
