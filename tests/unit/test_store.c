/*
 * What every kind of store keeps. The tests know a store only through its interface and a factory, which stands for
 * one place that can be opened again and again; a kind of store joins by adding its factory to FACTORIES.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <muniment/store/store.h>
#include <muniment/util/memory.h>

#include "../lib/fault_proxy.h"
#include "../lib/scratch.h"
#include "../lib/scratch_bucket.h"

struct store_factory {
    const char *kind;
    void *(*make)(void); /* an empty place of this kind */
    void (*remove)(void *place);
    int (*open)(void *place, struct store **store, struct err *err);
    bool bucket; /* needs a server */
};

static void *make_directory(void) {
    return scratch_make();
}

static void remove_directory(void *place) {
    scratch_remove(place);
}

static int open_directory(void *place, struct store **store, struct err *err) {
    const struct store_address address = { .path = place };
    return store_open(&address, false, store, err);
}

/* Buckets are made once and for all tests; each place is a prefix of its own. */
static char *buckets[TEST_BUCKET_LOCKED + 1];

static struct scratch_bucket *make_place(enum test_bucket kind, const char *endpoint) {
    static unsigned made;
    char prefix[32];

    if (buckets[kind] == NULL)
        buckets[kind] = test_rgw_bucket(kind);
    snprintf(prefix, sizeof prefix, "place/%u", made++);
    return scratch_bucket_make(buckets[kind], prefix, endpoint);
}

static void *make_plain(void) {
    return make_place(TEST_BUCKET_PLAIN, NULL);
}

static void *make_versioned(void) {
    return make_place(TEST_BUCKET_VERSIONED, NULL);
}

static void *make_locking(void) {
    return make_place(TEST_BUCKET_LOCKED, NULL);
}

static void *make_v2(void) {
    struct scratch_bucket *place = make_place(TEST_BUCKET_PLAIN, NULL);

    place->services.items[0].signature = S3_SIGNATURE_V2;
    return place;
}

/* What B2 refuses is refused there. */
static struct fault_proxy *proxy;

static void *make_proxied(void) {
    if (proxy == NULL)
        proxy = fault_proxy_start();
    return make_place(TEST_BUCKET_VERSIONED, fault_proxy_endpoint(proxy));
}

static void remove_bucket(void *place) {
    scratch_bucket_free(place);
}

static int open_bucket(void *place, struct store **store, struct err *err) {
    const struct scratch_bucket *bucket = place;
    const struct store_address address = { .path = bucket->address, .services = &bucket->services };
    return store_open(&address, false, store, err);
}

static int open_locking(void *place, struct store **store, struct err *err) {
    const struct scratch_bucket *bucket = place;
    const struct store_address address = { .path = bucket->address,
                                           .services = &bucket->services,
                                           .lock = S3_LOCK_COMPLIANCE };
    return store_open(&address, false, store, err);
}

static void drop_buckets(void) {
    if (proxy != NULL)
        fault_proxy_stop(proxy);
    for (size_t i = 0; i < sizeof buckets / sizeof buckets[0]; i++)
        if (buckets[i] != NULL)
            test_rgw_drop(buckets[i]);
}

static const struct store_factory FACTORIES[] = {
    { "directory", make_directory, remove_directory, open_directory, false },
    { "bucket", make_plain, remove_bucket, open_bucket, true },
    { "bucket with versions", make_versioned, remove_bucket, open_bucket, true },
    { "bucket with object lock", make_locking, remove_bucket, open_locking, true },
    { "bucket, signature V2", make_v2, remove_bucket, open_bucket, true },
    { "bucket with the manners of B2", make_proxied, remove_bucket, open_bucket, true },
};

/*
 * One place and one open store a test
 */

struct fixture {
    const struct store_factory *factory;
    void *place;
    struct store *store;
};

static struct store *open_again(const struct fixture *fixture) {
    struct store *store = NULL;
    struct err err = { 0 };

    assert_success(fixture->factory->open(fixture->place, &store, &err), &err);
    return store;
}

static int make_fixture(void **state) {
    struct fixture *fixture = mem_zalloc(sizeof *fixture);

    fixture->factory = *state;
    fixture->place = fixture->factory->make();
    fixture->store = open_again(fixture);
    *state = fixture;
    return 0;
}

