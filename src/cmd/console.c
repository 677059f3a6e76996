#include "console_internal.h"
#include "output_internal.h"
#include <errno.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { DRAW_MILLISECONDS = 250 };

struct console {
    struct log log;
    enum log_level level;
    bool draws; /* progress is wanted, and there is a terminal for it */

    pthread_mutex_t lock; /* what is below, and the order of writes */
    bool line_shown;
    bool stopping;
    pthread_cond_t stop;

    pthread_t drawer;
    bool drawing;
    const char *what;
    struct progress *progress;
    double began;
};

static void erase_line(struct console *console) {
    if (console->line_shown)
        fputs("\r\033[K", stderr);
    console->line_shown = false;
}

static void console_write(void *context, enum log_level level, const char *line) {
    struct console *console = context;
    if (level > console->level)
        return;
    static const char *const PREFIXES[] = { [LOG_ERROR] = "muniment: ", [LOG_WARNING] = "muniment: warning: " };
    char *text = form_message(line);
    pthread_mutex_lock(&console->lock);
    erase_line(console);
    fprintf(stderr, "%s%s\n", level <= LOG_WARNING ? PREFIXES[level] : "", text);
    fflush(stderr);
    pthread_mutex_unlock(&console->lock);
    free(text);
}

struct console *console_new(enum log_level level, bool progress) {
    struct console *console = mem_zalloc(sizeof *console);
    console->log = (struct log){ .write = console_write, .context = console };
    console->level = level;
    console->draws = progress && isatty(STDERR_FILENO);
    pthread_mutex_init(&console->lock, NULL);

    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&console->stop, &attributes);
    pthread_condattr_destroy(&attributes);
    return console;
}

void console_free(struct console *console) {
    if (console == NULL)
        return;
    console_progress_stop(console);
    pthread_cond_destroy(&console->stop);
    pthread_mutex_destroy(&console->lock);
    free(console);
}

struct log *console_log(struct console *console) {
    return &console->log;
}

void console_error(struct console *console, const char *context, const struct err *err) {
    log_error(&console->log, "%s%s%s", context != NULL ? context : "", context != NULL ? ": " : "", err->message);
    if (err->hint[0] != '\0') {
        char *hint = form_message(err->hint);
        pthread_mutex_lock(&console->lock);
        fprintf(stderr, "hint: %s\n", hint);
        pthread_mutex_unlock(&console->lock);
        free(hint);
    }
}

/* --- progress ----------------------------------------------------------------------------------------------------- */

/* "restoring  12 GB of 40 GB  31 %  210 MB/s  2 min left" */
static void compose_line(const struct console *console, char *line, size_t size) {
    uint64_t done = atomic_load(&console->progress->done);
    uint64_t total = atomic_load(&console->progress->total);
    uint64_t items = atomic_load(&console->progress->items);
    double seconds = clock_monotonic() - console->began;

    char amount[FORM_TEXT], whole[FORM_TEXT], speed[FORM_TEXT], left[CLOCK_TEXT] = "";
    form_bytes(amount, done);
    form_bytes(whole, total);
    form_speed(speed, done, seconds);
    if (total == 0) {
        snprintf(line, size, "%s  %s  %llu items  %s", console->what, amount, (unsigned long long)items, speed);
        return;
    }
    int percent = done >= total ? 100 : (int)((double)done / (double)total * 100);
    if (done > 0 && done < total && seconds >= 1)
        clock_format_span(left, (int64_t)(seconds * (double)(total - done) / (double)done) + 1);
    snprintf(line, size, "%s  %s of %s  %d %%  %s%s%s%s", console->what, amount, whole, percent, speed,
             left[0] != '\0' ? "  " : "", left, left[0] != '\0' ? " left" : "");
}

static void draw_line(struct console *console) {
    char line[256];
    compose_line(console, line, sizeof line);
    struct winsize window = { 0 };
    size_t width = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1 ? window.ws_col - 1u : 79;
    if (strlen(line) > width)
        line[width] = '\0';
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
    console->line_shown = true;
}

static void *draw(void *context) {
    struct console *console = context;
    pthread_mutex_lock(&console->lock);
    while (!console->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += DRAW_MILLISECONDS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (pthread_cond_timedwait(&console->stop, &console->lock, &until) == ETIMEDOUT)
            draw_line(console);
    }
    erase_line(console);
    fflush(stderr);
    pthread_mutex_unlock(&console->lock);
    return NULL;
}

void console_progress_start(struct console *console, const char *what, struct progress *progress) {
    if (!console->draws || console->drawing)
        return;
    console->what = what;
    console->progress = progress;
    console->began = clock_monotonic();
    console->stopping = false;
    console->drawing = pthread_create(&console->drawer, NULL, draw, console) == 0;
}

void console_progress_stop(struct console *console) {
    if (!console->drawing)
        return;
    pthread_mutex_lock(&console->lock);
    console->stopping = true;
    pthread_cond_signal(&console->stop);
    pthread_mutex_unlock(&console->lock);
    pthread_join(console->drawer, NULL);
    console->drawing = false;
}
