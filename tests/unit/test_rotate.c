#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/scratch.h"
#include <muniment/run/nightly.h>
#include <muniment/snapshot/capture.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DAY = 86400 };

/* A configuration of one set with one mirror, its key files and its repository. */
struct world {
    char *folder;
    struct settings settings;
    struct set_settings *which;
    struct mirror_settings *mirror;
};

static char *below(const struct world *world, const char *name) {
    return mem_format("%s/%s", world->folder, name);
}

static void write_key(const char *path, const struct keys *keys, bool read) {
    struct err err = { 0 };
    struct buffer text = { 0 };
    if (read)
        keys_read_text(keys, &text);
    else
        keys_write_text(keys, &text);
    buffer_put_u8(&text, '\n');
    assert_success(file_create(path, 0400, text.data, text.length, &err), &err);
    buffer_wipe(&text);
}

static void world_open(struct world *world) {
    struct err err = { 0 };
    struct keys keys = { 0 };
    struct store *store;
    *world = (struct world){ .folder = scratch_make() };
    world->settings.repository = below(world, "repository");
    world->settings.state = below(world, "state");
    world->settings.set_count = 1;
    world->settings.sets = mem_array(1, sizeof *world->settings.sets);
    world->which = world->settings.sets;
    world->which->name = mem_string("app");
    world->which->write_key = below(world, "app.write");
    world->which->read_key = below(world, "app.read");
    world->which->policy = (struct policy){ .daily = 2, .interval = DAY };
    world->which->mirror_count = 1;
    world->which->mirrors = mem_array(1, sizeof *world->which->mirrors);
    world->mirror = world->which->mirrors;
    world->mirror->name = mem_string("offsite");
    world->mirror->path = below(world, "mirror");

    keys_generate(&keys);
    write_key(world->which->write_key, &keys, false);
    write_key(world->which->read_key, &keys, true);
    keys_wipe(&keys);
    struct store_address address = { .path = world->settings.repository };
    assert_success(store_open(&address, true, &store, &err), &err);
    assert_success(repo_create(store, &err), &err);
    store_close(store);
}

static void world_close(struct world *world) {
    settings_release(&world->settings);
    scratch_remove(world->folder);
}

static void open_set(struct world *world, struct opened_set *set) {
    struct err err = { 0 };
    assert_success(opened_set_open(set, &world->settings, world->which, false, NULL, &err), &err);
}

static void capture_at(struct opened_set *set, int64_t started) {
    struct err err = { 0 };
    struct head head = { 0 };
    char *arguments[] = { (char[]){ "date" }, (char[]){ "+%N" } };
    struct source source = { .name = (char[]){ "clock" }, .kind = &SOURCE_COMMAND };
    source.command.arguments = (struct strings){ arguments, 2 };
    struct capture_options options = { .sources = &source,
                                       .source_count = 1,
                                       .policy = &set->settings->policy,
                                       .state_folder = set->state,
                                       .started = started,
                                       .workers = 1 };
    assert_success(capture_run(&set->repo, &options, &head, &err), &err);
    assert_int_equal(head.outcome, OUTCOME_COMPLETE);
    head_release(&head);
}

static size_t count_heads(struct opened_set *set) {
    struct err err = { 0 };
    struct heads heads = { 0 };
    assert_success(heads_load(&set->repo, &heads, &err), &err);
    size_t count = heads.count;
    heads_release(&heads);
    return count;
}

/* --- opening --------------------------------------------------------------------------------------------------------
 */

static void sets_are_found_by_name(void **state) {
    (void)state;
    struct world world;
    world_open(&world);
    assert_ptr_equal(settings_find_set(&world.settings, "app"), world.which);
    assert_null(settings_find_set(&world.settings, "ap"));
    world_close(&world);
}

