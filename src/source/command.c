/*
 * The output of any command as one entry.
 *
 * A command that fails may have written something worth having, so what it wrote is kept; but the entry is flagged
 * ENTRY_INCOMPLETE and the snapshot is partial. A command that cannot be started at all fails the source.
 */

#include <errno.h>
#include <muniment/source/source.h>
#include <muniment/util/buffer.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <muniment/util/process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *output_name(const struct source *source) {
    return source->command.output != NULL ? source->command.output : "output";
}

/* One string with spaces is a line for the shell. */
static bool wants_shell(const struct strings *arguments) {
    return arguments->count == 1 && strpbrk(arguments->items[0], " \t\n") != NULL;
}

/* The argv, NULL-terminated, its strings borrowed. Owned by the caller. */
static const char **build_argv(const struct strings *arguments) {
    const char **argv = mem_array(arguments->count + 3, sizeof *argv);
    size_t count = 0;

    if (wants_shell(arguments)) {
        argv[count++] = "/bin/sh";
        argv[count++] = "-c";
    }
    for (size_t i = 0; i < arguments->count; i++)
        argv[count++] = arguments->items[i];
    return argv;
}

static bool is_program(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

static bool is_in_path(const char *name) {
    const char *at = getenv("PATH");
    struct buffer candidate = { 0 };
    bool found = false;

    while (at != NULL && !found) {
        const size_t length = strcspn(at, ":");
        buffer_clear(&candidate);
        buffer_put(&candidate, length > 0 ? at : ".", length > 0 ? length : 1);
        buffer_printf(&candidate, "/%s", name);
        found = is_program(buffer_text(&candidate));
        at = at[length] == ':' ? at + length + 1 : NULL;
    }
    buffer_release(&candidate);
    return found;
}

static int command_preflight(const struct source *source, struct log *log, struct err *err) {
    const struct strings *arguments = &source->command.arguments;
    (void)log;

    if (arguments->count == 0 || arguments->items[0][0] == '\0')
        return err_set(err, ERR_INVALID, "no command is configured");
    if (!entry_path_is_valid(ENTRY_STREAM, output_name(source)))
        return err_set(err, ERR_INVALID, "'%s' cannot be the name of an entry", output_name(source));

    /* What a shell will make of its line cannot be told without running it. */
    if (wants_shell(arguments))
        return 0;
    const char *program = arguments->items[0];
    if (!(strchr(program, '/') != NULL ? is_program(program) : is_in_path(program))) {
        err_set(err, ERR_SOURCE, "'%s' is not a program that can be run", program);
        return err_hint(err, "cron's PATH is short: give the program's full path");
    }
    return 0;
}

/* Ends the entry, whole or flagged, once the child's status is known. */
static int end_output(const struct source *source, struct source_sink *sink, struct log *log, int64_t started,
                      uint64_t bytes, bool whole, struct err *err) {
    char *path = mem_string(output_name(source));
    struct entry entry = source_stream(path, started, bytes);

    entry.flags = whole ? 0 : ENTRY_INCOMPLETE;
    const int result = sink->end(sink->context, &entry, err);
    if (result == 0 && whole) {
        if (bytes == 0)
            log_warning(log, "%s: the command wrote nothing", source->name);
        sink->unit(sink->context, path, bytes, false, 0);
    }
    free(path);
    return result;
}

static int command_capture(const struct source *source, struct source_sink *sink, struct log *log, struct err *err) {
    const char **argv = build_argv(&source->command.arguments);
    const struct process_options options = { .arguments = argv, .pipe_output = true };
    struct process *process = NULL;
    const int64_t started = clock_now();
    uint64_t bytes = 0;
    int result = -1;

    if (process_start(&options, &process, err) != 0)
        goto out;
    if (source_copy(sink, process_output(process), &bytes, err) != 0) {
        err_wrap(err, "output of '%s'", argv[0]);
        goto out;
    }

    /* The end of its output says nothing about success: only the exit status does. */
    struct err why = { 0 };
    const bool whole = process_wait(process, NULL, &why) == 0;
    if (!whole && why.code != ERR_SOURCE) {
        *err = why;
        goto out;
    }
    if (!whole)
        sink->trouble(sink->context, output_name(source), &why);
    result = end_output(source, sink, log, started, bytes, whole, err);

out:
    process_free(process);
    free(argv);
    return result;
}

const struct source_kind SOURCE_COMMAND = {
    .name = "command",
    .preflight = command_preflight,
    .capture = command_capture,
};
