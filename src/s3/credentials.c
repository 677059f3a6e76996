#include "s3_internal.h"
#include <errno.h>
#include <muniment/util/memory.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    REFUSE_OTHERS = 0077,
    REFUSE_WORLD = 0007, /* systemd grants its user by an ACL, which shows as a group that may read */
};

static const char *environment(const char *name) {
    const char *value = getenv(name);
    return value && value[0] != '\0' ? value : NULL;
}

/* The variables that one pair stands in. */
static int take_environment(const char *access_name, const char *secret_name, const char *token_name,
                            struct s3_credentials *to, bool *found, struct err *err) {
    const char *names[] = { access_name, secret_name, token_name };
    const size_t sizes[] = { sizeof to->access_key, sizeof to->secret_key, sizeof to->session_token };
    char *places[] = { to->access_key, to->secret_key, to->session_token };

    const bool access = environment(access_name) != NULL, secret = environment(secret_name) != NULL;
    if (access != secret)
        return err_set(err, ERR_INVALID, "%s is set, but %s is not", access ? access_name : secret_name,
                       access ? secret_name : access_name);
    if (!access)
        return 0;
    for (size_t i = 0; i < 3; i++) {
        const char *value = environment(names[i]);
        const size_t length = value ? strlen(value) : 0;
        if (length >= sizes[i])
            return err_set(err, ERR_INVALID, "%s is too long", names[i]);
        for (size_t at = 0; at < length; at++)
            if (value[at] <= ' ' || value[at] > '~')
                return err_set(err, ERR_INVALID, "%s has a blank or a byte that no key has", names[i]);
        memcpy(places[i], value ? value : "", length);
        places[i][length] = '\0';
    }
    *found = true;
    return 0;
}

static int take_own_environment(const struct s3_service *service, struct s3_credentials *to, bool *found,
                                struct err *err) {
    char *name = mem_string(service->name);

    for (char *at = name; *at != '\0'; at++)
        *at = *at == '-' ? '_' : *at >= 'a' && *at <= 'z' ? (char)(*at - 32) : *at;
    char *access = mem_format("MUNIMENT_S3_%s_ACCESS_KEY", name);
    char *secret = mem_format("MUNIMENT_S3_%s_SECRET_KEY", name);
    char *token = mem_format("MUNIMENT_S3_%s_SESSION_TOKEN", name);
    const int result = take_environment(access, secret, token, to, found, err);
    free(access);
    free(secret);
    free(token);
    free(name);
    return result;
}

/* A file that somebody named must be there. */
static int take_named_file(const struct s3_service *service, const char *profile, struct s3_credentials *to,
                           bool *found, struct err *err) {
    if (s3_credentials_read(service->credentials, REFUSE_OTHERS, profile, to, found, err) < 0) {
        if (err && err->code == ERR_NOT_FOUND)
            err->code = ERR_KEY;
        return -1;
    }
    return *found ? 0 : err_set(err, ERR_KEY, "'%s' has no profile [%s]", service->credentials, profile);
}

static int take_optional_file(const char *path, unsigned refused, const char *profile, struct s3_credentials *to,
                              bool *found, struct err *err) {
    struct err problem = { 0 };

    if (s3_credentials_read(path, refused, profile, to, found, &problem) == 0)
        return 0;
    if (problem.code == ERR_NOT_FOUND || problem.sys == ENOTDIR)
        return 0;
    if (err)
        *err = problem;
    return -1;
}

static int take_systemd_file(const struct s3_service *service, const char *profile, struct s3_credentials *to,
                             bool *found, struct err *err) {
    const char *folder = environment("CREDENTIALS_DIRECTORY");

    if (!folder || !service->name)
        return 0;
    char *path = mem_format("%s/s3-%s", folder, service->name);
    const int result = take_optional_file(path, REFUSE_WORLD, profile, to, found, err);
    free(path);
    return result;
}

static char *home_file(void) {
    enum { ROOM = 16384 };
    const char *home = environment("HOME");
    struct passwd user, *entry = NULL;
    char *room = NULL;

    if (!home) {
        room = mem_alloc(ROOM);
        if (getpwuid_r(geteuid(), &user, room, ROOM, &entry) == 0 && entry)
            home = entry->pw_dir;
    }
    char *path = home ? mem_format("%s/.aws/credentials", home) : NULL;
    free(room);
    return path;
}

static int take_aws_file(const char *profile, struct s3_credentials *to, bool *found, struct err *err) {
    const char *named = environment("AWS_SHARED_CREDENTIALS_FILE");
    char *path = named ? mem_string(named) : home_file();

    const int result = path ? take_optional_file(path, REFUSE_OTHERS, profile, to, found, err) : 0;
    free(path);
    return result;
}

/* The places of credentials.h, in their order, until one has both halves. */
static int find(const struct s3_service *service, struct s3_credentials *to, struct err *err) {
    const char *profile = service->profile ? service->profile : environment("AWS_PROFILE");
    bool found = false;

    if (!profile)
        profile = "default";
    if (service->credentials)
        return take_named_file(service, profile, to, &found, err);
    if (take_systemd_file(service, profile, to, &found, err) < 0)
        return -1;
    if (!found && service->name && take_own_environment(service, to, &found, err) < 0)
        return -1;
    if (!found && !service->profile &&
        take_environment("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", to, &found, err) < 0)
        return -1;
    if (!found && take_aws_file(profile, to, &found, err) < 0)
        return -1;
    if (found)
        return 0;
    err_set(err, ERR_KEY, "there are no credentials%s%s%s", service->profile ? " in a profile [" : "",
            service->profile ? service->profile : "", service->profile ? "]" : "");
    return err_hint(err,
                    "give a file with access_key and secret_key (credentials, --credentials), $CREDENTIALS_DIRECTORY/"
                    "s3-NAME, MUNIMENT_S3_NAME_ACCESS_KEY and ..._SECRET_KEY, AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials");
}

int s3_credentials_load(const struct s3_service *service, struct s3_credentials **credentials, struct err *err) {
    *credentials = NULL;
    if (sodium_init() < 0)
        return err_set(err, ERR_SYSTEM, "libsodium cannot start");
    struct s3_credentials *loaded = mem_require(sodium_malloc(sizeof *loaded));
    memset(loaded, 0, sizeof *loaded);
    if (find(service, loaded, err) < 0) {
        sodium_free(loaded);
        return service->name ? err_wrap(err, "credentials of service '%s'", service->name)
                             : err_wrap(err, "credentials of object storage");
    }
    *credentials = loaded;
    return 0;
}

void s3_credentials_free(struct s3_credentials *credentials) {
    sodium_free(credentials);
}
