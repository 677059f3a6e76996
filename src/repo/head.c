#include "head_internal.h"
#include <muniment/repo/head.h>
#include <muniment/repo/record.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_TEXT_MAX = 4096,      /* of sources, units, facts, hosts */
    LONG_TEXT_MAX = 64 * 1024, /* of a fact's value, of a trouble */
    SOURCES_MAX = 65536,
    DEPTH_MAX = 3,
    TIERS_ALL = 15,
    SOURCE_SIZE_LEAST = 61, /* bytes of a source whose every list and text is empty */
};

const char *outcome_text(enum outcome outcome) {
    switch (outcome) {
    case OUTCOME_COMPLETE:
        return "complete";
    case OUTCOME_PARTIAL:
        return "partial";
    case OUTCOME_FAILED:
        return "failed";
    }
    return "unknown";
}

static void source_release(struct head_source *source) {
    for (size_t i = 0; i < source->fact_count; i++) {
        free(source->facts[i].name);
        free(source->facts[i].value);
    }
    for (size_t i = 0; i < source->unit_count; i++)
        free(source->units[i].name);
    mem_free_strings(source->troubles, source->trouble_count);
    free(source->facts);
    free(source->units);
    free(source->name);
    free(source->kind);
    extents_release(&source->references.root);
}

void head_release(struct head *head) {
    for (size_t i = 0; i < head->source_count; i++)
        source_release(&head->sources[i]);
    free(head->sources);
    free(head->name);
    free(head->hostname);
    free(head->tool);
    *head = (struct head){ 0 };
}

uint64_t head_bytes(const struct head *head) {
    uint64_t sum = 0;
    for (size_t i = 0; i < head->source_count; i++)
        sum += head->sources[i].bytes;
    return sum;
}

uint64_t head_stored_bytes(const struct head *head) {
    uint64_t sum = 0;
    for (size_t i = 0; i < head->source_count; i++)
        sum += head->sources[i].stored_bytes;
    return sum;
}

uint32_t head_units(const struct head *head) {
    size_t sum = 0;
    for (size_t i = 0; i < head->source_count; i++)
        sum += head->sources[i].unit_count;
    return (uint32_t)sum;
}

/* --- on disk ------------------------------------------------------------------------------------------------------ */

static void encode_source(const struct head_source *source, struct buffer *out) {
    buffer_put_text(out, source->name);
    buffer_put_text(out, source->kind);
    buffer_put_u8(out, source->outcome);
    buffer_put_i64(out, source->started);
    buffer_put_i64(out, source->finished);
    buffer_put_varint(out, source->entries);
    buffer_put_varint(out, source->bytes);
    buffer_put_varint(out, source->stored_bytes);
    buffer_put(out, source->digest, sizeof source->digest);

    buffer_put_varint(out, source->fact_count);
    for (size_t i = 0; i < source->fact_count; i++) {
        buffer_put_text(out, source->facts[i].name);
        buffer_put_text(out, source->facts[i].value);
    }
    buffer_put_varint(out, source->unit_count);
    for (size_t i = 0; i < source->unit_count; i++) {
        buffer_put_text(out, source->units[i].name);
        buffer_put_varint(out, source->units[i].bytes);
        buffer_put_u8(out, source->units[i].rows_known);
        buffer_put_varint(out, source->units[i].rows);
    }
    buffer_put_varint(out, source->trouble_count);
    for (size_t i = 0; i < source->trouble_count; i++)
        buffer_put_text(out, source->troubles[i]);

    const struct references *references = &source->references;
    buffer_put_u8(out, references->depth);
    buffer_put_varint(out, references->data_extents);
    buffer_put_varint(out, references->tree_extents);
    buffer_put_varint(out, references->root.count);
    for (size_t i = 0; i < references->root.count; i++)
        extent_put(out, &references->root.items[i]);
}

void head_encode(const struct head *head, struct buffer *out) {
    buffer_put_u8(out, head->outcome);
    buffer_put_u8(out, head->tiers);
    for (int tier = 0; tier < HEAD_TIERS; tier++)
        buffer_put_u32(out, head->limits[tier]);
    buffer_put_i64(out, head->started);
    buffer_put_i64(out, head->finished);
    buffer_put_i64(out, head->deadline);
    buffer_put_text(out, head->hostname);
    buffer_put_text(out, head->tool);
    buffer_put_varint(out, head->source_count);
    for (size_t i = 0; i < head->source_count; i++)
        encode_source(&head->sources[i], out);
}

