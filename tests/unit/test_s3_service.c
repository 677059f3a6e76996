#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "../../src/s3/s3_internal.h"
#include <cmocka.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void parsed(const char *address, const struct s3_services *services, const char *endpoint, const char *bucket,
                   const char *prefix) {
    struct s3_place place;
    struct err err = { 0 };

    if (s3_place_parse(address, services, &place, &err) < 0)
        fail_msg("%s: %s", address, err.message);
    assert_string_equal(place.service.endpoint, endpoint);
    assert_string_equal(place.bucket, bucket);
    assert_string_equal(place.prefix, prefix);
    s3_place_release(&place);
}

static void refused(const char *address, const struct s3_services *services, const char *because) {
    struct s3_place place;
    struct err err = { 0 };

    if (s3_place_parse(address, services, &place, &err) == 0)
        fail_msg("%s was taken", address);
    assert_int_equal(err.code, ERR_INVALID);
    if (!strstr(err.message, because))
        fail_msg("%s: '%s' does not say '%s'", address, err.message, because);
    assert_null(place.bucket);
    assert_null(place.service.endpoint);
}

static struct s3_services two_services(void) {
    struct s3_services services = { mem_array(2, sizeof *services.items), 2 };
    services.items[0].name = mem_string("b2");
    services.items[0].endpoint = mem_string("https://s3.eu-central-003.backblazeb2.com");
    services.items[1].name = mem_string("minio");
    services.items[1].endpoint = mem_string("http://127.0.0.1:9000");
    services.items[1].addressing = S3_ADDRESSING_PATH;
    return services;
}

static void only_what_begins_with_s3_is_an_address(void **state) {
    (void)state;
    assert_true(s3_is_address("s3:b2/bucket"));
    assert_true(s3_is_address("s3:"));
    assert_false(s3_is_address("/backup/s3:b2"));
    assert_false(s3_is_address("S3:b2"));
    refused("b2/bucket", NULL, "does not begin with \"s3:\"");
}

static void an_address_names_service_bucket_and_prefix(void **state) {
    struct s3_services services = two_services();
    (void)state;

    parsed("s3:b2/acme", &services, "https://s3.eu-central-003.backblazeb2.com", "acme", "");
    parsed("s3:b2/acme/", &services, "https://s3.eu-central-003.backblazeb2.com", "acme", "");
    parsed("s3:b2/acme/muniment", &services, "https://s3.eu-central-003.backblazeb2.com", "acme", "muniment/");
    parsed("s3:b2/acme/a/b/", &services, "https://s3.eu-central-003.backblazeb2.com", "acme", "a/b/");
    parsed("s3:minio/up.lo-ads/with space/%41+=&", &services, "http://127.0.0.1:9000", "up.lo-ads",
           "with space/%41+=&/");
    parsed("s3:minio", &services, "http://127.0.0.1:9000", "", "");
    parsed("s3:minio/", &services, "http://127.0.0.1:9000", "", "");
    s3_services_release(&services);
}

static void an_address_with_a_url_needs_no_services(void **state) {
    (void)state;
    parsed("s3:https://s3.us-west-004.backblazeb2.com/acme/muniment", NULL, "https://s3.us-west-004.backblazeb2.com",
           "acme", "muniment/");
    parsed("s3:http://127.0.0.1:9000/acme", NULL, "http://127.0.0.1:9000", "acme", "");
    parsed("s3:http://[::1]:9000/acme", NULL, "http://[::1]:9000", "acme", "");
    parsed("s3:http://localhost/acme", NULL, "http://localhost", "acme", "");
}

static void the_nameless_service_lends_its_settings_to_urls(void **state) {
    struct s3_service item = { 0 };
    struct s3_services services = { &item, 1 };
    struct s3_place place;
    struct err err = { 0 };
    (void)state;

    item.region = mem_string("eu-west-1");
    item.ca_file = mem_string("/ca.pem");
    item.plain_http = true;
    assert_int_equal(s3_service_check(&item, &err), 0);
    assert_int_equal(s3_place_parse("s3:http://far.example:8080/acme/x", &services, &place, &err), 0);
    assert_string_equal(place.service.endpoint, "http://far.example:8080");
    assert_string_equal(place.service.region, "eu-west-1");
    assert_string_equal(place.service.ca_file, "/ca.pem");
    s3_place_release(&place);
    s3_service_release(&item);
}

