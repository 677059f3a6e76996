#include "journal_internal.h"
#include <inttypes.h>
#include <muniment/repo/object_cache.h>
#include <muniment/repo/record.h>
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/workers.h>
#include <stdlib.h>
#include <string.h>

enum { LISTINGS_MAX = 5 }; /* how often segments may be dropped under a reader before it gives up */

char *journal_segment_name(const struct repo *repo, const struct journal_place *place, char *name) {
    char leaf[STORE_NAME_MAX];
    return repo_name(repo, name, "journal", journal_name_format(place, leaf, sizeof leaf));
}

void journal_refuse_fork(const char *name, struct err *err) {
    err_set(err, ERR_CORRUPT, "%s: the journal has two segments with this number", name);
    err_hint(err, "two machines write with one key: give one of them its own, with 'muniment key new-host'");
}

int journal_segment_load(struct repo *repo, const struct journal_place *place, const char *name, struct buffer *payload,
                         struct err *err) {
    uint8_t signer[SIGN_PUBLIC_SIZE];
    char host[JOURNAL_HOST_DIGITS + 1];
    if (record_load(repo, RECORD_JOURNAL, name, JOURNAL_OBJECT_MAX, payload, signer, err) < 0)
        return -1;
    if (strcmp(hex_encode(host, signer, JOURNAL_HOST_DIGITS / 2), place->host) != 0)
        return err_set(err, ERR_CORRUPT, "%s: signed by host %s, not by the one it names", name, host);
    return 0;
}

bool journal_segment_tells(const struct journal_segment *segment) {
    return segment->good && !segment->dropped && !segment->doubled;
}

int journal_segment_each(struct repo *repo, const struct journal_segment *segment, journal_each *each, void *context,
                         struct err *err) {
    struct journal_line line = { 0 };
    struct reader reader;
    char name[REPO_NAME_MAX];
    int more = 0;
    journal_segment_name(repo, &segment->place, name);
    reader_init(&reader, segment->payload.data + segment->body, segment->payload.length - segment->body);
    while ((more = journal_line_next(&line, &reader, name, err)) > 0)
        if (each(context, name, &line.entry, err) != 0) {
            more = -1;
            break;
        }
    journal_line_release(&line);
    return more;
}

int journal_reading_each(const struct journal_reading *reading, journal_each *each, void *context, struct err *err) {
    for (size_t i = 0; i < reading->count; i++)
        if (journal_segment_tells(&reading->segments[i]) &&
            journal_segment_each(reading->repo, &reading->segments[i], each, context, err) != 0)
            return -1;
    return 0;
}

/* --- one segment ---------------------------------------------------------------------------------------------------
 */

static int count_event(void *context, const char *name, const struct journal_entry *entry, struct err *err) {
    struct journal_segment *segment = context;
    int64_t written = journal_written(entry);
    (void)name, (void)err;
    segment->from = segment->events == 0 || written < segment->from ? written : segment->from;
    segment->until = segment->events == 0 || written > segment->until ? written : segment->until;
    segment->events++;
    segment->tells_of_checkpoint = segment->tells_of_checkpoint || strcmp(entry->event, "checkpoint") == 0;
    return 0;
}

int journal_segment_open(struct repo *repo, struct journal_segment *segment, struct err *err) {
    struct reader reader;
    char name[REPO_NAME_MAX];
    journal_segment_name(repo, &segment->place, name);
    if (journal_segment_load(repo, &segment->place, name, &segment->payload, err) < 0)
        return -1;
    reader_init(&reader, segment->payload.data, segment->payload.length);
    if (journal_heading_read(repo->keys, &segment->place, &reader, segment->previous, name, err) < 0)
        return -1;
    segment->body = segment->payload.length - reader.left;
    return journal_segment_each(repo, segment, count_event, segment, err);
}

static int open_one(void *context, void *item, struct err *err) {
    struct journal_reading *reading = context;
    struct journal_segment *segment = &reading->segments[*(size_t *)item];
    struct err why = { 0 };
    segment->good = journal_segment_open(reading->repo, segment, &why) == 0;
    if (segment->good)
        return 0;
    if (!record_fails_alone(&why)) {
        *err = why;
        return -1;
    }
    segment->fault = mem_alloc(sizeof why);
    *segment->fault = why;
    return 0;
}

