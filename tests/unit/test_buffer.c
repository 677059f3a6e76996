#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <muniment/util/buffer.h>

#include "../lib/scratch.h"

static void integers_are_little_endian(void **state) {
    static const uint8_t expected[] = { 0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x08, 0x07, 0x06, 0x05, 0x04,
                                        0x03, 0x02, 0x01, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    struct buffer buffer = { 0 };
    (void)state;

    buffer_put_u8(&buffer, 1);
    buffer_put_u16(&buffer, 0x0203);
    buffer_put_u32(&buffer, 0x04050607);
    buffer_put_u64(&buffer, UINT64_C(0x0102030405060708));
    buffer_put_i64(&buffer, -2);
    assert_int_equal(buffer.length, sizeof expected);
    assert_memory_equal(buffer.data, expected, sizeof expected);
    buffer_release(&buffer);
    assert_null(buffer.data);
}

static void what_was_put_is_read_back(void **state) {
    static const uint64_t numbers[] = { 0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX };
    struct buffer buffer = { 0 };
    struct reader reader;
    struct err err = { 0 };
    uint8_t copied[3];
    size_t length;
    (void)state;

    buffer_put_u8(&buffer, 200);
    buffer_put_u16(&buffer, 60000);
    buffer_put_u32(&buffer, 4000000000u);
    buffer_put_u64(&buffer, UINT64_MAX);
    buffer_put_i64(&buffer, INT64_MIN);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        buffer_put_varint(&buffer, numbers[i]);
    buffer_put_text(&buffer, "grüße");
    buffer_put_text(&buffer, NULL);
    buffer_put_blob(&buffer, "a\0b", 3);
    buffer_put(&buffer, "xyz", 3);

    reader_init(&reader, buffer.data, buffer.length);
    assert_int_equal(reader_u8(&reader), 200);
    assert_int_equal(reader_u16(&reader), 60000);
    assert_int_equal(reader_u32(&reader), 4000000000u);
    assert_true(reader_u64(&reader) == UINT64_MAX);
    assert_true(reader_i64(&reader) == INT64_MIN);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_true(reader_varint(&reader) == numbers[i]);
    char *text = reader_text(&reader, 100), *empty = reader_text(&reader, 0);
    assert_string_equal(text, "grüße");
    assert_string_equal(empty, "");
    const uint8_t *blob = reader_blob(&reader, 3, &length);
    assert_int_equal(length, 3);
    assert_memory_equal(blob, "a\0b", 3);
    reader_copy(&reader, copied, sizeof copied);
    assert_memory_equal(copied, "xyz", 3);
    assert_success(reader_finish(&reader, "the sample", &err), &err);

    free(text);
    free(empty);
    buffer_release(&buffer);
}

/* Every prefix of a record, in memory of exactly its size: a sanitiser sees any read past its end. */
static void a_record_cut_anywhere_is_refused(void **state) {
    struct buffer buffer = { 0 };
    struct err err = { 0 };
    (void)state;

    buffer_put_u32(&buffer, 7);
    buffer_put_varint(&buffer, 1 << 20);
    buffer_put_text(&buffer, "name");
    buffer_put_u64(&buffer, 9);
    for (size_t length = 0; length <= buffer.length; length++) {
        uint8_t *cut = malloc(length > 0 ? length : 1), rest[8];
        struct reader reader;
        memcpy(cut, buffer.data, length);
        reader_init(&reader, cut, length);
        reader_u32(&reader);
        reader_varint(&reader);
        free(reader_text(&reader, 100));
        reader_copy(&reader, rest, sizeof rest);
        if (length == buffer.length)
            assert_success(reader_finish(&reader, "the record", &err), &err);
        else
            assert_failure(reader_finish(&reader, "the record", &err), ERR_CORRUPT, &err);
        free(cut);
    }
    buffer_release(&buffer);
}

static void after_a_failure_every_get_returns_zero(void **state) {
    struct reader reader;
    uint8_t copied[2] = { 1, 1 };
    size_t length = 5;
    (void)state;

    reader_init(&reader, "\x01\x02\x03\x04", 4);
    assert_int_equal(reader_u64(&reader), 0);
    assert_true(reader.failed);
    assert_int_equal(reader_u8(&reader), 0);
    assert_int_equal(reader_u16(&reader), 0);
    assert_int_equal(reader_u32(&reader), 0);
    assert_int_equal(reader_varint(&reader), 0);
    assert_null(reader_bytes(&reader, 1));
    assert_null(reader_blob(&reader, 10, &length));
    assert_int_equal(length, 0);
    reader_copy(&reader, copied, sizeof copied);
    assert_memory_equal(copied, "\0\0", 2);
    char *text = reader_text(&reader, 10);
    assert_string_equal(text, "");
    free(text);
}

static void bytes_left_over_are_refused(void **state) {
    struct reader reader;
    struct err err = { 0 };
    (void)state;

    reader_init(&reader, "\x01\x02", 2);
    reader_u8(&reader);
    assert_failure(reader_finish(&reader, "the record", &err), ERR_CORRUPT, &err);
}

static uint64_t read_varint(const void *data, size_t length, bool *failed) {
    struct reader reader;
    reader_init(&reader, data, length);
    const uint64_t value = reader_varint(&reader);
    *failed = reader.failed;
    return value;
}

static void a_number_has_one_form_only(void **state) {
    bool failed;
    (void)state;

    assert_true(read_varint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, &failed) == UINT64_MAX);
    assert_false(failed);
    read_varint("\x80\x00", 2, &failed);
    assert_true(failed);
    read_varint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, &failed);
    assert_true(failed);
    read_varint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11, &failed);
    assert_true(failed);
    read_varint("\x80", 1, &failed);
    assert_true(failed);
}

