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
#include <stddef.h>

struct config_reader {
    const struct configuration_request *request;
    char *folder;                       /* of the configuration file */
    const struct s3_services *services; /* those read so far: addresses are checked against them */
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
    FIELD_CHOICE,    /* an enumeration: one of `choices` */
    FIELD_STORE,     /* char *: an absolute path, or an address with a bucket */
    FIELD_ADDRESSES, /* struct strings: addresses with a bucket each */
    FIELD_RATE,      /* uint64_t: bytes a second, written "10M" */
    FIELD_ELSEWHERE, /* known, read by its own function */
};

struct field {
    const char *name;
    enum field_type type;
    size_t offset;
    int64_t least, most;        /* of counts, numbers and spans; both 0: no bounds */
    const char *const *choices; /* of a choice: the text of each value, then NULL */
    bool required;
};

enum { HOUR = 3600, DAY = 24 * HOUR };

/* The forms a key takes in the tables: one that may be there, one that must, one with bounds, one of a few words, one
 * read by a function of its own. */
#define MAY(key, kind, of, member)                                                                                     \
    { .name = key, .type = kind, .offset = offsetof(struct of, member) }
#define MUST(key, kind, of, member)                                                                                    \
    { .name = key, .type = kind, .offset = offsetof(struct of, member), .required = true }
#define BETWEEN(key, kind, of, member, from, to)                                                                       \
    { .name = key, .type = kind, .offset = offsetof(struct of, member), .least = from, .most = to }
#define CHOICE(key, of, member, words)                                                                                 \
    { .name = key, .type = FIELD_CHOICE, .offset = offsetof(struct of, member), .choices = words }
#define ELSEWHERE(key, must)                                                                                           \
    { .name = key, .type = FIELD_ELSEWHERE, .required = must }
#define COUNT(of) (sizeof(of) / sizeof *(of))

/* The words of the file for values of enumerations. */
extern const char *const CONFIG_SCHEDULES[], *const CONFIG_LOCKS[], *const CONFIG_SIGNATURES[],
                                                                        *const CONFIG_ADDRESSINGS[];

/* "source 'db'", or "a source" where the group has no usable name. The caller frees it. */
char *config_group_title(const config_setting_t *group, const char *kind);

/* Reads `services`, and gives the reader them. */
void config_read_services(struct config_reader *reader, const config_setting_t *root, struct s3_services *services);

/* True for an address of object storage that names a bucket; else false with a problem. */
bool config_check_address(struct config_reader *reader, const config_setting_t *setting, const char *name,
                          const char *address);

/* Refuses a lock where `path` cannot have one. `name` is the key of the lock, `group` where it stands. */
void config_check_lock(struct config_reader *reader, const config_setting_t *group, const char *name, const char *path,
                       enum s3_lock_mode lock);

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
