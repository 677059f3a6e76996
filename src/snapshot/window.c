#include <muniment/snapshot/capture.h>
#include <string.h>

bool capture_window(const struct head *head, int64_t *from, int64_t *until) {
    bool database = false, bucket = false;
    for (size_t i = 0; i < head->source_count; i++) {
        const struct head_source *source = &head->sources[i];
        if (source->outcome == OUTCOME_FAILED)
            continue;
        if (strcmp(source->kind, SOURCE_POSTGRES.name) == 0) {
            *from = database && *from < source->started ? *from : source->started;
            database = true;
        } else if (strcmp(source->kind, SOURCE_BUCKET.name) == 0) {
            *until = bucket && *until > source->finished ? *until : source->finished;
            bucket = true;
        }
    }
    return database && bucket;
}