static void a_set_opens_with_the_keys_it_needs(void **state) {
    (void)state;
    struct err err = { 0 };
    struct opened_set set;
    struct world world;
    world_open(&world);
    open_set(&world, &set);
    assert_true(set.keys->can_sign);
    assert_false(set.keys->can_read);
    struct stat status;
    assert_int_equal(stat(set.state, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    opened_set_close(&set);

    assert_success(opened_set_open(&set, &world.settings, world.which, true, NULL, &err), &err);
    assert_true(set.keys->can_sign && set.keys->can_read);
    opened_set_close(&set);

    /* A host that only restores. */
    assert_int_equal(unlink(world.which->write_key), 0);
    assert_success(opened_set_open(&set, &world.settings, world.which, true, NULL, &err), &err);
    assert_true(set.keys->can_read);
    opened_set_close(&set);
    assert_failure(opened_set_open(&set, &world.settings, world.which, false, NULL, &err), ERR_NOT_FOUND, &err);
    world_close(&world);
}

static void the_read_key_of_another_set_is_refused(void **state) {
    (void)state;
    struct err err = { 0 };
    struct opened_set set;
    struct world world, other;
    world_open(&world);
    world_open(&other);
    free(world.which->read_key);
    world.which->read_key = mem_string(other.which->read_key);
    assert_failure(opened_set_open(&set, &world.settings, world.which, true, NULL, &err), ERR_KEY, &err);
    free(world.which->read_key);
    world.which->read_key = mem_string(world.which->write_key);
    assert_failure(opened_set_open(&set, &world.settings, world.which, true, NULL, &err), ERR_INVALID, &err);
    world_close(&other);
    world_close(&world);
}

static void a_place_without_a_repository_is_told_apart(void **state) {
    (void)state;
    struct err err = { 0 };
    struct opened_set set;
    struct world world;
    world_open(&world);
    free(world.settings.repository);
    world.settings.repository = below(&world, "nowhere");
    assert_failure(opened_set_open(&set, &world.settings, world.which, false, NULL, &err), ERR_NO_REPOSITORY, &err);
    free(world.settings.repository);
    world.settings.repository = mem_string(world.folder);
    assert_failure(opened_set_open(&set, &world.settings, world.which, false, NULL, &err), ERR_NO_REPOSITORY, &err);
    world_close(&world);
}

/* --- rotation -------------------------------------------------------------------------------------------------------
 */

static void a_plan_alone_changes_nothing(void **state) {
    (void)state;
    struct err err = { 0 };
    struct opened_set set;
    struct heads heads;
    struct plan_verdict *verdicts;
    struct plan_summary summary;
    struct world world;
    int64_t now = clock_now();
    world_open(&world);
    open_set(&world, &set);
    for (int night = 3; night >= 0; night--)
        capture_at(&set, now - night * DAY);
    assert_success(rotate_plan(&set, now, &heads, &verdicts, &summary, &err), &err);
    assert_int_equal(heads.count, 4);
    assert_int_equal(summary.expire, 2);
    assert_string_equal(verdicts[0].reason, "beyond 2 daily");
    assert_string_equal(verdicts[3].reason, "daily 1 of 2");
    free(verdicts);
    heads_release(&heads);
    assert_int_equal(count_heads(&set), 4);
    opened_set_close(&set);
    world_close(&world);
}

static void rotation_needs_the_write_key_alone(void **state) {
    (void)state;
    struct err err = { 0 };
    struct opened_set set;
    struct plan_summary summary;
    struct purge_result result;
    struct world world;
    int64_t now = clock_now();
    world_open(&world);
    open_set(&world, &set);
    for (int night = 3; night >= 0; night--)
        capture_at(&set, now - night * DAY);
    assert_false(set.keys->can_read);
    assert_success(rotate_apply(&set, now, 0, &summary, &result, &err), &err);
    assert_int_equal(result.heads_removed, 2);
    assert_int_equal(count_heads(&set), 2);
    assert_success(rotate_apply(&set, now, 0, &summary, &result, &err), &err);
    assert_int_equal(result.heads_removed, 0);
    opened_set_close(&set);
    world_close(&world);
}

static void a_clock_that_is_wrong_expires_nothing(void **state) {
    (void)state;
    struct err err = { 0 };
    struct opened_set set;
    struct plan_summary summary;
    struct purge_result result;
    struct world world;
    int64_t now = clock_now();
    world_open(&world);
    open_set(&world, &set);
    capture_at(&set, now);
    assert_failure(rotate_apply(&set, now - 40 * DAY, 0, &summary, &result, &err), ERR_REFUSED, &err);
    world.which->policy.timezone[0] = '?';
    assert_failure(rotate_apply(&set, now, 0, &summary, &result, &err), ERR_INVALID, &err);
    assert_int_equal(count_heads(&set), 1);
    opened_set_close(&set);
    world_close(&world);
}

/* --- mirrors of a set ------------------------------------------------------------------------------------------------
 */

static int64_t newest_after(struct opened_set *set, const struct mirror_settings *mirror, int64_t now, bool force) {
    struct err err = { 0 };
    struct mirror_result result;
    assert_success(mirror_set(set, mirror, now, force, 0, &result, &err), &err);
    return result.newest_snapshot;
}

static void a_weekly_mirror_copies_once_a_week(void **state) {
    (void)state;
    struct opened_set set;
    struct world world;
    int64_t start = clock_now();
    world_open(&world);
    world.mirror->schedule = MIRROR_WEEKLY;
    open_set(&world, &set);
    capture_at(&set, start);
    assert_int_equal(newest_after(&set, world.mirror, start, false), start);
    capture_at(&set, start + DAY);
    assert_int_equal(newest_after(&set, world.mirror, start + DAY, false), start);
    assert_int_equal(newest_after(&set, world.mirror, start + 6 * DAY, false), start);
    assert_int_equal(newest_after(&set, world.mirror, start + 7 * DAY - 60, false), start + DAY);
    capture_at(&set, start + 8 * DAY);
    assert_int_equal(newest_after(&set, world.mirror, start + 8 * DAY, false), start + DAY);
    assert_int_equal(newest_after(&set, world.mirror, start + 8 * DAY, true), start + 8 * DAY);
    opened_set_close(&set);
    world_close(&world);
}

static void a_manual_mirror_copies_only_when_asked(void **state) {
    (void)state;
    struct opened_set set;
    struct world world;
    int64_t now = clock_now();
    world_open(&world);
    world.mirror->schedule = MIRROR_MANUAL;
    open_set(&world, &set);
    capture_at(&set, now);
    assert_int_equal(newest_after(&set, world.mirror, now, false), 0);
    assert_int_equal(newest_after(&set, world.mirror, now, true), now);
    opened_set_close(&set);
    world_close(&world);
}

static void a_mirror_that_is_not_mounted_is_no_new_mirror(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct opened_set set;
    struct world world;
    int64_t now = clock_now();
    world_open(&world);
    open_set(&world, &set);
    capture_at(&set, now);
    newest_after(&set, world.mirror, now, false);

    char *away = below(&world, "away");
    assert_int_equal(rename(world.mirror->path, away), 0);
    assert_failure(mirror_set(&set, world.mirror, now, false, 0, &result, &err), ERR_NOT_FOUND, &err);
    assert_int_equal(mkdir(world.mirror->path, 0700), 0);
    assert_failure(mirror_set(&set, world.mirror, now, false, 0, &result, &err), ERR_NOT_FOUND, &err);
    assert_int_equal(newest_after(&set, world.mirror, now, true), now);
    free(away);
    opened_set_close(&set);
    world_close(&world);
}

static void the_repository_is_no_mirror_of_itself(void **state) {
    (void)state;
    struct err err = { 0 };
    struct mirror_result result;
    struct opened_set set;
    struct world world;
    world_open(&world);
    open_set(&world, &set);
    assert_int_equal(symlink(world.settings.repository, world.mirror->path), 0);
    assert_failure(mirror_set(&set, world.mirror, clock_now(), true, 0, &result, &err), ERR_INVALID, &err);
    opened_set_close(&set);
    world_close(&world);
}

int main(void) {
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_found_by_name),
        cmocka_unit_test(a_set_opens_with_the_keys_it_needs),
        cmocka_unit_test(the_read_key_of_another_set_is_refused),
        cmocka_unit_test(a_place_without_a_repository_is_told_apart),
        cmocka_unit_test(a_plan_alone_changes_nothing),
        cmocka_unit_test(rotation_needs_the_write_key_alone),
        cmocka_unit_test(a_clock_that_is_wrong_expires_nothing),
        cmocka_unit_test(a_weekly_mirror_copies_once_a_week),
        cmocka_unit_test(a_manual_mirror_copies_only_when_asked),
        cmocka_unit_test(a_mirror_that_is_not_mounted_is_no_new_mirror),
        cmocka_unit_test(the_repository_is_no_mirror_of_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
