#include "config_internal.h"
#include <ctype.h>
#include <errno.h>
#include <muniment/retention/calendar.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void config_problem(struct config_reader *reader, const config_setting_t *setting, const char *format, ...) {
    const char *file = config_setting_source_file(setting);
    unsigned line = config_setting_source_line(setting);
    buffer_printf(reader->problems, "%s:%u: ", file != NULL ? file : reader->request->file, line > 0 ? line : 1);

    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    buffer_printf(reader->problems, "%s\n", text);
    free(text);
    reader->count++;
}

static const char *type_text(const config_setting_t *setting) {
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        return "a group";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "a whole number";
    case CONFIG_TYPE_FLOAT:
        return "a decimal number";
    case CONFIG_TYPE_STRING:
        return "a string";
    case CONFIG_TYPE_BOOL:
        return "true or false";
    case CONFIG_TYPE_ARRAY:
        return "an array";
    default:
        return "a list";
    }
}

/* The string of a setting, or NULL with a problem. */
static const char *read_text(struct config_reader *reader, const config_setting_t *setting, const char *name) {
    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        config_problem(reader, setting, "'%s' must be a string, not %s", name, type_text(setting));
        return NULL;
    }
    const char *text = config_setting_get_string(setting);
    if (text[0] == '\0') {
        config_problem(reader, setting, "'%s' is empty", name);
        return NULL;
    }
    return text;
}

static void read_name(struct config_reader *reader, const config_setting_t *setting, const char *name, char **value) {
    const char *text = read_text(reader, setting, name);
    if (text == NULL)
        return;
    for (const char *at = text; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && *at != '_' && *at != '-') {
            config_problem(reader, setting, "'%s' is \"%s\": letters, digits, '_' and '-' make a name", name, text);
            return;
        }
    }
    if (strlen(text) > 64) {
        config_problem(reader, setting, "'%s' is longer than 64 letters", name);
        return;
    }
    *value = mem_string(text);
}

static void read_path(struct config_reader *reader, const config_setting_t *setting, const char *name, char **value) {
    const char *text = read_text(reader, setting, name);
    if (text == NULL)
        return;
    if (text[0] != '/') {
        config_problem(reader, setting, "'%s' is \"%s\": an absolute path is needed", name, text);
        return;
    }
    /* "/backup/" and "/backup" are one place. */
    size_t length = strlen(text);
    while (length > 1 && text[length - 1] == '/')
        length--;
    *value = mem_format("%.*s", (int)length, text);
}

static void read_tools(struct config_reader *reader, const config_setting_t *setting, const char *name, char **value) {
    if (config_setting_type(setting) == CONFIG_TYPE_STRING && config_setting_get_string(setting)[0] == '\0')
        return;
    read_path(reader, setting, name, value);
}

/* A bare name is a credential: of the service manager where it gave some, else beside the configuration. */
static void read_key_path(struct config_reader *reader, const config_setting_t *setting, const char *name,
                          char **value) {
    const char *text = read_text(reader, setting, name);
    if (text == NULL)
        return;
    if (text[0] == '/') {
        *value = mem_string(text);
        return;
    }
    if (strchr(text, '/') != NULL) {
        config_problem(reader, setting, "'%s' is \"%s\": an absolute path, or a name without '/', is needed", name,
                       text);
        return;
    }
    const char *folder = reader->request->credentials != NULL ? reader->request->credentials : reader->folder;
    *value = mem_format("%s/%s", folder, text);
}

/* A whole number within bounds; false with a problem. */
static bool read_number(struct config_reader *reader, const config_setting_t *setting, const struct field *field,
                        int64_t *number) {
    int type = config_setting_type(setting);
    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) {
        config_problem(reader, setting, "'%s' must be a whole number, not %s", field->name, type_text(setting));
        return false;
    }
    *number = type == CONFIG_TYPE_INT64 ? config_setting_get_int64(setting) : (int64_t)config_setting_get_int(setting);
    if (*number < field->least || *number > field->most) {
        config_problem(reader, setting, "'%s' is %lld: it must be from %lld to %lld", field->name, (long long)*number,
                       (long long)field->least, (long long)field->most);
        return false;
    }
    return true;
}