static int remove_fixture(void **state) {
    struct fixture *fixture = *state;

    store_close(fixture->store);
    fixture->factory->remove(fixture->place);
    free(fixture);
    return 0;
}

static void put(struct store *store, const char *name, const char *text) {
    struct err err = { 0 };
    assert_success(store_put(store, name, text, strlen(text), &err), &err);
}

static void assert_object(struct store *store, const char *name, const char *expected) {
    struct buffer content = { 0 };
    struct err err = { 0 };

    assert_success(store_get(store, name, 1 << 20, &content, &err), &err);
    assert_string_equal(buffer_text(&content), expected);
    buffer_release(&content);
}

/* The names below `prefix`, joined by spaces, in the order in which they were listed. */
static void assert_listing(struct store *store, const char *prefix, const char *expected) {
    struct store_names names;
    struct buffer joined = { 0 };
    struct err err = { 0 };

    assert_success(store_names_load(store, prefix, &names, &err), &err);
    for (size_t i = 0; i < names.count; i++)
        buffer_printf(&joined, "%s%s", i > 0 ? " " : "", names.items[i].name);
    assert_string_equal(buffer_text(&joined), expected);
    buffer_release(&joined);
    store_names_release(&names);
}

/*
 * Objects
 */

static void what_was_put_is_read_listed_and_measured(void **state) {
    const struct fixture *fixture = *state;
    struct err err = { 0 };
    uint64_t size = 0;
    int64_t modified = 0;

    put(fixture->store, "set/packs/ab/one", "first");
    put(fixture->store, "muniment", "");
    assert_object(fixture->store, "set/packs/ab/one", "first");
    assert_object(fixture->store, "muniment", "");
    assert_listing(fixture->store, "", "muniment set/packs/ab/one");
    assert_success(store_stat(fixture->store, "set/packs/ab/one", &size, &modified, &err), &err);
    assert_int_equal(size, 5);
    assert_true(modified > 1500000000);

    struct store *other = open_again(fixture);
    assert_object(other, "set/packs/ab/one", "first");
    store_close(other);
}

static void a_put_replaces_what_was_there(void **state) {
    const struct fixture *fixture = *state;

    put(fixture->store, "a", "a longer first content");
    put(fixture->store, "a", "second");
    assert_object(fixture->store, "a", "second");
    assert_listing(fixture->store, "", "a");
}

static void an_absent_object_is_not_found(void **state) {
    const struct fixture *fixture = *state;
    struct buffer content = { 0 };
    struct err err = { 0 };
    uint64_t size;
    int64_t modified;
    char byte;

    put(fixture->store, "folder/object", "x");
    assert_failure(store_get(fixture->store, "absent", 10, &content, &err), ERR_NOT_FOUND, &err);
    assert_failure(store_get(fixture->store, "folder/absent", 10, &content, &err), ERR_NOT_FOUND, &err);
    assert_failure(store_get_range(fixture->store, "no/folder", 0, &byte, 1, &err), ERR_NOT_FOUND, &err);
    assert_failure(store_stat(fixture->store, "absent", &size, &modified, &err), ERR_NOT_FOUND, &err);
    buffer_release(&content);
}

static void an_object_larger_than_expected_is_corrupt_and_not_read(void **state) {
    const struct fixture *fixture = *state;
    struct buffer content = { 0 };
    struct err err = { 0 };

    put(fixture->store, "a", "12345");
    buffer_put(&content, "kept", 4);
    assert_failure(store_get(fixture->store, "a", 4, &content, &err), ERR_CORRUPT, &err);
    assert_string_equal(buffer_text(&content), "kept");
    assert_success(store_get(fixture->store, "a", 5, &content, &err), &err);
    assert_string_equal(buffer_text(&content), "kept12345");
    buffer_release(&content);
}

static void a_range_is_read_exactly_or_the_object_is_corrupt(void **state) {
    const struct fixture *fixture = *state;
    struct err err = { 0 };
    char part[8] = "";

    put(fixture->store, "a", "0123456789");
    assert_success(store_get_range(fixture->store, "a", 3, part, 4, &err), &err);
    assert_string_equal(part, "3456");
    assert_success(store_get_range(fixture->store, "a", 9, part, 1, &err), &err);
    assert_int_equal(part[0], '9');
    assert_success(store_get_range(fixture->store, "a", 10, part, 0, &err), &err);
    assert_failure(store_get_range(fixture->store, "a", 9, part, 2, &err), ERR_CORRUPT, &err);
    assert_failure(store_get_range(fixture->store, "a", 11, part, 1, &err), ERR_CORRUPT, &err);
    assert_failure(store_get_range(fixture->store, "a", UINT64_MAX, part, 2, &err), ERR_CORRUPT, &err);
}

