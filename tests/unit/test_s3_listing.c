/* Listings: whole, in order, and never believed to end where they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/s3/listing_internal.h"
#include "../lib/canned_server.h"
#include "../lib/rgw_world.h"
#include "../lib/scratch.h"
#include <muniment/util/memory.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 2100, THREADS = 6 };

struct fixture {
    struct s3 *s3, *faulty; /* the latter through the proxy */
    struct fault_proxy *proxy;
    const char *bucket;
};

static void open_fixture(struct fixture *fixture, const struct rgw_world *world, const char *bucket) {
    *fixture = (struct fixture){ test_rgw_client(NULL), rgw_world_faulty(world, ""), world->proxy, bucket };
}

static void open_plain(struct fixture *fixture, void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    open_fixture(fixture, world, world->plain);
}

static void open_versioned(struct fixture *fixture, void **state) {
    const struct rgw_world *world = rgw_world_of(state);
    open_fixture(fixture, world, world->versioned);
}

static void close_fixture(struct fixture *fixture) {
    s3_close(fixture->s3);
    s3_close(fixture->faulty);
}

static void put(const struct fixture *fixture, const char *key, const char *content) {
    test_rgw_put(fixture->s3, fixture->bucket, key, content);
}

static void hide(const struct fixture *fixture, const char *key) {
    struct err err = { 0 };
    assert_success(s3_delete(fixture->s3, fixture->bucket, key, NULL, &err), &err);
}

/* --- pages ---------------------------------------------------------------------------------------------------------
 */

#define OBJECT_BUT_KEY "<LastModified>2026-11-21T10:20:30.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>5</Size>"
#define OBJECT(key)    "<Contents><Key>" key "</Key>" OBJECT_BUT_KEY "</Contents>"
#define OBJECTS(inner) "<ListBucketResult xmlns=\"http://s3\">" inner "</ListBucketResult>"
#define WHOLE          "<IsTruncated>false</IsTruncated>"
#define CUT            "<IsTruncated>true</IsTruncated>"
#define ENCODED        "<EncodingType>url</EncodingType>"
#define VERSION(key, id, time)                                                                                         \
    "<Version><Key>" key "</Key><VersionId>" id "</VersionId><IsLatest>false</IsLatest><LastModified>" time            \
    "</LastModified><ETag>e</ETag><Size>5</Size></Version>"
#define MARKER(key, id, time, latest)                                                                                  \
    "<DeleteMarker><Key>" key "</Key><VersionId>" id "</VersionId><IsLatest>" latest "</IsLatest><LastModified>" time  \
    "</LastModified></DeleteMarker>"
#define VERSIONS(inner) "<ListVersionsResult>" inner "</ListVersionsResult>"
#define EARLY           "2026-11-21T10:20:30.000Z"
#define LATE            "2026-11-21T10:20:40.000Z"

static int read_page(enum s3_page_kind kind, const char *text, struct s3_page *page, struct err *err) {
    struct buffer answer = { 0 };

    buffer_printf(&answer, "%s", text);
    const int result = s3_page_read(kind, &answer, page, err);
    buffer_release(&answer);
    return result;
}

static void refuses_page(enum s3_page_kind kind, const char *text, enum err_code code, const char *because) {
    struct s3_page page;
    struct err err = { 0 };

    if (read_page(kind, text, &page, &err) == 0)
        fail_msg("%s was taken", text);
    if (err.code != code || !strstr(err.message, because))
        fail_msg("%s: code %d, '%s' does not say '%s'", text, (int)err.code, err.message, because);
}

static void keys_are_decoded_where_the_server_says_that_they_are_encoded(void **state) {
    struct s3_page page;
    struct err err = { 0 };
    (void)state;

    assert_success(read_page(S3_PAGE_OBJECTS, OBJECTS(OBJECT("a+b%2Bc%2f%ff%25") WHOLE ENCODED), &page, &err), &err);
    assert_int_equal(page.count, 1);
    assert_string_equal(page.items[0].key, "a b+c/\xff%");
    assert_string_equal(page.items[0].etag, "e");
    assert_int_equal(page.items[0].size, 5);
    assert_int_equal(page.items[0].time, 1795256430);
    s3_page_release(&page);

    assert_success(read_page(S3_PAGE_OBJECTS, OBJECTS(OBJECT("a+b%2B%&#1;") WHOLE), &page, &err), &err);
    assert_string_equal(page.items[0].key, "a+b%2B%\x01");
    s3_page_release(&page);
}

