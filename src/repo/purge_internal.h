/*
 * Purge records: `<set>/purges/<epoch>-<sha256>`, a RECORD_PURGE each: what a purge knows of the packs, between runs.
 *
 * Payload: u64 epoch, i64 written, varint count, then for every pack, sorted by name: 32-byte name, i64 deadline,
 * u8 condemned. The epoch in the name has 16 hex digits, so that records list in the order they were written.
 *
 * Several records may stand side by side (a purge that was killed, or one that waits for a session): what is condemned
 * is the union over all of them, and of the deadlines of a pack the earliest counts.
 */
#ifndef MUNIMENT_REPO_PURGE_INTERNAL_H
#define MUNIMENT_REPO_PURGE_INTERNAL_H

#include <muniment/repo/repo.h>

enum {
    PURGE_RECORD_MAX = 256 * 1024 * 1024, /* bytes of an object: six million packs */
    PURGE_NAME_SIZE = 16 + 1 + 64 + 1,    /* "<epoch>-<sha256>" and a terminator */
};

struct purge_pack {
    uint8_t pack[32];
    int64_t deadline; /* its dead slots must be gone by then; 0: it has none */
    bool condemned;
};

struct purge_record {
    char name[PURGE_NAME_SIZE]; /* set by load and store */
    uint64_t epoch;
    int64_t written;          /* by the writer's clock */
    struct purge_pack *packs; /* sorted by name, none twice */
    size_t count, capacity;
};

void purge_record_release(struct purge_record *record);

/* The pack's line, or NULL. Borrowed until the record changes. */
struct purge_pack *purge_record_find(const struct purge_record *record, const uint8_t pack[32]);

/* The pack's line, made when there is none. Borrowed until the record changes. */
struct purge_pack *purge_record_add(struct purge_record *record, const uint8_t pack[32]);

void purge_record_encode(const struct purge_record *record, struct buffer *out);

/* `name` is the object's, or its last component; for messages, and its epoch must be the payload's. */
int purge_record_decode(struct purge_record *record, const void *payload, size_t length, const char *name,
                        struct err *err) MUST_CHECK;

/* Loads one by the whole name of its object. ERR_NOT_FOUND when it vanished, ERR_CORRUPT names it. */
int purge_record_load(struct repo *repo, const char *name, struct purge_record *record, struct err *err) MUST_CHECK;

/* Seals, signs and stores; sets record->name. Durable when it returns 0. Needs can_sign. */
int purge_record_store(struct repo *repo, struct purge_record *record, struct err *err) MUST_CHECK;

/* Every record, oldest first. Begins again when one vanishes meanwhile, because its successor may be new, too. */
struct purge_records {
    struct purge_record *items;
    size_t count;
};
int purge_records_load(struct repo *repo, struct purge_records *records, struct err *err) MUST_CHECK;
void purge_records_release(struct purge_records *records);

/* What all of them say of each pack. */
void purge_records_join(const struct purge_records *records, struct purge_record *joined);

#endif
