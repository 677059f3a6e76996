#include "bucket_internal.h"
#include <muniment/util/memory.h>
#include <pthread.h>
#include <stdlib.h>

enum { JOBS_MAX = 1024 }; /* waiting */

struct bucket_pool {
    pthread_mutex_t mutex;
    pthread_cond_t work, done;
    struct bucket_job *first, *last;
    size_t jobs, bytes, bytes_max; /* waiting or under way */
    pthread_t *threads;
    unsigned count, max, idle, running;
    bool closed, failed;
    struct err err;
};

struct bucket_pool *bucket_pool_new(unsigned threads, size_t bytes) {
    struct bucket_pool *pool = mem_zalloc(sizeof *pool);
    pool->max = threads > 0 ? threads : 1;
    pool->threads = mem_array(pool->max, sizeof *pool->threads);
    pool->bytes_max = bytes;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    return pool;
}

static void run_job(struct bucket_pool *pool, struct bucket_job *job) {
    const size_t bytes = job->bytes;
    struct err err = { 0 };
    const bool drop = pool->failed;
    pthread_mutex_unlock(&pool->mutex);
    const int result = drop ? 0 : job->run(job, &err);
    job->free(job);
    pthread_mutex_lock(&pool->mutex);
    if (result < 0 && !pool->failed) {
        pool->failed = true;
        pool->err = err;
    }
    pool->jobs--;
    pool->bytes -= bytes;
    pthread_cond_broadcast(&pool->done);
}

static void *work(void *context) {
    struct bucket_pool *pool = context;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        struct bucket_job *job = pool->first;
        if (!job && pool->closed)
            break;
        if (!job) {
            pool->idle++;
            pthread_cond_wait(&pool->work, &pool->mutex);
            pool->idle--;
            continue;
        }
        pool->first = job->next;
        pool->running++;
        run_job(pool, job);
        pool->running--;
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

static bool start_thread(struct bucket_pool *pool) {
    if (pool->jobs - pool->running <= pool->idle || pool->count == pool->max)
        return true;
    if (pthread_create(&pool->threads[pool->count], NULL, work, pool) == 0)
        pool->count++;
    return pool->count > 0;
}

int bucket_pool_add(struct bucket_pool *pool, struct bucket_job *job, struct err *err) {
    int result = -1;
    pthread_mutex_lock(&pool->mutex);
    while (!pool->failed && pool->jobs > 0 && (pool->jobs >= JOBS_MAX || pool->bytes + job->bytes > pool->bytes_max))
        pthread_cond_wait(&pool->done, &pool->mutex);
    if (pool->failed) {
        *err = pool->err;
        goto out;
    }
    pool->jobs++;
    if (!start_thread(pool)) {
        pool->jobs--;
        err_set(err, ERR_SYSTEM, "start a thread for transfers: the system refuses");
        goto out;
    }
    pool->bytes += job->bytes;
    job->next = NULL;
    if (pool->first)
        pool->last->next = job;
    else
        pool->first = job;
    pool->last = job;
    pthread_cond_signal(&pool->work);
    result = 0;
out:
    pthread_mutex_unlock(&pool->mutex);
    if (result < 0)
        job->free(job);
    return result;
}

int bucket_pool_wait(struct bucket_pool *pool, struct err *err) {
    pthread_mutex_lock(&pool->mutex);
    while (pool->jobs > 0)
        pthread_cond_wait(&pool->done, &pool->mutex);
    const bool failed = pool->failed;
    if (failed)
        *err = pool->err;
    pthread_mutex_unlock(&pool->mutex);
    return failed ? -1 : 0;
}

void bucket_pool_free(struct bucket_pool *pool) {
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->closed = true;
    if (!pool->failed) {
        pool->failed = true; /* what waits is dropped */
        err_set(&pool->err, ERR_INTERRUPTED, "the transfers were given up");
    }
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_mutex_destroy(&pool->mutex);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->done);
    free(pool->threads);
    free(pool);
}