static void keys_that_cannot_be_are_refused_by_name(void **state) {
    (void)state;
    refuses_page(S3_PAGE_OBJECTS, OBJECTS(OBJECT("a%2Bb%00c") WHOLE ENCODED), ERR_UNSUPPORTED, "'a%2Bb%00c'");
    refuses_page(S3_PAGE_OBJECTS, OBJECTS(OBJECT("a%2") WHOLE ENCODED), ERR_CORRUPT, "'a%2' is not percent-encoded");
    refuses_page(S3_PAGE_OBJECTS, OBJECTS(OBJECT("a%g0") WHOLE ENCODED), ERR_CORRUPT, "not percent-encoded");
    refuses_page(S3_PAGE_OBJECTS, OBJECTS(OBJECT("") WHOLE), ERR_CORRUPT, "0 bytes");

    struct buffer text = { 0 };
    struct s3_page page;
    struct err err = { 0 };
    char key[S3_KEY_MAX + 2];
    for (size_t length = S3_KEY_MAX; length <= S3_KEY_MAX + 1; length++) {
        memset(key, 'k', length);
        key[length] = '\0';
        buffer_clear(&text);
        buffer_printf(&text,
                      "<ListBucketResult>" WHOLE "<Contents><Key>%s</Key>" OBJECT_BUT_KEY "</Contents>"
                      "</ListBucketResult>",
                      key);
        assert_int_equal(s3_page_read(S3_PAGE_OBJECTS, &text, &page, &err), length == S3_KEY_MAX ? 0 : -1);
        s3_page_release(&page);
    }
    buffer_release(&text);
}

static void pages_that_leave_something_unsaid_are_refused(void **state) {
    (void)state;
    refuses_page(S3_PAGE_OBJECTS, OBJECTS(OBJECT("k")), ERR_CORRUPT, "truncated");
    refuses_page(S3_PAGE_OBJECTS, OBJECTS("<IsTruncated/>"), ERR_CORRUPT, "neither true nor false");
    refuses_page(S3_PAGE_OBJECTS, OBJECTS(WHOLE "<Contents><Key>k</Key></Contents>"), ERR_CORRUPT, "'k'");
    refuses_page(S3_PAGE_OBJECTS, OBJECTS(WHOLE "<Contents>" OBJECT_BUT_KEY "</Contents>"), ERR_CORRUPT, "no key");
    refuses_page(S3_PAGE_OBJECTS, OBJECTS(WHOLE "<Contents><Key>k</Key><Key>l</Key></Contents>"), ERR_CORRUPT, "twice");
    refuses_page(S3_PAGE_OBJECTS, OBJECTS(WHOLE "<Contents><Size>-1</Size></Contents>"), ERR_CORRUPT, "number");
    refuses_page(S3_PAGE_OBJECTS, OBJECTS(WHOLE "<Contents><Size>18446744073709551616</Size></Contents>"), ERR_CORRUPT,
                 "number");
    refuses_page(S3_PAGE_OBJECTS, OBJECTS(WHOLE "<Contents><ETag>a\nb</ETag></Contents>"), ERR_CORRUPT, "ETag");
    refuses_page(S3_PAGE_OBJECTS, OBJECTS(WHOLE "<EncodingType>base64</EncodingType>"), ERR_CORRUPT, "base64");
    refuses_page(S3_PAGE_OBJECTS, "<Other>" WHOLE "</Other>", ERR_CORRUPT, "Other");
    refuses_page(S3_PAGE_OBJECTS, "<ListBucketResults>" WHOLE "</ListBucketResults>", ERR_CORRUPT, "ListBucketResults");
    refuses_page(S3_PAGE_VERSIONS, OBJECTS(WHOLE), ERR_UNSUPPORTED, "knows no versions");
    refuses_page(S3_PAGE_OBJECTS, "<ListBucketResult><IsTruncated>false</IsTruncated>", ERR_CORRUPT, "line 1");
}

