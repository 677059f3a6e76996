#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <muniment/cmd/options.h>

#include "../lib/scratch.h"

static const char *no_environment(const char *name) {
    (void)name;
    return NULL;
}

static const char *some_environment(const char *name) {
    if (strcmp(name, "MUNIMENT_CONFIG") == 0)
        return "/from/environment";
    if (strcmp(name, "MUNIMENT_JSON") == 0)
        return "0";
    if (strcmp(name, "MUNIMENT_QUIET") == 0)
        return "1";
    if (strcmp(name, "MUNIMENT_STATE") == 0)
        return "";
    if (strcmp(name, "MUNIMENT_LOCK_WAIT") == 0)
        return "soon";
    return NULL;
}

enum { WORDS_MAX = 16 };

/* Parses a command line that is written as the words after the program's name, separated by '|'. */
static int parse(struct options *options, const char *line, options_environment *environment, struct err *err) {
    static char text[512];
    static char *words[WORDS_MAX];
    static char program[] = "muniment";
    char *rest = text;
    int count = 0;
    snprintf(text, sizeof text, "%s", line);
    words[count++] = program;
    while (line[0] != '\0' && rest != NULL && count < WORDS_MAX - 1)
        words[count++] = strsep(&rest, "|");
    words[count] = NULL;
    return options_parse(options, count, words, environment, err);
}

static void options_and_words_may_stand_in_any_order(void **state) {
    (void)state;
    static const char *const LINES[] = {
        "restore|app|--to|/back|-c|/conf|--json",
        "--json|-c/conf|restore|--to=/back|app",
        "-c|/conf|--json|--to|/back|--|restore|app",
    };
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        struct options options;
        struct err err = { 0 };
        assert_success(parse(&options, LINES[i], no_environment, &err), &err);
        assert_int_equal(options.word_count, 2);
        assert_string_equal(options.words[0], "restore");
        assert_string_equal(options.words[1], "app");
        assert_string_equal(option_text(&options, OPTION_TO), "/back");
        assert_string_equal(option_text(&options, OPTION_CONFIG), "/conf");
        assert_true(option_given(&options, OPTION_JSON));
        assert_false(option_given(&options, OPTION_QUIET));
        options_release(&options);
    }
}

static void words_after_two_dashes_are_words(void **state) {
    (void)state;
    struct options options;
    struct err err = { 0 };
    assert_success(parse(&options, "ls|app|--|--odd|-x|-", no_environment, &err), &err);
    assert_int_equal(options.word_count, 5);
    assert_string_equal(options.words[2], "--odd");
    assert_string_equal(options.words[4], "-");
    options_release(&options);
}

static void letters_may_be_joined(void **state) {
    (void)state;
    struct options options;
    struct err err = { 0 };
    assert_success(parse(&options, "-qvc|/conf|list", no_environment, &err), &err);
    assert_true(option_given(&options, OPTION_QUIET));
    assert_true(option_given(&options, OPTION_VERBOSE));
    assert_string_equal(option_text(&options, OPTION_CONFIG), "/conf");
    options_release(&options);
}

static void a_value_that_may_be_left_out_comes_after_the_equals_sign_alone(void **state) {
    (void)state;
    struct options options;
    struct err err = { 0 };
    assert_success(parse(&options, "check|--read-data|app", no_environment, &err), &err);
    assert_string_equal(option_text(&options, OPTION_READ_DATA), "");
    assert_int_equal(options.word_count, 2);
    options_release(&options);

    int64_t percent = 0;
    assert_success(parse(&options, "check|--read-data=7", no_environment, &err), &err);
    assert_success(option_number(&options, OPTION_READ_DATA, 1, 100, &percent, &err), &err);
    assert_int_equal(percent, 7);
    options_release(&options);
}

static void what_is_no_option_is_refused_with_the_nearest_one(void **state) {
    (void)state;
    struct options options;
    struct err err = { 0 };
    assert_int_not_equal(parse(&options, "restore|--overwrit", no_environment, &err), 0);
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.message, "--overwrit"));
    assert_non_null(strstr(err.hint, "--overwrite"));
    err_clear(&err);

    /* A passphrase itself is never an argument, where every process could read it. */
    assert_int_not_equal(parse(&options, "restore|--passphrase|secret", no_environment, &err), 0);
    assert_null(strstr(err.message, "secret"));
    err_clear(&err);
}

static void values_that_are_missing_or_given_twice_are_refused(void **state) {
    (void)state;
    static const char *const LINES[] = { "list|-c", "list|--config", "list|--config=",        "list|--json=yes",
                                         "list|-x", "list|--",       "list|-c|/a|--config|/b" };
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        struct options options;
        struct err err = { 0 };
        bool good = strcmp(LINES[i], "list|--") == 0;
        int result = parse(&options, LINES[i], no_environment, &err);
        if (good != (result == 0))
            fail_msg("%s: %s", LINES[i], good ? err.message : "accepted");
        if (good)
            options_release(&options);
    }
}