/* A count of things that take at least `least` bytes each: never more than there can be. 0 when it is. */
static size_t read_count(struct reader *reader, size_t least) {
    uint64_t count = reader_varint(reader);
    if (count > reader->left / least)
        reader->failed = true;
    return reader->failed ? 0 : (size_t)count;
}

/* Years 1970 to 9999: what the names of heads can say. */
static int64_t read_time(struct reader *reader) {
    int64_t when = reader_i64(reader);
    if (when < 0 || when > HEAD_TIME_MAX)
        reader->failed = true;
    return reader->failed ? 0 : when;
}

static uint8_t read_outcome(struct reader *reader) {
    uint8_t outcome = reader_u8(reader);
    if (outcome < OUTCOME_COMPLETE || outcome > OUTCOME_FAILED)
        reader->failed = true;
    return outcome;
}

static void decode_facts(struct head_source *source, struct reader *reader) {
    size_t count = read_count(reader, 2);
    source->facts = mem_array(count ? count : 1, sizeof *source->facts);
    while (source->fact_count < count && !reader->failed) {
        struct head_fact *fact = &source->facts[source->fact_count++];
        fact->name = reader_text(reader, NAME_TEXT_MAX);
        fact->value = reader_text(reader, LONG_TEXT_MAX);
    }
}

static void decode_units(struct head_source *source, struct reader *reader) {
    size_t count = read_count(reader, 4);
    source->units = mem_array(count ? count : 1, sizeof *source->units);
    while (source->unit_count < count && !reader->failed) {
        struct head_unit *unit = &source->units[source->unit_count++];
        unit->name = reader_text(reader, NAME_TEXT_MAX);
        unit->bytes = reader_varint(reader);
        uint8_t known = reader_u8(reader);
        unit->rows = reader_varint(reader);
        unit->rows_known = known == 1;
        if (known > 1 || (known == 0 && unit->rows != 0))
            reader->failed = true;
    }
}

static void decode_troubles(struct head_source *source, struct reader *reader) {
    size_t count = read_count(reader, 1);
    source->troubles = mem_array(count ? count : 1, sizeof *source->troubles);
    while (source->trouble_count < count && !reader->failed)
        source->troubles[source->trouble_count++] = reader_text(reader, LONG_TEXT_MAX);
}

static void decode_references(struct references *references, struct reader *reader) {
    references->depth = reader_u8(reader);
    references->data_extents = reader_varint(reader);
    references->tree_extents = reader_varint(reader);
    if (references->depth > DEPTH_MAX)
        reader->failed = true;

    /* Not through extents_add(): what is written down apart stays apart. */
    size_t count = read_count(reader, EXTENT_SIZE);
    references->root.items = mem_array(count ? count : 1, sizeof *references->root.items);
    references->root.capacity = count ? count : 1;
    while (references->root.count < count && extent_get(reader, &references->root.items[references->root.count]))
        references->root.count++;
}

static void decode_source(struct head_source *source, struct reader *reader) {
    source->name = reader_text(reader, NAME_TEXT_MAX);
    source->kind = reader_text(reader, NAME_TEXT_MAX);
    source->outcome = read_outcome(reader);
    source->started = read_time(reader);
    source->finished = read_time(reader);
    source->entries = reader_varint(reader);
    source->bytes = reader_varint(reader);
    source->stored_bytes = reader_varint(reader);
    reader_copy(reader, source->digest, sizeof source->digest);
    decode_facts(source, reader);
    decode_units(source, reader);
    decode_troubles(source, reader);
    decode_references(&source->references, reader);
}

