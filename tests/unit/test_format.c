/* The reader that was written from muniment-format(7) reads what muniment writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/format_reader.h"
#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"
#include <fcntl.h>
#include <muniment/repo/purge.h>
#include <muniment/snapshot/capture.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t NOON = 1772366400; /* 2026-03-01T12:00:00Z */
enum { DAY = 86400 };

struct world {
    struct scratch_repo repository;
    char *folder; /* what is captured */
};

static void put_file(const struct world *world, const char *name, const void *data, size_t length) {
    struct err err = { 0 };
    char *path = mem_format("%s/%s", world->folder, name);
    assert_success(file_replace(path, 0640, data, length, &err), &err);
    free(path);
}

/* Bytes that do not compress, the same for the same seed. */
static uint8_t *noise(size_t length, uint64_t seed) {
    uint8_t *data = mem_alloc(length);
    for (size_t i = 0; i < length; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        data[i] = (uint8_t)(seed >> 56);
    }
    return data;
}

static void make_sparse(const struct world *world, const char *name, off_t at, off_t size) {
    char *path = mem_format("%s/%s", world->folder, name);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    if (at >= 0)
        assert_int_equal(pwrite(file, "island", 6, at), 6);
    assert_int_equal(ftruncate(file, size), 0);
    assert_int_equal(close(file), 0);
    free(path);
}

static void make_files(const struct world *world) {
    enum { BIG = 3 * 1024 * 1024, TEXT = 200000 };
    uint8_t *big = noise(BIG, 1);
    char *lines = mem_zalloc(TEXT + 1), *from, *to;
    for (size_t at = 0, i = 0; at + 40 < TEXT; i++)
        at += (size_t)sprintf(lines + at, "line %zu of a file that shrinks\n", i);
    put_file(world, "big", big, BIG);
    put_file(world, "lines", lines, strlen(lines));
    put_file(world, "empty", "", 0);
    put_file(world, "small", "x", 1);
    from = mem_format("%s/sub", world->folder);
    assert_int_equal(mkdir(from, 0750), 0);
    free(from);
    put_file(world, "sub/same", big, BIG / 2);
    put_file(world, "sub.txt", "between", 7);
    make_sparse(world, "islands", 1 << 20, 4 << 20);
    make_sparse(world, "one-hole", -1, 1 << 20);

    from = mem_format("%s/link", world->folder);
    assert_int_equal(symlink("sub/same", from), 0);
    free(from);
    from = mem_format("%s/big", world->folder);
    to = mem_format("%s/sub/hard", world->folder);
    assert_int_equal(link(from, to), 0);
    free(from);
    free(to);
    free(lines);
    free(big);
}

static void make_world(struct world *world) {
    scratch_repo_open(&world->repository);
    world->folder = scratch_make();
    make_files(world);
}

static void end_world(struct world *world) {
    scratch_repo_close(&world->repository);
    scratch_remove(world->folder);
}

