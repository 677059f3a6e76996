#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/sample_report.h"
#include "../lib/scratch.h"
#include "../lib/script.h"
#include <muniment/evidence/document.h>
#include <muniment/util/file.h>
#include <muniment/util/text.h>
#include <muniment/util/utf8.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void sample_maker(struct report *report);
static sample_maker *const SAMPLES[] = { sample_report, sample_report_quiet, sample_report_empty };
enum { SAMPLES_COUNT = sizeof SAMPLES / sizeof *SAMPLES };
static const char *const FORMS[] = { "text", "json", "csv", "html" };
enum { FORMS_COUNT = sizeof FORMS / sizeof *FORMS };

/* renders[sample][format] */
struct fixture {
    struct buffer renders[SAMPLES_COUNT][FORMS_COUNT];
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    for (int sample = 0; sample < SAMPLES_COUNT; sample++) {
        struct report report;
        SAMPLES[sample](&report);
        for (int format = 0; format < FORMS_COUNT; format++)
            report_render(&report, (enum report_format)format, &fixture->renders[sample][format]);
        report_release(&report);
    }
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    for (int sample = 0; sample < SAMPLES_COUNT; sample++)
        for (int format = 0; format < FORMS_COUNT; format++)
            buffer_release(&fixture->renders[sample][format]);
    free(fixture);
    return 0;
}

/* Each form that may stand in the hands of others: nothing in it acts, and all of it is UTF-8. */
static void every_form_is_text_without_controls(void **state) {
    struct fixture *fixture = *state;
    for (int sample = 0; sample < SAMPLES_COUNT; sample++) {
        for (int format = 0; format < FORMS_COUNT; format++) {
            struct buffer *render = &fixture->renders[sample][format];
            assert_true(render->length > 500);
            for (size_t at = 0, length; at < render->length; at += length) {
                const char *text = (const char *)render->data + at;
                length = utf8_length(text, render->length - at);
                if (length == 0)
                    fail_msg("%s: no UTF-8 at %zu", FORMS[format], at);
                unsigned char byte = (unsigned char)*text;
                bool line = byte == '\n' || (format == REPORT_CSV && byte == '\r');
                if ((byte < 0x20 && !line) || byte == 0x7f || (byte == 0xc2 && (unsigned char)text[1] < 0xa0))
                    fail_msg("%s: control %02x at %zu", FORMS[format], byte, at);
            }
        }
    }
}

static void the_same_report_gives_the_same_bytes(void **state) {
    struct fixture *fixture = *state;
    struct report report;
    sample_report(&report);
    for (int format = 0; format < FORMS_COUNT; format++) {
        struct buffer again = { 0 };
        report_render(&report, (enum report_format)format, &again);
        assert_int_equal(again.length, fixture->renders[0][format].length);
        assert_memory_equal(again.data, fixture->renders[0][format].data, again.length);
        buffer_release(&again);
    }
    report_release(&report);
}

static void every_form_bears_a_signature(void **state) {
    struct fixture *fixture = *state;
    struct document_signature signature;
    struct keys keys;
    struct err err = { 0 };
    keys_generate(&keys);
    for (int format = 0; format < FORMS_COUNT; format++) {
        struct buffer document = { 0 };
        buffer_put(&document, fixture->renders[0][format].data, fixture->renders[0][format].length);
        assert_success(document_sign(&keys, (enum report_format)format, &document, &err), &err);
        assert_success(document_verify(&keys, document.data, document.length, &signature, &err), &err);
        assert_int_equal(signature.format, format);
        buffer_release(&document);
    }
}

static void every_form_is_a_witness_of_the_journal(void **state) {
    struct fixture *fixture = *state;
    for (int format = 0; format < FORMS_COUNT; format++) {
        const char *text = buffer_text(&fixture->renders[0][format]);
        assert_non_null(strstr(text, "muniment-journal-1:00112233445566778899aabbccddeeff:c0ffee0123456789:1204:"));
        assert_non_null(strstr(text, "muniment-journal-1:00112233445566778899aabbccddeeff:deadbeef01234567:1:"));
        assert_non_null(strstr(text, "muniment-report-1:00112233445566778899aabbccddeeff:"
                                     "5f1d7084c1a94eb1a3f0d2c6b7e89f01:20250301T000000Z:20260404T090000Z:"
                                     "20260404T090000Z"));
    }
}

