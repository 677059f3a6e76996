#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <muniment/run/bucket.h>
#include <muniment/run/place.h>
#include <muniment/util/buffer.h>
#include <muniment/util/memory.h>

enum { DAY = 86400 };

/* What a judgement said, a line each: "error: ...". */
struct verdict {
    struct set_settings set;
    struct s3_bucket bucket;
    struct s3_rule rules[2];
    struct bucket_use use;
    struct buffer text;
};

static int begin(void **state) {
    struct verdict *verdict = mem_zalloc(sizeof *verdict);
    static char name[] = "app", all[] = "";
    verdict->set = (struct set_settings){
        .name = name,
        .policy = { .daily = 7, .weekly = 4, .max_age = 60 * DAY, .interval = DAY, .timezone = "UTC" },
    };
    verdict->bucket = (struct s3_bucket){
        .versioning = S3_VERSIONING_ON,
        .locks = true,
        .locks_known = true,
        .rules_known = true,
        .rules = verdict->rules,
    };
    for (size_t i = 0; i < 2; i++)
        verdict->rules[i].prefix = all;
    verdict->use = (struct bucket_use){ &verdict->set, S3_LOCK_NONE, "muniment/" };
    *state = verdict;
    return 0;
}

static int end(void **state) {
    struct verdict *verdict = *state;
    buffer_release(&verdict->text);
    free(verdict);
    return 0;
}

static const char *judge(struct verdict *verdict) {
    struct lint lint = { 0 };
    buffer_clear(&verdict->text);
    bucket_judge(&verdict->bucket, &verdict->use, &lint);
    for (size_t i = 0; i < lint.count; i++)
        buffer_printf(&verdict->text, "%s: %s\n", lint_severity_text(lint.findings[i].severity), lint.findings[i].text);
    lint_release(&lint);
    return buffer_text(&verdict->text);
}

static void assert_says(struct verdict *verdict, const char *expected) {
    const char *said = judge(verdict);
    if (strstr(said, expected) == NULL)
        fail_msg("nothing says: %s\n%s", expected, said);
}

static void assert_no_problem(struct verdict *verdict) {
    if (strstr(judge(verdict), "error: ") != NULL)
        fail_msg("%s", judge(verdict));
}

static void a_plain_bucket_is_fine(void **state) {
    assert_no_problem(*state);
    assert_null(strstr(judge(*state), "warning: "));
}

static void a_lock_needs_a_bucket_that_can_lock(void **state) {
    struct verdict *verdict = *state;
    verdict->use.lock = S3_LOCK_GOVERNANCE;
    assert_no_problem(verdict);
    verdict->bucket.locks = false;
    assert_says(verdict, "error: a lock is asked for, but the bucket has no object lock");
    verdict->bucket.locks_known = false;
    assert_no_problem(verdict);
    assert_says(verdict, "warning: a lock is asked for, but this key or this server does not tell");
    verdict->bucket.versioning = S3_VERSIONING_OFF;
    assert_says(verdict, "error: a lock is asked for, but the bucket's versioning is off");
    verdict->bucket.versioning = S3_VERSIONING_SUSPENDED;
    assert_says(verdict, "versioning is suspended");
}

static void a_default_retention_beyond_the_policy_is_refused_with_both_numbers(void **state) {
    struct verdict *verdict = *state;
    verdict->bucket.default_mode = S3_LOCK_COMPLIANCE;
    verdict->bucket.default_days = 59;
    assert_says(verdict, "error: the default retention of the bucket is 59 d, but snapshots of set 'app' expire 58 d "
                         "after they began (max_age = 60 d)");
    verdict->bucket.default_days = 8;
    assert_says(verdict, "error: the default retention of the bucket is 8 d, but set 'app' may let a snapshot go after "
                         "7 d");
    verdict->bucket.default_days = 7;
    assert_no_problem(verdict);
    assert_says(verdict, "warning: the default retention of the bucket (7 d) locks whatever is written");
    verdict->set.policy.max_age = 0;
    verdict->bucket.default_days = 8;
    assert_says(verdict, "may let a snapshot go after 7 d");
}

