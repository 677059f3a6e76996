#include "report_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/* --- one event ------------------------------------------------------------------------------------------------------
 */

const char *fact_text(const struct fact *fact, const char *name) {
    for (char **field = fact->fields; *field; field += 2)
        if (strcmp(*field, name) == 0)
            return field[1];
    return NULL;
}

int64_t fact_when(const struct fact *fact, const char *name) {
    const char *text = fact_text(fact, name);
    int64_t when = 0;
    return text && clock_parse(text, &when, NULL) == 0 ? when : 0;
}

uint64_t fact_count(const struct fact *fact, const char *name) {
    const char *text = fact_text(fact, name);
    return text ? strtoull(text, NULL, 10) : 0;
}

double fact_seconds(const struct fact *fact, const char *name) {
    const char *text = fact_text(fact, name);
    return text ? strtod(text, NULL) : 0;
}

static char **copy_fields(const char *const *fields) {
    size_t count = 0;
    while (fields[count])
        count++;
    char **copy = mem_array(count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = mem_string(fields[i]);
    return copy;
}

static void fact_release(struct fact *fact) {
    for (char **field = fact->fields; *field; field++)
        free(*field);
    free(fact->fields);
    free(fact->object);
    free(fact->mirror);
    free(fact->segment);
}

/* --- all of them ----------------------------------------------------------------------------------------------------
 */

/* What an event is about: its field, the folder of the objects that the field names, and what it says of them. */
static const struct event_kind {
    const char *event, *field, *folder;
    enum fact_kind kind;
} EVENTS[] = {
    { "captured", "snapshot", "snapshots/", FACT_CAPTURED },
    { "expired", "snapshot", "snapshots/", FACT_DECIDED },
    { "destroyed", "object", "", FACT_DECIDED },
    { "key_added", "id", "keys/", FACT_STORED },
    { "key_removed", "id", "keys/", FACT_DECIDED },
    { "held", "hold", "holds/", FACT_STORED },
    { "held", "hold", NULL, FACT_HELD },
    { "released", "hold", "holds/", FACT_DECIDED },
    { "released", "hold", NULL, FACT_RELEASED },
    { "erasure", "object", "", FACT_STORED },
    { "erasure_over", "object", "", FACT_DECIDED },
    { "recorded", "object", "", FACT_RECORDED },
    { "removed", "object", "", FACT_REMOVED },
    { "refused", "object", "", FACT_REFUSED },
    { "hidden", "object", "", FACT_HIDDEN },
    { "refused", "source", NULL, FACT_FAILED },
    { "mirrored", "mirror", NULL, FACT_MIRRORED },
    { "verified", "mirror", NULL, FACT_VERIFIED },
    { "checked", NULL, NULL, FACT_CHECKED },
    { "policy", NULL, NULL, FACT_POLICY },
    { "read", NULL, NULL, FACT_READ },
    { "drilled", NULL, NULL, FACT_DRILLED },
};

static void add_fact(struct past *past, const struct event_kind *event, const char *segment,
                     const struct journal_entry *entry) {
    struct facts *facts = &past->kinds[event->kind];
    const char *value = event->field ? journal_field(entry, event->field) : NULL;
    const char *carried = journal_field(entry, "carried");
    facts->items = mem_grow(facts->items, &facts->capacity, facts->count + 1, sizeof *facts->items);
    struct fact *fact = &facts->items[facts->count++];
    *fact = (struct fact){
        .time = entry->time,
        .object = event->folder ? mem_format("%s%s", event->folder, value) : NULL,
        .mirror = mem_string(journal_field(entry, "mirror")),
        .segment = mem_string(repo_leaf(segment)),
        .fields = copy_fields(entry->fields),
    };
    if (carried)
        (void)!clock_parse(carried, &fact->time, NULL);
    else if (past->begins == 0 || entry->time < past->begins)
        past->begins = entry->time;
}

static int note_entry(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct reporting *reporting = context;
    (void)err;
    for (size_t i = 0; i < sizeof EVENTS / sizeof *EVENTS; i++)
        if (strcmp(entry->event, EVENTS[i].event) == 0 && (!EVENTS[i].field || journal_field(entry, EVENTS[i].field)))
            add_fact(&reporting->past, &EVENTS[i], segment, entry);
    return 0;
}

static int compare_texts(const char *left, const char *right) {
    return strcmp(left ? left : "", right ? right : "");
}

static int by_object(const void *left, const void *right) {
    const struct fact *a = left, *b = right;
    int order = compare_texts(a->object, b->object);
    if (order == 0)
        order = compare_texts(a->mirror, b->mirror);
    return order != 0 ? order : (a->time > b->time) - (a->time < b->time);
}

/* The first fact that is not before the object in that place, by the order above. */
static size_t lower_bound(const struct facts *facts, const struct fact *wanted) {
    size_t low = 0, high = facts->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_object(&facts->items[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_about(const struct fact *fact, const char *object, const char *mirror) {
    return compare_texts(fact->object, object) == 0 && compare_texts(fact->mirror, mirror) == 0;
}

static char *borrowed(const char *text) {
    union {
        const char *lent;
        char *text;
    } both = { text };
    return both.text;
}

const struct fact *past_first(const struct past *past, enum fact_kind kind, const char *object, const char *mirror) {
    const struct facts *facts = &past->kinds[kind];
    const struct fact wanted = { .time = INT64_MIN, .object = borrowed(object), .mirror = borrowed(mirror) };
    size_t at = lower_bound(facts, &wanted);
    return at < facts->count && is_about(&facts->items[at], object, mirror) ? &facts->items[at] : NULL;
}

const struct fact *past_last(const struct past *past, enum fact_kind kind, const char *object, const char *mirror) {
    const struct facts *facts = &past->kinds[kind];
    const struct fact wanted = { .time = INT64_MAX, .object = borrowed(object), .mirror = borrowed(mirror) };
    size_t at = lower_bound(facts, &wanted);
    return at > 0 && is_about(&facts->items[at - 1], object, mirror) ? &facts->items[at - 1] : NULL;
}

int past_load(struct reporting *reporting, struct err *err) {
    struct past *past = &reporting->past;
    struct err why = { 0 };
    reporting->report->journal_whole = journal_walk(reporting->request->repo, note_entry, reporting, &why) == 0;
    if (!reporting->report->journal_whole) {
        if (why.code != ERR_CORRUPT) {
            *err = why;
            return -1;
        }
        report_find(reporting, FINDING_TAMPERED, reporting->request->places[0].name, NULL, "%s", why.message);
    }
    for (int kind = 0; kind < FACT_KINDS; kind++)
        if (past->kinds[kind].count > 1)
            qsort(past->kinds[kind].items, past->kinds[kind].count, sizeof *past->kinds[kind].items, by_object);
    return 0;
}

void past_release(struct past *past) {
    for (int kind = 0; kind < FACT_KINDS; kind++) {
        for (size_t i = 0; i < past->kinds[kind].count; i++)
            fact_release(&past->kinds[kind].items[i]);
        free(past->kinds[kind].items);
    }
    *past = (struct past){ 0 };
}