static void versions_and_markers_that_come_apart_are_put_together(void **state) {
    struct s3_page page;
    struct err err = { 0 };
    struct buffer order = { 0 };
    (void)state;

    assert_success(read_page(S3_PAGE_VERSIONS,
                             VERSIONS(WHOLE VERSION("a", "1", EARLY) VERSION("b", "2", LATE) VERSION("b", "3", EARLY)
                                          MARKER("a", "4", EARLY, "true") MARKER("b", "5", LATE, "true")
                                              MARKER("c", "6", EARLY, "true")),
                             &page, &err),
                   &err);
    s3_page_sort_versions(&page);
    for (size_t i = 0; i < page.count; i++)
        buffer_printf(&order, "%s%s ", page.items[i].key, page.items[i].id);
    assert_string_equal(buffer_text(&order), "a4 a1 b5 b2 b3 c6 ");
    s3_page_release(&page);

    /* One that is out of order by itself stays as it came, to be refused. */
    buffer_clear(&order);
    assert_success(
        read_page(S3_PAGE_VERSIONS, VERSIONS(WHOLE VERSION("b", "1", EARLY) VERSION("a", "2", EARLY)), &page, &err),
        &err);
    s3_page_sort_versions(&page);
    assert_string_equal(page.items[0].key, "b");
    s3_page_release(&page);
    buffer_release(&order);
}

/* --- servers that do not keep to the protocol --------------------------------------------------------------------- */

static int write_object(void *context, const struct s3_listed *object, struct err *err) {
    (void)err;
    buffer_printf(context, "%s ", object->key);
    return 0;
}

static int write_version(void *context, const struct s3_version *version, struct err *err) {
    (void)err;
    buffer_printf(context, "%s:%s%s%s ", version->key, version->hide_marker ? "hidden" : version->version,
                  version->latest ? "*" : "", version->hide_marker && version->etag[0] != '\0' ? "?" : "");
    return 0;
}

enum what { LIST_OBJECTS, LIST_VERSIONS, LIST_UPLOADS };

static int write_upload(void *context, const struct s3_upload *upload, struct err *err) {
    (void)err;
    buffer_printf(context, "%s ", upload->key);
    return 0;
}

/* What comes of these answers: the entries seen, the requests made, the result. */
static int list_canned(enum what what, const char *prefix, const char *const *bodies, struct buffer *seen,
                       struct buffer *requests, struct err *err) {
    struct canned_server *server = canned_server_start(bodies);
    struct s3 *s3 = canned_server_client(server);
    int result;

    if (what == LIST_OBJECTS)
        result = s3_list(s3, "bucket", prefix, NULL, write_object, seen, err);
    else if (what == LIST_VERSIONS)
        result = s3_list_versions(s3, "bucket", prefix, write_version, seen, err);
    else
        result = s3_list_uploads(s3, "bucket", prefix, write_upload, seen, err);
    s3_close(s3);
    canned_server_stop(server, requests);
    return result;
}

static void refuses_answers(enum what what, const char *const *bodies, const char *because) {
    struct buffer seen = { 0 };
    struct err err = { 0 };

    if (list_canned(what, "k", bodies, &seen, NULL, &err) == 0)
        fail_msg("it was taken: %s", buffer_text(&seen));
    if (err.code != ERR_CORRUPT || !strstr(err.message, because) || !strstr(err.message, "bucket"))
        fail_msg("code %d, '%s' does not say '%s'", (int)err.code, err.message, because);
    buffer_release(&seen);
}

