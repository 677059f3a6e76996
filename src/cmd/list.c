#include "invocation_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>

static char *source_names(const struct head *head) {
    struct buffer names = { 0 };
    for (size_t i = 0; i < head->source_count; i++)
        buffer_printf(&names, "%s%s%s", i > 0 ? " " : "", head->sources[i].name,
                      head->sources[i].outcome == OUTCOME_COMPLETE ? "" : "!");
    char *text = mem_string(buffer_text(&names));
    buffer_release(&names);
    return text;
}

static bool is_held(const struct holds *holds, const struct head *head, int64_t now) {
    return holds_cover(holds, head->name, head->started, now);
}

static void add_row(struct table *table, const struct head *head, bool held, int64_t now) {
    char id[9], when[CLOCK_TEXT], ago[FORM_TEXT], tiers[FORM_TEXT], bytes[FORM_TEXT], stored[FORM_TEXT];
    char deadline[CLOCK_TEXT];
    char *sources = source_names(head);
    table_cell(table, "%s", head_short_name(head->name, id));
    table_cell(table, "%s", clock_format(when, head->started));
    table_cell(table, "%s", form_ago(ago, head->started, now));
    table_cell(table, "%s", outcome_text(head->outcome));
    table_cell(table, "%s", form_tiers(tiers, head->tiers));
    table_cell(table, "%s", form_bytes(bytes, head_bytes(head)));
    table_cell(table, "%s", form_bytes(stored, head_stored_bytes(head)));
    table_cell(table, "%s%s", head->deadline == 0 ? "-" : clock_format(deadline, head->deadline), held ? " HELD" : "");
    table_cell(table, "%s", sources);
    free(sources);
}

static void report(struct invocation *invocation, const char *title, const struct heads *heads,
                   const struct holds *holds) {
    int64_t now = clock_now();
    if (!output_is_json(invocation->output)) {
        static const char *const CAPTIONS[] = { "SNAPSHOT", "TIME", "AGE",     "OUTCOME", "TIERS",
                                                "SIZE",     "NEW",  "GONE BY", "SOURCES" };
        struct table *table = table_new("llrllrrll");
        for (size_t i = 0; i < sizeof CAPTIONS / sizeof *CAPTIONS; i++)
            table_cell(table, "%s", CAPTIONS[i]);
        for (size_t i = 0; i < heads->count; i++)
            add_row(table, &heads->items[i], is_held(holds, &heads->items[i], now), now);
        output_text(invocation->output, "set %s: %zu snapshot%s\n", title, heads->count, heads->count == 1 ? "" : "s");
        if (heads->count > 0)
            table_print(table, invocation->output);
        else
            table_free(table);
    }
    for (size_t i = 0; i < heads->count; i++) {
        json_begin(invocation->output, "snapshot");
        json_text(invocation->output, "set", title);
        json_flag(invocation->output, "held", is_held(holds, &heads->items[i], now));
        json_head(invocation->output, &heads->items[i]);
        json_end(invocation->output);
    }
}

static int list_set(struct invocation *invocation, const char *name, struct err *err) {
    struct opened_set set = { 0 };
    struct heads heads = { 0 };
    struct holds holds = { 0 };
    int result = invocation_open(invocation, name, OPEN_TO_LIST, &set, err);
    if (result == 0)
        result = heads_load(&set.repo, &heads, err);
    if (result == 0) {
        invocation_holds(invocation, &set, &holds);
        report(invocation, set_title(&set), &heads, &holds);
    }
    holds_release(&holds);
    heads_release(&heads);
    opened_set_close(&set);
    return result;
}

static int run_list(struct invocation *invocation, struct err *err) {
    const char *name = invocation->word_count > 0 ? invocation->words[0] : NULL;
    if (name != NULL || invocation_is_standalone(invocation))
        return list_set(invocation, name, err);

    struct set_settings *sets = NULL;
    size_t count = 0;
    if (invocation_sets(invocation, NULL, &sets, &count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct err trouble = { 0 };
        if (list_set(invocation, sets[i].name, &trouble) != 0)
            invocation_fail(invocation, sets[i].name, &trouble);
    }
    return 0;
}

const struct command COMMAND_LIST = {
    .name = "list",
    .arguments = "[SET] [--mirror NAME | --from STORE [--key FILE]] [--as-of T]",
    .summary = "list snapshots, oldest first; takes the write key only",
    .help = "SIZE is what was captured, NEW what it added to the store. A source with '!' was not captured whole.\n",
    .accepts = OPTIONS_OF_ANY_READING | OPTION_BIT(OPTION_MIRROR) | OPTION_BIT(OPTION_AS_OF),
    .least = 0,
    .most = 1,
    .run = run_list,
};
