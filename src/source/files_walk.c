/*
 * Folders: listed, sorted, gone through in tree order.
 *
 * A stack of levels stands for the folders from the root down to the one under way. A folder that only leads to
 * configured paths lists nothing but the next parts of those.
 */

#include "files_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    OPEN_FOLDERS = 128, /* held open at most; those further up are found again by ".." */
    LOOKS = 5           /* at a name that keeps changing from one thing into another */
};

static const char cache_tag_name[] = "CACHEDIR.TAG";
static const char cache_tag_signature[] = "Signature: 8a477f597d28d172789f06886806bc55";

void walk_trouble(struct walk *walk, struct files_root *root, const struct err *why) {
    if (root != NULL)
        root->trouble = true;
    walk->sink->trouble(walk->sink->context, (const char *)walk->path.data, why);
}

void walk_trouble_errno(struct walk *walk, struct files_root *root, const char *tried) {
    struct err why = { 0 };
    err_set(&why, ERR_SOURCE, "%s: %s", tried, strerror(errno));
    walk_trouble(walk, root, &why);
}

/*
 * The path under way
 */

static void set_path(struct walk *walk, size_t folder_length, const char *name) {
    walk->path.length = folder_length;
    if (folder_length > 0 && name[0] != '\0')
        buffer_put_u8(&walk->path, '/');
    buffer_put(&walk->path, name, strlen(name));
    buffer_text(&walk->path);
}

/* Is `path` at `root`, or above it? */
static bool leads_to(const char *path, size_t length, const struct files_root *root) {
    return length == 0 ||
           (strncmp(root->path, path, length) == 0 && (root->path[length] == '\0' || root->path[length] == '/'));
}

/* A name of a level, and what of the configuration concerns it. */
struct candidate {
    const char *name;
    struct files_root *root;     /* that it belongs to; NULL: it only leads to others */
    bool configured;             /* it is itself a configured path */
    size_t first_root, end_root; /* those at or below it */
    bool leads_on;               /* some of them are below it */
};

static struct candidate make_candidate(struct walk *walk, const struct level *level, const char *name) {
    struct candidate candidate = { .name = name, .root = level->root, .first_root = level->first_root };
    const char *path = (const char *)walk->path.data;

    while (candidate.first_root < level->end_root &&
           !leads_to(path, walk->path.length, &walk->roots[candidate.first_root]))
        candidate.first_root++;
    candidate.end_root = candidate.first_root;
    while (candidate.end_root < level->end_root && leads_to(path, walk->path.length, &walk->roots[candidate.end_root]))
        candidate.end_root++;

    /* The roots are in tree order, so the path itself comes before what is below it. */
    size_t below = candidate.end_root - candidate.first_root;
    if (below > 0 && strcmp(walk->roots[candidate.first_root].path, path) == 0) {
        candidate.root = &walk->roots[candidate.first_root];
        candidate.configured = true;
        below--;
    }
    candidate.leads_on = below > 0;
    return candidate;
}

/* What was configured by its own path is captured whatever the patterns say. */
static bool is_excluded(const struct walk *walk, const struct candidate *candidate) {
    const struct strings *exclude = &walk->source->files.exclude;
    return candidate->root != NULL && !candidate->configured &&
           pattern_match_any(exclude->items, exclude->count, (const char *)walk->path.data);
}

/*
 * Listing
 */