static void every_form_names_the_report(void **state) {
    struct fixture *fixture = *state;
    static const char SET[] = "00112233445566778899aabbccddeeff", OTHER[] = "ffeeddccbbaa99887766554433221100";
    struct report report;
    sample_report(&report);
    for (int format = 0; format < FORMS_COUNT; format++) {
        const struct buffer *render = &fixture->renders[0][format];
        struct report_mark mark;
        assert_true(report_find_mark(render->data, render->length, SET, &mark));
        assert_string_equal(mark.id, report.id);
        assert_int_equal(mark.from, report.from);
        assert_int_equal(mark.until, report.until);
        assert_int_equal(mark.generated, report.generated);
        assert_false(report_find_mark(render->data, render->length, OTHER, &mark));
        assert_string_equal(mark.id, "");

        /* cut anywhere in it */
        const char *begin = memmem(render->data, render->length, "muniment-report-", 16);
        for (size_t length = 0; length < 134; length++)
            assert_false(report_find_mark(begin, length, SET, &mark));
        assert_true(report_find_mark(begin, 134, SET, &mark));
    }
    report_release(&report);
}

static void every_form_says_what_it_serves_and_where_it_ends(void **state) {
    struct fixture *fixture = *state;
    static const char *const WORDS[] = { "SOC 2 A1.2",    "SOC 2 A1.3",
                                         "SOC 2 C1.2",    "A.8.10",
                                         "A.8.13",        "164.308(a)(7)",
                                         "5(1)(e)",       "Article 17",
                                         "Article 32",    "NIST SP 800-88",
                                         "live systems",  "read key",
                                         "Other backups", "storage provider keeps" };
    for (int format = 0; format < FORMS_COUNT; format++) {
        const char *text = buffer_text(&fixture->renders[1][format]);
        for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
            if (strstr(text, WORDS[i]) == NULL)
                fail_msg("%s: '%s' is not there", FORMS[format], WORDS[i]);
    }
}

/* A terminal of 100 columns; only tokens, which nobody may break, are longer. */
static void text_fits_into_100_columns(void **state) {
    struct fixture *fixture = *state;
    for (int sample = 0; sample < SAMPLES_COUNT; sample++) {
        char *copy = strdup(buffer_text(&fixture->renders[sample][REPORT_TEXT])), *rest = copy;
        for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
            if (text_width(line) > 100 && strncmp(line, "muniment-", 9) != 0)
                fail_msg("%zu columns: %s", text_width(line), line);
        }
        free(copy);
    }
}

/* One cell of RFC 4180 at *at, unquoted into `cell`; true when another follows in the row. */
static bool next_cell(const char **at, struct buffer *cell) {
    buffer_clear(cell);
    if (**at == '"') {
        for ((*at)++; **at != '"' || (*at)[1] == '"'; (*at)++) {
            assert_true(**at != '\0');
            *at += **at == '"';
            buffer_put_u8(cell, (uint8_t) * *at);
        }
        (*at)++;
    } else {
        for (; **at != ',' && **at != '\r'; (*at)++)
            buffer_put_u8(cell, (uint8_t) * *at);
    }
    if (**at == ',') {
        (*at)++;
        return true;
    }
    assert_memory_equal(*at, "\r\n", 2);
    *at += 2;
    return false;
}