/* --- listing --------------------------------------------------------------------------------------------------------
 */

static struct err *add_fault(struct journal_reading *reading, const char *segment) {
    reading->faults =
        mem_grow(reading->faults, &reading->fault_capacity, reading->fault_count + 1, sizeof *reading->faults);
    struct journal_fault *fault = &reading->faults[reading->fault_count++];
    *fault = (struct journal_fault){ .segment = mem_string(segment) };
    return &fault->err;
}

static struct err *fault_of(struct journal_reading *reading, const struct journal_segment *segment) {
    char name[REPO_NAME_MAX];
    return add_fault(reading, journal_segment_name(reading->repo, &segment->place, name));
}

static int list_segments(struct journal_reading *reading, struct err *err) {
    char folder[REPO_NAME_MAX];
    struct store_names names = { 0 };
    if (store_names_load(reading->repo->store, repo_folder(reading->repo, folder, "journal"), &names, err) < 0)
        return -1;
    reading->segments = mem_array(names.count + 1, sizeof *reading->segments);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i].name;
        if (journal_name_parse(name + strlen(folder) + 1, &reading->segments[reading->count].place)) {
            reading->count++;
            continue;
        }
        err_set(add_fault(reading, name), ERR_CORRUPT, "%s: not the name of a journal segment", name);
    }
    object_cache_keep(reading->repo, "journal", &names);
    store_names_release(&names);
    return 0;
}

static int open_segments(struct journal_reading *reading, struct err *err) {
    struct workers *workers = workers_start(store_transfers(reading->repo->store), sizeof(size_t), open_one, reading);
    for (size_t i = 0; i < reading->count; i++)
        if (workers_give(workers, &i, err) < 0)
            break;
    return workers_finish(workers, err);
}

/* Whether a segment that could not be read was dropped since it was listed. */
static int look_for_dropped(struct journal_reading *reading, bool *dropped, struct err *err) {
    char name[REPO_NAME_MAX];
    struct store_names names = { 0 };
    bool missing = false;
    *dropped = false;
    for (size_t i = 0; i < reading->count && !missing; i++)
        missing = reading->segments[i].fault && reading->segments[i].fault->code == ERR_NOT_FOUND;
    if (!missing)
        return 0;
    if (store_names_load(reading->repo->store, repo_folder(reading->repo, name, "journal"), &names, err) < 0)
        return -1;
    for (size_t i = 0; i < reading->count && !*dropped; i++)
        *dropped = !store_names_find(&names, journal_segment_name(reading->repo, &reading->segments[i].place, name));
    store_names_release(&names);
    return 0;
}

/* --- checkpoints ----------------------------------------------------------------------------------------------------
 */

struct journal_span *journal_find_span(const struct journal_reading *reading, const char *host) {
    for (size_t i = 0; i < reading->span_count; i++)
        if (strcmp(reading->segments[reading->spans[i].begin].place.host, host) == 0)
            return &reading->spans[i];
    return NULL;
}

static void find_spans(struct journal_reading *reading) {
    reading->spans = mem_array(reading->count + 1, sizeof *reading->spans);
    for (size_t i = 0; i < reading->count; i++) {
        if (i == 0 || strcmp(reading->segments[i - 1].place.host, reading->segments[i].place.host) != 0)
            reading->spans[reading->span_count++].begin = i;
        reading->spans[reading->span_count - 1].end = i + 1;
    }
}

static bool read_number(const char *text, uint64_t *number) {
    char *end;
    if (!text || text[0] < '0' || text[0] > '9' || strlen(text) > JOURNAL_NUMBER_DIGITS)
        return false;
    *number = strtoull(text, &end, 10);
    return *end == '\0';
}

