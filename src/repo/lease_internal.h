/*
 * Leases: objects that say "I am at work, until then at the latest". Sessions are leases, and so are claims.
 *
 * `<set>/<folder>/<host>-<nonce>`, a RECORD_SESSION. Payload: i64 started, i64 length in seconds, text hostname. The
 * store's own time of the object counts, not the one in it.
 */
#ifndef MUNIMENT_REPO_LEASE_INTERNAL_H
#define MUNIMENT_REPO_LEASE_INTERNAL_H

#include <muniment/repo/repo.h>

enum {
    LEASE_HOST_DIGITS = 16,
    LEASE_LENGTH_MAX = 366 * 24 * 3600,
    LEASE_HOSTNAME_SIZE = 256,
};

/* One's own. */
struct lease {
    char name[REPO_NAME_MAX]; /* of the object */
    double last_step;         /* until when something may still be begun under it, by clock_monotonic() */
};

/* Puts a new one. It ends here no later than the store's clock says. */
int lease_put(struct repo *repo, const char *folder, int64_t length, struct lease *lease, struct err *err) MUST_CHECK;
bool lease_holds(const struct lease *lease);

/* Someone's. */
struct lease_found {
    int64_t length; /* one that cannot be read is taken to last as long as leases of its folder do: `usual` */
    char hostname[LEASE_HOSTNAME_SIZE];
    bool gone; /* it has ended since it was listed */
};
int lease_read(struct repo *repo, const char *name, int64_t usual, struct lease_found *found,
               struct err *err) MUST_CHECK;

/* True when the object's name says that this host put it. */
bool lease_is_own(const struct repo *repo, const char *name);

/* The name of this machine, or "". */
void lease_hostname(char hostname[LEASE_HOSTNAME_SIZE]);

#endif
