/* Snapshots of files that only exist in memory. Include <cmocka.h> and what it needs first. */
#ifndef MUNIMENT_TESTS_SAMPLE_H
#define MUNIMENT_TESTS_SAMPLE_H

#include <muniment/repo/head.h>
#include <muniment/util/buffer.h>

enum { SAMPLE_FILES = 8 };

/* What the next capture finds. Files without a name are not there. */
struct sample {
    struct sample_file {
        char name[16];
        struct buffer content;
    } files[SAMPLE_FILES];
};

void sample_release(struct sample *sample);
void sample_copy(struct sample *to, const struct sample *from);

/* Bytes that do not compress, drawn from `seed`. */
void sample_fill(struct sample *sample, size_t file, const char *name, size_t length, uint32_t seed);

/* Replaces bytes of a file by others, in place. */
void sample_change(struct sample *sample, size_t file, size_t offset, size_t length, uint32_t seed);

/* Captures the sample at `started` with this max_age (seconds). -1 and the error when the capture failed. */
int sample_capture(struct repo *repo, const struct sample *sample, int64_t started, int64_t max_age, struct head *head,
                   struct err *err) MUST_CHECK;

/* Restores the whole snapshot into a new folder and compares. 0 when every byte is equal, 1 when one is not; -1 when
 * the restore refused, with its error. */
int sample_compare(struct repo *repo, const struct head *head, const struct sample *sample, struct err *err) MUST_CHECK;

#endif
