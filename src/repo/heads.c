#include "head_internal.h"
#include <muniment/repo/records.h>
#include <muniment/util/clock.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_DIGITS = 64, HASH_DIGITS_LEAST = 4 };

static int by_start(const void *left, const void *right) {
    const struct head *a = left, *b = right;
    if (a->started != b->started)
        return a->started < b->started ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int load_one(struct repo *repo, const char *object, void *head, struct err *err) {
    return head_load_object(repo, object, head, err);
}

static void release_one(void *head) {
    head_release(head);
}

int heads_load(struct repo *repo, struct heads *heads, struct err *err) {
    static const struct record_folder RECORDS = { "snapshots", sizeof(struct head), load_one, release_one };
    heads->items = records_load(repo, &RECORDS, &heads->count, err);
    if (!heads->items)
        return err_wrap(err, "load the snapshots");
    qsort(heads->items, heads->count, sizeof *heads->items, by_start);
    return 0;
}

void heads_release(struct heads *heads) {
    for (size_t i = 0; i < heads->count; i++)
        head_release(&heads->items[i]);
    free(heads->items);
    *heads = (struct heads){ 0 };
}

/* --- finding one -------------------------------------------------------------------------------------------------- */

const struct head *heads_named(const struct heads *heads, const char *name) {
    for (size_t i = 0; i < heads->count; i++)
        if (strcmp(heads->items[i].name, name) == 0)
            return &heads->items[i];
    return NULL;
}

static bool is_hash_beginning(const char *text) {
    size_t length = strlen(text);
    return length >= HASH_DIGITS_LEAST && length <= HASH_DIGITS && strspn(text, "0123456789abcdef") == length;
}

static const struct head *newest(const struct heads *heads, bool complete) {
    for (size_t i = heads->count; i > 0; i--)
        if (!complete || heads->items[i - 1].outcome == OUTCOME_COMPLETE)
            return &heads->items[i - 1];
    return NULL;
}

static int find_by_hash(const struct heads *heads, const char *digits, const struct head **head, struct err *err) {
    size_t found = 0, length = strlen(digits);
    for (size_t i = 0; i < heads->count; i++) {
        const char *dash = strchr(heads->items[i].name, '-');
        if (!dash || strncmp(dash + 1, digits, length) != 0)
            continue;
        *head = &heads->items[i];
        found++;
    }
    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "no snapshot's id begins with '%s'", digits);
    if (found > 1) {
        *head = NULL;
        err_set(err, ERR_INVALID, "the ids of %zu snapshots begin with '%s'", found, digits);
        return err_hint(err, "give more digits of the id");
    }
    return 0;
}

static int find_by_time(const struct heads *heads, const char *which, const struct head **head, struct err *err) {
    struct err unreadable = { 0 };
    int64_t when;
    if (clock_parse(which, &when, &unreadable) < 0) {
        err_set(err, ERR_INVALID, "'%s' names no snapshot: it is neither an id nor a time", which);
        return err_hint(err,
                        "use latest, latest-complete, at least %d digits of an id, or a time such as "
                        "2026-03-01T02:00:00Z",
                        HASH_DIGITS_LEAST);
    }
    for (size_t i = 0; i < heads->count && heads->items[i].started <= when; i++)
        *head = &heads->items[i];
    if (!*head)
        return err_set(err, ERR_NOT_FOUND, "no snapshot was captured at or before %s", which);
    return 0;
}

int heads_find(const struct heads *heads, const char *which, const struct head **head, struct err *err) {
    *head = NULL;
    if (heads->count == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no snapshot");

    if (which[0] == '\0' || strcmp(which, "latest") == 0) {
        *head = newest(heads, false);
        return 0;
    }
    if (strcmp(which, "latest-complete") == 0) {
        *head = newest(heads, true);
        return *head ? 0 : err_set(err, ERR_NOT_FOUND, "no snapshot is complete");
    }
    *head = heads_named(heads, which);
    if (*head)
        return 0;
    return is_hash_beginning(which) ? find_by_hash(heads, which, head, err) : find_by_time(heads, which, head, err);
}
