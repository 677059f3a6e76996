#include "erase_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/workers.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what there is --------------------------------------------------------------------------------------------------
 */

static bool is_in(const struct erase_target *target, const char *name, const char *folder) {
    size_t length = strlen(folder);
    const char *below = repo_below(target->repo, name);
    return strncmp(below, folder, length) == 0 && below[length] == '/';
}

static int collect(void *context, const struct store_kept *object, struct err *err) {
    struct erase_target *target = context;
    struct store_names *names = is_in(target, object->name, "journal") ? &target->journal
                                : is_in(target, object->name, "keys")  ? &target->keys
                                                                       : &target->objects;
    names->items = mem_grow(names->items, &names->capacity, names->count + 1, sizeof *names->items);
    names->items[names->count++] =
        (struct store_listed){ .name = mem_string(object->name), .size = object->size, .modified = object->modified };
    return interrupt_check(err);
}

int erase_lock(struct erase_target *target, struct err *err) {
    char name[REPO_NAME_MAX];
    repo_name(target->repo, name, "locks", "mirror");
    return store_lock_take(target->store, name, LOCK_WAIT, &target->lock, err);
}

int erase_list(struct erase_target *target, struct err *err) {
    store_names_release(&target->keys);
    store_names_release(&target->objects);
    store_names_release(&target->journal);
    return store_list_kept(target->store, target->repo->keys->set_name, collect, target, err);
}

void erase_target_release(struct erase_target *target) {
    store_lock_release(target->lock);
    store_names_release(&target->keys);
    store_names_release(&target->objects);
    store_names_release(&target->journal);
}

/* --- the journal ----------------------------------------------------------------------------------------------------
 */

/* Every decision is in a place before its effect is; and what is left there in the end tells what became of the rest.
 * Unlike a mirror run this waits for no lock, which is held already, and sends also to a mirror whose journal tells
 * something else: it is emptied all the same. */
int erase_send_journal(struct erase_target *target, struct err *err) {
    struct repo *repo = target->repo;
    struct store_names here = { 0 }, there = { 0 };
    char folder[REPO_NAME_MAX];
    if (target->store == repo->store)
        return 0;
    repo_folder(repo, folder, "journal");
    int result = store_names_load(repo->store, folder, &here, err);
    if (result == 0)
        result = store_names_load(target->store, folder, &there, err);
    for (size_t i = 0; i < here.count && result == 0; i++) {
        const struct store_listed *listed = &here.items[i];
        struct buffer segment = { 0 };
        if (store_names_find(&there, listed->name))
            continue;
        int64_t until = repo->journal_keep > 0 ? listed->modified + repo->journal_keep : 0;
        result = store_get(repo->store, listed->name, JOURNAL_OBJECT_MAX, &segment, err);
        if (result == 0)
            result = store_put_locked(target->store, listed->name, segment.data, segment.length, until, err);
        buffer_release(&segment);
    }
    store_names_release(&here);
    store_names_release(&there);
    return result;
}

/* --- removing -------------------------------------------------------------------------------------------------------
 */

struct removing {
    struct erase_target *target;
    pthread_mutex_t lock; /* over the target's result */
};

/* What a lock or the key's rights keep here is counted when the place is listed again. */
static int remove_one(void *context, void *item, struct err *err) {
    struct removing *removing = context;
    const char *name = item;
    struct erase_place *place = removing->target->result;
    struct store_removal removal = { 0 };
    if (interrupt_check(err) < 0)
        return -1;
    int result = store_remove(removing->target->store, name, &removal, err);
    if (result < 0 && err->code == ERR_REFUSED && removal.locked_until != 0) {
        err_clear(err);
        result = 0;
    } else if (removal.hidden) {
        removal.locked_until = INT64_MAX;
    }

    pthread_mutex_lock(&removing->lock);
    place->versions += removal.versions;
    place->objects += result == 0 && removal.locked_until == 0;
    if (removal.locked_until > place->remaining_until)
        place->remaining_until = removal.locked_until;
    pthread_mutex_unlock(&removing->lock);
    buffer_release(&removal.ids);
    return result < 0 ? err_wrap(err, "remove '%s'", name) : 0;
}

int erase_remove(struct erase_target *target, const struct store_names *names, struct err *err) {
    struct removing removing = { .target = target, .lock = PTHREAD_MUTEX_INITIALIZER };
    struct workers *workers = workers_start(store_transfers(target->store), REPO_NAME_MAX, remove_one, &removing);
    int given = 0;
    for (size_t i = 0; i < names->count && given == 0; i++) {
        char name[REPO_NAME_MAX];
        snprintf(name, sizeof name, "%s", names->items[i].name);
        given = workers_give(workers, name, err);
    }
    return workers_finish(workers, err);
}

int erase_journal(struct erase_target *target, const char *last, struct err *err) {
    struct store_names *journal = &target->journal, others = { 0 };
    others.items = mem_array(journal->count + 1, sizeof *others.items);
    for (size_t i = 0; i < journal->count; i++)
        if (strcmp(journal->items[i].name, last) != 0)
            others.items[others.count++] = journal->items[i];
    int result = erase_remove(target, &others, err);
    free(others.items); /* the names are the journal's */
    if (result == 0)
        result = erase_list(target, err);
    if (result < 0 || journal->count != 1)
        return result;
    return erase_remove(target, journal, err) < 0 ? -1 : erase_list(target, err);
}
