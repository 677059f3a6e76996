#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/store/store_internal.h"
#include "bucket_like.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

static int take_nothing(struct store *store, const char *name, int64_t wait, struct store_lock **lock,
                        struct err *err) {
    (void)name, (void)wait, (void)err;
    *lock = mem_zalloc(sizeof **lock);
    (*lock)->store = store;
    return 0;
}

static void release_nothing(struct store_lock *lock) {
    free(lock);
}

void bucket_like(struct store *store) {
    static struct store_ops ops;
    ops = *store->ops;
    ops.lock_take = take_nothing;
    ops.lock_release = release_nothing;
    ops.lock_is_global = false;
    store->ops = &ops;
}

/* --- listings that leave something out --- */

static const struct store_ops *true_ops; /* of the one store that lies */
static const char *omitted;

struct listing {
    store_each *each;
    void *context;
};

static int pass_on(void *context, const struct store_object *object, struct err *err) {
    struct listing *listing = context;
    return strcmp(object->name, omitted) == 0 ? 0 : listing->each(listing->context, object, err);
}

static int list_most(struct store *store, const char *prefix, store_each *each, void *context, struct err *err) {
    struct listing listing = { each, context };
    return true_ops->list(store, prefix, pass_on, &listing, err);
}

void bucket_like_omit(struct store *store, const char *name) {
    static struct store_ops ops;
    if (!name) {
        store->ops = true_ops;
        return;
    }
    true_ops = store->ops;
    ops = *store->ops;
    ops.list = list_most;
    omitted = name;
    store->ops = &ops;
}

/* --- somebody at work --- */

static struct {
    const struct store_ops *ops;
    const char *prefix;
    void (*act)(void *context);
    void *context;
} awaited;

static int list_after_act(struct store *store, const char *prefix, store_each *each, void *context, struct err *err) {
    if (strcmp(prefix, awaited.prefix) == 0) {
        store->ops = awaited.ops;
        awaited.act(awaited.context);
    }
    return awaited.ops->list(store, prefix, each, context, err);
}

void bucket_like_before_listing(struct store *store, const char *prefix, void (*act)(void *context), void *context) {
    static struct store_ops ops;
    awaited.ops = store->ops;
    awaited.prefix = prefix;
    awaited.act = act;
    awaited.context = context;
    ops = *store->ops;
    ops.list = list_after_act;
    store->ops = &ops;
}

/* --- hosts --- */

struct repo other_host(const struct repo *repo, struct keys *keys) {
    struct repo other = *repo;
    *keys = *repo->keys;
    keys_new_host(keys);
    other.keys = keys;
    return other;
}
