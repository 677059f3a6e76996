#include "invocation_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <string.h>

static void report(struct invocation *invocation, const struct opened_set *set, const struct mirror_settings *mirror,
                   const struct mirror_result *result) {
    struct output *output = invocation->output;
    char objects[FORM_TEXT], uploaded[FORM_TEXT], removed[FORM_TEXT], verified[FORM_TEXT], newest[FORM_TEXT];
    output_text(output, "%s -> %s (%s): copied %s (%s), removed %llu (%s), verified %llu (%s)\n", set_title(set),
                mirror->name, mirror->path, form_count(objects, result->uploaded, "object"),
                form_bytes(uploaded, result->uploaded_bytes), (unsigned long long)result->removed,
                form_bytes(removed, result->removed_bytes), (unsigned long long)result->verified,
                form_bytes(verified, result->verified_bytes));
    if (result->newest_snapshot != 0)
        output_text(output, "  newest snapshot there: %s\n", form_when(newest, result->newest_snapshot, clock_now()));
    json_begin(output, "mirrored");
    json_text(output, "set", set_title(set));
    json_text(output, "mirror", mirror->name);
    json_mirror(output, result);
    json_end(output);
    report_mirror_troubles(invocation, set, mirror, result);
}

/* Each mirror of a set by itself: one that fails does not hold up the next. */
static int mirror_one_set(struct invocation *invocation, const struct set_settings *settings, const char *name,
                          size_t *matched, struct err *err) {
    struct opened_set set = { 0 };
    if (invocation_open(invocation, settings->name, OPEN_TO_WRITE, &set, err) != 0)
        return -1;
    for (size_t i = 0; i < settings->mirror_count && !interrupt_requested(); i++) {
        const struct mirror_settings *mirror = &settings->mirrors[i];
        struct mirror_result result = { 0 };
        struct err trouble = { 0 };
        if (name != NULL && strcmp(name, mirror->name) != 0)
            continue;
        (*matched)++;
        if (step_mirror(&set, mirror, true, &result, &trouble) == 0)
            report(invocation, &set, mirror, &result);
        else
            invocation_fail(invocation, settings->name, &trouble);
    }
    opened_set_close(&set);
    return interrupt_check(err);
}

static int run_mirror(struct invocation *invocation, struct err *err) {
    struct set_settings *sets = NULL;
    size_t count = 0, matched = 0;
    const char *set = invocation->word_count > 0 ? invocation->words[0] : NULL;
    const char *name = invocation->word_count > 1 ? invocation->words[1] : NULL;
    if (invocation_sets(invocation, set, &sets, &count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct err trouble = { 0 };
        if (mirror_one_set(invocation, &sets[i], name, &matched, &trouble) != 0)
            invocation_fail(invocation, NULL, &trouble);
        else if (set != NULL && matched == 0 && name != NULL)
            return err_set(err, ERR_INVALID, "set '%s' has no mirror '%s'", set, name);
        else if (set != NULL && matched == 0)
            return err_set(err, ERR_INVALID, "set '%s' has no mirror", set);
        if (interrupt_requested())
            break;
    }
    return 0;
}

const struct command COMMAND_MIRROR = {
    .name = "mirror",
    .arguments = "[SET] [NAME]",
    .summary = "bring mirrors up to date now, whatever their schedule",
    .help = "Copies what is new, removes what the repository destroyed by its signed journal, and reads a sample\n"
            "back. A mirror that fails does not hold up the others.\n",
    .least = 0,
    .most = 2,
    .run = run_mirror,
};
