/* Entries: the order of a tree, which paths are valid, and an encoding that takes only what it would write. */

#include "../lib/scratch.h"
#include <muniment/source/entry.h>
#include <muniment/util/memory.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct entry make_file(const char *path) {
    struct entry entry = {
        .path = mem_string(path),
        .type = ENTRY_FILE,
        .flags = ENTRY_CHANGED,
        .mode = 04755,
        .uid = 1000,
        .gid = UINT32_MAX,
        .user = mem_string("someone"),
        .mtime = -5,
        .mtime_ns = 999999999,
        .ctime = INT64_MAX,
        .ctime_ns = 1,
        .device = UINT64_MAX,
        .inode = 7,
        .size = 1 << 20,
        .content = 4096 + 10,
        .chunks = 3,
    };
    memset(entry.digest, 0xa5, sizeof entry.digest);
    entry_add_attribute(&entry, "xattr.user.b", "two", 3);
    entry_add_attribute(&entry, "xattr.user.c", "", 0);
    entry_add_attribute(&entry, "xattr.user.a", "one\0more", 8);
    entry_add_range(&entry, 4096, 4096);
    entry_add_range(&entry, 1 << 19, 10);
    return entry;
}

static void encode(const struct entry *entry, struct buffer *out) {
    buffer_clear(out);
    entry_encode(entry, out);
}

static bool decodes(const struct buffer *bytes) {
    struct entry entry;
    struct reader reader;
    reader_init(&reader, bytes->data, bytes->length);
    bool taken = entry_decode(&entry, &reader);
    assert_int_equal(taken, !reader.failed);
    entry_release(&entry);
    return taken;
}

static bool encodes_to_something_that_decodes(const struct entry *entry) {
    struct buffer bytes = { 0 };
    encode(entry, &bytes);
    bool taken = decodes(&bytes);
    buffer_release(&bytes);
    return taken;
}

static void an_entry_comes_back_as_it_was(void **state) {
    struct entry entry = make_file("etc/a file"), back;
    struct buffer bytes = { 0 }, again = { 0 };
    struct reader reader;
    (void)state;

    encode(&entry, &bytes);
    entry_encode(&entry, &bytes);
    reader_init(&reader, bytes.data, bytes.length);
    assert_true(entry_decode(&back, &reader));
    assert_string_equal(back.path, "etc/a file");
    assert_int_equal(back.mode, 04755);
    assert_int_equal(back.gid, UINT32_MAX);
    assert_string_equal(back.user, "someone");
    assert_null(back.group);
    assert_true(back.mtime == -5 && back.mtime_ns == 999999999 && back.ctime == INT64_MAX && back.ctime_ns == 1);
    assert_true(back.device == UINT64_MAX && back.inode == 7 && back.size == 1 << 20);
    assert_int_equal(back.attribute_count, 3);
    assert_string_equal(back.attributes[0].name, "xattr.user.a");
    assert_memory_equal(back.attributes[0].value, "one\0more", 8);
    assert_int_equal(entry_attribute(&back, "xattr.user.c")->length, 0);
    assert_null(entry_attribute(&back, "xattr.user.d"));
    assert_int_equal(back.range_count, 2);
    assert_true(back.ranges[1].offset == 1 << 19 && back.ranges[1].length == 10);
    assert_true(back.content == 4106 && back.chunks == 3 && back.digest[31] == 0xa5);

    /* The second one stands right behind it, and nothing is left. */
    entry_encode(&back, &again);
    entry_release(&back);
    assert_true(entry_decode(&back, &reader));
    assert_int_equal(reader.left, 0);
    assert_int_equal(again.length * 2, bytes.length);
    assert_memory_equal(again.data, bytes.data, again.length);

    entry_release(&back);
    entry_release(&entry);
    buffer_release(&bytes);
    buffer_release(&again);
}

static void entries_of_every_type_and_length_come_back(void **state) {
    char target[] = "a";
    (void)state;
    for (size_t length = 1; length < 40000; length = length * 3 + 1) {
        char *path = mem_alloc(length + 1);
        memset(path, 'x', length);
        path[length] = '\0';
        for (int type = ENTRY_FILE; type <= ENTRY_STREAM; type++) {
            struct entry entry = { .path = path, .type = (uint8_t)type, .size = 9, .device_major = 8 };
            if (type == ENTRY_SYMLINK || type == ENTRY_HARDLINK)
                entry.target = target;
            struct buffer bytes = { 0 };
            struct reader reader;
            struct entry back;
            encode(&entry, &bytes);
            reader_init(&reader, bytes.data, bytes.length);
            assert_true(entry_decode(&back, &reader));
            assert_int_equal(back.type, type);
            assert_string_equal(back.path, path);
            assert_int_equal(back.device_major, type == ENTRY_CHARACTER || type == ENTRY_BLOCK ? 8 : 0);
            entry_release(&back);
            buffer_release(&bytes);
        }
        free(path);
    }
}

