#include <muniment/store/store.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

static int append(void *context, const struct store_object *object, struct err *err) {
    struct store_names *names = context;
    (void)err;

    names->items = mem_grow(names->items, &names->capacity, names->count + 1, sizeof *names->items);
    names->items[names->count++] = (struct store_listed){
        .name = mem_string(object->name),
        .size = object->size,
        .modified = object->modified,
    };
    return 0;
}

int store_names_load(struct store *store, const char *prefix, struct store_names *names, struct err *err) {
    *names = (struct store_names){ 0 };
    if (store_list(store, prefix, append, names, err) == 0)
        return 0;
    store_names_release(names);
    return -1;
}

static int compare_name(const void *name, const void *item) {
    return strcmp(name, ((const struct store_listed *)item)->name);
}

const struct store_listed *store_names_find(const struct store_names *names, const char *name) {
    if (names->count == 0)
        return NULL;
    return bsearch(name, names->items, names->count, sizeof *names->items, compare_name);
}

void store_names_release(struct store_names *names) {
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i].name);
    free(names->items);
    *names = (struct store_names){ 0 };
}
