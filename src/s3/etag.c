#include "s3_internal.h"
#include <muniment/util/hex.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

int s3_md5(uint8_t md5[S3_MD5_SIZE], const void *data, size_t length, struct err *err) {
    if (EVP_Digest(data, length, md5, NULL, EVP_md5(), NULL) != 1)
        return err_set(err, ERR_UNSUPPORTED, "libcrypto refuses to compute MD5, which object storage needs");
    return 0;
}

bool s3_etag_is_md5(const char *etag) {
    uint8_t md5[S3_MD5_SIZE];
    return hex_decode(md5, sizeof md5, etag) && etag[2 * sizeof md5] == '\0';
}

bool s3_etag_matches(const char *etag, const uint8_t md5[S3_MD5_SIZE]) {
    char text[2 * S3_MD5_SIZE + 1];
    return strcmp(hex_encode(text, md5, S3_MD5_SIZE), etag) == 0;
}

int s3_etag_join(char etag[S3_ETAG_MAX], const uint8_t *md5s, size_t count, struct err *err) {
    uint8_t md5[S3_MD5_SIZE];
    char text[2 * S3_MD5_SIZE + 1];
    if (s3_md5(md5, md5s, count * S3_MD5_SIZE, err) < 0)
        return -1;
    snprintf(etag, S3_ETAG_MAX, "%s-%zu", hex_encode(text, md5, sizeof md5), count);
    return 0;
}

bool s3_etag_is_of_content(const struct s3_headers *headers) {
    const char *encryption = s3_headers_find(headers, "x-amz-server-side-encryption");
    return !s3_headers_find(headers, "x-amz-server-side-encryption-customer-algorithm") &&
           (!encryption || strncmp(encryption, "aws:kms", 7) != 0);
}
