#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <muniment/repo/fetch.h>
#include <muniment/repo/references.h>
#include <muniment/repo/session.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <sodium.h>

#include "../lib/scratch.h"
#include "../lib/scratch_repo.h"

enum { CHUNKS = 300 };

struct fixture {
    struct scratch_repo scratch;
    struct hmac256 *mac;
};

static int open_fixture(void **state) {
    struct fixture *fixture = mem_zalloc(sizeof *fixture);
    scratch_repo_open(&fixture->scratch);
    fixture->mac = hmac256_new(fixture->scratch.keys.chunk_id_key);
    *state = fixture;
    return 0;
}

static int close_fixture(void **state) {
    struct fixture *fixture = *state;
    hmac256_free(fixture->mac);
    scratch_repo_close(&fixture->scratch);
    free(fixture);
    return 0;
}

/* Chunk n of a pack is text that says so, of a length of its own. */
static size_t chunk_text(char *text, const char *name, unsigned number) {
    size_t length = (size_t)sprintf(text, "%s %u ", name, number);
    for (unsigned i = 0; i < 50 + number % 70; i++)
        text[length++] = (char)('a' + i % 26);
    return length;
}

static void chunk_id(struct fixture *fixture, const char *text, size_t length, uint8_t id[CHUNK_ID_SIZE]) {
    uint8_t digest[SHA256_SIZE];
    hmac256_once(fixture->mac, digest, text, length);
    memcpy(id, digest, CHUNK_ID_SIZE);
}

/* A stored pack of `count` raw chunks. */
static void write_pack(struct fixture *fixture, const char *name, unsigned count, enum section_kind kind,
                       struct pack_table *table) {
    struct pack_writer *writer;
    struct err err = { 0 };
    uint32_t section, number;
    assert_success(pack_writer_new(&fixture->scratch.repo, &writer, &err), &err);
    assert_success(pack_writer_section(writer, kind, &section, &err), &err);
    for (unsigned i = 0; i < count; i++) {
        char text[256];
        uint8_t id[CHUNK_ID_SIZE];
        size_t length = chunk_text(text, name, i);
        chunk_id(fixture, text, length, id);
        assert_success(
            pack_writer_add(writer, section, id, (uint32_t)length, CODEC_RAW, text, (uint32_t)length, &number, &err),
            &err);
        assert_int_equal(number, i);
    }
    assert_success(pack_writer_finish(writer, table, &err), &err);
}

static void assert_chunk(const struct fetched *chunk, const char *name, unsigned number) {
    char text[256];
    size_t length = chunk_text(text, name, number);
    assert_int_equal(chunk->length, length);
    assert_memory_equal(chunk->data, text, length);
}

/* All chunks of the extents, one behind the other. */
static int fetch_all(struct repo *repo, struct index *index, const struct extents *extents, size_t max,
                     struct buffer *out, struct err *err) {
    struct extents_cursor cursor = { .extents = extents };
    struct fetch *fetch = fetch_new(repo, index, 1, fetch_from_extents, &cursor);
    struct fetched chunks;
    int result;
    while ((result = fetch_next(fetch, UINT64_MAX, &chunks, err)) == 1) {
        assert_true(chunks.length <= max - out->length);
        buffer_put(out, chunks.data, chunks.length);
    }
    fetch_free(fetch);
    return result;
}

/* --- packs and index ---------------------------------------------------------------------------------------------- */

static void a_table_read_from_its_pack_is_the_one_that_was_written(void **state) {
    struct fixture *fixture = *state;
    struct pack_table written = { 0 }, read = { 0 };
    struct err err = { 0 };
    write_pack(fixture, "one", CHUNKS, SECTION_DATA, &written);
    assert_success(pack_table_load(&fixture->scratch.repo, written.pack, written.size, &read, &err), &err);
    struct buffer left = { 0 }, right = { 0 };
    pack_table_encode(&written, &left);
    pack_table_encode(&read, &right);
    assert_int_equal(left.length, right.length);
    assert_memory_equal(left.data, right.data, left.length);
    buffer_release(&left);
    buffer_release(&right);
    pack_table_release(&written);
    pack_table_release(&read);
}

