#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/repo/journal_internal.h"
#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
#include <muniment/repo/record.h>
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, KEEP = 366 * DAY, HOSTS = 3 };

static const int64_t BEGIN = 1772366400; /* 2026-03-01T12:00:00Z */
static const char *const MIRRORS[] = { "disk", "offsite" };

/* A repository with several hosts. */
struct world {
    struct scratch_repo scratch;
    struct keys keys[HOSTS];
    struct repo hosts[HOSTS];
};

static void world_open(struct world *world, const struct keys *like) {
    scratch_repo_open(&world->scratch);
    if (like)
        world->scratch.keys = *like;
    for (int i = 0; i < HOSTS; i++) {
        world->keys[i] = world->scratch.keys;
        if (i > 0)
            keys_new_host(&world->keys[i]);
        world->hosts[i] = world->scratch.repo;
        world->hosts[i].keys = &world->keys[i];
    }
}

static void world_close(struct world *world) {
    for (int i = 0; i < HOSTS; i++)
        keys_wipe(&world->keys[i]);
    scratch_repo_close(&world->scratch);
}

static void append(struct repo *repo, struct journal_batch *batch) {
    struct err err = { 0 };
    assert_success(journal_append(repo, batch, &err), &err);
}

static void append_event(struct repo *repo, int64_t when, const char *event, const char *name, const char *value) {
    struct journal_batch batch = { 0 };
    journal_add(&batch, when, event, name, value, NULL);
    append(repo, &batch);
    journal_batch_release(&batch);
}

static uint64_t drop(struct repo *repo, const struct heads *heads, size_t mirrors, int64_t now) {
    static const struct heads NONE = { 0 };
    struct err err = { 0 };
    uint64_t dropped = 0;
    assert_success(journal_drop(repo, heads ? heads : &NONE, MIRRORS, mirrors, now - KEEP, now, &dropped, &err), &err);
    return dropped;
}

static struct store_names list(const struct repo *repo) {
    struct store_names names = { 0 };
    struct err err = { 0 };
    char folder[REPO_NAME_MAX];
    assert_success(store_names_load(repo->store, repo_folder(repo, folder, "journal"), &names, &err), &err);
    return names;
}

static void name_of(const struct repo *repo, size_t at, char name[REPO_NAME_MAX]) {
    struct store_names names = list(repo);
    assert_true(at < names.count);
    snprintf(name, REPO_NAME_MAX, "%s", names.items[at].name);
    store_names_release(&names);
}

static void note_finding(void *context, const char *segment, const char *text) {
    buffer_printf(context, "%s: %s\n", segment, text);
}

/* Everything that is wrong with the journal, "" when nothing is; the caller frees it. */
static char *findings_of(struct repo *repo, struct journal_survey *survey) {
    struct journal_survey own;
    struct buffer text = { 0 };
    struct err err = { 0 };
    assert_success(journal_look(repo, NULL, note_finding, &text, survey ? survey : &own, &err), &err);
    if (!survey)
        journal_survey_release(&own);
    char *copy = mem_string(buffer_text(&text));
    buffer_release(&text);
    return copy;
}

static void expect_whole(struct repo *repo) {
    char *text = findings_of(repo, NULL);
    assert_string_equal(text, "");
    free(text);
}

static void expect_finding(struct repo *repo, const char *part) {
    char *text = findings_of(repo, NULL);
    if (!strstr(text, part))
        fail_msg("'%s' is not among: %s", part, text);
    free(text);
}

/* --- a chain that begins behind a checkpoint ---------------------------------------------------------------------- */

/* A segment a week by one host, for so many weeks. Ends with the time of the last. */
static int64_t live(struct repo *repo, int weeks) {
    for (int week = 0; week < weeks; week++)
        append_event(repo, BEGIN + (int64_t)week * 7 * DAY, "verified", "mirror", "x");
    return BEGIN + (int64_t)weeks * 7 * DAY;
}

