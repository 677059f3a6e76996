#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sample.h"
#include "scratch.h"
#include <muniment/snapshot/capture.h>
#include <muniment/snapshot/restore.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct sample *captured; /* a source has no place for it */

void sample_release(struct sample *sample) {
    for (size_t i = 0; i < SAMPLE_FILES; i++)
        buffer_release(&sample->files[i].content);
    *sample = (struct sample){ 0 };
}

void sample_copy(struct sample *to, const struct sample *from) {
    sample_release(to);
    for (size_t i = 0; i < SAMPLE_FILES; i++) {
        memcpy(to->files[i].name, from->files[i].name, sizeof to->files[i].name);
        buffer_put(&to->files[i].content, from->files[i].content.data, from->files[i].content.length);
    }
}

static void draw(uint8_t *data, size_t length, uint32_t seed) {
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; i < length; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        data[i] = (uint8_t)(state >> 24);
    }
}

void sample_fill(struct sample *sample, size_t file, const char *name, size_t length, uint32_t seed) {
    struct sample_file *filled = &sample->files[file];
    snprintf(filled->name, sizeof filled->name, "%s", name);
    buffer_clear(&filled->content);
    draw(buffer_extend(&filled->content, length), length, seed);
}

void sample_change(struct sample *sample, size_t file, size_t offset, size_t length, uint32_t seed) {
    assert_true(offset + length <= sample->files[file].content.length);
    draw(sample->files[file].content.data + offset, length, seed);
}

/* --- as a source ----------------------------------------------------------------------------------------------------
 */

static int preflight(const struct source *source, struct log *log, struct err *err) {
    (void)source, (void)log, (void)err;
    return 0;
}

static int capture(const struct source *source, struct source_sink *sink, struct log *log, struct err *err) {
    (void)source, (void)log;
    for (size_t i = 0; i < SAMPLE_FILES; i++) {
        struct entry entry = { .type = ENTRY_STREAM, .mode = 0600 };
        if (captured->files[i].name[0] == '\0')
            continue;
        entry.path = mem_string(captured->files[i].name);
        entry.size = captured->files[i].content.length;
        int result = source_put(sink, &entry, captured->files[i].content.data, captured->files[i].content.length, err);
        free(entry.path);
        if (result < 0)
            return -1;
    }
    return 0;
}

static const struct source_kind SAMPLE_SOURCE = {
    .name = "sample",
    .fine_chunks = true,
    .preflight = preflight,
    .capture = capture,
};

int sample_capture(struct repo *repo, const struct sample *sample, int64_t started, int64_t max_age, struct head *head,
                   struct err *err) {
    char name[] = "memory";
    const struct source source = { .name = name, .kind = &SAMPLE_SOURCE };
    const struct policy policy = { .daily = 7, .max_age = max_age, .interval = 86400, .timezone = "UTC" };
    const struct capture_options options = {
        .sources = &source, .source_count = 1, .policy = &policy, .started = started, .workers = 1
    };
    captured = sample;
    return capture_run(repo, &options, head, err);
}

/* --- and back -------------------------------------------------------------------------------------------------------
 */

int sample_compare(struct repo *repo, const struct head *head, const struct sample *sample, struct err *err) {
    char *scratch = scratch_make();
    char *folder = mem_format("%s/restored", scratch);
    const struct restore_options options = { .head = head, .workers = 1 };
    struct restore_result restored = { 0 };
    struct buffer content = { 0 };

    int result = restore_to_folder(repo, &options, folder, &restored, err);
    for (size_t i = 0; i < SAMPLE_FILES && result == 0; i++) {
        const struct sample_file *file = &sample->files[i];
        if (file->name[0] == '\0')
            continue;
        char *path = mem_format("%s/memory/%s", folder, file->name);
        struct err absent = { 0 };
        buffer_clear(&content);
        if (file_read(path, SIZE_MAX / 2, &content, &absent) < 0 || content.length != file->content.length ||
            memcmp(content.data, file->content.data, content.length) != 0)
            result = 1;
        free(path);
    }
    buffer_release(&content);
    free(folder);
    scratch_remove(scratch);
    return result;
}