static void listings_that_do_not_advance_are_refused(void **state) {
    (void)state;
    refuses_answers(LIST_OBJECTS, (const char *const[]){ OBJECTS(WHOLE OBJECT("k2") OBJECT("k1")), NULL },
                    "'k1' after 'k2'");
    refuses_answers(LIST_OBJECTS, (const char *const[]){ OBJECTS(WHOLE OBJECT("k2") OBJECT("k2")), NULL }, "advance");
    refuses_answers(LIST_OBJECTS, (const char *const[]){ OBJECTS(WHOLE OBJECT("k1") OBJECT("k2")), NULL },
                    "'k1' after 'k2'");
    refuses_answers(LIST_OBJECTS, (const char *const[]){ OBJECTS(WHOLE OBJECT("j")), NULL }, "prefix");
    /* UTF-16 sorts U+10000 before U+FFFD. */
    refuses_answers(LIST_OBJECTS,
                    (const char *const[]){ OBJECTS(WHOLE OBJECT("k\xf0\x90\x80\x80") OBJECT("k\xef\xbf\xbd")), NULL },
                    "'k\xef\xbf\xbd' after 'k\xf0\x90\x80\x80'");
    refuses_answers(LIST_VERSIONS,
                    (const char *const[]){ VERSIONS(WHOLE VERSION("k2", "1", EARLY) VERSION("k1", "1", EARLY)), NULL },
                    "'k1' after 'k2'");
    refuses_answers(LIST_UPLOADS,
                    (const char *const[]){ "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>"
                                           "<NextKeyMarker>k</NextKeyMarker></ListMultipartUploadsResult>",
                                           NULL },
                    "where it goes on");
}

static void versions_that_go_round_in_circles_are_refused(void **state) {
    static const char *const circle[] = {
        VERSIONS(CUT VERSION("k", "1", EARLY) VERSION("k", "2", EARLY) VERSION("k", "3", EARLY)),
        VERSIONS(CUT VERSION("k", "4", EARLY) VERSION("k", "5", EARLY)),
        VERSIONS(CUT VERSION("k", "2", EARLY) VERSION("k", "3", EARLY)),
        VERSIONS(CUT VERSION("k", "4", EARLY) VERSION("k", "5", EARLY)),
        VERSIONS(CUT VERSION("k", "2", EARLY) VERSION("k", "3", EARLY)),
        VERSIONS(CUT VERSION("k", "4", EARLY) VERSION("k", "5", EARLY)),
        VERSIONS(CUT VERSION("k", "2", EARLY) VERSION("k", "3", EARLY)),
        VERSIONS(CUT VERSION("k", "4", EARLY) VERSION("k", "5", EARLY)),
        VERSIONS(WHOLE),
        NULL,
    };
    (void)state;
    refuses_answers(LIST_VERSIONS, circle, "repeats");
}

static void an_empty_page_that_is_not_the_last_is_followed(void **state) {
    static const char *const objects[] = {
        OBJECTS(CUT "<NextContinuationToken>t+1/=</NextContinuationToken>"),
        OBJECTS(CUT "<NextContinuationToken>t2</NextContinuationToken>"),
        OBJECTS(WHOLE OBJECT("k1")),
        OBJECTS(WHOLE),
        NULL,
    };
    static const char *const versions[] = {
        VERSIONS(CUT "<NextKeyMarker>k0</NextKeyMarker><NextVersionIdMarker>9</NextVersionIdMarker>"),
        VERSIONS(CUT VERSION("k1", "1", EARLY)),
        /* The marker itself again, as some servers do, and nothing else. */
        VERSIONS(WHOLE VERSION("k1", "1", EARLY)),
        NULL,
    };
    struct buffer seen = { 0 }, requests = { 0 };
    struct err err = { 0 };
    (void)state;

    assert_success(list_canned(LIST_OBJECTS, "k", objects, &seen, &requests, &err), &err);
    assert_string_equal(buffer_text(&seen), "k1 ");
    assert_non_null(strstr(buffer_text(&requests), "continuation-token=t%2B1%2F%3D&"));
    assert_non_null(strstr(buffer_text(&requests), "continuation-token=t2&"));
    assert_non_null(strstr(buffer_text(&requests), "start-after=k1 HTTP/1.1\n"));

    buffer_clear(&seen);
    buffer_clear(&requests);
    assert_success(list_canned(LIST_VERSIONS, "k", versions, &seen, &requests, &err), &err);
    assert_string_equal(buffer_text(&seen), "k1:1 ");
    assert_non_null(strstr(buffer_text(&requests), "key-marker=k0&"));
    assert_non_null(strstr(buffer_text(&requests), "version-id-marker=9&"));
    assert_non_null(strstr(buffer_text(&requests), "key-marker=k1&"));

    refuses_answers(LIST_OBJECTS, (const char *const[]){ OBJECTS(CUT), NULL }, "where it goes on");
    refuses_answers(LIST_OBJECTS, (const char *const[]){ objects[0], objects[0], NULL }, "where it goes on");
    buffer_release(&seen);
    buffer_release(&requests);
}

