/*
 * Reading one group of the configuration by a table of its keys.
 *
 * A table says for every key where its value goes and what it must be. The reader reports keys that are in no table,
 * values of a wrong type or out of range, and required keys that are missing; it never stops at the first problem.
 */
#ifndef MUNIMENT_CMD_CONFIG_INTERNAL_H
#define MUNIMENT_CMD_CONFIG_INTERNAL_H

#include <libconfig.h>
#include <muniment/cmd/config.h>

struct config_reader {
    const struct configuration_request *request;
    char *folder; /* of the configuration file */
    struct buffer *problems;
    size_t count;
};

enum field_type {
    FIELD_TEXT,      /* char *: not empty */
    FIELD_NAME,      /* char *: [A-Za-z0-9_-]+ */
    FIELD_PATH,      /* char *: absolute */
    FIELD_TOOLS,     /* char *: absolute; "" means none */
    FIELD_KEY,       /* char *: absolute, or a bare name in the folder of credentials */
    FIELD_COUNT,     /* uint32_t */
    FIELD_NUMBER,    /* int */
    FIELD_PERCENT,   /* unsigned */
    FIELD_SPAN,      /* int64_t seconds, written "90d" */
    FIELD_FLAG,      /* bool */
    FIELD_STRINGS,   /* struct strings: an array of strings, or one string */
    FIELD_PATHS,     /* struct strings: absolute each */
    FIELD_TIMEZONE,  /* char[64]: a zone that the system knows */
    FIELD_SCHEDULE,  /* of a mirror */
    FIELD_ELSEWHERE, /* known, read by its own function */
};

struct field {
    const char *name;
    enum field_type type;
    size_t offset;
    int64_t least, most; /* of counts, numbers and spans; both 0: no bounds */
    bool required;
};

/* Adds a line to the problems: the place of `setting`, then the text. */
void config_problem(struct config_reader *reader, const config_setting_t *setting, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Reads the keys of `group` into the struct at `base`. `what` names the group in messages ("set 'app'"). */
void config_read_fields(struct config_reader *reader, const config_setting_t *group, const char *what,
                        const struct field *fields, size_t count, void *base);

/* The groups of a list below `group`, or 0 with a problem when it is something else. Absent: 0. */
size_t config_list_length(struct config_reader *reader, const config_setting_t *group, const char *name);
const config_setting_t *config_list_group(struct config_reader *reader, const config_setting_t *group, const char *name,
                                          size_t at);

#endif
