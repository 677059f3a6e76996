#include <muniment/repo/repo.h>
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The object `muniment`:
 *
 *     muniment repository 1
 *     id <32 hexadecimal digits>
 *     sum <SHA-256 of the lines before, in hexadecimal>
 *
 * Later formats keep its first and its last line, so that a newer repository can be told from a damaged one.
 */
static const char OBJECT[] = "muniment";
static const char FIRST_LINE[] = "muniment repository ";
static const char SUM_LINE[] = "sum ";

enum {
    FORMAT = 1,
    ID_SIZE = 16,
    DIGEST_DIGITS = 2 * SHA256_SIZE,
    SUM_LENGTH = sizeof SUM_LINE - 1 + DIGEST_DIGITS + 1,
    OBJECT_MAX = 4096,
    LOCK_WAIT = 30, /* s for another process that creates the same repository */
};

static void sum_line(char line[SUM_LENGTH + 1], const void *before, size_t length) {
    uint8_t digest[SHA256_SIZE];
    char digits[DIGEST_DIGITS + 1];

    sha256_once(digest, before, length);
    snprintf(line, SUM_LENGTH + 1, "%s%s\n", SUM_LINE, hex_encode(digits, digest, sizeof digest));
}

static bool sum_holds(const struct buffer *content) {
    char line[SUM_LENGTH + 1];

    if (content->length < SUM_LENGTH)
        return false;
    const size_t before = content->length - SUM_LENGTH;
    sum_line(line, content->data, before);
    return memcmp(content->data + before, line, SUM_LENGTH) == 0;
}

/* The id of a `muniment` object whose sum holds. */
static int parse(struct buffer *content, char id[33], struct err *err) {
    uint8_t bytes[ID_SIZE];
    char expected[128];

    if (!sum_holds(content))
        return err_set(err, ERR_CORRUPT, "its checksum does not hold");

    const char *text = buffer_text(content);
    const size_t prefix = strlen(FIRST_LINE);
    if (strncmp(text, FIRST_LINE, prefix) != 0)
        return err_set(err, ERR_CORRUPT, "it does not describe a repository");
    const unsigned long format = strtoul(text + prefix, NULL, 10);
    if (format > FORMAT) {
        err_set(err, ERR_UNSUPPORTED, "the repository has format %lu, and this program knows formats up to %d", format,
                FORMAT);
        return err_hint(err, "use a newer muniment");
    }

    /* One content has one form: what the id makes of it must be what is there. */
    const char *id_line = strchr(text, '\n');
    if (id_line == NULL || strncmp(id_line, "\nid ", 4) != 0 || !hex_decode(bytes, sizeof bytes, id_line + 4))
        return err_set(err, ERR_CORRUPT, "it names no repository id");
    hex_encode(id, bytes, sizeof bytes);
    const int length = snprintf(expected, sizeof expected, "%s%d\nid %s\n", FIRST_LINE, FORMAT, id);
    if ((size_t)length != content->length - SUM_LENGTH || memcmp(text, expected, (size_t)length) != 0)
        return err_set(err, ERR_CORRUPT, "it is malformed");
    return 0;
}

static int load(struct store *store, char id[33], struct err *err) {
    struct buffer content = { 0 };
    int result = store_get(store, OBJECT, OBJECT_MAX, &content, err);

    if (result == 0 && parse(&content, id, err) < 0)
        result = err_wrap(err, "'%s' in '%s'", OBJECT, store_label(store));
    buffer_release(&content);
    return result;
}

static int store_new(struct store *store, struct err *err) {
    struct buffer content = { 0 };
    uint8_t bytes[ID_SIZE];
    char id[2 * ID_SIZE + 1], sum[SUM_LENGTH + 1];

    randombytes_buf(bytes, sizeof bytes);
    buffer_printf(&content, "%s%d\nid %s\n", FIRST_LINE, FORMAT, hex_encode(id, bytes, sizeof bytes));
    sum_line(sum, content.data, content.length);
    buffer_put(&content, sum, SUM_LENGTH);
    const int result = store_put(store, OBJECT, content.data, content.length, err);
    buffer_release(&content);
    return result;
}

int repo_create(struct store *store, struct err *err) {
    struct store_lock *lock = NULL;
    struct err found = { 0 };
    char id[33];

    /* Two that create at once must agree on one id, where the store can make them take turns. */
    if (store_lock_take(store, OBJECT, LOCK_WAIT, &lock, err) < 0)
        return err_wrap(err, "create the repository");
    int result = load(store, id, &found);
    if (result < 0 && found.code == ERR_NOT_FOUND)
        result = store_new(store, err);
    else if (result < 0)
        *err = found;
    store_lock_release(lock);
    return result < 0 ? err_wrap(err, "create the repository") : 0;
}

int repo_open(struct repo *repo, struct store *store, struct keys *keys, struct log *log, struct err *err) {
    *repo = (struct repo){ .store = store, .keys = keys, .log = log };
    if (load(store, repo->id, err) == 0)
        return 0;
    if (err->code == ERR_NOT_FOUND) {
        err_set(err, ERR_NO_REPOSITORY, "there is no repository in '%s'", store_label(store));
        err_hint(err, "'muniment init SET' makes one; if there should be one, %s",
                 s3_is_address(store_label(store))
                     ? "look at bucket and prefix; --as-of TIME reads what was there before"
                     : "is its disk mounted?");
    }
    return err_wrap(err, "open the repository");
}

/* A name that does not fit is made empty, which every store refuses. */
static char *fit(char *name, int length) {
    if (length < 0 || length >= REPO_NAME_MAX)
        name[0] = '\0';
    return name;
}

char *repo_folder(const struct repo *repo, char *name, const char *folder) {
    return fit(name, snprintf(name, REPO_NAME_MAX, "%s/%s", repo->keys->set_name, folder));
}

char *repo_name(const struct repo *repo, char *name, const char *folder, const char *leaf) {
    return fit(name, snprintf(name, REPO_NAME_MAX, "%s/%s/%s", repo->keys->set_name, folder, leaf));
}

char *repo_pack_name(const struct repo *repo, char *name, const uint8_t hash[32]) {
    char digits[DIGEST_DIGITS + 1];

    hex_encode(digits, hash, SHA256_SIZE);
    return fit(name, snprintf(name, REPO_NAME_MAX, "%s/packs/%.2s/%s", repo->keys->set_name, digits, digits));
}

bool repo_name_hash(const char *name, uint8_t hash[32]) {
    const size_t length = strlen(name);

    if (length < DIGEST_DIGITS)
        return false;
    const char *digits = name + length - DIGEST_DIGITS;
    if (digits > name && digits[-1] != '/' && digits[-1] != '-')
        return false;
    return hex_decode(hash, SHA256_SIZE, digits);
}

char *repo_dated_leaf(int64_t when, const uint8_t hash[32]) {
    char time[CLOCK_TEXT], digits[DIGEST_DIGITS + 1];
    return mem_format("%s-%s", clock_format_compact(time, when), hex_encode(digits, hash, SHA256_SIZE));
}

bool repo_leaf_is_dated(const char *leaf, int64_t when) {
    char time[CLOCK_TEXT];
    uint8_t hash[SHA256_SIZE];
    size_t length = strlen(clock_format_compact(time, when));
    return strncmp(leaf, time, length) == 0 && leaf[length] == '-' && strlen(leaf + length + 1) == DIGEST_DIGITS &&
           hex_decode(hash, sizeof hash, leaf + length + 1);
}

const char *repo_below(const struct repo *repo, const char *name) {
    return name + strlen(repo->keys->set_name) + 1;
}

const char *repo_leaf(const char *name) {
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}
