#include "lock_memory_internal.h"
#include <muniment/util/buffer.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

static const char HEADING[] = "muniment locks 1\n";

enum {
    FILE_MAX = 512 * 1024 * 1024,
    DIGITS = 64,
    DATE_LENGTH = 20,
    LINE_LENGTH = DIGITS + 1 + DATE_LENGTH + 1, /* "<hash> <date>\n" */
};

void lock_memory_add(struct lock_memory *memory, const uint8_t hash[32], int64_t until) {
    memory->items = mem_grow(memory->items, &memory->capacity, memory->count + 1, sizeof *memory->items);
    struct locked_object *object = &memory->items[memory->count++];
    memcpy(object->hash, hash, sizeof object->hash);
    object->until = until;
}

static int by_hash(const void *left, const void *right) {
    const struct locked_object *a = left, *b = right;
    return memcmp(a->hash, b->hash, sizeof a->hash);
}

int64_t lock_memory_find(const struct lock_memory *memory, const uint8_t hash[32]) {
    struct locked_object wanted = { 0 };
    memcpy(wanted.hash, hash, sizeof wanted.hash);
    const struct locked_object *found =
        memory->count ? bsearch(&wanted, memory->items, memory->count, sizeof wanted, by_hash) : NULL;
    return found ? found->until : 0;
}

static bool parse_line(struct lock_memory *memory, const char *line) {
    uint8_t hash[32];
    char date[DATE_LENGTH + 1] = "";
    int64_t until;
    if (!hex_decode(hash, sizeof hash, line) || line[DIGITS] != ' ' || line[LINE_LENGTH - 1] != '\n')
        return false;
    memcpy(date, line + DIGITS + 1, DATE_LENGTH);
    if (clock_parse(date, &until, NULL) < 0)
        return false;
    lock_memory_add(memory, hash, until);
    return true;
}

void lock_memory_load(struct lock_memory *memory, const char *path) {
    struct buffer text = { 0 };
    size_t heading = sizeof HEADING - 1;
    *memory = (struct lock_memory){ 0 };
    bool good = file_read(path, FILE_MAX, &text, NULL) == 0 && text.length >= heading &&
                memcmp(text.data, HEADING, heading) == 0 && (text.length - heading) % LINE_LENGTH == 0;
    for (size_t at = heading; good && at < text.length; at += LINE_LENGTH)
        good = parse_line(memory, (const char *)text.data + at);
    if (!good)
        lock_memory_release(memory);
    if (memory->count > 1)
        qsort(memory->items, memory->count, sizeof *memory->items, by_hash);
    buffer_release(&text);
}

int lock_memory_save(const struct lock_memory *memory, const char *path, struct err *err) {
    struct buffer text = { 0 };
    buffer_put(&text, HEADING, sizeof HEADING - 1);
    for (size_t i = 0; i < memory->count; i++) {
        char digits[DIGITS + 1], date[CLOCK_TEXT];
        buffer_printf(&text, "%s %s\n", hex_encode(digits, memory->items[i].hash, sizeof memory->items[i].hash),
                      clock_format(date, memory->items[i].until));
    }
    int result = file_replace(path, 0600, text.data, text.length, err);
    buffer_release(&text);
    return result;
}

void lock_memory_release(struct lock_memory *memory) {
    free(memory->items);
    *memory = (struct lock_memory){ 0 };
}
