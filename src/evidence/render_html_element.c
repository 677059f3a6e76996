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

const char *html_field(char text[FIELD_SIZE], const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, FIELD_SIZE, format, arguments);
    va_end(arguments);
    return text;
}

static void none(struct buffer *out, const char *field, const char *otherwise) {
    buffer_printf(out, "<data class=none data-field=\"%s\" value=\"\">%s</data>", field, otherwise);
}

/* bdi: text of others must not turn the direction of what stands beside it. */
void html_word(struct buffer *out, const char *field, const char *text) {
    if (text == NULL) {
        none(out, field, "&ndash;");
        return;
    }
    buffer_printf(out, "<bdi data-field=\"%s\">", field);
    html_text(out, text);
    buffer_printf(out, "</bdi>");
}

void html_count(struct buffer *out, const char *field, uint64_t value) {
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    buffer_printf(out, "<data data-field=\"%s\" value=%s>", field, digits);
    for (int i = 0; i < length; i++) {
        if (i > 0 && length > 4 && (length - i) % 3 == 0)
            buffer_printf(out, "\xe2\x80\xaf"); /* a narrow space that does not break */
        buffer_put_u8(out, (uint8_t)digits[i]);
    }
    buffer_printf(out, "</data>");
}

void html_bytes(struct buffer *out, const char *field, uint64_t bytes) {
    char text[FORM_TEXT];
    buffer_printf(out, "<data data-field=\"%s\" value=%llu>%s</data>", field, (unsigned long long)bytes,
                  form_bytes(text, bytes));
}

void html_span(struct buffer *out, const char *field, int64_t seconds, const char *otherwise) {
    char text[CLOCK_TEXT];
    if (seconds < 0)
        none(out, field, otherwise);
    else
        buffer_printf(out, "<data data-field=\"%s\" value=%lld>%s</data>", field, (long long)seconds,
                      clock_format_span(text, seconds));
}

void html_seconds(struct buffer *out, const char *field, double seconds) {
    char text[FORM_TEXT];
    buffer_printf(out, "<data data-field=\"%s\" value=%.3f>%s</data>", field, seconds, form_seconds(text, seconds));
}

static void put_time(struct buffer *out, const char *field, int64_t when, bool date) {
    char text[CLOCK_TEXT];
    struct tm tm;
    time_t seconds = (time_t)when;
    gmtime_r(&seconds, &tm);
    buffer_printf(out, "<time data-field=\"%s\" datetime=%s>%d&nbsp;%.*s&nbsp;%d", field, clock_format(text, when),
                  tm.tm_mday, date ? 9 : 3, HTML_MONTHS[tm.tm_mon], tm.tm_year + 1900);
    if (!date)
        buffer_printf(out, " %02d:%02d", tm.tm_hour, tm.tm_min);
    buffer_printf(out, "</time>");
}

void html_time(struct buffer *out, const char *field, int64_t when, const char *otherwise) {
    if (when == 0)
        none(out, field, otherwise);
    else
        put_time(out, field, when, false);
}

void html_date(struct buffer *out, const char *field, int64_t when) {
    put_time(out, field, when, true);
}

void html_mark(struct buffer *out, const char *shape, const char *class) {
    buffer_printf(out, "<svg class=\"mark %s\" width=12 height=12 aria-hidden=true><use href=\"#%s\"/></svg>", class,
                  shape);
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