static void csv_has_full_rows_and_no_formulas(void **state) {
    struct fixture *fixture = *state;
    struct buffer cell = { 0 };
    size_t columns = 0, copies = 0;
    for (const char *at = buffer_text(&fixture->renders[0][REPORT_CSV]); *at != '\0';) {
        bool heading = strncmp(at, "section,", 8) == 0, blank = strncmp(at, "\r\n", 2) == 0;
        copies += strncmp(at, "copy,", 5) == 0;
        size_t count = 1;
        for (;; count++) {
            bool more = next_cell(&at, &cell);
            if (cell.length > 0 && strchr("=+-@", cell.data[0]) != NULL)
                fail_msg("a formula: %s", buffer_text(&cell));
            if (!more)
                break;
        }
        if (heading)
            columns = count;
        else if (!blank)
            assert_int_equal(count, columns);
    }
    assert_int_equal(copies, 395 * 3);
    buffer_release(&cell);
    assert_non_null(strstr(buffer_text(&fixture->renders[0][REPORT_CSV]), "\"'-SUM(A1)\""));
}

static void html_loads_and_runs_nothing(void **state) {
    struct fixture *fixture = *state;
    static const char *const ACTIVE[] = { "<script", "<iframe", "<object",     "<img",     "src=",      "url(",
                                          "@import", " style=", "javascript:", " onclick", "alert('1')" };
    for (int sample = 0; sample < SAMPLES_COUNT; sample++) {
        const char *text = buffer_text(&fixture->renders[sample][REPORT_HTML]);
        for (size_t i = 0; i < sizeof ACTIVE / sizeof *ACTIVE; i++)
            if (strstr(text, ACTIVE[i]) != NULL)
                fail_msg("there is %s", ACTIVE[i]);
        for (const char *at = strstr(text, "href="); at != NULL; at = strstr(at + 1, "href="))
            if (strncmp(at, "href=\"#", 7) != 0 && strncmp(at, "href=\"data:,\"", 13) != 0)
                fail_msg("a link leaves the page: %.60s", at);
        assert_non_null(strstr(text, "default-src 'none'; style-src 'sha256-"));
    }
}

static void html_stays_small_with_400_snapshots_in_three_places(void **state) {
    struct report report;
    struct buffer page = { 0 };
    (void)state;
    sample_report(&report);
    for (size_t i = 0; i < report.snapshot_count; i++) {
        report.snapshots[i].exists = true;
        for (size_t place = 0; place < report.store_count; place++)
            report.snapshots[i].copies[place] = (struct report_copy){
                .state = COPY_WHOLE, .stored = 1772366400, .versions = 1, .packs = 212, .locked_until = 1782366400
            };
    }
    report_render(&report, REPORT_HTML, &page);
    assert_true(page.length > 500000 && page.length < 2000000);
    buffer_release(&page);
    report_release(&report);
}

/* Console, network, width and every number, in the browser: see tests/tools/chromium-check. */
static void html_shows_in_a_browser_what_the_json_says(void **state) {
    struct fixture *fixture = *state;
    struct err err = { 0 };
    if (access("/usr/bin/chromium", X_OK) != 0)
        skip();
    char *folder = scratch_make(), html[512], json[512];
    snprintf(html, sizeof html, "%s/report.html", folder);
    snprintf(json, sizeof json, "%s/report.json", folder);
    const struct buffer *page = &fixture->renders[0][REPORT_HTML], *data = &fixture->renders[0][REPORT_JSON];
    assert_success(file_replace(html, 0600, page->data, page->length, &err), &err);
    assert_success(file_replace(json, 0600, data->data, data->length, &err), &err);
    script_run("tools/chromium-check", (const char *const[]){ html, json, NULL }, NULL, NULL);
    scratch_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_text_without_controls),
        cmocka_unit_test(the_same_report_gives_the_same_bytes),
        cmocka_unit_test(every_form_bears_a_signature),
        cmocka_unit_test(every_form_is_a_witness_of_the_journal),
        cmocka_unit_test(every_form_names_the_report),
        cmocka_unit_test(every_form_says_what_it_serves_and_where_it_ends),
        cmocka_unit_test(text_fits_into_100_columns),
        cmocka_unit_test(csv_has_full_rows_and_no_formulas),
        cmocka_unit_test(html_loads_and_runs_nothing),
        cmocka_unit_test(html_stays_small_with_400_snapshots_in_three_places),
        cmocka_unit_test(html_shows_in_a_browser_what_the_json_says),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
