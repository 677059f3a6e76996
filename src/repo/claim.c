#include "lease_internal.h"
#include <muniment/repo/claim.h>
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char FOLDER[] = "claims";

enum { PAUSE_LEAST = 300, PAUSE_MOST = 3000 }; /* milliseconds between two attempts */

struct claim {
    struct repo *repo;
    bool put; /* false where the store's locks are global */
    struct lease lease;
    int64_t time;
};

static int list_claims(struct claim *claim, struct store_names *names, struct err *err) {
    char folder[REPO_NAME_MAX];
    return store_names_load(claim->repo->store, repo_folder(claim->repo, folder, FOLDER), names, err);
}

/* The caller's lock keeps the other processes of this machine out, so what was put from here is left over. A copy of
 * the key on another machine has another host name. */
static bool is_left_over(const struct claim *claim, const struct store_listed *listed,
                         const struct lease_found *found) {
    char hostname[LEASE_HOSTNAME_SIZE];
    lease_hostname(hostname);
    return (lease_is_own(claim->repo, listed->name) && hostname[0] != '\0' && strcmp(found->hostname, hostname) == 0) ||
           listed->modified + found->length + CLAIM_MARGIN < claim->time;
}

/* Looks at one claim of another; counts it when it is alive. */
static int judge_other(struct claim *claim, const struct store_listed *listed, char *holder, size_t *alive,
                       struct err *err) {
    struct lease_found found;
    if (lease_read(claim->repo, listed->name, CLAIM_LENGTH, &found, err) < 0)
        return -1;
    if (found.gone)
        return 0;
    if (is_left_over(claim, listed, &found)) {
        log_detail(claim->repo->log, "a purge ended without a word: removing its claim %s", repo_leaf(listed->name));
        return store_remove(claim->repo->store, listed->name, NULL, err);
    }
    memcpy(holder, found.hostname, LEASE_HOSTNAME_SIZE);
    ++*alive;
    return 0;
}

/* How many others are at work, once one's own claim is there for them to see. */
static int count_others(struct claim *claim, char *holder, size_t *alive, struct err *err) {
    struct store_names names = { 0 };
    *alive = 0;
    if (list_claims(claim, &names, err) < 0)
        return -1;

    /* The store's own time: so nobody's clock matters here. */
    const struct store_listed *own = store_names_find(&names, claim->lease.name);
    int result = own ? 0 : err_set(err, ERR_CORRUPT, "'%s' was put and is not listed", claim->lease.name);
    if (own)
        claim->time = own->modified;
    else
        err_hint(err, "nothing may be destroyed on the word of a store whose listings cannot be relied on");
    for (size_t i = 0; i < names.count && result == 0; i++)
        if (&names.items[i] != own)
            result = judge_other(claim, &names.items[i], holder, alive, err);
    store_names_release(&names);
    return result;
}

static void withdraw(struct claim *claim) {
    struct err err = { 0 };
    if (claim->put && store_remove(claim->repo->store, claim->lease.name, NULL, &err) < 0)
        log_warning(claim->repo->log, "the claim of this run stays until its hard end: %s", err.message);
    claim->put = false;
}

/* One attempt: 1 when nobody else is at work, 0 when somebody is, -1 on error. */
static int try_once(struct claim *claim, char *holder, struct err *err) {
    size_t others = 0;
    int result = -1;
    if (lease_put(claim->repo, FOLDER, CLAIM_LENGTH, &claim->lease, err) == 0) {
        claim->put = true;
        result = count_others(claim, holder, &others, err);
    }
    if (result == 0 && others == 0)
        return 1;
    withdraw(claim);
    return result;
}

static void pause_a_while(void) {
    uint32_t most = PAUSE_MOST - PAUSE_LEAST;
    long milliseconds = PAUSE_LEAST + (long)randombytes_uniform(most);
    nanosleep(&(struct timespec){ .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000 }, NULL);
}

static int try_until(struct claim *claim, double end, struct err *err) {
    char holder[LEASE_HOSTNAME_SIZE] = "";
    for (;;) {
        int result = try_once(claim, holder, err);
        if (result != 0)
            return result < 0 ? -1 : 0;
        if (clock_monotonic() >= end)
            return err_set(err, ERR_LOCKED, "host '%s' is purging this set", holder);
        pause_a_while();
        if (interrupt_check(err) < 0)
            return -1;
    }
}

int claim_take(struct repo *repo, int64_t wait, struct claim **claim, struct err *err) {
    struct claim *taken = mem_zalloc(sizeof *taken);
    taken->repo = repo;
    if (!store_lock_is_global(repo->store) && try_until(taken, clock_monotonic() + (double)wait, err) < 0) {
        free(taken);
        return -1;
    }
    *claim = taken;
    return 0;
}

int claim_check(const struct claim *claim, struct err *err) {
    if (!claim->put || lease_holds(&claim->lease))
        return 0;
    err_set(err, ERR_REFUSED, "this purge has run for %d h: another may have begun by now", CLAIM_LENGTH / 3600);
    return err_hint(err, "what is left to do is done by the next run");
}

int64_t claim_time(const struct claim *claim) {
    return claim->put ? claim->time : 0;
}

void claim_release(struct claim *claim) {
    if (!claim)
        return;
    withdraw(claim);
    free(claim);
}
