#include "s3_internal.h"
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char ALGORITHM[] = "AWS4-HMAC-SHA256";

enum { DAY_LENGTH = 8 }; /* of "20261121T102030Z" */

void s3_encode(struct buffer *out, const char *text, bool slashes) {
    static const char DIGITS[] = "0123456789ABCDEF";

    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if ((*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '-' ||
            *at == '.' || *at == '_' || *at == '~' || (*at == '/' && slashes)) {
            buffer_put_u8(out, *at);
        } else {
            buffer_put_u8(out, '%');
            buffer_put_u8(out, (uint8_t)DIGITS[*at >> 4]);
            buffer_put_u8(out, (uint8_t)DIGITS[*at & 15]);
        }
    }
}

/* --- the query ---------------------------------------------------------------------------------------------------- */

struct pair {
    struct buffer name, value;
};

static int compare_pairs(const void *one, const void *two) {
    struct pair *a = *(struct pair *const *)one, *b = *(struct pair *const *)two;
    const int names = strcmp(buffer_text(&a->name), buffer_text(&b->name));
    return names != 0 ? names : strcmp(buffer_text(&a->value), buffer_text(&b->value));
}

void s3_canonical_query(struct buffer *out, const struct s3_headers *query) {
    if (!query || query->count == 0)
        return;
    struct pair *pairs = mem_array(query->count, sizeof *pairs);
    struct pair **sorted = mem_array(query->count, sizeof *sorted);

    for (size_t i = 0; i < query->count; i++) {
        s3_encode(&pairs[i].name, query->items[i].name, false);
        s3_encode(&pairs[i].value, query->items[i].value, false);
        sorted[i] = &pairs[i];
    }
    /* Encoding changes the order ('%' sorts before letters), so it comes first. */
    qsort(sorted, query->count, sizeof(struct pair *), compare_pairs);
    for (size_t i = 0; i < query->count; i++)
        buffer_printf(out, "%s%s=%s", i > 0 ? "&" : "", buffer_text(&sorted[i]->name), buffer_text(&sorted[i]->value));

    for (size_t i = 0; i < query->count; i++) {
        buffer_release(&pairs[i].name);
        buffer_release(&pairs[i].value);
    }
    free(sorted);
    free(pairs);
}

/* --- headers ------------------------------------------------------------------------------------------------------ */

/* By name; the values of one name keep their order, which is their meaning. */
static int compare_headers(const void *one, const void *two) {
    const struct s3_header *a = *(const struct s3_header *const *)one, *b = *(const struct s3_header *const *)two;
    const int names = strcmp(a->name, b->name);
    return names != 0 ? names : (a > b) - (a < b);
}

static bool is_blank(char letter) {
    return letter == ' ' || letter == '\t';
}

/* Without blanks around it, and with runs of them as one space. */
static void put_trimmed(struct buffer *out, const char *value) {
    bool started = false;

    while (*value != '\0') {
        if (is_blank(*value)) {
            while (is_blank(*value))
                value++;
            if (started && *value != '\0')
                buffer_put_u8(out, ' ');
        } else {
            buffer_put_u8(out, (uint8_t)*value++);
            started = true;
        }
    }
}

static void put_headers(const struct s3_headers *headers, struct buffer *canonical, struct buffer *names) {
    const struct s3_header **sorted = mem_array(headers->count, sizeof *sorted);

    for (size_t i = 0; i < headers->count; i++)
        sorted[i] = &headers->items[i];
    qsort(sorted, headers->count, sizeof(const struct s3_header *), compare_headers);
    for (size_t i = 0; i < headers->count; i++) {
        const bool again = i > 0 && strcmp(sorted[i]->name, sorted[i - 1]->name) == 0;
        if (!again)
            buffer_printf(names, "%s%s", i > 0 ? ";" : "", sorted[i]->name);
        if (!again)
            buffer_printf(canonical, "%s%s:", i > 0 ? "\n" : "", sorted[i]->name);
        else
            buffer_put_u8(canonical, ',');
        put_trimmed(canonical, sorted[i]->value);
    }
    if (headers->count > 0)
        buffer_put_u8(canonical, '\n');
    free(sorted);
}

/* --- the signature ------------------------------------------------------------------------------------------------ */

static void hmac(uint8_t out[SHA256_SIZE], const void *key, size_t key_length, const char *text) {
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, key, key_length);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)text, strlen(text));
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

/* A key that is good for one day, region and service. */
static void derive_key(uint8_t key[SHA256_SIZE], const struct s3_signing *signing, const char *day,
                       const char *secret) {
    char first[4 + S3_SECRET_MAX] = "AWS4";
    size_t length = strnlen(secret, S3_SECRET_MAX - 1);

    memcpy(first + 4, secret, length);
    hmac(key, first, 4 + length, day);
    hmac(key, key, SHA256_SIZE, signing->region);
    hmac(key, key, SHA256_SIZE, signing->service);
    hmac(key, key, SHA256_SIZE, "aws4_request");
    sodium_memzero(first, sizeof first);
}

void s3_sign(struct buffer *out, const struct s3_signing *signing, const struct s3_credentials *credentials) {
    struct buffer request = { 0 }, names = { 0 }, scope = { 0 }, text = { 0 };
    uint8_t digest[SHA256_SIZE], key[SHA256_SIZE];
    char digits[2 * SHA256_SIZE + 1], day[DAY_LENGTH + 1] = "";

    buffer_printf(&request, "%s\n%s\n", signing->method, signing->path);
    s3_canonical_query(&request, signing->query);
    buffer_put_u8(&request, '\n');
    put_headers(signing->headers, &request, &names);
    buffer_printf(&request, "\n%s\n%s", buffer_text(&names), signing->payload);

    memcpy(day, signing->date, strnlen(signing->date, DAY_LENGTH));
    buffer_printf(&scope, "%s/%s/%s/aws4_request", day, signing->region, signing->service);
    sha256_once(digest, request.data, request.length);
    buffer_printf(&text, "%s\n%s\n%s\n%s", ALGORITHM, signing->date, buffer_text(&scope),
                  hex_encode(digits, digest, sizeof digest));

    derive_key(key, signing, day, credentials->secret_key);
    hmac(digest, key, sizeof key, buffer_text(&text));
    buffer_printf(out, "%s Credential=%s/%s, SignedHeaders=%s, Signature=%s", ALGORITHM, credentials->access_key,
                  buffer_text(&scope), buffer_text(&names), hex_encode(digits, digest, sizeof digest));

    sodium_memzero(key, sizeof key);
    buffer_wipe(&request); /* it may hold a session token */
    buffer_release(&names);
    buffer_release(&scope);
    buffer_release(&text);
}
