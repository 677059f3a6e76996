#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/sample.h"
#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
#include <fcntl.h>
#include <muniment/repo/check.h>
#include <muniment/repo/purge.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * In a small repository with every kind of object: each damage to each object is found, and no restore hands out wrong
 * bytes because of it. TEST_SCALE is the percentage of the damages that are tried.
 */

enum { DAY = 86400, NOON = 1767268800, MAX_AGE = 90 * DAY, SMALL = 4096, SAMPLED = 2000, NIGHTS = 2 };

struct world {
    struct scratch_repo scratch;
    struct sample samples[NIGHTS];
    struct head heads[NIGHTS];
    struct store_names objects;
    size_t tried, refused;
};

/* --- the repository
 * --------------------------------------------------------------------------------------------------- */

static void add_key_copy(struct world *world) {
    struct err err = { 0 };
    struct key_copy copy;
    struct journal_batch batch = { 0 };
    assert_success(key_copy_add(world->scratch.store, &world->scratch.keys, "paper", "a passphrase", NOON, &copy, &err),
                   &err);
    journal_add(&batch, NOON, "key_added", "id", copy.id, NULL);
    assert_success(journal_append(&world->scratch.repo, &batch, &err), &err);
    journal_batch_release(&batch);
}

/* Ends a snapshot that shared chunks with the next, so that a purge record tells of dead ones. */
static void end_first_night(struct world *world, const struct head *head) {
    struct err err = { 0 };
    struct purge_result result;
    const struct purge_expiry expiry = { head->name, "a test" };
    const struct purge_options options = {
        .now = NOON + DAY + 60, .purge_within = 7 * DAY, .expiries = &expiry, .expiry_count = 1
    };
    assert_success(purge_run(&world->scratch.repo, &options, &result, &err), &err);
    assert_true(result.earliest_deadline > 0);
}

static void open_world(struct world *world) {
    struct err err = { 0 };
    struct head ended = { 0 };
    *world = (struct world){ 0 };
    scratch_repo_open(&world->scratch);
    add_key_copy(world);

    struct sample *sample = &world->samples[0];
    sample_fill(sample, 0, "alpha", 30000, 1);
    sample_fill(sample, 1, "beta", 12000, 2);
    assert_success(sample_capture(&world->scratch.repo, sample, NOON, MAX_AGE, &ended, &err), &err);
    sample_change(sample, 0, 0, 3000, 3);
    assert_success(sample_capture(&world->scratch.repo, sample, NOON + DAY, MAX_AGE, &world->heads[0], &err), &err);
    end_first_night(world, &ended);
    head_release(&ended);
    sample_copy(&world->samples[1], sample);
    sample_change(&world->samples[1], 1, 100, 3000, 4);
    assert_success(
        sample_capture(&world->scratch.repo, &world->samples[1], NOON + 2 * DAY, MAX_AGE, &world->heads[1], &err),
        &err);
    assert_success(store_names_load(world->scratch.store, "", &world->objects, &err), &err);
}

static void close_world(struct world *world) {
    for (size_t i = 0; i < NIGHTS; i++) {
        sample_release(&world->samples[i]);
        head_release(&world->heads[i]);
    }
    store_names_release(&world->objects);
    scratch_repo_close(&world->scratch);
}

/* --- looking
 * ---------------------------------------------------------------------------------------------------------- */

