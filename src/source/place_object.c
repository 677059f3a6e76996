/*
 * Objects of buckets as files.
 *
 * BUCKET/KEY becomes a path. A key that is no path is written in an escaped form that can be read back: "%XX" stands
 * for a byte ('/' that begins or ends a key or follows another one, a '.' that begins a component, '%' itself), and "%"
 * at the end of a component says that the next one continues it. A key that reads as such a form is escaped too, or two
 * keys would become one file.
 */

#include "place_internal.h"
#include <ctype.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COMPONENT_MAX = 255, COMPONENT_CUT = 250 };

static const char META_PREFIX[] = "s3.";

static bool reads_as_escaped(const char *path) {
    for (const char *at = strchr(path, '%'); at; at = strchr(at + 1, '%'))
        if (at[1] == '/' || (isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2])))
            return true;
    return false;
}

static bool stands_for_itself(const char *path) {
    if (!entry_path_is_valid(ENTRY_FILE, path) || reads_as_escaped(path))
        return false;
    for (const char *at = path; *at != '\0';) {
        const size_t length = strcspn(at, "/");
        if (length > COMPONENT_MAX)
            return false;
        at += length + (at[length] == '/');
    }
    return true;
}

char *place_object_path(const char *path) {
    struct buffer out = { 0 };
    size_t component = 0; /* bytes of it so far */
    if (stands_for_itself(path))
        return NULL;
    for (const char *at = path; *at != '\0'; at++) {
        if (component >= COMPONENT_CUT && *at != '/') {
            buffer_put(&out, "%/", 2);
            component = 0;
        }
        const size_t before = out.length;
        const bool separates = *at == '/' && component > 0 && at[1] != '\0';
        if (separates || (*at != '/' && *at != '%' && !(*at == '.' && component == 0)))
            buffer_put_u8(&out, (uint8_t)*at);
        else
            buffer_printf(&out, "%%%02X", (unsigned char)*at);
        component = separates ? 0 : component + (out.length - before);
    }
    char *escaped = mem_string(buffer_text(&out));
    buffer_release(&out);
    return escaped;
}

/* What a filesystem's attributes are most likely to take; false when something was left out. */
static bool add_metadata(const struct entry *object, struct entry *file) {
    enum { NAME_LONGEST = 255 - sizeof "user.", VALUE_LONGEST = 1024 };
    bool whole = true;
    for (size_t i = 0; i < object->attribute_count; i++) {
        const struct entry_attribute *attribute = &object->attributes[i];
        if (strncmp(attribute->name, META_PREFIX, strlen(META_PREFIX)) != 0 || strlen(attribute->name) > NAME_LONGEST ||
            attribute->length > VALUE_LONGEST) {
            whole = false;
            continue;
        }
        char *name = mem_format("xattr.user.%s", attribute->name);
        entry_add_attribute(file, name, attribute->value, attribute->length);
        free(name);
    }
    return whole;
}

bool place_object_as_file(const struct entry *object, struct entry *file) {
    char *escaped = place_object_path(object->path);
    *file = (struct entry){
        .path = escaped ? escaped : mem_string(object->path),
        .type = ENTRY_FILE,
        .mode = 0600,
        .uid = (uint32_t)geteuid(),
        .gid = (uint32_t)getegid(),
        .mtime = object->mtime,
        .mtime_ns = object->mtime_ns,
        .size = object->size,
    };
    return add_metadata(object, file);
}
