#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "scratch_repo.h"
#include <muniment/repo/journal.h>
#include <stdio.h>
#include <string.h>

void scratch_repo_open(struct scratch_repo *scratch) {
    struct err err = { 0 };
    *scratch = (struct scratch_repo){ .folder = scratch_make() };
    struct store_address address = { .path = scratch->folder };
    assert_success(store_open(&address, true, &scratch->store, &err), &err);
    assert_success(repo_create(scratch->store, &err), &err);
    keys_generate(&scratch->keys);
    assert_success(repo_open(&scratch->repo, scratch->store, &scratch->keys, NULL, &err), &err);
}

void scratch_repo_close(struct scratch_repo *scratch) {
    store_close(scratch->store);
    keys_wipe(&scratch->keys);
    scratch_remove(scratch->folder);
}

static void load(const struct scratch_repo *scratch, const char *name, struct buffer *content) {
    struct err err = { 0 };
    assert_success(store_get(scratch->store, name, SIZE_MAX / 2, content, &err), &err);
}

void scratch_repo_flip(const struct scratch_repo *scratch, const char *name, size_t offset, uint8_t mask) {
    struct buffer content = { 0 };
    struct err err = { 0 };
    load(scratch, name, &content);
    assert_true(offset < content.length);
    content.data[offset] ^= mask;
    assert_success(store_put(scratch->store, name, content.data, content.length, &err), &err);
    buffer_release(&content);
}

void scratch_repo_copy(const struct scratch_repo *scratch, const char *from, const char *to) {
    struct buffer content = { 0 };
    struct err err = { 0 };
    load(scratch, from, &content);
    assert_success(store_put(scratch->store, to, content.data, content.length, &err), &err);
    buffer_release(&content);
}

size_t scratch_repo_list(const struct scratch_repo *scratch, const char *folder, char *first) {
    struct store_names names = { 0 };
    struct err err = { 0 };
    char prefix[REPO_NAME_MAX];
    assert_success(store_names_load(scratch->store, repo_folder(&scratch->repo, prefix, folder), &names, &err), &err);
    size_t count = names.count;
    if (first)
        snprintf(first, REPO_NAME_MAX, "%s", count > 0 ? names.items[0].name : "");
    store_names_release(&names);
    return count;
}

void scratch_repo_expect_sealed(const struct scratch_repo *scratch, const char *text) {
    struct store_names names = { 0 };
    struct err err = { 0 };
    assert_success(store_names_load(scratch->store, "", &names, &err), &err);
    assert_true(names.count > 0);
    for (size_t i = 0; i < names.count; i++) {
        struct buffer content = { 0 };
        load(scratch, names.items[i].name, &content);
        assert_null(memmem(content.data, content.length, text, strlen(text)));
        buffer_release(&content);
    }
    store_names_release(&names);
}

struct counting {
    const char *event, *field, *value;
    size_t count;
};

static int count_event(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct counting *counting = context;
    (void)segment, (void)err;
    const char *found = counting->field ? journal_field(entry, counting->field) : "";
    counting->count += strcmp(entry->event, counting->event) == 0 && found &&
                       (!counting->value || strcmp(found, counting->value) == 0);
    return 0;
}

size_t scratch_repo_journalled(struct repo *repo, const char *event, const char *field, const char *value) {
    struct counting counting = { .event = event, .field = field, .value = value };
    struct err err = { 0 };
    assert_success(journal_walk(repo, count_event, &counting, &err), &err);
    return counting.count;
}