static const char *leaf_of(const char *name) {
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

struct looking {
    const char *object;
    bool named;
};

static void note_finding(void *context, const char *text) {
    struct looking *looking = context;
    looking->named = looking->named || strstr(text, leaf_of(looking->object)) != NULL;
}

/* How many findings there are, and whether one names the object. */
static uint64_t look(struct world *world, const char *object, bool *named) {
    struct err err = { 0 };
    struct looking looking = { .object = object };
    const struct check_options options = {
        .read_percent = 100, .now = NOON, .finding = note_finding, .context = &looking
    };
    struct check_result result;
    assert_success(check_run(&world->scratch.repo, &options, &result, &err), &err);
    *named = looking.named;
    return result.findings;
}

/* As a restore does it: opens the repository, loads the snapshot, and hands out what it says. */
static int restore(struct world *world, size_t night, struct err *err) {
    struct repo repo;
    struct head head = { 0 };
    int result = -1;
    if (repo_open(&repo, world->scratch.store, &world->scratch.keys, NULL, err) == 0 &&
        head_load(&repo, world->heads[night].name, &head, err) == 0)
        result = sample_compare(&repo, &head, &world->samples[night], err);
    head_release(&head);
    return result;
}

/* Never wrong bytes; and who refuses says what is wrong. */
static void try_restore(struct world *world, size_t night, const char *object, const char *damage, size_t at,
                        bool must_name) {
    struct err err = { 0 };
    int result = restore(world, night, &err);
    if (result > 0)
        fail_msg("%s, %s %zu: the restore gave wrong bytes", object, damage, at);
    if (result == 0)
        return;
    world->refused++;
    if (err.code != ERR_CORRUPT && err.code != ERR_NOT_FOUND && err.code != ERR_NO_REPOSITORY &&
        err.code != ERR_UNSUPPORTED)
        fail_msg("%s, %s %zu: code %d: %s", object, damage, at, (int)err.code, err.message);
    if (must_name && !strstr(err.message, leaf_of(object)))
        fail_msg("%s, %s %zu: not named in: %s", object, damage, at, err.message);
}

static void try_restores(struct world *world, const char *object, const char *damage, size_t at, bool must_name) {
    for (size_t night = 0; night < NIGHTS; night++)
        try_restore(world, night, object, damage, at, must_name);
}

/* --- damaging
 * --------------------------------------------------------------------------------------------------------- */

static void write_object(struct world *world, const char *object, const uint8_t *data, size_t length) {
    char *path = mem_format("%s/%s", world->scratch.folder, object);
    assert_int_equal(chmod(path, 0600), 0);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, length), (ssize_t)length);
    assert_int_equal(close(fd), 0);
    free(path);
}

static size_t scaled(size_t count) {
    const char *scale = getenv("TEST_SCALE");
    size_t percent = scale ? strtoul(scale, NULL, 10) : 100;
    size_t result = count * percent / 100;
    return result > 0 ? result : 1;
}

static bool is_in(const struct world *world, const char *name, const char *folder) {
    char prefix[REPO_NAME_MAX];
    repo_folder(&world->scratch.repo, prefix, folder);
    return strncmp(name, prefix, strlen(prefix)) == 0 && name[strlen(prefix)] == '/';
}

/* Both snapshots are tried in turn; what no restore should read is tried now and then. */
static void try_flips(struct world *world, const char *object, struct buffer *bytes, size_t share) {
    bool read = !is_in(world, object, "keys") && !is_in(world, object, "purges") && !is_in(world, object, "journal");
    size_t count = scaled(bytes->length < SMALL ? bytes->length : share);
    for (size_t i = 0; i < count; i++) {
        size_t at = bytes->length * i / count;
        uint8_t mask = (uint8_t)(1 << at % 8 | (at % 3 == 0 ? 0x90 : 0));
        bool named;
        bytes->data[at] ^= mask;
        write_object(world, object, bytes->data, bytes->length);
        if (look(world, object, &named) == 0 || !named)
            fail_msg("%s: flipping byte %zu is not found", object, at);
        if (read || i % 16 == 0)
            try_restore(world, (i + i / 16) % NIGHTS, object, "flipped", at, true);
        bytes->data[at] ^= mask;
        world->tried++;
    }
}

static void try_truncations(struct world *world, const char *object, struct buffer *bytes) {
    const size_t lengths[] = { 0,
                               1,
                               bytes->length / 4,
                               bytes->length / 2,
                               bytes->length - bytes->length / 5,
                               bytes->length - 13,
                               bytes->length - 2,
                               bytes->length - 1 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        bool named;
        write_object(world, object, bytes->data, lengths[i]);
        if (look(world, object, &named) == 0 || !named)
            fail_msg("%s: cutting it to %zu bytes is not found", object, lengths[i]);
        try_restores(world, object, "cut to", lengths[i], true);
        world->tried++;
    }
}

static void try_growth(struct world *world, const char *object, struct buffer *bytes) {
    bool named;
    buffer_put_u8(bytes, 0);
    write_object(world, object, bytes->data, bytes->length);
    bytes->length--;
    if (look(world, object, &named) == 0 || !named)
        fail_msg("%s: a byte more is not found", object);
    try_restores(world, object, "grown from", bytes->length, true);
}

static void try_deletion(struct world *world, const char *object, const struct buffer *bytes) {
    struct err err = { 0 };
    bool named;
    assert_success(store_remove(world->scratch.store, object, NULL, &err), &err);
    if (look(world, object, &named) == 0)
        fail_msg("%s: its deletion is not found", object);
    try_restores(world, object, "deleted", 0, false);
    assert_success(store_put(world->scratch.store, object, bytes->data, bytes->length, &err), &err);
    world->tried++;
}