/* --- a real server ------------------------------------------------------------------------------------------------ */

/* Keys of every kind that there is, and many. RGW takes only UTF-8. */
static size_t make_keys(char **keys) {
    static const char *const odd[] = { "k a",
                                       "k+a",
                                       "k%a",
                                       "k%20a",
                                       "k=a&b",
                                       "k*a",
                                       "k'a\"a",
                                       "k//a",
                                       "k/./a",
                                       "k/../a",
                                       "k/",
                                       "k<a>&amp;",
                                       "k?a#a",
                                       "k\\a",
                                       "k\xc3\xa4",
                                       "ka\xcc\x88",
                                       "k\xef\xbf\xbd",
                                       "k\xf0\x90\x80\x80",
                                       "k~",
                                       "k\x7f" };
    size_t count = 0;

    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        keys[count++] = mem_string(odd[i]);
    for (int byte = 1; byte < 0x20; byte++)
        keys[count++] = mem_format("k%c%c", byte, byte);
    keys[count] = mem_alloc(S3_KEY_MAX + 1);
    memset(keys[count], 'k', S3_KEY_MAX);
    keys[count++][S3_KEY_MAX] = '\0';
    while (count < MANY - 2) {
        keys[count] = mem_format("k%zu/%c_ %zu", count % 7, (int)(1 + count % 31), count);
        count++;
    }
    keys[count++] = mem_string("j");
    keys[count++] = mem_string("l");
    return count;
}

struct share {
    const struct fixture *fixture;
    char **keys;
    size_t first, count;
    bool remove;
};

static void *put_share(void *context) {
    const struct share *share = context;
    struct err err = { 0 };
    for (size_t i = share->first; i < share->count; i += THREADS)
        if (share->remove)
            assert_success(s3_delete(share->fixture->s3, share->fixture->bucket, share->keys[i], NULL, &err), &err);
        else
            put(share->fixture, share->keys[i], "");
    return NULL;
}