static void removing_can_be_repeated(void **state) {
    const struct fixture *fixture = *state;
    struct buffer content = { 0 };
    struct err err = { 0 };

    put(fixture->store, "folder/a", "x");
    put(fixture->store, "folder/b", "x");
    assert_success(store_remove(fixture->store, "folder/a", NULL, &err), &err);
    assert_success(store_remove(fixture->store, "folder/a", NULL, &err), &err);
    assert_success(store_remove(fixture->store, "never/was", NULL, &err), &err);
    assert_failure(store_get(fixture->store, "folder/a", 10, &content, &err), ERR_NOT_FOUND, &err);
    assert_listing(fixture->store, "", "folder/b");
    put(fixture->store, "folder/a", "again");
    assert_object(fixture->store, "folder/a", "again");
    buffer_release(&content);
}

static int never_called(void *context, const struct store_object *object, struct err *err) {
    (void)context;
    return err_set(err, ERR_SOURCE, "called for %s", object->name);
}

static void a_name_that_no_object_can_have_is_refused(void **state) {
    static const char *const wrong[] = {
        "",       "/",     "/a", "a/",     "a//b", ".",    "..",   "../a",
        "a/../b", "a/./b", ".a", "a/.b",   "a b",  "a\nb", "a\\b", "gr\xc3\xbc\xc3\x9f",
        "a+b",    "a:b",   "~",  "a/b/.c", "*"
    };
    const struct fixture *fixture = *state;
    struct store_upload *upload;
    struct store_lock *lock;
    struct buffer content = { 0 };
    struct err err = { 0 };
    char too_long[STORE_NAME_MAX + 2], longest[STORE_NAME_MAX + 1], byte;
    uint64_t size;

    for (size_t i = 0; i < sizeof too_long; i++)
        too_long[i] = i % 50 == 49 ? '/' : 'x';
    too_long[sizeof too_long - 1] = '\0';
    memcpy(longest, too_long, sizeof longest);
    longest[sizeof longest - 1] = '\0';

    for (size_t i = 0; i <= sizeof wrong / sizeof wrong[0]; i++) {
        const char *name = i < sizeof wrong / sizeof wrong[0] ? wrong[i] : too_long;
        assert_failure(store_put(fixture->store, name, "x", 1, &err), ERR_INVALID, &err);
        assert_failure(store_get(fixture->store, name, 10, &content, &err), ERR_INVALID, &err);
        assert_failure(store_get_range(fixture->store, name, 0, &byte, 1, &err), ERR_INVALID, &err);
        assert_failure(store_stat(fixture->store, name, &size, NULL, &err), ERR_INVALID, &err);
        assert_failure(store_remove(fixture->store, name, NULL, &err), ERR_INVALID, &err);
        assert_failure(store_lock_take(fixture->store, name, 0, &lock, &err), ERR_INVALID, &err);
        assert_success(store_upload_begin(fixture->store, &upload, &err), &err);
        assert_failure(store_upload_commit(upload, name, &err), ERR_INVALID, &err);
        if (*name != '\0')
            assert_failure(store_list(fixture->store, name, never_called, NULL, &err), ERR_INVALID, &err);
    }
    assert_listing(fixture->store, "", "");
    put(fixture->store, longest, "x");
    put(fixture->store, "A-z_0.9", "x");
    assert_object(fixture->store, longest, "x");
    buffer_release(&content);
}

/*
 * Listing
 */

