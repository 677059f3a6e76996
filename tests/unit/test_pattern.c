#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <muniment/util/pattern.h>

struct example {
    const char *pattern;
    const char *text;
    bool matches;
};

static void check(const struct example *examples, size_t count, bool (*match)(const char *, const char *)) {
    for (size_t i = 0; i < count; i++)
        if (match(examples[i].pattern, examples[i].text) != examples[i].matches)
            fail_msg("'%s' %s '%s'", examples[i].pattern, examples[i].matches ? "does not match" : "matches",
                     examples[i].text);
}

static void wildcards_match_what_they_say(void **state) {
    static const struct example examples[] = {
        { "", "", true },
        { "", "a", false },
        { "a", "", false },
        { "abc", "abc", true },
        { "abc", "abcd", false },
        { "abc", "ab", false },
        { "*", "", true },
        { "*", "abc", true },
        { "*", "a/b", false },
        { "a*c", "ac", true },
        { "a*c", "abbc", true },
        { "a*c", "abbcd", false },
        { "*a*b*", "xxaxxbxx", true },
        { "*a*b*", "xxbxxaxx", false },
        { "app*", "application", true },
        { "?", "a", true },
        { "?", "", false },
        { "?", "/", false },
        { "a?c", "abc", true },
        { "**", "", true },
        { "**", "a/b/c", true },
        { "a/**", "a/b/c", true },
        { "a/**", "a", false },
        { "a**c", "a/b/c", true },
        { "**/x", "x", true },
        { "**/x", "a/b/x", true },
        { "**/x", "ax", false },
        { "**/x", "abx", false },
        { "**/x", "a/bcx", false },
        { "a/**/b", "a/b", true },
        { "a/**/b", "a/x/b", true },
        { "a/**/b", "a/x/y/b", true },
        { "a/**/b", "a/xb", false },
        { "a/**/b", "ab", false },
        { "**/a/**/b", "x/a/a/y/b", true },
        { "***", "a/b", true },
    };
    (void)state;

    check(examples, sizeof examples / sizeof examples[0], pattern_match);
}

static void classes_hold_bytes_and_ranges(void **state) {
    static const struct example examples[] = {
        { "[abc]", "b", true },    { "[abc]", "d", false },         { "[a-c]x", "bx", true },
        { "[a-c]x", "dx", false }, { "[!a-c]", "d", true },         { "[!a-c]", "b", false },
        { "[^a]", "b", true },     { "[!a]", "/", false },          { "[.-0]", "/", false },
        { "[]]", "]", true },      { "[!]]", "]", false },          { "[a-]", "-", true },
        { "[-a]", "-", true },     { "[\\]]", "]", true },          { "[a\\-c]", "b", false },
        { "[a\\-c]", "-", true },  { "[abc", "[abc", true },        { "[", "[", true },
        { "a[", "a[", true },      { "[\x80-\xff]", "\xc3", true }, { "[a-z][0-9]", "q7", true },
        { "[*]", "*", true },      { "[*]", "x", false },           { "[z-a]", "m", false },
    };
    (void)state;

    check(examples, sizeof examples / sizeof examples[0], pattern_match);
}

static void a_backslash_makes_the_next_byte_literal(void **state) {
    static const struct example examples[] = {
        { "\\*", "*", true },    { "\\*", "x", false },    { "\\\\", "\\", true }, { "a\\?", "a?", true },
        { "a\\?", "ab", false }, { "\\[a]", "[a]", true }, { "a\\", "a\\", true }, { "\\a", "a", true },
    };
    (void)state;

    check(examples, sizeof examples / sizeof examples[0], pattern_match);
}

static void a_pattern_with_a_slash_is_about_the_whole_path(void **state) {
    static const struct example examples[] = {
        { "*.tmp", "a/b/x.tmp", true },
        { "*.tmp", "x.tmp", true },
        { "*.tmp", "x.tmp/y", false },
        { "b", "a/b", true },
        { "b", "b/a", false },
        { "a/b", "a/b", true },
        { "a/b", "x/a/b", false },
        { "/a/b", "a/b", true },
        { "a/b", "/a/b", true },
        { "/etc", "/etc", true },
        { "/etc", "x/etc", false },
        { "/*.conf", "a.conf", true },
        { "/*.conf", "x/a.conf", false },
        { "cache/", "a/cache", true },
        { "a/cache/", "a/cache", true },
        { "a/cache/", "x/a/cache", false },
        { "a/**/", "a/b/c", true },
        { "**/node_modules", "srv/app/node_modules", true },
        { "/", "a", false },
    };
    (void)state;

    check(examples, sizeof examples / sizeof examples[0], pattern_match_path);
}