static void lengths_beyond_their_bound_are_refused_before_memory_is_taken(void **state) {
    struct buffer buffer = { 0 };
    struct reader reader;
    size_t length;
    (void)state;

    buffer_put_varint(&buffer, UINT64_MAX);
    buffer_put(&buffer, "abc", 3);
    reader_init(&reader, buffer.data, buffer.length);
    assert_null(reader_blob(&reader, SIZE_MAX, &length));
    assert_true(reader.failed);

    buffer_clear(&buffer);
    buffer_put_text(&buffer, "abcd");
    reader_init(&reader, buffer.data, buffer.length);
    char *text = reader_text(&reader, 3);
    assert_true(reader.failed);
    assert_string_equal(text, "");
    free(text);
    buffer_release(&buffer);
}

static void a_text_with_a_nul_inside_is_refused(void **state) {
    struct reader reader;
    (void)state;

    reader_init(&reader,
                "\x03"
                "a\0b",
                4);
    char *text = reader_text(&reader, 10);
    assert_true(reader.failed);
    assert_string_equal(text, "");
    free(text);
}

static void a_buffer_grows_and_keeps_its_content(void **state) {
    struct buffer buffer = { 0 };
    (void)state;

    for (uint32_t i = 0; i < 100000; i++)
        buffer_put_u32(&buffer, i);
    assert_int_equal(buffer.length, 400000);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(get_u32(buffer.data + 4 * (size_t)i), i);
    const size_t capacity = buffer.capacity;
    buffer_clear(&buffer);
    assert_int_equal(buffer.length, 0);
    assert_int_equal(buffer.capacity, capacity);
    buffer_wipe(&buffer);
    assert_int_equal(buffer.capacity, 0);
}

static void a_borrowed_buffer_is_filled_and_left_to_its_owner(void **state) {
    uint8_t memory[4] = { 9, 9, 9, 9 };
    struct buffer buffer = buffer_over(memory, 3);
    (void)state;

    buffer_put(&buffer, "ab", 2);
    buffer_put_u8(&buffer, 'c');
    assert_memory_equal(memory, "abc\x09", 4);
    assert_ptr_equal(buffer.data, memory);
    buffer_release(&buffer);
    assert_null(buffer.data);
    assert_memory_equal(memory, "abc\x09", 4);
}

static void a_borrowed_buffer_that_is_exceeded_ends_the_process(void **state) {
    uint8_t memory[4];
    int status;
    (void)state;

    const pid_t child = scratch_fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct buffer buffer = buffer_over(memory, 3);
        buffer_put(&buffer, "abcd", 4);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void printed_text_is_appended_without_its_terminator(void **state) {
    struct buffer buffer = { 0 };
    (void)state;

    assert_string_equal(buffer_text(&buffer), "");
    buffer_printf(&buffer, "%d-%s", 12, "ab");
    buffer_printf(&buffer, "%s", "");
    buffer_printf(&buffer, "!%0200d", 0);
    assert_int_equal(buffer.length, 206);
    assert_int_equal(strlen(buffer_text(&buffer)), 206);
    assert_memory_equal(buffer.data, "12-ab!0", 7);
    buffer_release(&buffer);
}

static void fixed_places_hold_what_was_put(void **state) {
    uint8_t place[8];
    (void)state;

    put_u32(place, 0x89abcdef);
    assert_memory_equal(place, "\xef\xcd\xab\x89", 4);
    assert_int_equal(get_u32(place), 0x89abcdef);
    put_u64(place, UINT64_C(0xf123456789abcdef));
    assert_true(get_u64(place) == UINT64_C(0xf123456789abcdef));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_little_endian),
        cmocka_unit_test(what_was_put_is_read_back),
        cmocka_unit_test(a_record_cut_anywhere_is_refused),
        cmocka_unit_test(after_a_failure_every_get_returns_zero),
        cmocka_unit_test(bytes_left_over_are_refused),
        cmocka_unit_test(a_number_has_one_form_only),
        cmocka_unit_test(lengths_beyond_their_bound_are_refused_before_memory_is_taken),
        cmocka_unit_test(a_text_with_a_nul_inside_is_refused),
        cmocka_unit_test(a_buffer_grows_and_keeps_its_content),
        cmocka_unit_test(a_borrowed_buffer_is_filled_and_left_to_its_owner),
        cmocka_unit_test(a_borrowed_buffer_that_is_exceeded_ends_the_process),
        cmocka_unit_test(printed_text_is_appended_without_its_terminator),
        cmocka_unit_test(fixed_places_hold_what_was_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
