#include <muniment/repo/fetch.h>
#include <muniment/util/cores.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    SECTION_SLOTS = 1024, /* buckets of the table of opened sections */
    RELOADS_MAX = 64,
};

/* How much is read at once. A request to a bucket takes many times as long as one to a disk, and is paid for. */
struct reading {
    size_t job_plain; /* a job holds about this much plaintext */
    size_t job_chunks;
    size_t gap; /* reading over this many unwanted bytes is cheaper than another request */
    size_t max; /* of one request */
};
static const struct reading FROM_DISK = { 1024 * 1024, 256, 16 * 1024, 2 * 1024 * 1024 };
static const struct reading FROM_BUCKET = { 4 * 1024 * 1024, 1024, 128 * 1024, 4 * 1024 * 1024 };

/* A section whose key is open; kept until the end. */
struct opened_section {
    struct pack_section section;
    struct section_key key;
    struct opened_section *next;
};

struct job_chunk {
    uint8_t pack[32];
    uint64_t offset;
    struct pack_slot slot;
    const struct opened_section *opened;
    struct extent extent; /* of this slot alone */
    size_t plain_at;
};

enum job_state { JOB_FREE, JOB_QUEUED, JOB_RUNNING, JOB_DONE };

struct job {
    enum job_state state;
    struct job_chunk *chunks;
    const struct job_chunk **reads; /* the chunks in the order in which they are read: by pack and offset */
    size_t count;
    uint8_t (*macs)[32]; /* one a chunk */
    uint8_t *plain;
    size_t plain_length;
    struct buffer ciphertext;
    size_t missing; /* the chunk whose pack was not found, when err.code is ERR_NOT_FOUND */
    struct err err;
};

struct fetch {
    struct repo *repo;
    struct index *index;
    const struct reading *reading;
    fetch_source *source;
    void *context;
    unsigned reloads;

    struct extent extent; /* being taken apart */
    uint32_t extent_at;
    bool ended;
    struct opened_section *sections[SECTION_SLOTS];

    /* A ring: jobs [first, first + used) are under way, in order. The first is the one being handed out. */
    struct job *jobs;
    size_t job_count, first, used;
    size_t handed; /* chunks of the first job already handed out */
    bool handing;

    unsigned worker_count; /* 0: the caller's thread does the work */
    pthread_t *workers;
    pthread_mutex_t mutex;
    pthread_cond_t queued, done;
    bool stop;
    struct chunk_opener *opener; /* of the caller's thread */
};

/* --- what workers do ---------------------------------------------------------------------------------------------- */

static int by_place(const void *left, const void *right) {
    const struct job_chunk *a = *(const struct job_chunk *const *)left, *b = *(const struct job_chunk *const *)right;
    int order = memcmp(a->pack, b->pack, sizeof a->pack);
    return order != 0 ? order : (a->offset > b->offset) - (a->offset < b->offset);
}

/* Chunks that are shared with other files stand elsewhere: sorted, they do not cut what lies together into pieces. */
static void sort_reads(struct job *job) {
    for (size_t i = 0; i < job->count; i++)
        job->reads[i] = &job->chunks[i];
    qsort(job->reads, job->count, sizeof *job->reads, by_place);
}

/* Reads [from, returned) lie so near to each other that one request serves them. */
static size_t read_run(const struct reading *reading, const struct job *job, size_t from, uint64_t *length) {
    const struct job_chunk *first = job->reads[from];
    uint64_t end = first->offset + first->slot.stored_length;
    size_t to = from + 1;
    for (; to < job->count; to++) {
        const struct job_chunk *chunk = job->reads[to];
        uint64_t chunk_end = chunk->offset + chunk->slot.stored_length;
        if (memcmp(chunk->pack, first->pack, 32) != 0 || (chunk->offset > end && chunk->offset - end > reading->gap) ||
            chunk_end - first->offset > reading->max)
            break;
        if (chunk_end > end)
            end = chunk_end;
    }
    *length = end - first->offset;
    return to;
}

