#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/scratch.h"
#include <muniment/retention/plan.h>
#include <string.h>

static const struct policy CAPPED = { .daily = 7,
                                      .weekly = 4,
                                      .monthly = 6,
                                      .max_age = 7776000,
                                      .purge_within = 604800,
                                      .interval = 86400,
                                      .timezone = "Europe/Copenhagen" };

static void the_id_is_that_of_the_documented_text(void **state) {
    (void)state;
    char id[POLICY_ID];
    /* printf 'daily 7\nweekly 4\n...' | sha256sum | cut -c 1-16 */
    assert_string_equal(policy_id(&CAPPED, id), "373926e8fb20326e");
}

static void policies_that_mean_the_same_have_the_same_id(void **state) {
    (void)state;
    char one[POLICY_ID], other[POLICY_ID];
    struct policy plain = { .daily = 1 }, said = { .daily = 1, .interval = 86400, .timezone = "UTC" };
    assert_string_equal(policy_id(&plain, one), policy_id(&said, other));
}

static void every_setting_changes_the_id(void **state) {
    (void)state;
    struct policy changed[POLICY_FIELDS];
    for (int i = 0; i < POLICY_FIELDS; i++)
        changed[i] = CAPPED;
    changed[0].daily++;
    changed[1].weekly++;
    changed[2].monthly++;
    changed[3].yearly++;
    changed[4].max_age++;
    changed[5].purge_within++;
    changed[6].interval++;
    changed[7].strict = true;
    strcpy(changed[8].timezone, "UTC");
    char id[POLICY_ID], other[POLICY_ID];
    policy_id(&CAPPED, id);
    for (int i = 0; i < POLICY_FIELDS; i++)
        assert_string_not_equal(id, policy_id(&changed[i], other));
}

/* name, value, ..., NULL, as an entry of the journal has them. */
static void list_fields(const struct policy_text *text, const char *fields[2 * POLICY_FIELDS + 3]) {
    size_t count = 0;
    fields[count++] = "id";
    fields[count++] = "0011223344556677";
    for (int i = POLICY_FIELDS; i-- > 0;) {
        fields[count++] = text->names[i];
        fields[count++] = text->values[i];
    }
    fields[count] = NULL;
}

static void a_policy_comes_back_from_its_text(void **state) {
    (void)state;
    struct err err = { 0 };
    struct policy_text text;
    struct policy back;
    const char *fields[2 * POLICY_FIELDS + 3];
    policy_format(&CAPPED, &text);
    list_fields(&text, fields);
    assert_success(policy_parse(&back, fields, &err), &err);
    char id[POLICY_ID], other[POLICY_ID];
    assert_string_equal(policy_id(&CAPPED, id), policy_id(&back, other));
    assert_int_equal(back.monthly, 6);
    assert_int_equal(back.max_age, 7776000);
    assert_string_equal(back.timezone, "Europe/Copenhagen");
}

static void text_that_is_no_policy_is_refused(void **state) {
    (void)state;
    static const char *const wrong[POLICY_FIELDS] = { "4294967296", "-1", "",  "6 ", "9223372036854775808",
                                                      "7d",         "x",  "1", "" };
    struct policy_text text;
    struct policy back;
    const char *fields[2 * POLICY_FIELDS + 3];
    for (int i = 0; i < POLICY_FIELDS; i++) {
        struct err err = { 0 };
        policy_format(&CAPPED, &text);
        strcpy(text.values[i], wrong[i]);
        list_fields(&text, fields);
        assert_int_equal(policy_parse(&back, fields, &err), -1);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_non_null(strstr(err.message, text.names[i]));

        policy_format(&CAPPED, &text);
        text.names[i] = "other";
        list_fields(&text, fields);
        assert_int_equal(policy_parse(&back, fields, &err), -1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_id_is_that_of_the_documented_text),
        cmocka_unit_test(policies_that_mean_the_same_have_the_same_id),
        cmocka_unit_test(every_setting_changes_the_id),
        cmocka_unit_test(a_policy_comes_back_from_its_text),
        cmocka_unit_test(text_that_is_no_policy_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