static void a_pack_is_named_by_the_hash_of_its_bytes(void **state) {
    struct fixture *fixture = *state;
    struct pack_table table = { 0 };
    struct buffer bytes = { 0 };
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    uint8_t hash[SHA256_SIZE];
    write_pack(fixture, "one", 3, SECTION_DATA, &table);
    repo_pack_name(&fixture->scratch.repo, name, table.pack);
    assert_success(store_get(fixture->scratch.store, name, 1 << 20, &bytes, &err), &err);
    sha256_once(hash, bytes.data, bytes.length);
    assert_memory_equal(hash, table.pack, sizeof hash);
    assert_int_equal(bytes.length, table.size);
    buffer_release(&bytes);
    pack_table_release(&table);
}

static void a_saved_index_answers_as_the_one_in_memory(void **state) {
    struct fixture *fixture = *state;
    struct repo *repo = &fixture->scratch.repo;
    struct index *made = index_new(), *loaded = index_new();
    struct err err = { 0 };
    const char *names[] = { "one", "two", "three" };
    for (size_t i = 0; i < 3; i++) {
        struct pack_table table = { 0 };
        write_pack(fixture, names[i], CHUNKS, SECTION_DATA, &table);
        index_add(made, &table);
    }
    assert_success(index_save(made, 0, repo, &err), &err);
    assert_success(index_load(loaded, repo, &err), &err);
    assert_int_equal(index_pack_count(loaded), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct pack_table *table = index_pack(made, i);
        for (unsigned number = 0; number < CHUNKS; number++) {
            struct index_place left, right;
            assert_true(index_place(made, table->sections[0].birth, number, 0, &left));
            assert_true(index_place(loaded, table->sections[0].birth, number, 0, &right));
            assert_int_equal(left.offset, right.offset);
            assert_memory_equal(left.table->pack, right.table->pack, 32);
            assert_int_equal(right.slot->number, number);
            assert_false(index_place(loaded, table->sections[0].birth, number, 1, &right));
        }
        struct index_place none;
        assert_false(index_place(loaded, table->sections[0].birth, CHUNKS, 0, &none));
    }
    index_free(made);
    index_free(loaded);
}

static void a_damaged_index_object_is_refused_with_its_name_and_the_way_out(void **state) {
    struct fixture *fixture = *state;
    struct index *index = index_new();
    struct err err = { 0 };
    struct pack_table table = { 0 };
    char name[REPO_NAME_MAX];
    write_pack(fixture, "one", 5, SECTION_DATA, &table);
    index_add(index, &table);
    assert_success(index_save(index, 0, &fixture->scratch.repo, &err), &err);
    index_free(index);
    assert_int_equal(scratch_repo_list(&fixture->scratch, "index", name), 1);
    scratch_repo_flip(&fixture->scratch, name, 40, 0x10);

    index = index_new();
    assert_int_equal(index_load(index, &fixture->scratch.repo, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.message, name));
    assert_non_null(strstr(err.hint, "repair"));
    index_free(index);
}

/* --- deduplication ------------------------------------------------------------------------------------------------ */

static void a_chunk_is_found_by_its_id_unless_its_pack_is_condemned(void **state) {
    struct fixture *fixture = *state;
    struct index *index = index_new();
    struct pack_table table = { 0 };
    uint8_t condemned[1][32], id[CHUNK_ID_SIZE], birth[BIRTH_SIZE], expected[BIRTH_SIZE];
    uint32_t number;
    char text[256];
    write_pack(fixture, "one", CHUNKS, SECTION_DATA, &table);
    memcpy(condemned[0], table.pack, 32);
    memcpy(expected, table.sections[0].birth, BIRTH_SIZE);
    index_add(index, &table);
    chunk_id(fixture, text, chunk_text(text, "one", 17), id);
    const struct extent extent = { .first = 10, .count = 20 };
    struct extent run = extent;
    memcpy(run.birth, expected, BIRTH_SIZE);

    struct dedup *dedup = dedup_new(index, SECTION_DATA, NULL);
    assert_true(dedup_find(dedup, id, birth, &number));
    assert_int_equal(number, 17);
    assert_memory_equal(birth, expected, BIRTH_SIZE);
    assert_true(dedup_has_extent(dedup, &run));
    run.first = CHUNKS - 1;
    assert_false(dedup_has_extent(dedup, &run));
    dedup_free(dedup);

    run.first = 10;
    dedup = dedup_new(index, SECTION_DATA, &(struct condemned){ condemned, 1 });
    assert_false(dedup_find(dedup, id, birth, &number));
    assert_false(dedup_has_extent(dedup, &run));
    dedup_free(dedup);

    /* Data never stands in for references. */
    dedup = dedup_new(index, SECTION_INDEX, NULL);
    assert_false(dedup_find(dedup, id, birth, &number));
    dedup_free(dedup);
    index_free(index);
}

