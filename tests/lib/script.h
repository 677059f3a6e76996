/* Scripts and tools of tests/, run by test programs, which stand in build/<mode>/tests. */
#ifndef MUNIMENT_TESTS_SCRIPT_H
#define MUNIMENT_TESTS_SCRIPT_H

#include <muniment/util/buffer.h>
#include <stdbool.h>

char *script_path(const char *script); /* "lib/postgres.sh" with where it is; the text is the caller's */

/* Runs it with arguments and more environment (both ended by NULL; the environment may be NULL); its output into `out`
 * (may be NULL). Ends the program with a message when it fails. */
void script_run(const char *script, const char *const *arguments, const char *const *environment, struct buffer *out);

bool script_succeeds(const char *script, const char *const *arguments);

#endif
