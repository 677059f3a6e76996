/* What the sources share: getting bytes into a sink. */

#include <errno.h>
#include <muniment/source/source.h>
#include <muniment/util/interrupt.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A writer that writes little at a time would wake us for each of its writes, and both would do little else. After a
 * short read we let it write on for a moment: far less than it takes to fill the pipe. */
enum { SHORT_READ = 128 * 1024, MOMENT = 500 * 1000 /* ns */ };

int source_copy(struct source_sink *sink, int fd, uint64_t *bytes, struct err *err) {
    uint64_t copied = 0;

    for (;;) {
        void *data;
        size_t length;
        if (interrupt_check(err) != 0 || sink->space(sink->context, &data, &length, err) != 0)
            return -1;

        /* A signal ends the wait, and the check above says whether it was one to stop. */
        const ssize_t got = read(fd, data, length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, ERR_SOURCE, "read: %s", strerror(errno));
        if (got == 0)
            break;
        if (sink->fill(sink->context, (size_t)got, err) != 0)
            return -1;
        copied += (uint64_t)got;
        if (got < SHORT_READ)
            nanosleep(&(struct timespec){ .tv_nsec = MOMENT }, NULL);
    }

    if (bytes != NULL)
        *bytes = copied;
    return 0;
}

int source_write(struct source_sink *sink, const void *data, size_t length, struct err *err) {
    const uint8_t *at = data;

    while (length > 0) {
        void *space;
        size_t room;
        if (sink->space(sink->context, &space, &room, err) != 0)
            return -1;
        const size_t part = length < room ? length : room;
        memcpy(space, at, part);
        if (sink->fill(sink->context, part, err) != 0)
            return -1;
        at += part;
        length -= part;
    }
    return 0;
}

struct entry source_stream(char *path, int64_t begun, uint64_t size) {
    return (struct entry){
        .path = path,
        .type = ENTRY_STREAM,
        .mode = 0600,
        .mtime = begun,
        .ctime = begun,
        .size = size,
    };
}

int source_put(struct source_sink *sink, const struct entry *entry, const void *data, size_t length, struct err *err) {
    if (source_write(sink, data, length, err) != 0)
        return -1;
    return sink->end(sink->context, entry, err);
}