static int run_job(struct fetch *fetch, struct job *job, struct chunk_opener *opener) {
    struct repo *repo = fetch->repo;
    err_clear(&job->err);
    sort_reads(job);
    for (size_t from = 0; from < job->count;) {
        uint64_t length;
        size_t to = read_run(fetch->reading, job, from, &length);
        const struct job_chunk *first = job->reads[from];
        char name[REPO_NAME_MAX];
        repo_pack_name(repo, name, first->pack);

        buffer_clear(&job->ciphertext);
        uint8_t *ciphertext = buffer_extend(&job->ciphertext, length);
        job->missing = (size_t)(first - job->chunks);
        if (store_get_range(repo->store, name, first->offset, ciphertext, length, &job->err) < 0)
            return -1;
        for (; from < to; from++) {
            const struct job_chunk *chunk = job->reads[from];
            if (chunk_open(opener, repo->keys, &chunk->opened->key, &chunk->opened->section, &chunk->slot,
                           ciphertext + (chunk->offset - first->offset), job->plain + chunk->plain_at,
                           job->macs[chunk - job->chunks], name, &job->err) < 0)
                return -1;
        }
    }
    return 0;
}

static struct job *next_queued(struct fetch *fetch) {
    for (size_t i = 0; i < fetch->used; i++) {
        struct job *job = &fetch->jobs[(fetch->first + i) % fetch->job_count];
        if (job->state == JOB_QUEUED)
            return job;
    }
    return NULL;
}

static void *worker(void *context) {
    struct fetch *fetch = context;
    struct chunk_opener *opener = chunk_opener_new(fetch->repo->keys);
    pthread_mutex_lock(&fetch->mutex);
    while (!fetch->stop) {
        struct job *job = next_queued(fetch);
        if (!job) {
            pthread_cond_wait(&fetch->queued, &fetch->mutex);
            continue;
        }
        job->state = JOB_RUNNING;
        pthread_mutex_unlock(&fetch->mutex);
        run_job(fetch, job, opener);
        pthread_mutex_lock(&fetch->mutex);
        job->state = JOB_DONE;
        pthread_cond_signal(&fetch->done);
    }
    pthread_mutex_unlock(&fetch->mutex);
    chunk_opener_free(opener);
    return NULL;
}

/* --- what the caller's thread does -------------------------------------------------------------------------------- */

static int open_section(struct fetch *fetch, const struct pack_section *section, const struct opened_section **opened,
                        struct err *err) {
    struct opened_section **bucket = &fetch->sections[get_u32(section->birth) % SECTION_SLOTS];
    for (struct opened_section *known = *bucket; known; known = known->next)
        if (memcmp(&known->section, section, sizeof *section) == 0) {
            *opened = known;
            return 0;
        }
    struct opened_section *fresh = mem_zalloc(sizeof *fresh);
    fresh->section = *section;
    if (section_key_open(fetch->repo->keys, section, &fresh->key, err) < 0) {
        free(fresh);
        return -1;
    }
    fresh->next = *bucket;
    *bucket = fresh;
    *opened = fresh;
    return 0;
}

static int reload(struct fetch *fetch, struct err *err) {
    if (fetch->reloads++ >= RELOADS_MAX)
        return err_set(err, ERR_CORRUPT, "packs vanished again and again while they were read");
    return index_load(fetch->index, fetch->repo, err);
}

/* Finds a slot's bytes and opens its section's key. A slot that no pack holds may have moved since the index was read.
 */
static int resolve(struct fetch *fetch, struct job_chunk *chunk, struct err *err) {
    struct index_place place;
    char birth[2 * BIRTH_SIZE + 1];
    if (!index_place(fetch->index, chunk->extent.birth, chunk->extent.first, 0, &place)) {
        if (reload(fetch, err) < 0)
            return -1;
        if (!index_place(fetch->index, chunk->extent.birth, chunk->extent.first, 0, &place)) {
            err_set(err, ERR_CORRUPT, "slot %u of section %s is in no pack that is here", chunk->extent.first,
                    hex_encode(birth, chunk->extent.birth, BIRTH_SIZE));
            return err_hint(err,
                            "a pack or an index object is missing: `muniment check` names it; where only the index "
                            "is damaged `muniment repair SET` mends it, else `muniment repair SET MIRROR`");
        }
    }
    memcpy(chunk->pack, place.table->pack, sizeof chunk->pack);
    chunk->offset = place.offset;
    chunk->slot = *place.slot;
    if (open_section(fetch, &place.table->sections[place.slot->section], &chunk->opened, err) < 0) {
        char name[REPO_NAME_MAX];
        return err_wrap(err, "%s", repo_pack_name(fetch->repo, name, place.table->pack));
    }
    return 0;
}