static void for_all(const struct fixture *fixture, char **keys, size_t count, bool remove) {
    pthread_t threads[THREADS];
    struct share shares[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        shares[i] = (struct share){ fixture, keys, i, count, remove };
        assert_int_equal(pthread_create(&threads[i], NULL, put_share, &shares[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static int compare_keys(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Entries are to be those of `keys`, from `at` on. */
struct expected {
    char **keys;
    size_t at;
    bool versions;
};

static int expect_object(void *context, const struct s3_listed *object, struct err *err) {
    struct expected *expected = context;
    (void)err;
    assert_string_equal(object->key, expected->keys[expected->at++]);
    assert_int_equal(object->size, 0);
    assert_string_equal(object->etag, "d41d8cd98f00b204e9800998ecf8427e");
    assert_true(object->modified > 1700000000);
    return 0;
}

static int expect_version(void *context, const struct s3_version *version, struct err *err) {
    struct expected *expected = context;
    (void)err;
    assert_string_equal(version->key, expected->keys[expected->at++]);
    assert_string_equal(version->version, "null");
    assert_true(version->latest);
    assert_false(version->hide_marker);
    return 0;
}

static size_t first_after(char **keys, size_t count, const char *key) {
    size_t i = 0;
    while (i < count && strcmp(keys[i], key) <= 0)
        i++;
    return i;
}

static void thousands_of_odd_keys_come_in_order(void **state) {
    struct fixture fixture;
    struct err err = { 0 };
    char **keys = mem_array(MANY, sizeof *keys);
    struct expected expected = { .keys = keys };

    open_plain(&fixture, state);
    const size_t count = make_keys(keys);
    for_all(&fixture, keys, count, false);
    qsort(keys, count, sizeof *keys, compare_keys);

    assert_success(s3_list(fixture.s3, fixture.bucket, NULL, NULL, expect_object, &expected, &err), &err);
    assert_int_equal(expected.at, count);
    expected.at = 1;
    assert_success(s3_list(fixture.s3, fixture.bucket, "k", NULL, expect_object, &expected, &err), &err);
    assert_int_equal(expected.at, count - 1);
    expected.at = 1;
    assert_success(s3_list_versions(fixture.s3, fixture.bucket, "k", expect_version, &expected, &err), &err);
    assert_int_equal(expected.at, count - 1);

    /* From a key that is there, and from one that is not. */
    expected.at = first_after(keys, count, "k3/");
    assert_success(s3_list(fixture.s3, fixture.bucket, "", "k3/", expect_object, &expected, &err), &err);
    assert_int_equal(expected.at, count);
    expected.at = first_after(keys, count, keys[1234]);
    assert_int_equal(expected.at, 1235);
    assert_success(s3_list(fixture.s3, fixture.bucket, "k", keys[1234], expect_object, &expected, &err), &err);
    assert_int_equal(expected.at, count - 1);

    for_all(&fixture, keys, count, true);
    close_fixture(&fixture);
    mem_free_strings(keys, count);
}

static void an_empty_listing_is_one_request_and_others_end_with_a_proof(void **state) {
    struct fixture fixture;
    struct buffer seen = { 0 };
    struct err err = { 0 };

    open_plain(&fixture, state);
    assert_success(s3_list(fixture.faulty, fixture.bucket, "proof", NULL, write_object, &seen, &err), &err);
    assert_int_equal(fault_proxy_count(fixture.proxy, "list"), 1);
    put(&fixture, "proof", "1");
    fault_proxy_set(fixture.proxy, "");
    assert_success(s3_list(fixture.faulty, fixture.bucket, "proof", NULL, write_object, &seen, &err), &err);
    assert_string_equal(buffer_text(&seen), "proof ");
    assert_int_equal(fault_proxy_count(fixture.proxy, "list"), 2);
    close_fixture(&fixture);
    buffer_release(&seen);
}

static void listings_that_end_early_are_whole(void **state) {
    struct fixture fixture;
    struct buffer seen = { 0 }, all = { 0 };
    struct err err = { 0 };
    char key[16];

    open_versioned(&fixture, state);
    for (int i = 0; i < 7; i++) {
        snprintf(key, sizeof key, "k%d", i);
        put(&fixture, key, "1");
        put(&fixture, key, "2");
    }
    for (int i = 0; i < 5; i++)
        put(&fixture, "k3", "again");
    hide(&fixture, "k6");
    assert_success(s3_list_versions(fixture.s3, fixture.bucket, NULL, write_version, &all, &err), &err);

    fault_proxy_set(fixture.proxy, "short keep=2");
    assert_success(s3_list(fixture.faulty, fixture.bucket, NULL, NULL, write_object, &seen, &err), &err);
    assert_string_equal(buffer_text(&seen), "k0 k1 k2 k3 k4 k5 ");
    assert_int_equal(fault_proxy_count(fixture.proxy, "list"), 4);

    buffer_clear(&seen);
    assert_success(s3_list_versions(fixture.faulty, fixture.bucket, NULL, write_version, &seen, &err), &err);
    assert_string_equal(buffer_text(&seen), buffer_text(&all));
    assert_true(fault_proxy_count(fixture.proxy, "versions") > 10);
    close_fixture(&fixture);
    buffer_release(&seen);
    buffer_release(&all);
}

struct history {
    char *key;
    size_t count, markers;
    int64_t last;
    char *first_version;
};

static int follow_history(void *context, const struct s3_version *version, struct err *err) {
    struct history *history = context;
    (void)err;
    if (strcmp(version->key, history->key) != 0)
        return 0;
    assert_int_equal(version->latest, history->count == 0);
    if (history->count++ > 0)
        assert_true(version->modified <= history->last);
    else
        history->first_version = mem_string(version->version);
    history->last = version->modified;
    history->markers += version->hide_marker;
    assert_string_equal(version->etag, version->hide_marker ? "" : "c4ca4238a0b923820dcc509a6f75849b");
    return 0;
}

static void versions_of_a_key_come_newest_first_with_their_markers(void **state) {
    struct fixture fixture;
    char key[] = "a b+\x01";
    struct history history = { .key = key };
    struct s3_info info;
    struct err err = { 0 };

    open_versioned(&fixture, state);
    put(&fixture, "a", "1");
    put(&fixture, key, "1");
    put(&fixture, key, "1");
    hide(&fixture, key);
    put(&fixture, key, "1");
    hide(&fixture, key);
    put(&fixture, "b", "1");
    assert_success(s3_list_versions(fixture.s3, fixture.bucket, NULL, follow_history, &history, &err), &err);
    assert_int_equal(history.count, 5);
    assert_int_equal(history.markers, 2);

    /* Without its marker the object is there again. */
    assert_failure(s3_head(fixture.s3, fixture.bucket, key, NULL, &info, &err), ERR_NOT_FOUND, &err);
    assert_success(s3_delete(fixture.s3, fixture.bucket, key, history.first_version, &err), &err);
    assert_success(s3_head(fixture.s3, fixture.bucket, key, NULL, &info, &err), &err);
    s3_info_release(&info);
    free(history.first_version);
    close_fixture(&fixture);
}

static int take_two(void *context, const struct s3_listed *object, struct err *err) {
    int *left = context;
    (void)object;
    return --*left > 0 ? 0 : err_set(err, ERR_REFUSED, "enough");
}

static void the_callback_may_end_it(void **state) {
    struct fixture fixture;
    struct err err = { 0 };
    int left = 2;

    open_plain(&fixture, state);
    put(&fixture, "a", "1");
    put(&fixture, "b", "1");
    put(&fixture, "c", "1");
    assert_failure(s3_list(fixture.s3, fixture.bucket, NULL, NULL, take_two, &left, &err), ERR_REFUSED, &err);
    assert_int_equal(left, 0);
    close_fixture(&fixture);
}

static void what_is_no_bucket_and_what_knows_no_versions_is_said(void **state) {
    struct fixture fixture;
    struct buffer seen = { 0 };
    struct err err = { 0 };

    open_plain(&fixture, state);
    assert_int_equal(s3_list(fixture.s3, "no-such-bucket", NULL, NULL, write_object, &seen, &err), -1);
    assert_int_equal(err.code, ERR_NO_BUCKET);
    assert_non_null(strstr(err.message, "NoSuchBucket"));
    err_clear(&err);
    assert_int_equal(s3_list_versions(fixture.s3, "no-such-bucket", NULL, write_version, &seen, &err), -1);
    assert_int_equal(err.code, ERR_NO_BUCKET);
    err_clear(&err);

    fault_proxy_set(fixture.proxy, "status code=501 error=NotImplemented kind=versions");
    assert_failure(s3_list_versions(fixture.faulty, fixture.bucket, NULL, write_version, &seen, &err), ERR_UNSUPPORTED,
                   &err);

    struct s3 *s3 = test_rgw_client_v2(NULL);
    assert_failure(s3_list_versions(s3, fixture.bucket, NULL, write_version, &seen, &err), ERR_UNSUPPORTED, &err);
    assert_failure(s3_list_uploads(s3, fixture.bucket, NULL, write_upload, &seen, &err), ERR_UNSUPPORTED, &err);
    put(&fixture, "v2-a", "1");
    put(&fixture, "v2-b", "1");
    assert_success(s3_list(s3, fixture.bucket, "v2", "v2-a", write_object, &seen, &err), &err);
    assert_string_equal(buffer_text(&seen), "v2-b ");
    s3_close(s3);
    close_fixture(&fixture);
    buffer_release(&seen);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_decoded_where_the_server_says_that_they_are_encoded),
        cmocka_unit_test(keys_that_cannot_be_are_refused_by_name),
        cmocka_unit_test(pages_that_leave_something_unsaid_are_refused),
        cmocka_unit_test(versions_and_markers_that_come_apart_are_put_together),
        cmocka_unit_test(listings_that_do_not_advance_are_refused),
        cmocka_unit_test(versions_that_go_round_in_circles_are_refused),
        cmocka_unit_test(an_empty_page_that_is_not_the_last_is_followed),
        cmocka_unit_test(thousands_of_odd_keys_come_in_order),
        cmocka_unit_test(an_empty_listing_is_one_request_and_others_end_with_a_proof),
        cmocka_unit_test(listings_that_end_early_are_whole),
        cmocka_unit_test(versions_of_a_key_come_newest_first_with_their_markers),
        cmocka_unit_test(the_callback_may_end_it),
        cmocka_unit_test(what_is_no_bucket_and_what_knows_no_versions_is_said),
    };
    return cmocka_run_group_tests_name("s3_listing", tests, rgw_world_make, rgw_world_drop);
}