static void load_object(struct world *world, const char *object, struct buffer *bytes) {
    struct err err = { 0 };
    buffer_clear(bytes);
    assert_success(store_get(world->scratch.store, object, SIZE_MAX / 2, bytes, &err), &err);
}

static void assert_undamaged(struct world *world) {
    struct err err = { 0 };
    bool named;
    assert_int_equal(look(world, "", &named), 0);
    for (size_t night = 0; night < NIGHTS; night++)
        assert_success(restore(world, night, &err), &err);
}

/* --- tests
 * ------------------------------------------------------------------------------------------------------------ */

static void the_sample_has_every_kind_of_object(void **state) {
    struct world *world = *state;
    static const char *const FOLDERS[] = { "keys", "packs", "index", "snapshots", "purges", "journal" };
    for (size_t f = 0; f < sizeof FOLDERS / sizeof *FOLDERS; f++) {
        size_t count = 0;
        for (size_t i = 0; i < world->objects.count; i++)
            count += is_in(world, world->objects.items[i].name, FOLDERS[f]);
        assert_true(count > 0);
    }
    assert_undamaged(world);
}

static size_t large_objects(const struct world *world) {
    size_t count = 0;
    for (size_t i = 0; i < world->objects.count; i++)
        count += world->objects.items[i].size >= SMALL;
    return count;
}

static void every_flipped_byte_is_found_and_never_restored(void **state) {
    struct world *world = *state;
    struct buffer bytes = { 0 };
    size_t large = large_objects(world);
    assert_true(large > 0);
    for (size_t i = 0; i < world->objects.count; i++) {
        const char *object = world->objects.items[i].name;
        load_object(world, object, &bytes);
        try_flips(world, object, &bytes, SAMPLED / large);
        write_object(world, object, bytes.data, bytes.length);
    }
    buffer_release(&bytes);
    assert_true(world->refused > 0);
    assert_undamaged(world);
}

static void every_truncation_is_found_and_never_restored(void **state) {
    struct world *world = *state;
    struct buffer bytes = { 0 };
    for (size_t i = 0; i < world->objects.count; i++) {
        const char *object = world->objects.items[i].name;
        load_object(world, object, &bytes);
        try_truncations(world, object, &bytes);
        try_growth(world, object, &bytes);
        write_object(world, object, bytes.data, bytes.length);
    }
    buffer_release(&bytes);
    assert_undamaged(world);
}

static void every_deletion_is_found_and_never_restored(void **state) {
    struct world *world = *state;
    struct buffer bytes = { 0 };
    for (size_t i = 0; i < world->objects.count; i++) {
        const char *object = world->objects.items[i].name;
        load_object(world, object, &bytes);
        try_deletion(world, object, &bytes);
    }
    buffer_release(&bytes);
    assert_undamaged(world);
}

/* Two objects of one kind, each under the other's name: both are true, and both are not what they say. */
static void an_object_under_the_name_of_another_is_found(void **state) {
    struct world *world = *state;
    struct buffer one = { 0 }, other = { 0 };
    for (size_t i = 0; i + 1 < world->objects.count; i++) {
        const char *name = world->objects.items[i].name, *next = world->objects.items[i + 1].name;
        bool named;
        if (strncmp(name, next, (size_t)(leaf_of(name) - name)) != 0 || leaf_of(next) - next != leaf_of(name) - name)
            continue;
        load_object(world, name, &one);
        load_object(world, next, &other);
        write_object(world, name, other.data, other.length);
        write_object(world, next, one.data, one.length);
        if (look(world, name, &named) == 0)
            fail_msg("%s and %s: changing places is not found", name, next);
        try_restores(world, name, "changed places", 0, false);
        write_object(world, name, one.data, one.length);
        write_object(world, next, other.data, other.length);
    }
    buffer_release(&one);
    buffer_release(&other);
    assert_undamaged(world);
}

/* Thousands of small restores: in memory where there is a place for that. */
static int open_state(void **state) {
    if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
        assert_int_equal(setenv("TMPDIR", "/dev/shm", 1), 0);
    struct world *world = mem_zalloc(sizeof *world);
    *state = world;
    open_world(world);
    return 0;
}

static int close_state(void **state) {
    close_world(*state);
    free(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_has_every_kind_of_object),
        cmocka_unit_test(every_truncation_is_found_and_never_restored),
        cmocka_unit_test(every_deletion_is_found_and_never_restored),
        cmocka_unit_test(an_object_under_the_name_of_another_is_found),
        cmocka_unit_test(every_flipped_byte_is_found_and_never_restored),
    };
    return cmocka_run_group_tests(tests, open_state, close_state);
}