static bool read_checkpoint(const struct journal_entry *entry, struct journal_checkpoint *checkpoint) {
    uint8_t host[JOURNAL_HOST_DIGITS / 2];
    uint64_t segments;
    const char *name = journal_field(entry, "host"), *hash = journal_field(entry, "hash");
    const char *from = journal_field(entry, "from"), *until = journal_field(entry, "until");
    if (!name || strlen(name) != JOURNAL_HOST_DIGITS || !hex_decode(host, sizeof host, name) || !hash ||
        strlen(hash) != 64 || !hex_decode(checkpoint->place.hash, sizeof checkpoint->place.hash, hash))
        return false;
    memcpy(checkpoint->place.host, name, sizeof checkpoint->place.host);
    return read_number(journal_field(entry, "number"), &checkpoint->place.number) && checkpoint->place.number > 0 &&
           read_number(journal_field(entry, "segments"), &segments) && segments == checkpoint->place.number &&
           read_number(journal_field(entry, "events"), &checkpoint->events) && from && until &&
           clock_parse(from, &checkpoint->from, NULL) == 0 && clock_parse(until, &checkpoint->until, NULL) == 0;
}

struct collecting {
    struct journal_reading *reading;
    size_t segment;
};

static int collect_checkpoint(void *context, const char *name, const struct journal_entry *entry, struct err *err) {
    const struct collecting *collecting = context;
    struct journal_reading *reading = collecting->reading;
    struct journal_checkpoint checkpoint = { .segment = collecting->segment };
    (void)err;
    if (strcmp(entry->event, "checkpoint") != 0)
        return 0;
    if (!read_checkpoint(entry, &checkpoint)) {
        err_set(add_fault(reading, name), ERR_CORRUPT, "%s: a checkpoint of the segment is malformed", name);
        return 0;
    }
    reading->checkpoints = mem_grow(reading->checkpoints, &reading->checkpoint_capacity, reading->checkpoint_count + 1,
                                    sizeof *reading->checkpoints);
    reading->checkpoints[reading->checkpoint_count++] = checkpoint;
    return 0;
}

/* A checkpoint fits when what stands next to the end that it names says the same. What both are gone cannot contradict:
 * then it is a gap that tells. */
static bool checkpoint_fits(const struct journal_reading *reading, const struct journal_span *span,
                            const struct journal_place *end) {
    bool named = false, same = false;
    for (size_t i = span->begin; i < span->end; i++) {
        const struct journal_segment *segment = &reading->segments[i];
        bool last = segment->place.number == end->number;
        if (!last && !(segment->place.number == end->number + 1 && segment->good))
            continue;
        named = true;
        same = same || memcmp(last ? segment->place.hash : segment->previous, end->hash, sizeof end->hash) == 0;
    }
    return same || !named;
}

static void judge_checkpoint(struct journal_reading *reading, const struct journal_checkpoint *checkpoint) {
    const struct journal_place *end = &checkpoint->place;
    struct journal_span *span = journal_find_span(reading, end->host);
    char name[REPO_NAME_MAX];
    journal_segment_name(reading->repo, &reading->segments[checkpoint->segment].place, name);
    if (!span || reading->segments[span->end - 1].place.number <= end->number) {
        err_set(add_fault(reading, name), ERR_CORRUPT,
                "%s: its checkpoint names segment %" PRIu64 " of host %s, and none of those that followed is there",
                name, end->number, end->host);
        return;
    }
    if (!checkpoint_fits(reading, span, end)) {
        err_set(add_fault(reading, name), ERR_CORRUPT,
                "%s: its checkpoint over segments 1 to %" PRIu64 " of host %s does not fit what follows them", name,
                end->number, end->host);
        return;
    }
    if (!span->dropped || span->dropped->place.number < end->number)
        span->dropped = checkpoint;
}

