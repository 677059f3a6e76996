#include <muniment/run/place.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

static bool same_folder(const char *one, const char *other) {
    if (strcmp(one, other) == 0)
        return true;
    char *here = realpath(one, NULL), *there = realpath(other, NULL);
    bool same = here != NULL && there != NULL && strcmp(here, there) == 0;
    free(here);
    free(there);
    return same;
}

bool stores_overlap(const char *one, const char *other, const struct s3_services *services) {
    if (!s3_is_address(one) || !s3_is_address(other))
        return s3_is_address(one) == s3_is_address(other) && same_folder(one, other);

    struct s3_place here = { 0 }, there = { 0 };
    bool overlap = false;
    if (s3_place_parse(one, services, &here, NULL) == 0 && s3_place_parse(other, services, &there, NULL) == 0) {
        size_t shorter = strlen(here.prefix) < strlen(there.prefix) ? strlen(here.prefix) : strlen(there.prefix);
        overlap = strcmp(here.service.endpoint, there.service.endpoint) == 0 &&
                  strcmp(here.bucket, there.bucket) == 0 && strncmp(here.prefix, there.prefix, shorter) == 0;
    }
    s3_place_release(&here);
    s3_place_release(&there);
    return overlap;
}

char *store_spelled_out(const char *path, const struct s3_services *services) {
    struct s3_place place = { 0 };
    if (!s3_is_address(path) || s3_place_parse(path, services, &place, NULL) != 0)
        return mem_string(path);
    const char *host = strstr(place.service.endpoint, "://");
    char *text;
    if (host == NULL || strchr(host + 3, '/') != NULL)
        text = mem_string(path);
    else
        text = mem_format("s3:%s/%s%s%.*s", place.service.endpoint, place.bucket, place.prefix[0] != '\0' ? "/" : "",
                          place.prefix[0] != '\0' ? (int)strlen(place.prefix) - 1 : 0, place.prefix);
    s3_place_release(&place);
    return text;
}