static void decode(struct head *head, struct reader *reader) {
    head->outcome = read_outcome(reader);
    head->tiers = reader_u8(reader);
    for (int tier = 0; tier < HEAD_TIERS; tier++) {
        head->limits[tier] = reader_u32(reader);
        if ((head->tiers & 1 << tier) != 0 && head->limits[tier] == 0)
            reader->failed = true;
    }
    head->started = read_time(reader);
    head->finished = read_time(reader);
    head->deadline = read_time(reader);
    head->hostname = reader_text(reader, NAME_TEXT_MAX);
    head->tool = reader_text(reader, NAME_TEXT_MAX);

    size_t count = read_count(reader, SOURCE_SIZE_LEAST);
    if (head->tiers > TIERS_ALL || count > SOURCES_MAX)
        reader->failed = true;
    if (reader->failed)
        return;
    head->sources = mem_array(count ? count : 1, sizeof *head->sources);
    while (head->source_count < count && !reader->failed)
        decode_source(&head->sources[head->source_count++], reader);

    /* A head may not call itself better than its parts. */
    for (size_t i = 0; i < head->source_count; i++)
        if (head->outcome == OUTCOME_COMPLETE && head->sources[i].outcome != OUTCOME_COMPLETE)
            reader->failed = true;
}

int head_decode(struct head *head, const void *payload, size_t length, const char *name, struct err *err) {
    struct reader reader;
    *head = (struct head){ 0 };
    reader_init(&reader, payload, length);
    decode(head, &reader);
    if (reader.failed) {
        err_set(err, ERR_CORRUPT, "%s: the snapshot head is malformed", name);
        goto failed;
    }
    if (reader_finish(&reader, name, err) < 0)
        goto failed;
    if (!repo_leaf_is_dated(repo_leaf(name), head->started)) {
        err_set(err, ERR_CORRUPT, "%s: the snapshot head stands under a name that is not its own", name);
        goto failed;
    }
    head->name = mem_string(repo_leaf(name));
    return 0;

failed:
    head_release(head);
    return -1;
}

/* --- in the store ------------------------------------------------------------------------------------------------- */

int head_commit(struct repo *repo, struct head *head, struct err *err) {
    struct buffer payload = { 0 }, object = { 0 };
    uint8_t hash[32];
    char name[REPO_NAME_MAX];
    int result = -1;

    if (!repo->keys->can_sign)
        return err_set(err, ERR_KEY, "committing a snapshot takes a write key, which signs it");
    head_encode(head, &payload);
    record_seal(repo->keys, RECORD_HEAD, payload.data, payload.length, &object, hash);
    if (object.length > HEAD_OBJECT_MAX) {
        err_set(err, ERR_INVALID, "the snapshot head takes %zu bytes, more than %d", object.length, HEAD_OBJECT_MAX);
        goto out;
    }

    /* What was just encoded must be readable, or the snapshot is lost the moment its run has succeeded. */
    free(head->name);
    head->name = repo_dated_leaf(head->started, hash);
    struct head again;
    if (head_decode(&again, payload.data, payload.length, head->name, err) < 0) {
        err_wrap(err, "read back a snapshot head before it is stored");
        goto out;
    }
    head_release(&again);

    memcpy(head->signer, repo->keys->host_public, SIGN_PUBLIC_SIZE);
    result = record_store(repo, repo_name(repo, name, "snapshots", head->name), &object, err);
    if (result < 0)
        err_wrap(err, "store the snapshot head");
out:
    buffer_release(&payload);
    buffer_release(&object);
    return result;
}

int head_load_object(struct repo *repo, const char *object_name, struct head *head, struct err *err) {
    struct buffer payload = { 0 };
    uint8_t signer[SIGN_PUBLIC_SIZE];
    *head = (struct head){ 0 };
    int result = record_load(repo, RECORD_HEAD, object_name, HEAD_OBJECT_MAX, &payload, signer, err);
    if (result == 0)
        result = head_decode(head, payload.data, payload.length, object_name, err);
    if (result == 0)
        memcpy(head->signer, signer, sizeof signer);
    buffer_release(&payload);
    return result;
}

int head_load(struct repo *repo, const char *name, struct head *head, struct err *err) {
    char object_name[REPO_NAME_MAX];
    return head_load_object(repo, repo_name(repo, object_name, "snapshots", name), head, err);
}

char *head_short_name(const char *name, char short_name[9]) {
    const char *dash = strchr(name, '-');
    snprintf(short_name, 9, "%.8s", dash ? dash + 1 : name);
    return short_name;
}
