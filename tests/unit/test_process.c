#include <errno.h>
#include <fcntl.h>
#include <muniment/util/buffer.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/process.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SHELL(...)                                                                                                     \
    (const char *const[]) {                                                                                            \
        "sh", "-c", __VA_ARGS__, NULL                                                                                  \
    }

static int capture(const char *const *arguments, size_t max, struct buffer *out, struct err *err) {
    const struct process_options options = { .arguments = arguments };
    return process_capture(&options, max, out, err);
}

/* Gone, or dead and waiting for whoever adopted it. */
static bool has_ended(long pid) {
    char path[64], state = 0;

    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return true;
    const int got = fscanf(file, "%*d (%*[^)]) %c", &state);
    fclose(file);
    return got != 1 || state == 'Z' || state == 'X';
}

/* Waits for at most ten seconds: long enough for any machine, never reached when all is well. */
static bool ends_soon(long pid) {
    for (int i = 0; i < 1000; i++) {
        if (has_ended(pid))
            return true;
        usleep(10000);
    }
    return false;
}

static void the_output_of_a_child_is_appended(void **state) {
    struct buffer out = { 0 };
    struct err err = { 0 };

    (void)state;
    buffer_put(&out, "before ", 7);
    assert_int_equal(capture(SHELL("printf 'one\\ntwo'"), 100, &out, &err), 0);
    assert_string_equal(buffer_text(&out), "before one\ntwo");
    buffer_release(&out);
}

static void a_failing_child_is_an_error_with_its_status_and_last_words(void **state) {
    const struct process_options options = { .arguments = SHELL("echo first >&2; echo 'disk on fire' >&2; exit 3") };
    struct process *process = NULL;
    struct err err = { 0 };
    int status = 0;

    (void)state;
    assert_int_equal(process_start(&options, &process, &err), 0);
    assert_int_equal(process_wait(process, &status, &err), -1);
    assert_int_equal(status, 3);
    assert_int_equal(err.code, ERR_SOURCE);
    assert_string_equal(err.message, "sh failed with status 3: first; disk on fire");
    assert_string_equal(process_errors(process), "first\ndisk on fire\n");
    process_free(process);
}

static void output_before_a_failure_is_not_handed_on(void **state) {
    struct buffer out = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(capture(SHELL("echo half; exit 1"), 100, &out, &err), -1);
    assert_int_equal(err.code, ERR_SOURCE);
    assert_int_equal(out.length, 0);
    buffer_release(&out);
}

static void a_child_that_is_killed_is_an_error_with_the_signal(void **state) {
    const struct process_options options = { .arguments = SHELL("kill -KILL $$") };
    struct process *process = NULL;
    struct err err = { 0 };
    int status = 0;

    (void)state;
    assert_int_equal(process_start(&options, &process, &err), 0);
    assert_int_equal(process_wait(process, &status, &err), -1);
    assert_int_equal(status, 128 + SIGKILL);
    assert_string_equal(err.message, "sh was killed by SIGKILL");
    process_free(process);
}

static void a_program_that_does_not_exist_is_found_out_at_the_start(void **state) {
    const struct process_options options = { .arguments = (const char *const[]){ "/no/such/program", NULL } };
    const struct process_options nowhere = { .arguments = SHELL("true"), .folder = "/no/such/folder" };
    struct process *process = NULL;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(process_start(&options, &process, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "start '/no/such/program'"));
    err_clear(&err);
    assert_int_equal(process_start(&nowhere, &process, &err), -1);
    assert_non_null(strstr(err.message, "in folder '/no/such/folder'"));
    assert_null(process);
}

static void the_environment_is_ours_with_the_changes(void **state) {
    const struct process_options options = {
        .arguments = SHELL("echo \"$KEPT $ADDED $REPLACED ${REMOVED-none}\""),
        .environment = (const char *const[]){ "ADDED=a", "REPLACED=new", "REMOVED", NULL },
    };
    struct buffer out = { 0 };
    struct err err = { 0 };

    (void)state;
    setenv("KEPT", "k", 1);
    setenv("REPLACED", "old", 1);
    setenv("REMOVED", "secret", 1);
    assert_int_equal(process_capture(&options, 100, &out, &err), 0);
    assert_string_equal(buffer_text(&out), "k a new none\n");
    buffer_release(&out);
}

