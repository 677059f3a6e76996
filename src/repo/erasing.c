#include <muniment/repo/erasing.h>
#include <muniment/util/clock.h>
#include <string.h>

static int note(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    int64_t *since = context;
    (void)segment, (void)err;
    if (strcmp(entry->event, "erasing") == 0 && (*since == 0 || entry->time < *since))
        *since = entry->time;
    return 0;
}

int erasing_since(struct repo *repo, int64_t *since, struct err *err) {
    *since = 0;
    return journal_walk(repo, note, since, err);
}

int erasing_refuse(struct repo *repo, const char *what, struct err *err) {
    int64_t since;
    char when[CLOCK_TEXT];
    if (erasing_since(repo, &since, err) < 0 && err->code != ERR_CORRUPT)
        return -1;
    err_clear(err);
    if (since == 0)
        return 0;
    err_set(err, ERR_REFUSED, "%s: the set was erased on %s", what, clock_format(when, since));
    return err_hint(err, "remove it from the configuration; a new set takes new keys (muniment init)");
}
