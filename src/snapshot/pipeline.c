#include "content_kind_internal.h"
#include "encoder_internal.h"
#include "pipeline_internal.h"
#include <muniment/util/cores.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_FILL = 256 * 1024,             /* a batch goes on when it holds this much */
    BATCH_SIZE = BATCH_FILL + CHUNK_MAX, /* a tail of less than a chunk comes from the batch before */
    BATCH_ITEMS = 1024,                  /* or when it holds this many chunks and marks */
};

/* A chunk of a batch. */
struct piece {
    size_t at;
    uint32_t length, encoded;
    enum codec codec;
    uint8_t mac[SHA256_SIZE];
};

/* What happens between two chunks. */
struct mark {
    size_t after; /* so many pieces of the batch */
    enum { MARK_END, MARK_DISCARD, MARK_KEEP } kind;
    struct entry entry;
    struct extents extents; /* of MARK_KEEP */
};

struct batch {
    enum { BATCH_FREE, BATCH_FULL, BATCH_ENCODED } state;
    uint8_t *data;
    size_t length, cut; /* bytes in it, and of them already in pieces */
    struct piece *pieces;
    struct mark *marks;
    size_t piece_count, piece_capacity, mark_count, mark_capacity;
};

struct pipeline {
    struct pipeline_options options;
    struct chunker fine, coarse;
    const struct chunker *chunker; /* of the content under way; NULL: none has come yet */

    struct batch *batches;
    size_t batch_count;
    /* Batches since the beginning: filled by the source, taken by workers, packed. */
    uint64_t filled, taken, packed;
    bool ended;
    bool failed;
    struct err err;

    pthread_mutex_t mutex;
    pthread_cond_t freed, full, encoded;
    pthread_t *workers, packer;
    unsigned worker_count;
    bool packer_runs;

    /* The packer's: the entry under way. */
    struct sha256 *digest;
    struct extents extents;
    uint64_t content, chunks, stored;
};

static struct batch *batch_at(struct pipeline *pipeline, uint64_t number) {
    return &pipeline->batches[number % pipeline->batch_count];
}

static void fail(struct pipeline *pipeline, const struct err *err) {
    pthread_mutex_lock(&pipeline->mutex);
    if (!pipeline->failed) {
        pipeline->failed = true;
        pipeline->err = *err;
    }
    pthread_cond_broadcast(&pipeline->freed);
    pthread_mutex_unlock(&pipeline->mutex);
}

static int check(struct pipeline *pipeline, struct err *err) {
    if (interrupt_check(err) < 0) {
        fail(pipeline, err);
        return -1;
    }
    pthread_mutex_lock(&pipeline->mutex);
    bool failed = pipeline->failed;
    if (failed)
        *err = pipeline->err;
    pthread_mutex_unlock(&pipeline->mutex);
    return failed ? -1 : 0;
}

/* --- workers ---------------------------------------------------------------------------------------------------- */

static void encode_batch(struct pipeline *pipeline, struct encoder *encoder, struct batch *batch) {
    for (size_t i = 0; i < batch->piece_count; i++) {
        struct piece *piece = &batch->pieces[i];
        uint8_t *data = batch->data + piece->at;
        encoder_mac(encoder, data, piece->length, piece->mac);
        if (!depot_has(pipeline->options.depot, DEPOT_DATA, piece->mac))
            encoder_compress(encoder, data, piece->length, &piece->codec, &piece->encoded);
    }
}

static void *worker(void *context) {
    struct pipeline *pipeline = context;
    struct encoder *encoder = encoder_new(pipeline->options.keys, pipeline->options.compression);
    pthread_mutex_lock(&pipeline->mutex);
    for (;;) {
        while (pipeline->taken == pipeline->filled && !pipeline->ended)
            pthread_cond_wait(&pipeline->full, &pipeline->mutex);
        if (pipeline->taken == pipeline->filled)
            break;
        struct batch *batch = batch_at(pipeline, pipeline->taken++);
        bool failed = pipeline->failed;
        pthread_mutex_unlock(&pipeline->mutex);
        if (!failed)
            encode_batch(pipeline, encoder, batch);
        pthread_mutex_lock(&pipeline->mutex);
        batch->state = BATCH_ENCODED;
        pthread_cond_signal(&pipeline->encoded);
    }
    pthread_mutex_unlock(&pipeline->mutex);
    encoder_free(encoder);
    return NULL;
}

