/* One name that is not a folder: whether it changed since the last snapshot, and capturing it. */

#include "files_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <muniment/util/pattern.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TRIES = 3,                     /* of a file that changes while it is read */
    PAUSE = 50,                    /* ms between them */
    TICK = 1,                      /* ms; see wait_for_next_tick() */
    TICKS = 100,                   /* at most: a clock that was set back is not waited for */
    PROC_PATH = 64,                /* bytes for "/proc/self/fd/<n>" */
    TARGET_MAX = ATTRIBUTE_MAX - 1 /* bytes of a link's target that fit the walk's buffer with a terminator */
};

static void pause_for(long milliseconds) {
    const struct timespec span = { .tv_sec = 0, .tv_nsec = milliseconds * 1000000 };
    nanosleep(&span, NULL);
}

static bool same_time(struct timespec left, struct timespec right) {
    return left.tv_sec == right.tv_sec && left.tv_nsec == right.tv_nsec;
}

static bool same_status(const struct stat *left, const struct stat *right) {
    return left->st_ino == right->st_ino && left->st_dev == right->st_dev && left->st_mode == right->st_mode &&
           left->st_size == right->st_size && same_time(left->st_mtim, right->st_mtim) &&
           same_time(left->st_ctim, right->st_ctim);
}

/* The last snapshot's entry, when this file is still what it was then. The device is not compared: it changes with the
 * order in which disks are found. */
static const struct entry *find_unchanged(struct walk *walk, const struct stat *status) {
    struct source_sink *sink = walk->sink;
    const struct entry *last = sink->previous(sink->context, (const char *)walk->path.data);

    if (last == NULL || last->type != ENTRY_FILE || last->flags != 0)
        return NULL;
    bool same = last->size == (uint64_t)status->st_size && last->inode == status->st_ino &&
                last->mtime == status->st_mtim.tv_sec && last->mtime_ns == (uint32_t)status->st_mtim.tv_nsec &&
                last->ctime == status->st_ctim.tv_sec && last->ctime_ns == (uint32_t)status->st_ctim.tv_nsec;
    return same ? last : NULL;
}

/* The change time covers attributes and ACLs, so they are still those of the last entry; the names of owners are not
 * part of a file and may have changed. */
static enum outcome keep_unchanged(struct walk *walk, struct files_root *root, const struct entry *last,
                                   const struct stat *status, struct err *err) {
    struct entry entry;
    describe(walk, status, &entry);
    entry.attributes = last->attributes;
    entry.attribute_count = last->attribute_count;
    entry.ranges = last->ranges;
    entry.range_count = last->range_count;

    root->bytes += last->content;
    walk->unchanged_count++;
    walk->entry_count++;
    return walk->sink->keep(walk->sink->context, &entry, err) == 0 ? OUTCOME_DONE : OUTCOME_FAILED;
}

/*
 * Files are stamped with a clock that ticks every few milliseconds. Written to, read, and written to again within one
 * tick, a file bears the time of the first write and would pass for unchanged ever after. So reading begins only when
 * the clock has moved on: whatever is written from then on gets another time.
 */
static void wait_for_next_tick(const struct stat *status) {
    for (int i = 0; i < TICKS; i++) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        if (now.tv_sec > status->st_ctim.tv_sec ||
            (now.tv_sec == status->st_ctim.tv_sec && now.tv_nsec > status->st_ctim.tv_nsec))
            return;
        pause_for(TICK);
    }
}

static enum outcome end_entry(struct walk *walk, const struct entry *entry, struct err *err) {
    walk->entry_count++;
    return walk->sink->end(walk->sink->context, entry, err) == 0 ? OUTCOME_DONE : OUTCOME_FAILED;
}

static enum outcome forget_content(struct walk *walk, enum outcome outcome, struct err *err) {
    return walk->sink->discard(walk->sink->context, err) == 0 ? outcome : OUTCOME_FAILED;
}

static bool may_change(const struct walk *walk) {
    const struct strings *patterns = &walk->source->files.may_change;
    return pattern_match_any(patterns->items, patterns->count, (const char *)walk->path.data);
}

/* One reading of an open file, from attributes to the comparison at its end. OUTCOME_AGAIN: it changed meanwhile, and
 * `status` is what it is now. */