static void a_listing_is_sorted_by_whole_names(void **state) {
    const struct fixture *fixture = *state;

    /* '-' and '.' sort before '/', digits and letters after it. */
    put(fixture->store, "a/b", "");
    put(fixture->store, "a-b", "");
    put(fixture->store, "a.b/c", "");
    put(fixture->store, "a0", "");
    put(fixture->store, "a-b.c", "");
    put(fixture->store, "a/b-c/d", "");
    put(fixture->store, "B", "");
    assert_listing(fixture->store, "", "B a-b a-b.c a.b/c a/b a/b-c/d a0");
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void many_names_come_back_in_order(void **state) {
    enum { MOST = 300 };
    static const char letters[] = "ab-._/Z0";
    const struct fixture *fixture = *state;
    const size_t wanted = fixture->factory->bucket ? 60 : MOST;
    char *made[MOST];
    struct store_names names;
    struct err err = { 0 };
    uint32_t random = 12345;
    size_t count = 0;

    while (count < wanted) {
        /* A leaf of its own keeps an object's name from being another's folder. */
        char name[48] = "d";
        for (size_t i = 1; i < 10; i++) {
            random = random * 1664525 + 1013904223;
            const char letter = letters[random >> 29];
            name[i] = name[i - 1] == '/' && (letter == '/' || letter == '.') ? 'x' : letter;
        }
        name[10] = '\0';
        snprintf(name + 10, sizeof name - 10, "%zu", count);
        put(fixture->store, name, name);
        made[count++] = mem_string(name);
    }
    qsort(made, wanted, sizeof *made, compare_names);
    assert_success(store_names_load(fixture->store, "", &names, &err), &err);
    assert_int_equal(names.count, wanted);
    for (size_t i = 0; i < wanted; i++) {
        assert_string_equal(names.items[i].name, made[i]);
        assert_int_equal(names.items[i].size, strlen(made[i]));
        assert_ptr_equal(store_names_find(&names, made[i]), &names.items[i]);
        free(made[i]);
    }
    assert_null(store_names_find(&names, "absent"));
    store_names_release(&names);
    assert_null(store_names_find(&names, "absent"));
}

static void a_prefix_is_a_folder(void **state) {
    const struct fixture *fixture = *state;

    put(fixture->store, "a/b/one", "");
    put(fixture->store, "a/bb/two", "");
    put(fixture->store, "a/b-three", "");
    put(fixture->store, "a/c", "");
    assert_listing(fixture->store, "a/b", "a/b/one");
    assert_listing(fixture->store, "a", "a/b-three a/b/one a/bb/two a/c");
    assert_listing(fixture->store, "a/c", "");
    assert_listing(fixture->store, "absent", "");
    assert_listing(fixture->store, "absent/deeper", "");
    assert_listing(fixture->store, "a/c/deeper", "");
}

struct stop {
    size_t seen;
    size_t at;
};

static int stop_at(void *context, const struct store_object *object, struct err *err) {
    struct stop *stop = context;
    return ++stop->seen == stop->at ? err_set(err, ERR_REFUSED, "enough at %s", object->name) : 0;
}

static void a_callback_that_fails_ends_the_listing_with_its_error(void **state) {
    const struct fixture *fixture = *state;
    struct stop stop = { .at = 2 };
    struct err err = { 0 };

    put(fixture->store, "a/b/one", "");
    put(fixture->store, "a/two", "");
    put(fixture->store, "three", "");
    assert_int_equal(store_list(fixture->store, "", stop_at, &stop, &err), -1);
    assert_int_equal(err.code, ERR_REFUSED);
    assert_string_equal(err.message, "enough at a/two");
    assert_int_equal(stop.seen, 2);
}

static int remove_listed(void *context, const struct store_object *object, struct err *err) {
    return store_remove(context, object->name, NULL, err);
}

static void objects_may_be_removed_while_they_are_listed(void **state) {
    const struct fixture *fixture = *state;
    struct err err = { 0 };

    for (int i = 0; i < (fixture->factory->bucket ? 20 : 100); i++) {
        char name[32];
        snprintf(name, sizeof name, "f%d/o%d", i % 7, i);
        put(fixture->store, name, "x");
    }
    assert_success(store_list(fixture->store, "", remove_listed, fixture->store, &err), &err);
    assert_listing(fixture->store, "", "");
}

/*
 * Uploads
 */

static void an_upload_is_invisible_until_it_is_committed(void **state) {
    const struct fixture *fixture = *state;
    struct store_upload *upload;
    struct store *other;
    struct err err = { 0 };

    assert_success(store_upload_begin(fixture->store, &upload, &err), &err);
    assert_success(store_upload_write(upload, "content ", 8, &err), &err);
    assert_listing(fixture->store, "", "");

    /* Somebody who opens the store meanwhile must not take it for left behind. */
    other = open_again(fixture);
    assert_listing(other, "", "");
    assert_success(store_upload_write(upload, "in two", 6, &err), &err);
    assert_success(store_upload_commit(upload, "set/packs/aa/name", &err), &err);
    assert_object(other, "set/packs/aa/name", "content in two");
    assert_listing(other, "", "set/packs/aa/name");
    store_close(other);
}

static void an_aborted_upload_leaves_nothing(void **state) {
    const struct fixture *fixture = *state;
    struct store_upload *upload;
    struct err err = { 0 };

    assert_success(store_upload_begin(fixture->store, &upload, &err), &err);
    assert_success(store_upload_write(upload, "x", 1, &err), &err);
    store_upload_abort(upload);
    store_upload_abort(NULL);
    assert_listing(fixture->store, "", "");
}

static void large_uploads_side_by_side_keep_to_themselves(void **state) {
    enum { UPLOADS = 3, WORDS = 100003, PIECES = 30 };
    const struct fixture *fixture = *state;
    struct store_upload *uploads[UPLOADS];
    uint32_t *words = mem_array(WORDS, sizeof *words);
    struct err err = { 0 };

    for (size_t u = 0; u < UPLOADS; u++)
        assert_success(store_upload_begin(fixture->store, &uploads[u], &err), &err);
    for (uint32_t piece = 0; piece < PIECES; piece++)
        for (uint32_t u = 0; u < UPLOADS; u++) {
            for (uint32_t i = 0; i < WORDS; i++)
                words[i] = (piece * WORDS + i) * 2654435761u + u;
            assert_success(store_upload_write(uploads[u], words, WORDS * sizeof *words, &err), &err);
        }
    for (size_t u = 0; u < UPLOADS; u++) {
        char name[8];
        snprintf(name, sizeof name, "large%zu", u);
        assert_success(store_upload_commit(uploads[u], name, &err), &err);
    }
    for (uint32_t u = 0; u < UPLOADS; u++) {
        struct buffer content = { 0 };
        char name[8];
        snprintf(name, sizeof name, "large%u", u);
        assert_success(store_get(fixture->store, name, 1 << 26, &content, &err), &err);
        assert_int_equal(content.length, (size_t)PIECES * WORDS * sizeof *words);
        for (uint32_t i = 0; i < PIECES * WORDS; i += 1009)
            assert_int_equal(get_u32(content.data + (size_t)i * 4), i * 2654435761u + u);
        buffer_release(&content);
    }
    free(words);
}

struct writer {
    struct store *store;
    int number;
    int objects; /* of which every fifth is removed again */
    int failures;
};

static void *write_objects(void *context) {
    struct writer *writer = context;

    for (int i = 0; i < writer->objects; i++) {
        struct err err = { 0 };
        char name[64];
        snprintf(name, sizeof name, "set/packs/%02d/%d-%d", i % 10, writer->number, i);
        writer->failures += store_put(writer->store, name, name, strlen(name), &err) != 0;
        if (i % 5 == 4)
            writer->failures += store_remove(writer->store, name, NULL, &err) != 0;
    }
    return NULL;
}

static void several_threads_share_a_store(void **state) {
    enum { WRITERS = 4 };
    const struct fixture *fixture = *state;
    const int objects = fixture->factory->bucket ? 20 : 50;
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    struct store_names names;
    struct err err = { 0 };

    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){ .store = fixture->store, .number = i, .objects = objects };
        assert_int_equal(pthread_create(&threads[i], NULL, write_objects, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].failures, 0);
    }
    assert_success(store_names_load(fixture->store, "set", &names, &err), &err);
    assert_int_equal(names.count, WRITERS * objects * 4 / 5);
    for (size_t i = 0; i < names.count; i++)
        assert_object(fixture->store, names.items[i].name, names.items[i].name);
    store_names_release(&names);
}

