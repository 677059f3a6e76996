/*
 * Commands: what main() chooses between, and what each is given.
 */
#ifndef MUNIMENT_CMD_COMMAND_H
#define MUNIMENT_CMD_COMMAND_H

#include <muniment/cmd/options.h>
#include <muniment/run/settings.h>
#include <muniment/util/log.h>

struct console;
struct output;
struct invocation;

/* Exit statuses that no error code stands for; the others are those of err_exit_status(). */
enum { STATUS_OK = 0, STATUS_PARTIAL = 3 };

struct command {
    const char *name;
    const char *arguments; /* "SET [--time T]" */
    const char *summary;   /* one line */
    const char *help;      /* what the summary leaves out; lines end in a newline */
    uint64_t accepts;      /* OPTION_BITs beyond OPTIONS_OF_EVERYTHING */
    size_t least, most;    /* words after the command's name */

    /* 0, with what there is to say besides in invocation->status; or -1 with the error that ended it. */
    int (*run)(struct invocation *invocation, struct err *err);
};

/* One run of the program. */
struct invocation {
    const struct command *const *commands; /* the table, NULL-terminated */
    const struct command *command;
    struct options options;
    const char *const *words; /* after the command's name */
    size_t word_count;

    struct settings settings; /* empty until invocation_settings() */
    bool settings_loaded;
    struct s3_services url_services; /* one, of the options, for addresses that are URLs; empty until it is asked for */
    struct console *console;         /* standard error */
    struct log *log;                 /* of the console */
    struct output *output;           /* standard output */
    int64_t lock_wait;               /* seconds */
    int status;                      /* so far: the most telling of all failures */
};

/* Runs the command that argv names and returns the exit status of the program. */
int command_main(const struct command *const *commands, int argc, char *const *argv);

extern const struct command COMMAND_CHECK, COMMAND_CONFIG, COMMAND_DRILL, COMMAND_ERASE, COMMAND_FIND, COMMAND_HELP,
    COMMAND_HOLD, COMMAND_INIT, COMMAND_JOURNAL, COMMAND_KEY, COMMAND_LIST, COMMAND_LS, COMMAND_MIRROR, COMMAND_PLAN,
    COMMAND_REPAIR, COMMAND_REPORT, COMMAND_RESTORE, COMMAND_ROTATE, COMMAND_RUN, COMMAND_SHOW, COMMAND_SNAPSHOT,
    COMMAND_STATUS, COMMAND_VERIFY_REPORT, COMMAND_VERSION;

#endif