static enum outcome read_once(struct walk *walk, struct files_root *root, int fd, struct stat *status, bool last_try,
                              struct err *err) {
    struct entry entry;
    struct stat after;
    uint64_t bytes = 0;
    bool readable;

    wait_for_next_tick(status);
    describe(walk, status, &entry);
    if (read_attributes(walk, fd, &entry) != 0)
        walk_trouble_errno(walk, root, "read extended attributes");

    enum outcome outcome = read_content(walk, fd, status, &entry, &bytes, &readable, err);
    if (outcome != OUTCOME_DONE)
        goto out;
    if (!readable || fstat(fd, &after) != 0) {
        walk_trouble_errno(walk, root, "read");
        outcome = forget_content(walk, OUTCOME_DONE, err);
        goto out;
    }

    if (!same_status(status, &after)) {
        bool replaced = after.st_ino != status->st_ino || after.st_dev != status->st_dev;
        bool expected = may_change(walk);
        if (!last_try && (replaced || !expected)) {
            *status = after;
            outcome = forget_content(walk, OUTCOME_AGAIN, err);
            goto out;
        }
        entry.flags |= ENTRY_CHANGED;
        if (!expected) {
            struct err why = { 0 };
            err_set(&why, ERR_SOURCE, "changed while it was read, %d times over", TRIES);
            err_hint(&why, "list it under may_change if that is in its nature");
            walk_trouble(walk, root, &why);
        }
    }

    root->bytes += bytes;
    if (status->st_nlink > 1)
        link_table_add(&walk->links, status->st_dev, status->st_ino, entry.path);
    outcome = end_entry(walk, &entry, err);

out:
    forget_entry(&entry);
    return outcome;
}

static enum outcome capture_file(struct walk *walk, struct files_root *root, int folder, const char *name,
                                 const struct stat *listed, struct err *err) {
    const struct entry *last = find_unchanged(walk, listed);
    if (last != NULL) {
        if (listed->st_nlink > 1)
            link_table_add(&walk->links, listed->st_dev, listed->st_ino, (const char *)walk->path.data);
        return keep_unchanged(walk, root, last, listed, err);
    }

    int fd = open_quietly(walk, folder, name, 0, listed->st_uid);
    if (fd < 0) {
        if (errno == ENOENT || errno == ELOOP || errno == ENXIO)
            return OUTCOME_AGAIN;
        walk_trouble_errno(walk, root, "open");
        return OUTCOME_DONE;
    }

    /* What was opened is what was listed, unless it was replaced in between; the comparison after the first reading
     * finds that out without a call of its own. Only what is no file any more must not be read. */
    struct stat status = *listed;
    enum outcome outcome = OUTCOME_AGAIN;
    for (int try = 1; try <= TRIES && outcome == OUTCOME_AGAIN; try++) {
        if (try > 1) {
            if (!S_ISREG(status.st_mode))
                break;
            pause_for(PAUSE);
            if (lseek(fd, 0, SEEK_SET) != 0 || fstat(fd, &status) != 0)
                break;
        }
        outcome = read_once(walk, root, fd, &status, try == TRIES, err);
    }
    close(fd);
    return outcome;
}

/* ACLs are found on named pipes and devices too. Such a node must not be opened, so it is reached through a descriptor
 * that only names it. */
static void read_node_attributes(struct walk *walk, struct files_root *root, int folder, const char *name,
                                 struct entry *entry) {
    int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;

    char path[PROC_PATH];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (read_attributes_at(walk, path, entry) != 0)
        walk_trouble_errno(walk, root, "read extended attributes");
    close(fd);
}

static enum outcome capture_link(struct walk *walk, struct files_root *root, int folder, const char *name,
                                 struct entry *entry, struct err *err) {
    char *target = (char *)walk->list;
    ssize_t length = readlinkat(folder, name, target, TARGET_MAX);
    if (length <= 0) {
        if (length < 0 && (errno == ENOENT || errno == EINVAL))
            return OUTCOME_AGAIN;
        walk_trouble_errno(walk, root, "read link");
        return OUTCOME_DONE;
    }
    target[length] = '\0';
    entry->target = target;
    return end_entry(walk, entry, err);
}

enum outcome capture_name(struct walk *walk, struct files_root *root, int fd, const char *name,
                          const struct stat *status, struct err *err) {
    if (S_ISSOCK(status->st_mode)) {
        log_detail(walk->log, "%s: /%s: a socket, left out", walk->source->name, (const char *)walk->path.data);
        return OUTCOME_DONE;
    }

    /* Another name of an inode that was captured under its first one. */
    if (status->st_nlink > 1) {
        const char *first = link_table_find(&walk->links, status->st_dev, status->st_ino);
        if (first != NULL) {
            struct entry entry;
            describe(walk, status, &entry);
            entry.type = ENTRY_HARDLINK;
            entry.target = (char *)(uintptr_t)first;
            entry.device_major = entry.device_minor = 0;
            return end_entry(walk, &entry, err);
        }
    }
    if (S_ISREG(status->st_mode))
        return capture_file(walk, root, fd, name, status, err);

    struct entry entry;
    enum outcome outcome;
    describe(walk, status, &entry);
    if (entry.type == ENTRY_SYMLINK) {
        outcome = capture_link(walk, root, fd, name, &entry, err);
    } else {
        read_node_attributes(walk, root, fd, name, &entry);
        outcome = end_entry(walk, &entry, err);
    }
    if (outcome == OUTCOME_DONE && status->st_nlink > 1)
        link_table_add(&walk->links, status->st_dev, status->st_ino, entry.path);
    forget_entry(&entry);
    return outcome;
}
