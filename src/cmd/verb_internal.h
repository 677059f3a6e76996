/*
 * Verbs: what the first word behind a command's name chooses ("hold add", "key show").
 */
#ifndef MUNIMENT_CMD_VERB_INTERNAL_H
#define MUNIMENT_CMD_VERB_INTERNAL_H

#include "invocation_internal.h"

struct verb {
    const char *name;
    size_t least, most;    /* words, itself included */
    const char *takes;     /* what it is told when there are fewer or more: "one set" */
    enum opening opening;  /* of the set */
    bool snapshot;         /* the set may be named as SET@SNAPSHOT */
    const char *elsewhere; /* what --from and --mirror are refused with; NULL: it takes them */
    int (*run)(struct invocation *invocation, struct opened_set *set, struct err *err);
};

/* The one that the first word names, of a table that ends in an empty one; or NULL and ERR_INVALID, with the nearest.
 */
const struct verb *verb_find(const struct invocation *invocation, const struct verb *verbs, struct err *err);

/* Checks the words, opens the set that `word` names, and runs the verb on it. When that took the read key, the journal
 * has it. */
int verb_run(struct invocation *invocation, const struct verb *verb, const char *word, struct err *err) MUST_CHECK;

#endif
