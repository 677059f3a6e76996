#include <muniment/repo/object_cache.h>
#include <muniment/repo/records.h>
#include <muniment/util/memory.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { ATTEMPTS = 16, THREADS = 4, RECORDS_A_THREAD = 8 };

/* What the loading threads share. */
struct loading {
    struct repo *repo;
    const struct record_folder *folder;
    const struct store_names *names;
    char *items; /* one a name */
    atomic_size_t next;
    pthread_mutex_t lock; /* over the two below */
    size_t failed;        /* the first in the order of names that could not be loaded; their count: none */
    struct err err;
};

static void *load_some(void *context) {
    struct loading *loading = context;
    for (size_t at; (at = atomic_fetch_add(&loading->next, 1)) < loading->names->count;) {
        struct err err = { 0 };
        void *item = loading->items + at * loading->folder->item_size;
        if (loading->folder->load(loading->repo, loading->names->items[at].name, item, &err) == 0)
            continue;
        pthread_mutex_lock(&loading->lock);
        if (at < loading->failed) {
            loading->failed = at;
            loading->err = err;
        }
        pthread_mutex_unlock(&loading->lock);
        atomic_store(&loading->next, loading->names->count);
    }
    return NULL;
}

/* Verifying signatures takes most of the time, and each record stands alone. */
static void load_all(struct loading *loading) {
    pthread_t threads[THREADS - 1];
    size_t started = 0;
    while (started < THREADS - 1 && loading->names->count >= (started + 2) * RECORDS_A_THREAD &&
           pthread_create(&threads[started], NULL, load_some, loading) == 0)
        started++;
    load_some(loading);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

static void *load_listed(struct repo *repo, const struct record_folder *folder, const struct store_names *names,
                         struct err *err) {
    struct loading loading = {
        .repo = repo,
        .folder = folder,
        .names = names,
        .items = mem_array(names->count + 1, folder->item_size),
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .failed = names->count,
    };
    load_all(&loading);
    if (loading.failed == names->count)
        return loading.items;
    for (size_t i = 0; i < names->count; i++)
        folder->release(loading.items + i * folder->item_size);
    free(loading.items);
    *err = loading.err;
    return NULL;
}

void *records_load(struct repo *repo, const struct record_folder *folder, size_t *count, struct err *err) {
    char name[REPO_NAME_MAX];
    *count = 0;
    for (int attempt = 1;; attempt++) {
        struct store_names names = { 0 };
        if (store_names_load(repo->store, repo_folder(repo, name, folder->name), &names, err) < 0)
            return NULL;
        object_cache_keep(repo, folder->name, &names);
        void *items = load_listed(repo, folder, &names, err);
        if (items)
            *count = names.count;
        store_names_release(&names);
        if (items || err->code != ERR_NOT_FOUND || attempt == ATTEMPTS)
            return items;
        err_clear(err);
    }
}
