#include "hold_internal.h"
#include <muniment/repo/claim.h>
#include <muniment/repo/record.h>
#include <muniment/repo/records.h>
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ID_SIZE = 8, ID_DIGITS = 2 * ID_SIZE, SNAPSHOT_MAX = 128, OBJECT_MAX = 8192 };
enum { PURGE_WAIT = 600 /* seconds */, STAT_ATTEMPTS = 10, STAT_PAUSE = 100 /* milliseconds */ };

static const char FOLDER[] = "holds";

const char *hold_scope_text(enum hold_scope scope) {
    switch (scope) {
    case HOLD_SET:
        return "set";
    case HOLD_SNAPSHOT:
        return "snapshot";
    case HOLD_RANGE:
        break;
    }
    return "range";
}

/* --- as bytes ------------------------------------------------------------------------------------------------------
 */

void hold_encode(const struct hold *hold, struct buffer *out) {
    uint8_t id[ID_SIZE] = { 0 };
    (void)hex_decode(id, sizeof id, hold->id);
    buffer_put(out, id, sizeof id);
    buffer_put_u8(out, (uint8_t)hold->scope);
    buffer_put_i64(out, hold->placed);
    buffer_put_i64(out, hold->review);
    buffer_put_i64(out, hold->ends);
    buffer_put_i64(out, hold->from);
    buffer_put_i64(out, hold->until);
    buffer_put_text(out, hold->snapshot);
    buffer_put_text(out, hold->owner);
    buffer_put_text(out, hold->reason);
}

