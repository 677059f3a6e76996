#include <muniment/evidence/document.h>
#include <muniment/util/hex.h>
#include <muniment/util/sha256.h>
#include <sodium.h>
#include <string.h>

#define MARK "muniment-signature-1 "
static const char CONTEXT[] = "muniment document";

/* What a token holds, one after the other. */
enum {
    AT_HOST = SET_ID_SIZE,
    AT_CERTIFICATE = AT_HOST + SIGN_PUBLIC_SIZE,
    AT_SIGNATURE = AT_CERTIFICATE + SIGNATURE_SIZE,
    TOKEN_SIZE = AT_SIGNATURE + SIGNATURE_SIZE,
    TOKEN_TEXT = sodium_base64_ENCODED_LEN(TOKEN_SIZE, sodium_base64_VARIANT_ORIGINAL), /* with its terminator */
    SIGNED_SIZE = sizeof CONTEXT - 1 + SET_ID_SIZE + 1 + SHA256_SIZE,
};

/* The one spelling that a format's trailer has: around the token. `end` is how the bytes before it end; of JSON the
 * brace that closes the object makes room for the trailer, which closes it again. */
struct trailer {
    const char *begin, *end, *before;
};
static const struct trailer TRAILERS[] = {
    [REPORT_TEXT] = { "# " MARK, "\n", "\n" },
    [REPORT_JSON] = { ",\"signature\":\"" MARK, "\"}\n", "" },
    [REPORT_CSV] = { "# " MARK, "\r\n", "\n" },
    [REPORT_HTML] = { "<!-- " MARK, " -->\n", "\n" },
};
#define FORMATS (sizeof TRAILERS / sizeof *TRAILERS)

static size_t trailer_length(enum report_format format) {
    return strlen(TRAILERS[format].begin) + TOKEN_TEXT - 1 + strlen(TRAILERS[format].end);
}

static bool ends_in(const uint8_t *document, size_t length, const char *end) {
    size_t size = strlen(end);
    return length >= size && memcmp(document + length - size, end, size) == 0;
}