/* --- packer ----------------------------------------------------------------------------------------------------- */

static void begin_entry(struct pipeline *pipeline) {
    sha256_reset(pipeline->digest);
    extents_clear(&pipeline->extents);
    pipeline->content = pipeline->chunks = 0;
}

static int pack_piece(struct pipeline *pipeline, const struct batch *batch, const struct piece *piece,
                      struct err *err) {
    struct depot_chunk chunk = {
        .plain_length = piece->length,
        .codec = piece->codec,
        .encoded = batch->data + piece->at,
        .encoded_length = piece->encoded,
    };
    uint8_t birth[BIRTH_SIZE];
    uint32_t number;
    memcpy(chunk.id, piece->mac, CHUNK_ID_SIZE);
    if (depot_put(pipeline->options.depot, DEPOT_DATA, &chunk, birth, &number, &pipeline->stored, err) < 0)
        return -1;
    sha256_update(pipeline->digest, piece->mac, sizeof piece->mac);
    extents_add(&pipeline->extents, birth, number, 1);
    pipeline->content += piece->length;
    pipeline->chunks++;
    return 0;
}

static int pack_mark(struct pipeline *pipeline, struct mark *mark, struct err *err) {
    struct tree_writer *tree = pipeline->options.tree;
    int result = 0;
    if (mark->kind == MARK_END) {
        mark->entry.content = pipeline->content;
        mark->entry.chunks = pipeline->chunks;
        sha256_final(pipeline->digest, mark->entry.digest);
        result = tree_writer_add(tree, &mark->entry, &pipeline->extents, err);
    } else if (mark->kind == MARK_KEEP) {
        result = tree_writer_add(tree, &mark->entry, &mark->extents, err);
    }
    begin_entry(pipeline);
    return result;
}

static int pack_batch(struct pipeline *pipeline, struct batch *batch, struct err *err) {
    size_t mark = 0;
    for (size_t i = 0; i <= batch->piece_count; i++) {
        for (; mark < batch->mark_count && batch->marks[mark].after == i; mark++)
            if (pack_mark(pipeline, &batch->marks[mark], err) < 0)
                return -1;
        if (i < batch->piece_count && pack_piece(pipeline, batch, &batch->pieces[i], err) < 0)
            return -1;
    }
    return 0;
}

static void empty_batch(struct batch *batch) {
    for (size_t i = 0; i < batch->mark_count; i++) {
        entry_release(&batch->marks[i].entry);
        extents_release(&batch->marks[i].extents);
    }
    batch->length = batch->cut = batch->piece_count = batch->mark_count = 0;
}

static void *packer(void *context) {
    struct pipeline *pipeline = context;
    pthread_mutex_lock(&pipeline->mutex);
    for (;;) {
        struct batch *batch = batch_at(pipeline, pipeline->packed);
        bool there = pipeline->packed < pipeline->filled;
        if (!there && pipeline->ended)
            break;
        if (!there || batch->state != BATCH_ENCODED) {
            pthread_cond_wait(&pipeline->encoded, &pipeline->mutex);
            continue;
        }
        bool failed = pipeline->failed;
        pthread_mutex_unlock(&pipeline->mutex);

        /* After a failure batches still go round, so that the source's thread comes to hear of it. */
        struct err err = { 0 };
        if (!failed && pack_batch(pipeline, batch, &err) < 0)
            fail(pipeline, &err);
        empty_batch(batch);

        pthread_mutex_lock(&pipeline->mutex);
        batch->state = BATCH_FREE;
        pipeline->packed++;
        pthread_cond_signal(&pipeline->freed);
    }
    pthread_mutex_unlock(&pipeline->mutex);
    return NULL;
}

/* --- the source's thread ---------------------------------------------------------------------------------------- */

