#include "encoder_internal.h"
#include "stream_writer_internal.h"
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <stdlib.h>
#include <string.h>

struct stream_writer {
    struct depot *depot;
    enum depot_stream stream;
    struct chunker chunker;
    struct encoder *encoder;
    struct sha256 *digest;
    struct buffer pending;
    struct extents extents;
    uint64_t stored;
};

struct stream_writer *stream_writer_new(struct depot *depot, const struct keys *keys, enum depot_stream stream,
                                        int compression) {
    struct stream_writer *writer = mem_zalloc(sizeof *writer);
    writer->depot = depot;
    writer->stream = stream;
    chunker_init(&writer->chunker, keys->chunker_seed, CHUNKER_DATABASE);
    writer->encoder = encoder_new(keys, compression);
    writer->digest = sha256_new();
    return writer;
}

void stream_writer_free(struct stream_writer *writer) {
    if (!writer)
        return;
    encoder_free(writer->encoder);
    sha256_free(writer->digest);
    buffer_wipe(&writer->pending);
    extents_release(&writer->extents);
    free(writer);
}

static int put_chunk(struct stream_writer *writer, uint8_t *data, size_t length, struct err *err) {
    uint8_t mac[SHA256_SIZE], birth[BIRTH_SIZE];
    uint32_t number;
    struct depot_chunk chunk = { .plain_length = (uint32_t)length };

    encoder_mac(writer->encoder, data, length, mac);
    memcpy(chunk.id, mac, CHUNK_ID_SIZE);
    sha256_update(writer->digest, mac, sizeof mac);
    if (!depot_has(writer->depot, writer->stream, chunk.id))
        encoder_compress(writer->encoder, data, length, &chunk.codec, &chunk.encoded_length);
    chunk.encoded = data;
    if (depot_put(writer->depot, writer->stream, &chunk, birth, &number, &writer->stored, err) < 0)
        return -1;
    extents_add(&writer->extents, birth, number, 1);
    return 0;
}

static int put_chunks(struct stream_writer *writer, bool last, struct err *err) {
    size_t at = 0, length;
    while ((length = chunker_cut(&writer->chunker, writer->pending.data + at, writer->pending.length - at, last)) > 0) {
        if (put_chunk(writer, writer->pending.data + at, length, err) < 0)
            return -1;
        at += length;
    }
    if (at > 0)
        memmove(writer->pending.data, writer->pending.data + at, writer->pending.length - at);
    writer->pending.length -= at;
    return 0;
}

int stream_writer_put(struct stream_writer *writer, const void *data, size_t length, struct err *err) {
    if (length == 0)
        return 0;
    buffer_put(&writer->pending, data, length);
    /* Cutting a little at a time would scan the same bytes again and again. */
    return writer->pending.length >= 2 * CHUNK_MAX ? put_chunks(writer, false, err) : 0;
}

int stream_writer_end(struct stream_writer *writer, struct extents *extents, uint8_t digest[32], uint64_t *stored,
                      struct err *err) {
    uint8_t unwanted[SHA256_SIZE];
    if (put_chunks(writer, true, err) < 0)
        return -1;
    sha256_final(writer->digest, digest ? digest : unwanted);
    sha256_reset(writer->digest);

    extents_release(extents);
    *extents = writer->extents;
    writer->extents = (struct extents){ 0 };
    *stored += writer->stored;
    writer->stored = 0;
    return 0;
}
