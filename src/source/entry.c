/* Entries in memory and as bytes. The encoding is described in entry.h. */

#include <muniment/source/entry.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { MODE_MAX = 07777, NANOSECONDS = 1000000000, KNOWN_FLAGS = ENTRY_INCOMPLETE | ENTRY_CHANGED };

void entry_release(struct entry *entry) {
    free(entry->path);
    free(entry->user);
    free(entry->group);
    free(entry->target);
    for (size_t i = 0; i < entry->attribute_count; i++) {
        free(entry->attributes[i].name);
        free(entry->attributes[i].value);
    }
    free(entry->attributes);
    free(entry->ranges);
    memset(entry, 0, sizeof *entry);
}

void entry_copy(struct entry *to, const struct entry *from) {
    *to = *from;
    to->path = mem_string(from->path);
    to->user = mem_string(from->user);
    to->group = mem_string(from->group);
    to->target = mem_string(from->target);

    to->attributes = NULL;
    to->attribute_count = 0;
    for (size_t i = 0; i < from->attribute_count; i++) {
        const struct entry_attribute *attribute = &from->attributes[i];
        entry_add_attribute(to, attribute->name, attribute->value, attribute->length);
    }

    to->ranges = NULL;
    to->range_count = 0;
    for (size_t i = 0; i < from->range_count; i++)
        entry_add_range(to, from->ranges[i].offset, from->ranges[i].length);
}

/* The arrays carry no capacity: they grow whenever the count reaches a power of two. */
static void *grow_at_powers_of_two(void *array, size_t count, size_t size) {
    if (count == 0 || (count & (count - 1)) == 0)
        return mem_resize(array, count == 0 ? 1 : count * 2, size);
    return array;
}

void entry_add_attribute(struct entry *entry, const char *name, const void *value, size_t length) {
    entry->attributes = grow_at_powers_of_two(entry->attributes, entry->attribute_count, sizeof *entry->attributes);

    size_t at = entry->attribute_count;
    while (at > 0 && strcmp(entry->attributes[at - 1].name, name) > 0) {
        entry->attributes[at] = entry->attributes[at - 1];
        at--;
    }

    /* One byte more than none, so that an empty value has an address too. */
    struct entry_attribute *attribute = &entry->attributes[at];
    attribute->name = mem_string(name);
    attribute->value = mem_alloc(length > 0 ? length : 1);
    attribute->length = length;
    if (length > 0)
        memcpy(attribute->value, value, length);
    entry->attribute_count++;
}

const struct entry_attribute *entry_attribute(const struct entry *entry, const char *name) {
    for (size_t i = 0; i < entry->attribute_count; i++)
        if (strcmp(entry->attributes[i].name, name) == 0)
            return &entry->attributes[i];
    return NULL;
}

void entry_add_range(struct entry *entry, uint64_t offset, uint64_t length) {
    entry->ranges = grow_at_powers_of_two(entry->ranges, entry->range_count, sizeof *entry->ranges);
    entry->ranges[entry->range_count++] = (struct entry_range){ .offset = offset, .length = length };
}

/* The end of a path sorts first, '/' next, then all other bytes by value. */
static int path_rank(char c) {
    return c == '\0' ? 0 : c == '/' ? 1 : 2 + (unsigned char)c;
}

int entry_compare_paths(enum entry_type type, const char *left, const char *right) {
    if (type == ENTRY_OBJECT)
        return strcmp(left, right);
    while (*left == *right && *left != '\0') {
        left++;
        right++;
    }
    return path_rank(*left) - path_rank(*right);
}

bool entry_path_is_valid(enum entry_type type, const char *path) {
    if (type == ENTRY_OBJECT) {
        const char *key = strchr(path, '/');
        return key != NULL && key != path && key[1] != '\0' && strlen(path) <= ENTRY_PATH_MAX;
    }
    const char *at = path;
    for (;;) {
        size_t length = strcspn(at, "/");
        bool dots = at[0] == '.' && (length == 1 || (length == 2 && at[1] == '.'));
        if (length == 0 || dots)
            return false;
        at += length;
        if (*at == '\0')
            return at - path <= ENTRY_PATH_MAX;
        at++;
    }
}