/* One line of text that says something. */
static bool is_line(const char *text) {
    if (!text || text[0] == '\0' || strlen(text) > HOLD_TEXT_MAX)
        return false;
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static bool scope_is_right(const struct hold *hold) {
    bool snapshot = hold->snapshot && hold->snapshot[0] != '\0', range = hold->from != 0 || hold->until != 0;
    switch (hold->scope) {
    case HOLD_SET:
        return !snapshot && !range;
    case HOLD_SNAPSHOT:
        return snapshot && !range && strlen(hold->snapshot) <= SNAPSHOT_MAX && !strchr(hold->snapshot, '/');
    case HOLD_RANGE:
        return !snapshot && hold->from >= 0 && hold->from <= hold->until;
    }
    return false;
}

static bool dates_are_right(const struct hold *hold) {
    return hold->placed > 0 && hold->review >= 0 && (hold->ends == 0 || hold->ends > hold->placed);
}

int hold_decode(struct hold *hold, const void *payload, size_t length, const char *name, struct err *err) {
    struct reader reader;
    uint8_t id[ID_SIZE];
    *hold = (struct hold){ 0 };
    reader_init(&reader, payload, length);
    reader_copy(&reader, id, sizeof id);
    hold->scope = reader_u8(&reader);
    hold->placed = reader_i64(&reader);
    hold->review = reader_i64(&reader);
    hold->ends = reader_i64(&reader);
    hold->from = reader_i64(&reader);
    hold->until = reader_i64(&reader);
    hold->snapshot = reader_text(&reader, SNAPSHOT_MAX);
    hold->owner = reader_text(&reader, HOLD_TEXT_MAX);
    hold->reason = reader_text(&reader, HOLD_TEXT_MAX);
    hex_encode(hold->id, id, sizeof id);

    bool right = !reader.failed && scope_is_right(hold) && dates_are_right(hold) && is_line(hold->owner) &&
                 is_line(hold->reason);
    int result =
        right ? reader_finish(&reader, name, err) : err_set(err, ERR_CORRUPT, "%s: the hold is malformed", name);
    if (result == 0 && strcmp(repo_leaf(name), hold->id) != 0)
        result = err_set(err, ERR_CORRUPT, "%s: the hold stands under a name that is not its own", name);
    if (hold->scope != HOLD_SNAPSHOT) {
        free(hold->snapshot);
        hold->snapshot = NULL;
    }
    if (result < 0)
        hold_free(hold);
    return result;
}

/* --- placing -------------------------------------------------------------------------------------------------------
 */

static int check_new(const struct hold *hold, struct err *err) {
    if (!is_line(hold->owner) || !is_line(hold->reason))
        return err_set(err, ERR_INVALID, "a hold needs an owner and a reason: one line each, of %d bytes at most",
                       HOLD_TEXT_MAX);
    if (!scope_is_right(hold))
        return err_set(err, ERR_INVALID,
                       "a hold covers the set, one snapshot, or a time from its beginning to its end");
    if (!dates_are_right(hold))
        return err_set(err, ERR_INVALID, "a hold ends after it was placed");
    return 0;
}

/* Reason and owner are nobody's business who has no key. */
static int journal_held(struct repo *repo, const struct hold *hold, struct err *err) {
    struct journal_batch batch = { 0 };
    const struct {
        const char *name;
        int64_t when;
    } dates[] = {
        { "from", hold->from }, { "until", hold->until }, { "review", hold->review }, { "ends", hold->ends }
    };
    const char *fields[15] = { "hold", hold->id, "scope", hold_scope_text(hold->scope) };
    char texts[4][CLOCK_TEXT];
    size_t count = 4;
    if (hold->scope == HOLD_SNAPSHOT) {
        fields[count++] = "snapshot";
        fields[count++] = hold->snapshot;
    }
    for (size_t i = 0; i < 4; i++) {
        if (dates[i].when == 0)
            continue;
        fields[count++] = dates[i].name;
        fields[count++] = clock_format(texts[i], dates[i].when);
    }
    journal_add_entry(&batch, &(struct journal_entry){ hold->placed, "held", fields });
    int result = journal_append(repo, &batch, err);
    journal_batch_release(&batch);
    return result;
}

int hold_place(struct repo *repo, struct hold *hold, struct err *err) {
    struct buffer payload = { 0 }, object = { 0 };
    uint8_t id[ID_SIZE];
    char name[REPO_NAME_MAX];
    if (!repo->keys->can_sign)
        return err_set(err, ERR_KEY, "placing a hold takes a write key, which signs it");
    if (check_new(hold, err) < 0)
        return -1;

    randombytes_buf(id, sizeof id);
    hex_encode(hold->id, id, sizeof id);
    hold_encode(hold, &payload);
    record_seal(repo->keys, RECORD_HOLD, payload.data, payload.length, &object, NULL);
    int result = journal_held(repo, hold, err);
    if (result == 0)
        result = store_put(repo->store, repo_name(repo, name, FOLDER, hold->id), object.data, object.length, err);
    buffer_release(&payload);
    buffer_release(&object);
    return result < 0 ? err_wrap(err, "place a hold") : 0;
}

/* A purge reads the holds once it has its lock, so one that begins later knows this one. */
int hold_await_purge(struct repo *repo, struct err *err) {
    char name[REPO_NAME_MAX];
    struct store_lock *lock = NULL;
    struct claim *claim = NULL;
    int result = store_lock_take(repo->store, repo_name(repo, name, "locks", "purge"), PURGE_WAIT, &lock, err);
    if (result == 0)
        result = claim_take(repo, PURGE_WAIT, &claim, err);
    claim_release(claim);
    store_lock_release(lock);
    if (result == 0)
        return 0;
    err_wrap(err, "the hold is in force; but whether a purge that runs had ended its snapshots before is not known");
    return err_hint(err, "look for them when the purge has ended: muniment list SET");
}

/* --- loading -------------------------------------------------------------------------------------------------------
 */

static int by_placed(const void *left, const void *right) {
    const struct hold *a = left, *b = right;
    if (a->placed != b->placed)
        return a->placed < b->placed ? -1 : 1;
    return strcmp(a->id, b->id);
}

static int load_one(struct repo *repo, const char *name, void *hold, struct err *err) {
    struct buffer payload = { 0 };
    int result = record_load(repo, RECORD_HOLD, name, OBJECT_MAX, &payload, NULL, err);
    if (result == 0)
        result = hold_decode(hold, payload.data, payload.length, name, err);
    buffer_release(&payload);
    return result;
}

static void release_one(void *hold) {
    hold_free(hold);
}

int holds_load(struct repo *repo, struct holds *holds, struct err *err) {
    static const struct record_folder RECORDS = { FOLDER, sizeof(struct hold), load_one, release_one };
    holds->items = records_load(repo, &RECORDS, &holds->count, err);
    if (!holds->items)
        return err_wrap(err, "load the holds");
    qsort(holds->items, holds->count, sizeof *holds->items, by_placed);
    return 0;
}

void hold_free(struct hold *hold) {
    free(hold->snapshot);
    free(hold->owner);
    free(hold->reason);
    *hold = (struct hold){ 0 };
}

void holds_release(struct holds *holds) {
    for (size_t i = 0; i < holds->count; i++)
        hold_free(&holds->items[i]);
    free(holds->items);
    *holds = (struct holds){ 0 };
}

/* --- in force ------------------------------------------------------------------------------------------------------
 */

bool hold_in_force(const struct hold *hold, int64_t now) {
    return hold->released == 0 && (hold->ends == 0 || now < hold->ends);
}

static bool covers(const struct hold *hold, const char *snapshot, int64_t started) {
    switch (hold->scope) {
    case HOLD_SET:
        return true;
    case HOLD_SNAPSHOT:
        return strcmp(hold->snapshot, snapshot) == 0;
    case HOLD_RANGE:
        return hold->from <= started && started <= hold->until;
    }
    return false;
}

const struct hold *holds_covering(const struct holds *holds, const char *snapshot, int64_t started, int64_t now) {
    const struct hold *longest = NULL;
    for (size_t i = 0; i < holds->count; i++) {
        const struct hold *hold = &holds->items[i];
        if (!hold_in_force(hold, now) || !covers(hold, snapshot, started))
            continue;
        if (!longest || (longest->ends != 0 && (hold->ends == 0 || hold->ends > longest->ends)))
            longest = hold;
    }
    return longest;
}

bool holds_cover(const struct holds *holds, const char *snapshot, int64_t started, int64_t now) {
    return holds_covering(holds, snapshot, started, now) != NULL;
}

/* --- the journal's word --------------------------------------------------------------------------------------------
 */

static struct hold_claim *claim_of(struct hold_witness *witness, const char *id) {
    for (size_t i = 0; i < witness->count; i++)
        if (strcmp(witness->items[i].id, id) == 0)
            return &witness->items[i];
    witness->items = mem_grow(witness->items, &witness->capacity, witness->count + 1, sizeof *witness->items);
    struct hold_claim *claim = &witness->items[witness->count++];
    *claim = (struct hold_claim){ 0 };
    memcpy(claim->id, id, ID_DIGITS);
    return claim;
}

/* The two may come in any order: each host has its own chain. */
void hold_witness_read(struct hold_witness *witness, const struct journal_entry *entry) {
    bool held = strcmp(entry->event, "held") == 0;
    const char *id = journal_field(entry, "hold"), *ends = journal_field(entry, "ends");
    uint8_t bytes[ID_SIZE];
    int64_t when;
    if ((!held && strcmp(entry->event, "released") != 0) || !id || strlen(id) != ID_DIGITS ||
        !hex_decode(bytes, sizeof bytes, id))
        return;
    struct hold_claim *claim = claim_of(witness, id);
    if (!held)
        claim->released = true;
    else if (!claim->held && ends && clock_parse(ends, &when, NULL) == 0)
        claim->ends = when;
    claim->held = claim->held || held;
}

static bool is_loaded(const struct holds *holds, const char *id) {
    for (size_t i = 0; i < holds->count; i++)
        if (strcmp(holds->items[i].id, id) == 0)
            return true;
    return false;
}

/* One that was placed since the folder was loaded is there by now, or will be in a moment: the journal has it first. */
static int check_absent(struct repo *repo, const char *id, struct err *err) {
    char name[REPO_NAME_MAX];
    uint64_t size;
    int64_t modified;
    repo_name(repo, name, FOLDER, id);
    for (int attempt = 1; store_stat(repo->store, name, &size, &modified, err) < 0; attempt++) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        if (attempt == STAT_ATTEMPTS) {
            err_set(err, ERR_CORRUPT, "hold %s is in force by the journal, and is gone from '%s'", id,
                    store_label(repo->store));
            return err_hint(err, "place it again if it is wanted, then end this one: muniment hold release SET %s", id);
        }
        nanosleep(&(struct timespec){ .tv_nsec = STAT_PAUSE * 1000000L }, NULL);
        if (interrupt_check(err) < 0)
            return -1;
    }
    return 0;
}