static void many_added_chunks_are_all_found_again(void **state) {
    (void)state;
    struct index *index = index_new();
    struct dedup *dedup = dedup_new(index, SECTION_DATA, NULL);
    for (uint32_t i = 0; i < 50000; i++) {
        uint8_t id[SHA256_SIZE], birth[BIRTH_SIZE] = { (uint8_t)(i / 1000) };
        sha256_once(id, &i, sizeof i);
        dedup_add(dedup, id, birth, i);
    }
    for (uint32_t i = 0; i < 50000; i++) {
        uint8_t id[SHA256_SIZE], birth[BIRTH_SIZE];
        uint32_t number;
        sha256_once(id, &i, sizeof i);
        assert_true(dedup_find(dedup, id, birth, &number));
        assert_int_equal(number, i);
        assert_int_equal(birth[0], (uint8_t)(i / 1000));
    }
    dedup_free(dedup);
    index_free(index);
}

/* --- fetching ----------------------------------------------------------------------------------------------------- */

static void chunks_come_back_in_the_order_asked_for(void **state) {
    struct fixture *fixture = *state;
    for (unsigned workers = 1; workers <= 3; workers += 2) {
        struct index *index = index_new();
        struct extents list = { 0 };
        struct err err = { 0 };
        const char *names[] = { "one", "two" };
        for (size_t i = 0; i < 2; i++) {
            struct pack_table table = { 0 };
            write_pack(fixture, names[i], CHUNKS, SECTION_DATA, &table);
            index_add(index, &table);
        }
        /* Backwards through one pack, with every second chunk of the other between. */
        for (unsigned i = 0; i < CHUNKS / 2; i++) {
            extents_add(&list, index_pack(index, 0)->sections[0].birth, CHUNKS - 1 - i, 1);
            extents_add(&list, index_pack(index, 1)->sections[0].birth, 2 * i, 1);
        }
        struct extents_cursor cursor = { .extents = &list };
        struct fetch *fetch = fetch_new(&fixture->scratch.repo, index, workers, fetch_from_extents, &cursor);
        struct fetched chunk;
        for (unsigned i = 0; i < CHUNKS / 2; i++) {
            assert_int_equal(fetch_next(fetch, 1, &chunk, &err), 1);
            assert_chunk(&chunk, "one", CHUNKS - 1 - i);
            assert_int_equal(fetch_next(fetch, 1, &chunk, &err), 1);
            assert_chunk(&chunk, "two", 2 * i);
        }
        assert_int_equal(fetch_next(fetch, 1, &chunk, &err), 0);
        fetch_free(fetch);
        extents_release(&list);
        index_free(index);
    }
}

/* Every byte of a small pack that a chunk is made of: no other bytes ever come out, and the pack is named. */
static void a_changed_byte_is_refused_with_the_packs_name(void **state) {
    struct fixture *fixture = *state;
    struct index *index = index_new();
    struct pack_table table = { 0 };
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    write_pack(fixture, "one", 2, SECTION_DATA, &table);
    repo_pack_name(&fixture->scratch.repo, name, table.pack);
    size_t from = 8 + table.slots[0].stored_length, to = from + table.slots[1].stored_length;
    index_add(index, &table);
    for (size_t offset = from; offset < to; offset++) {
        struct extents list = { 0 };
        struct buffer out = { 0 };
        scratch_repo_flip(&fixture->scratch, name, offset, 0x01);
        extents_add(&list, index_pack(index, 0)->sections[0].birth, 1, 1);
        assert_int_equal(fetch_all(&fixture->scratch.repo, index, &list, 1 << 20, &out, &err), -1);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_non_null(strstr(err.message, name));
        assert_int_equal(out.length, 0);
        err_clear(&err);
        scratch_repo_flip(&fixture->scratch, name, offset, 0x01);
        extents_release(&list);
        buffer_release(&out);
    }
    index_free(index);
}

