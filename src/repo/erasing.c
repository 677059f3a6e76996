#include "journal_internal.h"
#include <muniment/repo/erasing.h>
#include <muniment/repo/record.h>
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <string.h>

/* What one segment tells. */
struct telling {
    int64_t erasing; /* when it began; 0: of that it says nothing */
    bool captured;   /* itself: what is carried tells nothing of what was before it in the chain */
};

static int note(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct telling *telling = context;
    (void)segment, (void)err;
    if (strcmp(entry->event, "erasing") == 0)
        telling->erasing = entry->time;
    else if (strcmp(entry->event, "captured") == 0)
        telling->captured = telling->captured || !journal_field(entry, "carried");
    return 0;
}

static int read_segment(struct repo *repo, struct journal_segment *segment, struct telling *telling, struct err *err) {
    int result = journal_segment_open(repo, segment, err);
    if (result == 0)
        result = journal_segment_each(repo, segment, note, telling, err);
    buffer_release(&segment->payload);
    if (result == 0 || !record_fails_alone(err))
        return result;
    err_clear(err);
    *telling = (struct telling){ 0 };
    return 0;
}

/* Nothing is captured once erasing has begun. So each chain is read from its new end to the last capture in it. */
static int look_back(struct repo *repo, const struct store_names *names, struct telling *telling, struct err *err) {
    char settled[JOURNAL_HOST_DIGITS + 1] = "";
    for (size_t i = names->count; i-- > 0 && telling->erasing == 0;) {
        struct journal_segment segment = { 0 };
        if (!journal_name_parse(repo_leaf(names->items[i].name), &segment.place) ||
            strcmp(segment.place.host, settled) == 0)
            continue;
        *telling = (struct telling){ 0 };
        if (interrupt_check(err) < 0 || read_segment(repo, &segment, telling, err) < 0)
            return -1;
        if (telling->captured)
            memcpy(settled, segment.place.host, sizeof settled);
    }
    return 0;
}

int erasing_refuse(struct repo *repo, const char *what, struct err *err) {
    struct telling telling = { 0 };
    struct store_names names = { 0 };
    char folder[REPO_NAME_MAX], when[CLOCK_TEXT];
    int result = store_names_load(repo->store, repo_folder(repo, folder, "journal"), &names, err);
    if (result == 0)
        result = look_back(repo, &names, &telling, err);
    store_names_release(&names);
    if (result < 0)
        return err_wrap(err, "look whether the set is erased");
    if (telling.erasing == 0)
        return 0;
    err_set(err, ERR_REFUSED, "%s: the set was erased on %s", what, clock_format(when, telling.erasing));
    return err_hint(err, "remove it from the configuration; a new set takes new keys (muniment init)");
}
