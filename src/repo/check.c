#include "check_internal.h"
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- findings -------------------------------------------------------------------------------------------------------
 */

void check_find(struct check *check, const char *name, const char *format, ...) {
    char text[2048];
    int length = snprintf(text, sizeof text, "%s: ", name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
    va_end(arguments);

    pthread_mutex_lock(&check->mutex);
    check->result->findings++;
    if (check->options->finding)
        check->options->finding(check->options->context, text);
    pthread_mutex_unlock(&check->mutex);
}

int check_found(struct check *check, const char *name, struct err *err) {
    if (err->code == ERR_INTERRUPTED || err->code == ERR_SYSTEM || err->code == ERR_LOCKED)
        return err_wrap(err, "check %s", name);

    /* What knows better which object it is has named it in full. */
    const char *named = strstr(err->message, check->repo->keys->set_name);
    if (named && named[strlen(check->repo->keys->set_name)] == '/') {
        size_t length = strcspn(named, ": '");
        char object[REPO_NAME_MAX];
        snprintf(object, sizeof object, "%.*s", (int)(length < sizeof object ? length : sizeof object - 1), named);
        const char *rest = named + length + strspn(named + length, ":' ");
        check_find(check, object, "%s", rest[0] ? rest : err->message);
    } else {
        check_find(check, name, "%s", err->message);
    }
    err_clear(err);
    return 0;
}

/* --- listing --------------------------------------------------------------------------------------------------------
 */

static void keep_name(struct store_names *names, const struct store_object *object) {
    names->items = mem_grow(names->items, &names->capacity, names->count + 1, sizeof *names->items);
    names->items[names->count++] = (struct store_listed){ mem_string(object->name), object->size, object->modified };
}

static bool list_pack(struct check *check, const struct store_object *object) {
    char expected[REPO_NAME_MAX];
    uint8_t name[32];
    if (!repo_name_hash(object->name, name) || strcmp(object->name, repo_pack_name(check->repo, expected, name)) != 0)
        return false;
    check->packs = mem_grow(check->packs, &check->pack_capacity, check->pack_count + 1, sizeof *check->packs);
    struct checked_pack *pack = &check->packs[check->pack_count++];
    memcpy(pack->name, name, sizeof pack->name);
    pack->size = object->size;
    return true;
}

static bool is_content_name(const struct check *check, const char *folder, const char *name) {
    char prefix[REPO_NAME_MAX];
    uint8_t hash[32];
    size_t length = strlen(repo_folder(check->repo, prefix, folder));
    return repo_name_hash(name, hash) && strlen(name) == length + 1 + 2 * sizeof hash;
}

static int list_object(void *context, const struct store_object *object, struct err *err) {
    struct check *check = context;
    const char *below = repo_below(check->repo, object->name);
    bool known = true;

    if (strncmp(below, "packs/", 6) == 0)
        known = list_pack(check, object);
    else if (strncmp(below, "index/", 6) == 0 && is_content_name(check, "index", object->name))
        keep_name(&check->index_names, object);
    else if (strncmp(below, "snapshots/", 10) == 0)
        keep_name(&check->head_names, object);
    else if (strncmp(below, "purges/", 7) == 0)
        keep_name(&check->purge_names, object);
    else if (strncmp(below, "sessions/", 9) == 0)
        keep_name(&check->session_names, object);
    else if (strncmp(below, "keys/", 5) == 0)
        keep_name(&check->key_names, object);
    else if (strncmp(below, "holds/", 6) != 0 && strncmp(below, "erasures/", 9) != 0)
        known = strncmp(below, "journal/", 8) == 0; /* the walk through it tells which do not belong there */
    if (!known)
        check_find(check, object->name, "is no object that muniment writes");
    return interrupt_check(err);
}

static int compare_packs(const void *left, const void *right) {
    return memcmp(((const struct checked_pack *)left)->name, ((const struct checked_pack *)right)->name, 32);
}

int check_list(struct check *check, struct err *err) {
    if (store_list(check->repo->store, check->repo->keys->set_name, list_object, check, err) < 0)
        return -1;
    if (check->pack_count > 1)
        qsort(check->packs, check->pack_count, sizeof *check->packs, compare_packs);
    check->result->packs = check->pack_count;
    return 0;
}

const struct checked_pack *check_find_pack(const struct check *check, const uint8_t name[32]) {
    struct checked_pack wanted = { 0 };
    memcpy(wanted.name, name, sizeof wanted.name);
    return check->pack_count ? bsearch(&wanted, check->packs, check->pack_count, sizeof wanted, compare_packs) : NULL;
}

/* --- the whole ------------------------------------------------------------------------------------------------------
 */

void check_init(struct check *check, struct repo *repo, const struct check_options *options,
                struct check_result *result) {
    *check = (struct check){ .repo = repo, .options = options, .result = result, .index = index_new() };
    *result = (struct check_result){ 0 };
    pthread_mutex_init(&check->mutex, NULL);
}

void check_release(struct check *check) {
    store_names_release(&check->index_names);
    store_names_release(&check->head_names);
    store_names_release(&check->purge_names);
    store_names_release(&check->session_names);
    store_names_release(&check->key_names);
    heads_release(&check->heads);
    index_free(check->index);
    free(check->packs);
    pthread_mutex_destroy(&check->mutex);
}

static int check_repository(struct check *check, struct err *err) {
    struct repo opened;
    if (repo_open(&opened, check->repo->store, check->repo->keys, NULL, err) == 0)
        return 0;
    return check_found(check, "muniment", err);
}

int check_run(struct repo *repo, const struct check_options *options, struct check_result *result, struct err *err) {
    struct check check;
    struct repo uncached = *repo;
    uncached.cache = NULL;
    check_init(&check, options->read_percent > 0 ? &uncached : repo, options, result);
    int status = -1;
    if (check_repository(&check, err) == 0 && check_list(&check, err) == 0 && check_objects(&check, err) == 0 &&
        check_references(&check, err) == 0 && check_packs(&check, err) == 0)
        status = 0;
    check_release(&check);
    return status < 0 ? err_wrap(err, "check") : 0;
}