static void without_the_read_key_data_stays_closed_and_references_open(void **state) {
    struct fixture *fixture = *state;
    struct index *index = index_new();
    struct err err = { 0 };
    const enum section_kind kinds[] = { SECTION_DATA, SECTION_INDEX };
    for (size_t i = 0; i < 2; i++) {
        struct pack_table table = { 0 };
        write_pack(fixture, "one", 4, kinds[i], &table);
        index_add(index, &table);
    }
    struct keys writer = fixture->scratch.keys;
    writer.can_read = false;
    sodium_memzero(writer.read_secret, sizeof writer.read_secret);
    sodium_memzero(writer.box_secret, sizeof writer.box_secret);
    struct repo repo = fixture->scratch.repo;
    repo.keys = &writer;
    for (size_t i = 0; i < 2; i++) {
        struct extents extents = { 0 };
        struct buffer out = { 0 };
        extents_add(&extents, index_pack(index, i)->sections[0].birth, 0, 4);
        int result = fetch_all(&repo, index, &extents, 1 << 20, &out, &err);
        if (kinds[i] == SECTION_DATA) {
            assert_int_equal(result, -1);
            assert_int_equal(err.code, ERR_KEY);
            err_clear(&err);
        } else {
            assert_success(result, &err);
            assert_true(out.length > 0);
        }
        extents_release(&extents);
        buffer_release(&out);
    }
    index_free(index);
}

static void chunks_that_moved_meanwhile_are_found_in_their_new_pack(void **state) {
    struct fixture *fixture = *state;
    struct repo *repo = &fixture->scratch.repo;
    struct index *index = index_new();
    struct pack_table table = { 0 }, moved = { 0 };
    struct pack_writer *writer;
    struct buffer pack = { 0 };
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    write_pack(fixture, "one", CHUNKS, SECTION_DATA, &table);
    repo_pack_name(repo, name, table.pack);
    assert_success(store_get(repo->store, name, 1 << 20, &pack, &err), &err);

    /* Move every third chunk, backwards; then the old pack goes, as a purge would have it. */
    assert_success(pack_writer_new(repo, &writer, &err), &err);
    for (unsigned i = CHUNKS; i-- > 0;) {
        size_t offset = 8;
        for (unsigned before = 0; before < i; before++)
            offset += table.slots[before].stored_length;
        if (i % 3 == 0)
            assert_success(pack_writer_move(writer, &table.sections[0], &table.slots[i], pack.data + offset, &err),
                           &err);
    }
    assert_success(pack_writer_finish(writer, &moved, &err), &err);
    struct index *saved = index_new();
    index_add(saved, &moved);
    assert_success(index_save(saved, 0, repo, &err), &err);
    index_free(saved);
    assert_success(store_remove(repo->store, name, NULL, &err), &err);

    index_add(index, &table);
    for (unsigned i = 0; i < CHUNKS; i += 3) {
        struct extents extents = { 0 };
        struct buffer out = { 0 };
        char text[256];
        extents_add(&extents, index_pack(index, 0)->sections[0].birth, i, 1);
        assert_success(fetch_all(repo, index, &extents, 1 << 20, &out, &err), &err);
        assert_int_equal(out.length, chunk_text(text, "one", i));
        assert_memory_equal(out.data, text, out.length);
        extents_release(&extents);
        buffer_release(&out);
    }
    struct extents gone = { 0 };
    extents_add(&gone, index_pack(index, 0)->sections[0].birth, 1, 1);
    assert_failure(fetch_all(repo, index, &gone, 1 << 20, &pack, &err), ERR_CORRUPT, &err);
    extents_release(&gone);
    buffer_release(&pack);
    index_free(index);
}

/* --- references --------------------------------------------------------------------------------------------------- */

struct walked {
    struct extents data, tree;
    uint64_t own;
};

static int note(void *context, const struct extent *extent, enum extent_role role, struct err *err) {
    (void)err;
    struct walked *walked = context;
    if (role == EXTENT_REFERENCES)
        walked->own += extent->count;
    else
        extents_add(role == EXTENT_DATA ? &walked->data : &walked->tree, extent->birth, extent->first, extent->count);
    return 0;
}

/* Stores a stream of extents as SECTION_INDEX chunks of `size` bytes, so that extents lie across their borders. */
static void store_stream(struct fixture *fixture, struct index *index, const struct buffer *stream, size_t size,
                         struct extents *root) {
    struct pack_writer *writer;
    struct pack_table table = { 0 };
    struct err err = { 0 };
    uint32_t section, number;
    assert_success(pack_writer_new(&fixture->scratch.repo, &writer, &err), &err);
    assert_success(pack_writer_section(writer, SECTION_INDEX, &section, &err), &err);
    extents_clear(root);
    for (size_t at = 0; at < stream->length; at += size) {
        size_t length = stream->length - at < size ? stream->length - at : size;
        uint8_t id[CHUNK_ID_SIZE];
        chunk_id(fixture, (const char *)stream->data + at, length, id);
        assert_success(pack_writer_add(writer, section, id, (uint32_t)length, CODEC_RAW, stream->data + at,
                                       (uint32_t)length, &number, &err),
                       &err);
        extents_add(root, pack_writer_table(writer)->sections[section].birth, number, 1);
    }
    assert_success(pack_writer_finish(writer, &table, &err), &err);
    index_add(index, &table);
}