static void a_chain_begins_behind_its_checkpoint(void **state) {
    (void)state;
    struct world world;
    struct journal_survey survey;
    world_open(&world, NULL);
    struct repo *repo = &world.hosts[0];
    int64_t now = live(repo, 60);
    assert_int_equal(drop(repo, NULL, 0, now - 25 * DAY), 0); /* nothing is old enough to be worth a checkpoint */
    assert_int_equal(drop(repo, NULL, 0, now), 8);
    char *text = findings_of(repo, &survey);
    assert_string_equal(text, "");
    assert_int_equal(survey.chains[0].first, 9);
    assert_int_equal(survey.chains[0].last, 61);
    assert_int_equal(survey.segments, 53);
    assert_int_equal(survey.chains[0].from, BEGIN + 8 * 7 * DAY);
    assert_int_equal(drop(repo, NULL, 0, now + 4 * DAY), 0);

    /* A second one takes the place of the first. */
    assert_true(drop(repo, NULL, 0, now + 200 * DAY) > 20);
    expect_whole(repo);
    size_t count = scratch_repo_list(&world.scratch, "journal", NULL);
    assert_int_equal(drop(repo, NULL, 0, now + 5000 * DAY), count - 1); /* the newest stays, and the checkpoint came */
    assert_int_equal(scratch_repo_list(&world.scratch, "journal", NULL), 2);
    expect_whole(repo);
    append_event(repo, now + 5001 * DAY, "verified", "mirror", "x");
    expect_whole(repo);
    free(text);
    journal_survey_release(&survey);
    world_close(&world);
}

static void what_is_missing_behind_a_checkpoint_is_found(void **state) {
    (void)state;
    struct world world;
    struct err err = { 0 };
    struct buffer object = { 0 };
    char name[REPO_NAME_MAX];
    world_open(&world, NULL);
    struct repo *repo = &world.hosts[0];
    int64_t now = live(repo, 60);
    drop(repo, NULL, 0, now);

    /* More than it says was dropped: one, or all up to the checkpoint itself. */
    name_of(repo, 0, name);
    assert_success(store_get(repo->store, name, 65536, &object, &err), &err);
    assert_success(store_remove(repo->store, name, NULL, &err), &err);
    expect_finding(repo, "segment 9 of this chain is missing before it");
    assert_failure(journal_walk(repo, NULL, NULL, &err), ERR_CORRUPT, &err);
    assert_success(store_put(repo->store, name, object.data, object.length, &err), &err);
    expect_whole(repo);

    /* Without the checkpoint the old end is missing. */
    name_of(repo, 52, name);
    assert_success(store_remove(repo->store, name, NULL, &err), &err);
    expect_finding(repo, "segments 1 to 8 of this chain are missing before it");
    buffer_release(&object);
    world_close(&world);
}

/* --- false checkpoints -------------------------------------------------------------------------------------------- */

/* A checkpoint that says what it likes, signed by whoever likes. */
static void put_checkpoint(struct repo *repo, int64_t when, const char *host, const char *number, const char *hash) {
    struct journal_batch batch = { 0 };
    char time[CLOCK_TEXT];
    journal_add(&batch, when, "checkpoint", "host", host, "number", number, "hash", hash, "from",
                clock_format(time, BEGIN), "until", time, "segments", number, "events", number, NULL);
    append(repo, &batch);
    journal_batch_release(&batch);
}

/* The oldest segments of a host. */
static void remove_first_three(struct repo *repo, const char *host) {
    struct err err = { 0 };
    struct store_names names = list(repo);
    size_t gone = 0;
    for (size_t i = 0; i < names.count && gone < 3; i++) {
        if (strncmp(repo_leaf(names.items[i].name), host, 16) != 0)
            continue;
        assert_success(store_remove(repo->store, names.items[i].name, NULL, &err), &err);
        gone++;
    }
    assert_int_equal(gone, 3);
    store_names_release(&names);
}

