/* The content of one file: its bytes, or where it is sparse its ranges of data. */

#include "files_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <muniment/util/interrupt.h>
#include <unistd.h>

/* A file with more ranges than this has its last ones, and the holes between them, captured as one: an entry has to
 * stay small enough to be held in memory. */
enum { RANGES_MAX = 65536 };

int open_quietly(const struct walk *walk, int fd, const char *name, int flags, uint32_t owner) {
    flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;

    /* Only the owner and root may leave the access time alone, and root not everywhere (network filesystems). */
    if (walk->euid == 0 || walk->euid == owner) {
        int opened = openat(fd, name, flags | O_NOATIME);
        if (opened >= 0 || errno != EPERM)
            return opened;
    }
    return openat(fd, name, flags);
}

struct content {
    struct walk *walk;
    int fd;
    uint64_t bytes;
    bool ended; /* before it was expected */
    int failed; /* errno of a read that failed */
};

/* Reads at most `length` bytes from where the descriptor stands; *got tells how many there were. */
static int read_span(struct content *content, uint64_t length, uint64_t *got, struct err *err) {
    struct source_sink *sink = content->walk->sink;
    *got = 0;

    while (*got < length) {
        void *data;
        size_t room;
        if (interrupt_check(err) != 0 || sink->space(sink->context, &data, &room, err) != 0)
            return -1;

        uint64_t left = length - *got;
        ssize_t part = read(content->fd, data, left < room ? (size_t)left : room);
        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0) {
            content->failed = errno;
            return 0;
        }
        if (part == 0) {
            content->ended = true;
            return 0;
        }
        if (sink->fill(sink->context, (size_t)part, err) != 0)
            return -1;
        *got += (uint64_t)part;
        content->bytes += (uint64_t)part;
    }
    return 0;
}

/* Where data begins at or after *offset, and how long it goes on. False when only a hole is left. */
static bool next_range(struct content *content, uint64_t size, size_t ranges, uint64_t *offset, uint64_t *length) {
    off_t data = lseek(content->fd, (off_t)*offset, SEEK_DATA);
    if (data < 0) {
        if (errno != ENXIO)
            content->failed = errno;
        return false;
    }
    off_t hole = ranges + 1 < RANGES_MAX ? lseek(content->fd, data, SEEK_HOLE) : (off_t)size;
    if (hole < 0 || lseek(content->fd, data, SEEK_SET) < 0) {
        content->failed = errno;
        return false;
    }
    *offset = (uint64_t)data;
    *length = (uint64_t)(hole < (off_t)size ? hole : (off_t)size) - (uint64_t)data;
    return *offset < size;
}

static int read_ranges(struct content *content, uint64_t size, struct entry *entry, struct err *err) {
    uint64_t at = 0, length = 0, got = 0;

    while (at < size && !content->ended && next_range(content, size, entry->range_count, &at, &length)) {
        if (read_span(content, length, &got, err) != 0)
            return -1;
        if (got > 0)
            entry_add_range(entry, at, got);
        if (content->failed != 0)
            return 0;
        at += got;
    }
    if (entry->range_count == 0)
        entry_add_range(entry, size, 0);

    /* Fewer blocks than bytes may also mean compression: such a file is not sparse. */
    if (entry->range_count == 1 && entry->ranges[0].offset == 0 && entry->ranges[0].length == size)
        entry->range_count = 0;
    return 0;
}

enum outcome read_content(struct walk *walk, int fd, const struct stat *status, struct entry *entry, uint64_t *bytes,
                          bool *readable, struct err *err) {
    struct content content = { .walk = walk, .fd = fd };
    uint64_t size = (uint64_t)status->st_size, got;
    int result;

    if (size > 0 && (uint64_t)status->st_blocks * 512 < size) {
        result = read_ranges(&content, size, entry, err);
    } else {
        /* Some files of the kernel's own say that they are empty, and are not. */
        result = read_span(&content, size > 0 ? size : UINT64_MAX, &got, err);
        entry->size = content.bytes;
    }
    *bytes = content.bytes;
    *readable = content.failed == 0;
    errno = content.failed;
    return result == 0 ? OUTCOME_DONE : OUTCOME_FAILED;
}
