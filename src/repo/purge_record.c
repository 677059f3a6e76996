#include "purge_internal.h"
#include <inttypes.h>
#include <muniment/repo/purge.h>
#include <muniment/repo/record.h>
#include <muniment/repo/records.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PACK_LINE_SIZE = 32 + 8 + 1 };

void purge_record_release(struct purge_record *record) {
    free(record->packs);
    *record = (struct purge_record){ 0 };
}

/* Where the pack stands, or would. */
static size_t position(const struct purge_record *record, const uint8_t pack[32]) {
    size_t low = 0, high = record->count;

    /* Names mostly come sorted: look at the end first. */
    if (high > 0 && memcmp(record->packs[high - 1].pack, pack, 32) < 0)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(record->packs[middle].pack, pack, 32) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct purge_pack *purge_record_find(const struct purge_record *record, const uint8_t pack[32]) {
    size_t at = position(record, pack);
    if (at < record->count && memcmp(record->packs[at].pack, pack, 32) == 0)
        return &record->packs[at];
    return NULL;
}

struct purge_pack *purge_record_add(struct purge_record *record, const uint8_t pack[32]) {
    size_t at = position(record, pack);
    if (at < record->count && memcmp(record->packs[at].pack, pack, 32) == 0)
        return &record->packs[at];

    record->packs = mem_grow(record->packs, &record->capacity, record->count + 1, sizeof *record->packs);
    memmove(record->packs + at + 1, record->packs + at, (record->count - at) * sizeof *record->packs);
    record->count++;
    record->packs[at] = (struct purge_pack){ 0 };
    memcpy(record->packs[at].pack, pack, 32);
    return &record->packs[at];
}

void purge_record_encode(const struct purge_record *record, struct buffer *out) {
    buffer_put_u64(out, record->epoch);
    buffer_put_i64(out, record->written);
    buffer_put_varint(out, record->count);
    for (size_t i = 0; i < record->count; i++) {
        buffer_put(out, record->packs[i].pack, 32);
        buffer_put_i64(out, record->packs[i].deadline);
        buffer_put_u8(out, record->packs[i].condemned);
    }
}

static bool decode(struct purge_record *record, struct reader *reader) {
    record->epoch = reader_u64(reader);
    record->written = reader_i64(reader);
    uint64_t count = reader_varint(reader);
    if (reader->failed || count != reader->left / PACK_LINE_SIZE)
        return false;

    record->packs = mem_array(count ? count : 1, sizeof *record->packs);
    record->capacity = count ? count : 1;
    for (; record->count < count; record->count++) {
        struct purge_pack *pack = &record->packs[record->count];
        reader_copy(reader, pack->pack, sizeof pack->pack);
        pack->deadline = reader_i64(reader);
        uint8_t condemned = reader_u8(reader);
        if (reader->failed || condemned > 1 || pack->deadline < 0)
            return false;
        pack->condemned = condemned;
        if (record->count > 0 && memcmp(pack[-1].pack, pack->pack, sizeof pack->pack) >= 0)
            return false;
    }
    return true;
}

int purge_record_decode(struct purge_record *record, const void *payload, size_t length, const char *name,
                        struct err *err) {
    *record = (struct purge_record){ 0 };
    struct reader reader;
    reader_init(&reader, payload, length);
    if (!decode(record, &reader)) {
        err_set(err, ERR_CORRUPT, "%s: the purge record is malformed", name);
        goto failed;
    }
    if (reader_finish(&reader, name, err) < 0)
        goto failed;

    char epoch[18];
    const char *leaf = repo_leaf(name);
    snprintf(epoch, sizeof epoch, "%016" PRIx64 "-", record->epoch);
    if (strlen(leaf) != PURGE_NAME_SIZE - 1 || strncmp(leaf, epoch, 17) != 0) {
        err_set(err, ERR_CORRUPT, "%s: the purge record stands under the name of another", name);
        goto failed;
    }
    memcpy(record->name, leaf, PURGE_NAME_SIZE);
    return 0;

failed:
    purge_record_release(record);
    return -1;
}

int purge_record_load(struct repo *repo, const char *name, struct purge_record *record, struct err *err) {
    struct buffer payload = { 0 };
    *record = (struct purge_record){ 0 };
    int result = record_load(repo, RECORD_PURGE, name, PURGE_RECORD_MAX, &payload, NULL, err);
    if (result == 0)
        result = purge_record_decode(record, payload.data, payload.length, name, err);
    buffer_release(&payload);
    return result;
}

int purge_record_store(struct repo *repo, struct purge_record *record, struct err *err) {
    if (!repo->keys->can_sign)
        return err_set(err, ERR_KEY, "writing a purge record takes a write key");

    struct buffer payload = { 0 }, object = { 0 };
    uint8_t hash[32];
    purge_record_encode(record, &payload);
    record_seal(repo->keys, RECORD_PURGE, payload.data, payload.length, &object, hash);

    char name[REPO_NAME_MAX], hash_text[65];
    hex_encode(hash_text, hash, sizeof hash);
    snprintf(record->name, sizeof record->name, "%016" PRIx64 "-%s", record->epoch, hash_text);
    int result = store_put(repo->store, repo_name(repo, name, "purges", record->name), object.data, object.length, err);
    if (result < 0)
        err_wrap(err, "store a purge record");
    buffer_release(&payload);
    buffer_release(&object);
    return result;
}

void purge_records_release(struct purge_records *records) {
    for (size_t i = 0; i < records->count; i++)
        purge_record_release(&records->items[i]);
    free(records->items);
    *records = (struct purge_records){ 0 };
}

static int load_one(struct repo *repo, const char *name, void *record, struct err *err) {
    return purge_record_load(repo, name, record, err);
}

static void release_one(void *record) {
    purge_record_release(record);
}

int purge_records_load(struct repo *repo, struct purge_records *records, struct err *err) {
    static const struct record_folder RECORDS = { "purges", sizeof(struct purge_record), load_one, release_one };
    records->items = records_load(repo, &RECORDS, &records->count, err);
    if (!records->items)
        return err_wrap(err, "load the purge records");
    return 0;
}

void purge_records_join(const struct purge_records *records, struct purge_record *joined) {
    *joined = (struct purge_record){ 0 };
    for (size_t i = 0; i < records->count; i++)
        for (size_t j = 0; j < records->items[i].count; j++) {
            const struct purge_pack *said = &records->items[i].packs[j];
            struct purge_pack *pack = purge_record_add(joined, said->pack);
            pack->condemned = pack->condemned || said->condemned;
            if (said->deadline != 0 && (pack->deadline == 0 || said->deadline < pack->deadline))
                pack->deadline = said->deadline;
        }
}

int purge_deadlines_load(struct repo *repo, struct dated_names *packs, struct err *err) {
    struct purge_records records;
    struct purge_record joined;
    *packs = (struct dated_names){ 0 };
    if (purge_records_load(repo, &records, err) < 0)
        return -1;
    purge_records_join(&records, &joined);
    for (size_t i = 0; i < joined.count; i++) {
        char name[REPO_NAME_MAX];
        if (joined.packs[i].deadline != 0)
            dated_names_add(packs, repo_below(repo, repo_pack_name(repo, name, joined.packs[i].pack)),
                            joined.packs[i].deadline);
    }
    purge_record_release(&joined);
    purge_records_release(&records);
    dated_names_sort(packs);
    return 0;
}