/* Fills a job with the next chunks; an empty one means the end. */
static int fill_job(struct fetch *fetch, struct job *job, struct err *err) {
    job->count = 0;
    job->plain_length = 0;
    while (job->count < fetch->reading->job_chunks && job->plain_length < fetch->reading->job_plain) {
        if (fetch->extent_at == fetch->extent.count) {
            int result = fetch->ended ? 0 : fetch->source(fetch->context, &fetch->extent, err);
            if (result < 0)
                return -1;
            if (result == 0) {
                fetch->ended = true;
                fetch->extent.count = fetch->extent_at = 0;
                return 0;
            }
            fetch->extent_at = 0;
        }
        struct job_chunk *chunk = &job->chunks[job->count];
        chunk->extent = fetch->extent;
        chunk->extent.first += fetch->extent_at++;
        chunk->extent.count = 1;
        if (resolve(fetch, chunk, err) < 0)
            return -1;
        chunk->plain_at = job->plain_length;
        job->plain_length += chunk->slot.plain_length;
        job->count++;
    }
    return 0;
}

/* The pack of a chunk was not there: a purge moved it. Reads the index again and tries anew, pack after pack. */
static int retry_job(struct fetch *fetch, struct job *job, struct err *err) {
    while (job->err.code == ERR_NOT_FOUND) {
        struct err missing = job->err;
        index_forget_pack(fetch->index, job->chunks[job->missing].pack);
        if (reload(fetch, err) < 0)
            return -1;
        size_t plain_length = 0;
        for (size_t i = 0; i < job->count; i++) {
            if (resolve(fetch, &job->chunks[i], err) < 0)
                return err_wrap(err, "%s", missing.message);
            job->chunks[i].plain_at = plain_length;
            plain_length += job->chunks[i].slot.plain_length;
        }
        if (plain_length != job->plain_length)
            return err_set(err, ERR_CORRUPT, "two packs hold different chunks under one slot");
        run_job(fetch, job, fetch->opener);
    }
    if (job->err.code != ERR_NONE) {
        *err = job->err;
        return -1;
    }
    return 0;
}

static int top_up(struct fetch *fetch, struct err *err) {
    while (fetch->used < fetch->job_count && !(fetch->ended && fetch->extent_at == fetch->extent.count)) {
        struct job *job = &fetch->jobs[(fetch->first + fetch->used) % fetch->job_count];
        if (fill_job(fetch, job, err) < 0)
            return -1;
        if (job->count == 0)
            return 0;
        if (fetch->worker_count == 0) {
            run_job(fetch, job, fetch->opener);
            job->state = JOB_DONE;
            fetch->used++;
            continue;
        }
        pthread_mutex_lock(&fetch->mutex);
        job->state = JOB_QUEUED;
        fetch->used++;
        pthread_cond_signal(&fetch->queued);
        pthread_mutex_unlock(&fetch->mutex);
    }
    return 0;
}

static int begin_job(struct fetch *fetch, struct err *err) {
    struct job *job = &fetch->jobs[fetch->first];
    pthread_mutex_lock(&fetch->mutex);
    while (job->state != JOB_DONE)
        pthread_cond_wait(&fetch->done, &fetch->mutex);
    pthread_mutex_unlock(&fetch->mutex);
    fetch->handing = true;
    fetch->handed = 0;
    return retry_job(fetch, job, err);
}

static void end_job(struct fetch *fetch) {
    pthread_mutex_lock(&fetch->mutex);
    fetch->jobs[fetch->first].state = JOB_FREE;
    fetch->first = (fetch->first + 1) % fetch->job_count;
    fetch->used--;
    pthread_mutex_unlock(&fetch->mutex);
    fetch->handing = false;
}

