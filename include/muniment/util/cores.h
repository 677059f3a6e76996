/* How many threads are worth starting. */
#ifndef MUNIMENT_UTIL_CORES_H
#define MUNIMENT_UTIL_CORES_H

unsigned cores_online(void); /* at least 1 */

#endif
