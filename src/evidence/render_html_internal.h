/*
 * The report as one HTML file: pieces of the page, and elements that carry a value of the JSON form.
 *
 * An element with data-field="snapshots.0.bytes" shows the value that stands under this path in the JSON form of the
 * same report: in its `value` (<data>), its `datetime` (<time>), or its text. Where there is none it is empty.
 */
#ifndef MUNIMENT_EVIDENCE_RENDER_HTML_INTERNAL_H
#define MUNIMENT_EVIDENCE_RENDER_HTML_INTERNAL_H

#include "render_internal.h"

/* The style sheet of the page, and the shapes that its charts are drawn with. */
extern const char RENDER_STYLE[];
extern const char RENDER_SHAPES[];

/* Text, escaped for elements and attributes; controls are shown. */
void html_text(struct buffer *out, const char *text);

/* The path of a field, for one call: FIELD("places.%zu.bytes", i). */
enum { FIELD_SIZE = 96 };
const char *html_field(char text[FIELD_SIZE], const char *format, ...) PRINTF_LIKE(2, 3);
#define FIELD(...) html_field((char[FIELD_SIZE]){ 0 }, __VA_ARGS__)

void html_word(struct buffer *out, const char *field, const char *text); /* NULL: none */
void html_count(struct buffer *out, const char *field, uint64_t value);
void html_bytes(struct buffer *out, const char *field, uint64_t bytes);
void html_span(struct buffer *out, const char *field, int64_t seconds, const char *otherwise); /* -1: otherwise */
void html_seconds(struct buffer *out, const char *field, double seconds);
void html_time(struct buffer *out, const char *field, int64_t when, const char *otherwise); /* 0: otherwise */
void html_date(struct buffer *out, const char *field, int64_t when);                        /* "4 April 2026" */

/* A value in words, beside its shape of RENDER_SHAPES. */
void html_mark(struct buffer *out, const char *shape, const char *class);

/* A table in a region of its own that scrolls where it does not fit. `headings` are joined by '|'; those of
 * numbers begin with '>'. */
void html_table_begin(struct buffer *out, const char *label, const char *headings);
void html_table_end(struct buffer *out);

/* Charts: the calendar of part 3 and the timeline of part 4. */
void html_calendar(struct buffer *out, const struct report *report);
void html_timeline(struct buffer *out, const struct report *report);

/* The bodies of the parts. */
void html_policies(struct buffer *out, const struct report *report);
void html_runs(struct buffer *out, const struct report *report);
void html_snapshots(struct buffer *out, const struct report *report);
void html_places(struct buffer *out, const struct report *report);
void html_drills(struct buffer *out, const struct report *report);
void html_destructions(struct buffer *out, const struct report *report);
void html_exceptions(struct buffer *out, const struct report *report);
void html_reads(struct buffer *out, const struct report *report);
void html_journal(struct buffer *out, const struct report *report);

extern const char *const HTML_MONTHS[12];

#endif
