#include "s3_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <muniment/util/memory.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 65536 };

/* One file, read to its end. What stands in a line is never shown: a line that is not understood may be the secret. */
struct reading {
    const char *path;
    const char *profile;
    bool sections; /* it is an AWS credentials file */
    bool inside;   /* the section of the profile */
    bool found;    /* there is such a section */
    unsigned line;
    struct s3_credentials *to;
};

static int open_private(const char *path, mode_t refused, size_t *size, struct err *err) {
    struct stat status;

    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_sys(err, "open '%s'", path);
    if (fstat(fd, &status) < 0) {
        err_sys(err, "look at '%s'", path);
    } else if (!S_ISREG(status.st_mode)) {
        err_set(err, ERR_INVALID, "'%s' is no regular file", path);
    } else if ((status.st_mode & refused) != 0) {
        err_set(err, ERR_INVALID, "others may read '%s', which holds a secret (its mode is %04o)", path,
                (unsigned)status.st_mode & 07777);
        err_hint(err, "chmod 600 '%s', and make a new key if others could have read it", path);
    } else if (status.st_size > FILE_MAX) {
        err_set(err, ERR_INVALID, "'%s' is larger than %d bytes", path, FILE_MAX);
    } else {
        *size = (size_t)status.st_size;
        return fd;
    }
    close(fd);
    return -1;
}

/* Into locked memory; the file may be shorter than it was a moment ago, and what it grew by is not read. */
static int read_whole(int fd, char *text, size_t *size, const char *path, struct err *err) {
    size_t length = 0;

    while (length < *size) {
        const ssize_t got = read(fd, text + length, *size - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "read '%s'", path);
        if (got == 0)
            break;
        length += (size_t)got;
    }
    *size = length;
    if (memchr(text, '\0', length) != NULL)
        return err_set(err, ERR_INVALID, "'%s' is no text", path);
    text[length] = '\0';
    return 0;
}

static bool is_blank(char letter) {
    return letter == ' ' || letter == '\t';
}

/* Takes the blanks off both ends, in place. */
static char *trim(char *text) {
    size_t length = strlen(text);

    while (length > 0 && (is_blank(text[length - 1]) || text[length - 1] == '\r'))
        text[--length] = '\0';
    while (is_blank(*text))
        text++;
    return text;
}

static int bad_line(const struct reading *reading, const char *why, struct err *err) {
    return err_set(err, ERR_INVALID, "'%s': line %u: %s", reading->path, reading->line, why);
}

static int take_value(struct reading *reading, char *to, size_t size, const char *value, struct err *err) {
    const size_t length = strlen(value);

    if (to[0] != '\0')
        return bad_line(reading, "this was said before", err);
    if (length == 0)
        return bad_line(reading, "there is no value", err);
    if (length >= size)
        return bad_line(reading, "the value is too long", err);
    for (size_t i = 0; i < length; i++)
        if (value[i] <= ' ' || value[i] > '~' || value[i] == '"')
            return bad_line(reading, "the value has a blank, a quote or a byte that no key has", err);
    memcpy(to, value, length + 1);
    return 0;
}

static int take_setting(struct reading *reading, char *line, struct err *err) {
    static const char *const PLAIN[] = { "access_key", "secret_key", "session_token" };
    static const char *const AWS[] = { "aws_access_key_id", "aws_secret_access_key", "aws_session_token" };
    const char *const *names = reading->sections ? AWS : PLAIN;
    struct s3_credentials *to = reading->to;
    char *equals = strchr(line, '=');

    if (!equals)
        return bad_line(reading, "it is not \"name = value\"", err);
    *equals = '\0';
    const char *name = trim(line), *value = trim(equals + 1);
    if (strcmp(name, names[0]) == 0)
        return take_value(reading, to->access_key, sizeof to->access_key, value, err);
    if (strcmp(name, names[1]) == 0)
        return take_value(reading, to->secret_key, sizeof to->secret_key, value, err);
    if (strcmp(name, names[2]) == 0)
        return take_value(reading, to->session_token, sizeof to->session_token, value, err);
    /* Other tools keep more in their profiles. */
    return reading->sections ? 0 : bad_line(reading, "it is none of access_key, secret_key and session_token", err);
}

static int take_section(struct reading *reading, char *line, struct err *err) {
    char *end = strchr(line, ']');

    if (!end || end[1] != '\0')
        return bad_line(reading, "it is no \"[profile]\"", err);
    *end = '\0';
    reading->inside = strcmp(trim(line + 1), reading->profile) == 0;
    reading->found = reading->found || reading->inside;
    return 0;
}

static int take_line(struct reading *reading, char *line, struct err *err) {
    /* Indented lines of an AWS file belong to the setting above them. */
    const bool nested = reading->sections && is_blank(*line);

    reading->line++;
    line = trim(line);
    if (*line == '\0' || *line == '#' || *line == ';' || nested)
        return 0;
    if (*line == '[')
        return take_section(reading, line, err);
    if (reading->sections && !reading->inside)
        return 0;
    return take_setting(reading, line, err);
}

int s3_credentials_parse(char *text, const char *path, const char *profile, struct s3_credentials *to, bool *found,
                         struct err *err) {
    struct reading reading = { .path = path, .profile = profile, .to = to };

    reading.sections = text[0] == '[' || strstr(text, "\n[") != NULL;
    reading.inside = reading.found = !reading.sections;
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;)
        if (take_line(&reading, line, err) < 0)
            return -1;
    *found = reading.found;
    if (!reading.found || (to->access_key[0] != '\0' && to->secret_key[0] != '\0'))
        return 0;
    return err_set(err, ERR_INVALID, "'%s' has no %s%s%s%s", path,
                   to->access_key[0] == '\0' ? "access key" : "secret key", reading.sections ? " in [" : "",
                   reading.sections ? profile : "", reading.sections ? "]" : "");
}

int s3_credentials_read(const char *path, unsigned refused, const char *profile, struct s3_credentials *to, bool *found,
                        struct err *err) {
    size_t size = 0;
    int result = -1;

    const int fd = open_private(path, (mode_t)refused, &size, err);
    if (fd < 0)
        return -1;
    char *text = mem_require(sodium_malloc(size + 1));
    if (read_whole(fd, text, &size, path, err) == 0)
        result = s3_credentials_parse(text, path, profile, to, found, err);
    sodium_free(text);
    close(fd);
    return result;
}