static void a_copy_owns_all_it_has(void **state) {
    struct entry entry = make_file("a"), copy;
    struct buffer left = { 0 }, right = { 0 };
    (void)state;

    entry_copy(&copy, &entry);
    encode(&entry, &left);
    entry_release(&entry);
    encode(&copy, &right);
    assert_int_equal(left.length, right.length);
    assert_memory_equal(left.data, right.data, left.length);
    entry_release(&copy);
    buffer_release(&left);
    buffer_release(&right);
}

static void no_cut_entry_is_taken(void **state) {
    struct entry entry = make_file("a/b");
    struct buffer bytes = { 0 };
    (void)state;

    encode(&entry, &bytes);
    size_t whole = bytes.length;
    for (bytes.length = 0; bytes.length < whole; bytes.length++)
        assert_false(decodes(&bytes));
    entry_release(&entry);
    buffer_release(&bytes);
}

static void what_is_taken_encodes_to_the_same_bytes(void **state) {
    struct entry entry = make_file("a/b"), back;
    struct buffer bytes = { 0 }, again = { 0 };
    (void)state;

    /* Every byte in turn takes every value: refused, or one of several honest encodings. */
    encode(&entry, &bytes);
    for (size_t at = 0; at < bytes.length; at++) {
        uint8_t honest = bytes.data[at];
        for (unsigned value = 0; value < 256; value++) {
            struct reader reader;
            bytes.data[at] = (uint8_t)value;
            reader_init(&reader, bytes.data, bytes.length);
            if (entry_decode(&back, &reader)) {
                encode(&back, &again);
                assert_int_equal(again.length, bytes.length - reader.left);
                assert_memory_equal(again.data, bytes.data, again.length);
            }
            entry_release(&back);
        }
        bytes.data[at] = honest;
    }
    entry_release(&entry);
    buffer_release(&bytes);
    buffer_release(&again);
}

static void what_is_no_entry_is_refused(void **state) {
    (void)state;
    struct entry plain = { .path = (char[]){ "b" }, .type = ENTRY_FILE, .size = 100 };
    assert_true(encodes_to_something_that_decodes(&plain));

    struct entry entry = plain;
    entry.type = 9;
    assert_false(encodes_to_something_that_decodes(&entry));
    entry.type = 0;
    assert_false(encodes_to_something_that_decodes(&entry));
    entry = plain;
    entry.flags = 4;
    assert_false(encodes_to_something_that_decodes(&entry));
    entry = plain;
    entry.mode = 010000;
    assert_false(encodes_to_something_that_decodes(&entry));
    entry = plain;
    entry.mtime_ns = 1000000000;
    assert_false(encodes_to_something_that_decodes(&entry));
    entry = plain;
    entry.path = (char[]){ "../b" };
    assert_false(encodes_to_something_that_decodes(&entry));

    /* Links: a symbolic one may say anything, a hard one only what came before. */
    entry = plain;
    entry.type = ENTRY_SYMLINK;
    assert_false(encodes_to_something_that_decodes(&entry));
    entry.target = (char[]){ "/../.." };
    assert_true(encodes_to_something_that_decodes(&entry));
    entry.type = ENTRY_HARDLINK;
    assert_false(encodes_to_something_that_decodes(&entry));
    entry.target = (char[]){ "b" };
    assert_false(encodes_to_something_that_decodes(&entry));
    entry.target = (char[]){ "a/z" };
    assert_true(encodes_to_something_that_decodes(&entry));
}

static bool takes_attributes(const char *first, const char *second) {
    struct entry_attribute attributes[] = { { .name = (char *)(uintptr_t)first },
                                            { .name = (char *)(uintptr_t)second } };
    struct entry entry = {
        .path = (char[]){ "b" }, .type = ENTRY_FILE, .attributes = attributes, .attribute_count = 2
    };
    return encodes_to_something_that_decodes(&entry);
}

