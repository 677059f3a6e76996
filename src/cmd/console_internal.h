/*
 * Standard error: messages, and on a terminal a line that shows how far a long piece of work has come.
 */
#ifndef MUNIMENT_CMD_CONSOLE_INTERNAL_H
#define MUNIMENT_CMD_CONSOLE_INTERNAL_H

#include <muniment/util/error.h>
#include <muniment/util/log.h>
#include <stdbool.h>

struct console;

/* Shows messages up to `level`; draws progress only when `progress` and standard error is a terminal. */
struct console *console_new(enum log_level level, bool progress);
void console_free(struct console *console);
struct log *console_log(struct console *console);

/* The message of an error, and its hint on a line of its own. `context` (may be NULL) stands before it. */
void console_error(struct console *console, const char *context, const struct err *err);

/* Draws `progress` until it is stopped, a few times a second, from a thread of its own. One at a time. */
void console_progress_start(struct console *console, const char *what, struct progress *progress);
void console_progress_stop(struct console *console);

#endif