static bool has_target(uint8_t type) {
    return type == ENTRY_SYMLINK || type == ENTRY_HARDLINK;
}

static bool is_device(uint8_t type) {
    return type == ENTRY_CHARACTER || type == ENTRY_BLOCK;
}

static void put_signed(struct buffer *out, int64_t value) {
    uint64_t sign = value < 0 ? UINT64_MAX : 0;
    buffer_put_varint(out, ((uint64_t)value << 1) ^ sign);
}

static void put_fields(const struct entry *entry, struct buffer *out) {
    buffer_put_u8(out, entry->type);
    buffer_put_u8(out, entry->flags);
    buffer_put_text(out, entry->path);
    buffer_put_varint(out, entry->mode);
    buffer_put_varint(out, entry->uid);
    buffer_put_varint(out, entry->gid);
    buffer_put_text(out, entry->user);
    buffer_put_text(out, entry->group);
    put_signed(out, entry->mtime);
    buffer_put_varint(out, entry->mtime_ns);
    put_signed(out, entry->ctime);
    buffer_put_varint(out, entry->ctime_ns);
    buffer_put_varint(out, entry->device);
    buffer_put_varint(out, entry->inode);
    buffer_put_varint(out, entry->size);

    if (has_target(entry->type))
        buffer_put_text(out, entry->target);
    if (is_device(entry->type)) {
        buffer_put_varint(out, entry->device_major);
        buffer_put_varint(out, entry->device_minor);
    }

    buffer_put_varint(out, entry->attribute_count);
    for (size_t i = 0; i < entry->attribute_count; i++) {
        buffer_put_text(out, entry->attributes[i].name);
        buffer_put_blob(out, entry->attributes[i].value, entry->attributes[i].length);
    }

    if (entry->type == ENTRY_FILE) {
        uint64_t end = 0;
        buffer_put_varint(out, entry->range_count);
        for (size_t i = 0; i < entry->range_count; i++) {
            buffer_put_varint(out, entry->ranges[i].offset - end);
            buffer_put_varint(out, entry->ranges[i].length);
            end = entry->ranges[i].offset + entry->ranges[i].length;
        }
    }

    buffer_put_varint(out, entry->content);
    buffer_put_varint(out, entry->chunks);
    buffer_put(out, entry->digest, sizeof entry->digest);
}

static size_t varint_length(uint64_t value) {
    size_t length = 1;
    for (; value >= 0x80; value >>= 7)
        length++;
    return length;
}

/* The length is known only when the fields are written: they go behind room for the shortest form, and move when the
 * length turns out to need more. Few entries reach 128 bytes, and those are moved once, in the cache. */
void entry_encode(const struct entry *entry, struct buffer *out) {
    size_t start = out->length;
    buffer_put_u8(out, 0);
    put_fields(entry, out);

    size_t fields = out->length - start - 1;
    size_t prefix = varint_length(fields);
    if (prefix > 1) {
        buffer_extend(out, prefix - 1);
        memmove(out->data + start + prefix, out->data + start + 1, fields);
    }
    out->length = start;
    buffer_put_varint(out, fields);
    out->length += fields;
}

static int64_t get_signed(struct reader *reader) {
    uint64_t value = reader_varint(reader);
    return (int64_t)((value >> 1) ^ (0 - (value & 1)));
}

static uint32_t get_bounded(struct reader *reader, uint32_t max) {
    uint64_t value = reader_varint(reader);
    if (value > max) {
        reader->failed = true;
        return 0;
    }
    return (uint32_t)value;
}

/* Text of which the empty form means NULL. */
static char *get_optional_text(struct reader *reader) {
    char *text = reader_text(reader, ENTRY_NAME_MAX);
    if (text[0] == '\0') {
        free(text);
        return NULL;
    }
    return text;
}