/* Hands the batch to the workers and waits for the next one, which begins with what was not cut yet. */
static int dispatch(struct pipeline *pipeline, struct err *err) {
    struct batch *batch = batch_at(pipeline, pipeline->filled);
    size_t tail = batch->length - batch->cut;

    pthread_mutex_lock(&pipeline->mutex);
    struct batch *next = batch_at(pipeline, pipeline->filled + 1);
    while (next->state != BATCH_FREE && !pipeline->failed)
        pthread_cond_wait(&pipeline->freed, &pipeline->mutex);
    bool failed = pipeline->failed;
    if (failed) {
        *err = pipeline->err;
    } else {
        if (tail > 0)
            memcpy(next->data, batch->data + batch->cut, tail);
        next->length = tail;
        batch->state = BATCH_FULL;
        pipeline->filled++;
        pthread_cond_signal(&pipeline->full);
    }
    pthread_mutex_unlock(&pipeline->mutex);
    return failed ? -1 : 0;
}

/* Content is cut in one way from its beginning to its end. */
static const struct chunker *choose_chunker(const struct pipeline *pipeline, const uint8_t *data, size_t length) {
    bool fine = pipeline->options.fine_chunks || content_is_database(data, length);
    return fine ? &pipeline->fine : &pipeline->coarse;
}

static void cut(struct pipeline *pipeline, struct batch *batch, bool last) {
    size_t length;
    if (!pipeline->chunker)
        pipeline->chunker = choose_chunker(pipeline, batch->data + batch->cut, batch->length - batch->cut);
    while ((length = chunker_cut(pipeline->chunker, batch->data + batch->cut, batch->length - batch->cut, last)) > 0) {
        batch->pieces = mem_grow(batch->pieces, &batch->piece_capacity, batch->piece_count + 1, sizeof *batch->pieces);
        batch->pieces[batch->piece_count++] = (struct piece){ .at = batch->cut, .length = (uint32_t)length };
        batch->cut += length;
    }
}

int pipeline_space(struct pipeline *pipeline, void **data, size_t *length, struct err *err) {
    if (check(pipeline, err) < 0)
        return -1;
    struct batch *batch = batch_at(pipeline, pipeline->filled);
    *data = batch->data + batch->length;
    *length = BATCH_SIZE - batch->length;
    return 0;
}

int pipeline_fill(struct pipeline *pipeline, size_t length, struct err *err) {
    struct batch *batch = batch_at(pipeline, pipeline->filled);
    batch->length += length;
    if (pipeline->options.progress)
        pipeline->options.progress->done += length;
    if (batch->length < BATCH_FILL)
        return 0;
    cut(pipeline, batch, false);
    return dispatch(pipeline, err);
}

static int add_mark(struct pipeline *pipeline, struct mark mark, struct err *err) {
    struct batch *batch = batch_at(pipeline, pipeline->filled);
    cut(pipeline, batch, true);
    pipeline->chunker = NULL;
    mark.after = batch->piece_count;
    batch->marks = mem_grow(batch->marks, &batch->mark_capacity, batch->mark_count + 1, sizeof *batch->marks);
    batch->marks[batch->mark_count++] = mark;
    if (batch->piece_count + batch->mark_count < BATCH_ITEMS && batch->length < BATCH_FILL)
        return 0;
    return dispatch(pipeline, err);
}

static void count_item(struct pipeline *pipeline) {
    if (pipeline->options.progress)
        pipeline->options.progress->items++;
}

int pipeline_end(struct pipeline *pipeline, const struct entry *entry, struct err *err) {
    if (check(pipeline, err) < 0)
        return -1;
    struct mark mark = { .kind = MARK_END };
    entry_copy(&mark.entry, entry);
    count_item(pipeline);
    return add_mark(pipeline, mark, err);
}

int pipeline_discard(struct pipeline *pipeline, struct err *err) {
    if (check(pipeline, err) < 0)
        return -1;
    return add_mark(pipeline, (struct mark){ .kind = MARK_DISCARD }, err);
}

int pipeline_keep(struct pipeline *pipeline, const struct entry *entry, const struct extents *extents,
                  struct err *err) {
    if (check(pipeline, err) < 0)
        return -1;
    struct mark mark = { .kind = MARK_KEEP };
    entry_copy(&mark.entry, entry);
    extents_append(&mark.extents, extents);
    count_item(pipeline);
    return add_mark(pipeline, mark, err);
}

