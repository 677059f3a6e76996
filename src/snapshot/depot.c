#include "depot_internal.h"
#include <muniment/util/memory.h>
#include <muniment/util/workers.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    FINISHERS_MAX = 4,     /* threads; each holds a pack that is on its way to a bucket in memory */
    QUEUE_MAX = 2,         /* full packs that wait for a finisher */
    INDEX_SAVE_EVERY = 16, /* packs: what a killed run stored is then found again, but for the last few */
};

/* Packs of one kind being filled, one after another. */
struct output {
    struct pack_writer *writer;
    bool begun[2]; /* of the current pack's sections, by section kind */
    uint32_t section[2];
};

/* A pack to be locked. */
struct pack_lock {
    const struct pack_table *table;
    int64_t until;
};

struct depot {
    struct repo *repo;
    const struct session *session;
    struct dedup *data, *references;
    struct output contents, metadata;

    /* The finishers'. */
    pthread_t finishers[FINISHERS_MAX];
    unsigned finisher_count;
    pthread_mutex_t mutex;
    pthread_cond_t given, taken;
    struct pack_writer *queue[QUEUE_MAX];
    size_t queued;
    bool last; /* nothing more is given */
    bool failed;
    struct err err;

    pthread_mutex_t index_mutex;
    struct index *fresh; /* of the packs that are stored */
    size_t saved;
};

/* Past the end of its session, a purge may have removed these packs as leftovers; then nothing may name them. */
static int save_index(struct depot *depot, struct err *err) {
    if (session_check(depot->session, err) < 0 || index_save(depot->fresh, depot->saved, depot->repo, err) < 0)
        return -1;
    depot->saved = index_pack_count(depot->fresh);
    return 0;
}

static int finish_pack(struct depot *depot, struct pack_writer *writer, struct err *err) {
    struct pack_table table = { 0 };
    int result = 0;
    if (pack_writer_finish(writer, &table, err) < 0)
        return -1;
    pthread_mutex_lock(&depot->index_mutex);
    index_add(depot->fresh, &table);
    if (index_pack_count(depot->fresh) - depot->saved >= INDEX_SAVE_EVERY)
        result = save_index(depot, err);
    pthread_mutex_unlock(&depot->index_mutex);
    return result;
}

static void *finisher(void *context) {
    struct depot *depot = context;
    pthread_mutex_lock(&depot->mutex);
    for (;;) {
        while (depot->queued == 0 && !depot->last)
            pthread_cond_wait(&depot->given, &depot->mutex);
        if (depot->queued == 0)
            break;
        struct pack_writer *writer = depot->queue[0];
        memmove(depot->queue, depot->queue + 1, --depot->queued * sizeof *depot->queue);
        bool failed = depot->failed;
        pthread_cond_signal(&depot->taken);
        pthread_mutex_unlock(&depot->mutex);

        struct err err = { 0 };
        if (failed)
            pack_writer_abort(writer);
        else if (finish_pack(depot, writer, &err) < 0)
            failed = true;

        pthread_mutex_lock(&depot->mutex);
        if (failed && !depot->failed) {
            depot->failed = true;
            depot->err = err;
        }
    }
    pthread_mutex_unlock(&depot->mutex);
    return NULL;
}

struct depot *depot_new(struct repo *repo, const struct session *session, const struct index *index,
                        const struct condemned *condemned) {
    struct depot *depot = mem_zalloc(sizeof *depot);
    depot->repo = repo;
    depot->session = session;
    depot->data = dedup_new(index, SECTION_DATA, condemned);
    depot->references = dedup_new(index, SECTION_INDEX, condemned);
    depot->fresh = index_new();
    pthread_mutex_init(&depot->mutex, NULL);
    pthread_mutex_init(&depot->index_mutex, NULL);
    pthread_cond_init(&depot->given, NULL);
    pthread_cond_init(&depot->taken, NULL);
    return depot;
}

static struct dedup *dedup_of(const struct depot *depot, enum depot_stream stream) {
    return stream == DEPOT_REFERENCES ? depot->references : depot->data;
}

bool depot_has(struct depot *depot, enum depot_stream stream, const uint8_t id[CHUNK_ID_SIZE]) {
    uint8_t birth[BIRTH_SIZE];
    uint32_t number;
    return dedup_find(dedup_of(depot, stream), id, birth, &number);
}

bool depot_has_extents(const struct depot *depot, const struct extents *extents) {
    for (size_t i = 0; i < extents->count; i++)
        if (!dedup_has_extent(depot->data, &extents->items[i]))
            return false;
    return true;
}

/* A directory is served best by one, a bucket by several transfers at once. */
static int start_finishers(struct depot *depot, struct err *err) {
    unsigned wanted = store_transfers(depot->repo->store);
    if (wanted > FINISHERS_MAX)
        wanted = FINISHERS_MAX;
    while (depot->finisher_count < wanted) {
        if (pthread_create(&depot->finishers[depot->finisher_count], NULL, finisher, depot) != 0)
            return depot->finisher_count > 0 ? 0 : err_sys(err, "start the thread that finishes packs");
        depot->finisher_count++;
    }
    return 0;
}