static void the_command_line_is_stronger_than_the_environment(void **state) {
    (void)state;
    struct options options;
    struct err err = { 0 };
    assert_success(parse(&options, "list", some_environment, &err), &err);
    assert_string_equal(option_text(&options, OPTION_CONFIG), "/from/environment");
    assert_true(option_given(&options, OPTION_QUIET));
    assert_false(option_given(&options, OPTION_JSON));  /* 0 is no */
    assert_false(option_given(&options, OPTION_STATE)); /* empty is absent */
    options_release(&options);

    assert_success(parse(&options, "list|-c|/from/line", some_environment, &err), &err);
    assert_string_equal(option_text(&options, OPTION_CONFIG), "/from/line");
    options_release(&options);
}

static void a_bad_value_names_the_option_or_the_variable_it_came_from(void **state) {
    (void)state;
    struct options options;
    struct err err = { 0 };
    int64_t value = 42;
    assert_success(parse(&options, "list|--days|-3", some_environment, &err), &err);
    assert_int_not_equal(option_number(&options, OPTION_DAYS, 1, 10, &value, &err), 0);
    assert_non_null(strstr(err.message, "--days"));
    err_clear(&err);
    assert_int_not_equal(option_number(&options, OPTION_LOCK_WAIT, 0, 10, &value, &err), 0);
    assert_non_null(strstr(err.message, "MUNIMENT_LOCK_WAIT"));
    err_clear(&err);
    assert_int_equal(value, 42);
    options_release(&options);

    static const char *const BAD[] = { "11", "0", "5x", "x", "99999999999999999999" };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        char line[64];
        snprintf(line, sizeof line, "list|--days|%s", BAD[i]);
        assert_success(parse(&options, line, no_environment, &err), &err);
        assert_failure(option_number(&options, OPTION_DAYS, 1, 10, &value, &err), ERR_INVALID, &err);
        options_release(&options);
    }
}

static void times_and_spans_are_read(void **state) {
    (void)state;
    struct options options;
    struct err err = { 0 };
    int64_t when = 0, span = 0;
    assert_success(parse(&options, "x|--time|2026-03-01T03:00:00+01:00|--max-age|26h", no_environment, &err), &err);
    assert_success(option_time(&options, OPTION_TIME, &when, &err), &err);
    assert_success(option_span(&options, OPTION_MAX_AGE, &span, &err), &err);
    assert_int_equal(when, 1772330400);
    assert_int_equal(span, 26 * 3600);
    options_release(&options);

    assert_success(parse(&options, "x|--time|yesterday|--max-age|26", no_environment, &err), &err);
    assert_failure(option_time(&options, OPTION_TIME, &when, &err), ERR_INVALID, &err);
    assert_failure(option_span(&options, OPTION_MAX_AGE, &span, &err), ERR_INVALID, &err);
    options_release(&options);
}

static void a_command_refuses_options_of_others(void **state) {
    (void)state;
    struct options options;
    struct err err = { 0 };
    assert_success(parse(&options, "list|--apply|--json", some_environment, &err), &err);
    assert_success(options_accept(&options, OPTION_BIT(OPTION_APPLY), "rotate", &err), &err);
    assert_int_not_equal(options_accept(&options, OPTION_BIT(OPTION_TO), "list", &err), 0);
    assert_non_null(strstr(err.message, "--apply"));
    assert_non_null(strstr(err.message, "list"));
    options_release(&options);
}

static void secrets_of_object_storage_are_files_never_values(void **state) {
    (void)state;
    struct options options;
    struct err err = { 0 };
    assert_success(parse(&options,
                         "restore|.|--from|s3:https://h/b|--credentials|/c|--region=r|--ca-file|/ca|--plain-http|"
                         "--to-bucket|s3:x|--as-of|2026-03-01",
                         no_environment, &err),
                   &err);
    assert_success(options_accept(&options,
                                  OPTIONS_OF_ANY_READING | OPTION_BIT(OPTION_AS_OF) | OPTION_BIT(OPTION_TO_BUCKET),
                                  "restore", &err),
                   &err);
    assert_string_equal(option_text(&options, OPTION_CREDENTIALS), "/c");
    assert_string_equal(option_text(&options, OPTION_REGION), "r");
    assert_true(option_given(&options, OPTION_PLAIN_HTTP));
    options_release(&options);
    static const char *const LINES[] = { "list|--secret-key|hush", "list|--access-key=hush",
                                         "list|--session-token|hush" };
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        assert_failure(parse(&options, LINES[i], no_environment, &err), ERR_INVALID, &err);
        assert_null(strstr(err.message, "hush"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_words_may_stand_in_any_order),
        cmocka_unit_test(words_after_two_dashes_are_words),
        cmocka_unit_test(letters_may_be_joined),
        cmocka_unit_test(a_value_that_may_be_left_out_comes_after_the_equals_sign_alone),
        cmocka_unit_test(what_is_no_option_is_refused_with_the_nearest_one),
        cmocka_unit_test(values_that_are_missing_or_given_twice_are_refused),
        cmocka_unit_test(the_command_line_is_stronger_than_the_environment),
        cmocka_unit_test(a_bad_value_names_the_option_or_the_variable_it_came_from),
        cmocka_unit_test(times_and_spans_are_read),
        cmocka_unit_test(a_command_refuses_options_of_others),
        cmocka_unit_test(secrets_of_object_storage_are_files_never_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