/* The token at the end of `document`, decoded, and how many bytes stand before the trailer. */
static bool find_trailer(enum report_format format, const uint8_t *document, size_t length, uint8_t token[TOKEN_SIZE],
                         size_t *before) {
    const struct trailer *trailer = &TRAILERS[format];
    size_t begin = strlen(trailer->begin), decoded = 0;
    char again[TOKEN_TEXT];
    if (length < trailer_length(format) || !ends_in(document, length, trailer->end))
        return false;

    const uint8_t *at = document + length - trailer_length(format);
    const char *text = (const char *)at + begin;
    if (memcmp(at, trailer->begin, begin) != 0 || !ends_in(document, (size_t)(at - document), trailer->before))
        return false;
    if (sodium_base642bin(token, TOKEN_SIZE, text, TOKEN_TEXT - 1, NULL, &decoded, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        decoded != TOKEN_SIZE)
        return false;

    /* Bits that no byte needs would let one token have many spellings. */
    sodium_bin2base64(again, sizeof again, token, TOKEN_SIZE, sodium_base64_VARIANT_ORIGINAL);
    *before = (size_t)(at - document);
    return memcmp(again, text, TOKEN_TEXT - 1) == 0;
}

/* One that is signed already stays as it is: whoever reads it would take the second signer for the first. */
static bool is_signed(enum report_format format, const struct buffer *document) {
    uint8_t token[TOKEN_SIZE];
    size_t before;
    return find_trailer(format, document->data, document->length, token, &before);
}

static void signed_text(const uint8_t set_id[SET_ID_SIZE], enum report_format format, const void *document,
                        size_t length, uint8_t text[SIGNED_SIZE]) {
    uint8_t *at = text;
    memcpy(at, CONTEXT, sizeof CONTEXT - 1);
    at += sizeof CONTEXT - 1;
    memcpy(at, set_id, SET_ID_SIZE);
    at += SET_ID_SIZE;
    *at++ = (uint8_t)format;
    sha256_once(at, document, length);
}

int document_sign(const struct keys *keys, enum report_format format, struct buffer *document, struct err *err) {
    uint8_t text[SIGNED_SIZE], token[TOKEN_SIZE];
    char encoded[TOKEN_TEXT];
    if (!keys->can_sign)
        return err_set(err, ERR_KEY, "signing a document takes a write key");
    if (is_signed(format, document))
        return err_set(err, ERR_EXISTS, "the document is signed already");

    if (format == REPORT_JSON) {
        /* An empty object has no last member for another to follow. */
        if (!ends_in(document->data, document->length, "}\n") || ends_in(document->data, document->length, "{}\n"))
            return err_set(err, ERR_INVALID, "what should be signed is no JSON object with members");
        document->length -= 2;
    } else if (!ends_in(document->data, document->length, "\n")) {
        return err_set(err, ERR_INVALID, "what should be signed does not end in a line end");
    }

    signed_text(keys->set_id, format, document->data, document->length, text);
    memcpy(token, keys->set_id, SET_ID_SIZE);
    memcpy(token + AT_HOST, keys->host_public, SIGN_PUBLIC_SIZE);
    memcpy(token + AT_CERTIFICATE, keys->host_certificate, SIGNATURE_SIZE);
    crypto_sign_detached(token + AT_SIGNATURE, NULL, text, sizeof text, keys->host_secret);
    sodium_bin2base64(encoded, sizeof encoded, token, sizeof token, sodium_base64_VARIANT_ORIGINAL);
    buffer_printf(document, "%s%s%s", TRAILERS[format].begin, encoded, TRAILERS[format].end);
    return 0;
}

/* Why no trailer was found, as far as it shows. */
static int refuse_unsigned(const uint8_t *document, size_t length, struct err *err) {
    static const char LINES[] = "\r\n";
    size_t tail = length < 1024 ? length : 1024;
    bool mark = memmem(document + length - tail, tail, MARK, strlen(MARK)) != NULL;
    if (!mark) {
        err_set(err, ERR_CORRUPT, "it is not signed, or its end is missing");
        return err_hint(err, "'muniment report --sign' signs; the signature is the last line of the file");
    }
    err_set(err, ERR_CORRUPT, "its signature is damaged, or something stands behind it");
    if (memmem(document, length, LINES, strlen(LINES)))
        return err_hint(err, "its line ends were converted, perhaps: transfer it as binary");
    return -1;
}

int document_verify(const struct keys *keys, const void *document, size_t length, struct document_signature *signature,
                    struct err *err) {
    uint8_t token[TOKEN_SIZE], text[SIGNED_SIZE];
    size_t before = 0;
    enum report_format format = REPORT_TEXT;
    *signature = (struct document_signature){ 0 };
    while (format < FORMATS && !find_trailer(format, document, length, token, &before))
        format++;
    if (format == FORMATS)
        return refuse_unsigned(document, length, err);

    if (memcmp(token, keys->set_id, SET_ID_SIZE) != 0) {
        char id[2 * SET_ID_SIZE + 1];
        err_set(err, ERR_KEY, "it is of another set than this key: %s", hex_encode(id, token, SET_ID_SIZE));
        return err_hint(err, "'muniment key public SET' prints the public key of a set");
    }
    if (!keys_host_is_certified(keys, token + AT_HOST, token + AT_CERTIFICATE))
        return err_set(err, ERR_CORRUPT, "it is signed by a host that this set's root key did not certify");
    signed_text(keys->set_id, format, document, before, text);
    if (crypto_sign_verify_detached(token + AT_SIGNATURE, text, sizeof text, token + AT_HOST) != 0)
        return err_set(err, ERR_CORRUPT, "its signature does not match: it was changed after it was signed");
    signature->format = format;
    hex_encode(signature->set_id, keys->set_id, SET_ID_SIZE);
    hex_encode(signature->host, token + AT_HOST, 8);
    return 0;
}
