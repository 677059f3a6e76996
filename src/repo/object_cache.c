#include <dirent.h>
#include <fcntl.h>
#include <muniment/repo/object_cache.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* CACHE/<folder>/<leaf>, for "<set>/<folder>/<leaf>"; NULL for what is not kept. */
static char *copy_path(const struct repo *repo, const char *name, uint8_t hash[32]) {
    size_t set = strlen(repo->keys->set_name);
    bool kept =
        repo->cache && repo_name_hash(name, hash) && strncmp(name, repo->keys->set_name, set) == 0 && name[set] == '/';
    return kept ? mem_format("%s/%s", repo->cache, name + set + 1) : NULL;
}

bool object_cache_get(const struct repo *repo, const char *name, size_t max, struct buffer *out) {
    uint8_t expected[32], hash[32];
    char *path = copy_path(repo, name, expected);
    size_t before = out->length;
    struct err why = { 0 };
    bool found = false;
    if (path && file_read(path, max, out, &why) == 0) {
        sha256_once(hash, out->data + before, out->length - before);
        found = memcmp(hash, expected, sizeof hash) == 0;
    }
    if (!found)
        out->length = before;
    free(path);
    return found;
}

/* Whole under its name or not at all, but not synced: what a crash cuts is found by its hash. */
void object_cache_put(const struct repo *repo, const char *name, const void *data, size_t length) {
    uint8_t hash[32];
    struct err why = { 0 };
    char *path = copy_path(repo, name, hash);
    if (!path)
        return;
    char *folder = mem_format("%.*s", (int)(repo_leaf(path) - path - 1), path);
    char *temporary = mem_format("%s/.copy-XXXXXX", folder);
    int fd = file_make_folders(folder, 0700, &why) == 0 ? mkostemp(temporary, O_CLOEXEC) : -1;
    if (fd >= 0) {
        bool good = file_write_all(fd, data, length, temporary, &why) == 0;
        good = close(fd) == 0 && good;
        if (!good || rename(temporary, path) < 0)
            unlink(temporary);
    }
    free(temporary);
    free(folder);
    free(path);
}

void object_cache_keep(const struct repo *repo, const char *folder, const struct store_names *names) {
    char name[REPO_NAME_MAX];
    if (!repo->cache)
        return;
    char *path = mem_format("%s/%s", repo->cache, folder);
    DIR *entries = opendir(path);
    for (const struct dirent *entry; entries && (entry = readdir(entries));)
        if (entry->d_name[0] != '.' && !store_names_find(names, repo_name(repo, name, folder, entry->d_name)))
            unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries)
        closedir(entries);
    free(path);
}