static void read_span(struct config_reader *reader, const config_setting_t *setting, const struct field *field,
                      int64_t *value) {
    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        config_problem(reader, setting, "'%s' must be a span in quotes such as \"90d\" or \"36h\", not %s", field->name,
                       type_text(setting));
        return;
    }
    struct err err = { 0 };
    int64_t span = 0;
    if (clock_parse_span(config_setting_get_string(setting), &span, &err) != 0) {
        config_problem(reader, setting, "'%s': %s", field->name, err.message);
        return;
    }
    if (span < field->least || span > field->most) {
        char least[CLOCK_TEXT], most[CLOCK_TEXT];
        config_problem(reader, setting, "'%s' is \"%s\": it must be from %s to %s", field->name,
                       config_setting_get_string(setting), clock_format_span(least, field->least),
                       clock_format_span(most, field->most));
        return;
    }
    *value = span;
}

static void read_flag(struct config_reader *reader, const config_setting_t *setting, const char *name, bool *value) {
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
        config_problem(reader, setting, "'%s' must be true or false, not %s", name, type_text(setting));
    else
        *value = config_setting_get_bool(setting) != 0;
}

static void read_strings(struct config_reader *reader, const config_setting_t *setting, const struct field *field,
                         struct strings *value) {
    int type = config_setting_type(setting);
    bool one = type == CONFIG_TYPE_STRING;
    if (!one && type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) {
        config_problem(reader, setting, "'%s' must be an array of strings such as [\"a\", \"b\"], not %s", field->name,
                       type_text(setting));
        return;
    }

    size_t count = one ? 1 : (size_t)config_setting_length(setting);
    mem_free_strings(value->items, value->count);
    value->items = mem_array(count + 1, sizeof *value->items);
    value->count = 0;
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *item = one ? setting : config_setting_get_elem(setting, (unsigned)i);
        const char *text = read_text(reader, item, field->name);
        if (text == NULL)
            continue;
        if (field->type == FIELD_PATHS && text[0] != '/')
            config_problem(reader, item, "'%s' holds \"%s\": absolute paths are needed", field->name, text);
        else if (field->type != FIELD_ADDRESSES || config_check_address(reader, item, field->name, text))
            value->items[value->count++] = mem_string(text);
    }
}

static void read_timezone(struct config_reader *reader, const config_setting_t *setting, const char *name,
                          char *value) {
    const char *text = read_text(reader, setting, name);
    if (text == NULL)
        return;
    struct err err = { 0 };
    struct calendar *calendar = NULL;
    if (strlen(text) > 63 || calendar_open(text, &calendar, &err) != 0) {
        config_problem(reader, setting, "'%s' is \"%s\": the system knows no such time zone", name, text);
        return;
    }
    calendar_close(calendar);
    memcpy(value, text, strlen(text) + 1);
}

/* The value is stored as the enumeration's number; all enumerations have the size of an unsigned. */
static void read_choice(struct config_reader *reader, const config_setting_t *setting, const struct field *field,
                        void *value) {
    const char *text = read_text(reader, setting, field->name);
    if (text == NULL)
        return;
    struct buffer choices = { 0 };
    for (unsigned i = 0; field->choices[i] != NULL; i++) {
        if (strcmp(text, field->choices[i]) == 0) {
            memcpy(value, &i, sizeof i);
            buffer_release(&choices);
            return;
        }
        const char *before = i == 0 ? "" : field->choices[i + 1] != NULL ? ", " : " or ";
        buffer_printf(&choices, "%s\"%s\"", before, field->choices[i]);
    }
    config_problem(reader, setting, "'%s' is \"%s\": it must be %s", field->name, text, buffer_text(&choices));
    buffer_release(&choices);
}

static void read_store(struct config_reader *reader, const config_setting_t *setting, const char *name, char **value) {
    if (config_setting_type(setting) != CONFIG_TYPE_STRING || !s3_is_address(config_setting_get_string(setting))) {
        read_path(reader, setting, name, value);
        return;
    }
    const char *address = config_setting_get_string(setting);
    if (!config_check_address(reader, setting, name, address))
        return;
    size_t length = strlen(address);
    while (address[length - 1] == '/')
        length--;
    *value = mem_format("%.*s", (int)length, address);
}

/* Bytes a second: a whole number, or one in quotes with K, M or G (of 1024) behind it. */
static void read_rate(struct config_reader *reader, const config_setting_t *setting, const struct field *field,
                      uint64_t *value) {
    static const char UNITS[] = "KMG";
    int type = config_setting_type(setting);
    if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) {
        int64_t number = 0;
        struct field bounds = { .name = field->name, .least = 0, .most = INT64_MAX };
        if (read_number(reader, setting, &bounds, &number))
            *value = (uint64_t)number;
        return;
    }
    const char *text = read_text(reader, setting, field->name);
    if (text == NULL)
        return;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    const char *unit = *end != '\0' ? strchr(UNITS, *end) : NULL;
    unsigned shift = unit != NULL ? 10 * (unsigned)(unit - UNITS + 1) : 0;
    if (!isdigit((unsigned char)text[0]) || errno != 0 || (unit == NULL ? end[0] : end[1]) != '\0' ||
        number > UINT64_MAX >> shift)
        config_problem(reader, setting, "'%s' is \"%s\": bytes a second such as \"500K\" or \"10M\" are needed",
                       field->name, text);
    else
        *value = (uint64_t)number << shift;
}

