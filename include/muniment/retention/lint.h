/*
 * What deserves a word about a configuration before it is relied on: contradictions, and settings that do not reach as
 * far as they seem to. Every text names the settings and their numbers ("monthly: 6 configured, 3 effective, limited by
 * max_age = 90 d").
 */
#ifndef MUNIMENT_RETENTION_LINT_H
#define MUNIMENT_RETENTION_LINT_H

#include <muniment/retention/plan.h>

enum lint_severity {
    LINT_NOTE,    /* what follows from it, and is easily overlooked */
    LINT_WARNING, /* probably not meant */
    LINT_ERROR,   /* it contradicts itself, or what was promised */
};
const char *lint_severity_text(enum lint_severity severity); /* "note", "warning", "error" */

struct lint_finding {
    enum lint_severity severity;
    char *text;
};

/* Zero-initialised, and released with lint_release(). */
struct lint {
    struct lint_finding *findings;
    size_t count, capacity;
    size_t errors;
};
void lint_add(struct lint *lint, enum lint_severity severity, const char *format, ...) PRINTF_LIKE(3, 4);
void lint_release(struct lint *lint);

/* Appends what is to be said of a policy by itself. */
void lint_policy(const struct policy *policy, struct lint *lint);

#endif