static void a_rule_that_ends_objects_is_refused_where_it_covers_the_store(void **state) {
    struct verdict *verdict = *state;
    static char other[] = "logs/", inside[] = "muniment/x", outside[] = "muni";
    verdict->bucket.rule_count = 1;
    verdict->rules[0].expire = 400;
    assert_says(verdict, "error: a lifecycle rule of the bucket (prefix \"\") ends objects after 400 d, but set 'app' "
                         "keeps snapshots up to 27 d");
    verdict->rules[0].prefix = outside;
    assert_says(verdict, "error: a lifecycle rule");
    verdict->rules[0].prefix = inside;
    assert_says(verdict, "error: a lifecycle rule");
    verdict->rules[0].prefix = other;
    assert_no_problem(verdict);
    verdict->rules[0].expire = 0;
    verdict->rules[0].abort_uploads = 7;
    assert_no_problem(verdict);
    verdict->bucket.rules_known = false;
    assert_says(verdict, "warning: this key or this server does not tell the bucket's lifecycle rules");
}

static void days_of_hidden_versions_add_to_the_horizon(void **state) {
    struct verdict *verdict = *state;
    static char other[] = "logs/";
    struct policy_reach reach;
    plan_reach(&verdict->set.policy, &reach);
    assert_int_equal(reach.erasure_horizon, 28 * DAY);
    assert_says(verdict, "note: no lifecycle rule ends hidden versions");
    verdict->bucket.rule_count = 2;
    verdict->rules[0].expire_hidden = 30;
    verdict->rules[1].expire_hidden = 3;
    verdict->rules[1].prefix = other; /* not about the store */
    assert_no_problem(verdict);
    assert_says(verdict,
                "note: hidden versions are ended after 30 d: with a key that may not delete, the erasure horizon "
                "of set 'app' here is 58 d\n");
    verdict->set.erasure_promise = 57 * DAY;
    assert_says(verdict, "warning: hidden versions are ended after 30 d: with a key that may not delete, the erasure "
                         "horizon of set 'app' here is 58 d, and erasure_promise = 57 d\n");
    verdict->set.erasure_promise = 58 * DAY;
    assert_says(verdict, "note: hidden versions are ended after 30 d");
    verdict->rules[0].expire_hidden = 0;
    assert_says(verdict, "warning: no lifecycle rule ends hidden versions: a key that may not delete would leave them "
                         "for ever, and erasure_promise = 58 d\n");
    verdict->rules[0].expire_hidden = 30;
    struct s3_service item = { .name = (char[]){ "b2" }, .endpoint = (char[]){ "https://s3.example.org" } };
    const struct s3_services services = { &item, 1 };
    assert_int_equal(bucket_hidden_days(&verdict->bucket, "s3:b2/acme/muniment", &services), 30);
    assert_int_equal(bucket_hidden_days(&verdict->bucket, "s3:b2/acme/logs", &services), 3);
    assert_int_equal(bucket_hidden_days(&verdict->bucket, "s3:b3/acme/logs", &services), 0);
}

static void an_address_is_spelled_out_for_who_has_no_configuration(void **state) {
    (void)state;
    struct s3_service items[] = {
        { .name = (char[]){ "b2" }, .endpoint = (char[]){ "https://s3.example.org/" } },
        { .name = (char[]){ "sb" }, .endpoint = (char[]){ "https://ref.example.org/storage/v1/s3" } },
    };
    const struct s3_services services = { items, 2 };
    static const struct {
        const char *address, *expected;
    } CASES[] = {
        { "/backup", "/backup" },
        { "s3:b2/acme", "s3:https://s3.example.org/acme" },
        { "s3:b2/acme/a/b/", "s3:https://s3.example.org/acme/a/b" },
        { "s3:sb/acme/a", "s3:sb/acme/a" },
        { "s3:https://s3.example.org/acme", "s3:https://s3.example.org/acme" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char *text = store_spelled_out(CASES[i].address, &services);
        assert_string_equal(text, CASES[i].expected);
        free(text);
    }
    assert_true(stores_overlap("s3:b2/acme/a", "s3:https://S3.example.org/acme", &services));
    assert_true(stores_overlap("s3:b2/acme/a", "s3:https://s3.example.org:443/acme", &services));
    assert_false(stores_overlap("s3:b2/acme/a", "s3:https://s3.example.org:444/acme", &services));
    assert_false(stores_overlap("s3:b2/acme/a", "s3:b2/acme/ab", &services));
    assert_false(stores_overlap("s3:b2/acme", "/acme", &services));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_plain_bucket_is_fine),
        CASE(a_lock_needs_a_bucket_that_can_lock),
        CASE(a_default_retention_beyond_the_policy_is_refused_with_both_numbers),
        CASE(a_rule_that_ends_objects_is_refused_where_it_covers_the_store),
        CASE(days_of_hidden_versions_add_to_the_horizon),
        CASE(an_address_is_spelled_out_for_who_has_no_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
