/*
 * SIGINT, SIGTERM and SIGHUP ask the program to stop; loops ask here whether someone did. The only global state
 * of the program.
 */
#ifndef MUNIMENT_UTIL_INTERRUPT_H
#define MUNIMENT_UTIL_INTERRUPT_H

#include <muniment/util/error.h>
#include <stdbool.h>

void interrupt_install(void); /* handlers without SA_RESTART, and SIGPIPE ignored */
bool interrupt_requested(void);
int interrupt_check(struct err *err) MUST_CHECK; /* -1 with ERR_INTERRUPTED when someone asked to stop */

#endif
