#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <muniment/util/hex.h>
#include <string.h>

static void bytes_become_lower_case_digits(void **state) {
    char text[9];
    (void)state;

    assert_string_equal(hex_encode(text, "\x00\xff\x1a\x09", 4), "00ff1a09");
    assert_string_equal(hex_encode(text, "", 0), "");
}

static void digits_become_the_bytes_they_came_from(void **state) {
    uint8_t all[256], back[256];
    char text[2 * sizeof all + 1];
    (void)state;

    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    hex_encode(text, all, sizeof all);
    assert_true(hex_decode(back, sizeof back, text));
    assert_memory_equal(all, back, sizeof all);
}

static void anything_but_lower_case_digits_is_refused(void **state) {
    uint8_t bytes[4];
    (void)state;

    assert_false(hex_decode(bytes, 2, "00fF"));
    assert_false(hex_decode(bytes, 2, "00g0"));
    assert_false(hex_decode(bytes, 2, "00 0"));
    assert_false(hex_decode(bytes, 2, "00:0"));
    assert_false(hex_decode(bytes, 2, "00`0"));
    assert_false(hex_decode(bytes, 2, "00/0"));
}

static void a_short_text_is_refused_without_reading_past_its_end(void **state) {
    uint8_t bytes[4];
    char *text = test_malloc(4);
    (void)state;

    memcpy(text, "00f", 4);
    assert_false(hex_decode(bytes, 4, text));
    text[2] = '\0';
    assert_false(hex_decode(bytes, 4, text));
    test_free(text);
}

static void what_follows_the_digits_is_left_to_the_caller(void **state) {
    uint8_t bytes[2];
    (void)state;

    assert_true(hex_decode(bytes, 2, "beefZZ"));
    assert_memory_equal(bytes, "\xbe\xef", 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_become_lower_case_digits),
        cmocka_unit_test(digits_become_the_bytes_they_came_from),
        cmocka_unit_test(anything_but_lower_case_digits_is_refused),
        cmocka_unit_test(a_short_text_is_refused_without_reading_past_its_end),
        cmocka_unit_test(what_follows_the_digits_is_left_to_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
