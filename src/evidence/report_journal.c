#include "report_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
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
    { "erasing", NULL, NULL, FACT_ERASING },
};

static void add_fact(struct past *past, const struct event_kind *event, const char *segment,
                     const struct journal_entry *entry) {
    struct facts *facts = &past->kinds[event->kind];
    const char *value = event->field ? journal_field(entry, event->field) : NULL;
    facts->items = mem_grow(facts->items, &facts->capacity, facts->count + 1, sizeof *facts->items);
    struct fact *fact = &facts->items[facts->count++];
    *fact = (struct fact){
        .time = entry->time,
        .order = past->count++,
        .object = event->folder ? mem_format("%s%s", event->folder, value) : NULL,
        .mirror = mem_string(journal_field(entry, "mirror")),
        .segment = mem_string(repo_leaf(segment)),
        .fields = copy_fields(entry->fields),
    };
    if (!journal_field(entry, "carried") && (past->begins == 0 || entry->time < past->begins))
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

static int compare_with(const struct fact *fact, const char *object, const char *mirror) {
    int order = compare_texts(fact->object, object);
    return order != 0 ? order : compare_texts(fact->mirror, mirror);
}

static int by_object(const void *left, const void *right) {
    const struct fact *a = left, *b = right;
    int order = compare_with(a, b->object, b->mirror);
    if (order == 0)
        order = (a->time > b->time) - (a->time < b->time);
    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

/* The first fact that is not before the object in that place; with `least` 1 the first behind it. */
static size_t find_bound(const struct facts *facts, const char *object, const char *mirror, int least) {
    size_t low = 0, high = facts->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_with(&facts->items[middle], object, mirror) < least)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct fact *past_first(const struct past *past, enum fact_kind kind, const char *object, const char *mirror) {
    const struct facts *facts = &past->kinds[kind];
    size_t at = find_bound(facts, object, mirror, 0);
    return at < facts->count && compare_with(&facts->items[at], object, mirror) == 0 ? &facts->items[at] : NULL;
}

const struct fact *past_last(const struct past *past, enum fact_kind kind, const char *object, const char *mirror) {
    const struct facts *facts = &past->kinds[kind];
    size_t at = find_bound(facts, object, mirror, 1);
    return at > 0 && compare_with(&facts->items[at - 1], object, mirror) == 0 ? &facts->items[at - 1] : NULL;
}

static const char *below_set(const struct reporting *reporting, const char *name) {
    size_t length = strlen(reporting->request->repo->keys->set_name) + 1;
    return strlen(name) > length ? name + length : name;
}

static void note_fault(void *context, const char *segment, const char *text) {
    struct reporting *reporting = context;
    report_find(reporting, FINDING_TAMPERED, reporting->request->places[0].name, below_set(reporting, segment), "%s",
                text);
}

static void describe_chains(struct report *report, const struct journal_survey *survey) {
    report->chains = mem_array(survey->count + 1, sizeof *report->chains);
    for (size_t i = 0; i < survey->count; i++) {
        const struct journal_chain *chain = &survey->chains[i];
        struct report_chain *told = &report->chains[report->chain_count++];
        *told = (struct report_chain){ .number = chain->last, .first = chain->first, .events = chain->events };
        memcpy(told->host, chain->host, sizeof told->host);
        hex_encode(told->hash, chain->hash, sizeof chain->hash);
    }
}

/* What the repository's journal lost, a mirror's may still tell. */
static int note_lost(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct reporting *reporting = context;
    return report_is_cut_off(reporting, below_set(reporting, segment)) ? note_entry(reporting, segment, entry, err) : 0;
}

static void ignore_fault(void *context, const char *segment, const char *text) {
    (void)context, (void)segment, (void)text;
}

static int load_lost(struct reporting *reporting, struct err *err) {
    for (size_t p = 1; p < reporting->request->place_count; p++) {
        struct listed_place *place = &reporting->places[p];
        struct journal_survey survey = { 0 };
        bool lost = false;
        for (size_t i = 0; i < place->count && !lost; i++)
            lost = !place->objects[i].hidden && report_is_cut_off(reporting, place->objects[i].name);
        int result = lost ? journal_look(&place->repo, note_lost, ignore_fault, reporting, &survey, err) : 0;
        journal_survey_release(&survey);
        if (result < 0)
            return -1;
        reporting->report->journal_whole = reporting->report->journal_whole && !lost;
    }
    return 0;
}

int past_load(struct reporting *reporting, struct err *err) {
    struct past *past = &reporting->past;
    struct journal_survey survey = { 0 };
    int result = journal_look(reporting->request->repo, note_entry, note_fault, reporting, &survey, err);
    if (result == 0) {
        reporting->report->journal_whole = survey.findings == 0;
        describe_chains(reporting->report, &survey);
    }
    journal_survey_release(&survey);
    if (result == 0)
        result = load_lost(reporting, err);
    for (int kind = 0; kind < FACT_KINDS; kind++)
        if (past->kinds[kind].count > 1)
            qsort(past->kinds[kind].items, past->kinds[kind].count, sizeof *past->kinds[kind].items, by_object);
    if (past->kinds[FACT_ERASING].count > 0)
        reporting->erased = past->kinds[FACT_ERASING].items[0].time;
    return result;
}

void past_release(struct past *past) {
    for (int kind = 0; kind < FACT_KINDS; kind++) {
        for (size_t i = 0; i < past->kinds[kind].count; i++)
            fact_release(&past->kinds[kind].items[i]);
        free(past->kinds[kind].items);
    }
    *past = (struct past){ 0 };
}
