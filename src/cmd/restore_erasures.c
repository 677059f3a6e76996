#include "invocation_internal.h"
#include "restore_internal.h"
#include <errno.h>
#include <muniment/repo/erasure.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <muniment/util/process.h>
#include <stdlib.h>
#include <string.h>

/* One that ends without reading all of it may have reasons; its status tells. */
static int give_list(struct process *process, const struct buffer *lines, struct err *err) {
    int given = file_write_all(process_input(process), lines->data, lines->length, "the command's input", err);
    if (given != 0 && err->sys == EPIPE) {
        err_clear(err);
        given = 0;
    }
    process_close_input(process);
    return given;
}

static int run_hook(const struct opened_set *set, const struct head *head, const char *target,
                    const struct buffer *lines, struct err *err) {
    const struct strings *command = &set->settings->after_restore;
    const char **arguments = mem_array(command->count + 1, sizeof *arguments);
    for (size_t i = 0; i < command->count; i++)
        arguments[i] = command->items[i];
    char *variables[] = { mem_format("MUNIMENT_SET=%s", set_title(set)), mem_format("MUNIMENT_SNAPSHOT=%s", head->name),
                          mem_format("MUNIMENT_TARGET=%s", target) };
    const char *environment[] = { variables[0], variables[1], variables[2], NULL };
    const struct process_options options = { .arguments = arguments, .environment = environment, .pipe_input = true };
    struct process *process = NULL;
    struct err ended = { 0 };
    int result = process_start(&options, &process, err);
    if (result == 0) {
        result = give_list(process, lines, err);
        if (process_wait(process, NULL, &ended) != 0 && result == 0) {
            *err = ended;
            result = -1;
        }
    }
    process_free(process);
    for (size_t i = 0; i < 3; i++)
        free(variables[i]);
    free(arguments);
    return result;
}

/* What was restored stays; that it holds what had to go is a part that is not done. */
static void not_done(struct invocation *invocation, const char *what, const struct err *why) {
    log_error(invocation->log, "%s: %s", what, why->message);
    invocation_status(invocation, STATUS_PARTIAL);
}

size_t restore_erasures(struct invocation *invocation, struct opened_set *set, const struct head *head,
                        const char *target) {
    struct erasures erasures;
    struct buffer lines = { 0 };
    struct err err = { 0 };
    char when[CLOCK_TEXT], count[FORM_TEXT];
    if (erasures_load(&set->repo, &erasures, &err) != 0) {
        not_done(invocation, "what must be deleted again after this restore could not be read", &err);
        return 0;
    }
    if (option_given(&invocation->options, OPTION_AS_OF))
        log_warning(invocation->log, "the ledger of what must be deleted again is that of the time of --as-of, too");
    size_t found = erasures_after(&erasures, head->started, &lines);
    erasures_release(&erasures);
    if (found > 0)
        log_warning(
            invocation->log,
            "%s of what was deleted since the snapshot came back with it: delete it again. 'muniment erase list "
            "%s --since %s' lists it",
            form_count(count, found, "reference"), set_title(set), clock_format(when, head->started));
    if (found > 0 && set->settings != NULL && set->settings->after_restore.count > 0) {
        if (run_hook(set, head, target, &lines, &err) == 0)
            log_info(invocation->log, "'%s' was given the list, and succeeded", set->settings->after_restore.items[0]);
        else
            not_done(invocation, "after_restore", &err);
    }
    buffer_release(&lines);
    return found;
}
