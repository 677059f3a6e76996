/* Times, calendars and chance for tests of what happens by the calendar. Include <cmocka.h> and what it needs first. */
#ifndef MUNIMENT_TESTS_TIMES_H
#define MUNIMENT_TESTS_TIMES_H

#include <muniment/retention/calendar.h>
#include <stdint.h>

/* "2026-11-21T10:20:30Z"; fails the test when it is none. */
int64_t at(const char *text);

/* The calendar of a zone, which the caller closes; fails the test when there is none. */
struct calendar *open_zone(const char *zone);

/* A number from 0 to below `below` by xorshift (Marsaglia, 2003): the same ones in every run of a program. */
uint64_t draw(uint64_t below);

#endif
