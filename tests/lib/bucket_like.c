#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/store/store_internal.h"
#include "bucket_like.h"
#include <muniment/util/memory.h>
#include <stdlib.h>

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

struct repo other_host(const struct repo *repo, struct keys *keys) {
    struct repo other = *repo;
    *keys = *repo->keys;
    keys_new_host(keys);
    other.keys = keys;
    return other;
}