static void an_unknown_service_is_refused_with_those_that_there_are(void **state) {
    struct s3_services services = two_services();
    (void)state;
    refused("s3:b3/acme", &services, "there is no service 'b3'; there are: b2, minio");
    refused("s3:b/acme", &services, "there is no service 'b'");
    refused("s3:/acme", &services, "there is no service ''");
    refused("s3:b2/acme", NULL, "there is no service 'b2', nor any other");
    s3_services_release(&services);
}

static void names_that_no_bucket_can_have_are_refused(void **state) {
    static const char *const bad[] = { "ab",
                                       "a b c",
                                       ".abc",
                                       "-abc",
                                       "a..b",
                                       "10.0.0.1",
                                       "b\xc3\xbc"
                                       "cket",
                                       "a:bc" };
    static const char *const good[] = { "abc", "a.b", "Old_Bucket", "1.2.3", "a--b" };
    struct s3_services services = two_services();
    char address[400];
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(address, sizeof address, "s3:b2/%s/x", bad[i]);
        refused(address, &services, "is no name of a bucket");
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(address, sizeof address, "s3:minio/%s/x", good[i]);
        parsed(address, &services, "http://127.0.0.1:9000", good[i], "x/");
    }
    refused("s3:b2//x", &services, "is no name of a bucket");
    memset(address, 'a', sizeof address);
    memcpy(address, "s3:b2/", 6);
    address[6 + 256] = '\0';
    refused(address, &services, "is no name of a bucket");
    s3_services_release(&services);
}

static void virtual_hosts_need_names_that_fit_in_a_host(void **state) {
    struct s3_services services = two_services();
    (void)state;
    services.items[0].addressing = S3_ADDRESSING_HOST;
    refused("s3:b2/Old-Bucket", &services, "cannot be part of a host name");
    refused("s3:b2/old_bucket", &services, "cannot be part of a host name");
    parsed("s3:b2/new-bucket", &services, "https://s3.eu-central-003.backblazeb2.com", "new-bucket", "");
    services.items[1].addressing = S3_ADDRESSING_HOST;
    refused("s3:minio/new-bucket", &services, "addressing");
    s3_services_release(&services);
}

static void prefixes_that_could_mean_another_place_are_refused(void **state) {
    static const char *const bad[] = { "a//b", "../b", "a/..", "a/./b", ".", "/", "/a", "a//" };
    struct s3_services services = two_services();
    char address[1200];
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(address, sizeof address, "s3:b2/acme/%s", bad[i]);
        refused(address, &services, "component");
    }
    parsed("s3:b2/acme/..a/.b/c..", &services, "https://s3.eu-central-003.backblazeb2.com", "acme", "..a/.b/c../");
    refused("s3:b2/acme/a\nb", &services, "control character");
    memset(address, 'a', sizeof address);
    memcpy(address, "s3:b2/acme/", 11);
    address[11 + 1024] = '\0';
    refused(address, &services, "longer than a key");
    s3_services_release(&services);
}

static void urls_are_read_strictly(void **state) {
    static const char *const bad[] = {
        "https://",
        "https:///x",
        "https://h ost/x",
        "https://host:0/x",
        "https://host:65536/x",
        "https://host:/x",
        "https://host:8a/x",
        "https://host:+80/x",
        "https://-host/x",
        "https://a..b/x",
        "https://host./x",
        "https://[::1/x",
        "https://[::1]9/x",
        "https://[::g]/x",
        "https://[]/x",
        "https://::1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f.0x1/x",
        "https://256.1.1.1/x",
        "ftp://host/x",
        "https://h\xc3\xb6st/x",
        "https://host?x/x",
        "https://host#x/x",
        "https://%6cocalhost/x",
    };
    char address[100];
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(address, sizeof address, "s3:%s", bad[i]);
        refused(address, NULL, "endpoint");
    }
}

