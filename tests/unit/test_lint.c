/* What is said of settings: each contradiction, with both its numbers, and nothing of settings that are fine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <muniment/run/lint.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, HOUR = 3600 };

/* Settings that nothing but notes is to be said of. */
struct setup {
    struct settings settings;
    struct set_settings set;
    struct mirror_settings mirrors[2];
    struct buffer text;
};

static int begin(void **state) {
    struct setup *setup = mem_zalloc(sizeof *setup);
    static char name[] = "app", near[] = "near", far[] = "far";
    setup->set = (struct set_settings){
        .name = name,
        .policy = { .daily = 7,
                    .weekly = 4,
                    .monthly = 3,
                    .max_age = 100 * DAY,
                    .purge_within = DAY,
                    .interval = DAY,
                    .timezone = "Europe/Copenhagen" },
        .journal_keep = JOURNAL_KEEP,
        .mirrors = setup->mirrors,
        .mirror_count = 1,
    };
    setup->mirrors[0] = (struct mirror_settings){ .name = near, .schedule = MIRROR_DAILY, .verify_percent = 5 };
    setup->mirrors[1] = (struct mirror_settings){ .name = far, .schedule = MIRROR_DAILY, .verify_percent = 5 };
    *state = setup;
    return 0;
}

static int end(void **state) {
    struct setup *setup = *state;
    buffer_release(&setup->text);
    free(setup);
    return 0;
}

static const char *judge(struct setup *setup) {
    struct lint lint = { 0 };
    size_t errors = 0;
    buffer_clear(&setup->text);
    lint_set(&setup->settings, &setup->set, &lint);
    for (size_t i = 0; i < lint.count; i++) {
        errors += lint.findings[i].severity == LINT_ERROR;
        buffer_printf(&setup->text, "%s: %s\n", lint_severity_text(lint.findings[i].severity), lint.findings[i].text);
    }
    assert_int_equal(lint.errors, errors);
    lint_release(&lint);
    return buffer_text(&setup->text);
}

static void assert_says(struct setup *setup, const char *expected) {
    if (strstr(judge(setup), expected) == NULL)
        fail_msg("nothing says: %s\n%s", expected, judge(setup));
}

static void assert_silent(struct setup *setup, const char *word) {
    if (strstr(judge(setup), word) != NULL)
        fail_msg("%s", judge(setup));
}

static void settings_that_are_fine_get_notes_only(void **state) {
    assert_silent(*state, "warning: ");
    assert_silent(*state, "error: ");
}

static void tiers_that_a_cap_cuts_are_named_with_both_numbers(void **state) {
    struct setup *setup = *state;
    setup->set.policy.monthly = 6;
    setup->set.policy.max_age = 90 * DAY;
    assert_says(setup, "warning: monthly: 6 configured, 3 effective, limited by max_age = 90 d\n");
    assert_silent(setup, "weekly");
}

static void a_policy_without_an_end_says_so(void **state) {
    struct setup *setup = *state;
    setup->set.policy = (struct policy){ .interval = DAY };
    assert_says(setup, "warning: no tiers and no max_age: every snapshot stays for ever\n");
    setup->set.policy.daily = 1;
    assert_says(setup, "warning: only one snapshot exists at a time");
}

static void an_interval_longer_than_a_period_is_named(void **state) {
    struct setup *setup = *state;
    setup->set.policy.interval = 7 * DAY;
    assert_says(setup, "warning: daily: 7 configured, but with interval = 7 d not every period has a snapshot");
    assert_silent(setup, "weekly: ");
    setup->set.policy.max_age = 6 * DAY;
    assert_says(setup, "error: max_age = 6 d is shorter than interval = 7 d");
}

static void a_cap_that_one_missed_run_breaks_is_named(void **state) {
    struct setup *setup = *state;
    setup->set.policy.max_age = 3 * DAY;
    assert_says(setup, "warning: max_age = 3 d leaves 18 h between expiry and deadline, and interval = 1 d");
    setup->set.policy.max_age = 4 * DAY;
    assert_silent(setup, "one missed run");
}

static void what_strict_means_is_said_either_way(void **state) {
    struct setup *setup = *state;
    assert_says(setup, "note: strict = false: while captures fail, the last good copy stays past its deadline "
                       "(max_age = 100 d)");
    setup->set.policy.strict = true;
    assert_says(setup, "note: strict = true: after 98 d without a capture there is no snapshot left (max_age = 100 d)");
}

static void purge_is_held_against_cap_and_schedule(void **state) {
    struct setup *setup = *state;
    assert_silent(setup, "purge_within");
    setup->set.policy.purge_within = 7 * DAY;
    assert_says(setup, "note: purge_within = 7 d, but what max_age = 100 d ends expires 2 d before its deadline");
    setup->set.policy.purge_within = HOUR;
    assert_says(setup, "note: purge_within = 1 h, but it is runs that purge, one every 1 d (interval)");
}

static void utc_is_pointed_out(void **state) {
    struct setup *setup = *state;
    assert_silent(setup, "timezone");
    strcpy(setup->set.policy.timezone, "UTC");
    assert_says(setup, "note: timezone = UTC: days, weeks, months and years begin at midnight in UTC");
}

static void a_promise_that_the_policy_breaks_is_an_error_with_both_numbers(void **state) {
    struct setup *setup = *state;
    setup->set.policy.max_age = 90 * DAY;
    setup->set.policy.monthly = 6;
    setup->set.erasure_promise = 30 * DAY;
    assert_says(setup,
                "error: erasure_promise = 30 d, but what is deleted stays in snapshots for up to 90 d, max_age = 90 d");
    setup->set.policy.max_age = 0;
    assert_says(setup, "error: erasure_promise = 30 d, but what is deleted stays in snapshots for up to 185 d\n");
    setup->set.policy = (struct policy){ .interval = DAY };
    assert_says(setup, "error: erasure_promise = 30 d, but what is deleted may stay in a snapshot for ever");
}

