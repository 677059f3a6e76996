#include "journal_internal.h"
#include <inttypes.h>
#include <muniment/repo/destruction.h>
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/workers.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400 }; /* seconds: what was decided while a mirror's run was under way may have come too late for it */

struct dropping {
    struct repo *repo;
    struct journal_reading reading;
    bool *goes; /* one for each segment */
    struct destruction destruction;
    uint64_t *dropped;
};

bool journal_checkpoint_covers(const struct journal_entry *entry, const char *object) {
    const char *host = journal_field(entry, "host"), *number = journal_field(entry, "number");
    struct journal_place place;
    return strcmp(entry->event, "checkpoint") == 0 && host && number && strncmp(object, "journal/", 8) == 0 &&
           journal_name_parse(object + 8, &place) && strcmp(place.host, host) == 0 &&
           place.number <= strtoull(number, NULL, 10);
}

/* --- what may go ----------------------------------------------------------------------------------------------------
 */

struct last_copies {
    const char *const *mirrors;
    int64_t *times;
    size_t count;
};

static int note_copy(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct last_copies *copies = context;
    const char *mirror = journal_field(entry, "mirror");
    (void)segment, (void)err;
    if (strcmp(entry->event, "mirrored") != 0 || !mirror || journal_field(entry, "left"))
        return 0;
    for (size_t i = 0; i < copies->count; i++)
        if (strcmp(copies->mirrors[i], mirror) == 0 && entry->time > copies->times[i])
            copies->times[i] = entry->time;
    return 0;
}

/* Decisions from before this moment were carried out by every mirror. */
static int find_carried_out(struct dropping *dropping, const char *const *mirrors, size_t count, int64_t *until,
                            struct err *err) {
    struct last_copies copies = { mirrors, mem_array(count + 1, sizeof(int64_t)), count };
    int result = journal_reading_each(&dropping->reading, note_copy, &copies, err);
    *until = INT64_MAX;
    for (size_t i = 0; i < count; i++)
        *until = copies.times[i] - DAY < *until ? copies.times[i] - DAY : *until;
    free(copies.times);
    return result;
}

/* From the old end of a chain; its newest segment always stays, so that the chain goes on where it was. */
static size_t choose_from(struct dropping *dropping, const struct journal_span *span, int64_t before) {
    size_t chosen = 0;
    for (size_t i = span->begin; i + 1 < span->end; i++) {
        const struct journal_segment *segment = &dropping->reading.segments[i];
        if (segment->dropped)
            continue;
        if (segment->until >= before)
            break;
        dropping->goes[i] = true;
        chosen++;
    }
    return chosen;
}

static bool is_worth_it(const struct dropping *dropping, int64_t before) {
    for (size_t i = 0; i < dropping->reading.span_count; i++) {
        const struct journal_span *span = &dropping->reading.spans[i];
        for (size_t j = span->begin; j + 1 < span->end; j++)
            if (!dropping->reading.segments[j].dropped) {
                if (dropping->reading.segments[j].until < before - JOURNAL_DROP_PAUSE)
                    return true;
                break;
            }
    }
    return false;
}

static int choose(struct dropping *dropping, const char *const *mirrors, size_t mirror_count, int64_t before,
                  size_t *chosen, struct err *err) {
    int64_t carried_out;
    *chosen = 0;
    if (!is_worth_it(dropping, before))
        return 0;
    if (find_carried_out(dropping, mirrors, mirror_count, &carried_out, err) < 0)
        return -1;
    if (carried_out < before)
        log_info(dropping->repo->log, "a mirror lags behind: its part of the journal is kept until it caught up");
    for (size_t i = 0; i < dropping->reading.span_count; i++)
        *chosen += choose_from(dropping, &dropping->reading.spans[i], before < carried_out ? before : carried_out);
    return 0;
}

/* --- the checkpoint -------------------------------------------------------------------------------------------------
 */

/* All that a chain ever lost: what an earlier checkpoint says, and what goes now. */
static void add_checkpoint(const struct dropping *dropping, const struct journal_span *span, int64_t now,
                           struct journal_batch *batch) {
    struct journal_checkpoint sum = span->dropped ? *span->dropped : (struct journal_checkpoint){ 0 };
    for (size_t i = span->begin; i < span->end; i++) {
        const struct journal_segment *segment = &dropping->reading.segments[i];
        if (!dropping->goes[i] || segment->dropped)
            continue;
        if (sum.place.number == 0)
            sum.from = segment->from;
        sum.place = segment->place;
        sum.events += segment->events;
        sum.from = segment->from < sum.from ? segment->from : sum.from;
        sum.until = segment->until > sum.until ? segment->until : sum.until;
    }
    if (sum.place.number == 0)
        return;

    char number[24], hash[65], from[CLOCK_TEXT], until[CLOCK_TEXT], events[24];
    snprintf(number, sizeof number, "%" PRIu64, sum.place.number);
    snprintf(events, sizeof events, "%" PRIu64, sum.events);
    journal_add(batch, now, "checkpoint", "host", sum.place.host, "number", number, "hash",
                hex_encode(hash, sum.place.hash, sizeof sum.place.hash), "from", clock_format(from, sum.from), "until",
                clock_format(until, sum.until), "segments", number, "events", events, NULL);
}