int hold_witness_check(const struct hold_witness *witness, struct repo *repo, const struct holds *holds, int64_t now,
                       struct err *err) {
    for (size_t i = 0; i < witness->count; i++) {
        const struct hold_claim *claim = &witness->items[i];
        bool in_force = claim->held && !claim->released && (claim->ends == 0 || now < claim->ends);
        if (in_force && !is_loaded(holds, claim->id) && check_absent(repo, claim->id, err) < 0)
            return -1;
    }
    return 0;
}

void hold_witness_release(struct hold_witness *witness) {
    free(witness->items);
    *witness = (struct hold_witness){ 0 };
}

/* --- releasing -----------------------------------------------------------------------------------------------------
 */

static int read_witness(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    (void)segment;
    (void)err;
    hold_witness_read(context, entry);
    return 0;
}

/* Takes an id that begins as asked. ERR_INVALID when another was found before. */
static int take_match(const char *id, const char *beginning, char whole[ID_DIGITS + 1], struct err *err) {
    if (strncmp(id, beginning, strlen(beginning)) != 0 || strcmp(id, whole) == 0)
        return 0;
    if (whole[0] != '\0')
        return err_set(err, ERR_INVALID, "the ids of several holds begin with '%s'", beginning);
    memcpy(whole, id, ID_DIGITS + 1);
    return 0;
}

