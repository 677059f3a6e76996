#include "journal_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

int journal_walk(struct repo *repo, journal_each *each, void *context, struct err *err) {
    struct journal_reading reading;
    if (journal_reading_load(repo, &reading, err) < 0)
        return err_wrap(err, "read the journal");
    int result = 0;
    if (reading.fault_count > 0) {
        *err = reading.faults[0].err;
        err->code = ERR_CORRUPT;
        result = -1;
    } else if (each) {
        result = journal_reading_each(&reading, each, context, err);
    }
    journal_reading_release(&reading);
    return result < 0 ? err_wrap(err, "read the journal") : 0;
}

/* --- the survey -----------------------------------------------------------------------------------------------------
 */

/* Messages begin with the name, which a finding has already. */
static void give_finding(const struct journal_fault *fault, journal_finding *finding, void *context) {
    const char *text = fault->err.message;
    size_t length = strlen(fault->segment);
    if (strncmp(text, fault->segment, length) == 0 && strncmp(text + length, ": ", 2) == 0)
        text += length + 2;
    finding(context, fault->segment, text);
}

static void describe_chain(const struct journal_reading *reading, const struct journal_span *span,
                           struct journal_chain *chain) {
    for (size_t i = span->begin; i < span->end; i++) {
        const struct journal_segment *segment = &reading->segments[i];
        if (segment->dropped || segment->doubled)
            continue;
        if (chain->first == 0)
            chain->first = segment->place.number;
        chain->last = segment->place.number;
        memcpy(chain->hash, segment->place.hash, sizeof chain->hash);
        if (!segment->good || segment->events == 0)
            continue;
        chain->from = chain->events == 0 || segment->from < chain->from ? segment->from : chain->from;
        chain->until = chain->events == 0 || segment->until > chain->until ? segment->until : chain->until;
        chain->events += segment->events;
    }
    memcpy(chain->host, reading->segments[span->begin].place.host, sizeof chain->host);
}

static void describe(const struct journal_reading *reading, struct journal_survey *survey) {
    survey->chains = mem_array(reading->span_count + 1, sizeof *survey->chains);
    survey->findings = reading->fault_count;
    for (size_t i = 0; i < reading->span_count; i++) {
        struct journal_chain *chain = &survey->chains[survey->count++];
        describe_chain(reading, &reading->spans[i], chain);
        survey->events += chain->events;
    }
    for (size_t i = 0; i < reading->count; i++)
        survey->segments += !reading->segments[i].dropped;
}

int journal_look(struct repo *repo, journal_each *each, journal_finding *finding, void *context,
                 struct journal_survey *survey, struct err *err) {
    struct journal_reading reading;
    *survey = (struct journal_survey){ 0 };
    if (journal_reading_load(repo, &reading, err) < 0)
        return err_wrap(err, "read the journal");
    describe(&reading, survey);
    for (size_t i = 0; i < reading.fault_count && finding; i++)
        give_finding(&reading.faults[i], finding, context);
    int result = each ? journal_reading_each(&reading, each, context, err) : 0;
    journal_reading_release(&reading);
    if (result < 0)
        journal_survey_release(survey);
    return result < 0 ? err_wrap(err, "read the journal") : 0;
}

void journal_survey_release(struct journal_survey *survey) {
    free(survey->chains);
    *survey = (struct journal_survey){ 0 };
}
