/* What the files about heads share. */
#ifndef MUNIMENT_REPO_HEAD_INTERNAL_H
#define MUNIMENT_REPO_HEAD_INTERNAL_H

#include <muniment/repo/head.h>

enum { HEAD_OBJECT_MAX = 16 * 1024 * 1024 };

#define HEAD_TIME_MAX INT64_C(253402300799) /* the last second of the year 9999 */

/* As head_load(), by the whole name of the object. */
int head_load_object(struct repo *repo, const char *object_name, struct head *head, struct err *err) MUST_CHECK;

#endif
