/*
 * A few threads that all do the same to many items: transfers that wait for a network more than they compute.
 *
 * The first error wins: what was not begun by then is dropped, and whoever gives or finishes is told it. With one
 * thread asked for (or none to be had) each item is done at once, by whoever gives it.
 */
#ifndef MUNIMENT_UTIL_WORKERS_H
#define MUNIMENT_UTIL_WORKERS_H

#include <muniment/util/error.h>
#include <stddef.h>

struct workers;

/* Does one item; called from several threads at once. `item` is the worker's own copy. */
typedef int workers_each(void *context, void *item, struct err *err);

/* Items are `item_size` bytes, which are copied. Ended by workers_finish(), always. */
struct workers *workers_start(unsigned threads, size_t item_size, workers_each *each, void *context);

/* Waits while as many items as there are threads wait for one. One thread gives. -1 once an item has failed. */
int workers_give(struct workers *workers, const void *item, struct err *err) MUST_CHECK;

/* Waits until all that was given is done, and frees. -1 with the first error of any item. */
int workers_finish(struct workers *workers, struct err *err) MUST_CHECK;

/* The same for what has failed elsewhere: what was not begun is dropped, what is under way is waited for. */
void workers_stop(struct workers *workers);

#endif
