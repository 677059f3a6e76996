#include "encoder_internal.h"
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

struct encoder {
    struct hmac256 *mac;
    ZSTD_CCtx *compressor;
    int level;
    uint8_t scratch[CHUNK_MAX];
};

struct encoder *encoder_new(const struct keys *keys, int compression) {
    struct encoder *encoder = mem_alloc(sizeof *encoder);
    encoder->mac = hmac256_new(keys->chunk_id_key);
    encoder->compressor = mem_require(ZSTD_createCCtx());
    encoder->level = compression ? compression : COMPRESSION_DEFAULT;
    return encoder;
}

void encoder_free(struct encoder *encoder) {
    if (!encoder)
        return;
    hmac256_free(encoder->mac);
    ZSTD_freeCCtx(encoder->compressor);
    sodium_memzero(encoder->scratch, sizeof encoder->scratch);
    free(encoder);
}

void encoder_mac(struct encoder *encoder, const void *data, size_t length, uint8_t mac[32]) {
    hmac256_once(encoder->mac, mac, data, length);
}

void encoder_compress(struct encoder *encoder, uint8_t *data, size_t length, enum codec *codec, uint32_t *encoded) {
    *codec = CODEC_RAW;
    *encoded = (uint32_t)length;

    /* One byte less than raw is the room given, so that what does not shrink ends early as an error. */
    size_t shrunk =
        length > 1 ? ZSTD_compressCCtx(encoder->compressor, encoder->scratch, length - 1, data, length, encoder->level)
                   : 0;
    if (shrunk == 0 || ZSTD_isError(shrunk))
        return;
    memcpy(data, encoder->scratch, shrunk);
    *codec = CODEC_ZSTD;
    *encoded = (uint32_t)shrunk;
}
