#include "head_internal.h"
#include <muniment/repo/object_cache.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LOAD_ATTEMPTS = 16, LOAD_THREADS = 4, HEADS_A_THREAD = 8, HASH_DIGITS = 64, HASH_DIGITS_LEAST = 4 };

static int by_start(const void *left, const void *right) {
    const struct head *a = left, *b = right;
    if (a->started != b->started)
        return a->started < b->started ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* What the loading threads share. */
struct loading {
    struct repo *repo;
    const struct store_names *names;
    struct head *heads; /* one a name */
    atomic_size_t next;
    pthread_mutex_t lock; /* over the two below */
    size_t failed;        /* the first in the order of names that could not be loaded */
    struct err err;
};

static void *load_some(void *context) {
    struct loading *loading = context;
    for (size_t at; (at = atomic_fetch_add(&loading->next, 1)) < loading->names->count;) {
        struct err err = { 0 };
        if (head_load_object(loading->repo, loading->names->items[at].name, &loading->heads[at], &err) == 0)
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

/* Verifying signatures takes most of the time, and each head stands alone. */
static void load_all(struct loading *loading) {
    pthread_t threads[LOAD_THREADS - 1];
    size_t started = 0;
    while (started < LOAD_THREADS - 1 && loading->names->count >= (started + 2) * HEADS_A_THREAD &&
           pthread_create(&threads[started], NULL, load_some, loading) == 0)
        started++;
    load_some(loading);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

static int load_listed(struct repo *repo, struct heads *heads, struct err *err) {
    char folder[REPO_NAME_MAX];
    struct store_names names = { 0 };
    if (store_names_load(repo->store, repo_folder(repo, folder, "snapshots"), &names, err) < 0)
        return -1;
    object_cache_keep(repo, "snapshots", &names);

    heads->items = mem_array(names.count ? names.count : 1, sizeof *heads->items);
    heads->count = names.count;
    struct loading loading = {
        .repo = repo, .names = &names, .heads = heads->items, .lock = PTHREAD_MUTEX_INITIALIZER, .failed = names.count
    };
    load_all(&loading);
    int result = loading.failed == names.count ? 0 : -1;
    if (result < 0)
        *err = loading.err;
    store_names_release(&names);
    return result;
}

int heads_load(struct repo *repo, struct heads *heads, struct err *err) {
    /* A head that vanished between listing and reading was expired by a purge: what is loaded must be one moment's. */
    *heads = (struct heads){ 0 };
    for (int attempt = 1; load_listed(repo, heads, err) < 0; attempt++) {
        heads_release(heads);
        if (err->code != ERR_NOT_FOUND || attempt == LOAD_ATTEMPTS)
            return err_wrap(err, "load the snapshots");
        err_clear(err);
    }
    qsort(heads->items, heads->count, sizeof *heads->items, by_start);
    return 0;
}

void heads_release(struct heads *heads) {
    for (size_t i = 0; i < heads->count; i++)
        head_release(&heads->items[i]);
    free(heads->items);
    *heads = (struct heads){ 0 };
}

/* --- finding one -------------------------------------------------------------------------------------------------- */

static bool is_hash_beginning(const char *text) {
    size_t length = strlen(text);
    return length >= HASH_DIGITS_LEAST && length <= HASH_DIGITS && strspn(text, "0123456789abcdef") == length;
}

static const struct head *newest(const struct heads *heads, bool complete) {
    for (size_t i = heads->count; i > 0; i--)
        if (!complete || heads->items[i - 1].outcome == OUTCOME_COMPLETE)
            return &heads->items[i - 1];
    return NULL;
}

static int find_by_hash(const struct heads *heads, const char *digits, const struct head **head, struct err *err) {
    size_t found = 0, length = strlen(digits);
    for (size_t i = 0; i < heads->count; i++) {
        const char *dash = strchr(heads->items[i].name, '-');
        if (!dash || strncmp(dash + 1, digits, length) != 0)
            continue;
        *head = &heads->items[i];
        found++;
    }
    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "no snapshot's id begins with '%s'", digits);
    if (found > 1) {
        *head = NULL;
        err_set(err, ERR_INVALID, "the ids of %zu snapshots begin with '%s'", found, digits);
        return err_hint(err, "give more digits of the id");
    }
    return 0;
}

static int find_by_time(const struct heads *heads, const char *which, const struct head **head, struct err *err) {
    struct err unreadable = { 0 };
    int64_t when;
    if (clock_parse(which, &when, &unreadable) < 0) {
        err_set(err, ERR_INVALID, "'%s' names no snapshot: it is neither an id nor a time", which);
        return err_hint(err,
                        "use latest, latest-complete, at least %d digits of an id, or a time such as "
                        "2026-03-01T02:00:00Z",
                        HASH_DIGITS_LEAST);
    }
    for (size_t i = 0; i < heads->count && heads->items[i].started <= when; i++)
        *head = &heads->items[i];
    if (!*head)
        return err_set(err, ERR_NOT_FOUND, "no snapshot was captured at or before %s", which);
    return 0;
}

int heads_find(const struct heads *heads, const char *which, const struct head **head, struct err *err) {
    *head = NULL;
    if (heads->count == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no snapshot");

    if (which[0] == '\0' || strcmp(which, "latest") == 0) {
        *head = newest(heads, false);
        return 0;
    }
    if (strcmp(which, "latest-complete") == 0) {
        *head = newest(heads, true);
        return *head ? 0 : err_set(err, ERR_NOT_FOUND, "no snapshot is complete");
    }
    for (size_t i = 0; i < heads->count; i++)
        if (strcmp(heads->items[i].name, which) == 0) {
            *head = &heads->items[i];
            return 0;
        }
    return is_hash_beginning(which) ? find_by_hash(heads, which, head, err) : find_by_time(heads, which, head, err);
}
