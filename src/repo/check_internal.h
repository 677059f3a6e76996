/* What the files that check a repository share. */
#ifndef MUNIMENT_REPO_CHECK_INTERNAL_H
#define MUNIMENT_REPO_CHECK_INTERNAL_H

#include "mark_internal.h"
#include <muniment/repo/check.h>
#include <pthread.h>

struct checked_pack {
    uint8_t name[32];
    uint64_t size; /* as stored */
};

struct check {
    struct repo *repo;
    const struct check_options *options;
    struct check_result *result;
    pthread_mutex_t mutex; /* of result and of the callback, while packs are read */

    struct checked_pack *packs; /* stored ones, sorted by name */
    size_t pack_count, pack_capacity;
    struct store_names index_names, head_names, purge_names, session_names, key_names;
    struct heads heads; /* those that could be read */
    struct index *index;
};

void check_init(struct check *check, struct repo *repo, const struct check_options *options,
                struct check_result *result);
void check_release(struct check *check);

/* Reports one finding; the text begins with `name`. */
void check_find(struct check *check, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

/* Takes an error for a finding about `name`, or about the object of the set that its message names. Trouble that tells
 * nothing about what is stored (interrupted, a disk that cannot be read) is no finding: -1. Clears the error. */
int check_found(struct check *check, const char *name, struct err *err) MUST_CHECK;

/* Lists every object of the set into the check; what does not belong there is a finding. */
int check_list(struct check *check, struct err *err) MUST_CHECK;
const struct checked_pack *check_find_pack(const struct check *check, const uint8_t name[32]);

/* An index of every stored pack whose table can be read; the others are findings. Packs that vanish are left out. */
int check_index_from_packs(struct check *check, struct index *index, struct err *err) MUST_CHECK;

/* Objects outside packs: keys, heads, purges, sessions, journal. Loads check->heads. */
int check_objects(struct check *check, struct err *err) MUST_CHECK;

/* Loads check->index, compares it with the packs, and follows every snapshot's references through it. */
int check_references(struct check *check, struct err *err) MUST_CHECK;

/* Reads the packs whose turn it is. */
int check_packs(struct check *check, struct err *err) MUST_CHECK;

#endif
