#include "transport_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

enum {
    FIRST_WAIT = 1000, /* milliseconds: the bound of the first wait; it doubles with every failure */
    LONGEST_WAIT = 60000,
    SLICE = 100,       /* after which an interrupt is noticed */
    LONG_WAIT = 15000, /* worth telling a person */
};

bool s3_retry_is_worth(long status, const char *code) {
    static const char *const passing[] = { "RequestTimeout", "SlowDown",           "InternalError",
                                           "BadDigest",      "IncompleteBody",     "XAmzContentSHA256Mismatch",
                                           "Busy",           "ServiceUnavailable", "OperationAborted" };

    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (strcmp(code, passing[i]) == 0)
            return true;
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

/* Counted, not measured: a clock that stands still must not make a wait endless. */
static int wait_for(int64_t milliseconds, struct err *err) {
    for (int64_t left = milliseconds; left > 0; left -= SLICE) {
        const struct timespec slice = { .tv_nsec = (left < SLICE ? left : SLICE) * 1000000L };
        if (interrupt_check(err) < 0)
            return -1;
        nanosleep(&slice, NULL);
    }
    return interrupt_check(err);
}

static int give_up(const struct s3_retry *retry, double passed, struct err *err) {
    char span[CLOCK_TEXT];

    if (retry->tries <= 1)
        return -1;
    return err_wrap(err, "gave up after %u tries in %s", retry->tries, clock_format_span(span, (int64_t)passed));
}

int s3_retry_wait(struct s3_retry *retry, struct s3 *s3, const char *what, int64_t retry_after, struct err *err) {
    const int64_t budget = s3_retry_time(s3) * 1000;
    const double now = clock_monotonic();
    int64_t bound = FIRST_WAIT, wait;

    for (unsigned i = 0; i < retry->failed && bound < LONGEST_WAIT; i++)
        bound *= 2;
    retry->failed++;
    retry->tries++;
    if (bound > LONGEST_WAIT)
        bound = LONGEST_WAIT;
    wait = randombytes_uniform((uint32_t)bound + 1);

    const double passed = now - retry->start > retry->waited ? now - retry->start : retry->waited;
    const int64_t left = budget - (int64_t)(passed * 1000);
    if (wait > left)
        wait = left; /* one last try when the time is over */
    if (retry_after * 1000 > wait)
        wait = retry_after * 1000;
    if (left <= 0 || wait > left)
        return give_up(retry, passed, err);

    if (wait >= LONG_WAIT)
        log_warning(s3_log(s3), "%s: %s; again in %lld s", what, err ? err->message : "failed",
                    (long long)(wait / 1000));
    else
        log_detail(s3_log(s3), "%s: %s; again in %.1f s", what, err ? err->message : "failed", (double)wait / 1000);
    retry->waited += (double)wait / 1000;
    return wait_for(wait, err);
}