static void a_stream_of_any_depth_yields_its_extents_in_order(void **state) {
    struct fixture *fixture = *state;
    for (uint8_t depth = 0; depth <= REFERENCES_DEPTH_MAX; depth++) {
        struct index *index = index_new();
        struct references references = { .depth = depth, .data_extents = 900, .tree_extents = 100 };
        struct buffer stream = { 0 };
        struct walked walked = { 0 };
        struct err err = { 0 };
        for (uint32_t i = 0; i < 1000; i++) {
            const struct extent extent = { .birth = { 1, (uint8_t)i, (uint8_t)(i >> 8) }, .first = i, .count = 3 };
            extent_put(&stream, &extent);
        }
        store_stream(fixture, index, &stream, 1001, &references.root);
        for (uint8_t level = 0; level < depth; level++) {
            buffer_clear(&stream);
            /* One extent a slot, so that there is something to list. */
            for (size_t i = 0; i < references.root.count; i++)
                for (uint32_t slot = 0; slot < references.root.items[i].count; slot++) {
                    struct extent extent = references.root.items[i];
                    extent.first += slot;
                    extent.count = 1;
                    extent_put(&stream, &extent);
                }
            store_stream(fixture, index, &stream, 100, &references.root);
        }
        assert_success(references_walk(&fixture->scratch.repo, index, &references, note, &walked, &err), &err);
        assert_int_equal(walked.data.count, 900);
        assert_int_equal(walked.tree.count, 100);
        assert_true(walked.own >= 24);
        for (uint32_t i = 0; i < 900; i++)
            assert_int_equal(walked.data.items[i].first, i);
        for (uint32_t i = 0; i < 100; i++)
            assert_int_equal(walked.tree.items[i].first, 900 + i);

        /* A root that counts otherwise is a lie. */
        references.tree_extents++;
        assert_failure(references_walk(&fixture->scratch.repo, index, &references, note, &walked, &err), ERR_CORRUPT,
                       &err);
        references.tree_extents -= 2;
        assert_failure(references_walk(&fixture->scratch.repo, index, &references, note, &walked, &err), ERR_CORRUPT,
                       &err);
        extents_release(&walked.data);
        extents_release(&walked.tree);
        extents_release(&references.root);
        buffer_release(&stream);
        index_free(index);
    }
}

static void a_stream_that_ends_inside_an_extent_is_refused(void **state) {
    struct fixture *fixture = *state;
    struct index *index = index_new();
    struct references references = { .data_extents = 2 };
    struct buffer stream = { 0 };
    struct walked walked = { 0 };
    struct err err = { 0 };
    const struct extent extent = { .birth = { 9 }, .first = 1, .count = 1 };
    extent_put(&stream, &extent);
    extent_put(&stream, &extent);
    stream.length--;
    store_stream(fixture, index, &stream, 30, &references.root);
    assert_failure(references_walk(&fixture->scratch.repo, index, &references, note, &walked, &err), ERR_CORRUPT, &err);
    extents_release(&walked.data);
    extents_release(&references.root);
    buffer_release(&stream);
    index_free(index);
}

#define fixture_test(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void) {
    const struct CMUnitTest tests[] = {
        fixture_test(a_table_read_from_its_pack_is_the_one_that_was_written),
        fixture_test(a_pack_is_named_by_the_hash_of_its_bytes),
        fixture_test(a_saved_index_answers_as_the_one_in_memory),
        fixture_test(a_damaged_index_object_is_refused_with_its_name_and_the_way_out),
        fixture_test(a_chunk_is_found_by_its_id_unless_its_pack_is_condemned),
        cmocka_unit_test(many_added_chunks_are_all_found_again),
        fixture_test(chunks_come_back_in_the_order_asked_for),
        fixture_test(a_changed_byte_is_refused_with_the_packs_name),
        fixture_test(without_the_read_key_data_stays_closed_and_references_open),
        fixture_test(chunks_that_moved_meanwhile_are_found_in_their_new_pack),
        fixture_test(a_stream_of_any_depth_yields_its_extents_in_order),
        fixture_test(a_stream_that_ends_inside_an_extent_is_refused),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
