#include <muniment/run/lint.h>
#include <muniment/run/places.h>
#include <muniment/run/report.h>

int report_set(struct opened_set *set, const struct settings *settings, int64_t from, int64_t until, int64_t now,
               struct report *report, struct err *err) {
    struct set_places places = { 0 };
    struct lint lint = { 0 };
    set->repo.cache = NULL; /* what is in the store now, not what this host read from it before */
    lint_set(settings, set->settings, &lint);
    int result = set_places_open(set, &places, err);
    if (result == 0) {
        const struct report_request request = {
            .set = set->settings->name,
            .repo = &set->repo,
            .policy = &set->settings->policy,
            .lint = &lint,
            .erasure_promise = set->settings->erasure_promise,
            .places = places.items,
            .place_count = places.count,
            .from = from,
            .until = until,
            .now = now,
        };
        result = report_make(&request, report, err);
    }
    set_places_close(&places);
    lint_release(&lint);
    return result;
}
