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

/* What the elements of a row have in common: where they go, and the path up to the name of a field ("places.0."); it is
 * empty for the fields of the report itself. */
struct html_row {
    struct buffer *out;
    char path[64];
};
struct html_row html_row(struct buffer *out, const char *path, ...) PRINTF_LIKE(2, 3);

/* An element each, behind the markup that opens its cell. */
void html_word(const struct html_row *row, const char *before, const char *name, const char *text); /* NULL: none */
void html_count(const struct html_row *row, const char *before, const char *name, uint64_t value);
void html_bytes(const struct html_row *row, const char *before, const char *name, uint64_t bytes);
void html_span(const struct html_row *row, const char *before, const char *name, int64_t seconds,
               const char *otherwise); /* -1: otherwise */
void html_seconds(const struct html_row *row, const char *before, const char *name, double seconds);
void html_time(const struct html_row *row, const char *before, const char *name, int64_t when,
               const char *otherwise);                                                          /* 0: otherwise */
void html_date(const struct html_row *row, const char *before, const char *name, int64_t when); /* "4 April 2026" */

/* A shape of RENDER_SHAPES, by its name ("c%d"); the value stands beside it in words. */
void html_mark(struct buffer *out, const char *class, const char *shape, ...) PRINTF_LIKE(3, 4);

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
