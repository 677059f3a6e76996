/* Journal segments: the name of one, a newline, and its payload. */
#include "../../src/repo/journal_internal.h"
#include "fuzz.h"
#include <string.h>

static const uint8_t PREVIOUS[32] = { 1 };
static const struct journal_place PLACE = { .host = "0011223344556677", .number = 2 };

void fuzz_seed(struct buffer *seed) {
    struct journal_batch batch = { 0 };
    char leaf[256];
    journal_add(&batch, 1772366400, "captured", "snapshot", "x\ty%", "outcome", "", NULL);
    journal_add(&batch, 1772366400, "verified", NULL);
    buffer_printf(seed, "%s\n", journal_name_format(&PLACE, leaf, sizeof leaf));
    journal_heading_encode(fuzz_keys(), &PLACE, PREVIOUS, seed);
    buffer_put(seed, batch.lines.data, batch.lines.length);
    journal_batch_release(&batch);
}

static void check_name(const char *text, size_t length) {
    struct buffer leaf = { 0 };
    struct journal_place place;
    char again[256];
    buffer_put(&leaf, text, length);
    const char *name = buffer_text(&leaf);
    if (journal_name_parse(name, &place))
        fuzz_require(strcmp(journal_name_format(&place, again, sizeof again), name) == 0);
    buffer_release(&leaf);
}

/* An event that was read and written again must be the same line. */
static void check_line(const struct journal_entry *entry, const uint8_t *line, size_t length) {
    struct journal_batch batch = { 0 };
    size_t count = 0;
    while (entry->fields[count])
        count++;
    if (count > 4)
        return;
    const char *const *f = entry->fields;
    journal_add(&batch, entry->time, entry->event, count > 0 ? f[0] : NULL, count > 0 ? f[1] : NULL,
                count > 2 ? f[2] : NULL, count > 2 ? f[3] : NULL, NULL);
    fuzz_require(batch.lines.length == length && memcmp(batch.lines.data, line, length) == 0);
    journal_batch_release(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct journal_line line = { 0 };
    struct reader reader;
    struct err err = { 0 };
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    if (!newline)
        return 0;
    check_name((const char *)data, (size_t)(newline - data));

    reader_init(&reader, newline + 1, size - (size_t)(newline + 1 - data));
    uint8_t previous[32];
    if (journal_heading_read(fuzz_keys(), &PLACE, &reader, previous, "fuzzed", &err) < 0)
        return 0;
    for (const uint8_t *start = reader.at; journal_line_next(&line, &reader, "fuzzed", &err) == 1; start = reader.at)
        check_line(&line.entry, start, (size_t)(reader.at - start));
    journal_line_release(&line);
    return 0;
}
