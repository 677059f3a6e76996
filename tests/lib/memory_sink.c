#include "memory_sink.h"
#include <inttypes.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

static int sink_space(void *context, void **data, size_t *length, struct err *err) {
    struct memory_sink *sink = context;
    (void)err;
    *length = sink->space != 0 ? sink->space : 65536;
    *data = buffer_reserve(&sink->pending, *length);
    return 0;
}

static int sink_fill(void *context, size_t length, struct err *err) {
    struct memory_sink *sink = context;
    (void)err;
    sink->pending.length += length;
    if (sink->on_fill != NULL)
        sink->on_fill(sink, sink->on_fill_data);
    return 0;
}

static struct memory_entry *add(struct memory_sink *sink, const struct entry *entry) {
    sink->entries = mem_grow(sink->entries, &sink->capacity, sink->count + 1, sizeof *sink->entries);
    struct memory_entry *added = &sink->entries[sink->count++];
    *added = (struct memory_entry){ 0 };
    entry_copy(&added->entry, entry);
    return added;
}

static int sink_end(void *context, const struct entry *entry, struct err *err) {
    struct memory_sink *sink = context;
    if (sink->entries_until_full != 0 && sink->count + 1 == sink->entries_until_full)
        return err_set(err, ERR_SYSTEM, "the store is full");

    struct memory_entry *added = add(sink, entry);
    added->entry.content = sink->pending.length;
    added->content = sink->pending;
    sink->pending = (struct buffer){ 0 };
    return 0;
}

static int sink_discard(void *context, struct err *err) {
    struct memory_sink *sink = context;
    (void)err;
    buffer_clear(&sink->pending);
    sink->discard_count++;
    return 0;
}

static const struct entry *sink_previous(void *context, const char *path) {
    struct memory_sink *sink = context;
    sink->found = sink->last != NULL ? memory_sink_find(sink->last, path) : NULL;
    return sink->found != NULL ? &sink->found->entry : NULL;
}

static int sink_keep(void *context, const struct entry *entry, struct err *err) {
    struct memory_sink *sink = context;
    if (sink->found == NULL)
        return err_set(err, ERR_INVALID, "nothing to keep");
    struct memory_entry *added = add(sink, entry);
    buffer_put(&added->content, sink->found->content.data, sink->found->content.length);
    added->entry.content = added->content.length;
    added->kept = true;
    return 0;
}

static void *sink_hold(void *context) {
    struct memory_sink *sink = context;
    return mem_string(sink->found->entry.path);
}

static void sink_drop_held(void *context, void *held) {
    (void)context;
    free(held);
}

static int sink_keep_held(void *context, void *held, struct err *err) {
    struct memory_sink *sink = context;
    sink->found = memory_sink_find(sink->last, held);
    free(held);
    return sink_keep(context, &sink->found->entry, err);
}

static void sink_trouble(void *context, const char *path, const struct err *why) {
    struct memory_sink *sink = context;
    buffer_printf(&sink->troubles, "%s: %s\n", path != NULL ? path : "", why->message);
    buffer_text(&sink->troubles);
    sink->trouble_count++;
}

static void sink_fact(void *context, const char *name, const char *value) {
    (void)context;
    (void)name;
    (void)value;
}

static void sink_unit(void *context, const char *name, uint64_t bytes, bool rows_known, uint64_t rows) {
    struct memory_sink *sink = context;
    (void)rows_known;
    (void)rows;
    buffer_printf(&sink->units, "%s %" PRIu64 "\n", name, bytes);
    buffer_text(&sink->units);
    sink->unit_count++;
}

void memory_sink_init(struct memory_sink *sink, struct memory_sink *last) {
    *sink = (struct memory_sink){
        .last = last,
        .sink = {
            .context = sink,
            .space = sink_space,
            .fill = sink_fill,
            .end = sink_end,
            .discard = sink_discard,
            .previous = sink_previous,
            .keep = sink_keep,
            .hold = sink_hold,
            .keep_held = sink_keep_held,
            .drop_held = sink_drop_held,
            .trouble = sink_trouble,
            .fact = sink_fact,
            .unit = sink_unit,
        },
    };
    buffer_text(&sink->troubles);
    buffer_text(&sink->units);
}

void memory_sink_release(struct memory_sink *sink) {
    for (size_t i = 0; i < sink->count; i++) {
        entry_release(&sink->entries[i].entry);
        buffer_release(&sink->entries[i].content);
    }
    free(sink->entries);
    buffer_release(&sink->pending);
    buffer_release(&sink->troubles);
    buffer_release(&sink->units);
    *sink = (struct memory_sink){ 0 };
}

const struct memory_entry *memory_sink_find(const struct memory_sink *sink, const char *path) {
    for (size_t i = 0; i < sink->count; i++)
        if (strcmp(sink->entries[i].entry.path, path) == 0)
            return &sink->entries[i];
    return NULL;
}

const char *memory_sink_paths(const struct memory_sink *sink, struct buffer *out) {
    buffer_clear(out);
    for (size_t i = 0; i < sink->count; i++)
        buffer_printf(out, "%s\n", sink->entries[i].entry.path);
    return buffer_text(out);
}
