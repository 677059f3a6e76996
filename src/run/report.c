#include <muniment/run/lint.h>
#include <muniment/run/places.h>
#include <muniment/run/report.h>

int report_set(struct opened_set *set, const struct settings *settings, int64_t from, int64_t until, int64_t now,
               struct report *report, struct err *err) {
    struct set_places places;
    struct lint lint = { 0 };
    lint_set(settings, set->settings, &lint);
    int result = set_places_open(set, &places, err);
    if (result == 0) {
        struct report_request request = set_places_request(set, &places, from, until, now);
        request.lint = &lint;
        result = report_make(&request, report, err);
    }
    set_places_close(&places);
    lint_release(&lint);
    return result;
}