/* Two sources: the folder, and a command. */
static void capture(struct world *world, int64_t when, struct head *head) {
    char *paths[] = { world->folder };
    static char files[] = "data", output[] = "report.txt", said[] = "said", shell[] = "sh", flag[] = "-c",
                words[] = "i=0; while [ $i -lt 4000 ]; do echo \"row $i\"; i=$((i+1)); done";
    char *arguments[] = { shell, flag, words };
    struct source sources[] = {
        { .name = files, .kind = &SOURCE_FILES, .files = { .paths = { paths, 1 } } },
        { .name = said, .kind = &SOURCE_COMMAND, .command = { .arguments = { arguments, 3 }, .output = output } },
    };
    struct policy policy = { .daily = 7, .max_age = 90 * DAY, .interval = DAY, .timezone = "UTC" };
    struct capture_options options = {
        .sources = sources, .source_count = 2, .policy = &policy, .started = when, .workers = 2
    };
    struct err err = { 0 };
    assert_success(capture_run(&world->repository.repo, &options, head, &err), &err);
    assert_int_equal(head->outcome, OUTCOME_COMPLETE);
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

struct comparison {
    const struct world *world;
    const char *newest; /* only this snapshot's files are still on disk as they were */
    size_t files, links, hardlinks, streams, folders;
};

static void compare_file(const struct format_found *found) {
    struct buffer content = { 0 };
    struct err err = { 0 };
    char *path = mem_format("/%s", found->path);
    assert_success(file_read(path, SIZE_MAX / 2, &content, &err), &err);
    assert_int_equal(found->length, content.length);
    assert_int_equal(found->size, content.length);
    if (content.length > 0)
        assert_memory_equal(found->content, content.data, content.length);
    buffer_release(&content);
    free(path);
}

static void compare(void *context, const struct format_found *found) {
    struct comparison *comparison = context;
    if (strcmp(found->snapshot, comparison->newest) != 0)
        return;
    if (found->type == 8) {
        assert_string_equal(found->source, "said");
        assert_string_equal(found->path, "report.txt");
        assert_memory_equal(found->content, "row 0\nrow 1\nrow 2\n", 18);
        assert_memory_equal(found->content + found->length - 9, "row 3999\n", 9);
        comparison->streams++;
        return;
    }
    assert_string_equal(found->source, "data");
    if (found->type == 1) {
        compare_file(found);
        comparison->files++;
    }
    if (found->type == 3) {
        assert_string_equal(found->target, "sub/same");
        comparison->links++;
    }
    comparison->hardlinks += found->type == 4;
    comparison->folders += found->type == 2;
}

static void read_and_compare(struct world *world, const struct head *newest, struct format_totals *totals) {
    struct comparison comparison = { .world = world, .newest = newest->name };
    struct buffer key = { 0 };
    keys_read_text(&world->repository.keys, &key);
    const char *wrong = format_read(world->repository.folder, buffer_text(&key), compare, &comparison, totals);
    if (wrong)
        fail_msg("%s", wrong);
    assert_int_equal(comparison.files, 8); /* one of the two names of "big" is a hard link */
    assert_int_equal(comparison.links, 1);
    assert_int_equal(comparison.hardlinks, 1);
    assert_int_equal(comparison.streams, 1);
    assert_true(comparison.folders >= 1);
    buffer_wipe(&key);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void another_reader_reads_every_snapshot(void **state) {
    (void)state;
    struct world world;
    struct head first, second;
    struct format_totals totals;
    make_world(&world);
    capture(&world, NOON, &first);
    read_and_compare(&world, &first, &totals);
    assert_int_equal(totals.snapshots, 1);
    assert_int_equal(totals.sources, 2);
    assert_true(totals.packs >= 1);
    assert_true(totals.segments >= 1);
    assert_true(totals.events >= 1);

    put_file(&world, "small", "changed", 7);
    capture(&world, NOON + DAY, &second);
    read_and_compare(&world, &second, &totals);
    assert_int_equal(totals.snapshots, 2);
    head_release(&first);
    head_release(&second);
    end_world(&world);
}

static void another_reader_reads_what_a_purge_has_moved(void **state) {
    (void)state;
    struct world world;
    struct head first, second;
    struct format_totals before, after;
    struct err err = { 0 };
    make_world(&world);
    capture(&world, NOON, &first);
    uint8_t *other = noise(1500000, 2);
    put_file(&world, "lines", other, 1500000);
    capture(&world, NOON + DAY, &second);
    read_and_compare(&world, &second, &before);

    struct purge_expiry expiry = { .head = first.name, .reason = "test" };
    struct purge_options options = { .now = NOON + 2 * DAY, .expiries = &expiry, .expiry_count = 1 };
    struct purge_result result = { 0 };
    assert_success(purge_run(&world.repository.repo, &options, &result, &err), &err);
    assert_true(result.packs_rewritten > 0);
    assert_true(result.bytes_moved > 0);
    read_and_compare(&world, &second, &after);
    assert_int_equal(after.snapshots, 1);
    assert_true(after.slots < before.slots);
    free(other);
    head_release(&first);
    head_release(&second);
    end_world(&world);
}

static void ignore(void *context, const struct format_found *found) {
    (void)context;
    (void)found;
}

static void another_reader_notices_what_was_changed(void **state) {
    (void)state;
    static const char *const folders[] = { "packs", "index", "snapshots", "journal" };
    struct world world;
    struct head head;
    struct format_totals totals;
    struct buffer key = { 0 };
    make_world(&world);
    capture(&world, NOON, &head);
    keys_read_text(&world.repository.keys, &key);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char name[REPO_NAME_MAX];
        assert_true(scratch_repo_list(&world.repository, folders[i], name) > 0);
        scratch_repo_flip(&world.repository, name, 100, 1);
        assert_non_null(format_read(world.repository.folder, buffer_text(&key), ignore, NULL, &totals));
        scratch_repo_flip(&world.repository, name, 100, 1);
        assert_null(format_read(world.repository.folder, buffer_text(&key), ignore, NULL, &totals));
    }
    buffer_wipe(&key);
    head_release(&head);
    end_world(&world);
}

static void another_reader_opens_a_copy_of_the_read_key(void **state) {
    (void)state;
    struct scratch_repo scratch;
    struct key_copy copy;
    struct buffer text = { 0 };
    struct err err = { 0 };
    unsigned char secret[32];
    char name[REPO_NAME_MAX];
    scratch_repo_open(&scratch);
    assert_success(key_copy_add(scratch.store, &scratch.keys, "founder", "a passphrase", NOON, &copy, &err), &err);
    repo_name(&scratch.repo, name, "keys", copy.id);
    assert_success(store_get(scratch.store, name, 4096, &text, &err), &err);
    const char *wrong = format_open_copy(buffer_text(&text), scratch.keys.set_id, "a passphrase", secret);
    if (wrong)
        fail_msg("%s", wrong);
    assert_memory_equal(secret, scratch.keys.read_secret, sizeof secret);
    buffer_release(&text);
    scratch_repo_close(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_reader_reads_every_snapshot),
        cmocka_unit_test(another_reader_reads_what_a_purge_has_moved),
        cmocka_unit_test(another_reader_notices_what_was_changed),
        cmocka_unit_test(another_reader_opens_a_copy_of_the_read_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
