#include "invocation_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <muniment/util/file.h>
#include <muniment/util/interrupt.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { PASSPHRASE_MAX = 1024 };

/* The first line, without its end. */
static int cut_line(struct buffer *passphrase, const char *from, struct err *err) {
    const uint8_t *end = memchr(passphrase->data, '\n', passphrase->length);
    if (end != NULL)
        passphrase->length = (size_t)(end - passphrase->data);
    if (passphrase->length > 0 && passphrase->data[passphrase->length - 1] == '\r')
        passphrase->length--;
    if (passphrase->length == 0)
        return err_set(err, ERR_INVALID, "the passphrase from %s is empty", from);
    if (memchr(passphrase->data, '\0', passphrase->length) != NULL)
        return err_set(err, ERR_INVALID, "the passphrase from %s holds a zero byte", from);
    return 0;
}

/* One line from the terminal, unseen. */
static int read_unseen(int terminal, const char *prompt, struct buffer *passphrase, struct err *err) {
    struct termios before;
    if (tcgetattr(terminal, &before) != 0)
        return err_sys(err, "ask for a passphrase on the terminal");
    struct termios unseen = before;
    unseen.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(terminal, TCSAFLUSH, &unseen) != 0)
        return err_sys(err, "hide what is typed on the terminal");

    int result = file_write_all(terminal, prompt, strlen(prompt), "terminal", err);
    while (result == 0 && passphrase->length < PASSPHRASE_MAX) {
        uint8_t byte;
        ssize_t got = read(terminal, &byte, 1);
        if (got < 0 && errno == EINTR)
            result = interrupt_check(err);
        else if (got < 0)
            result = err_sys(err, "read the passphrase from the terminal");
        else if (got == 0 || byte == '\n')
            break;
        else
            buffer_put_u8(passphrase, byte);
    }
    if (tcsetattr(terminal, TCSAFLUSH, &before) != 0 && result == 0)
        result = err_sys(err, "show what is typed on the terminal again");
    if (result == 0)
        result = file_write_all(terminal, "\n", 1, "terminal", err);
    return result == 0 ? cut_line(passphrase, "the terminal", err) : -1;
}

static int ask(bool fresh, struct buffer *passphrase, struct err *err) {
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0) {
        err_set(err, ERR_KEY, "a passphrase is needed, and there is no terminal to ask on");
        return err_hint(err, "give a key with --key FILE, or the passphrase with --passphrase-file FILE");
    }
    struct buffer again = { 0 };
    int result = read_unseen(terminal, fresh ? "New passphrase: " : "Passphrase: ", passphrase, err);
    if (result == 0 && fresh) {
        result = read_unseen(terminal, "The same again: ", &again, err);
        if (result == 0 &&
            (again.length != passphrase->length || memcmp(again.data, passphrase->data, again.length) != 0))
            result = err_set(err, ERR_INVALID, "the two passphrases differ");
    }
    buffer_wipe(&again);
    close(terminal);
    return result;
}

int invocation_passphrase(struct invocation *invocation, bool fresh, struct buffer *passphrase, struct err *err) {
    /* Room for all of it at once: a buffer that grows leaves copies of a secret behind. */
    buffer_reserve(passphrase, PASSPHRASE_MAX + 1);
    const char *file = option_text(&invocation->options, OPTION_PASSPHRASE_FILE);
    int result;
    if (file == NULL) {
        result = ask(fresh, passphrase, err);
    } else {
        result = file_read(file, PASSPHRASE_MAX, passphrase, err);
        if (result == 0)
            result = cut_line(passphrase, file, err);
    }
    if (result != 0)
        buffer_wipe(passphrase);
    return result;
}
