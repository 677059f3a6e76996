#include "invocation_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command *command_find(const struct command *const *commands, const char *name, struct err *err) {
    const char *names[64];
    size_t count = 0;
    for (; commands[count] != NULL && count < 64; count++) {
        if (strcmp(commands[count]->name, name) == 0)
            return commands[count];
        names[count] = commands[count]->name;
    }
    const char *nearest = pattern_nearest(name, names, count);
    err_set(err, ERR_INVALID, "there is no command '%s'", name);
    if (nearest != NULL)
        err_hint(err, "did you mean '%s'?", nearest);
    else
        err_hint(err, "'muniment help' lists the commands");
    return NULL;
}

/* Which command it is: --help and --version are commands in disguise. */
static int choose_command(struct invocation *invocation, struct err *err) {
    const struct options *options = &invocation->options;
    const char *name = options->word_count > 0 ? options->words[0] : NULL;
    if (option_given(options, OPTION_HELP) || name == NULL) {
        if (option_given(options, OPTION_VERSION))
            name = "version";
        else if (option_given(options, OPTION_HELP) && name != NULL && strcmp(name, "help") != 0)
            invocation->words = options->words, invocation->word_count = 1, name = "help";
        else if (name == NULL)
            name = "help";
        invocation->command = command_find(invocation->commands, name, err);
        if (options->word_count == 0 && !option_given(options, OPTION_HELP) && !option_given(options, OPTION_VERSION))
            invocation->status = err_exit_status(ERR_INVALID);
        return invocation->command != NULL ? 0 : -1;
    }

    invocation->command = command_find(invocation->commands, name, err);
    if (invocation->command == NULL)
        return -1;
    invocation->words = options->words + 1;
    invocation->word_count = options->word_count - 1;
    return 0;
}

static int check_usage(const struct invocation *invocation, struct err *err) {
    const struct command *command = invocation->command;
    if (options_accept(&invocation->options, command->accepts, command->name, err) != 0)
        return -1;
    if (invocation->word_count >= command->least && invocation->word_count <= command->most)
        return 0;
    err_set(err, ERR_INVALID, "'%s' needs %s", command->name,
            invocation->word_count < command->least ? "more arguments" : "fewer arguments");
    return err_hint(err, "usage: muniment %s %s", command->name, command->arguments);
}

static void print_error(struct invocation *invocation, const char *context, const struct err *err) {
    console_error(invocation->console, context, err);
    json_begin(invocation->output, "error");
    if (context != NULL)
        json_text(invocation->output, "context", context);
    json_number(invocation->output, "status", err_exit_status(err->code));
    json_text(invocation->output, "message", err->message);
    json_text(invocation->output, "hint", err->hint[0] != '\0' ? err->hint : NULL);
    json_end(invocation->output);
}

/*
 * Of several failures, the one that a person should look at first. An interruption explains all others; then damage,
 * then keys and places that are wrong, then work that was not done, then what the next run may mend by itself.
 */
void invocation_status(struct invocation *invocation, int status) {
    static const int TELLING[] = { 130, 20, 21, 12, 10, 2, 1, 24, 23, 22, 11, 3, 0 };
    for (size_t i = 0; i < sizeof TELLING / sizeof *TELLING; i++) {
        if (TELLING[i] == status || TELLING[i] == invocation->status) {
            invocation->status = TELLING[i];
            return;
        }
    }
    invocation->status = status;
}

void invocation_fail(struct invocation *invocation, const char *context, const struct err *err) {
    print_error(invocation, context, err);
    invocation_status(invocation, err_exit_status(err->code));
}

static const char *environment(const char *name) {
    return getenv(name);
}

static int run_command(struct invocation *invocation, struct err *err) {
    if (choose_command(invocation, err) != 0)
        return -1;
    if (check_usage(invocation, err) != 0)
        return -1;
    if (option_number(&invocation->options, OPTION_LOCK_WAIT, 0, 7 * 86400, &invocation->lock_wait, err) != 0)
        return -1;
    return invocation->command->run(invocation, err);
}

int command_main(const struct command *const *commands, int argc, char *const *argv) {
    struct invocation invocation = { .commands = commands };
    struct err err = { 0 };
    int parsed = options_parse(&invocation.options, argc, argv, environment, &err);
    const struct options *options = &invocation.options;

    enum log_level level = option_given(options, OPTION_VERBOSE) ? LOG_DETAIL
                           : option_given(options, OPTION_QUIET) ? LOG_ERROR
                                                                 : LOG_INFO;
    bool progress = !option_given(options, OPTION_NO_PROGRESS) && !option_given(options, OPTION_QUIET);
    invocation.console = console_new(level, progress);
    invocation.log = console_log(invocation.console);
    invocation.output = output_new(option_given(options, OPTION_JSON), STDOUT_FILENO);

    interrupt_install();
    if (parsed != 0 || run_command(&invocation, &err) != 0)
        invocation_fail(&invocation, NULL, &err);
    err_clear(&err);
    if (output_flush(invocation.output, &err) != 0)
        invocation_fail(&invocation, NULL, &err);

    output_free(invocation.output);
    console_free(invocation.console);
    settings_release(&invocation.settings);
    s3_services_release(&invocation.url_services);
    options_release(&invocation.options);
    return invocation.status;
}