static void a_password_in_a_url_is_refused_and_not_shown(void **state) {
    static const char *const addresses[] = { "s3:https://me:hidden@host/acme", "s3:ftp://me:hidden@host/acme",
                                             "s3:me:hidden@host/acme" };
    static const char *const endpoints[] = { "https://me:hidden@host", "ftp://me:hidden@host",
                                             "https://me:hidden/x@host" };
    struct s3_place place;
    struct s3_endpoint endpoint;
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct err err = { 0 };
        assert_int_equal(s3_place_parse(addresses[i], NULL, &place, &err), -1);
        assert_null(strstr(err.message, "hidden"));
        err_clear(&err);
        assert_int_equal(s3_endpoint_parse(endpoints[i], &endpoint, &err), -1);
        assert_non_null(strstr(err.message, "no user or password"));
        assert_null(strstr(err.message, "hidden"));
    }
}

static void an_endpoint_is_taken_apart(void **state) {
    struct s3_endpoint at;
    struct err err = { 0 };
    (void)state;

    assert_int_equal(s3_endpoint_parse("HTTPS://S3.Example.ORG:443/storage/v1/s3/", &at, &err), 0);
    assert_true(at.tls && !at.loopback && !at.numeric);
    assert_string_equal(at.host, "s3.example.org");
    assert_string_equal(at.authority, "s3.example.org");
    assert_string_equal(at.path, "/storage/v1/s3");
    assert_int_equal(at.port, 443);
    assert_int_equal(s3_endpoint_parse("http://[::1]:443", &at, &err), 0);
    assert_true(!at.tls && at.loopback && at.numeric);
    assert_string_equal(at.authority, "[::1]:443");
    assert_string_equal(at.path, "");
    assert_int_equal(s3_endpoint_parse("http://127.9.9.9/", &at, &err), 0);
    assert_true(at.loopback);
    assert_int_equal(at.port, 80);
    assert_string_equal(at.path, "");
    assert_int_equal(s3_endpoint_parse("http://128.0.0.1", &at, &err), 0);
    assert_false(at.loopback);
    assert_int_equal(s3_endpoint_parse("http://localhost.example", &at, &err), 0);
    assert_false(at.loopback);
    assert_int_equal(s3_endpoint_parse("https://host/a/../b", &at, &err), -1);
    assert_int_equal(s3_endpoint_parse("https://host/a//b", &at, &err), -1);
    assert_int_equal(s3_endpoint_parse("https://host//", &at, &err), -1);
    assert_int_equal(s3_endpoint_parse("https://host/a%20b", &at, &err), -1);
    assert_int_equal(s3_endpoint_parse("https://host/a?b", &at, &err), -1);
}

static void plain_http_stays_on_this_machine_unless_allowed(void **state) {
    static char name[] = "x", far[] = "http://far.example", near[] = "http://localhost:9000";
    struct s3_service service = { .name = name, .endpoint = far };
    struct err err = { 0 };
    (void)state;

    assert_int_equal(s3_service_check(&service, &err), -1);
    assert_string_equal(err.message, "service 'x': endpoint: 'http://far.example' is plain HTTP to another machine");
    assert_non_null(strstr(err.hint, "plain_http"));
    service.plain_http = true;
    assert_int_equal(s3_service_check(&service, &err), 0);
    service = (struct s3_service){ .name = name, .endpoint = near };
    assert_int_equal(s3_service_check(&service, &err), 0);
    refused("s3:http://far.example/acme", NULL, "plain HTTP");
}

static void checked(const struct s3_service *service, const char *because) {
    struct err err = { 0 };
    assert_int_equal(s3_service_check(service, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.message, because));
}

