/*
 * `config check` at the buckets themselves: do they do what the policies promise?
 */
#ifndef MUNIMENT_CMD_CONFIG_BUCKETS_INTERNAL_H
#define MUNIMENT_CMD_CONFIG_BUCKETS_INTERNAL_H

#include <muniment/cmd/command.h>
#include <muniment/retention/lint.h>

/* Says on stderr what is to be said of `what`. */
void config_tell(struct log *log, enum lint_severity severity, const char *what, const char *text);

/* Asks every bucket of the configuration, and reports what contradicts the policies. Returns how many problems there
 * are; what could not be asked is a warning. */
size_t config_inspect_buckets(struct invocation *invocation);

#endif
