/*
 * The command line: options, then words.
 *
 * Options may stand anywhere after the program's name; `--` ends them. `--name value` and `--name=value` mean the same;
 * an option whose value may be left out takes it only after '='. Where an option is absent, its environment variable
 * (MUNIMENT_...) counts. Secrets are never options: only the files that hold them are.
 */
#ifndef MUNIMENT_CMD_OPTIONS_H
#define MUNIMENT_CMD_OPTIONS_H

#include <muniment/util/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option {
    OPTION_CONFIG,
    OPTION_REPOSITORY,
    OPTION_STATE,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_VERBOSE,
    OPTION_NO_PROGRESS,
    OPTION_LOCK_WAIT,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_APPLY,
    OPTION_AS_OF,
    OPTION_BIN_DIR,
    OPTION_CA_FILE,
    OPTION_CERTIFICATE,
    OPTION_CONFIRM,
    OPTION_CREDENTIALS,
    OPTION_DAYS,
    OPTION_ENDS,
    OPTION_FORMAT,
    OPTION_FROM,
    OPTION_GLOBALS,
    OPTION_KEY,
    OPTION_LABEL,
    OPTION_MAX_AGE,
    OPTION_MIRROR,
    OPTION_MISSED,
    OPTION_OFFLINE,
    OPTION_OVERWRITE,
    OPTION_OWNER,
    OPTION_PLAIN_HTTP,
    OPTION_SYNC,
    OPTION_PASSPHRASE_FILE,
    OPTION_PUBLIC_KEY,
    OPTION_READ,
    OPTION_READ_DATA,
    OPTION_READ_KEY,
    OPTION_REASON,
    OPTION_REGION,
    OPTION_RENAME,
    OPTION_REVIEW,
    OPTION_SIGN,
    OPTION_SINCE,
    OPTION_START,
    OPTION_STDOUT,
    OPTION_TIME,
    OPTION_TO,
    OPTION_TO_BUCKET,
    OPTION_TO_POSTGRES,
    OPTION_UNTIL,
    OPTION_WITNESS,
    OPTION_COUNT,
};

/* What a command accepts: a set of options as bits. The first ten are accepted by every command. */
#define OPTION_BIT(option)    (UINT64_C(1) << (option))
#define OPTIONS_OF_EVERYTHING (OPTION_BIT(OPTION_VERSION + 1) - 1)
#define OPTIONS_OF_ANY_READING                                                                                         \
    (OPTION_BIT(OPTION_FROM) | OPTION_BIT(OPTION_KEY) | OPTION_BIT(OPTION_PASSPHRASE_FILE) |                           \
     OPTION_BIT(OPTION_CREDENTIALS) | OPTION_BIT(OPTION_REGION) | OPTION_BIT(OPTION_CA_FILE) |                         \
     OPTION_BIT(OPTION_PLAIN_HTTP))

struct options {
    const char *values[OPTION_COUNT]; /* borrowed from argv or the environment; "" for an option without value */
    bool on_command_line[OPTION_COUNT];
    const char **words; /* the command, and what follows it */
    size_t word_count;
};

/* Where environment variables come from: getenv() in the program. */
typedef const char *options_environment(const char *name);

/* ERR_INVALID names the option, and the nearest one when it is unknown. Borrows argv. */
int options_parse(struct options *options, int argc, char *const *argv, options_environment *environment,
                  struct err *err) MUST_CHECK;
void options_release(struct options *options);

/* Refuses options of the command line that are not among `accepts`. */
int options_accept(const struct options *options, uint64_t accepts, const char *command, struct err *err) MUST_CHECK;

bool option_given(const struct options *options, enum option option);
const char *option_text(const struct options *options, enum option option); /* or NULL */

/* Values with a meaning; `value` is left alone when the option is absent. ERR_INVALID names the option. */
int option_number(const struct options *options, enum option option, int64_t least, int64_t most, int64_t *value,
                  struct err *err) MUST_CHECK;
int option_time(const struct options *options, enum option option, int64_t *value, struct err *err) MUST_CHECK;
int option_span(const struct options *options, enum option option, int64_t *value, struct err *err) MUST_CHECK;

#endif
