#include "render_html_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/form.h>
#include <muniment/util/text.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const HTML_MONTHS[12] = { "January", "February", "March",     "April",   "May",      "June",
                                      "July",    "August",   "September", "October", "November", "December" };

void html_text(struct buffer *out, const char *text) {
    char *escaped = text_escape(text, "", "");
    for (const char *at = escaped; *at != '\0'; at++) {
        switch (*at) {
        case '&':
            buffer_printf(out, "&amp;");
            break;
        case '<':
            buffer_printf(out, "&lt;");
            break;
        case '>':
            buffer_printf(out, "&gt;");
            break;
        case '"':
            buffer_printf(out, "&quot;");
            break;
        case '\'':
            buffer_printf(out, "&#39;");
            break;
        default:
            buffer_put_u8(out, (uint8_t)*at);
        }
    }
    free(escaped);
}

struct html_row html_row(struct buffer *out, const char *path, ...) {
    struct html_row row = { .out = out };
    va_list arguments;
    va_start(arguments, path);
    vsnprintf(row.path, sizeof row.path, path, arguments);
    va_end(arguments);
    return row;
}

/* Opens an element up to its attributes that follow. */
static void open_element(const struct html_row *row, const char *before, const char *element, const char *name) {
    buffer_printf(row->out, "%s<%s data-field=\"%s%s\"", before, element, row->path, name);
}

static void none(const struct html_row *row, const char *before, const char *name, const char *otherwise) {
    open_element(row, before, "data class=none", name);
    buffer_printf(row->out, " value=\"\">%s</data>", otherwise);
}

/* bdi: text of others must not turn the direction of what stands beside it. */
void html_word(const struct html_row *row, const char *before, const char *name, const char *text) {
    if (text == NULL) {
        none(row, before, name, "&ndash;");
        return;
    }
    open_element(row, before, "bdi", name);
    buffer_printf(row->out, ">");
    html_text(row->out, text);
    buffer_printf(row->out, "</bdi>");
}

void html_count(const struct html_row *row, const char *before, const char *name, uint64_t value) {
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    open_element(row, before, "data", name);
    buffer_printf(row->out, " value=%s>", digits);
    for (int i = 0; i < length; i++) {
        if (i > 0 && length > 4 && (length - i) % 3 == 0)
            buffer_printf(row->out, "\xe2\x80\xaf"); /* a narrow space that does not break */
        buffer_put_u8(row->out, (uint8_t)digits[i]);
    }
    buffer_printf(row->out, "</data>");
}

void html_bytes(const struct html_row *row, const char *before, const char *name, uint64_t bytes) {
    char text[FORM_TEXT];
    open_element(row, before, "data", name);
    buffer_printf(row->out, " value=%llu>%s</data>", (unsigned long long)bytes, form_bytes(text, bytes));
}

void html_span(const struct html_row *row, const char *before, const char *name, int64_t seconds,
               const char *otherwise) {
    char text[CLOCK_TEXT];
    if (seconds < 0) {
        none(row, before, name, otherwise);
        return;
    }
    open_element(row, before, "data", name);
    buffer_printf(row->out, " value=%lld>%s</data>", (long long)seconds, clock_format_span(text, seconds));
}

void html_seconds(const struct html_row *row, const char *before, const char *name, double seconds) {
    char text[FORM_TEXT];
    open_element(row, before, "data", name);
    buffer_printf(row->out, " value=%.3f>%s</data>", seconds, form_seconds(text, seconds));
}

static void put_time(const struct html_row *row, const char *before, const char *name, int64_t when, bool date) {
    char text[CLOCK_TEXT];
    struct tm tm;
    time_t seconds = (time_t)when;
    gmtime_r(&seconds, &tm);
    open_element(row, before, "time", name);
    buffer_printf(row->out, " datetime=%s>%d&nbsp;%.*s&nbsp;%d", clock_format(text, when), tm.tm_mday, date ? 9 : 3,
                  HTML_MONTHS[tm.tm_mon], tm.tm_year + 1900);
    if (!date)
        buffer_printf(row->out, " %02d:%02d", tm.tm_hour, tm.tm_min);
    buffer_printf(row->out, "</time>");
}

void html_time(const struct html_row *row, const char *before, const char *name, int64_t when, const char *otherwise) {
    if (when == 0)
        none(row, before, name, otherwise);
    else
        put_time(row, before, name, when, false);
}

void html_date(const struct html_row *row, const char *before, const char *name, int64_t when) {
    put_time(row, before, name, when, true);
}

void html_mark(struct buffer *out, const char *class, const char *shape, ...) {
    char name[16];
    va_list arguments;
    va_start(arguments, shape);
    vsnprintf(name, sizeof name, shape, arguments);
    va_end(arguments);
    buffer_printf(out, "<svg class=\"mark %s\" width=12 height=12 aria-hidden=true><use href=\"#%s\"/></svg>", class,
                  name);
}

void html_table_begin(struct buffer *out, const char *label, const char *headings) {
    buffer_printf(out, "<div class=scroll tabindex=0 role=region aria-label=\"%s\"><table><thead><tr>", label);
    for (const char *at = headings; *at != '\0';) {
        size_t length = strcspn(at, "|");
        bool number = *at == '>';
        buffer_printf(out, "<th scope=col%s>%.*s", number ? " class=n" : "", (int)length - number, at + number);
        at += length + (at[length] == '|');
    }
    buffer_printf(out, "<tbody>\n");
}

void html_table_end(struct buffer *out) {
    buffer_printf(out, "</table></div>\n");
}
