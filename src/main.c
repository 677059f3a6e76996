#include <malloc.h>
#include <muniment/cmd/command.h>
#include <stddef.h>

/* Larger pieces of memory go back to the system when they are freed. Left to itself the C library raises this limit
 * with the first large piece, and the buffers of one step then lie unused in the heap while the next one runs. */
enum { RETURNED_TO_SYSTEM = 128 * 1024 };

/* In the order of a repository's life, which is also the order of `muniment help`. */
static const struct command *const COMMANDS[] = {
    &COMMAND_INIT,
    &COMMAND_RUN,
    &COMMAND_SNAPSHOT,
    &COMMAND_LIST,
    &COMMAND_SHOW,
    &COMMAND_LS,
    &COMMAND_FIND,
    &COMMAND_RESTORE,
    &COMMAND_DRILL,
    &COMMAND_ROTATE,
    &COMMAND_PLAN,
    &COMMAND_MIRROR,
    &COMMAND_CHECK,
    &COMMAND_REPAIR,
    &COMMAND_KEY,
    &COMMAND_HOLD,
    &COMMAND_ERASE,
    &COMMAND_STATUS,
    &COMMAND_JOURNAL,
    &COMMAND_REPORT,
    &COMMAND_VERIFY_REPORT,
    &COMMAND_CONFIG,
    &COMMAND_VERSION,
    &COMMAND_HELP,
    NULL,
};

int main(int argc, char **argv) {
    mallopt(M_MMAP_THRESHOLD, RETURNED_TO_SYSTEM);
    return command_main(COMMANDS, argc, argv);
}
