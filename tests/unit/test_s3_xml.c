#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "../../src/s3/transport_internal.h"
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static int write_down(void *context, const char *path, const char *text, struct err *err) {
    (void)err;
    buffer_printf(context, "%s=%s;", path, text);
    return 0;
}

static int take_nothing(void *context, const char *path, const char *text, struct err *err) {
    (void)context;
    (void)path;
    (void)text;
    return err_set(err, ERR_REFUSED, "enough");
}

static void reads(const char *document, const char *expected) {
    struct buffer seen = { 0 };
    struct err err = { 0 };

    if (s3_xml_parse(document, strlen(document), write_down, &seen, &err) < 0)
        fail_msg("%s: %s", document, err.message);
    assert_string_equal(buffer_text(&seen), expected);
    buffer_release(&seen);
}

static void refuses_bytes(const void *document, size_t length, const char *because) {
    struct buffer seen = { 0 };
    struct err err = { 0 };

    if (s3_xml_parse(document, length, write_down, &seen, &err) == 0)
        fail_msg("%.*s was taken", (int)length, (const char *)document);
    assert_int_equal(err.code, ERR_CORRUPT);
    if (!strstr(err.message, because))
        fail_msg("'%s' does not say '%s'", err.message, because);
    buffer_release(&seen);
}

static void refuses(const char *document, const char *because) {
    refuses_bytes(document, strlen(document), because);
}

static void elements_come_as_they_end_with_their_paths(void **state) {
    (void)state;
    reads("<a/>", "a=;");
    reads("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<r xmlns=\"http://s3\">\n  <k>one</k>\n  <c><k> two "
          "</k></c>\n</r>\n",
          "r/k=one;r/c/k= two ;r/c=;r=;");
    reads(" \r\n <?xml version=\"1.0\"?>\r\n   <r>x</r>  ", "r=x;");
    reads("<r a=\"1\" b='2'><![CDATA[<k>&amp;]]></r>", "r=<k>&amp;;");
    reads("<r>a<!-- not this -->b<?nor this?>c</r>", "r=abc;");
}

static void the_five_entities_and_numbers_are_known_and_no_others(void **state) {
    (void)state;
    reads("<r>&amp;&lt;&gt;&quot;&apos;&#65;&#x42;&#13;</r>", "r=&<>\"'AB\r;");
    refuses("<r>&nbsp;</r>", "undefined entity");
    refuses("<r>&#0;</r>", "invalid character");
}

static void control_characters_of_keys_are_taken(void **state) {
    (void)state;
    reads("<r>a\x01&#x1f;b&#2;&#x01;&#0000031;&amp;#1;\x7f&#x7f;</r>", "r=a\x01\x1f"
                                                                       "b\x02\x01\x1f&#1;\x7f\x7f;");
    reads("<r><k>&#1;</k><k>&#9;&#10;&#13;</k></r>", "r/k=\x01;r/k=\t\n\r;r=;");
    refuses("<r>&#x00;</r>", "invalid character");
    refuses("<r>&#1</r>", "line 1");
    refuses("<r>\x01<![CDATA[&#1;]]></r>", "line 1");
    refuses("<r>\x01\xf3\xb0\x80\x81</r>", "line 1");
    reads("<r>\xf3\xb0\x80\x81</r>", "r=\xf3\xb0\x80\x81;");
}

static void keys_that_are_not_utf8_are_taken(void **state) {
    (void)state;
    reads("<r>caf\xe9/\xff\xfe.bin</r>", "r=caf\xe9/\xff\xfe.bin;");
    reads("<r>\x80\xc0\x80\xed\xa0\x80\xef\xbf\xbf\xf4\x90\x80\x80\xf3\xb0&#2;</r>",
          "r=\x80\xc0\x80\xed\xa0\x80\xef\xbf\xbf\xf4\x90\x80\x80\xf3\xb0\x02;");
    reads("<r><k>\xff</k><k>\xc3\xbf\xe2\x82\xac\xf0\x9f\x99\x82</k></r>",
          "r/k=\xff;r/k=\xc3\xbf\xe2\x82\xac\xf0\x9f\x99\x82;r=;");
    reads("<r>\xe9&amp;\xe9&lt;\xe9</r>", "r=\xe9&\xe9<\xe9;");
    refuses("<r>\xff\xf3\xb0\x80\x81</r>", "line 1");
    refuses("<r\xff/>", "line 1");
    refuses("<r>\xe2\x82", "line 1");
}

