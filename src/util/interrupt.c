#include <muniment/util/interrupt.h>
#include <signal.h>
#include <string.h>

static volatile sig_atomic_t stop_signal;

static void remember_signal(int number) {
    stop_signal = number;
}

void interrupt_install(void) {
    struct sigaction action;

    /* No SA_RESTART: a call that waits must come back, so that its loop can look at the flag. */
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = remember_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);

    /* A reader that went away shall be an error of write(), not our end. */
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

bool interrupt_requested(void) {
    return stop_signal != 0;
}

int interrupt_check(struct err *err) {
    const int number = stop_signal;

    if (number == 0)
        return 0;
    return err_set(err, ERR_INTERRUPTED, "stopped by SIG%s", sigabbrev_np(number));
}
