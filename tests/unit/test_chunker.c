#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <muniment/repo/chunker.h>
#include <sodium.h>

enum { DATA_SIZE = 4 * 1024 * 1024 };

static const uint8_t SEED[32] = { 1, 2, 3 };

static uint8_t *make_data(uint8_t salt) {
    uint8_t seed[32] = { salt };
    uint8_t *data = malloc(DATA_SIZE);
    assert_non_null(data);
    randombytes_buf_deterministic(data, DATA_SIZE, seed);
    return data;
}

/* Lengths of all chunks; returns how many. */
static size_t cut_all(const struct chunker *chunker, const uint8_t *data, size_t length, size_t *lengths) {
    size_t count = 0;
    for (size_t at = 0; at < length; count++) {
        lengths[count] = chunker_cut(chunker, data + at, length - at, 1);
        assert_true(lengths[count] > 0);
        at += lengths[count];
    }
    return count;
}

static void every_chunk_but_the_last_lies_between_the_sizes(void **state) {
    (void)state;
    const struct chunker_sizes kinds[] = { CHUNKER_DATABASE, CHUNKER_FILES };
    uint8_t *data = make_data(7);
    static size_t lengths[DATA_SIZE / 1024];
    for (size_t kind = 0; kind < 2; kind++) {
        struct chunker chunker;
        chunker_init(&chunker, SEED, kinds[kind]);
        size_t count = cut_all(&chunker, data, DATA_SIZE, lengths);
        for (size_t i = 0; i + 1 < count; i++)
            assert_in_range(lengths[i], kinds[kind].minimum, kinds[kind].maximum);
        /* The average is of the order it was asked for. */
        assert_in_range(DATA_SIZE / count, kinds[kind].average / 2, kinds[kind].average * 2);
    }
    free(data);
}

static void what_comes_after_does_not_move_a_cut(void **state) {
    (void)state;
    uint8_t *data = make_data(8);
    struct chunker chunker;
    chunker_init(&chunker, SEED, CHUNKER_DATABASE);
    size_t whole = chunker_cut(&chunker, data, DATA_SIZE, 1);

    /* Fewer bytes than the cut needs: no answer yet; enough (one behind the cut may be looked at): the same answer. */
    for (size_t length = 1; length < whole; length++)
        assert_int_equal(chunker_cut(&chunker, data, length, 0), 0);
    for (size_t length = whole + 1; length < whole + 4096; length += 97)
        assert_int_equal(chunker_cut(&chunker, data, length, 0), whole);
    free(data);
}

static void an_inserted_byte_changes_only_the_chunks_near_it(void **state) {
    (void)state;
    static size_t before[DATA_SIZE / 1024], after[DATA_SIZE / 1024];
    uint8_t *data = make_data(9), *longer = malloc(DATA_SIZE + 1);
    assert_non_null(longer);
    memcpy(longer, data, 1000000);
    longer[1000000] = 'x';
    memcpy(longer + 1000001, data + 1000000, DATA_SIZE - 1000000);

    struct chunker chunker;
    chunker_init(&chunker, SEED, CHUNKER_DATABASE);
    size_t count = cut_all(&chunker, data, DATA_SIZE, before);
    size_t longer_count = cut_all(&chunker, longer, DATA_SIZE + 1, after);

    /* Chunks that are equal from the end backwards. */
    size_t same = 0;
    while (same < count && same < longer_count && before[count - 1 - same] == after[longer_count - 1 - same])
        same++;
    size_t behind = 0;
    for (size_t i = count - same; i < count; i++)
        behind += before[i];
    assert_true(behind > DATA_SIZE - 1000000 - 4 * (size_t)CHUNKER_DATABASE.maximum);
    free(data);
    free(longer);
}

static void another_seed_cuts_elsewhere(void **state) {
    (void)state;
    static size_t one[DATA_SIZE / 1024], other[DATA_SIZE / 1024];
    const uint8_t seed[32] = { 4, 5, 6 };
    uint8_t *data = make_data(10);
    struct chunker chunker;
    chunker_init(&chunker, SEED, CHUNKER_DATABASE);
    size_t count = cut_all(&chunker, data, DATA_SIZE, one);
    chunker_init(&chunker, seed, CHUNKER_DATABASE);
    size_t other_count = cut_all(&chunker, data, DATA_SIZE, other);
    assert_false(count == other_count && memcmp(one, other, count * sizeof *one) == 0);
    free(data);
}

static void no_bytes_are_no_chunk(void **state) {
    (void)state;
    struct chunker chunker;
    chunker_init(&chunker, SEED, CHUNKER_FILES);
    assert_int_equal(chunker_cut(&chunker, NULL, 0, 1), 0);
}

/* The cuts are part of the format: other cuts would store everything again. */
static void cuts_stay_where_they_always_were(void **state) {
    (void)state;
    uint8_t *data = make_data(11);
    struct chunker chunker;
    size_t at = 0, lengths[4];
    chunker_init(&chunker, SEED, CHUNKER_DATABASE);
    for (size_t i = 0; i < 4; i++)
        at += lengths[i] = chunker_cut(&chunker, data + at, DATA_SIZE - at, 1);
    const size_t expected[4] = { 6459, 14270, 9224, 10813 };
    assert_memory_equal(lengths, expected, sizeof lengths);
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chunk_but_the_last_lies_between_the_sizes),
        cmocka_unit_test(what_comes_after_does_not_move_a_cut),
        cmocka_unit_test(an_inserted_byte_changes_only_the_chunks_near_it),
        cmocka_unit_test(another_seed_cuts_elsewhere),
        cmocka_unit_test(no_bytes_are_no_chunk),
        cmocka_unit_test(cuts_stay_where_they_always_were),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