int fetch_next(struct fetch *fetch, uint64_t most, struct fetched *chunks, struct err *err) {
    if (fetch->handing && fetch->handed == fetch->jobs[fetch->first].count)
        end_job(fetch);
    if (!fetch->handing) {
        if (top_up(fetch, err) < 0)
            return -1;
        if (fetch->used == 0)
            return 0;
        if (begin_job(fetch, err) < 0)
            return -1;
    }

    /* The chunks of a job lie one behind the other. */
    const struct job *job = &fetch->jobs[fetch->first];
    size_t from = fetch->handed, left = job->count - from;
    chunks->count = most < left ? (size_t)most : left;
    fetch->handed += chunks->count;
    size_t end = fetch->handed < job->count ? job->chunks[fetch->handed].plain_at : job->plain_length;
    chunks->data = job->plain + job->chunks[from].plain_at;
    chunks->length = end - job->chunks[from].plain_at;
    chunks->macs = (const uint8_t(*)[32])job->macs + from;
    return 1;
}

struct fetch *fetch_new(struct repo *repo, struct index *index, unsigned workers, fetch_source *source, void *context) {
    struct fetch *fetch = mem_zalloc(sizeof *fetch);
    fetch->repo = repo;
    fetch->index = index;
    fetch->source = source;
    fetch->context = context;
    pthread_mutex_init(&fetch->mutex, NULL);
    pthread_cond_init(&fetch->queued, NULL);
    pthread_cond_init(&fetch->done, NULL);
    fetch->opener = chunk_opener_new(repo->keys);

    unsigned transfers = store_transfers(repo->store);
    fetch->reading = transfers > 1 ? &FROM_BUCKET : &FROM_DISK;
    if (workers == 0)
        workers = transfers > cores_online() ? transfers : cores_online();
    fetch->job_count = workers == 1 ? 1 : 2 * (size_t)workers + 2;
    fetch->jobs = mem_array(fetch->job_count, sizeof *fetch->jobs);
    for (size_t i = 0; i < fetch->job_count; i++) {
        fetch->jobs[i].chunks = mem_array(fetch->reading->job_chunks, sizeof *fetch->jobs[i].chunks);
        fetch->jobs[i].reads = mem_array(fetch->reading->job_chunks, sizeof *fetch->jobs[i].reads);
        fetch->jobs[i].macs = mem_array(fetch->reading->job_chunks, sizeof *fetch->jobs[i].macs);
        fetch->jobs[i].plain = mem_alloc(fetch->reading->job_plain + CHUNK_MAX);
    }

    /* A thread that cannot be started leaves the work to those that could, or to the caller. */
    fetch->workers = mem_array(workers, sizeof *fetch->workers);
    for (unsigned i = 0; workers > 1 && i < workers; i++) {
        if (pthread_create(&fetch->workers[fetch->worker_count], NULL, worker, fetch) != 0)
            break;
        fetch->worker_count++;
    }
    return fetch;
}

void fetch_free(struct fetch *fetch) {
    if (!fetch)
        return;
    pthread_mutex_lock(&fetch->mutex);
    fetch->stop = true;
    pthread_cond_broadcast(&fetch->queued);
    pthread_mutex_unlock(&fetch->mutex);
    for (unsigned i = 0; i < fetch->worker_count; i++)
        pthread_join(fetch->workers[i], NULL);

    for (size_t i = 0; i < SECTION_SLOTS; i++)
        for (struct opened_section *section = fetch->sections[i], *next; section; section = next) {
            next = section->next;
            sodium_memzero(section, sizeof *section);
            free(section);
        }
    for (size_t i = 0; i < fetch->job_count; i++) {
        free(fetch->jobs[i].plain);
        free(fetch->jobs[i].chunks);
        free(fetch->jobs[i].reads);
        free(fetch->jobs[i].macs);
        buffer_release(&fetch->jobs[i].ciphertext);
    }
    free(fetch->jobs);
    free(fetch->workers);
    chunk_opener_free(fetch->opener);
    pthread_mutex_destroy(&fetch->mutex);
    pthread_cond_destroy(&fetch->queued);
    pthread_cond_destroy(&fetch->done);
    free(fetch);
}

int fetch_from_extents(void *context, struct extent *extent, struct err *err) {
    (void)err;
    struct extents_cursor *cursor = context;
    if (cursor->at == cursor->extents->count)
        return 0;
    *extent = cursor->extents->items[cursor->at++];
    return 1;
}