static void read_field(struct config_reader *reader, const config_setting_t *setting, const struct field *field,
                       void *base) {
    void *value = (char *)base + field->offset;
    int64_t number = 0;
    switch (field->type) {
    case FIELD_TEXT: {
        const char *text = read_text(reader, setting, field->name);
        *(char **)value = mem_string(text);
        break;
    }
    case FIELD_NAME:
        read_name(reader, setting, field->name, value);
        break;
    case FIELD_PATH:
        read_path(reader, setting, field->name, value);
        break;
    case FIELD_TOOLS:
        read_tools(reader, setting, field->name, value);
        break;
    case FIELD_KEY:
        read_key_path(reader, setting, field->name, value);
        break;
    case FIELD_COUNT:
    case FIELD_PERCENT:
        if (read_number(reader, setting, field, &number))
            *(uint32_t *)value = (uint32_t)number;
        break;
    case FIELD_NUMBER:
        if (read_number(reader, setting, field, &number))
            *(int *)value = (int)number;
        break;
    case FIELD_SPAN:
        read_span(reader, setting, field, value);
        break;
    case FIELD_FLAG:
        read_flag(reader, setting, field->name, value);
        break;
    case FIELD_STRINGS:
    case FIELD_PATHS:
    case FIELD_ADDRESSES:
        read_strings(reader, setting, field, value);
        break;
    case FIELD_TIMEZONE:
        read_timezone(reader, setting, field->name, value);
        break;
    case FIELD_CHOICE:
        read_choice(reader, setting, field, value);
        break;
    case FIELD_STORE:
        read_store(reader, setting, field->name, value);
        break;
    case FIELD_RATE:
        read_rate(reader, setting, field, value);
        break;
    case FIELD_ELSEWHERE:
        break;
    }
}

/* "'retension' is not a key of set 'app'; did you mean 'retention'?" */
static void report_unknown(struct config_reader *reader, const config_setting_t *setting, const char *what,
                           const struct field *fields, size_t count) {
    const char **names = mem_array(count, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = fields[i].name;
    const char *name = config_setting_name(setting);
    const char *nearest = pattern_nearest(name, names, count);
    if (nearest != NULL)
        config_problem(reader, setting, "'%s' is not a key of %s; did you mean '%s'?", name, what, nearest);
    else
        config_problem(reader, setting, "'%s' is not a key of %s", name, what);
    free(names);
}

void config_read_fields(struct config_reader *reader, const config_setting_t *group, const char *what,
                        const struct field *fields, size_t count, void *base) {
    size_t length = (size_t)config_setting_length(group);
    for (size_t i = 0; i < length; i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        size_t at = 0;
        while (at < count && strcmp(fields[at].name, config_setting_name(setting)) != 0)
            at++;
        if (at == count)
            report_unknown(reader, setting, what, fields, count);
        else
            read_field(reader, setting, &fields[at], base);
    }

    for (size_t i = 0; i < count; i++) {
        if (fields[i].required && config_setting_get_member(group, fields[i].name) == NULL)
            config_problem(reader, group, "%s has no '%s'", what, fields[i].name);
    }
}

size_t config_list_length(struct config_reader *reader, const config_setting_t *group, const char *name) {
    const config_setting_t *list = config_setting_get_member(group, name);
    if (list == NULL)
        return 0;
    if (config_setting_type(list) == CONFIG_TYPE_LIST)
        return (size_t)config_setting_length(list);
    config_problem(reader, list, "'%s' must be a list of groups such as ( { ... }, { ... } ), not %s", name,
                   type_text(list));
    return 0;
}

const config_setting_t *config_list_group(struct config_reader *reader, const config_setting_t *group, const char *name,
                                          size_t at) {
    const config_setting_t *item = config_setting_get_elem(config_setting_get_member(group, name), (unsigned)at);
    if (config_setting_type(item) == CONFIG_TYPE_GROUP)
        return item;
    config_problem(reader, item, "'%s' holds %s: each must be a group { ... }", name, type_text(item));
    return NULL;
}