/* Whoever is certified may say what was dropped, of every chain. */
static int judge_checkpoints(struct journal_reading *reading, struct err *err) {
    for (size_t i = 0; i < reading->count; i++) {
        struct collecting collecting = { reading, i };
        const struct journal_segment *segment = &reading->segments[i];
        if (segment->good && segment->tells_of_checkpoint &&
            journal_segment_each(reading->repo, segment, collect_checkpoint, &collecting, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < reading->checkpoint_count; i++)
        judge_checkpoint(reading, &reading->checkpoints[i]);
    for (size_t i = 0; i < reading->span_count; i++) {
        const struct journal_span *span = &reading->spans[i];
        for (size_t j = span->begin; j < span->end && span->dropped; j++)
            reading->segments[j].dropped = reading->segments[j].place.number <= span->dropped->place.number;
    }
    return 0;
}

/* --- chains ---------------------------------------------------------------------------------------------------------
 */

/* Of segments with one number, the one that the next continues; else the first that is good. */
static size_t choose_among(const struct journal_reading *reading, size_t begin, size_t end, size_t chain_end) {
    size_t first_good = end;
    for (size_t i = begin; i < end; i++) {
        const struct journal_segment *segment = &reading->segments[i];
        first_good = segment->good && first_good == end ? i : first_good;
        for (size_t next = end; next < chain_end; next++) {
            const struct journal_segment *after = &reading->segments[next];
            if (after->place.number != segment->place.number + 1)
                break;
            if (after->good && memcmp(after->previous, segment->place.hash, sizeof after->previous) == 0)
                return i;
        }
    }
    return first_good < end ? first_good : begin;
}

/* What a chain says of one segment, given the one before it. */
static void judge_segment(struct journal_reading *reading, const struct journal_segment *segment,
                          const struct journal_place *before) {
    static const uint8_t NOTHING[32] = { 0 };
    char name[REPO_NAME_MAX];
    uint64_t expected = before ? before->number + 1 : 1;
    journal_segment_name(reading->repo, &segment->place, name);
    if (segment->place.number == expected + 1)
        err_set(fault_of(reading, segment), ERR_CORRUPT, "%s: segment %" PRIu64 " of this chain is missing before it",
                name, expected);
    else if (segment->place.number > expected)
        err_set(fault_of(reading, segment), ERR_CORRUPT,
                "%s: segments %" PRIu64 " to %" PRIu64 " of this chain are missing before it", name, expected,
                segment->place.number - 1);
    else if (segment->good && memcmp(segment->previous, before ? before->hash : NOTHING, sizeof NOTHING) != 0)
        err_set(fault_of(reading, segment), ERR_CORRUPT, "%s: the segment does not continue its chain", name);
    if (segment->fault)
        *fault_of(reading, segment) = *segment->fault;
}

static void judge_chain(struct journal_reading *reading, const struct journal_span *span) {
    const struct journal_place *before = span->dropped ? &span->dropped->place : NULL;
    for (size_t i = span->begin, end; i < span->end; i = end) {
        uint64_t number = reading->segments[i].place.number;
        for (end = i + 1; end < span->end && reading->segments[end].place.number == number; end++)
            ;
        if (reading->segments[i].dropped)
            continue;
        size_t chosen = choose_among(reading, i, end, span->end);
        for (size_t other = i; other < end; other++) {
            char name[REPO_NAME_MAX];
            struct journal_segment *segment = &reading->segments[other];
            if (other == chosen)
                continue;
            segment->doubled = true;
            journal_refuse_fork(journal_segment_name(reading->repo, &segment->place, name), fault_of(reading, segment));
        }
        judge_segment(reading, &reading->segments[chosen], before);
        before = &reading->segments[chosen].place;
    }
}

/* --- all of it ------------------------------------------------------------------------------------------------------
 */

static int load_once(struct journal_reading *reading, bool *again, struct err *err) {
    *again = false;
    if (list_segments(reading, err) < 0 || open_segments(reading, err) < 0 || look_for_dropped(reading, again, err) < 0)
        return -1;
    if (*again)
        return 0;
    find_spans(reading);
    if (judge_checkpoints(reading, err) < 0)
        return -1;
    for (size_t i = 0; i < reading->span_count; i++)
        judge_chain(reading, &reading->spans[i]);
    return 0;
}

int journal_reading_load(struct repo *repo, struct journal_reading *reading, struct err *err) {
    for (int listing = 0; listing < LISTINGS_MAX; listing++) {
        bool again;
        *reading = (struct journal_reading){ .repo = repo };
        int result = load_once(reading, &again, err);
        if (result == 0 && !again)
            return 0;
        journal_reading_release(reading);
        if (result < 0)
            return -1;
    }
    return err_set(err, ERR_LOCKED, "segments were dropped %d times while they were being read", LISTINGS_MAX);
}

void journal_reading_release(struct journal_reading *reading) {
    for (size_t i = 0; i < reading->count; i++) {
        buffer_release(&reading->segments[i].payload);
        free(reading->segments[i].fault);
    }
    for (size_t i = 0; i < reading->fault_count; i++)
        free(reading->faults[i].segment);
    free(reading->segments);
    free(reading->checkpoints);
    free(reading->spans);
    free(reading->faults);
    *reading = (struct journal_reading){ 0 };
}
