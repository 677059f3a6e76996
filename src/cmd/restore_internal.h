/* What a restore brings back that was deleted since. */
#ifndef MUNIMENT_CMD_RESTORE_INTERNAL_H
#define MUNIMENT_CMD_RESTORE_INTERNAL_H

#include "invocation_internal.h"

/* Tells what must be deleted again, and gives the list to the command `after_restore` of the configuration. A failure
 * makes the exit status that of a partial success. Returns how many references there are. */
size_t restore_erasures(struct invocation *invocation, struct opened_set *set, const struct head *head,
                        const char *target);

#endif
