/*
 * What the layers below cmd/ have to say to a person. They never print: they hand lines to the log they were
 * given, and cmd/ decides where the lines go. Safe to call from any thread.
 */
#ifndef MUNIMENT_UTIL_LOG_H
#define MUNIMENT_UTIL_LOG_H

#include <muniment/util/error.h>
#include <stdatomic.h>
#include <stdint.h>

enum log_level {
    LOG_ERROR,   /* something is wrong and the exit status says so */
    LOG_WARNING, /* worth reading; the run goes on */
    LOG_INFO,    /* one line a step */
    LOG_DETAIL,  /* shown with -v */
};

struct log {
    void (*write)(void *context, enum log_level level, const char *line); /* called by one thread at a time */
    void *context;
};

/* A NULL log swallows everything. */
void log_error(struct log *log, const char *format, ...) PRINTF_LIKE(2, 3);
void log_warning(struct log *log, const char *format, ...) PRINTF_LIKE(2, 3);
void log_info(struct log *log, const char *format, ...) PRINTF_LIKE(2, 3);
void log_detail(struct log *log, const char *format, ...) PRINTF_LIKE(2, 3);

/* How far a long piece of work has come; written by the worker, read by whoever draws it. */
struct progress {
    _Atomic uint64_t done;  /* bytes */
    _Atomic uint64_t total; /* bytes; 0 while unknown */
    _Atomic uint64_t items; /* entries, objects */
};

#endif