static void any_of_several_patterns_will_do(void **state) {
    char *patterns[] = { (char[]){ "*.log" }, (char[]){ "var/cache/**" } };
    (void)state;

    assert_true(pattern_match_any(patterns, 2, "var/log/x.log"));
    assert_true(pattern_match_any(patterns, 2, "var/cache/a/b"));
    assert_false(pattern_match_any(patterns, 2, "var/lib/a"));
    assert_false(pattern_match_any(patterns, 0, "var/lib/a"));
    assert_false(pattern_match_any(NULL, 0, "x"));
}

/* Backtracking would take longer than the universe has: 2^60 ways to share the bytes among the stars. */
static void no_pattern_is_slow(void **state) {
    char pattern[400], text[2000];
    (void)state;

    for (size_t i = 0; i + 2 < sizeof pattern; i += 2)
        memcpy(pattern + i, "a*", 2);
    memcpy(pattern + sizeof pattern - 2, "b", 2);
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(pattern_match(pattern, text));
    text[sizeof text - 2] = 'b';
    assert_true(pattern_match(pattern, text));

    for (size_t i = 0; i + 3 < sizeof pattern; i += 3)
        memcpy(pattern + i, "**a", 3);
    assert_false(pattern_match(pattern, text));
    text[sizeof text - 2] = 'a';
    assert_true(pattern_match(pattern, text));
}

static void long_patterns_match_like_short_ones(void **state) {
    char pattern[1000], text[1000];
    (void)state;

    memset(pattern, 'x', sizeof pattern);
    pattern[sizeof pattern - 1] = '\0';
    memcpy(text, pattern, sizeof text);
    assert_true(pattern_match(pattern, text));
    pattern[500] = '?';
    assert_true(pattern_match(pattern, text));
    text[400] = 'y';
    assert_false(pattern_match(pattern, text));
}

/* Against a matcher that is slow and plain, over every short text and many patterns. */
static bool plain_match(const char *pattern, const char *text) {
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '*') {
        const bool all = pattern[1] == '*';
        for (const char *rest = text;; rest++) {
            if (plain_match(pattern + (all ? 2 : 1), rest))
                return true;
            if (*rest == '\0' || (*rest == '/' && !all))
                return false;
        }
    }
    if (*text == '\0')
        return false;
    return (*pattern == '?' ? *text != '/' : *pattern == *text) && plain_match(pattern + 1, text + 1);
}

static void a_plain_matcher_agrees(void **state) {
    static const char pattern_letters[] = "ab*?", text_letters[] = "ab/";
    (void)state;

    for (unsigned p = 0; p < 1024; p++) {
        char pattern[6];
        for (unsigned i = 0; i < 5; i++)
            pattern[i] = pattern_letters[p >> (2 * i) & 3];
        pattern[5] = '\0';
        for (unsigned t = 0; t < 243; t++) {
            char text[6] = "";
            for (unsigned i = 0, rest = t; i < 5; i++, rest /= 3)
                text[i] = text_letters[rest % 3];
            if (pattern_match(pattern, text) != plain_match(pattern, text))
                fail_msg("'%s' and '%s'", pattern, text);
        }
    }
}

static void a_slip_of_the_hand_finds_its_word(void **state) {
    static const char *const words[] = {
        "daily", "weekly", "monthly", "yearly", "max_age", "timezone", "purge_within"
    };
    const size_t count = sizeof words / sizeof words[0];
    char too_long[200];
    (void)state;

    assert_string_equal(pattern_nearest("dialy", words, count), "daily");
    assert_string_equal(pattern_nearest("montly", words, count), "monthly");
    assert_string_equal(pattern_nearest("maxage", words, count), "max_age");
    assert_string_equal(pattern_nearest("time_zone", words, count), "timezone");
    assert_string_equal(pattern_nearest("purge-within", words, count), "purge_within");
    assert_null(pattern_nearest("colour", words, count));
    assert_null(pattern_nearest("x", words, count));
    assert_null(pattern_nearest("", words, count));
    assert_null(pattern_nearest("daily", words, 0));
    memset(too_long, 'd', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    assert_null(pattern_nearest(too_long, words, count));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wildcards_match_what_they_say),
        cmocka_unit_test(classes_hold_bytes_and_ranges),
        cmocka_unit_test(a_backslash_makes_the_next_byte_literal),
        cmocka_unit_test(a_pattern_with_a_slash_is_about_the_whole_path),
        cmocka_unit_test(any_of_several_patterns_will_do),
        cmocka_unit_test(no_pattern_is_slow),
        cmocka_unit_test(long_patterns_match_like_short_ones),
        cmocka_unit_test(a_plain_matcher_agrees),
        cmocka_unit_test(a_slip_of_the_hand_finds_its_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
