/*
 * Erasing a whole set, in all its places and on this host. See muniment/evidence/erase.h for what that is.
 */
#ifndef MUNIMENT_RUN_ERASE_H
#define MUNIMENT_RUN_ERASE_H

#include <muniment/evidence/erase.h>
#include <muniment/run/nightly.h>

/* Erases, appends the signed certificate, then removes what this host knows of the set: its state folder, and the read
 * key file of the configuration. The write key stays: a later run takes it, and so does whoever verifies the journal.
 * -1 only when there is nothing to certify. A file of this host that stays is only logged, and *local false. */
int set_erase(struct opened_set *set, int64_t now, enum report_format format, struct erase_result *result,
              struct buffer *certificate, bool *local, struct err *err) MUST_CHECK;

#endif
