#include <muniment/util/log.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line at a time, whichever log it goes to: they all end on the same terminal. */
static pthread_mutex_t one_line = PTHREAD_MUTEX_INITIALIZER;

static void log_line(struct log *log, enum log_level level, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
static void log_line(struct log *log, enum log_level level, const char *format, va_list arguments) {
    char *line = NULL;

    if (log == NULL || log->write == NULL)
        return;
    if (vasprintf(&line, format, arguments) < 0)
        return;

    /* A line is one line, and names from a disk must not steer a terminal. */
    size_t length = strlen(line);
    while (length > 0 && line[length - 1] == '\n')
        line[--length] = '\0';
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = line[i] == '\n' || line[i] == '\t' ? ' ' : '?';

    pthread_mutex_lock(&one_line);
    log->write(log->context, level, line);
    pthread_mutex_unlock(&one_line);
    free(line);
}

void log_error(struct log *log, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_line(log, LOG_ERROR, format, arguments);
    va_end(arguments);
}

void log_warning(struct log *log, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_line(log, LOG_WARNING, format, arguments);
    va_end(arguments);
}

void log_info(struct log *log, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_line(log, LOG_INFO, format, arguments);
    va_end(arguments);
}

void log_detail(struct log *log, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_line(log, LOG_DETAIL, format, arguments);
    va_end(arguments);
}
