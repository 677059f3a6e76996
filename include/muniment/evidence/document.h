/*
 * Signed documents: reports and certificates that verify offline, with the set's public key alone.
 *
 * The signature stands at the end of the file, in a form that its format bears:
 *
 *     text, CSV   a last line "# muniment-signature-1 <token>"; that of CSV ends in CR LF as all of them do
 *     HTML        a last line "<!-- muniment-signature-1 <token> -->"
 *     JSON        the last member of the object, "signature": "muniment-signature-1 <token>"
 *
 * The token is base64 (RFC 4648, with padding) of: set id (16), host's public key (32), the root's certificate for it
 * (64), Ed25519 signature (64) over "muniment document" || set id || format || SHA-256(all bytes before the trailer).
 * The format is one byte: 0 text, 1 JSON, 2 CSV, 3 HTML. The trailer has one spelling: a file in which any byte was
 * changed, added or taken away does not verify.
 */
#ifndef MUNIMENT_EVIDENCE_DOCUMENT_H
#define MUNIMENT_EVIDENCE_DOCUMENT_H

#include <muniment/evidence/report.h>
#include <muniment/repo/keys.h>

/* Appends the trailer. JSON must be an object that ends in "}\n", the others end in a line end (ERR_INVALID). Needs
 * can_sign (ERR_KEY). ERR_EXISTS when it is signed already. */
int document_sign(const struct keys *keys, enum report_format format, struct buffer *document,
                  struct err *err) MUST_CHECK;

struct document_signature {
    enum report_format format;
    char set_id[33];
    char host[17]; /* that signed */
};

/* ERR_CORRUPT when it is not whole or not signed by a host of this set; ERR_KEY when it is of another set. `keys` may
 * be public (keys_parse_public()). */
int document_verify(const struct keys *keys, const void *document, size_t length, struct document_signature *signature,
                    struct err *err) MUST_CHECK;

#endif
