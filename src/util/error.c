#include <errno.h>
#include <muniment/util/error.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names from disks and servers end up in messages, and messages on terminals: no control characters but line breaks
 * (the last lines of a child's standard error) and tabs. Also drops line breaks at the end. */
static void make_presentable(char *text) {
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        text[--length] = '\0';
    for (; *text != '\0'; text++) {
        const unsigned char byte = (unsigned char)*text;
        if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f)
            *text = '?';
    }
}

/* Formats by way of a second buffer: an argument may be the old text itself. */
static void format_text(char *text, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
static void format_text(char *text, size_t size, const char *format, va_list arguments) {
    char formatted[sizeof((struct err *)0)->message];

    if (vsnprintf(formatted, sizeof formatted, format, arguments) < 0)
        formatted[0] = '\0';
    make_presentable(formatted);
    const size_t length = strnlen(formatted, size - 1);
    memcpy(text, formatted, length);
    text[length] = '\0';
}

int err_set(struct err *err, enum err_code code, const char *format, ...) {
    va_list arguments;

    if (err == NULL)
        return -1;
    va_start(arguments, format);
    format_text(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    err->code = code;
    err->sys = 0;
    err->hint[0] = '\0';
    return -1;
}

static enum err_code code_of_errno(int number) {
    switch (number) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    default:
        return ERR_SYSTEM;
    }
}

int err_sys(struct err *err, const char *format, ...) {
    const int number = errno;
    char reason_text[128];
    va_list arguments;

    if (err == NULL)
        return -1;
    va_start(arguments, format);
    format_text(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    err->code = code_of_errno(number);
    err->sys = number;
    err->hint[0] = '\0';

    const char *reason = strerror_r(number, reason_text, sizeof reason_text);
    const size_t length = strlen(err->message);
    snprintf(err->message + length, sizeof err->message - length, ": %s", reason);
    return -1;
}

int err_wrap(struct err *err, const char *format, ...) {
    char context[sizeof err->message];
    va_list arguments;

    if (err == NULL)
        return -1;
    va_start(arguments, format);
    format_text(context, sizeof context, format, arguments);
    va_end(arguments);

    /* When both do not fit, the origin of the error is what must stay. */
    const size_t kept = strlen(err->message) + 1;
    size_t added = strlen(context);
    if (kept + 2 >= sizeof err->message)
        return -1;
    if (added + 2 + kept > sizeof err->message)
        added = sizeof err->message - kept - 2;
    memmove(err->message + added + 2, err->message, kept);
    memcpy(err->message, context, added);
    memcpy(err->message + added, ": ", 2);
    return -1;
}

int err_hint(struct err *err, const char *format, ...) {
    va_list arguments;

    if (err == NULL || err->hint[0] != '\0')
        return -1;
    va_start(arguments, format);
    format_text(err->hint, sizeof err->hint, format, arguments);
    va_end(arguments);
    return -1;
}

void err_clear(struct err *err) {
    if (err == NULL)
        return;
    err->code = ERR_NONE;
    err->sys = 0;
    err->message[0] = '\0';
    err->hint[0] = '\0';
}

int err_exit_status(enum err_code code) {
    switch (code) {
    case ERR_NONE:
        return 0;
    case ERR_SYSTEM:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_SOURCE:
    case ERR_TARGET:
    case ERR_UNSUPPORTED:
    case ERR_DENIED:
    case ERR_CHANGED:
        return 1;
    case ERR_INVALID:
    case ERR_NO_BUCKET:
        return 2;
    case ERR_NO_REPOSITORY:
        return 10;
    case ERR_LOCKED:
        return 11;
    case ERR_KEY:
        return 12;
    case ERR_CORRUPT:
        return 20;
    case ERR_STALE:
        return 22;
    case ERR_REFUSED:
        return 23;
    case ERR_DIVERGED:
        return 24;
    case ERR_INTERRUPTED:
        return 130;
    }
    return 1;
}
