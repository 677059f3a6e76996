#include "invocation_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <stdlib.h>

static void report(struct invocation *invocation, const struct opened_set *set, const struct check_result *result) {
    struct output *output = invocation->output;
    char snapshots[FORM_TEXT], packs[FORM_TEXT], chunks[FORM_TEXT], bytes[FORM_TEXT];
    output_text(output, "%s in %s: %s, %s, %s, %s read: %s", set_title(set), store_label(set->store),
                form_count(snapshots, result->snapshots, "snapshot"), form_count(packs, result->packs, "pack"),
                form_count(chunks, result->chunks, "chunk"), form_bytes(bytes, result->bytes_read),
                result->findings == 0 ? "no damage\n" : "DAMAGED, ");
    if (result->findings > 0)
        output_text(output, "%s\n", form_count(packs, result->findings, "finding"));
    json_begin(output, "checked");
    json_text(output, "set", set_title(set));
    json_text(output, "store", store_label(set->store));
    json_check(output, result);
    json_end(output);
}

static int check_one(struct invocation *invocation, const char *name, unsigned percent, struct err *err) {
    struct opened_set set = { 0 };
    struct check_result result = { 0 };
    char findings[FORM_TEXT];
    int checked = invocation_open(invocation, name, OPEN_TO_CHECK, &set, err);
    if (checked == 0)
        checked = step_check(invocation, &set, percent, &result, err);
    if (checked == 0) {
        report(invocation, &set, &result);
        if (result.findings > 0) {
            checked = err_set(err, ERR_CORRUPT, "'%s' has %s", store_label(set.store),
                              form_count(findings, result.findings, "finding"));
            err_hint(err, "restore what you need from a mirror; 'muniment repair' writes a damaged index anew");
        }
    }
    if (percent > 0)
        invocation_used_key(invocation, &set, NULL, NULL, checked, err);
    opened_set_close(&set);
    return checked;
}

static int run_check(struct invocation *invocation, struct err *err) {
    /* --read-data alone reads everything. */
    int64_t percent = option_given(&invocation->options, OPTION_READ_DATA) ? 100 : 0;
    const char *text = option_text(&invocation->options, OPTION_READ_DATA);
    if (text != NULL && text[0] != '\0' &&
        option_number(&invocation->options, OPTION_READ_DATA, 1, 100, &percent, err) != 0)
        return -1;

    const char *name = invocation->word_count > 0 ? invocation->words[0] : NULL;
    if (invocation_is_standalone(invocation) || name != NULL)
        return check_one(invocation, name != NULL ? name : ".", (unsigned)percent, err);

    struct set_settings *sets = NULL;
    size_t count = 0;
    if (invocation_sets(invocation, NULL, &sets, &count, err) != 0)
        return -1;
    for (size_t i = 0; i < count && !interrupt_requested(); i++) {
        struct err trouble = { 0 };
        if (check_one(invocation, sets[i].name, (unsigned)percent, &trouble) != 0)
            invocation_fail(invocation, sets[i].name, &trouble);
    }
    return interrupt_check(err);
}

const struct command COMMAND_CHECK = {
    .name = "check",
    .arguments = "[SET] [--read-data[=PERCENT]] [--mirror NAME | --from STORE] [--as-of T] [--key FILE]",
    .summary = "check that every snapshot could be restored; exits with 20 when not",
    .help = "Without --read-data everything but the contents of packs is checked. With it, packs are read and hashed,\n"
            "and with the read key every chunk is opened. PERCENT reads a part of them, another one each day.\n",
    .accepts =
        OPTIONS_OF_ANY_READING | OPTION_BIT(OPTION_MIRROR) | OPTION_BIT(OPTION_AS_OF) | OPTION_BIT(OPTION_READ_DATA),
    .least = 0,
    .most = 1,
    .run = run_check,
};

/* --- repair ------------------------------------------------------------------------------------------------------- */

static int run_repair(struct invocation *invocation, struct err *err) {
    struct opened_set set = { 0 };
    struct check_result result = { 0 };
    char packs[FORM_TEXT], chunks[FORM_TEXT];
    struct progress progress = { 0 };
    struct check_options options = {
        .now = clock_now(),
        .progress = &progress,
        .finding = report_finding,
        .context = invocation,
    };
    int repaired = invocation_open(invocation, invocation->words[0], OPEN_TO_WRITE, &set, err);
    if (repaired == 0) {
        console_progress_start(invocation->console, "reading packs", &progress);
        repaired = check_rebuild_index(&set.repo, &options, &result, err);
        console_progress_stop(invocation->console);
    }
    if (repaired == 0) {
        output_text(invocation->output, "%s: the index was written anew from %s, %s\n", set_title(&set),
                    form_count(packs, result.packs, "pack"), form_count(chunks, result.chunks, "chunk"));
        json_begin(invocation->output, "repaired");
        json_text(invocation->output, "set", set_title(&set));
        json_check(invocation->output, &result);
        json_end(invocation->output);
        if (result.findings > 0)
            repaired = err_set(err, ERR_CORRUPT, "not in the index, because unreadable: %s",
                               form_count(packs, result.findings, "pack"));
    }
    opened_set_close(&set);
    return repaired;
}

const struct command COMMAND_REPAIR = {
    .name = "repair",
    .arguments = "SET",
    .summary = "write the index anew from the tables at the end of every pack",
    .help = "For a repository whose index is lost or damaged; packs and snapshots are left as they are. Packs without\n"
            "a readable table are named, and the exit status is 20.\n",
    .least = 1,
    .most = 1,
    .run = run_repair,
};
