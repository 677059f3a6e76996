#include "invocation_internal.h"
#include <muniment/util/pattern.h>
#include <string.h>

static void print_overview(struct invocation *invocation) {
    struct output *output = invocation->output;
    output_text(output, "muniment keeps backups and the evidence that they were kept and destroyed as promised.\n\n"
                        "usage: muniment [-c FILE] COMMAND [ARGUMENT...]\n\n");
    struct table *table = table_new("ll");
    for (size_t i = 0; invocation->commands[i] != NULL; i++) {
        table_cell(table, "  %s", invocation->commands[i]->name);
        table_cell(table, "%s", invocation->commands[i]->summary);
    }
    table_print(table, output);
    output_text(output,
                "\nEverywhere: -c/--config FILE, --repository STORE, --state DIR, --json, -q/--quiet, -v/--verbose,\n"
                "--no-progress, --lock-wait SECONDS. 'muniment help COMMAND' says more; so does muniment(1).\n");
}

static void print_command(struct invocation *invocation, const struct command *command) {
    output_text(invocation->output, "usage: muniment %s %s\n\n%s.\n\n%s", command->name, command->arguments,
                command->summary, command->help);
}

static int run_help(struct invocation *invocation, struct err *err) {
    for (size_t i = 0; invocation->commands[i] != NULL; i++) {
        const struct command *command = invocation->commands[i];
        json_begin(invocation->output, "command");
        json_text(invocation->output, "name", command->name);
        json_text(invocation->output, "arguments", command->arguments);
        json_text(invocation->output, "summary", command->summary);
        json_end(invocation->output);
        if (invocation->word_count > 0 && strcmp(command->name, invocation->words[0]) == 0) {
            print_command(invocation, command);
            return 0;
        }
    }
    if (invocation->word_count > 0)
        return err_set(err, ERR_INVALID, "there is no command '%s'", invocation->words[0]);
    print_overview(invocation);
    return 0;
}

const struct command COMMAND_HELP = {
    .name = "help",
    .arguments = "[COMMAND]",
    .summary = "say what the commands are, or how one is used",
    .help = "",
    .least = 0,
    .most = 1,
    .run = run_help,
};

static int run_version(struct invocation *invocation, struct err *err) {
    (void)err;
    output_text(invocation->output, "muniment %s\n", MUNIMENT_VERSION);
    json_begin(invocation->output, "version");
    json_text(invocation->output, "version", MUNIMENT_VERSION);
    json_end(invocation->output);
    return 0;
}

const struct command COMMAND_VERSION = {
    .name = "version",
    .arguments = "",
    .summary = "print the version",
    .help = "",
    .least = 0,
    .most = 0,
    .run = run_version,
};
