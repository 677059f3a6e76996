/*
 * Files: folders and files of this host, merged into one tree whose paths are the absolute ones without their '/'.
 */

#include "files_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The configured paths
 */

static void add_root(struct walk *walk, size_t *capacity, const char *path, const char *shown) {
    walk->roots = mem_grow(walk->roots, capacity, walk->root_count + 1, sizeof *walk->roots);
    walk->roots[walk->root_count++] = (struct files_root){ .path = mem_string(path), .shown = shown };
}

/* Where a path ends that has no links in its folders, but may be one itself. NULL when its folder is not there. */
static char *resolve_folder_of(const char *path) {
    char *copy = mem_string(path);
    size_t length = strlen(copy);
    while (length > 1 && copy[length - 1] == '/')
        copy[--length] = '\0';

    char *slash = strrchr(copy, '/');
    char *resolved = NULL;
    *slash = '\0';
    char *folder = realpath(slash == copy ? "/" : copy, NULL);
    if (folder != NULL)
        resolved = mem_format("%s/%s", strcmp(folder, "/") == 0 ? "" : folder, slash + 1);
    free(folder);
    free(copy);
    return resolved;
}

/* A configured path that is a link, or leads through one, stands for what it leads to: a folder moved to another disk
 * and linked to would otherwise be a backup of nothing but the link. */
static void resolve_root(struct walk *walk, size_t *capacity, const char *configured) {
    char *real = realpath(configured, NULL);
    char *near = resolve_folder_of(configured);
    const char *path = real != NULL ? real : near != NULL ? near : configured;

    add_root(walk, capacity, path + strspn(path, "/"), configured);
    if (real != NULL && near != NULL && strcmp(real, near) != 0) {
        log_detail(walk->log, "%s: '%s' leads to '%s'", walk->source->name, configured, real);
        add_root(walk, capacity, near + strspn(near, "/"), NULL);
    }
    free(real);
    free(near);
}

static int compare_roots(const void *left, const void *right) {
    const struct files_root *a = left, *b = right;
    int order = entry_compare_paths(ENTRY_FILE, a->path, b->path);
    /* Of two for the same place, the one that was configured is kept. */
    return order != 0 ? order : (a->shown == NULL) - (b->shown == NULL);
}

static void resolve_roots(struct walk *walk) {
    const struct strings *paths = &walk->source->files.paths;
    size_t capacity = 0;
    for (size_t i = 0; i < paths->count; i++)
        resolve_root(walk, &capacity, paths->items[i]);
    qsort(walk->roots, walk->root_count, sizeof *walk->roots, compare_roots);

    size_t kept = 0;
    for (size_t i = 0; i < walk->root_count; i++)
        if (kept > 0 && strcmp(walk->roots[kept - 1].path, walk->roots[i].path) == 0)
            free(walk->roots[i].path);
        else
            walk->roots[kept++] = walk->roots[i];
    walk->root_count = kept;
}

/*
 * The source
 */

static int files_preflight(const struct source *source, struct log *log, struct err *err) {
    const struct strings *paths = &source->files.paths;
    struct err first = { 0 };
    size_t usable = 0;
    (void)log;

    if (paths->count == 0)
        return err_set(err, ERR_INVALID, "no paths are configured");
    for (size_t i = 0; i < paths->count; i++)
        if (paths->items[i][0] != '/')
            return err_set(err, ERR_INVALID, "'%s' is not an absolute path", paths->items[i]);

    /* One that is missing makes the snapshot partial; the others are still worth having. */
    for (size_t i = 0; i < paths->count; i++) {
        struct stat status;
        if (lstat(paths->items[i], &status) != 0)
            err_set(&first, ERR_SOURCE, "'%s': %s", paths->items[i], strerror(errno));
        else if (!S_ISLNK(status.st_mode) && faccessat(AT_FDCWD, paths->items[i], R_OK, AT_EACCESS) != 0)
            err_set(&first, ERR_SOURCE, "'%s' cannot be read: %s", paths->items[i], strerror(errno));
        else
            usable++;
    }
    if (usable == 0) {
        *err = first;
        return -1;
    }
    return 0;
}

static void report(struct walk *walk) {
    struct source_sink *sink = walk->sink;
    char number[32];

    for (size_t i = 0; i < walk->root_count; i++) {
        struct files_root *root = &walk->roots[i];
        if (!root->seen && root->shown != NULL) {
            struct err why = { 0 };
            err_set(&why, ERR_SOURCE, "the configured path '%s' is not there", root->shown);
            sink->trouble(sink->context, root->path, &why);
        } else if (root->shown != NULL && !root->trouble) {
            sink->unit(sink->context, root->shown, root->bytes, false, 0);
        }
    }
    snprintf(number, sizeof number, "%" PRIu64, walk->entry_count);
    sink->fact(sink->context, "entries", number);
    snprintf(number, sizeof number, "%" PRIu64, walk->unchanged_count);
    sink->fact(sink->context, "unchanged", number);
}

static void walk_release(struct walk *walk) {
    for (size_t i = 0; i < walk->level_capacity && walk->levels[i] != NULL; i++) {
        struct level *level = walk->levels[i];
        if (i < walk->depth && level->fd >= 0)
            close(level->fd);
        buffer_release(&level->name_bytes);
        free(level->names);
        free(level);
    }
    free(walk->levels);
    for (size_t i = 0; i < walk->root_count; i++)
        free(walk->roots[i].path);
    free(walk->roots);
    owner_names_release(&walk->users);
    owner_names_release(&walk->groups);
    link_table_release(&walk->links);
    buffer_release(&walk->path);
    free(walk->list);
    free(walk->value);
}

static int files_capture(const struct source *source, struct source_sink *sink, struct log *log, struct err *err) {
    struct walk walk = {
        .source = source,
        .sink = sink,
        .log = log,
        .euid = geteuid(),
        .list = mem_alloc(ATTRIBUTE_MAX),
        .value = mem_alloc(ATTRIBUTE_MAX),
    };

    resolve_roots(&walk);
    int result = walk_run(&walk, err);
    if (result == 0)
        report(&walk);
    walk_release(&walk);
    return result;
}

const struct source_kind SOURCE_FILES = {
    .name = "files",
    .preflight = files_preflight,
    .capture = files_capture,
};
