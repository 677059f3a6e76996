#include "store_internal.h"
#include <errno.h>
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
    HOLDER_MAX = 128,
    HOST_MAX = 64,
    RETRY_INTERVAL = 100 * 1000 * 1000, /* ns between two tries while waiting */
    DEAD_HOLDER_WAIT = 5,               /* seconds that a lock whose holder is dead is waited for, in any case */
};

/* Who has it, for the message of those who wait. The lock is the flock; this text is only a courtesy. */
static void write_holder(int fd) {
    char host[HOST_MAX] = "", holder[HOLDER_MAX];

    if (gethostname(host, sizeof host - 1) < 0)
        host[0] = '\0';
    const int length = snprintf(holder, sizeof holder, "process %ld on %s\n", (long)getpid(), host);
    if (length < 0 || ftruncate(fd, 0) < 0)
        return;
    const ssize_t ignored = pwrite(fd, holder, strlen(holder), 0);
    (void)ignored;
}

static void read_holder(int fd, char holder[HOLDER_MAX]) {
    const ssize_t got = pread(fd, holder, HOLDER_MAX - 1, 0);

    holder[got > 0 ? got : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    if (holder[0] == '\0')
        strcpy(holder, "another process");
}

/* A holder that was killed while it started a child leaves the lock to that child until its exec, an instant later. */
static bool holder_is_dead(const char *holder) {
    char host[HOST_MAX] = "", there[HOST_MAX] = "";
    long pid = 0;

    return gethostname(host, sizeof host - 1) == 0 && sscanf(holder, "process %ld on %63s", &pid, there) == 2 &&
           strcmp(host, there) == 0 && pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

int lock_file_take(int fd, const char *name, const char *label, int64_t wait, struct err *err) {
    const struct timespec interval = { .tv_nsec = RETRY_INTERVAL };
    const double began = clock_monotonic(), end = began + (double)wait;
    char holder[HOLDER_MAX];

    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_sys(err, "lock '%s' in '%s'", name, label);
        if (interrupt_check(err) < 0)
            return err_wrap(err, "wait for the lock '%s' in '%s'", name, label);
        read_holder(fd, holder);
        if (clock_monotonic() >= end && !(clock_monotonic() < began + DEAD_HOLDER_WAIT && holder_is_dead(holder))) {
            err_set(err, ERR_LOCKED, "%s holds the lock '%s' in '%s'", holder, name, label);
            return err_hint(err, "it is freed when that process ends; --lock-wait SECONDS waits for it");
        }
        nanosleep(&interval, NULL);
    }
    write_holder(fd);
    return 0;
}

void lock_file_release(int fd) {
    /* The next holder's text is not there at once, and ours would be wrong; without any it is "another process". */
    const int ignored = ftruncate(fd, 0);
    (void)ignored;
    close(fd);
}
