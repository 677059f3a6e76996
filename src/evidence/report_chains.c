#include "report_internal.h"
#include <inttypes.h>
#include <muniment/util/hex.h>
#include <stdio.h>
#include <string.h>

static const char FOLDER[] = "journal/";

static bool parse_segment(const char *object, struct journal_place *segment) {
    return journal_name_parse(object + strlen(FOLDER), segment);
}

static const struct report_chain *find_chain(const struct report *report, const char *host) {
    for (size_t i = 0; i < report->chain_count; i++)
        if (strcmp(report->chains[i].host, host) == 0)
            return &report->chains[i];
    return NULL;
}

bool report_is_cut_off(const struct reporting *reporting, const char *object) {
    struct journal_place segment;
    const struct placed *here = place_find(&reporting->places[0], object);
    if ((here && !here->hidden) || !report_is_below(object, FOLDER) || !parse_segment(object, &segment))
        return false;
    const struct report_chain *chain = find_chain(reporting->report, segment.host);
    return !chain || segment.number >= chain->first;
}

static void check_mirrored(struct reporting *reporting, const struct listed_place *place, const struct placed *placed) {
    struct journal_place segment;
    const struct placed *here = place_find(&reporting->places[0], placed->name);
    if (placed->hidden)
        return;
    if (!parse_segment(placed->name, &segment))
        report_find(reporting, FINDING_EXCESS, place->asked->name, placed->name, "it is no segment of the journal");
    else if (report_is_cut_off(reporting, placed->name))
        report_find(reporting, FINDING_TAMPERED, place->asked->name, placed->name,
                    "the mirror has a segment of the journal that the repository has not: there it was cut or changed");
    else if (here && !here->hidden && here->size != placed->size)
        report_find(reporting, FINDING_TAMPERED, place->asked->name, placed->name,
                    "the mirror's segment has %" PRIu64 " bytes, the repository's %" PRIu64, placed->size, here->size);
}

/* The segment in which the mirror's last whole run stands was written after all those before it had been sent. */
static const struct fact *last_run(const struct reporting *reporting, const struct listed_place *place) {
    const struct fact *copied = past_last(&reporting->past, FACT_MIRRORED, NULL, place->mirror);
    const struct fact *verified = past_last(&reporting->past, FACT_VERIFIED, NULL, place->mirror);
    return !copied || (verified && verified->time > copied->time) ? verified : copied;
}

static void look_for_segments(struct reporting *reporting, const struct listed_place *place) {
    const struct fact *run = last_run(reporting, place);
    struct journal_place last, segment;
    size_t at, end = place_folder(&reporting->places[0], FOLDER, &at);
    if (!run || !journal_name_parse(run->segment, &last))
        return;
    for (; at < end; at++) {
        const struct placed *here = &reporting->places[0].objects[at];
        const struct placed *there = place_find(place, here->name);
        if (here->hidden || (there && !there->hidden) || !parse_segment(here->name, &segment) ||
            strcmp(segment.host, last.host) != 0 || segment.number >= last.number)
            continue;
        report_find(reporting, FINDING_MISSING, place->asked->name, here->name,
                    "a segment of the journal that the mirror had is %s", there ? "hidden" : "gone");
    }
}

static struct report_chain *chain_of(struct report_store *store, const char *host) {
    struct report_chain *last = store->chain_count > 0 ? &store->chains[store->chain_count - 1] : NULL;
    if (last && strcmp(last->host, host) == 0)
        return last;
    store->chains = report_add(store->chains, &store->chain_count, sizeof *store->chains);
    last = &store->chains[store->chain_count - 1];
    snprintf(last->host, sizeof last->host, "%s", host);
    return last;
}

/* Names are sorted: a chain's segments stand together, the newest last. */
static void describe_chains(struct report_store *store, const struct listed_place *place) {
    size_t at, end = place_folder(place, FOLDER, &at);
    for (; at < end; at++) {
        struct journal_place segment;
        if (place->objects[at].hidden || !parse_segment(place->objects[at].name, &segment))
            continue;
        struct report_chain *chain = chain_of(store, segment.host);
        if (chain->number == 0)
            chain->first = segment.number;
        chain->number = segment.number;
        hex_encode(chain->hash, segment.hash, sizeof segment.hash);
    }
}

void report_chains(struct reporting *reporting) {
    for (size_t p = 0; p < reporting->request->place_count; p++)
        describe_chains(&reporting->report->stores[p], &reporting->places[p]);
    for (size_t p = 1; p < reporting->request->place_count; p++) {
        const struct listed_place *place = &reporting->places[p];
        size_t at, end = place_folder(place, FOLDER, &at);
        for (; at < end; at++)
            check_mirrored(reporting, place, &place->objects[at]);
        if (place->reached)
            look_for_segments(reporting, place);
    }
}