static void document_types_are_refused_before_anything_is_expanded(void **state) {
    (void)state;
    refuses("<!DOCTYPE r><r/>", "document type");
    refuses("<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r/>", "document type");
    refuses("<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><r>&x;</r>", "document type");
    refuses("<!DOCTYPE r [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]><r>&c;</r>",
            "document type");
}

static void what_is_not_xml_is_refused(void **state) {
    static const char *const documents[] = { "",      " ",        "nonsense",          "<r>", "<r></s>", "<r/><r/>",
                                             "<r/>x", "<r a=1/>", "<r>\xff<\xff/></r>" };
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        refuses(documents[i], "line 1 of the answer");
    refuses_bytes("<r>\0</r>", 8, "line 1");
    refuses("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><r>\xe4</r>", "not UTF-8");
    refuses("<r>text<k/></r>", "text stands between");
    refuses("<r><k/>text</r>", "text stands between");
}

static void depth_and_text_are_bounded(void **state) {
    struct buffer document = { 0 }, seen = { 0 };
    struct err err = { 0 };
    (void)state;

    for (int i = 0; i < 16; i++)
        buffer_put(&document, "<r>", 3);
    for (int i = 0; i < 16; i++)
        buffer_put(&document, "</r>", 4);
    assert_int_equal(s3_xml_parse(document.data, document.length, write_down, &seen, &err), 0);
    buffer_clear(&document);
    for (int i = 0; i < 17; i++)
        buffer_put(&document, "<r>", 3);
    refuses(buffer_text(&document), "too deep");

    /* A single name as long as a path may be. */
    buffer_clear(&document);
    buffer_put_u8(&document, '<');
    memset(buffer_extend(&document, 1024), 'r', 1024);
    buffer_put(&document, "/>", 2);
    refuses(buffer_text(&document), "too deep");

    buffer_clear(&document);
    buffer_put(&document, "<r>", 3);
    memset(buffer_extend(&document, 65536), 'x', 65536);
    buffer_put(&document, "</r>", 4);
    assert_int_equal(s3_xml_parse(document.data, document.length, write_down, &seen, &err), 0);
    document.length -= 4;
    buffer_put(&document, "x</r>", 5);
    refuses(buffer_text(&document), "64 KiB");
    buffer_release(&document);
    buffer_release(&seen);
}

static void a_document_of_many_pieces_is_read_whole(void **state) {
    struct buffer document = { 0 }, seen = { 0 };
    struct err err = { 0 };
    const size_t count = 200000;
    (void)state;

    buffer_put(&document, "<r>", 3);
    for (size_t i = 0; i < count; i++)
        buffer_put(&document, "<k>0123456789</k>", 17);
    buffer_put(&document, "</r>", 4);
    assert_int_equal(s3_xml_parse(document.data, document.length, write_down, &seen, &err), 0);
    assert_int_equal(seen.length, count * 15 + 3);
    buffer_release(&document);
    buffer_release(&seen);
}

static void an_error_of_the_caller_ends_it_unchanged(void **state) {
    struct err err = { 0 };
    (void)state;
    assert_int_equal(s3_xml_parse("<r><k/></s>", 11, take_nothing, NULL, &err), -1);
    assert_int_equal(err.code, ERR_REFUSED);
    assert_string_equal(err.message, "enough");
}

static void escaped_text_reads_back_equal(void **state) {
    char text[128], expected[160];
    struct buffer document = { 0 };
    (void)state;

    for (int i = 0; i < 127; i++)
        text[i] = (char)(i < 31 ? "\t\n\r\"'&<>"[i % 8] : i + 1);
    text[127] = '\0';
    buffer_printf(&document, "<r>");
    s3_xml_escape(&document, text);
    buffer_printf(&document, "</r>");
    snprintf(expected, sizeof expected, "r=%s;", text);
    reads(buffer_text(&document), expected);

    buffer_clear(&document);
    s3_xml_escape(&document, "a\x01<\x7f\xc3\xa4");
    assert_string_equal(buffer_text(&document), "a&#1;&#60;&#127;\xc3\xa4");
    buffer_release(&document);
}

static bool is_error(const char *document) {
    return s3_xml_is_error(document, strlen(document));
}

static void errors_are_told_from_answers(void **state) {
    (void)state;
    assert_true(is_error("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>SlowDown</Code><Message>Later, "
                         "please</Message><RequestId>1</RequestId></Error>"));
    assert_true(is_error("<Error/>"));
    assert_true(is_error("<Error><Code>InternalError</Code><Mess"));
    assert_false(is_error("<Error><Co"));
    assert_false(is_error("<ListBucketResult><Error><Code>X</Code></Error></ListBucketResult>"));
    assert_false(is_error("<Errors><Code>X</Code></Errors>"));
    assert_false(is_error("<html><body>Cap exceeded</body></html>"));
    assert_false(is_error("Cap exceeded"));
    assert_false(is_error(""));
}

