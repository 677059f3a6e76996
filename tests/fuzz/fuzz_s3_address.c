/* Addresses of object storage, and the files of its credentials: what is accepted has one meaning and no surprises. */
#include "../../src/s3/s3_internal.h"
#include "fuzz.h"
#include <string.h>

static char NAME[] = "b2", ENDPOINT[] = "https://s3.eu-central-003.backblazeb2.com";

/* An address, and after a NUL the file. */
void fuzz_seed(struct buffer *seed) {
    static const char text[] = "s3:http://127.0.0.1:9000/acme/a/b/\0[default]\naws_access_key_id = AKIA\n"
                               "aws_secret_access_key = secret\n[other]\n  aws_session_token=t\n# s3:b2/acme\n";
    buffer_put(seed, text, sizeof text - 1);
}

static void check_endpoint(const char *url) {
    struct s3_endpoint endpoint, again;
    struct buffer made = { 0 };
    char region[64];
    const struct s3_service service = { .endpoint = ENDPOINT };

    fuzz_require(s3_endpoint_parse(url, &endpoint, NULL) == 0);
    buffer_printf(&made, "%s://%s%s", endpoint.tls ? "https" : "http", endpoint.authority, endpoint.path);
    fuzz_require(s3_endpoint_parse(buffer_text(&made), &again, NULL) == 0);
    fuzz_require(strcmp(endpoint.host, again.host) == 0 && endpoint.port == again.port &&
                 endpoint.loopback == again.loopback && strcmp(endpoint.path, again.path) == 0);
    fuzz_require(strpbrk(endpoint.authority, "/@?# ") == NULL);
    fuzz_require(strlen(s3_service_region(&service, region)) < sizeof region);
    buffer_release(&made);
}

static void check_place(const struct s3_place *place, const struct s3_services *services) {
    struct s3_place again;
    struct buffer address = { 0 };
    const size_t length = strlen(place->prefix);

    check_endpoint(place->service.endpoint);
    fuzz_require(strpbrk(place->bucket, "/\\ %?#") == NULL && strstr(place->bucket, "..") == NULL);
    fuzz_require(length == 0 || (place->prefix[length - 1] == '/' && place->prefix[0] != '/'));
    fuzz_require(strstr(place->prefix, "//") == NULL && strstr(place->prefix, "/../") == NULL);

    fuzz_require(place->bucket[0] != '\0' || length == 0);
    buffer_printf(&address, "s3:%s", place->service.name ? place->service.name : place->service.endpoint);
    if (place->bucket[0] != '\0')
        buffer_printf(&address, "/%s/%s", place->bucket, place->prefix);
    fuzz_require(s3_place_parse(buffer_text(&address), services, &again, NULL) == 0);
    fuzz_require(strcmp(place->bucket, again.bucket) == 0 && strcmp(place->prefix, again.prefix) == 0 &&
                 strcmp(place->service.endpoint, again.service.endpoint) == 0);
    s3_place_release(&again);
    buffer_release(&address);
}

static void check_address(const char *text) {
    struct s3_service item = { .name = NAME, .endpoint = ENDPOINT };
    const struct s3_services services = { &item, 1 };
    struct s3_place place;
    struct err err = { 0 };

    if (s3_place_parse(text, &services, &place, &err) == 0) {
        check_place(&place, &services);
        s3_place_release(&place);
    } else {
        fuzz_require(err.code == ERR_INVALID && err.message[0] != '\0');
    }
}

static void check_credentials(char *text) {
    static struct s3_credentials credentials;
    struct err err = { 0 };
    bool found = false;

    memset(&credentials, 0, sizeof credentials);
    if (s3_credentials_parse(text, "file", "default", &credentials, &found, &err) < 0)
        fuzz_require(err.code == ERR_INVALID);
    else if (found)
        fuzz_require(credentials.access_key[0] != '\0' && credentials.secret_key[0] != '\0');
    fuzz_require(strpbrk(credentials.access_key, " \t\r\n\"") == NULL);
    fuzz_require(strpbrk(credentials.secret_key, " \t\r\n\"") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buffer address = { 0 }, file = { 0 };
    const uint8_t *end = memchr(data, 0, size);
    const size_t length = end ? (size_t)(end - data) : size;

    buffer_put(&address, data, length);
    check_address(buffer_text(&address));
    if (end && !memchr(end + 1, 0, size - length - 1)) {
        buffer_put(&file, end + 1, size - length - 1);
        buffer_put_u8(&file, 0);
        check_credentials((char *)file.data);
    }
    buffer_release(&address);
    buffer_release(&file);
    return 0;
}
