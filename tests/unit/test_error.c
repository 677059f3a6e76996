#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <muniment/util/error.h>

static void contexts_read_from_the_outside_in_and_the_cause_stays(void **state) {
    struct err err = { 0 };
    (void)state;

    errno = ENOSPC;
    assert_int_equal(err_sys(&err, "write '%s'", "/backup/x"), -1);
    assert_int_equal(err_wrap(&err, "store pack %d", 7), -1);
    assert_int_equal(err_wrap(&err, "snapshot"), -1);
    assert_string_equal(err.message, "snapshot: store pack 7: write '/backup/x': No space left on device");
    assert_int_equal(err.code, ERR_SYSTEM);
    assert_int_equal(err.sys, ENOSPC);
}

static void an_absent_file_and_one_in_the_way_have_their_own_codes(void **state) {
    struct err err = { 0 };
    (void)state;

    errno = ENOENT;
    err_sys(&err, "open");
    assert_int_equal(err.code, ERR_NOT_FOUND);
    errno = EEXIST;
    err_sys(&err, "create");
    assert_int_equal(err.code, ERR_EXISTS);
}

static void the_innermost_hint_stays(void **state) {
    struct err err = { 0 };
    (void)state;

    err_set(&err, ERR_KEY, "no key");
    assert_int_equal(err_hint(&err, "give %s", "--key"), -1);
    err_hint(&err, "something vaguer");
    assert_string_equal(err.hint, "give --key");
}

static void a_new_error_forgets_the_old_one(void **state) {
    struct err err = { 0 };
    (void)state;

    errno = EIO;
    err_sys(&err, "read");
    err_hint(&err, "look at the disk");
    err_set(&err, ERR_LOCKED, "locked");
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.hint, "");
    assert_string_equal(err.message, "locked");
    err_clear(&err);
    assert_int_equal(err.code, ERR_NONE);
    assert_string_equal(err.message, "");
}

static void a_message_may_be_made_from_itself(void **state) {
    struct err err = { 0 };
    (void)state;

    err_set(&err, ERR_SOURCE, "inner");
    err_set(&err, ERR_SOURCE, "outer (%s)", err.message);
    assert_string_equal(err.message, "outer (inner)");
    err_wrap(&err, "%s", err.message);
    assert_string_equal(err.message, "outer (inner): outer (inner)");
}

static void too_long_a_context_is_cut_before_the_cause_is(void **state) {
    struct err err = { 0 };
    char context[4000];
    (void)state;

    memset(context, 'c', sizeof context - 1);
    context[sizeof context - 1] = '\0';
    err_set(&err, ERR_CORRUPT, "the cause");
    for (int i = 0; i < 5; i++)
        err_wrap(&err, "%s", context);
    const size_t length = strlen(err.message);
    assert_true(length < sizeof err.message);
    assert_string_equal(err.message + length - strlen(": the cause"), ": the cause");

    err_set(&err, ERR_CORRUPT, "%s", context);
    errno = EACCES;
    err_sys(&err, "%s", context);
    assert_true(strlen(err.message) < sizeof err.message);
    err_hint(&err, "%s", context);
    assert_true(strlen(err.hint) < sizeof err.hint);
}

static void control_characters_never_reach_a_terminal(void **state) {
    struct err err = { 0 };
    (void)state;

    err_set(&err, ERR_SOURCE, "file '%s'\n\n", "a\x1b[2Jb\rc\x7f");
    assert_string_equal(err.message, "file 'a?[2Jb?c?'");
    err_set(&err, ERR_SOURCE, "pg_dump: one\npg_dump: two\n");
    assert_string_equal(err.message, "pg_dump: one\npg_dump: two");
}

static void an_error_that_interests_nobody_needs_no_place(void **state) {
    (void)state;

    errno = EIO;
    assert_int_equal(err_set(NULL, ERR_SOURCE, "x"), -1);
    assert_int_equal(err_sys(NULL, "x"), -1);
    assert_int_equal(err_wrap(NULL, "x"), -1);
    assert_int_equal(err_hint(NULL, "x"), -1);
    err_clear(NULL);
}

static void every_code_has_the_exit_status_of_the_manual(void **state) {
    static const struct {
        enum err_code code;
        int status;
    } statuses[] = {
        { ERR_NONE, 0 },           { ERR_SYSTEM, 1 },    { ERR_NOT_FOUND, 1 }, { ERR_EXISTS, 1 },
        { ERR_INVALID, 2 },        { ERR_CORRUPT, 20 },  { ERR_KEY, 12 },      { ERR_LOCKED, 11 },
        { ERR_NO_REPOSITORY, 10 }, { ERR_NO_BUCKET, 2 }, { ERR_SOURCE, 1 },    { ERR_TARGET, 1 },
        { ERR_REFUSED, 23 },       { ERR_STALE, 22 },    { ERR_DIVERGED, 24 }, { ERR_UNSUPPORTED, 1 },
        { ERR_INTERRUPTED, 130 },
    };
    (void)state;

    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        assert_int_equal(err_exit_status(statuses[i].code), statuses[i].status);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts_read_from_the_outside_in_and_the_cause_stays),
        cmocka_unit_test(an_absent_file_and_one_in_the_way_have_their_own_codes),
        cmocka_unit_test(the_innermost_hint_stays),
        cmocka_unit_test(a_new_error_forgets_the_old_one),
        cmocka_unit_test(a_message_may_be_made_from_itself),
        cmocka_unit_test(too_long_a_context_is_cut_before_the_cause_is),
        cmocka_unit_test(control_characters_never_reach_a_terminal),
        cmocka_unit_test(an_error_that_interests_nobody_needs_no_place),
        cmocka_unit_test(every_code_has_the_exit_status_of_the_manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
