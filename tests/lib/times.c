#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <muniment/util/clock.h>

#include "scratch.h"
#include "times.h"

int64_t at(const char *text) {
    struct err err = { 0 };
    int64_t when;
    assert_success(clock_parse(text, &when, &err), &err);
    return when;
}

struct calendar *open_zone(const char *zone) {
    struct err err = { 0 };
    struct calendar *calendar;
    assert_success(calendar_open(zone, &calendar, &err), &err);
    return calendar;
}

uint64_t draw(uint64_t below) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}