/* The checkpoints come last: should several segments be needed, and the run end between them, nothing was dropped. */
static int write_checkpoint(struct dropping *dropping, const struct heads *heads, int64_t now, struct err *err) {
    struct journal_batch batch = { 0 };
    int result = journal_carry(&dropping->reading, dropping->goes, heads, now, &batch, err);
    for (size_t i = 0; i < dropping->reading.span_count && result == 0; i++)
        add_checkpoint(dropping, &dropping->reading.spans[i], now, &batch);
    if (result == 0)
        result = journal_append(dropping->repo, &batch, err);
    journal_batch_release(&batch);
    return result;
}

/* --- removing -------------------------------------------------------------------------------------------------------
 */

static int remove_one(void *context, void *item, struct err *err) {
    struct dropping *dropping = context;
    const struct journal_segment *segment = &dropping->reading.segments[*(size_t *)item];
    char name[REPO_NAME_MAX];
    enum removed removed;
    if (interrupt_check(err) < 0 ||
        destruction_remove(&dropping->destruction, journal_segment_name(dropping->repo, &segment->place, name), false,
                           &removed, err) < 0)
        return -1;
    pthread_mutex_lock(&dropping->destruction.lock);
    *dropping->dropped += removed != REMOVED_REFUSED;
    pthread_mutex_unlock(&dropping->destruction.lock);
    return 0;
}

static int note_refusal(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    (void)segment, (void)err;
    destruction_read(context, entry);
    return 0;
}

static bool anything_goes(const struct dropping *dropping) {
    bool any = false;
    for (size_t i = 0; i < dropping->reading.count && !any; i++)
        any = dropping->goes[i] || dropping->reading.segments[i].dropped;
    return any;
}

/* What a run that was killed left is removed, too. */
static int remove_segments(struct dropping *dropping, struct err *err) {
    struct destruction *destruction = &dropping->destruction;
    if (journal_reading_each(&dropping->reading, note_refusal, destruction, err) < 0)
        return -1;
    destruction_sort(destruction);

    struct workers *workers =
        workers_start(store_transfers(dropping->repo->store), sizeof(size_t), remove_one, dropping);
    for (size_t i = 0; i < dropping->reading.count; i++)
        if ((dropping->goes[i] || dropping->reading.segments[i].dropped) && workers_give(workers, &i, err) < 0)
            break;
    int result = workers_finish(workers, err);
    struct err why = { 0 };
    if (destruction_journal(destruction, result == 0 ? err : &why) < 0)
        result = -1;
    return result;
}

static int drop(struct dropping *dropping, const struct heads *heads, const char *const *mirrors, size_t mirror_count,
                int64_t before, int64_t now, struct err *err) {
    size_t chosen = 0;
    if (dropping->reading.fault_count > 0) {
        log_warning(dropping->repo->log, "nothing of the journal is dropped, because it is not whole: %s",
                    dropping->reading.faults[0].err.message);
        return 0;
    }
    if (choose(dropping, mirrors, mirror_count, before, &chosen, err) < 0 ||
        (chosen > 0 && write_checkpoint(dropping, heads, now, err) < 0))
        return -1;
    return anything_goes(dropping) ? remove_segments(dropping, err) : 0;
}

int journal_drop(struct repo *repo, const struct heads *heads, const char *const *mirrors, size_t mirror_count,
                 int64_t before, int64_t now, uint64_t *dropped, struct err *err) {
    struct dropping dropping = { .repo = repo, .dropped = dropped };
    if (journal_reading_load(repo, &dropping.reading, err) < 0)
        return err_wrap(err, "drop the old end of the journal");
    dropping.goes = mem_array(dropping.reading.count + 1, sizeof *dropping.goes);
    destruction_begin(&dropping.destruction, repo, repo->store, NULL, now);
    int result = drop(&dropping, heads, mirrors, mirror_count, before, now, err);
    destruction_release(&dropping.destruction);
    free(dropping.goes);
    journal_reading_release(&dropping.reading);
    return result < 0 ? err_wrap(err, "drop the old end of the journal") : 0;
}
