/* What content is, as far as its first bytes tell. */
#ifndef MUNIMENT_SNAPSHOT_CONTENT_KIND_INTERNAL_H
#define MUNIMENT_SNAPSHOT_CONTENT_KIND_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

/* True for dumps and files of databases: a night changes them in many small places, so that small chunks pay. */
bool content_is_database(const void *data, size_t length);

#endif
