/*
 * Child processes: started without a shell, watched to their end, never left behind.
 *
 * The child runs in its own process group with default signal dispositions, standard input from /dev/null unless
 * asked for, and no inherited descriptors but 0, 1 and 2. What it writes to standard error is read all the time by a
 * thread of ours, so that it never blocks there; the last 8 KiB are kept and shown in errors.
 *
 * When we die without a word (SIGKILL), the system sends the child SIGTERM. It does so when the *thread* that started
 * it ends: the thread that starts a process also waits for it or frees it.
 *
 * An interrupt (see interrupt.h) ends a wait within a quarter of a second: the process group gets SIGTERM.
 */
#ifndef MUNIMENT_UTIL_PROCESS_H
#define MUNIMENT_UTIL_PROCESS_H

#include <muniment/util/error.h>
#include <stdbool.h>
#include <stddef.h>

struct process;

struct process_options {
    const char *const *arguments;   /* argv, NULL-terminated; [0] is looked up in PATH */
    const char *const *environment; /* "NAME=value" to add or replace, "NAME" to remove, NULL-terminated;
                                       or NULL */
    const char *folder;             /* working directory, or NULL */
    bool pipe_input;                /* give us its standard input */
    bool pipe_output;               /* give us its standard output (a pipe widened to 1 MiB); else /dev/null */
};

/* Fails with ERR_SYSTEM or ERR_NOT_FOUND when the program cannot be executed (the exec itself is checked). */
int process_start(const struct process_options *options, struct process **process, struct err *err) MUST_CHECK;

int process_output(const struct process *process); /* descriptor to read, owned by the process */
int process_input(const struct process *process);  /* descriptor to write, owned by the process */
void process_close_input(struct process *process); /* tells the child that no more comes */

/* Closes our ends of its input and output and waits for its end, then ends what is left of its group. 0 only when the
 * child exited with status 0. Otherwise ERR_SOURCE (ERR_INTERRUPTED when we were asked to stop), the message naming
 * the program, its status or signal and the last lines of its standard error. *status (may be NULL) is the exit
 * status, or 128 + signal. Read the output to its end first: a child that still writes dies of SIGPIPE. */
int process_wait(struct process *process, int *status, struct err *err) MUST_CHECK;

long process_id(const struct process *process);      /* for messages */
const char *process_errors(struct process *process); /* what it wrote to standard error; whole only after wait */

/* Ends the process group if it still runs (SIGTERM, then SIGKILL after 5 s), reaps it, frees. NULL is fine. */
void process_free(struct process *process);

/* Runs to the end and appends at most `max` bytes of its standard output to `out`; more is ERR_SOURCE. */
struct buffer;
int process_capture(const struct process_options *options, size_t max, struct buffer *out, struct err *err) MUST_CHECK;

#endif