static void words_of_a_server_are_cut_and_harmless(void **state) {
    const struct s3_headers headers = { 0 };
    struct s3_refusal refusal;
    struct buffer document = { 0 };
    (void)state;

    buffer_printf(&document, "<Error><Code>C</Code><Message>a\tb\nc\xc2\x9b"
                             "d\xff</Message></Error>");
    s3_refusal_read(&refusal, 400, &headers, document.data, document.length);
    assert_string_equal(refusal.message, "a\\x09b\\x0ac\\xc2\\x9bd\\xff");

    buffer_clear(&document);
    buffer_printf(&document, "<Error><Code>");
    for (int i = 0; i < 1000; i++)
        buffer_printf(&document, "\xc3\xa4");
    buffer_printf(&document, "</Code><Message>x");
    for (int i = 0; i < 1000; i++)
        buffer_printf(&document, "\xc3\xa4");
    buffer_printf(&document, "</Message></Error>");
    s3_refusal_read(&refusal, 400, &headers, document.data, document.length);
    assert_int_equal(strlen(refusal.code), sizeof refusal.code - 1);
    assert_string_equal(refusal.code + sizeof refusal.code - 6, "\xc3\xa4...");
    assert_int_equal(strlen(refusal.message), sizeof refusal.message - 2);
    buffer_release(&document);
}

static int64_t time_of(const char *text) {
    int64_t when = -1;
    struct err err = { 0 };

    if (s3_parse_time(text, &when, &err) < 0)
        fail_msg("%s", err.message);
    return when;
}

static void times_are_read_in_both_forms(void **state) {
    static const char *const bad[] = { "",
                                       "2026-11-21",
                                       "2026-11-21T10:20:30",
                                       "2026-11-21T10:20:30.Z",
                                       "2026-11-21T10:20:30.5",
                                       "2026-11-21 10:20:30Z",
                                       "2026-13-21T10:20:30Z",
                                       "2026-11-21T10:20:30.000Zx",
                                       "Sat, 21 Nov 2026 10:20:30",
                                       "Sat, 21 Nov 2026 10:20:30 CET",
                                       "Sat, 31 Nov 2026 10:20:30 GMT",
                                       "Sat, 21 ovD 2026 10:20:30 GMT",
                                       "Sat, 21 Nov 2026 25:20:30 GMT",
                                       "Saturday, 21-Nov-26 10:20:30 GMT",
                                       "now" };
    int64_t when;
    struct err err = { 0 };
    (void)state;

    assert_int_equal(time_of("2026-11-21T10:20:30.000Z"), 1795256430);
    assert_int_equal(time_of("2026-11-21T10:20:30Z"), 1795256430);
    assert_int_equal(time_of("2026-11-21T10:20:30.999999999Z"), 1795256430);
    assert_int_equal(time_of("2026-11-21T12:20:30.5+02:00"), 1795256430);
    assert_int_equal(time_of("Sat, 21 Nov 2026 10:20:30 GMT"), 1795256430);
    assert_int_equal(time_of("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    assert_int_equal(time_of("Tue, 29 Feb 2028 23:59:59 GMT"), 1835481599);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (s3_parse_time(bad[i], &when, &err) == 0)
            fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(err.code, ERR_CORRUPT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_as_they_end_with_their_paths),
        cmocka_unit_test(the_five_entities_and_numbers_are_known_and_no_others),
        cmocka_unit_test(control_characters_of_keys_are_taken),
        cmocka_unit_test(keys_that_are_not_utf8_are_taken),
        cmocka_unit_test(document_types_are_refused_before_anything_is_expanded),
        cmocka_unit_test(what_is_not_xml_is_refused),
        cmocka_unit_test(depth_and_text_are_bounded),
        cmocka_unit_test(a_document_of_many_pieces_is_read_whole),
        cmocka_unit_test(an_error_of_the_caller_ends_it_unchanged),
        cmocka_unit_test(escaped_text_reads_back_equal),
        cmocka_unit_test(errors_are_told_from_answers),
        cmocka_unit_test(words_of_a_server_are_cut_and_harmless),
        cmocka_unit_test(times_are_read_in_both_forms),
    };
    return cmocka_run_group_tests_name("s3_xml", tests, NULL, NULL);
}