static void a_checkpoint_that_does_not_fit_is_found(void **state) {
    (void)state;
    static const char FALSE_HASH[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    struct world world;
    char host[17];
    for (int number = 3; number <= 40; number += 37) {
        char text[8];
        world_open(&world, NULL);
        live(&world.hosts[0], 6);
        snprintf(text, sizeof text, "%d", number);
        put_checkpoint(&world.hosts[1], BEGIN, keys_host_name(&world.keys[0], host), text, FALSE_HASH);
        expect_finding(&world.hosts[0], number == 3 ? "does not fit what follows" : "none of those that followed");

        /* Nor does it excuse what is missing. */
        remove_first_three(&world.hosts[0], host);
        expect_finding(&world.hosts[0], "segments 1 to 3 of this chain are missing before it");
        world_close(&world);
    }
}

static void a_checkpoint_of_a_host_without_certificate_is_none(void **state) {
    (void)state;
    struct world world;
    struct keys stranger, forger;
    char host[17], hash[65], number[] = "3", name[REPO_NAME_MAX];
    struct journal_place place;
    world_open(&world, NULL);
    live(&world.hosts[0], 6);
    name_of(&world.hosts[0], 2, name);
    assert_true(journal_name_parse(repo_leaf(name), &place));

    /* Everything but the root's signature is right. */
    keys_generate(&stranger);
    forger = world.keys[0];
    memcpy(forger.host_public, stranger.host_public, sizeof forger.host_public);
    memcpy(forger.host_secret, stranger.host_secret, sizeof forger.host_secret);
    memcpy(forger.host_certificate, stranger.host_certificate, sizeof forger.host_certificate);
    struct repo forged = world.hosts[0];
    forged.keys = &forger;
    put_checkpoint(&forged, BEGIN, keys_host_name(&world.keys[0], host), number,
                   hex_encode(hash, place.hash, sizeof place.hash));
    remove_first_three(&world.hosts[0], host);
    expect_finding(&world.hosts[0], "did not certify");
    expect_finding(&world.hosts[0], "segments 1 to 3 of this chain are missing before it");

    /* By one that is certified it would have been true. */
    put_checkpoint(&world.hosts[1], BEGIN, host, number, hash);
    char *text = findings_of(&world.hosts[0], NULL);
    assert_null(strstr(text, "are missing"));
    free(text);
    keys_wipe(&stranger);
    keys_wipe(&forger);
    world_close(&world);
}

/* --- a run that was killed ---------------------------------------------------------------------------------------- */

static void a_drop_that_was_killed_is_finished_by_the_next(void **state) {
    (void)state;
    struct world world;
    struct err err = { 0 };
    struct buffer objects[8] = { 0 };
    char names[8][REPO_NAME_MAX];
    uint64_t events = 0;
    struct journal_survey survey;
    world_open(&world, NULL);
    struct repo *repo = &world.hosts[0];
    int64_t now = live(repo, 60);
    for (size_t i = 0; i < 8; i++) {
        name_of(repo, i, names[i]);
        assert_success(store_get(repo->store, names[i], 65536, &objects[i], &err), &err);
    }
    assert_int_equal(drop(repo, NULL, 0, now), 8);
    free(findings_of(repo, &survey));
    events = survey.events;
    journal_survey_release(&survey);

    /* Some of what was dropped is still there, with or without a gap, and damaged or not: it tells nothing. */
    for (size_t left = 1; left < 256; left = left * 3 + 1) {
        for (size_t i = 0; i < 8; i++)
            if (left >> i & 1)
                assert_success(store_put(repo->store, names[i], objects[i].data, objects[i].length, &err), &err);
        char *text = findings_of(repo, &survey);
        assert_string_equal(text, "");
        free(text);
        assert_int_equal(survey.events, events);
        assert_int_equal(survey.chains[0].first, 9);
        journal_survey_release(&survey);
        size_t expected = (size_t)__builtin_popcountll(left & 255);
        assert_int_equal(drop(repo, NULL, 0, now), expected);
        expect_whole(repo);
    }
    for (size_t i = 0; i < 8; i++)
        buffer_release(&objects[i]);
    world_close(&world);
}

static void a_journal_that_is_not_whole_is_not_dropped_from(void **state) {
    (void)state;
    struct world world;
    char name[REPO_NAME_MAX];
    world_open(&world, NULL);
    struct repo *repo = &world.hosts[0];
    int64_t now = live(repo, 60);
    name_of(repo, 30, name);
    scratch_repo_flip(&world.scratch, name, 100, 1);
    assert_int_equal(drop(repo, NULL, 0, now), 0);
    assert_int_equal(scratch_repo_list(&world.scratch, "journal", NULL), 60);
    world_close(&world);
}

static void witnesses_of_what_was_dropped_still_hold(void **state) {
    (void)state;
    struct world world;
    struct err err = { 0 };
    struct buffer findings = { 0 };
    struct journal_survey survey;
    char tokens[3][JOURNAL_WITNESS];
    uint64_t count;
    world_open(&world, NULL);
    struct repo *repo = &world.hosts[0];
    live(repo, 5);
    free(findings_of(repo, &survey));
    journal_witness(repo->keys, &survey.chains[0], tokens[0]);
    journal_survey_release(&survey);
    for (int week = 5; week < 60; week++) {
        append_event(repo, BEGIN + (int64_t)week * 7 * DAY, "verified", "mirror", "x");
        if (week != 7 && week != 30)
            continue;
        free(findings_of(repo, &survey));
        journal_witness(repo->keys, &survey.chains[0], tokens[week == 7 ? 1 : 2]);
        journal_survey_release(&survey);
    }
    assert_int_equal(drop(repo, NULL, 0, BEGIN + 60 * 7 * DAY), 8);
    char *text = mem_format("%s\n%s\n%s\n", tokens[0], tokens[1], tokens[2]);
    assert_success(journal_check_witnesses(repo, text, strlen(text), note_finding, &findings, &count, &err), &err);
    assert_string_equal(buffer_text(&findings), "");
    assert_int_equal(count, 3);

    /* The last that was dropped is known by its hash. */
    char *last = &tokens[1][strlen(tokens[1]) - 1];
    *last = *last == '0' ? '1' : '0';
    assert_success(journal_check_witnesses(repo, tokens[1], strlen(tokens[1]), note_finding, &findings, &count, &err),
                   &err);
    assert_non_null(strstr(buffer_text(&findings), "was another one before it was dropped"));
    free(text);
    buffer_release(&findings);
    world_close(&world);
}

/* --- what is concluded -------------------------------------------------------------------------------------------- */

/* Everything that readers of a journal keep in mind: a line each, sorted. It knows nothing of how dropping decides. */
struct conclusions {
    char **lines;
    size_t count, capacity;
};

static void conclude(struct conclusions *conclusions, char *line) {
    conclusions->lines =
        mem_grow(conclusions->lines, &conclusions->capacity, conclusions->count + 1, sizeof *conclusions->lines);
    conclusions->lines[conclusions->count++] = line;
}

static int compare_lines(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static bool has_line(const struct conclusions *conclusions, const char *line) {
    return conclusions->count > 0 &&
           bsearch(&line, conclusions->lines, conclusions->count, sizeof *conclusions->lines, compare_lines);
}

static void sort_lines(struct conclusions *conclusions) {
    if (conclusions->count > 1)
        qsort(conclusions->lines, conclusions->count, sizeof *conclusions->lines, compare_lines);
}

static void forget(struct conclusions *conclusions) {
    mem_free_strings(conclusions->lines, conclusions->count);
    *conclusions = (struct conclusions){ 0 };
}

/* "<event> <first field's value> [<mirror>]", and the time for the latest of its kind. */
struct reading {
    struct conclusions all;
    struct {
        char *key, *line;
        int64_t time;
    } latest[64];
    size_t latest_count;
};

static char *line_of(const struct journal_entry *entry) {
    struct buffer text = { 0 };
    buffer_printf(&text, "%s", entry->event);
    for (const char *const *field = entry->fields; *field; field += 2)
        if (strcmp(field[0], "carried") != 0)
            buffer_printf(&text, " %s=%s", field[0], field[1]);
    char *line = mem_string(buffer_text(&text));
    buffer_release(&text);
    return line;
}

static int read_entry(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    static const char *const BY_TIME[] = { "policy", "recorded", "mirrored", "verified", "checked", "drilled" };
    struct reading *reading = context;
    (void)segment, (void)err;
    bool timed = false;
    for (size_t i = 0; i < sizeof BY_TIME / sizeof *BY_TIME; i++)
        timed = timed || strcmp(entry->event, BY_TIME[i]) == 0;
    if (!timed) {
        if (strcmp(entry->event, "checkpoint") != 0)
            conclude(&reading->all, line_of(entry));
        return 0;
    }
    const char *mirror = journal_field(entry, "mirror"), *outcome = journal_field(entry, "outcome");
    char *key = mem_format("%s %s %s", entry->event, mirror ? mirror : "", outcome ? outcome : "");
    size_t at = 0;
    while (at < reading->latest_count && strcmp(reading->latest[at].key, key) != 0)
        at++;
    if (at == reading->latest_count) {
        assert_true(at < 64);
        reading->latest_count++;
        reading->latest[at].key = mem_string(key);
        reading->latest[at].time = INT64_MIN;
    }
    if (entry->time >= reading->latest[at].time) {
        char *line = line_of(entry);
        free(reading->latest[at].line);
        reading->latest[at].line = mem_format("%lld %s", (long long)entry->time, line);
        reading->latest[at].time = entry->time;
        free(line);
    }
    free(key);
    return 0;
}

/* Whether there is a line "<event> <rest of the line behind its own event>". */
static bool has_other(const struct conclusions *all, const char *event, const char *line) {
    char *other = mem_format("%s%s", event, strchr(line, ' '));
    bool found = has_line(all, other);
    free(other);
    return found;
}

/* What a reader keeps: names that live, what is still to be carried out, the latest of its kind. */
static void read_conclusions(struct repo *repo, const struct heads *heads, struct conclusions *kept) {
    struct reading reading = { 0 };
    struct err err = { 0 };
    assert_success(journal_walk(repo, read_entry, &reading, &err), &err);
    sort_lines(&reading.all);
    const struct conclusions *all = &reading.all;
    for (size_t i = 0; i < all->count; i++) {
        const char *line = all->lines[i];
        bool open = (strncmp(line, "captured ", 9) == 0 && !has_other(all, "expired", line)) ||
                    (strncmp(line, "key_added ", 10) == 0 && !has_other(all, "key_removed", line)) ||
                    (strncmp(line, "held ", 5) == 0 && !has_other(all, "released", line)) ||
                    (strncmp(line, "erasure ", 8) == 0 && !has_other(all, "erasure_over", line));
        if (open && (i == 0 || strcmp(all->lines[i - 1], line) != 0))
            conclude(kept, mem_format("open: %s", line));
    }
    for (size_t i = 0; i < heads->count; i++) {
        char *captured = mem_format("captured snapshot=%s", heads->items[i].name);
        conclude(kept, mem_format("%s: %d %d", captured, has_line(all, captured), has_other(all, "expired", captured)));
        free(captured);
    }
    for (size_t i = 0; i < reading.latest_count; i++) {
        conclude(kept, mem_format("latest: %s", reading.latest[i].line));
        free(reading.latest[i].key);
        free(reading.latest[i].line);
    }
    sort_lines(kept);
    forget(&reading.all);
}

/* --- some years --------------------------------------------------------------------------------------------------- */

/* Two journals that are told the same: one drops its old end. */
struct years {
    struct world dropping, keeping;
    int64_t now;
    uint32_t dice;
    struct head heads_now[64];
    struct heads heads;
    int number;
};

static unsigned roll(struct years *years, unsigned sides) {
    years->dice = years->dice * 1664525 + 1013904223;
    return (years->dice >> 12) % sides;
}

static void tell(struct years *years, int host, struct journal_batch *batch) {
    struct journal_batch again = { .count = batch->count, .newest = batch->newest };
    buffer_put(&again.lines, batch->lines.data, batch->lines.length);
    append(&years->dropping.hosts[host], batch);
    append(&years->keeping.hosts[host], &again);
    journal_batch_release(batch);
    journal_batch_release(&again);
}

static void end_oldest(struct years *years, struct journal_batch *batch) {
    journal_add(batch, years->now, "expired", "snapshot", years->heads_now[0].name, NULL);
    if (roll(years, 6) == 0)
        return; /* a lock holds its head for now */
    free(years->heads_now[0].name);
    memmove(years->heads_now, years->heads_now + 1, --years->heads.count * sizeof *years->heads_now);
}

/* What begins in a night, and in another one ends, where it had begun at all: as the dice say. */
static const struct {
    const char *begin, *end, *field, *name;
    unsigned begin_sides, end_sides;
} SPANS[] = {
    { "key_added", "key_removed", "id", "k", 20, 3 },
    { "held", "released", "hold", "h", 15, 4 },
    { "erasure", "erasure_over", "object", "erasures/", 8, 4 },
};

/* One night of one host: this and that. */
static void night(struct years *years) {
    struct journal_batch batch = { 0 };
    int host = (int)roll(years, HOSTS), number = years->number++;
    char text[64], time[CLOCK_TEXT];
    int64_t now = years->now += 2 * DAY + (int64_t)roll(years, 6 * DAY);

    char *name = mem_format("%s-%04d", clock_format_compact(time, now), number);
    years->heads_now[years->heads.count++].name = name;
    journal_add(&batch, now, "captured", "snapshot", name, NULL);
    while (years->heads.count > 20 + roll(years, 4))
        end_oldest(years, &batch);
    if (roll(years, 40) == 0) {
        snprintf(text, sizeof text, "%u", roll(years, 1000));
        journal_add(&batch, now, "policy", "id", text, NULL);
    }
    for (size_t i = 0; i < sizeof SPANS / sizeof *SPANS; i++) {
        snprintf(text, sizeof text, "%s%d", SPANS[i].name, number);
        if (roll(years, SPANS[i].begin_sides) == 0)
            journal_add(&batch, now, SPANS[i].begin, SPANS[i].field, text, NULL);
        snprintf(text, sizeof text, "%s%u", SPANS[i].name, roll(years, (unsigned)number + 1));
        if (roll(years, SPANS[i].end_sides) == 0)
            journal_add(&batch, now, SPANS[i].end, SPANS[i].field, text, NULL);
    }
    snprintf(text, sizeof text, "purges/%d", number);
    journal_add(&batch, now, "recorded", "object", text, NULL);
    journal_add(&batch, now, "drilled", "outcome", roll(years, 9) == 0 ? "failed" : "passed", NULL);
    journal_add(&batch, now, "checked", "findings", "0", NULL);
    journal_add(&batch, now, "read", "command", "restore", NULL);
    for (size_t i = 0; i < 2; i++)
        journal_add(&batch, now, roll(years, 2) ? "mirrored" : "verified", "mirror", MIRRORS[i], NULL);
    tell(years, host, &batch);
}

static void expect_same_conclusions(struct years *years) {
    struct conclusions with = { 0 }, without = { 0 };
    read_conclusions(&years->keeping.hosts[0], &years->heads, &with);
    read_conclusions(&years->dropping.hosts[0], &years->heads, &without);
    for (size_t i = 0; i < with.count && i < without.count; i++)
        assert_string_equal(without.lines[i], with.lines[i]);
    assert_int_equal(without.count, with.count);
    forget(&with);
    forget(&without);
}

static void over_years_readers_conclude_what_they_always_did(void **state) {
    (void)state;
    struct years years = { .now = BEGIN, .dice = 7 };
    struct journal_survey survey;
    uint64_t dropped = 0;
    world_open(&years.dropping, NULL);
    world_open(&years.keeping, &years.dropping.scratch.keys);
    memcpy(years.keeping.keys, years.dropping.keys, sizeof years.keeping.keys);
    years.heads.items = years.heads_now;

    /* Three years and a half, a night in five days; any host may be the one that drops. */
    for (int64_t last = 0; years.now < BEGIN + 1280 * (int64_t)DAY;) {
        night(&years);
        if (years.now < last + 25 * DAY)
            continue;
        last = years.now;
        uint64_t now = drop(&years.dropping.hosts[roll(&years, HOSTS)], &years.heads, 2, years.now);
        if (now > 0)
            expect_same_conclusions(&years);
        dropped += now;
    }
    expect_same_conclusions(&years);
    char *text = findings_of(&years.dropping.hosts[0], &survey);
    assert_string_equal(text, "");
    free(text);
    assert_int_equal(survey.count, HOSTS);
    assert_true(dropped > 150);
    for (size_t i = 0; i < survey.count; i++)
        assert_true(survey.chains[i].from > years.now - KEEP - JOURNAL_DROP_PAUSE - 45 * DAY);
    journal_survey_release(&survey);
    for (size_t i = 0; i < years.heads.count; i++)
        free(years.heads_now[i].name);
    world_close(&years.keeping);
    world_close(&years.dropping);
}

/* --- what is still to be carried out ------------------------------------------------------------------------------ */

static int find_line(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    (void)segment, (void)err;
    char *line = line_of(entry);
    conclude(context, line);
    return 0;
}

static bool journal_says(struct repo *repo, const char *line) {
    struct conclusions lines = { 0 };
    struct err err = { 0 };
    assert_success(journal_walk(repo, find_line, &lines, &err), &err);
    sort_lines(&lines);
    bool says = has_line(&lines, line);
    forget(&lines);
    return says;
}

static void add_removal(struct repo *repo, const char *event, int64_t when, const char *object, const char *mirror) {
    struct journal_batch batch = { 0 };
    if (mirror)
        journal_add(&batch, when, event, "object", object, "mirror", mirror, NULL);
    else
        journal_add(&batch, when, event, "object", object, NULL);
    append(repo, &batch);
    journal_batch_release(&batch);
}

static void a_decision_that_something_withstood_stays(void **state) {
    (void)state;
    struct world world;
    world_open(&world, NULL);
    struct repo *repo = &world.hosts[0];
    static const char *const OBJECTS[] = { "packs/aa/gone", "packs/bb/locked", "packs/cc/hidden", "packs/dd/again" };
    for (size_t i = 0; i < 4; i++)
        add_removal(repo, "destroyed", BEGIN, OBJECTS[i], NULL);
    append_event(repo, BEGIN, "expired", "snapshot", "s1");
    append_event(repo, BEGIN, "expired", "snapshot", "s2");
    add_removal(repo, "refused", BEGIN + 1, "snapshots/s1", NULL);
    add_removal(repo, "removed", BEGIN + 1, OBJECTS[0], "disk");
    add_removal(repo, "refused", BEGIN + 1, OBJECTS[1], "disk");
    add_removal(repo, "hidden", BEGIN + 1, OBJECTS[2], NULL);
    add_removal(repo, "refused", BEGIN + 1, OBJECTS[3], "disk");
    add_removal(repo, "removed", BEGIN + 2, OBJECTS[3], "disk");
    add_removal(repo, "removed", BEGIN + 2, OBJECTS[1], "offsite"); /* not where it was refused */
    append_event(repo, BEGIN + 500 * DAY, "verified", "mirror", "disk");
    for (int round = 1; round <= 3; round++) {
        assert_true(drop(repo, NULL, 0, BEGIN + round * 500 * DAY) > 0);
        append_event(repo, BEGIN + round * 500 * DAY, "checked", "findings", "0");
        assert_true(journal_says(repo, "destroyed object=packs/bb/locked"));
        assert_true(journal_says(repo, "refused object=packs/bb/locked mirror=disk"));
        assert_true(journal_says(repo, "destroyed object=packs/cc/hidden"));
        assert_true(journal_says(repo, "expired snapshot=s1"));
        assert_false(journal_says(repo, "expired snapshot=s2"));
        assert_false(journal_says(repo, "destroyed object=packs/aa/gone"));
        assert_false(journal_says(repo, "destroyed object=packs/dd/again"));
    }
    world_close(&world);
}

static void nothing_is_dropped_that_a_mirror_may_not_know(void **state) {
    (void)state;
    struct world world;
    world_open(&world, NULL);
    struct repo *repo = &world.hosts[0];
    append_event(repo, BEGIN, "mirrored", "mirror", "disk");
    append_event(repo, BEGIN, "mirrored", "mirror", "offsite");
    append_event(repo, BEGIN + 10 * DAY, "expired", "snapshot", "s1");
    append_event(repo, BEGIN + 430 * DAY, "mirrored", "mirror", "disk");

    /* "offsite" was away for 14 months, and does not know yet that s1 expired. */
    assert_int_equal(drop(repo, NULL, 2, BEGIN + 430 * DAY), 0);
    assert_true(journal_says(repo, "expired snapshot=s1"));
    struct journal_batch batch = { 0 };
    journal_add(&batch, BEGIN + 431 * DAY, "mirrored", "mirror", "offsite", "left", "3", NULL);
    append(repo, &batch);
    assert_int_equal(drop(repo, NULL, 2, BEGIN + 431 * DAY), 0); /* it was back, and could not do all of it */
    append_event(repo, BEGIN + 432 * DAY, "mirrored", "mirror", "offsite");
    assert_int_equal(drop(repo, NULL, 2, BEGIN + 432 * DAY), 3);
    assert_false(journal_says(repo, "expired snapshot=s1"));
    expect_whole(repo);
    journal_batch_release(&batch);
    world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_begins_behind_its_checkpoint),
        cmocka_unit_test(what_is_missing_behind_a_checkpoint_is_found),
        cmocka_unit_test(a_checkpoint_that_does_not_fit_is_found),
        cmocka_unit_test(a_checkpoint_of_a_host_without_certificate_is_none),
        cmocka_unit_test(a_drop_that_was_killed_is_finished_by_the_next),
        cmocka_unit_test(a_journal_that_is_not_whole_is_not_dropped_from),
        cmocka_unit_test(witnesses_of_what_was_dropped_still_hold),
        cmocka_unit_test(over_years_readers_conclude_what_they_always_did),
        cmocka_unit_test(a_decision_that_something_withstood_stays),
        cmocka_unit_test(nothing_is_dropped_that_a_mirror_may_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
