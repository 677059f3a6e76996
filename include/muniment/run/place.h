/*
 * Places of stores, as configurations name them: folders and addresses of object storage.
 */
#ifndef MUNIMENT_RUN_PLACE_H
#define MUNIMENT_RUN_PLACE_H

#include <muniment/s3/service.h>

/* True when the two are one folder; or, on object storage, when they are one place or one lies in the other, where each
 * would list the objects of the other. */
bool stores_overlap(const char *one, const char *other, const struct s3_services *services);

/* The place as it is understood without a configuration: the name of a service replaced by its URL. What cannot be
 * written so (an endpoint with a path) stays as it is. The caller frees it. */
char *store_spelled_out(const char *path, const struct s3_services *services);

#endif