/*
 * Processes that are killed
 */

enum { KILLED_OBJECT = 700001 };

static void fill(uint8_t *content, uint32_t number) {
    for (uint32_t i = 0; i < KILLED_OBJECT; i++)
        content[i] = (uint8_t)(i * 31 + (i >> 8) + number);
}

/* Puts objects 0, 1, 2... for ever, and tells through `done` how many are durable. Each round has a folder of its own:
 * a server may still make an object of what it was sent by one that is dead. */
static _Noreturn void put_until_killed(const struct fixture *fixture, useconds_t round, int done) {
    uint8_t *content = mem_alloc(KILLED_OBJECT);
    struct store *store;
    struct err err = { 0 };

    if (fixture->factory->open(fixture->place, &store, &err) != 0)
        _exit(1);
    for (uint32_t number = 0;; number++) {
        char name[64];
        snprintf(name, sizeof name, "set/%u/%02u/%u", round, number % 5, number);
        fill(content, number);
        if (store_put(store, name, content, KILLED_OBJECT, &err) != 0)
            _exit(1);
        if (write(done, &number, sizeof number) != (ssize_t)sizeof number)
            _exit(1);
    }
}

static void check_after_kill(const struct fixture *fixture, useconds_t round, uint32_t durable) {
    struct store *store = open_again(fixture);
    uint8_t *expected = mem_alloc(KILLED_OBJECT);
    struct store_names names;
    struct err err = { 0 };
    char folder[32];

    snprintf(folder, sizeof folder, "set/%u", round);
    assert_success(store_names_load(store, folder, &names, &err), &err);
    assert_true(names.count == durable || names.count == durable + 1);
    for (size_t i = 0; i < names.count; i++) {
        struct buffer content = { 0 };
        fill(expected, (uint32_t)strtoul(strrchr(names.items[i].name, '/') + 1, NULL, 10));
        assert_success(store_get(store, names.items[i].name, KILLED_OBJECT, &content, &err), &err);
        assert_int_equal(content.length, KILLED_OBJECT);
        assert_memory_equal(content.data, expected, KILLED_OBJECT);
        assert_success(store_remove(store, names.items[i].name, NULL, &err), &err);
        buffer_release(&content);
    }
    store_names_release(&names);
    free(expected);
    store_close(store);
}

