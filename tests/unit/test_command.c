/* The command source: only an exit status of zero makes its output a whole entry. */

#include "../lib/memory_sink.h"
#include "../lib/scratch.h"
#include <muniment/util/memory.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COMMAND(...) make_command((const char *const[]){ __VA_ARGS__, NULL })

static struct source make_command(const char *const *arguments) {
    static char *borrowed[8];
    struct source source = { .name = (char *)(uintptr_t) "cfg", .kind = &SOURCE_COMMAND };

    source.command.arguments.items = borrowed;
    while (arguments[source.command.arguments.count] != NULL) {
        borrowed[source.command.arguments.count] = (char *)(uintptr_t)arguments[source.command.arguments.count];
        source.command.arguments.count++;
    }
    return source;
}

static void the_output_of_a_command_is_one_entry(void **state) {
    struct source source = COMMAND("printf", "%s-%s", "a b", "$HOME");
    struct memory_sink sink;
    struct err err = { 0 };
    (void)state;

    memory_sink_init(&sink, NULL);
    source.command.output = (char *)(uintptr_t) "some/dump.rdb";
    assert_success(SOURCE_COMMAND.preflight(&source, NULL, &err), &err);
    assert_success(SOURCE_COMMAND.capture(&source, &sink.sink, NULL, &err), &err);
    assert_int_equal(sink.count, 1);
    assert_string_equal(sink.entries[0].entry.path, "some/dump.rdb");
    assert_int_equal(sink.entries[0].entry.type, ENTRY_STREAM);
    assert_int_equal(sink.entries[0].entry.flags, 0);
    assert_int_equal(sink.entries[0].entry.size, 9);
    assert_string_equal(buffer_text(&sink.entries[0].content), "a b-$HOME");
    assert_int_equal(sink.trouble_count, 0);
    assert_string_equal((const char *)sink.units.data, "some/dump.rdb 9\n");
    memory_sink_release(&sink);
}

static void a_single_string_with_spaces_is_for_the_shell(void **state) {
    struct source source = COMMAND("for i in 1 2 3; do echo $i; done | tr -d '\\n'");
    struct memory_sink sink;
    struct err err = { 0 };
    (void)state;

    memory_sink_init(&sink, NULL);
    assert_success(SOURCE_COMMAND.preflight(&source, NULL, &err), &err);
    assert_success(SOURCE_COMMAND.capture(&source, &sink.sink, NULL, &err), &err);
    assert_string_equal(sink.entries[0].entry.path, "output");
    assert_string_equal(buffer_text(&sink.entries[0].content), "123");
    memory_sink_release(&sink);
}

static void a_large_output_comes_whole_in_small_pieces(void **state) {
    struct source source = COMMAND("head -c 3000001 /dev/zero");
    struct memory_sink sink;
    struct err err = { 0 };
    (void)state;

    memory_sink_init(&sink, NULL);
    sink.space = 1000;
    assert_success(SOURCE_COMMAND.capture(&source, &sink.sink, NULL, &err), &err);
    assert_int_equal(sink.entries[0].content.length, 3000001);
    memory_sink_release(&sink);
}

static void a_command_that_fails_after_writing_leaves_a_flagged_entry_and_trouble(void **state) {
    static const char *const commands[] = { "echo half; echo no more >&2; exit 3", "echo half; kill -9 $$" };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct source source = COMMAND(commands[i]);
        struct memory_sink sink;
        struct err err = { 0 };

        memory_sink_init(&sink, NULL);
        assert_success(SOURCE_COMMAND.capture(&source, &sink.sink, NULL, &err), &err);
        assert_int_equal(sink.count, 1);
        assert_int_equal(sink.entries[0].entry.flags, ENTRY_INCOMPLETE);
        assert_string_equal(buffer_text(&sink.entries[0].content), "half\n");
        assert_int_equal(sink.trouble_count, 1);
        assert_non_null(strstr((const char *)sink.troubles.data, i == 0 ? "no more" : "KILL"));
        assert_int_equal(sink.unit_count, 0);
        memory_sink_release(&sink);
    }
}

static void a_command_that_cannot_be_run_is_found_before_anything_is_stored(void **state) {
    struct source source = COMMAND("no-such-program-anywhere");
    struct err err = { 0 };
    (void)state;

    assert_failure(SOURCE_COMMAND.preflight(&source, NULL, &err), ERR_SOURCE, &err);
    source = COMMAND("/etc/passwd");
    assert_failure(SOURCE_COMMAND.preflight(&source, NULL, &err), ERR_SOURCE, &err);
    source = COMMAND("/tmp");
    assert_failure(SOURCE_COMMAND.preflight(&source, NULL, &err), ERR_SOURCE, &err);
    source = COMMAND(NULL);
    assert_failure(SOURCE_COMMAND.preflight(&source, NULL, &err), ERR_INVALID, &err);
    source = COMMAND("true");
    source.command.output = (char *)(uintptr_t) "../up";
    assert_failure(SOURCE_COMMAND.preflight(&source, NULL, &err), ERR_INVALID, &err);

    /* It may also go between preflight and capture. */
    struct memory_sink sink;
    memory_sink_init(&sink, NULL);
    source = COMMAND("no-such-program-anywhere");
    assert_failure(SOURCE_COMMAND.capture(&source, &sink.sink, NULL, &err), ERR_NOT_FOUND, &err);
    assert_int_equal(sink.count, 0);
    memory_sink_release(&sink);
}

static void trouble_of_the_store_is_passed_on(void **state) {
    struct source source = COMMAND("echo", "one");
    struct memory_sink sink;
    struct err err = { 0 };
    (void)state;

    memory_sink_init(&sink, NULL);
    sink.entries_until_full = 1;
    assert_failure(SOURCE_COMMAND.capture(&source, &sink.sink, NULL, &err), ERR_SYSTEM, &err);
    assert_int_equal(sink.unit_count, 0);
    memory_sink_release(&sink);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_output_of_a_command_is_one_entry),
        cmocka_unit_test(a_single_string_with_spaces_is_for_the_shell),
        cmocka_unit_test(a_large_output_comes_whole_in_small_pieces),
        cmocka_unit_test(a_command_that_fails_after_writing_leaves_a_flagged_entry_and_trouble),
        cmocka_unit_test(a_command_that_cannot_be_run_is_found_before_anything_is_stored),
        cmocka_unit_test(trouble_of_the_store_is_passed_on),
    };
    return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
