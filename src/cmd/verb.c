#include "verb_internal.h"
#include <muniment/util/pattern.h>
#include <string.h>

enum { VERBS_MAX = 16 };

const struct verb *verb_find(const struct invocation *invocation, const struct verb *verbs, struct err *err) {
    const char *names[VERBS_MAX], *name = invocation->words[0], *command = invocation->command->name;
    size_t count = 0;
    for (; verbs[count].name != NULL && count < VERBS_MAX; count++) {
        if (strcmp(verbs[count].name, name) == 0)
            return &verbs[count];
        names[count] = verbs[count].name;
    }
    const char *nearest = pattern_nearest(name, names, count);
    err_set(err, ERR_INVALID, "'%s' has no verb '%s'", command, name);
    if (nearest != NULL)
        err_hint(err, "did you mean '%s'?", nearest);
    else
        err_hint(err, "'muniment help %s' lists its verbs", command);
    return NULL;
}

static int check_words(const struct invocation *invocation, const struct verb *verb, struct err *err) {
    if (invocation->word_count < verb->least || invocation->word_count > verb->most)
        return err_set(err, ERR_INVALID, "'%s %s' takes %s", invocation->command->name, verb->name, verb->takes);
    if (verb->elsewhere != NULL &&
        (invocation_is_standalone(invocation) || option_given(&invocation->options, OPTION_MIRROR)))
        return err_set(err, ERR_INVALID, "%s", verb->elsewhere);
    return 0;
}

int verb_run(struct invocation *invocation, const struct verb *verb, const char *word, struct err *err) {
    struct opened_set set = { 0 };
    struct set_word split;
    if (check_words(invocation, verb, err) != 0)
        return -1;
    set_word_split(&split, word);
    int result = invocation_open(invocation, verb->snapshot ? split.set : word, verb->opening, &set, err);
    if (result == 0)
        result = verb->run(invocation, &set, err);
    if (verb->opening == OPEN_TO_READ || verb->opening == OPEN_TO_UNWRAP)
        invocation_used_key(invocation, &set, NULL, NULL, result, err);
    opened_set_close(&set);
    set_word_release(&split);
    return result;
}
