#include "lock_memory_internal.h"
#include <muniment/repo/locks.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/workers.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The dates of those that need a pack. */
struct needed_pack {
    int64_t until; /* the latest; 0: nobody needs it */
    int64_t cap;   /* the earliest */
};

struct locking {
    struct repo *repo;
    struct store *store;
    int64_t now;
    struct index *index;
    struct needed_pack *packs; /* one for each of the index */
    struct lock_dates dates;   /* of the head that is being walked */
    struct lock_memory known, next;
    struct workers *workers;
    uint64_t lengthened;
    pthread_mutex_t lock; /* over `next` and `lengthened` */
};

/* --- who needs what -------------------------------------------------------------------------------------------------
 */

static void need(struct needed_pack *pack, const struct lock_dates *dates) {
    if (dates->until > pack->until)
        pack->until = dates->until;
    if (dates->cap < pack->cap)
        pack->cap = dates->cap;
}

/* Every place of a slot counts: a purge may choose any of them to stay. */
static int need_extent(void *context, const struct extent *extent, enum extent_role role, struct err *err) {
    struct locking *locking = context;
    (void)role;
    if (interrupt_check(err) < 0)
        return -1;
    for (uint32_t i = 0; i < extent->count; i++) {
        struct index_place place;
        for (unsigned copies = 0; index_place(locking->index, extent->birth, extent->first + i, copies, &place);
             copies++)
            need(&locking->packs[place.pack], &locking->dates);
    }
    return 0;
}

/* --- setting --------------------------------------------------------------------------------------------------------
 */

struct lock_item {
    char name[REPO_NAME_MAX];
    uint8_t hash[32];
    int64_t until;
};

static void remember(struct locking *locking, const uint8_t hash[32], int64_t until, bool lengthened) {
    pthread_mutex_lock(&locking->lock);
    lock_memory_add(&locking->next, hash, until);
    locking->lengthened += lengthened;
    pthread_mutex_unlock(&locking->lock);
}

static int lock_item(void *context, void *item, struct err *err) {
    struct locking *locking = context;
    const struct lock_item *object = item;
    if (interrupt_check(err) < 0)
        return -1;
    if (store_lock_until(locking->store, object->name, object->until, err) == 0) {
        remember(locking, object->hash, object->until, true);
        return 0;
    }
    if (err->code != ERR_NOT_FOUND)
        return err_wrap(err, "lock '%s'", object->name);
    err_clear(err); /* a purge was faster, or it was not sent */
    return 0;
}

static int give(struct locking *locking, const char *name, const uint8_t hash[32], int64_t until, struct err *err) {
    int64_t known = lock_memory_find(&locking->known, hash);
    if (until <= locking->now || known >= until || known - locking->now >= (until - locking->now) / 2) {
        if (known > locking->now)
            remember(locking, hash, known, false);
        return 0;
    }
    struct lock_item item = { .until = until };
    snprintf(item.name, sizeof item.name, "%s", name);
    memcpy(item.hash, hash, sizeof item.hash);
    return workers_give(locking->workers, &item, err);
}

static int lock_head(struct locking *locking, const struct head *head, int64_t until, struct err *err) {
    char name[REPO_NAME_MAX];
    uint8_t hash[32];
    repo_name(locking->repo, name, "snapshots", head->name);
    return repo_name_hash(name, hash) ? give(locking, name, hash, until, err) : 0;
}

static int walk_heads(struct locking *locking, const struct heads *heads, const struct lock_rule *rule,
                      struct err *err) {
    for (size_t i = 0; i < heads->count; i++) {
        const struct head *head = &heads->items[i];
        locking->dates = rule->dates(rule->context, head);
        if (lock_head(locking, head, locking->dates.until, err) < 0)
            return -1;
        for (size_t s = 0; s < head->source_count; s++)
            if (references_walk(locking->repo, locking->index, &head->sources[s].references, need_extent, locking,
                                err) < 0)
                return err_wrap(err, "follow snapshot '%s'", head->name);
    }
    return 0;
}

static int lock_packs(struct locking *locking, locks_has *has, void *context, struct err *err) {
    for (size_t i = 0; i < index_pack_count(locking->index); i++) {
        const struct needed_pack *pack = &locking->packs[i];
        const uint8_t *hash = index_pack(locking->index, i)->pack;
        char name[REPO_NAME_MAX];
        int64_t until = pack->until < pack->cap ? pack->until : pack->cap;
        repo_pack_name(locking->repo, name, hash);
        if (pack->until != 0 && (!has || has(context, hash)) && give(locking, name, hash, until, err) < 0)
            return -1;
    }
    return 0;
}

/* Losing the memory costs requests, and no more. */
static void save_memory(const struct locking *locking, const struct lock_rule *rule) {
    struct err why = { 0 };
    if (rule->memory && lock_memory_save(&locking->next, rule->memory, &why) < 0)
        log_detail(locking->repo->log, "this host cannot remember the locks it set: %s", why.message);
}

int locks_lengthen(struct repo *repo, struct store *store, const struct lock_rule *rule, int64_t now, locks_has *has,
                   void *context, uint64_t *count, struct err *err) {
    if (!store_locks(store))
        return 0;

    struct locking locking = { .repo = repo, .store = store, .now = now, .index = index_new() };
    struct heads heads = { 0 };
    pthread_mutex_init(&locking.lock, NULL);
    if (rule->memory)
        lock_memory_load(&locking.known, rule->memory);
    locking.workers = workers_start(store_transfers(store), sizeof(struct lock_item), lock_item, &locking);

    int status = heads_load(repo, &heads, err);
    if (status == 0)
        status = index_load(locking.index, repo, err);
    if (status == 0) {
        size_t packs = index_pack_count(locking.index);
        locking.packs = mem_array(packs + 1, sizeof *locking.packs);
        for (size_t i = 0; i < packs; i++)
            locking.packs[i].cap = INT64_MAX;
        status = walk_heads(&locking, &heads, rule, err);
    }
    if (status == 0)
        status = lock_packs(&locking, has, context, err);
    if (status < 0)
        workers_stop(locking.workers);
    else
        status = workers_finish(locking.workers, err);
    if (status == 0)
        save_memory(&locking, rule);
    *count += locking.lengthened;

    heads_release(&heads);
    index_free(locking.index);
    free(locking.packs);
    lock_memory_release(&locking.known);
    lock_memory_release(&locking.next);
    pthread_mutex_destroy(&locking.lock);
    return status < 0 ? err_wrap(err, "lengthen the locks in '%s'", store_label(store)) : 0;
}