static void what_is_written_to_the_input_arrives_and_ends(void **state) {
    const struct process_options options = {
        .arguments = SHELL("cat; pwd"), .folder = "/usr", .pipe_input = true, .pipe_output = true
    };
    struct process *process = NULL;
    struct err err = { 0 };
    char text[32] = { 0 };
    size_t length = 0;
    ssize_t got;

    (void)state;
    assert_int_equal(process_start(&options, &process, &err), 0);
    assert_int_equal(write(process_input(process), "hello ", 6), 6);
    process_close_input(process);
    while ((got = read(process_output(process), text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)got;
    assert_string_equal(text, "hello /usr\n");
    assert_int_equal(process_wait(process, NULL, &err), 0);
    process_free(process);
}

static void an_input_that_was_not_asked_for_is_empty(void **state) {
    struct buffer out = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(capture(SHELL("cat; echo end"), 100, &out, &err), 0);
    assert_string_equal(buffer_text(&out), "end\n");
    buffer_release(&out);
}

static void a_flood_of_messages_never_blocks_the_child(void **state) {
    const struct process_options options = { .arguments = SHELL("seq 1000000 >&2; printf 'bell\\a\\033[1m' >&2") };
    struct process *process = NULL;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(process_start(&options, &process, &err), 0);
    assert_int_equal(process_wait(process, NULL, &err), 0);

    /* The last of it is kept, with nothing that a terminal would obey. */
    const char *errors = process_errors(process);
    assert_int_equal(strlen(errors), 8192);
    assert_string_equal(errors + 8192 - strlen("1000000\nbell??[1m"), "1000000\nbell??[1m");
    process_free(process);
}

static void more_output_than_allowed_is_refused(void **state) {
    struct buffer out = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(capture(SHELL("exec yes"), 1000, &out, &err), -1);
    assert_int_equal(err.code, ERR_SOURCE);
    assert_string_equal(err.message, "sh wrote more than 1000 bytes");
    assert_int_equal(out.length, 0);
    buffer_release(&out);
}

static void no_descriptor_of_ours_reaches_the_child(void **state) {
    struct buffer out = { 0 };
    struct err err = { 0 };
    const int leaky = open("/etc/passwd", O_RDONLY); /* without O_CLOEXEC, on purpose */

    (void)state;
    assert_true(leaky >= 3);
    assert_int_equal(capture(SHELL("readlink /proc/self/fd/1 /proc/$$/fd/*; true"), 1000, &out, &err), 0);
    assert_non_null(strstr(buffer_text(&out), "pipe:"));
    assert_null(strstr(buffer_text(&out), "passwd"));
    close(leaky);
    buffer_release(&out);
}

static void what_a_child_leaves_behind_is_ended(void **state) {
    struct buffer out = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(capture(SHELL("sleep 1000 >/dev/null 2>&1 & echo $!"), 100, &out, &err), 0);
    const long pid = strtol(buffer_text(&out), NULL, 10);
    assert_true(pid > 1);
    assert_true(ends_soon(pid));
    buffer_release(&out);
}

static void a_grandchild_that_holds_the_pipes_does_not_hold_the_wait(void **state) {
    const struct process_options options = { .arguments = SHELL("sleep 1000 & exit 4") };
    struct process *process = NULL;
    struct err err = { 0 };
    int status = 0;

    (void)state;
    assert_int_equal(process_start(&options, &process, &err), 0);
    assert_int_equal(process_wait(process, &status, &err), -1);
    assert_int_equal(status, 4);
    process_free(process);
}

static void a_running_child_is_ended_when_freed_even_if_stopped(void **state) {
    const struct process_options options = { .arguments = (const char *const[]){ "sleep", "1000", NULL } };
    struct process *process = NULL;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(process_start(&options, &process, &err), 0);
    const long pid = process_id(process);
    assert_false(has_ended(pid));
    assert_int_equal(kill((pid_t)pid, SIGSTOP), 0);
    process_free(process);
    assert_true(has_ended(pid));
    process_free(NULL);
}

static void a_child_ends_when_we_are_killed(void **state) {
    int ends[2];
    long pid = 0;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    const pid_t self = fork();
    assert_true(self >= 0);
    if (self == 0) {
        const struct process_options options = { .arguments = (const char *const[]){ "sleep", "1000", NULL } };
        struct process *process = NULL;
        struct err err = { 0 };
        if (process_start(&options, &process, &err) == 0)
            pid = process_id(process);
        if (write(ends[1], &pid, sizeof pid) == (ssize_t)sizeof pid)
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    assert_int_equal(read(ends[0], &pid, sizeof pid), sizeof pid);
    assert_int_equal(waitpid(self, NULL, 0), self);
    assert_true(pid > 1);
    assert_true(ends_soon(pid));
    close(ends[0]);
    close(ends[1]);
}

/* In a process of its own: a request to stop is never taken back. */
static int wait_until_interrupted(void) {
    const struct process_options options = { .arguments = SHELL("kill -TERM $PPID; exec sleep 1000") };
    struct process *process = NULL;
    struct buffer out = { 0 };
    struct err err = { 0 };

    interrupt_install();
    if (interrupt_requested() || process_start(&options, &process, &err) != 0)
        return 1;
    const long pid = process_id(process);
    if (process_wait(process, NULL, &err) == 0 || err.code != ERR_INTERRUPTED || !has_ended(pid))
        return 2;
    if (strstr(err.message, "stopped by SIGTERM") == NULL)
        return 3;
    process_free(process);
    if (process_capture(&options, 100, &out, &err) == 0 || err.code != ERR_INTERRUPTED)
        return 4;
    return 0;
}

static void a_request_to_stop_ends_the_wait_and_the_child(void **state) {
    int status = 0;

    (void)state;
    const pid_t self = fork();
    assert_true(self >= 0);
    if (self == 0)
        _exit(wait_until_interrupted());
    assert_int_equal(waitpid(self, &status, 0), self);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_output_of_a_child_is_appended),
        cmocka_unit_test(a_failing_child_is_an_error_with_its_status_and_last_words),
        cmocka_unit_test(output_before_a_failure_is_not_handed_on),
        cmocka_unit_test(a_child_that_is_killed_is_an_error_with_the_signal),
        cmocka_unit_test(a_program_that_does_not_exist_is_found_out_at_the_start),
        cmocka_unit_test(the_environment_is_ours_with_the_changes),
        cmocka_unit_test(what_is_written_to_the_input_arrives_and_ends),
        cmocka_unit_test(an_input_that_was_not_asked_for_is_empty),
        cmocka_unit_test(a_flood_of_messages_never_blocks_the_child),
        cmocka_unit_test(more_output_than_allowed_is_refused),
        cmocka_unit_test(no_descriptor_of_ours_reaches_the_child),
        cmocka_unit_test(what_a_child_leaves_behind_is_ended),
        cmocka_unit_test(a_grandchild_that_holds_the_pipes_does_not_hold_the_wait),
        cmocka_unit_test(a_running_child_is_ended_when_freed_even_if_stopped),
        cmocka_unit_test(a_child_ends_when_we_are_killed),
        cmocka_unit_test(a_request_to_stop_ends_the_wait_and_the_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
