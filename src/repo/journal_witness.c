#include "journal_internal.h"
#include <inttypes.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char PREFIX[] = "muniment-journal-1:";

enum { NUMBER_MAX = JOURNAL_NUMBER_DIGITS };

char *journal_witness(const struct keys *keys, const struct journal_chain *chain, char text[JOURNAL_WITNESS]) {
    char hash[65];
    snprintf(text, JOURNAL_WITNESS, "%s%s:%s:%" PRIu64 ":%s", PREFIX, keys->set_name, chain->host, chain->last,
             hex_encode(hash, chain->hash, sizeof chain->hash));
    return text;
}

/* --- finding them ---------------------------------------------------------------------------------------------------
 */

/* Takes `count` digits and what ends them from `*text`. */
static bool take_hex(const char **text, const char *end, uint8_t *to, size_t count) {
    if ((size_t)(end - *text) < count || !hex_decode(to, count / 2, *text))
        return false;
    *text += count;
    return true;
}

static bool take_colon(const char **text, const char *end) {
    if (*text == end || **text != ':')
        return false;
    ++*text;
    return true;
}

static bool take_number(const char **text, const char *end, uint64_t *number) {
    const char *begin = *text;
    *number = 0;
    while (*text < end && **text >= '0' && **text <= '9' && *text - begin < NUMBER_MAX)
        *number = *number * 10 + (uint64_t)(*(*text)++ - '0');
    return *text > begin && *begin != '0';
}

/* What follows the set's id in a token. One that goes on is another thing than it seems. */
static bool take_place(const char *text, const char *end, struct journal_place *place) {
    uint8_t host[JOURNAL_HOST_DIGITS / 2], more;
    if (!take_colon(&text, end) || !take_hex(&text, end, host, JOURNAL_HOST_DIGITS) || !take_colon(&text, end) ||
        !take_number(&text, end, &place->number) || !take_colon(&text, end) ||
        !take_hex(&text, end, place->hash, 2 * sizeof place->hash))
        return false;
    hex_encode(place->host, host, sizeof host);
    char next[3] = { text < end ? *text : ' ', '0', '\0' };
    return !hex_decode(&more, 1, next);
}

struct witnesses {
    struct journal_place *items;
    size_t count, capacity;
    size_t malformed;
};

static void add_witness(struct witnesses *witnesses, const struct journal_place *place) {
    for (size_t i = 0; i < witnesses->count; i++)
        if (memcmp(&witnesses->items[i], place, sizeof *place) == 0)
            return;
    witnesses->items = mem_grow(witnesses->items, &witnesses->capacity, witnesses->count + 1, sizeof *witnesses->items);
    witnesses->items[witnesses->count++] = *place;
}

static void find_witnesses(const struct keys *keys, const char *text, size_t length, struct witnesses *witnesses) {
    const char *end = text + length;
    size_t digits = strlen(keys->set_name);
    if (length == 0)
        return;
    for (const char *at = text; (at = memmem(at, (size_t)(end - at), PREFIX, sizeof PREFIX - 1)) != NULL;) {
        struct journal_place place;
        memset(&place, 0, sizeof place); /* compared as bytes */
        at += sizeof PREFIX - 1;
        if ((size_t)(end - at) < digits || memcmp(at, keys->set_name, digits) != 0)
            continue;
        at += digits;
        if (take_place(at, end, &place))
            add_witness(witnesses, &place);
        else
            witnesses->malformed++;
    }
}

/* --- holding them against the journal -------------------------------------------------------------------------------
 */

/* NULL when the journal is what the witness saw. */
static char *contradiction(const struct journal_reading *reading, const struct journal_place *witness) {
    const struct journal_span *span = journal_find_span(reading, witness->host);
    if (!span)
        return mem_format("the chain of host %s is gone: it had %" PRIu64 " segments", witness->host, witness->number);

    const struct journal_place *dropped = span->dropped ? &span->dropped->place : NULL;
    if (dropped && witness->number < dropped->number)
        return NULL;
    if (dropped && witness->number == dropped->number)
        return memcmp(witness->hash, dropped->hash, sizeof dropped->hash) == 0
                   ? NULL
                   : mem_format("segment %" PRIu64 " of host %s was another one before it was dropped", witness->number,
                                witness->host);

    uint64_t last = reading->segments[span->end - 1].place.number;
    if (witness->number > last)
        return mem_format("the chain of host %s was cut: it ends with segment %" PRIu64 ", and had %" PRIu64,
                          witness->host, last, witness->number);
    bool number = false;
    for (size_t i = span->begin; i < span->end; i++) {
        const struct journal_segment *segment = &reading->segments[i];
        if (segment->place.number != witness->number)
            continue;
        number = true;
        if (memcmp(segment->place.hash, witness->hash, sizeof witness->hash) == 0)
            return NULL;
    }
    return mem_format(number ? "segment %" PRIu64 " of host %s is not the one that was there"
                             : "segment %" PRIu64 " of host %s is missing",
                      witness->number, witness->host);
}

int journal_check_witnesses(struct repo *repo, const void *text, size_t length, journal_finding *finding, void *context,
                            uint64_t *witnesses, struct err *err) {
    struct witnesses found = { 0 };
    struct journal_reading reading = { 0 };
    find_witnesses(repo->keys, text, length, &found);
    *witnesses = found.count;
    if (found.malformed > 0 && finding)
        finding(context, "witness", "a token of this set is not whole");
    int result = found.count > 0 ? journal_reading_load(repo, &reading, err) : 0;
    for (size_t i = 0; i < found.count && result == 0 && finding; i++) {
        char name[REPO_NAME_MAX];
        char *why = contradiction(&reading, &found.items[i]);
        if (why)
            finding(context, journal_segment_name(repo, &found.items[i], name), why);
        free(why);
    }
    journal_reading_release(&reading);
    free(found.items);
    return result < 0 ? err_wrap(err, "read the journal") : 0;
}
