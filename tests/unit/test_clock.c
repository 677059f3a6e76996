#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <muniment/util/clock.h>

#include "../lib/scratch.h"

static void a_time_is_written_in_utc(void **state) {
    char text[CLOCK_TEXT];
    (void)state;

    assert_string_equal(clock_format(text, 0), "1970-01-01T00:00:00Z");
    assert_string_equal(clock_format(text, 1772330400), "2026-03-01T02:00:00Z");
    assert_string_equal(clock_format(text, -1), "1969-12-31T23:59:59Z");
    assert_string_equal(clock_format(text, 951782400), "2000-02-29T00:00:00Z");
    assert_string_equal(clock_format_compact(text, 1772330400), "20260301T020000Z");
}

static void times_beyond_four_digit_years_keep_their_length(void **state) {
    char text[CLOCK_TEXT];
    (void)state;

    assert_string_equal(clock_format(text, INT64_MAX), "9999-12-31T23:59:59Z");
    assert_string_equal(clock_format(text, INT64_MIN), "0000-01-01T00:00:00Z");
    assert_int_equal(strlen(clock_format_compact(text, INT64_MAX)), 16);
    assert_int_equal(strlen(clock_format_compact(text, INT64_MIN)), 16);
}

/* A day in every month of four centuries, and some odd seconds: as gmtime has it, and back again. */
static void what_was_written_is_read_back(void **state) {
    struct err err = { 0 };
    (void)state;

    for (int64_t when = -12000000000; when < 12000000000; when += 2600000 + 3661) {
        char text[CLOCK_TEXT], expected[CLOCK_TEXT];
        const time_t seconds = (time_t)when;
        int64_t back = 0;
        struct tm parts;
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
        assert_string_equal(clock_format(text, when), expected);
        assert_success(clock_parse(text, &back, &err), &err);
        assert_true(back == when);
        assert_success(clock_parse_compact(clock_format_compact(text, when), &back, &err), &err);
        assert_true(back == when);
    }
}

static int64_t parsed(const char *text) {
    struct err err = { 0 };
    int64_t when = -1;

    assert_success(clock_parse(text, &when, &err), &err);
    return when;
}

static void offsets_and_dates_alone_are_understood(void **state) {
    (void)state;

    assert_true(parsed("2026-03-01T02:00:00Z") == 1772330400);
    assert_true(parsed("2026-03-01T03:00:00+01:00") == 1772330400);
    assert_true(parsed("2026-02-28T20:30:00-05:30") == 1772330400);
    assert_true(parsed("2026-03-01 02:00:00Z") == 1772330400);
    assert_true(parsed("2026-03-01") == 1772323200);
}

static void anything_else_is_no_time(void **state) {
    static const char *const wrong[] = {
        "",
        "2026",
        "2026-3-1",
        "2026-02-29",
        "2100-02-29",
        "2026-13-01",
        "2026-00-01",
        "2026-01-00",
        "2026-04-31",
        "2026-03-01T",
        "2026-03-01T02:00Z",
        "2026-03-01T02:00:00",
        "2026-03-01T24:00:00Z",
        "2026-03-01T02:60:00Z",
        "2026-03-01T02:00:61Z",
        "2026-03-01T02:00:00Zulu",
        "2026-03-01T02:00:00+1",
        "2026-03-01T02:00:00+25:00",
        " 2026-03-01",
        "2026-03-01 ",
        "yesterday",
    };
    struct err err = { 0 };
    int64_t when;
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_failure(clock_parse(wrong[i], &when, &err), ERR_INVALID, &err);
}

static void a_compact_time_is_read_from_the_beginning_of_a_name(void **state) {
    struct err err = { 0 };
    int64_t when = 0;
    (void)state;

    assert_success(clock_parse_compact("20260301T020000Z-abcdef", &when, &err), &err);
    assert_true(when == 1772330400);
    assert_failure(clock_parse_compact("20260301T020000", &when, &err), ERR_INVALID, &err);
    assert_failure(clock_parse_compact("20260230T020000Z", &when, &err), ERR_INVALID, &err);
    assert_failure(clock_parse_compact("", &when, &err), ERR_INVALID, &err);
}

static void spans_need_a_unit(void **state) {
    static const struct {
        const char *text;
        int64_t seconds;
    } right[] = { { "30s", 30 },     { "15m", 900 },     { "36h", 129600 }, { "90d", 7776000 },
                  { "2w", 1209600 }, { "1y", 31536000 }, { "0d", 0 } };
    static const char *const wrong[] = { "", "90", "d", "-1d", "+1d", "1.5h", "1d ", " 1d", "1dd", "1M", "1d12h" };
    struct err err = { 0 };
    int64_t seconds;
    (void)state;

    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        assert_success(clock_parse_span(right[i].text, &seconds, &err), &err);
        assert_true(seconds == right[i].seconds);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_failure(clock_parse_span(wrong[i], &seconds, &err), ERR_INVALID, &err);
    assert_failure(clock_parse_span("99999999999999999999s", &seconds, &err), ERR_INVALID, &err);
    assert_failure(clock_parse_span("9223372036854775807y", &seconds, &err), ERR_INVALID, &err);
    assert_failure(clock_parse_span("20000y", &seconds, &err), ERR_INVALID, &err);
}

static void spans_are_written_in_two_units_at_most(void **state) {
    static const struct {
        int64_t seconds;
        const char *text;
    } spans[] = {
        { 0, "0 s" },
        { 3, "3 s" },
        { 60, "1 min" },
        { 725, "12 min 5 s" },
        { 720, "12 min" },
        { 3600, "1 h" },
        { 5 * 3600 + 180, "5 h 3 min" },
        { 86400 + 4 * 3600 + 59, "1 d 4 h" },
        { 90 * 86400, "90 d" },
        { -90061, "-1 d 1 h" },
    };
    char text[CLOCK_TEXT];
    (void)state;

    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++)
        assert_string_equal(clock_format_span(text, spans[i].seconds), spans[i].text);
    assert_true(strlen(clock_format_span(text, INT64_MIN)) < CLOCK_TEXT);
    assert_true(strlen(clock_format_span(text, INT64_MAX)) < CLOCK_TEXT);
}

static void the_clocks_tell_the_time(void **state) {
    (void)state;

    const int64_t before = (int64_t)time(NULL);
    assert_true(clock_now() >= before);
    const double first = clock_monotonic();
    assert_true(clock_monotonic() >= first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_is_written_in_utc),
        cmocka_unit_test(times_beyond_four_digit_years_keep_their_length),
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(offsets_and_dates_alone_are_understood),
        cmocka_unit_test(anything_else_is_no_time),
        cmocka_unit_test(a_compact_time_is_read_from_the_beginning_of_a_name),
        cmocka_unit_test(spans_need_a_unit),
        cmocka_unit_test(spans_are_written_in_two_units_at_most),
        cmocka_unit_test(the_clocks_tell_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
