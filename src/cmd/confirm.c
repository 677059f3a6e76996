#include "invocation_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <muniment/util/file.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MAX = 256, POLL_MILLISECONDS = 200 };

static int read_answer(int terminal, struct buffer *answer, struct err *err) {
    while (answer->length < ANSWER_MAX) {
        uint8_t byte;
        struct pollfd ready = { .fd = terminal, .events = POLLIN };
        int there = poll(&ready, 1, POLL_MILLISECONDS); /* a signal just before a read would not end the read */
        if (interrupt_check(err) < 0)
            return -1;
        if (there == 0 || (there < 0 && errno == EINTR))
            continue;
        ssize_t got = there < 0 ? -1 : read(terminal, &byte, 1);
        if (got < 0 && errno != EINTR)
            return err_sys(err, "read the answer from the terminal");
        if (got == 0 || (got == 1 && byte == '\n'))
            return 0;
        if (got == 1)
            buffer_put_u8(answer, byte);
    }
    return 0;
}

static int ask(const char *question, const char *name, struct err *err) {
    struct buffer answer = { 0 };
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0) {
        err_set(err, ERR_REFUSED, "there is no terminal to ask on whether it is meant");
        return err_hint(err, "confirm it with --confirm %s", name);
    }
    char *prompt = mem_format("%s\nType the name of the set to go on: ", question);
    int result = file_write_all(terminal, prompt, strlen(prompt), "terminal", err);
    if (result == 0)
        result = read_answer(terminal, &answer, err);
    if (result == 0 && strcmp(buffer_text(&answer), name) != 0)
        result = err_set(err, ERR_REFUSED, "that is not the name of the set: nothing was done");
    free(prompt);
    buffer_release(&answer);
    close(terminal);
    return result;
}

int invocation_confirm(struct invocation *invocation, const char *question, const char *name, struct err *err) {
    const char *given = option_text(&invocation->options, OPTION_CONFIRM);
    if (given == NULL)
        return ask(question, name, err);
    if (strcmp(given, name) == 0)
        return 0;
    return err_set(err, ERR_REFUSED, "--confirm '%s' is not the name of the set '%s': nothing was done", given, name);
}