static int compare_names(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void sort_names(struct level *level) {
    level->name_count = 0;
    const char *end = (const char *)level->name_bytes.data + level->name_bytes.length;
    for (const char *name = (const char *)level->name_bytes.data; name < end; name += strlen(name) + 1) {
        level->names = mem_grow(level->names, &level->name_capacity, level->name_count + 1, sizeof *level->names);
        level->names[level->name_count++] = name;
    }
    if (level->name_count > 1)
        qsort(level->names, level->name_count, sizeof *level->names, compare_names);
}

/* The next part of each configured path below. */
static void list_leading(struct walk *walk, struct level *level) {
    const char *last = NULL;
    size_t last_length = 0;
    size_t skip = level->path_length > 0 ? level->path_length + 1 : 0;

    for (size_t i = level->first_root; i < level->end_root; i++) {
        if (strlen(walk->roots[i].path) <= level->path_length)
            continue;
        const char *part = walk->roots[i].path + skip;
        size_t length = strcspn(part, "/");
        if (last != NULL && length == last_length && memcmp(part, last, length) == 0)
            continue;
        buffer_put(&level->name_bytes, part, length);
        buffer_put_u8(&level->name_bytes, '\0');
        last = part;
        last_length = length;
    }
}

static void list_folder(struct walk *walk, struct level *level) {
    for (;;) {
        ssize_t length = getdents64(level->fd, walk->list, ATTRIBUTE_MAX);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            walk_trouble_errno(walk, level->root, "list");
        if (length <= 0)
            return;

        for (ssize_t at = 0; at < length;) {
            const struct dirent64 *entry = (const void *)(walk->list + at);
            at += entry->d_reclen;
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                buffer_put(&level->name_bytes, entry->d_name, strlen(entry->d_name) + 1);
        }
    }
}

/* A folder that says of itself that it can be made again is captured as that: the folder and its tag. */
static void leave_cache_out(struct walk *walk, struct level *level) {
    const char *wanted = cache_tag_name;
    const char **found = bsearch(&wanted, level->names, level->name_count, sizeof *level->names, compare_names);
    if (found == NULL)
        return;

    char start[sizeof cache_tag_signature - 1];
    int fd = open_quietly(walk, level->fd, cache_tag_name, 0, level->status.st_uid);
    ssize_t length = fd >= 0 ? read(fd, start, sizeof start) : -1;
    if (fd >= 0)
        close(fd);
    if (length == (ssize_t)sizeof start && memcmp(start, cache_tag_signature, sizeof start) == 0) {
        log_detail(walk->log, "%s: /%s: a cache, left out", walk->source->name, (const char *)walk->path.data);
        level->names[0] = *found;
        level->name_count = 1;
    }
}

/*
 * The stack of levels
 */

/* Takes the descriptor. The path under way is the folder's. */
static void push_level(struct walk *walk, int fd, const struct stat *status, const struct candidate *candidate) {
    if (walk->depth == walk->level_capacity) {
        size_t before = walk->level_capacity;
        walk->levels = mem_grow(walk->levels, &walk->level_capacity, walk->depth + 1, sizeof(struct level *));
        memset(walk->levels + before, 0, (walk->level_capacity - before) * sizeof(struct level *));
    }
    if (walk->levels[walk->depth] == NULL)
        walk->levels[walk->depth] = mem_zalloc(sizeof(struct level));
    if (walk->depth >= OPEN_FOLDERS) {
        struct level *far = walk->levels[walk->depth - OPEN_FOLDERS];
        if (far->fd >= 0)
            close(far->fd);
        far->fd = -1;
    }

    struct level *level = walk->levels[walk->depth++];
    level->fd = fd;
    level->status = *status;
    level->path_length = walk->path.length;
    level->first_root = candidate->first_root;
    level->end_root = candidate->end_root;
    level->root = candidate->root;
    level->next = 0;

    buffer_clear(&level->name_bytes);
    if (level->root != NULL)
        list_folder(walk, level);
    else
        list_leading(walk, level);
    sort_names(level);
    if (level->root != NULL && walk->source->files.exclude_caches && !candidate->leads_on)
        leave_cache_out(walk, level);
}

/* Finds a closed parent again through its child, and makes sure that it is the same folder. */
static void reopen_parent(struct walk *walk, struct level *parent, int child) {
    struct stat status;
    int fd = openat(child, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES)
        fd = openat(child, "..", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_ino == parent->status.st_ino &&
        status.st_dev == parent->status.st_dev) {
        parent->fd = fd;
        return;
    }

    struct err why = { 0 };
    err_set(&why, ERR_SOURCE, "moved while it was read: what was left of it is not captured");
    set_path(walk, parent->path_length, "");
    walk_trouble(walk, parent->root, &why);
    parent->next = parent->name_count;
    if (fd >= 0)
        close(fd);
}

static void pop_level(struct walk *walk) {
    struct level *level = walk->levels[--walk->depth];
    if (walk->depth > 0 && walk->levels[walk->depth - 1]->fd < 0)
        reopen_parent(walk, walk->levels[walk->depth - 1], level->fd);
    if (level->fd >= 0)
        close(level->fd);
    level->fd = -1;
}

/*
 * Going through
 */

/* What the kernel makes up as it is read: endless, or without a size. */
static bool is_kernel_filesystem(int fd) {
    static const long kinds[] = { PROC_SUPER_MAGIC,   SYSFS_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
                                  DEBUGFS_MAGIC,      TRACEFS_MAGIC, SECURITYFS_MAGIC,   BPF_FS_MAGIC,
                                  DEVPTS_SUPER_MAGIC, SELINUX_MAGIC, PSTOREFS_MAGIC,     EFIVARFS_MAGIC,
                                  BINFMTFS_MAGIC,     NSFS_MAGIC };
    struct statfs filesystem;
    if (fstatfs(fd, &filesystem) != 0)
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if ((unsigned long)filesystem.f_type == (unsigned long)kinds[i])
            return true;
    return false;
}

/* May the walk go into this folder as a part of its root, given the folder that holds it? */
static bool stays_outside(struct walk *walk, const struct level *level, const struct candidate *candidate, int fd,
                          const struct stat *status) {
    if (candidate->root == NULL || candidate->configured || status->st_dev == level->status.st_dev)
        return false;
    return walk->source->files.one_file_system || is_kernel_filesystem(fd);
}

static enum outcome end_folder(struct walk *walk, const struct candidate *candidate, int fd, bool readable,
                               const struct stat *status, struct err *err) {
    struct entry entry;
    describe(walk, status, &entry);
    if (readable && read_attributes(walk, fd, &entry) != 0)
        walk_trouble_errno(walk, candidate->root, "read extended attributes");
    walk->entry_count++;
    int result = walk->sink->end(walk->sink->context, &entry, err);
    forget_entry(&entry);
    return result == 0 ? OUTCOME_DONE : OUTCOME_FAILED;
}

static enum outcome enter_folder(struct walk *walk, const struct level *level, struct candidate *candidate,
                                 const struct stat *listed, struct err *err) {
    struct stat status;
    bool readable = true;

    /* A folder that may not be listed can still be described, and lead to others. */
    int fd = open_quietly(walk, level->fd, candidate->name, O_DIRECTORY, listed->st_uid);
    int failed = errno;
    if (fd < 0 && failed == EACCES) {
        readable = false;
        fd = openat(level->fd, candidate->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return OUTCOME_AGAIN;
    if (fd < 0 || fstat(fd, &status) != 0) {
        walk_trouble_errno(walk, candidate->root, "open");
        if (fd >= 0)
            close(fd);
        return OUTCOME_DONE;
    }
    if (candidate->configured)
        candidate->root->seen = true;
    if (!readable && candidate->root != NULL) {
        errno = failed;
        walk_trouble_errno(walk, candidate->root, "open");
    }

    enum outcome outcome = end_folder(walk, candidate, fd, readable, &status, err);
    if (!readable || stays_outside(walk, level, candidate, fd, &status))
        candidate->root = NULL;
    if (outcome == OUTCOME_DONE && (candidate->root != NULL || candidate->leads_on))
        push_level(walk, fd, &status, candidate);
    else
        close(fd);
    return outcome;
}

static enum outcome look_at(struct walk *walk, const struct level *level, struct candidate *candidate,
                            struct err *err) {
    struct stat status;
    if (fstatat(level->fd, candidate->name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT)
            return OUTCOME_VANISHED;
        walk_trouble_errno(walk, candidate->root, "look at");
        return OUTCOME_DONE;
    }
    if (S_ISDIR(status.st_mode))
        return enter_folder(walk, level, candidate, &status, err);
    if (candidate->root == NULL)
        return OUTCOME_DONE;
    if (candidate->configured)
        candidate->root->seen = true;
    return capture_name(walk, candidate->root, level->fd, candidate->name, &status, err);
}

static int visit(struct walk *walk, const struct level *level, const char *name, struct err *err) {
    set_path(walk, level->path_length, name);
    struct candidate candidate = make_candidate(walk, level, name);
    if (is_excluded(walk, &candidate))
        candidate.root = NULL;
    if (candidate.root == NULL && !candidate.leads_on)
        return 0;

    struct err why = { 0 };
    if (walk->path.length > ENTRY_PATH_MAX) {
        err_set(&why, ERR_SOURCE, "its path is longer than %d bytes", ENTRY_PATH_MAX);
        walk_trouble(walk, candidate.root, &why);
        return 0;
    }

    enum outcome outcome = OUTCOME_AGAIN;
    for (int look = 0; look < LOOKS && outcome == OUTCOME_AGAIN; look++)
        outcome = look_at(walk, level, &candidate, err);
    if (outcome == OUTCOME_AGAIN) {
        err_set(&why, ERR_SOURCE, "it kept changing from one thing into another");
        walk_trouble(walk, candidate.root, &why);
    }
    return outcome == OUTCOME_FAILED ? -1 : 0;
}

static int open_top(struct walk *walk, struct err *err) {
    struct stat status;
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        err_sys(err, "open '/'");
        if (fd >= 0)
            close(fd);
        return -1;
    }

    /* The root folder itself has no path in the tree, and so no entry. */
    struct candidate top = { .name = "", .end_root = walk->root_count, .leads_on = true };
    set_path(walk, 0, "");
    if (walk->root_count > 0 && walk->roots[0].path[0] == '\0') {
        top.root = &walk->roots[0];
        top.root->seen = true;
    }
    push_level(walk, fd, &status, &top);
    return 0;
}

int walk_run(struct walk *walk, struct err *err) {
    if (open_top(walk, err) != 0)
        return -1;

    while (walk->depth > 0) {
        struct level *level = walk->levels[walk->depth - 1];
        if (level->next == level->name_count) {
            pop_level(walk);
            continue;
        }
        const char *name = level->names[level->next++];
        if (interrupt_check(err) != 0 || visit(walk, level, name, err) != 0)
            return -1;
    }
    return 0;
}
