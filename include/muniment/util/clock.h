/*
 * Time. Points in time are seconds since 1970-01-01T00:00:00Z in an int64_t; spans are seconds too.
 */
#ifndef MUNIMENT_UTIL_CLOCK_H
#define MUNIMENT_UTIL_CLOCK_H

#include <muniment/util/error.h>
#include <stddef.h>
#include <stdint.h>

enum { CLOCK_TEXT = 32 };

int64_t clock_now(void);      /* the wall clock */
double clock_monotonic(void); /* seconds, for measuring; also counts time asleep (CLOCK_BOOTTIME) */

/* "2026-03-01T02:00:00Z" into `text` (CLOCK_TEXT bytes). Returns text. */
char *clock_format(char *text, int64_t when);

/* "20260301T020000Z", for object names. */
char *clock_format_compact(char *text, int64_t when);
int clock_parse_compact(const char *text, int64_t *when, struct err *err) MUST_CHECK; /* reads exactly 16 characters */

/* RFC 3339 with seconds and `Z` or an offset; a date alone means its midnight in UTC. ERR_INVALID. */
int clock_parse(const char *text, int64_t *when, struct err *err) MUST_CHECK;

/* "90d", "36h", "2w", "15m", "30s", "1y" (365 d); a bare number is refused. ERR_INVALID. */
int clock_parse_span(const char *text, int64_t *seconds, struct err *err) MUST_CHECK;

/* "90 d", "1 d 4 h", "12 min", "3 s" into `text` (CLOCK_TEXT bytes). Returns text. */
char *clock_format_span(char *text, int64_t seconds);

#endif
