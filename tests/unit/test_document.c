#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/scratch.h"
#include <muniment/evidence/document.h>
#include <stdlib.h>
#include <string.h>

static const char *const BODIES[] = {
    [REPORT_TEXT] = "Backups of app\nall as promised\n",
    [REPORT_JSON] = "{\"type\":\"report\",\"schema\":1}\n",
    [REPORT_CSV] = "part,name\r\ncopy,offsite\r\n",
    [REPORT_HTML] = "<!doctype html>\n<title>Backups</title>\n",
};
enum { FORMATS = sizeof BODIES / sizeof *BODIES };

struct fixture {
    struct keys keys, public, other;
    struct buffer documents[FORMATS];
};

static void sign(const struct keys *keys, enum report_format format, struct buffer *document) {
    struct err err = { 0 };
    buffer_put(document, BODIES[format], strlen(BODIES[format]));
    assert_success(document_sign(keys, format, document, &err), &err);
}

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct buffer text = { 0 };
    struct err err = { 0 };
    keys_generate(&fixture->keys);
    keys_generate(&fixture->other);
    keys_public_text(&fixture->keys, &text);
    assert_success(keys_parse_public(&fixture->public, buffer_text(&text), &err), &err);
    buffer_release(&text);
    for (int format = 0; format < FORMATS; format++)
        sign(&fixture->keys, (enum report_format)format, &fixture->documents[format]);
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    for (int format = 0; format < FORMATS; format++)
        buffer_release(&fixture->documents[format]);
    free(fixture);
    return 0;
}

/* It must be refused with a code and a message; which of the two codes depends on where the change is. */
static void refused(const struct fixture *fixture, const void *document, size_t length, const char *what) {
    struct document_signature signature;
    struct err err = { 0 };
    if (document_verify(&fixture->public, document, length, &signature, &err) == 0)
        fail_msg("%s: verified", what);
    if (err.code != ERR_CORRUPT && err.code != ERR_KEY)
        fail_msg("%s: code %d", what, (int)err.code);
    assert_true(err.message[0] != '\0');
}

static void what_was_signed_verifies_with_the_public_key_alone(void **state) {
    const struct fixture *fixture = *state;
    char host[17];
    for (int format = 0; format < FORMATS; format++) {
        struct document_signature signature;
        struct err err = { 0 };
        const struct buffer *document = &fixture->documents[format];
        assert_success(document_verify(&fixture->public, document->data, document->length, &signature, &err), &err);
        assert_int_equal(signature.format, format);
        assert_string_equal(signature.set_id, fixture->keys.set_name);
        assert_string_equal(signature.host, keys_host_name(&fixture->keys, host));
    }
}

static void every_changed_byte_is_found(void **state) {
    const struct fixture *fixture = *state;
    for (int format = 0; format < FORMATS; format++) {
        const struct buffer *document = &fixture->documents[format];
        for (size_t at = 0; at < document->length; at++) {
            uint8_t was = document->data[at];
            /* All other values where spellings could be many: in the last digits and behind them. */
            for (unsigned value = 0; value < 256; value++) {
                bool few = value == (was ^ 1u) || value == (was ^ 0x20u) || value == '=';
                if (value == was || (at + 12 < document->length && !few))
                    continue;
                document->data[at] = (uint8_t)value;
                refused(fixture, document->data, document->length, "a changed byte");
            }
            document->data[at] = was;
        }
    }
}

static void every_cut_and_every_addition_is_found(void **state) {
    const struct fixture *fixture = *state;
    for (int format = 0; format < FORMATS; format++) {
        const struct buffer *document = &fixture->documents[format];
        struct buffer longer = { 0 };
        for (size_t length = 0; length < document->length; length++) {
            refused(fixture, document->data, length, "a cut end");
            refused(fixture, document->data + document->length - length, length, "a cut beginning");
        }
        for (unsigned value = 0; value < 256; value++) {
            buffer_clear(&longer);
            buffer_put(&longer, document->data, document->length);
            buffer_put_u8(&longer, (uint8_t)value);
            refused(fixture, longer.data, longer.length, "a byte more");
            buffer_clear(&longer);
            buffer_put_u8(&longer, (uint8_t)value);
            buffer_put(&longer, document->data, document->length);
            refused(fixture, longer.data, longer.length, "a byte before");
        }
        buffer_release(&longer);
    }
}

static void converted_line_ends_are_found_and_named(void **state) {
    const struct fixture *fixture = *state;
    for (int format = 0; format < FORMATS; format++) {
        const struct buffer *document = &fixture->documents[format];
        struct buffer converted = { 0 };
        struct document_signature signature;
        struct err err = { 0 };
        for (size_t i = 0; i < document->length; i++) {
            if (document->data[i] == '\r')
                continue;
            if (document->data[i] == '\n' && format != REPORT_CSV)
                buffer_put_u8(&converted, '\r');
            buffer_put_u8(&converted, document->data[i]);
        }
        refused(fixture, converted.data, converted.length, "converted line ends");
        if (format == REPORT_HTML) {
            assert_int_equal(document_verify(&fixture->public, converted.data, converted.length, &signature, &err), -1);
            assert_words(&err, (const char *const[]){ "signature", "line ends", NULL });
        }
        buffer_release(&converted);
    }
}

