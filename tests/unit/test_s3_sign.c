#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "../../src/s3/s3_internal.h"
#include <cmocka.h>
#include <muniment/util/hex.h>
#include <muniment/util/sha256.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 8 };

/*
 * The published aws4_testsuite: names, requests and signatures as they are there. Left out are the cases that S3 must
 * not follow (paths that are normalised: the "unnormalized" twin of each is here) and headers folded over several
 * lines, which no client of HTTP/1.1 may send.
 */
struct vector {
    const char *name, *method, *path;
    const char *query[FIELDS];   /* name, value, ... */
    const char *headers[FIELDS]; /* beyond host and x-amz-date */
    const char *body, *names, *signature;
};

static const char HOST[] = "example.amazonaws.com", DATE[] = "20150830T123600Z";
#define PLAIN      "host;x-amz-date"
#define FORM       "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define TOKEN                                                                                                          \
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUu"   \
    "wthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHN" \
    "VXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/"      \
    "oLxBA=="

static const struct vector VECTORS[] = {
    { "get-vanilla",
      "GET",
      "/",
      { 0 },
      { 0 },
      "",
      PLAIN,
      "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
    { "get-vanilla-empty-query-key",
      "GET",
      "/",
      { "Param1", "value1" },
      { 0 },
      "",
      PLAIN,
      "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb" },
    { "get-vanilla-query-order-key",
      "GET",
      "/",
      { "Param1", "value2", "Param1", "Value1" },
      { 0 },
      "",
      PLAIN,
      "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1" },
    { "get-vanilla-query-order-key-case",
      "GET",
      "/",
      { "Param2", "value2", "Param1", "value1" },
      { 0 },
      "",
      PLAIN,
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
    { "get-vanilla-query-order-value",
      "GET",
      "/",
      { "Param1", "value2", "Param1", "value1" },
      { 0 },
      "",
      PLAIN,
      "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694" },
    { "get-vanilla-query-order-encoded",
      "GET",
      "/",
      { "Param-3", "Value3", "Param", "Value2", "\xe1\x88\xb4", "Value1" },
      { 0 },
      "",
      PLAIN,
      "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac" },
    { "get-vanilla-query-unreserved",
      "GET",
      "/",
      { UNRESERVED, UNRESERVED },
      { 0 },
      "",
      PLAIN,
      "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197" },
    { "get-vanilla-utf8-query",
      "GET",
      "/",
      { "\xe1\x88\xb4", "bar" },
      { 0 },
      "",
      PLAIN,
      "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04" },
    { "get-vanilla-with-session-token",
      "GET",
      "/",
      { 0 },
      { "x-amz-security-token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267" },
      "",
      PLAIN ";x-amz-security-token",
      "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8" },
    { "get-unreserved",
      "GET",
      "/" UNRESERVED,
      { 0 },
      { 0 },
      "",
      PLAIN,
      "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f" },
    { "get-utf8",
      "GET",
      "/\xe1\x88\xb4",
      { 0 },
      { 0 },
      "",
      PLAIN,
      "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },
    { "get-space-unnormalized",
      "GET",
      "/example space/",
      { 0 },
      { 0 },
      "",
      PLAIN,
      "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741" },
    { "get-slash-unnormalized",
      "GET",
      "//",
      { 0 },
      { 0 },
      "",
      PLAIN,
      "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e" },
    { "get-slashes-unnormalized",
      "GET",
      "//example//",
      { 0 },
      { 0 },
      "",
      PLAIN,
      "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5" },
    { "get-slash-dot-slash-unnormalized",
      "GET",
      "/./",
      { 0 },
      { 0 },
      "",
      PLAIN,
      "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145" },
    { "get-slash-pointless-dot-unnormalized",
      "GET",
      "/./example",
      { 0 },
      { 0 },
      "",
      PLAIN,
      "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff" },
    { "get-relative-unnormalized",
      "GET",
      "/example/..",
      { 0 },
      { 0 },
      "",
      PLAIN,
      "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282" },
    { "get-relative-relative-unnormalized",
      "GET",
      "/example1/example2/../..",
      { 0 },
      { 0 },
      "",
      PLAIN,
      "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b" },
    { "get-header-key-duplicate",
      "GET",
      "/",
      { 0 },
      { "my-header1", "value2", "my-header1", "value2", "my-header1", "value1" },
      "",
      "host;my-header1;x-amz-date",
      "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea" },
    { "get-header-value-order",
      "GET",
      "/",
      { 0 },
      { "my-header1", "value4", "my-header1", "value1", "my-header1", "value3", "my-header1", "value2" },
      "",
      "host;my-header1;x-amz-date",
      "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01" },
    { "get-header-value-trim",
      "GET",
      "/",
      { 0 },
      { "my-header2", " \"a   b   c\" ", "my-header1", " value1" },
      "",
      "host;my-header1;my-header2;x-amz-date",
      "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
    { "post-vanilla",
      "POST",
      "/",
      { 0 },
      { 0 },
      "",
      PLAIN,
      "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
    { "post-header-key-sort",
      "POST",
      "/",
      { 0 },
      { "my-header1", "value1" },
      "",
      "host;my-header1;x-amz-date",
      "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c" },
    { "post-header-value-case",
      "POST",
      "/",
      { 0 },
      { "my-header1", "VALUE1" },
      "",
      "host;my-header1;x-amz-date",
      "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d" },
    { "post-vanilla-query",
      "POST",
      "/",
      { "Param1", "value1" },
      { 0 },
      "",
      PLAIN,
      "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11" },
    { "post-x-www-form-urlencoded",
      "POST",
      "/",
      { 0 },
      { "content-type", "application/x-www-form-urlencoded", "content-length", "13", "x-amz-content-sha256", FORM },
      "Param1=value1",
      "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
      "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b" },
    { "post-x-www-form-urlencoded-parameters",
      "POST",
      "/",
      { 0 },
      { "content-type", "application/x-www-form-urlencoded; charset=utf-8", "content-length", "13",
        "x-amz-content-sha256", FORM },
      "Param1=value1",
      "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
      "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422" },
    { "post-sts-header-before",
      "POST",
      "/",
      { 0 },
      { "x-amz-security-token", TOKEN },
      "",
      PLAIN ";x-amz-security-token",
      "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead" },
};

/* The examples of the Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header". */
static const char S3_HOST[] = "examplebucket.s3.amazonaws.com", S3_DATE[] = "20130524T000000Z";
#define HASHED "host;x-amz-content-sha256;x-amz-date"

static const struct vector S3_VECTORS[] = {
    { "get object",
      "GET",
      "/test.txt",
      { 0 },
      { "range", "bytes=0-9" },
      "",
      "host;range;x-amz-content-sha256;x-amz-date",
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
    { "put object",
      "PUT",
      "/test$file.text",
      { 0 },
      { "x-amz-storage-class", "REDUCED_REDUNDANCY", "date", "Fri, 24 May 2013 00:00:00 GMT" },
      "Welcome to Amazon S3.",
      "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" },
    { "get bucket lifecycle",
      "GET",
      "/",
      { "lifecycle", "" },
      { 0 },
      "",
      HASHED,
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
    { "list objects",
      "GET",
      "/",
      { "prefix", "J", "max-keys", "2" },
      { 0 },
      "",
      HASHED,
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
};

/* The lists of the signer do not write to their strings. */
static char *text(const char *constant) {
    char *copy = test_malloc(strlen(constant) + 1);
    strcpy(copy, constant);
    return copy;
}

static void add(struct s3_headers *headers, const char *name, const char *value) {
    headers->items[headers->count].name = text(name);
    headers->items[headers->count++].value = text(value);
}

static void add_all(struct s3_headers *headers, const char *const fields[FIELDS]) {
    for (size_t i = 0; i + 1 < FIELDS && fields[i]; i += 2)
        add(headers, fields[i], fields[i + 1]);
}

static void empty(struct s3_headers *headers) {
    for (size_t i = 0; i < headers->count; i++) {
        test_free(headers->items[i].name);
        test_free(headers->items[i].value);
    }
    headers->count = 0;
}

static void check(const struct vector *vector, bool s3, const char *access_key, const char *secret_key) {
    struct s3_header query_items[FIELDS], header_items[FIELDS + 4];
    struct s3_headers query = { query_items, 0, FIELDS }, headers = { header_items, 0, FIELDS + 4 };
    struct s3_credentials *credentials = calloc(1, sizeof *credentials);
    struct buffer path = { 0 }, got = { 0 };
    uint8_t digest[SHA256_SIZE];
    char payload[2 * SHA256_SIZE + 1], expected[1024];

    sha256_once(digest, vector->body, strlen(vector->body));
    hex_encode(payload, digest, sizeof digest);
    add(&headers, "x-amz-date", s3 ? S3_DATE : DATE);
    add_all(&headers, vector->headers);
    add(&headers, "host", s3 ? S3_HOST : HOST);
    if (s3)
        add(&headers, "x-amz-content-sha256", payload);
    add_all(&query, vector->query);
    s3_encode(&path, vector->path, true);
    snprintf(credentials->access_key, sizeof credentials->access_key, "%s", access_key);
    snprintf(credentials->secret_key, sizeof credentials->secret_key, "%s", secret_key);

    const struct s3_signing signing = { .method = vector->method,
                                        .path = buffer_text(&path),
                                        .query = &query,
                                        .headers = &headers,
                                        .payload = payload,
                                        .region = "us-east-1",
                                        .service = s3 ? "s3" : "service",
                                        .date = s3 ? S3_DATE : DATE };
    s3_sign(&got, &signing, credentials);
    snprintf(expected, sizeof expected,
             "AWS4-HMAC-SHA256 Credential=%s/%.8s/us-east-1/%s/aws4_request, SignedHeaders=%s, Signature=%s",
             access_key, signing.date, signing.service, vector->names, vector->signature);
    if (strcmp(buffer_text(&got), expected) != 0)
        fail_msg("%s: got %s", vector->name, buffer_text(&got));

    empty(&headers);
    empty(&query);
    buffer_release(&path);
    buffer_release(&got);
    free(credentials);
}

static void signatures_are_those_of_the_published_suite(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof VECTORS / sizeof *VECTORS; i++)
        check(&VECTORS[i], false, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
}

static void signatures_are_those_of_the_s3_reference(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof S3_VECTORS / sizeof *S3_VECTORS; i++)
        check(&S3_VECTORS[i], true, "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
}

static void everything_but_unreserved_bytes_is_encoded(void **state) {
    struct buffer out = { 0 };
    char all[256];
    size_t plain = 0;
    (void)state;

    for (int i = 1; i < 256; i++)
        all[i - 1] = (char)i;
    all[255] = '\0';
    s3_encode(&out, all, false);
    for (size_t i = 0; i < out.length; i++)
        plain += out.data[i] != '%';
    assert_int_equal(plain, 66 + 2 * (255 - 66));
    buffer_clear(&out);
    s3_encode(&out, "a b+c%d=e&f*g'h\"i//./j\n\xff~", true);
    assert_string_equal(buffer_text(&out), "a%20b%2Bc%25d%3De%26f%2Ag%27h%22i//./j%0A%FF~");
    buffer_clear(&out);
    s3_encode(&out, "a/b", false);
    assert_string_equal(buffer_text(&out), "a%2Fb");
    buffer_release(&out);
}

static void a_query_is_sorted_as_it_is_encoded(void **state) {
    struct s3_header items[FIELDS];
    struct s3_headers query = { items, 0, FIELDS };
    struct buffer out = { 0 };
    (void)state;

    s3_canonical_query(&out, NULL);
    s3_canonical_query(&out, &query);
    assert_int_equal(out.length, 0);
    add(&query, "prefix", "a/b c+d");
    add(&query, "uploads", "");
    add(&query, "a-b", "1");
    add(&query, "a", "2");
    add(&query, "\xc3\xa4", "z");
    add(&query, "a", "10");
    s3_canonical_query(&out, &query);
    assert_string_equal(buffer_text(&out), "%C3%A4=z&a=10&a=2&a-b=1&prefix=a%2Fb%20c%2Bd&uploads=");
    empty(&query);
    buffer_release(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_those_of_the_published_suite),
        cmocka_unit_test(signatures_are_those_of_the_s3_reference),
        cmocka_unit_test(everything_but_unreserved_bytes_is_encoded),
        cmocka_unit_test(a_query_is_sorted_as_it_is_encoded),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