static void settings_that_cannot_be_are_refused(void **state) {
    static char url[] = "https://host", name[] = "x", bad[] = "a/b", empty[] = "";
    (void)state;

    checked(&(struct s3_service){ .name = name }, "endpoint is missing");
    checked(&(struct s3_service){ .name = bad, .endpoint = url }, "name");
    checked(&(struct s3_service){ .name = name, .endpoint = url, .region = bad }, "region");
    checked(&(struct s3_service){ .name = name, .endpoint = url, .region = empty }, "region");
    checked(&(struct s3_service){ .name = name, .endpoint = url, .connections = 65 }, "connections");
    checked(&(struct s3_service){ .name = name, .endpoint = url, .upload_limit = 10 }, "upload_limit");
    checked(&(struct s3_service){ .name = name, .endpoint = url, .download_limit = 10 }, "download_limit");
}

static void v2_is_refused_what_libs3_cannot_do(void **state) {
    static char near[] = "https://localhost", path[] = "https://localhost/path", far[] = "https://far.example";
    static char name[] = "x", file[] = "/ca.pem";
    struct s3_service service = { .name = name, .endpoint = near, .signature = S3_SIGNATURE_V2 };
    struct err err = { 0 };
    (void)state;

    assert_int_equal(s3_service_check(&service, &err), 0);
    service.ca_file = file;
    checked(&service, "ca_file");
    service.ca_file = NULL;
    service.upload_limit = 1 << 20;
    checked(&service, "upload_limit");
    service.upload_limit = 0;
    service.endpoint = path;
    checked(&service, "signature");
    service.endpoint = far;
    checked(&service, "does not verify who answers at 'https://far.example'");
    service.plain_http = true;
    assert_int_equal(s3_service_check(&service, &err), 0);
}

static void the_region_is_what_the_host_says_unless_it_is_set(void **state) {
    static const char *const cases[][2] = {
        { "https://s3.eu-central-003.backblazeb2.com", "eu-central-003" },
        { "https://S3.EU-West-1.amazonaws.com:443", "eu-west-1" },
        { "https://s3.dualstack.eu-west-2.amazonaws.com", "eu-west-2" },
        { "https://s3.amazonaws.com", "us-east-1" },
        { "https://a.s3.b.amazonaws.com", "us-east-1" },
        { "http://127.0.0.1:9000", "us-east-1" },
        { "https://s3.eu-west-1.backblazeb2.com.example", "us-east-1" },
    };
    static char region[] = "gra";
    char text[64];
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct s3_service service = { .endpoint = mem_string(cases[i][0]) };
        assert_string_equal(s3_service_region(&service, text), cases[i][1]);
        service.region = region;
        assert_string_equal(s3_service_region(&service, text), "gra");
        free(service.endpoint);
    }
}

static void a_copy_owns_its_strings(void **state) {
    struct s3_services services = two_services();
    struct s3_service copy;
    (void)state;

    s3_service_copy(&copy, &services.items[0]);
    s3_services_release(&services);
    assert_string_equal(copy.name, "b2");
    assert_null(copy.region);
    s3_service_release(&copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_begins_with_s3_is_an_address),
        cmocka_unit_test(an_address_names_service_bucket_and_prefix),
        cmocka_unit_test(an_address_with_a_url_needs_no_services),
        cmocka_unit_test(the_nameless_service_lends_its_settings_to_urls),
        cmocka_unit_test(an_unknown_service_is_refused_with_those_that_there_are),
        cmocka_unit_test(names_that_no_bucket_can_have_are_refused),
        cmocka_unit_test(virtual_hosts_need_names_that_fit_in_a_host),
        cmocka_unit_test(prefixes_that_could_mean_another_place_are_refused),
        cmocka_unit_test(urls_are_read_strictly),
        cmocka_unit_test(a_password_in_a_url_is_refused_and_not_shown),
        cmocka_unit_test(an_endpoint_is_taken_apart),
        cmocka_unit_test(plain_http_stays_on_this_machine_unless_allowed),
        cmocka_unit_test(settings_that_cannot_be_are_refused),
        cmocka_unit_test(v2_is_refused_what_libs3_cannot_do),
        cmocka_unit_test(the_region_is_what_the_host_says_unless_it_is_set),
        cmocka_unit_test(a_copy_owns_its_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