static void attributes_out_of_order_are_refused(void **state) {
    (void)state;
    assert_true(takes_attributes("a", "b"));
    assert_false(takes_attributes("b", "a"));
    assert_false(takes_attributes("a", "a"));
    assert_false(takes_attributes("", "a"));
}

static bool takes_ranges(uint64_t size, uint64_t offset, uint64_t length, uint64_t offset2, uint64_t length2) {
    struct entry_range ranges[] = { { offset, length }, { offset2, length2 } };
    struct entry entry = { .path = (char[]){ "b" }, .type = ENTRY_FILE, .size = size, .ranges = ranges };
    entry.range_count = offset2 == 0 ? 1 : 2;
    return encodes_to_something_that_decodes(&entry);
}

static void ranges_that_overlap_or_leave_the_file_are_refused(void **state) {
    (void)state;
    assert_true(takes_ranges(100, 10, 20, 30, 70));
    assert_false(takes_ranges(100, 10, 20, 29, 10));
    assert_false(takes_ranges(100, 10, 20, 5, 10));
    assert_false(takes_ranges(100, 10, 20, 30, 71));
    assert_false(takes_ranges(100, 10, UINT64_MAX, 9, 10));
    assert_false(takes_ranges(100, 10, 0, 0, 0));
    assert_false(takes_ranges(100, 10, 20, 100, 0));
    assert_true(takes_ranges(100, 100, 0, 0, 0)); /* all hole */
}

static void a_count_without_the_bytes_costs_nothing(void **state) {
    struct entry entry = { .path = (char[]){ "b" }, .type = ENTRY_FILE };
    struct buffer bytes = { 0 };
    (void)state;

    /* Attributes and ranges are counted in the two bytes before content, chunks and digest. */
    encode(&entry, &bytes);
    size_t at = bytes.length - 32 - 2 - 2;
    assert_int_equal(bytes.data[at], 0);
    bytes.data[at] = 0x7f;
    assert_false(decodes(&bytes));
    bytes.data[at] = 0;
    bytes.data[at + 1] = 0x7f;
    assert_false(decodes(&bytes));
    buffer_release(&bytes);
}

static void a_folder_is_followed_by_what_is_in_it(void **state) {
    static const char *const sorted[] = { "a", "a/b", "a/b/c", "a/b c", "a b", "a-b", "a.b", "a0", "ab", "b", "\xc3" };
    (void)state;
    for (size_t i = 0; i < sizeof sorted / sizeof sorted[0]; i++)
        for (size_t j = 0; j < sizeof sorted / sizeof sorted[0]; j++) {
            int order = entry_compare_paths(ENTRY_FILE, sorted[i], sorted[j]);
            assert_true((order < 0) == (i < j) && (order == 0) == (i == j));
        }
}

static void only_plain_relative_paths_are_valid(void **state) {
    static const char *const valid[] = { "a", "a/b", "...", ".a", "a/..b", "\n", " " };
    static const char *const invalid[] = { "", "/", "/a", "a/", "a//b", ".", "..", "a/.", "a/..", "./a", "a/../b" };
    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++)
        assert_true(entry_path_is_valid(ENTRY_FILE, valid[i]));
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++)
        assert_false(entry_path_is_valid(ENTRY_FILE, invalid[i]));

    char *path = mem_alloc(ENTRY_PATH_MAX + 2);
    memset(path, 'x', ENTRY_PATH_MAX + 1);
    path[ENTRY_PATH_MAX + 1] = '\0';
    assert_false(entry_path_is_valid(ENTRY_FILE, path));
    path[ENTRY_PATH_MAX] = '\0';
    assert_true(entry_path_is_valid(ENTRY_FILE, path));
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_comes_back_as_it_was),
        cmocka_unit_test(entries_of_every_type_and_length_come_back),
        cmocka_unit_test(a_copy_owns_all_it_has),
        cmocka_unit_test(no_cut_entry_is_taken),
        cmocka_unit_test(what_is_taken_encodes_to_the_same_bytes),
        cmocka_unit_test(what_is_no_entry_is_refused),
        cmocka_unit_test(attributes_out_of_order_are_refused),
        cmocka_unit_test(ranges_that_overlap_or_leave_the_file_are_refused),
        cmocka_unit_test(a_count_without_the_bytes_costs_nothing),
        cmocka_unit_test(a_folder_is_followed_by_what_is_in_it),
        cmocka_unit_test(only_plain_relative_paths_are_valid),
    };
    return cmocka_run_group_tests_name("entry", tests, NULL, NULL);
}
