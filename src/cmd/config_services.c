#include "config_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

const char *const CONFIG_SCHEDULES[] = {
    [MIRROR_DAILY] = "daily",
    [MIRROR_WEEKLY] = "weekly",
    [MIRROR_MANUAL] = "manual",
    NULL,
};
const char *const CONFIG_LOCKS[] = {
    [S3_LOCK_NONE] = "none",
    [S3_LOCK_GOVERNANCE] = "governance",
    [S3_LOCK_COMPLIANCE] = "compliance",
    NULL,
};
const char *const CONFIG_SIGNATURES[] = { [S3_SIGNATURE_V4] = "v4", [S3_SIGNATURE_V2] = "v2", NULL };
const char *const CONFIG_ADDRESSINGS[] = { [S3_ADDRESSING_PATH] = "path", [S3_ADDRESSING_HOST] = "host", NULL };

static const struct field SERVICE_FIELDS[] = {
    MUST("name", FIELD_NAME, s3_service, name),
    MUST("endpoint", FIELD_TEXT, s3_service, endpoint),
    MAY("region", FIELD_TEXT, s3_service, region),
    MAY("credentials", FIELD_KEY, s3_service, credentials),
    MAY("profile", FIELD_TEXT, s3_service, profile),
    MAY("ca_file", FIELD_PATH, s3_service, ca_file),
    CHOICE("signature", s3_service, signature, CONFIG_SIGNATURES),
    CHOICE("addressing", s3_service, addressing, CONFIG_ADDRESSINGS),
    MAY("plain_http", FIELD_FLAG, s3_service, plain_http),
    BETWEEN("connections", FIELD_COUNT, s3_service, connections, 1, S3_CONNECTIONS_MAX),
    BETWEEN("retry_for", FIELD_SPAN, s3_service, retry_for, 1, DAY),
    MAY("upload_limit", FIELD_RATE, s3_service, upload_limit),
    MAY("download_limit", FIELD_RATE, s3_service, download_limit),
};

/* What a check below found, with what to do about it. `name` is the key that it is about, or NULL. */
static void report_error(struct config_reader *reader, const config_setting_t *setting, const char *name,
                         const struct err *err) {
    const char *hint = err->hint[0] != '\0' ? "; " : "";
    if (name != NULL)
        config_problem(reader, setting, "'%s': %s%s%s", name, err->message, hint, err->hint);
    else
        config_problem(reader, setting, "%s%s%s", err->message, hint, err->hint);
}

static void read_service(struct config_reader *reader, const config_setting_t *group, const struct s3_services *earlier,
                         struct s3_service *service) {
    char *title = config_group_title(group, "service");
    size_t before = reader->count;
    config_read_fields(reader, group, title, SERVICE_FIELDS, COUNT(SERVICE_FIELDS), service);
    struct err err = { 0 };
    if (before == reader->count && s3_service_check(service, &err) != 0)
        report_error(reader, group, NULL, &err);
    for (size_t i = 0; i < earlier->count; i++) {
        if (service->name != NULL && earlier->items[i].name != NULL &&
            strcmp(service->name, earlier->items[i].name) == 0)
            config_problem(reader, group, "there are two services '%s'", service->name);
    }
    free(title);
}

void config_read_services(struct config_reader *reader, const config_setting_t *root, struct s3_services *services) {
    size_t count = config_list_length(reader, root, "services");
    services->items = mem_array(count + 1, sizeof *services->items);
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *group = config_list_group(reader, root, "services", i);
        struct s3_service service = { 0 };
        if (group == NULL)
            continue;
        read_service(reader, group, services, &service);
        services->items[services->count++] = service;
    }
    if (reader->request->url_service != NULL)
        s3_service_copy(&services->items[services->count++], reader->request->url_service);
    reader->services = services;
}

/* True when the address is of a service whose own problem was told where it stands. */
static bool service_is_broken(const struct s3_services *services, const char *address) {
    const char *name = address + strlen("s3:");
    size_t length = strcspn(name, "/");
    for (size_t i = 0; i < services->count; i++) {
        const struct s3_service *service = &services->items[i];
        if (service->name != NULL && strlen(service->name) == length && strncmp(service->name, name, length) == 0)
            return s3_service_check(service, NULL) != 0;
    }
    return false;
}

bool config_check_address(struct config_reader *reader, const config_setting_t *setting, const char *name,
                          const char *address) {
    struct s3_place place = { 0 };
    struct err err = { 0 };
    if (!s3_is_address(address)) {
        config_problem(reader, setting, "'%s' is \"%s\": an address such as \"s3:SERVICE/BUCKET\" is needed", name,
                       address);
        return false;
    }
    if (s3_place_parse(address, reader->services, &place, &err) != 0) {
        if (!service_is_broken(reader->services, address))
            report_error(reader, setting, name, &err);
        return false;
    }
    bool whole = place.bucket[0] != '\0';
    if (!whole)
        config_problem(reader, setting, "'%s' is \"%s\": it names no bucket", name, address);
    s3_place_release(&place);
    return whole;
}

void config_check_lock(struct config_reader *reader, const config_setting_t *group, const char *name, const char *path,
                       enum s3_lock_mode lock) {
    const config_setting_t *setting = config_setting_get_member(group, name);
    struct s3_place place = { 0 };
    struct err err = { 0 };
    if (lock == S3_LOCK_NONE || path == NULL || setting == NULL)
        return;
    if (!s3_is_address(path)) {
        config_problem(reader, setting, "'%s' is \"%s\", but '%s' is a folder: only object storage has locks", name,
                       CONFIG_LOCKS[lock], path);
        return;
    }
    if (s3_place_parse(path, reader->services, &place, &err) != 0)
        return; /* said already where the address stands */
    if (place.service.signature == S3_SIGNATURE_V2)
        config_problem(reader, setting, "'%s' is \"%s\", but '%s' is used with signature \"v2\", which knows no locks",
                       name, CONFIG_LOCKS[lock], path);
    s3_place_release(&place);
}
