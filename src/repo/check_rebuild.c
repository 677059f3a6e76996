#include "check_internal.h"
#include <muniment/repo/journal.h>
#include <string.h>

enum { LOCK_WAIT = 60 }; /* s for a purge that runs */

/* So that mirrors let go of the old objects, too. A host that cannot sign mends its own store alone. */
static int journal_replaced(struct check *check, struct err *err) {
    struct journal_batch batch = { 0 };
    if (!check->repo->keys->can_sign)
        return 0;
    for (size_t i = 0; i < check->index_names.count; i++)
        journal_add(&batch, check->options->now, "destroyed", "object",
                    repo_below(check->repo, check->index_names.items[i].name), "reason", "written anew from the packs",
                    NULL);
    int result = journal_append(check->repo, &batch, err);
    journal_batch_release(&batch);
    return result;
}

static int rebuild(struct check *check, struct err *err) {
    if (check_list(check, err) < 0 || check_index_from_packs(check, check->index, err) < 0)
        return -1;
    for (size_t i = 0; i < index_pack_count(check->index); i++)
        check->result->chunks += index_pack(check->index, i)->slot_count;

    /* The new one is durable before the old ones go. Those that a capture adds meanwhile were not listed, and stay. */
    if (index_save(check->index, 0, check->repo, err) < 0 || journal_replaced(check, err) < 0)
        return -1;
    for (size_t i = 0; i < check->index_names.count; i++)
        if (store_remove(check->repo->store, check->index_names.items[i].name, NULL, err) < 0)
            return err_wrap(err, "remove an old index object");
    return 0;
}

int check_rebuild_index(struct repo *repo, const struct check_options *options, struct check_result *result,
                        struct err *err) {
    struct store_lock *lock;
    struct check check;
    char name[REPO_NAME_MAX];
    if (store_lock_take(repo->store, repo_name(repo, name, "locks", "purge"), LOCK_WAIT, &lock, err) < 0)
        return err_wrap(err, "rebuild the index");
    check_init(&check, repo, options, result);
    int status = rebuild(&check, err);
    check_release(&check);
    store_lock_release(lock);
    return status < 0 ? err_wrap(err, "rebuild the index") : 0;
}
