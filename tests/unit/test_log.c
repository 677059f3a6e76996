#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <muniment/util/log.h>

/* Notices two threads inside at once. Not atomic: under a thread sanitiser that alone is a finding. */
struct sink {
    bool inside;
    size_t collisions;
    size_t lines;
    enum log_level level;
    char line[256];
};

static void keep_line(void *context, enum log_level level, const char *line) {
    struct sink *sink = context;

    sink->collisions += sink->inside;
    sink->inside = true;
    sink->lines++;
    sink->level = level;
    snprintf(sink->line, sizeof sink->line, "%s", line);
    sink->inside = false;
}

static void a_line_arrives_with_its_level(void **state) {
    struct sink sink = { 0 };
    struct log log = { .write = keep_line, .context = &sink };
    (void)state;

    log_error(&log, "set '%s': %d", "app", 7);
    assert_string_equal(sink.line, "set 'app': 7");
    assert_int_equal(sink.level, LOG_ERROR);
    log_warning(&log, "w");
    assert_int_equal(sink.level, LOG_WARNING);
    log_info(&log, "i");
    assert_int_equal(sink.level, LOG_INFO);
    log_detail(&log, "d");
    assert_int_equal(sink.level, LOG_DETAIL);
    assert_int_equal(sink.lines, 4);
}

static void a_line_is_one_line_and_steers_no_terminal(void **state) {
    struct sink sink = { 0 };
    struct log log = { .write = keep_line, .context = &sink };
    (void)state;

    log_info(&log, "file '%s'\n", "a\nb\x1b[2J\tc\x7f");
    assert_string_equal(sink.line, "file 'a b?[2J c?'");
}

static void no_log_swallows_everything(void **state) {
    struct log empty = { 0 };
    (void)state;

    log_error(NULL, "%d", 1);
    log_info(&empty, "%d", 1);
}

static void *talk(void *context) {
    for (int i = 0; i < 2000; i++)
        log_info(context, "line %d", i);
    return NULL;
}

static void threads_take_turns(void **state) {
    struct sink sink = { 0 };
    struct log log = { .write = keep_line, .context = &sink };
    pthread_t threads[4];
    (void)state;

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, talk, &log), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(sink.lines, 8000);
    assert_int_equal(sink.collisions, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_arrives_with_its_level),
        cmocka_unit_test(a_line_is_one_line_and_steers_no_terminal),
        cmocka_unit_test(no_log_swallows_everything),
        cmocka_unit_test(threads_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
