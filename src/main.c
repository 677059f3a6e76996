#include <muniment/cmd/command.h>
#include <stddef.h>

/* In the order of a repository's life, which is also the order of `muniment help`. */
static const struct command *const COMMANDS[] = {
    &COMMAND_INIT,    &COMMAND_RUN,    &COMMAND_SNAPSHOT, &COMMAND_LIST,   &COMMAND_SHOW,
    &COMMAND_LS,      &COMMAND_FIND,   &COMMAND_RESTORE,  &COMMAND_ROTATE, &COMMAND_PLAN,
    &COMMAND_MIRROR,  &COMMAND_CHECK,  &COMMAND_REPAIR,   &COMMAND_KEY,    &COMMAND_STATUS,
    &COMMAND_JOURNAL, &COMMAND_CONFIG, &COMMAND_VERSION,  &COMMAND_HELP,   NULL,
};

int main(int argc, char **argv) {
    return command_main(COMMANDS, argc, argv);
}