/* Hands the output's pack to a finisher, waiting while they are behind. */
static int close_pack(struct depot *depot, struct output *output, struct err *err) {
    if (!output->writer)
        return 0;
    if (depot->finisher_count == 0 && start_finishers(depot, err) < 0)
        return -1;
    pthread_mutex_lock(&depot->mutex);
    while (depot->queued == QUEUE_MAX)
        pthread_cond_wait(&depot->taken, &depot->mutex);
    depot->queue[depot->queued++] = output->writer;
    *output = (struct output){ 0 };
    bool failed = depot->failed;
    if (failed)
        *err = depot->err;
    pthread_cond_signal(&depot->given);
    pthread_mutex_unlock(&depot->mutex);
    return failed ? -1 : 0;
}

static int add_chunk(struct depot *depot, enum depot_stream stream, const struct depot_chunk *chunk,
                     uint8_t birth[BIRTH_SIZE], uint32_t *number, uint64_t *stored, struct err *err) {
    struct output *output = stream == DEPOT_DATA ? &depot->contents : &depot->metadata;
    bool is_index = stream == DEPOT_REFERENCES;

    if (!output->writer && pack_writer_new(depot->repo, &output->writer, err) < 0)
        return -1;
    if (!output->begun[is_index]) {
        enum section_kind kind = is_index ? SECTION_INDEX : SECTION_DATA;
        if (pack_writer_section(output->writer, kind, &output->section[is_index], err) < 0)
            return -1;
        output->begun[is_index] = true;
    }
    uint32_t section = output->section[is_index];
    uint64_t before = pack_writer_size(output->writer);
    if (pack_writer_add(output->writer, section, chunk->id, chunk->plain_length, chunk->codec, chunk->encoded,
                        chunk->encoded_length, number, err) < 0)
        return -1;
    *stored += pack_writer_size(output->writer) - before;
    memcpy(birth, pack_writer_table(output->writer)->sections[section].birth, BIRTH_SIZE);
    dedup_add(dedup_of(depot, stream), chunk->id, birth, *number);

    return pack_writer_size(output->writer) >= PACK_TARGET ? close_pack(depot, output, err) : 0;
}

int depot_put(struct depot *depot, enum depot_stream stream, const struct depot_chunk *chunk, uint8_t birth[BIRTH_SIZE],
              uint32_t *number, uint64_t *stored, struct err *err) {
    if (dedup_find(dedup_of(depot, stream), chunk->id, birth, number))
        return 0;
    return add_chunk(depot, stream, chunk, birth, number, stored, err);
}

static void stop_finishers(struct depot *depot) {
    pthread_mutex_lock(&depot->mutex);
    depot->last = true;
    pthread_cond_broadcast(&depot->given);
    pthread_mutex_unlock(&depot->mutex);
    while (depot->finisher_count > 0)
        pthread_join(depot->finishers[--depot->finisher_count], NULL);
    depot->last = false;
}

int depot_finish(struct depot *depot, struct err *err) {
    if (close_pack(depot, &depot->contents, err) < 0 || close_pack(depot, &depot->metadata, err) < 0)
        return -1;
    stop_finishers(depot);
    if (depot->failed) {
        *err = depot->err;
        return -1;
    }
    return save_index(depot, err);
}

static int lock_pack(void *context, void *item, struct err *err) {
    struct depot *depot = context;
    const struct pack_lock *lock = item;
    char name[REPO_NAME_MAX];
    repo_pack_name(depot->repo, name, lock->table->pack);
    return store_lock_until(depot->repo->store, name, lock->until, err);
}

int depot_lock(struct depot *depot, int64_t until, struct err *err) {
    if (!store_locks(depot->repo->store))
        return 0;
    struct workers *workers =
        workers_start(store_transfers(depot->repo->store), sizeof(struct pack_lock), lock_pack, depot);
    int given = 0;
    for (size_t i = 0; i < index_pack_count(depot->fresh) && given == 0; i++) {
        struct pack_lock lock = { .table = index_pack(depot->fresh, i), .until = until };
        given = workers_give(workers, &lock, err);
    }
    return workers_finish(workers, err);
}

void depot_free(struct depot *depot) {
    if (!depot)
        return;
    pthread_mutex_lock(&depot->mutex);
    depot->failed = true;
    pthread_mutex_unlock(&depot->mutex);
    stop_finishers(depot);
    pack_writer_abort(depot->contents.writer);
    pack_writer_abort(depot->metadata.writer);
    dedup_free(depot->data);
    dedup_free(depot->references);
    index_free(depot->fresh);
    pthread_mutex_destroy(&depot->mutex);
    pthread_mutex_destroy(&depot->index_mutex);
    pthread_cond_destroy(&depot->given);
    pthread_cond_destroy(&depot->taken);
    free(depot);
}