/* The folder's names are enough: a hold that cannot be read can be released as well. */
static int find_hold(struct repo *repo, const char *beginning, char whole[ID_DIGITS + 1], struct err *err) {
    struct hold_witness witness = { 0 };
    struct store_names names = { 0 };
    char folder[REPO_NAME_MAX];
    int result = -1;
    whole[0] = '\0';
    if (store_names_load(repo->store, repo_folder(repo, folder, FOLDER), &names, err) < 0 ||
        journal_walk(repo, read_witness, &witness, err) < 0)
        goto out;
    result = 0;
    for (size_t i = 0; i < names.count && result == 0; i++)
        if (strlen(repo_leaf(names.items[i].name)) == ID_DIGITS)
            result = take_match(repo_leaf(names.items[i].name), beginning, whole, err);
    for (size_t i = 0; i < witness.count && result == 0; i++)
        if (witness.items[i].held && !witness.items[i].released)
            result = take_match(witness.items[i].id, beginning, whole, err);
    if (result == 0 && whole[0] == '\0')
        result = err_set(err, ERR_NOT_FOUND, "there is no hold '%s'", beginning);
out:
    store_names_release(&names);
    hold_witness_release(&witness);
    return result;
}

int hold_release(struct repo *repo, const char *id, int64_t now, char whole[ID_DIGITS + 1], struct err *err) {
    struct journal_batch batch = { 0 };
    char name[REPO_NAME_MAX];
    if (!repo->keys->can_sign)
        return err_set(err, ERR_KEY, "releasing a hold takes a write key, which signs it");
    if (id[0] == '\0')
        return err_set(err, ERR_INVALID, "a hold is named by its id");
    int result = find_hold(repo, id, whole, err);
    if (result == 0) {
        journal_add(&batch, now, "released", "hold", whole, NULL);
        result = journal_append(repo, &batch, err);
    }
    if (result == 0)
        result = store_remove(repo->store, repo_name(repo, name, FOLDER, whole), NULL, err);
    journal_batch_release(&batch);
    return result < 0 ? err_wrap(err, "release a hold") : 0;
}
