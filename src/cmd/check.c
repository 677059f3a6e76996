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
            err_hint(err, "'muniment repair SET MIRROR' brings back what a mirror has whole; 'muniment repair SET' "
                          "writes a damaged index anew");
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
