/*
 * Erasing a whole set: a tenant that is gone, a product that ended.
 *
 * Order, each step safe to be killed in and to be repeated:
 *  1. Refused while a hold is in force (ERR_REFUSED names it), by the repository or by what a mirror's journal tells
 *     beyond the repository's.
 *  2. `erasing` is journalled, and `key_removed` for every wrapped copy.
 *  3. Every wrapped copy of the read key goes, in every place, with every version; each place is listed to prove it.
 *     From here on nothing that is left can be opened with what the stores hold.
 *  4. Every other object of the set goes, in every place, with every version and marker: heads, index, packs, sessions,
 *     claims, purges, holds, erasures. Only the journal stays, which holds no personal data and is what proves this; it
 *     goes with a later run, once it is older than it had to be kept (repo->journal_keep).
 *  5. Each place is listed again. What a lock holds is counted with its latest date and stays unreadable; a later run
 *     destroys it.
 *  6. `erased` is journalled: outcome (whole, remains), objects, versions, and for each place what was found; and the
 *     certificate is made from what was found.
 *
 * Key copies outside the stores - files, paper - cannot be seen from here: the certificate says so, and names the
 * fingerprint of the key that they hold. Captures are refused for good once `erasing` is in the journal.
 *
 *     erasing    by (the host)
 *     erased     outcome, objects, versions, remaining, keys[, until]
 */
#ifndef MUNIMENT_EVIDENCE_ERASE_H
#define MUNIMENT_EVIDENCE_ERASE_H

#include <muniment/evidence/report.h>

struct erase_place {
    uint64_t objects, versions;          /* destroyed, markers counted among the versions */
    uint64_t keys;                       /* wrapped copies among them, confirmed gone */
    uint64_t remaining, remaining_bytes; /* locked, or hidden only */
    int64_t remaining_until; /* the latest lock; INT64_MAX: a legal hold, or until the bucket's own rules end it */
    bool reached;
    char *why; /* it could not be reached or emptied; or NULL */
};

struct erase_result {
    struct erase_place *places; /* in the order of the request */
    size_t place_count;
    char key[17];   /* fingerprint of the read key whose copies were destroyed */
    char **key_ids; /* of the wrapped copies */
    size_t key_id_count;
    int64_t begun, ended;
    bool whole;        /* nothing remains anywhere but the journal */
    bool journal_gone; /* nor does the journal */
};

/* `request` as for a report. Goes on to the next place when one fails; -1 only before anything was destroyed. */
int erase_set(const struct report_request *request, struct erase_result *result, struct err *err) MUST_CHECK;
void erase_result_release(struct erase_result *result);

/* Appends the certificate, as text or JSON, ready for document_sign(). */
void erase_certificate(const struct report_request *request, const struct erase_result *result,
                       enum report_format format, struct buffer *out);

#endif
