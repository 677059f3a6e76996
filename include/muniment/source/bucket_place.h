/*
 * Putting objects back into buckets, several at once.
 *
 * What an object's entry keeps besides its content, as attributes:
 *     s3.etag                 as the server gave it when the object was captured, without quotes
 *     s3.version              its version id, where there was one
 *     s3.header.NAME          content-type, content-encoding, content-language, content-disposition, cache-control,
 *                             expires, x-amz-website-redirect-location, x-amz-storage-class
 *     s3.meta.NAME            user metadata (x-amz-meta-NAME)
 *     s3.tag.NAME             tags
 * mtime is the server's LastModified, `size` the object's.
 */
#ifndef MUNIMENT_SOURCE_BUCKET_PLACE_H
#define MUNIMENT_SOURCE_BUCKET_PLACE_H

#include <muniment/s3/service.h>
#include <muniment/source/entry.h>
#include <muniment/util/log.h>

struct bucket_place;

/* `place` is where to (see restore_to_bucket() for addresses without a bucket); `several`: keys go below their bucket's
 * name. Borrows `place` and `log`. */
int bucket_place_open(const struct s3_place *place, bool several, bool overwrite, struct log *log,
                      struct bucket_place **opened, struct err *err) MUST_CHECK;

/* Looks for what an entry would replace. *same: it is there already, as the entry says (size and content; ETag where it
 * is an MD5 or the same as then; headers, metadata, tags), and need not be written. ERR_EXISTS when another object is
 * there and `overwrite` is false. */
int bucket_place_look(struct bucket_place *place, const struct entry *entry, bool *same, struct err *err) MUST_CHECK;

/* One entry after another: begin, data in order, end. Small objects go by one PUT, large ones in parts, while the next
 * entry may already be given; so trouble with one may be told by a later call (its message names the object). */
int bucket_place_begin(struct bucket_place *place, const struct entry *entry, struct err *err) MUST_CHECK;
int bucket_place_data(struct bucket_place *place, const void *data, size_t length, struct err *err) MUST_CHECK;
int bucket_place_end(struct bucket_place *place, struct err *err) MUST_CHECK;

/* Waits for all transfers: durable when it returns 0. Frees, whatever it returns. */
int bucket_place_close(struct bucket_place *place, struct err *err) MUST_CHECK;
void bucket_place_abort(struct bucket_place *place); /* aborts unfinished uploads; NULL is fine */

#endif
