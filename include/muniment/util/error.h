/*
 * One error, carried from where it happened to where it is shown.
 *
 * A function that can fail returns 0 or -1 and takes `struct err *err` as its last parameter. The place where
 * the failure happened sets the code and the message once; every caller that knows more prepends its own
 * context with err_wrap(). The code is never replaced, so the exit status tells the cause. Where the cause does not
 * matter `err` may be NULL.
 *
 * The finished message reads from the outside in:
 *     snapshot 'app': store pack: write '/backup/.tmp-4f2a': No space left on device
 */
#ifndef MUNIMENT_UTIL_ERROR_H
#define MUNIMENT_UTIL_ERROR_H

enum err_code {
    ERR_NONE = 0,
    ERR_SYSTEM,        /* a system call failed; sys holds errno */
    ERR_NOT_FOUND,     /* the named thing does not exist */
    ERR_EXISTS,        /* something is in the way and was left alone */
    ERR_INVALID,       /* what the user gave (argument, configuration, key file) is not usable */
    ERR_CORRUPT,       /* stored bytes are not what was written */
    ERR_KEY,           /* the key is missing, or does not open this */
    ERR_LOCKED,        /* another process holds it */
    ERR_NO_REPOSITORY, /* there is no repository at this place */
    ERR_NO_BUCKET,     /* a server has no bucket of this name */
    ERR_SOURCE,        /* what should be backed up could not be read whole */
    ERR_TARGET,        /* what should be restored to could not be written */
    ERR_REFUSED,       /* a rule forbids it (hold, lock, a guard) */
    ERR_STALE,         /* too old */
    ERR_DIVERGED,      /* a mirror does not match its repository */
    ERR_UNSUPPORTED,   /* a newer format, or a feature this store lacks */
    ERR_DENIED,        /* a server does not let us: credentials, capabilities, caps */
    ERR_CHANGED,       /* it is not the one that was meant any more */
    ERR_INTERRUPTED,   /* the user or the system asked to stop */
};

struct err {
    enum err_code code;
    int sys;            /* errno at the origin, or 0 */
    char message[1536]; /* never ends in a newline */
    char hint[512];     /* what to do next, or empty */
};

#define MUST_CHECK                       __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, first_at) __attribute__((format(printf, format_at, first_at)))

/* Sets code and message. Always returns -1, so that `return err_set(...)` ends a failing function. */
int err_set(struct err *err, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Sets the message from errno and appends its text. ENOENT becomes ERR_NOT_FOUND, EEXIST ERR_EXISTS, all others
 * ERR_SYSTEM. Always returns -1. */
int err_sys(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Prepends "context: " to the message. Always returns -1. */
int err_wrap(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Sets the hint, unless an inner function already gave one. Always returns -1. */
int err_hint(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

void err_clear(struct err *err);

/* The exit status of the program for this code, as the manual lists them. */
int err_exit_status(enum err_code code);

#endif