static void get_target(struct entry *entry, struct reader *reader) {
    entry->target = reader_text(reader, ENTRY_PATH_MAX);
    bool valid = entry->target[0] != '\0';
    if (entry->type == ENTRY_HARDLINK)
        valid = entry_path_is_valid(ENTRY_FILE, entry->target) &&
                entry_compare_paths(ENTRY_FILE, entry->target, entry->path) < 0;
    if (!valid)
        reader->failed = true;
}

/* The counts are not trusted with an allocation: the arrays grow as the bytes prove them. */
static void get_attributes(struct entry *entry, struct reader *reader) {
    uint64_t count = reader_varint(reader);
    for (uint64_t i = 0; i < count && !reader->failed; i++) {
        char *name = reader_text(reader, ENTRY_NAME_MAX);
        size_t length = 0;
        const uint8_t *value = reader_blob(reader, reader->left, &length);
        const char *last = i > 0 ? entry->attributes[i - 1].name : "";
        if (!reader->failed && strcmp(last, name) < 0)
            entry_add_attribute(entry, name, value, length);
        else
            reader->failed = true;
        free(name);
    }
}

static void get_ranges(struct entry *entry, struct reader *reader) {
    uint64_t end = 0;
    uint64_t count = reader_varint(reader);
    for (uint64_t i = 0; i < count && !reader->failed; i++) {
        uint64_t gap = reader_varint(reader);
        uint64_t length = reader_varint(reader);
        if (reader->failed || gap > entry->size - end || length > entry->size - end - gap) {
            reader->failed = true;
            return;
        }
        bool one_hole = count == 1 && gap == entry->size;
        if (length == 0 && !one_hole) {
            reader->failed = true;
            return;
        }
        entry_add_range(entry, end + gap, length);
        end += gap + length;
    }
}

static void get_fields(struct entry *entry, struct reader *reader) {
    entry->type = reader_u8(reader);
    entry->flags = reader_u8(reader);
    entry->path = reader_text(reader, ENTRY_PATH_MAX);
    if (entry->type < ENTRY_FILE || entry->type > ENTRY_OBJECT || (entry->flags & ~KNOWN_FLAGS) != 0 ||
        !entry_path_is_valid(entry->type, entry->path)) {
        reader->failed = true;
        return;
    }

    entry->mode = get_bounded(reader, MODE_MAX);
    entry->uid = get_bounded(reader, UINT32_MAX);
    entry->gid = get_bounded(reader, UINT32_MAX);
    entry->user = get_optional_text(reader);
    entry->group = get_optional_text(reader);
    entry->mtime = get_signed(reader);
    entry->mtime_ns = get_bounded(reader, NANOSECONDS - 1);
    entry->ctime = get_signed(reader);
    entry->ctime_ns = get_bounded(reader, NANOSECONDS - 1);
    entry->device = reader_varint(reader);
    entry->inode = reader_varint(reader);
    entry->size = reader_varint(reader);

    if (has_target(entry->type))
        get_target(entry, reader);
    if (is_device(entry->type)) {
        entry->device_major = get_bounded(reader, UINT32_MAX);
        entry->device_minor = get_bounded(reader, UINT32_MAX);
    }
    get_attributes(entry, reader);
    if (entry->type == ENTRY_FILE)
        get_ranges(entry, reader);

    entry->content = reader_varint(reader);
    entry->chunks = reader_varint(reader);
    reader_copy(reader, entry->digest, sizeof entry->digest);
}

bool entry_decode(struct entry *entry, struct reader *reader) {
    memset(entry, 0, sizeof *entry);

    size_t length = 0;
    const uint8_t *bytes = reader_blob(reader, reader->left, &length);
    if (reader->failed)
        return false;

    struct reader fields;
    reader_init(&fields, bytes, length);
    get_fields(entry, &fields);
    if (fields.failed || fields.left > 0) {
        reader->failed = true;
        entry_release(entry);
        return false;
    }
    return true;
}
