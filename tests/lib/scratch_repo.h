/* A repository of one set in a scratch folder. Include <cmocka.h> and what it needs first. */
#ifndef MUNIMENT_TESTS_SCRATCH_REPO_H
#define MUNIMENT_TESTS_SCRATCH_REPO_H

#include <muniment/repo/repo.h>

struct scratch_repo {
    char *folder;
    struct store *store;
    struct keys keys; /* can read and sign */
    struct repo repo;
};

/* Both fail the test when they cannot. The struct must not move between. */
void scratch_repo_open(struct scratch_repo *scratch);
void scratch_repo_close(struct scratch_repo *scratch);

/* Changes one byte of a stored object, in the file itself. */
void scratch_repo_flip(const struct scratch_repo *scratch, const char *name, size_t offset, uint8_t mask);

/* Copies an object to another name, in the store. */
void scratch_repo_copy(const struct scratch_repo *scratch, const char *from, const char *to);

/* How many objects there are below a folder of the set; `first` (may be NULL, REPO_NAME_MAX) is the first one's name.
 */
size_t scratch_repo_list(const struct scratch_repo *scratch, const char *folder, char *first);

/* No stored object has this text in the clear. */
void scratch_repo_expect_sealed(const struct scratch_repo *scratch, const char *text);

/* How often an event stands in the journal, which must be whole: with this value of a field, or any (NULL); `field` may
 * be NULL, too. */
size_t scratch_repo_journalled(struct repo *repo, const char *event, const char *field, const char *value);

#endif
