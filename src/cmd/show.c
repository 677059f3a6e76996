#include "invocation_internal.h"
#include <muniment/snapshot/capture.h>
#include <muniment/util/clock.h>
#include <stdlib.h>

static void show_source(struct output *output, const struct head_source *source) {
    char entries[FORM_TEXT], bytes[FORM_TEXT], stored[FORM_TEXT], span[CLOCK_TEXT];
    output_text(output, "\nsource %s (%s): %s, %s, %s, %s new, in %s\n", source->name, source->kind,
                outcome_text(source->outcome), form_count(entries, source->entries, "entry"),
                form_bytes(bytes, source->bytes), form_bytes(stored, source->stored_bytes),
                clock_format_span(span, source->finished - source->started));
    for (size_t i = 0; i < source->fact_count; i++)
        output_text(output, "  %s: %s\n", source->facts[i].name, source->facts[i].value);
    for (size_t i = 0; i < source->unit_count; i++) {
        const struct head_unit *unit = &source->units[i];
        output_text(output, "  unit %s: %s", unit->name, form_bytes(bytes, unit->bytes));
        if (unit->rows_known)
            output_text(output, ", %s", form_count(stored, unit->rows, "row"));
        output_text(output, "\n");
    }
    for (size_t i = 0; i < source->trouble_count; i++) {
        char *trouble = form_name(source->troubles[i]);
        output_text(output, "  missing: %s\n", trouble);
        free(trouble);
    }
}

static void json_source(struct output *output, const struct head_source *source) {
    json_group(output, NULL);
    json_text(output, "source", source->name);
    json_text(output, "kind", source->kind);
    json_text(output, "outcome", outcome_text(source->outcome));
    json_time(output, "started", source->started);
    json_time(output, "finished", source->finished);
    json_count(output, "entries", source->entries);
    json_count(output, "bytes", source->bytes);
    json_count(output, "stored_bytes", source->stored_bytes);
    json_group(output, "facts");
    for (size_t i = 0; i < source->fact_count; i++)
        json_text(output, source->facts[i].name, source->facts[i].value);
    json_group_end(output);
    json_list(output, "units");
    for (size_t i = 0; i < source->unit_count; i++) {
        json_group(output, NULL);
        json_text(output, "unit", source->units[i].name);
        json_count(output, "bytes", source->units[i].bytes);
        if (source->units[i].rows_known)
            json_count(output, "rows", source->units[i].rows);
        json_group_end(output);
    }
    json_list_end(output);
    json_list(output, "troubles");
    for (size_t i = 0; i < source->trouble_count; i++)
        json_text(output, NULL, source->troubles[i]);
    json_list_end(output);
    json_group_end(output);
}

static void show_hold(struct output *output, const struct hold *hold) {
    char *owner = form_name(hold->owner), *reason = form_name(hold->reason);
    output_text(output, "held      by hold %s: %s, %s\n", hold->id, owner, reason);
    free(owner);
    free(reason);
}

static void report(struct invocation *invocation, const struct opened_set *set, const struct head *head,
                   const struct hold *hold) {
    struct output *output = invocation->output;
    int64_t now = clock_now();
    char id[9], when[FORM_TEXT], tiers[FORM_TEXT], deadline[FORM_TEXT], bytes[FORM_TEXT], stored[FORM_TEXT];
    char span[CLOCK_TEXT];
    output_text(output, "snapshot  %s@%s (%s)\n", set_title(set), head_short_name(head->name, id), head->name);
    output_text(output, "captured  %s on %s by muniment %s\n", form_when(when, head->started, now), head->hostname,
                head->tool);
    output_text(output, "outcome   %s\n", outcome_text(head->outcome));
    output_text(output, "size      %s, %s new\n", form_bytes(bytes, head_bytes(head)),
                form_bytes(stored, head_stored_bytes(head)));
    output_text(output, "tiers     %s, when it was made\n", form_tiers(tiers, head->tiers));
    output_text(output, "gone by   %s\n",
                head->deadline == 0 ? "no max_age" : form_when(deadline, head->deadline, now));
    int64_t from = 0, until = 0;
    if (capture_window(head, &from, &until))
        output_text(output, "window    %s from the databases' beginning to the buckets' end\n",
                    clock_format_span(span, until - from));
    if (hold != NULL)
        show_hold(output, hold);
    for (size_t i = 0; i < head->source_count; i++)
        show_source(output, &head->sources[i]);

    json_begin(output, "snapshot_details");
    json_text(output, "set", set_title(set));
    json_text(output, "hold", hold != NULL ? hold->id : NULL);
    json_head_facts(output, head);
    json_text(output, "tool", head->tool);
    json_list(output, "sources");
    for (size_t i = 0; i < head->source_count; i++)
        json_source(output, &head->sources[i]);
    json_list_end(output);
    json_end(output);
}

static void show_head(struct invocation *invocation, struct opened_set *set, const struct head *head) {
    struct holds holds = { 0 };
    invocation_holds(invocation, set, &holds);
    report(invocation, set, head, holds_covering(&holds, head->name, head->started, clock_now()));
    holds_release(&holds);
}

static int run_show(struct invocation *invocation, struct err *err) {
    struct set_word word;
    struct opened_set set = { 0 };
    struct heads heads = { 0 };
    const struct head *head = NULL;
    set_word_split(&word, invocation->words[0]);
    int result = invocation_open(invocation, word.set, OPEN_TO_LIST, &set, err);
    if (result == 0)
        result = invocation_find_head(&set, word.snapshot[0] != '\0' ? word.snapshot : "latest", &heads, &head, err);
    if (result == 0)
        show_head(invocation, &set, head);
    heads_release(&heads);
    opened_set_close(&set);
    set_word_release(&word);
    return result;
}

const struct command COMMAND_SHOW = {
    .name = "show",
    .arguments = "SET[@SNAPSHOT] [--mirror NAME | --from STORE [--key FILE]] [--as-of T]",
    .summary = "show one snapshot: sources, versions, counts, what is missing",
    .help = "Takes the write key only. SNAPSHOT is an id, a time, \"latest\" (the default) or \"latest-complete\".\n",
    .accepts = OPTIONS_OF_ANY_READING | OPTION_BIT(OPTION_MIRROR) | OPTION_BIT(OPTION_AS_OF),
    .least = 1,
    .most = 1,
    .run = run_show,
};