/* --- beginning and end -------------------------------------------------------------------------------------------- */

static void join(struct pipeline *pipeline) {
    pthread_mutex_lock(&pipeline->mutex);
    pipeline->ended = true;
    pthread_cond_broadcast(&pipeline->full);
    pthread_cond_broadcast(&pipeline->encoded);
    pthread_mutex_unlock(&pipeline->mutex);
    for (unsigned i = 0; i < pipeline->worker_count; i++)
        pthread_join(pipeline->workers[i], NULL);
    pipeline->worker_count = 0;
    if (pipeline->packer_runs)
        pthread_join(pipeline->packer, NULL);
    pipeline->packer_runs = false;
}

int pipeline_new(const struct pipeline_options *options, struct pipeline **result, struct err *err) {
    struct pipeline *pipeline = mem_zalloc(sizeof *pipeline);
    pipeline->options = *options;
    chunker_init(&pipeline->fine, options->keys->chunker_seed, CHUNKER_DATABASE);
    chunker_init(&pipeline->coarse, options->keys->chunker_seed, CHUNKER_FILES);
    pipeline->digest = sha256_new();
    pthread_mutex_init(&pipeline->mutex, NULL);
    pthread_cond_init(&pipeline->freed, NULL);
    pthread_cond_init(&pipeline->full, NULL);
    pthread_cond_init(&pipeline->encoded, NULL);

    unsigned workers = options->workers;
    if (workers == 0)
        workers = cores_online();
    pipeline->batch_count = 4 * (size_t)workers + 4;
    pipeline->batches = mem_array(pipeline->batch_count, sizeof *pipeline->batches);
    for (size_t i = 0; i < pipeline->batch_count; i++)
        pipeline->batches[i].data = mem_alloc(BATCH_SIZE);

    pipeline->workers = mem_array(workers, sizeof *pipeline->workers);
    while (pipeline->worker_count < workers &&
           pthread_create(&pipeline->workers[pipeline->worker_count], NULL, worker, pipeline) == 0)
        pipeline->worker_count++;
    if (pipeline->worker_count > 0)
        pipeline->packer_runs = pthread_create(&pipeline->packer, NULL, packer, pipeline) == 0;
    if (!pipeline->packer_runs) {
        pipeline_free(pipeline);
        return err_set(err, ERR_SYSTEM, "start the threads of a capture: the system refuses");
    }
    *result = pipeline;
    return 0;
}

int pipeline_finish(struct pipeline *pipeline, struct err *err) {
    if (check(pipeline, err) < 0)
        return -1;
    struct batch *batch = batch_at(pipeline, pipeline->filled);
    if ((batch->length > 0 || batch->mark_count > 0) && dispatch(pipeline, err) < 0)
        return -1;
    join(pipeline);
    return check(pipeline, err);
}

bool pipeline_failed(struct pipeline *pipeline) {
    pthread_mutex_lock(&pipeline->mutex);
    bool failed = pipeline->failed;
    pthread_mutex_unlock(&pipeline->mutex);
    return failed;
}

uint64_t pipeline_stored(const struct pipeline *pipeline) {
    return pipeline->stored;
}

void pipeline_free(struct pipeline *pipeline) {
    if (!pipeline)
        return;
    fail(pipeline, &(struct err){ .code = ERR_INTERRUPTED, .message = "the capture was given up" });
    join(pipeline);
    for (size_t i = 0; i < pipeline->batch_count; i++) {
        struct batch *batch = &pipeline->batches[i];
        empty_batch(batch);
        free(batch->data);
        free(batch->pieces);
        free(batch->marks);
    }
    free(pipeline->batches);
    free(pipeline->workers);
    sha256_free(pipeline->digest);
    extents_release(&pipeline->extents);
    pthread_mutex_destroy(&pipeline->mutex);
    pthread_cond_destroy(&pipeline->freed);
    pthread_cond_destroy(&pipeline->full);
    pthread_cond_destroy(&pipeline->encoded);
    free(pipeline);
}
