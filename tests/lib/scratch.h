/* A folder for one test, and what unit tests have in common. Include <cmocka.h> and what it needs first. */
#ifndef MUNIMENT_TESTS_SCRATCH_H
#define MUNIMENT_TESTS_SCRATCH_H

#include <muniment/util/error.h>
#include <stddef.h>
#include <sys/types.h>

/* A new empty folder below $TMPDIR or /tmp. Owned by the caller; scratch_remove() removes it with all it holds and
 * frees the string. Both end the program when they cannot. */
char *scratch_make(void);
void scratch_remove(char *folder);

/* How many entries, files and folders, there are below `folder`, hidden ones included. */
size_t scratch_count(const char *folder);

/* fork(2) whose child is killed when the test program ends, however it ends. The child leaves by _exit(). */
pid_t scratch_fork(void);

#define TEXT(text) ((char[]){ text }) /* that may be written to */

/* Fails the test unless each of these words, ended by NULL, is in the message of the error or in its hint. */
void assert_words(const struct err *err, const char *const *words);

/* Fails the test with the message of the error when the call does not return 0. */
#define assert_success(call, err)                                                                                      \
    do {                                                                                                               \
        if ((call) != 0)                                                                                               \
            fail_msg("%s: %s", #call, (err)->message);                                                                 \
    } while (0)

/* Fails the test unless the call returns non-zero with this code. Clears the error. */
#define assert_failure(call, expected, err)                                                                            \
    do {                                                                                                               \
        if ((call) == 0)                                                                                               \
            fail_msg("%s succeeded", #call);                                                                           \
        if ((err)->code != (expected))                                                                                 \
            fail_msg("%s: code %d, not %d: %s", #call, (int)(err)->code, (int)(expected), (err)->message);             \
        if ((err)->message[0] == '\0')                                                                                 \
            fail_msg("%s: no message", #call);                                                                         \
        err_clear(err);                                                                                                \
    } while (0)

#endif