static void a_trailer_counts_once_and_for_its_own_document(void **state) {
    const struct fixture *fixture = *state;
    struct err err = { 0 };
    for (int format = 0; format < FORMATS; format++) {
        const struct buffer *document = &fixture->documents[format];
        struct buffer changed = { 0 };

        buffer_put(&changed, document->data, document->length);
        assert_failure(document_sign(&fixture->keys, (enum report_format)format, &changed, &err), ERR_EXISTS, &err);
        assert_int_equal(changed.length, document->length);

        size_t body = strlen(BODIES[format]) - (format == REPORT_JSON ? 2 : 0);
        if (format == REPORT_JSON)
            changed.length -= 2;
        buffer_put(&changed, document->data + body, document->length - body);
        refused(fixture, changed.data, changed.length, "two trailers");

        for (int other = 0; other < FORMATS; other++) {
            if (other == format)
                continue;
            buffer_clear(&changed);
            buffer_put(&changed, document->data, body);
            size_t behind = strlen(BODIES[other]) - (other == REPORT_JSON ? 2 : 0);
            buffer_put(&changed, fixture->documents[other].data + behind, fixture->documents[other].length - behind);
            refused(fixture, changed.data, changed.length, "another document's trailer");
        }
        buffer_release(&changed);
    }
}

/* Text and CSV have tokens at the same place: only the format in what is signed tells them apart. */
static void a_token_does_not_serve_another_format(void **state) {
    const struct fixture *fixture = *state;
    struct buffer text = { 0 };
    struct err err = { 0 };
    buffer_put(&text, BODIES[REPORT_CSV], strlen(BODIES[REPORT_CSV]));
    assert_success(document_sign(&fixture->keys, REPORT_TEXT, &text, &err), &err);
    text.data[text.length - 1] = '\r';
    buffer_put_u8(&text, '\n');
    refused(fixture, text.data, text.length, "text that says it is CSV");
    buffer_release(&text);
}

static void another_sets_key_is_said_to_be_that(void **state) {
    const struct fixture *fixture = *state;
    struct document_signature signature;
    struct err err = { 0 };
    for (int format = 0; format < FORMATS; format++) {
        const struct buffer *document = &fixture->documents[format];
        assert_failure(document_verify(&fixture->other, document->data, document->length, &signature, &err), ERR_KEY,
                       &err);
    }
}

static void a_host_without_certificate_does_not_count(void **state) {
    const struct fixture *fixture = *state;
    struct document_signature signature;
    struct buffer document = { 0 };
    struct err err = { 0 };
    struct keys forged = fixture->other;
    memcpy(forged.set_id, fixture->keys.set_id, SET_ID_SIZE);
    sign(&forged, REPORT_TEXT, &document);
    assert_failure(document_verify(&fixture->public, document.data, document.length, &signature, &err), ERR_CORRUPT,
                   &err);
    buffer_release(&document);
}

static void only_who_may_sign_does_and_only_what_bears_it(void **state) {
    const struct fixture *fixture = *state;
    static const struct {
        enum report_format format;
        const char *body;
    } BAD[] = { { REPORT_TEXT, "no line end" }, { REPORT_CSV, "" },         { REPORT_HTML, "<p>" },
                { REPORT_JSON, "{}\n" },        { REPORT_JSON, "[1,2]\n" }, { REPORT_JSON, "{\"a\":1}" } };
    struct buffer document = { 0 };
    struct err err = { 0 };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        buffer_clear(&document);
        buffer_put(&document, BAD[i].body, strlen(BAD[i].body));
        assert_failure(document_sign(&fixture->keys, BAD[i].format, &document, &err), ERR_INVALID, &err);
        assert_int_equal(document.length, strlen(BAD[i].body));
    }
    buffer_put(&document, "x\n", 2);
    assert_failure(document_sign(&fixture->public, REPORT_TEXT, &document, &err), ERR_KEY, &err);
    buffer_release(&document);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_signed_verifies_with_the_public_key_alone),
        cmocka_unit_test(every_changed_byte_is_found),
        cmocka_unit_test(every_cut_and_every_addition_is_found),
        cmocka_unit_test(converted_line_ends_are_found_and_named),
        cmocka_unit_test(a_trailer_counts_once_and_for_its_own_document),
        cmocka_unit_test(a_token_does_not_serve_another_format),
        cmocka_unit_test(another_sets_key_is_said_to_be_that),
        cmocka_unit_test(a_host_without_certificate_does_not_count),
        cmocka_unit_test(only_who_may_sign_does_and_only_what_bears_it),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