static void a_killed_put_leaves_its_object_whole_or_not_at_all(void **state) {
    const struct fixture *fixture = *state;

    for (useconds_t round = 0; round < (fixture->factory->bucket ? 6 : 25); round++) {
        int done[2];
        uint32_t number, durable = 0;
        assert_int_equal(pipe(done), 0);
        const pid_t child = scratch_fork();
        if (child == 0)
            put_until_killed(fixture, round, done[1]);
        close(done[1]);
        assert_int_equal(read(done[0], &number, sizeof number), sizeof number);
        durable = number + 1;
        usleep(round * (fixture->factory->bucket ? 8009 : 397)); /* about as long as a put takes, or two */
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(done[0], &number, sizeof number) == (ssize_t)sizeof number)
            durable = number + 1;
        close(done[0]);
        check_after_kill(fixture, round, durable);
    }
}

/*
 * Locks
 */

static void a_lock_has_one_holder_at_a_time(void **state) {
    const struct fixture *fixture = *state;
    struct store *other = open_again(fixture);
    struct store_lock *lock, *second, *third;
    struct err err = { 0 };

    assert_success(store_lock_take(fixture->store, "set/locks/capture", 0, &lock, &err), &err);
    assert_failure(store_lock_take(other, "set/locks/capture", 0, &second, &err), ERR_LOCKED, &err);
    assert_failure(store_lock_take(fixture->store, "set/locks/capture", 0, &second, &err), ERR_LOCKED, &err);
    assert_success(store_lock_take(other, "set/locks/purge", 0, &third, &err), &err);
    store_lock_release(lock);
    assert_success(store_lock_take(other, "set/locks/capture", 0, &second, &err), &err);
    store_lock_release(second);
    store_lock_release(third);
    store_lock_release(NULL);
    store_close(other);
}

static void a_lock_is_no_object(void **state) {
    const struct fixture *fixture = *state;
    struct store_lock *lock;
    struct buffer content = { 0 };
    struct err err = { 0 };

    assert_success(store_lock_take(fixture->store, "set/locks/capture", 0, &lock, &err), &err);
    assert_listing(fixture->store, "", "");
    assert_failure(store_get(fixture->store, "set/locks/capture", 10, &content, &err), ERR_NOT_FOUND, &err);
    put(fixture->store, "set/locks/capture", "an object of the same name");
    store_lock_release(lock);
    assert_listing(fixture->store, "", "set/locks/capture");
    buffer_release(&content);
}

