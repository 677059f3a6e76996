#include "tree_cache_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <muniment/repo/record.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CACHE_BLOCK = 256 * 1024,           /* plain bytes, about */
    CACHE_BLOCK_MAX = 64 * 1024 * 1024, /* sealed bytes; nothing longer is read */
};

struct cache_reader {
    const struct keys *keys;
    struct log *log;
    char *path;
    FILE *file;
    struct buffer sealed, block;
    struct reader reader;
    struct entry entry; /* the one under the cursor */
    struct extents extents;
    bool has_entry, ended;
};

struct cache_reader *cache_reader_open(const struct keys *keys, const char *path, struct log *log) {
    FILE *file = fopen(path, "rbe");
    if (!file) {
        if (errno != ENOENT)
            log_warning(log, "open %s: %s; every file is read", path, strerror(errno));
        return NULL;
    }
    struct cache_reader *reader = mem_zalloc(sizeof *reader);
    reader->keys = keys;
    reader->log = log;
    reader->path = mem_string(path);
    reader->file = file;
    return reader;
}

void cache_reader_close(struct cache_reader *reader) {
    if (!reader)
        return;
    fclose(reader->file);
    entry_release(&reader->entry);
    extents_release(&reader->extents);
    buffer_release(&reader->sealed);
    buffer_wipe(&reader->block);
    free(reader->path);
    free(reader);
}

/* The next block: false at the end or when it cannot be used. */
static bool read_block(struct cache_reader *reader) {
    uint8_t head[4];
    struct err err = { 0 };
    if (fread(head, 1, sizeof head, reader->file) != sizeof head)
        return false;
    uint32_t length = get_u32(head);
    if (length == 0 || length > CACHE_BLOCK_MAX)
        goto damaged;
    buffer_clear(&reader->sealed);
    if (fread(buffer_extend(&reader->sealed, length), 1, length, reader->file) != length)
        goto damaged;
    buffer_clear(&reader->block);
    if (record_open(reader->keys, RECORD_CACHE, reader->path, reader->sealed.data, length, &reader->block, NULL, &err) <
        0)
        goto damaged;
    reader_init(&reader->reader, reader->block.data, reader->block.length);
    return true;

damaged:
    log_warning(reader->log, "%s is damaged; files it would have spared are read again", reader->path);
    return false;
}

static bool next_entry(struct cache_reader *reader) {
    entry_release(&reader->entry);
    extents_clear(&reader->extents);
    reader->has_entry = false;
    if (reader->ended)
        return false;
    while (reader->reader.left == 0)
        if (!read_block(reader)) {
            reader->ended = true;
            return false;
        }

    bool good = entry_decode(&reader->entry, &reader->reader);
    uint64_t count = good ? reader_varint(&reader->reader) : 0;
    for (uint64_t i = 0; i < count && good; i++) {
        struct extent extent;
        good = extent_get(&reader->reader, &extent);
        if (good)
            extents_add(&reader->extents, extent.birth, extent.first, extent.count);
    }
    if (!good || reader->reader.failed) {
        log_warning(reader->log, "%s is damaged; files it would have spared are read again", reader->path);
        reader->ended = true;
        return false;
    }
    reader->has_entry = true;
    return true;
}

const struct entry *cache_reader_find(struct cache_reader *reader, const char *path, const struct extents **extents) {
    if (!reader->has_entry && !next_entry(reader))
        return NULL;
    int order;
    while ((order = entry_compare_paths(reader->entry.type, reader->entry.path, path)) < 0)
        if (!next_entry(reader))
            return NULL;
    if (order > 0)
        return NULL;
    *extents = &reader->extents;
    return &reader->entry;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

struct cache_writer {
    const struct keys *keys;
    struct log *log;
    char *path, *temporary;
    int fd;
    struct buffer block, sealed;
    bool failed;
};

static void tell(struct log *log, const struct err *why) {
    log_warning(log, "%s; the next run reads every file", why->message);
}

static void give_up(struct cache_writer *writer, const struct err *why) {
    tell(writer->log, why);
    writer->failed = true;
}

struct cache_writer *cache_writer_open(const struct keys *keys, const char *path, struct log *log) {
    char *temporary = mem_format("%s.new", path);
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        struct err err = { 0 };
        err_sys(&err, "write %s", temporary);
        tell(log, &err);
        free(temporary);
        return NULL;
    }
    struct cache_writer *writer = mem_zalloc(sizeof *writer);
    *writer =
        (struct cache_writer){ .keys = keys, .log = log, .path = mem_string(path), .temporary = temporary, .fd = fd };
    return writer;
}

static void write_block(struct cache_writer *writer) {
    struct err err = { 0 };
    uint8_t head[4];
    if (writer->failed || writer->block.length == 0)
        return;
    buffer_clear(&writer->sealed);
    buffer_extend(&writer->sealed, sizeof head);
    record_seal(writer->keys, RECORD_CACHE, writer->block.data, writer->block.length, &writer->sealed, NULL);
    put_u32(writer->sealed.data, (uint32_t)(writer->sealed.length - sizeof head));
    if (file_write_all(writer->fd, writer->sealed.data, writer->sealed.length, writer->temporary, &err) < 0)
        give_up(writer, &err);
    buffer_clear(&writer->block);
}

void cache_writer_add(struct cache_writer *writer, const struct entry *entry, const struct extents *extents) {
    if (writer->failed)
        return;
    entry_encode(entry, &writer->block);
    buffer_put_varint(&writer->block, extents->count);
    for (size_t i = 0; i < extents->count; i++)
        extent_put(&writer->block, &extents->items[i]);
    if (writer->block.length >= CACHE_BLOCK)
        write_block(writer);
}

static void writer_free(struct cache_writer *writer) {
    buffer_wipe(&writer->block);
    buffer_release(&writer->sealed);
    free(writer->path);
    free(writer->temporary);
    free(writer);
}

void cache_writer_commit(struct cache_writer *writer) {
    struct err err = { 0 };
    if (!writer)
        return;
    write_block(writer);
    const bool closed = close(writer->fd) == 0;
    if (!writer->failed && (!closed || rename(writer->temporary, writer->path) < 0)) {
        err_sys(&err, "keep %s", writer->path);
        give_up(writer, &err);
    }
    if (writer->failed)
        unlink(writer->temporary);
    writer_free(writer);
}

void cache_writer_abort(struct cache_writer *writer) {
    if (!writer)
        return;
    close(writer->fd);
    unlink(writer->temporary);
    writer_free(writer);
}
