#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/scratch.h"
#include <muniment/util/workers.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { MANY = 1000 };

/* What the workers share in these tests. */
struct tally {
    atomic_int done[MANY];
    atomic_int begun;
    atomic_int at_once, most_at_once;
    int fails; /* the item that does; -1: none */
};

static int count_item(void *context, void *item, struct err *err) {
    struct tally *tally = context;
    int number;
    memcpy(&number, item, sizeof number);
    atomic_fetch_add(&tally->begun, 1);
    int together = atomic_fetch_add(&tally->at_once, 1) + 1;
    int most = atomic_load(&tally->most_at_once);
    while (together > most && !atomic_compare_exchange_weak(&tally->most_at_once, &most, together))
        ;
    nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
    atomic_fetch_sub(&tally->at_once, 1);
    if (number == tally->fails)
        return err_set(err, ERR_CORRUPT, "item %d", number);
    atomic_fetch_add(&tally->done[number], 1);
    return 0;
}

static void every_item_is_done_once(void **state) {
    (void)state;
    for (unsigned threads = 0; threads <= 8; threads += 2) {
        struct err err = { 0 };
        static struct tally tally;
        memset(&tally, 0, sizeof tally);
        tally.fails = -1;
        struct workers *workers = workers_start(threads, sizeof(int), count_item, &tally);
        for (int i = 0; i < MANY; i++)
            assert_success(workers_give(workers, &i, &err), &err);
        assert_success(workers_finish(workers, &err), &err);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(tally.done[i], 1);
        assert_true(tally.most_at_once <= (threads < 2 ? 1 : (int)threads));
    }
}

static void nothing_given_is_nothing_done(void **state) {
    (void)state;
    struct err err = { 0 };
    static struct tally tally = { .fails = -1 };
    struct workers *workers = workers_start(4, sizeof(int), count_item, &tally);
    assert_success(workers_finish(workers, &err), &err);
    assert_int_equal(tally.begun, 0);
}

static void the_first_error_ends_the_work(void **state) {
    (void)state;
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        struct err err = { 0 }, last = { 0 };
        static struct tally tally;
        memset(&tally, 0, sizeof tally);
        tally.fails = 10;
        struct workers *workers = workers_start(threads, sizeof(int), count_item, &tally);
        int given = 0;
        while (given < MANY && workers_give(workers, &given, &err) == 0)
            given++;
        assert_true(given < MANY);
        assert_string_equal(err.message, "item 10");
        assert_failure(workers_finish(workers, &last), ERR_CORRUPT, &last);
        assert_true(tally.begun < 11 + 3 * (int)threads);
    }
}

static void an_error_of_the_last_item_is_told_at_the_end(void **state) {
    (void)state;
    struct err err = { 0 };
    static struct tally tally = { .fails = 2 };
    struct workers *workers = workers_start(3, sizeof(int), count_item, &tally);
    for (int i = 0; i < 2; i++)
        assert_success(workers_give(workers, &i, &err), &err);
    int last = 2;
    assert_success(workers_give(workers, &last, &err), &err);
    assert_failure(workers_finish(workers, &err), ERR_CORRUPT, &err);
}

static void stopping_waits_for_what_is_under_way(void **state) {
    (void)state;
    struct err err = { 0 };
    static struct tally tally = { .fails = -1 };
    struct workers *workers = workers_start(4, sizeof(int), count_item, &tally);
    for (int i = 0; i < 20; i++)
        assert_success(workers_give(workers, &i, &err), &err);
    workers_stop(workers);
    assert_int_equal(tally.at_once, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_is_done_once),
        cmocka_unit_test(nothing_given_is_nothing_done),
        cmocka_unit_test(the_first_error_ends_the_work),
        cmocka_unit_test(an_error_of_the_last_item_is_told_at_the_end),
        cmocka_unit_test(stopping_waits_for_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