/* A child that holds the lock until it is killed. Returns when it has it. */
static pid_t hold_lock_elsewhere(const struct fixture *fixture, const char *name) {
    int ready[2];
    char byte = 0;

    assert_int_equal(pipe(ready), 0);
    const pid_t child = scratch_fork();
    if (child == 0) {
        struct store *store;
        struct store_lock *lock;
        struct err err = { 0 };
        if (fixture->factory->open(fixture->place, &store, &err) != 0 ||
            store_lock_take(store, name, 0, &lock, &err) != 0 || write(ready[1], &byte, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void the_lock_of_a_killed_process_is_free(void **state) {
    const struct fixture *fixture = *state;
    struct store_lock *lock;
    struct err err = { 0 };
    char holder[32];

    const pid_t child = hold_lock_elsewhere(fixture, "set/locks/capture");
    assert_int_equal(store_lock_take(fixture->store, "set/locks/capture", 0, &lock, &err), -1);
    assert_int_equal(err.code, ERR_LOCKED);
    snprintf(holder, sizeof holder, "process %ld", (long)child);
    assert_non_null(strstr(err.message, holder));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_success(store_lock_take(fixture->store, "set/locks/capture", 0, &lock, &err), &err);
    store_lock_release(lock);
}

static void *kill_soon(void *context) {
    usleep(200000);
    kill(*(pid_t *)context, SIGKILL);
    return NULL;
}

static void whoever_waits_gets_the_lock_when_it_is_freed(void **state) {
    const struct fixture *fixture = *state;
    struct store_lock *lock;
    struct err err = { 0 };
    pthread_t thread;

    pid_t child = hold_lock_elsewhere(fixture, "set/locks/capture");
    assert_int_equal(pthread_create(&thread, NULL, kill_soon, &child), 0);
    assert_success(store_lock_take(fixture->store, "set/locks/capture", 60, &lock, &err), &err);
    store_lock_release(lock);
    pthread_join(thread, NULL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void needs_a_server(void **state) {
    (void)state;
    skip();
}

#define SHARED(test)                                                                                                   \
    { #test, test, make_fixture, remove_fixture, NULL }

int main(void) {
    const struct CMUnitTest absent[] = { cmocka_unit_test(needs_a_server) };
    int failed = 0;

    for (size_t i = 0; i < sizeof FACTORIES / sizeof FACTORIES[0]; i++) {
        struct CMUnitTest tests[] = {
            SHARED(what_was_put_is_read_listed_and_measured),
            SHARED(a_put_replaces_what_was_there),
            SHARED(an_absent_object_is_not_found),
            SHARED(an_object_larger_than_expected_is_corrupt_and_not_read),
            SHARED(a_range_is_read_exactly_or_the_object_is_corrupt),
            SHARED(removing_can_be_repeated),
            SHARED(a_name_that_no_object_can_have_is_refused),
            SHARED(a_listing_is_sorted_by_whole_names),
            SHARED(many_names_come_back_in_order),
            SHARED(a_prefix_is_a_folder),
            SHARED(a_callback_that_fails_ends_the_listing_with_its_error),
            SHARED(objects_may_be_removed_while_they_are_listed),
            SHARED(an_upload_is_invisible_until_it_is_committed),
            SHARED(an_aborted_upload_leaves_nothing),
            SHARED(large_uploads_side_by_side_keep_to_themselves),
            SHARED(several_threads_share_a_store),
            SHARED(a_killed_put_leaves_its_object_whole_or_not_at_all),
            SHARED(a_lock_has_one_holder_at_a_time),
            SHARED(a_lock_is_no_object),
            SHARED(the_lock_of_a_killed_process_is_free),
            SHARED(whoever_waits_gets_the_lock_when_it_is_freed),
        };
        struct store_factory factory = FACTORIES[i];
        if (factory.bucket && !test_rgw_available()) {
            failed += cmocka_run_group_tests_name(factory.kind, absent, NULL, NULL);
            continue;
        }
        for (size_t j = 0; j < sizeof tests / sizeof tests[0]; j++)
            tests[j].initial_state = &factory;
        failed += cmocka_run_group_tests_name(factory.kind, tests, NULL, NULL);
    }
    drop_buckets();
    return failed;
}
