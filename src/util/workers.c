#include <muniment/util/memory.h>
#include <muniment/util/workers.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 64 };

struct workers {
    workers_each *each;
    void *context;
    size_t item_size;
    pthread_t threads[THREADS_MAX];
    unsigned count; /* of threads; 0: whoever gives does the work */

    pthread_mutex_t mutex;       /* over the rest */
    pthread_cond_t given, taken; /* an item, or the end; room for one */
    uint8_t *items;              /* a ring of `count` places */
    size_t first, waiting;
    bool ended;
    bool failed;
    struct err err; /* the first */
};

/* Takes the next item into `item`; false at the end. The mutex is held. */
static bool take(struct workers *workers, void *item) {
    while (workers->waiting == 0 && !workers->ended && !workers->failed)
        pthread_cond_wait(&workers->given, &workers->mutex);
    if (workers->waiting == 0 || workers->failed)
        return false;
    memcpy(item, workers->items + workers->first * workers->item_size, workers->item_size);
    workers->first = (workers->first + 1) % workers->count;
    workers->waiting--;
    pthread_cond_signal(&workers->taken);
    return true;
}

static void *work(void *context) {
    struct workers *workers = context;
    void *item = mem_alloc(workers->item_size);
    pthread_mutex_lock(&workers->mutex);
    while (take(workers, item)) {
        struct err err = { 0 };
        pthread_mutex_unlock(&workers->mutex);
        int result = workers->each(workers->context, item, &err);
        pthread_mutex_lock(&workers->mutex);
        if (result != 0 && !workers->failed) {
            workers->failed = true;
            workers->err = err;
            pthread_cond_broadcast(&workers->given);
            pthread_cond_broadcast(&workers->taken);
        }
    }
    pthread_mutex_unlock(&workers->mutex);
    free(item);
    return NULL;
}

struct workers *workers_start(unsigned threads, size_t item_size, workers_each *each, void *context) {
    struct workers *workers = mem_zalloc(sizeof *workers);
    workers->each = each;
    workers->context = context;
    workers->item_size = item_size;
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->given, NULL);
    pthread_cond_init(&workers->taken, NULL);
    if (threads < 2)
        return workers;

    /* The lock keeps those that are started first from looking at a number that still grows. */
    unsigned wanted = threads < THREADS_MAX ? threads : THREADS_MAX;
    workers->items = mem_array(wanted, item_size);
    pthread_mutex_lock(&workers->mutex);
    while (workers->count < wanted && pthread_create(&workers->threads[workers->count], NULL, work, workers) == 0)
        workers->count++;
    pthread_mutex_unlock(&workers->mutex);
    return workers;
}

static int do_at_once(struct workers *workers, const void *item, struct err *err) {
    void *copy = mem_alloc(workers->item_size);
    memcpy(copy, item, workers->item_size);
    if (!workers->failed && workers->each(workers->context, copy, &workers->err) != 0)
        workers->failed = true;
    free(copy);
    if (!workers->failed)
        return 0;
    *err = workers->err;
    return -1;
}

int workers_give(struct workers *workers, const void *item, struct err *err) {
    if (workers->count == 0)
        return do_at_once(workers, item, err);

    pthread_mutex_lock(&workers->mutex);
    while (workers->waiting == workers->count && !workers->failed)
        pthread_cond_wait(&workers->taken, &workers->mutex);
    bool failed = workers->failed;
    if (failed) {
        *err = workers->err;
    } else {
        size_t at = (workers->first + workers->waiting++) % workers->count;
        memcpy(workers->items + at * workers->item_size, item, workers->item_size);
        pthread_cond_signal(&workers->given);
    }
    pthread_mutex_unlock(&workers->mutex);
    return failed ? -1 : 0;
}

int workers_finish(struct workers *workers, struct err *err) {
    pthread_mutex_lock(&workers->mutex);
    workers->ended = true;
    pthread_cond_broadcast(&workers->given);
    pthread_mutex_unlock(&workers->mutex);
    for (unsigned i = 0; i < workers->count; i++)
        pthread_join(workers->threads[i], NULL);

    int result = workers->failed ? -1 : 0;
    if (result < 0)
        *err = workers->err;
    pthread_mutex_destroy(&workers->mutex);
    pthread_cond_destroy(&workers->given);
    pthread_cond_destroy(&workers->taken);
    free(workers->items);
    free(workers);
    return result;
}

void workers_stop(struct workers *workers) {
    struct err ignored = { 0 };
    pthread_mutex_lock(&workers->mutex);
    workers->failed = true;
    pthread_mutex_unlock(&workers->mutex);
    if (workers_finish(workers, &ignored) < 0)
        return;
}