static void a_promise_that_nothing_binds_is_named(void **state) {
    struct setup *setup = *state;
    setup->set.policy = (struct policy){ .daily = 7, .interval = DAY, .timezone = "Europe/Copenhagen" };
    setup->set.erasure_promise = 30 * DAY;
    assert_says(setup, "warning: erasure_promise = 30 d is kept by the tiers alone, in 7 d");
    setup->set.policy.max_age = 30 * DAY;
    assert_silent(setup, "tiers alone");
    assert_says(setup, "warning: erasure_promise = 30 d, but strict = false");
    setup->set.policy.strict = true;
    assert_silent(setup, "erasure_promise");
}

static void a_journal_that_forgets_before_the_snapshots_go_is_named(void **state) {
    struct setup *setup = *state;
    setup->set.journal_keep = 31 * DAY;
    assert_says(setup, "warning: journal_keep = 31 d, but snapshots live up to 91 d");
    setup->set.journal_keep = 91 * DAY;
    assert_silent(setup, "journal_keep");
}

static void a_weekly_mirror_of_dailies_is_named(void **state) {
    struct setup *setup = *state;
    setup->mirrors[0].schedule = MIRROR_WEEKLY;
    assert_says(setup, "note: mirror 'near' is copied to every 7 d: its newest snapshot is up to 8 d old");
    assert_says(setup, "warning: mirror 'near' is copied to every 7 d, and deletions reach it every night: just before "
                       "a copy it has 0 of daily = 7");
    assert_silent(setup, "are gone before they are copied");
    setup->set.policy.daily = 5;
    assert_says(setup,
                "warning: mirror 'near' is copied to every 7 d, but daily = 5: 2 of 7 days are gone before they are");
    setup->set.policy.daily = 10;
    assert_says(setup, "just before a copy it has 3 of daily = 10");
    setup->set.policy.daily = 14;
    assert_silent(setup, "warning: ");
}

static void a_mirror_that_empties_before_it_is_copied_to_is_named(void **state) {
    struct setup *setup = *state;
    setup->mirrors[0].schedule = MIRROR_WEEKLY;
    setup->set.policy.max_age = 9 * DAY;
    assert_says(setup,
                "error: mirror 'near' is copied to every 7 d, but with max_age = 9 d snapshots expire after 7 d");
    setup->mirrors[0].schedule = MIRROR_MANUAL;
    setup->set.policy.max_age = 90 * DAY;
    assert_says(setup,
                "warning: mirror 'near' is copied to by hand, but deletions reach it with every run: 87 d after");
}

static void contents_that_are_never_read_back_are_named(void **state) {
    struct setup *setup = *state;
    setup->mirrors[0].verify_percent = 0;
    assert_says(setup, "warning: mirror 'near': verify_percent = 0: what it holds is never read back");
    setup->mirrors[0].verify_percent = 1;
    assert_says(setup,
                "note: mirror 'near': verify_percent = 1 reads all of it within 100 runs, but snapshots live for");
    setup->set.mirror_count = 0;
    assert_says(setup, "warning: no mirror: the repository is the only copy");
    assert_says(setup, "warning: no mirror and check_percent = 0: what is stored is never read back");
    setup->set.check_percent = 5;
    assert_silent(setup, "never read back");
}

static void locks_are_held_against_erasure_and_policy(void **state) {
    struct setup *setup = *state;
    setup->set.mirror_count = 2;
    setup->mirrors[1].lock = S3_LOCK_COMPLIANCE;
    assert_says(setup, "note: mirror 'far': lock = compliance: an erased set is unreadable at once, but its objects "
                       "stay up to 91 d");
    assert_silent(setup, "'near'");
    setup->settings.repository_lock = S3_LOCK_GOVERNANCE;
    setup->set.policy = (struct policy){ .interval = DAY };
    assert_says(setup, "error: repository: lock = governance, but the policy has neither tiers nor max_age");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(settings_that_are_fine_get_notes_only, begin, end),
        cmocka_unit_test_setup_teardown(tiers_that_a_cap_cuts_are_named_with_both_numbers, begin, end),
        cmocka_unit_test_setup_teardown(a_policy_without_an_end_says_so, begin, end),
        cmocka_unit_test_setup_teardown(an_interval_longer_than_a_period_is_named, begin, end),
        cmocka_unit_test_setup_teardown(a_cap_that_one_missed_run_breaks_is_named, begin, end),
        cmocka_unit_test_setup_teardown(what_strict_means_is_said_either_way, begin, end),
        cmocka_unit_test_setup_teardown(purge_is_held_against_cap_and_schedule, begin, end),
        cmocka_unit_test_setup_teardown(utc_is_pointed_out, begin, end),
        cmocka_unit_test_setup_teardown(a_promise_that_the_policy_breaks_is_an_error_with_both_numbers, begin, end),
        cmocka_unit_test_setup_teardown(a_promise_that_nothing_binds_is_named, begin, end),
        cmocka_unit_test_setup_teardown(a_journal_that_forgets_before_the_snapshots_go_is_named, begin, end),
        cmocka_unit_test_setup_teardown(a_weekly_mirror_of_dailies_is_named, begin, end),
        cmocka_unit_test_setup_teardown(a_mirror_that_empties_before_it_is_copied_to_is_named, begin, end),
        cmocka_unit_test_setup_teardown(contents_that_are_never_read_back_are_named, begin, end),
        cmocka_unit_test_setup_teardown(locks_are_held_against_erasure_and_policy, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
