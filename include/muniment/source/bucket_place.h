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
 *
 * What is there already is learnt from a listing that goes along with the entries, and from HEAD where an object of the
 * same size is there, since only that tells its metadata; where the entries asked for lie far apart, from HEAD alone.
 * Equal ETags mean equal content: they are its MD5, or one that a server makes for an upload in parts, which no other
 * content gets by chance. ETags that differ mean other content when both are MD5s; an upload in parts has an ETag that
 * depends on the size of the parts, so then the content itself decides (bucket_place_compare_begin()). Storage classes
 * are restored, but not compared.
 */
#ifndef MUNIMENT_SOURCE_BUCKET_PLACE_H
#define MUNIMENT_SOURCE_BUCKET_PLACE_H

#include <muniment/s3/service.h>
#include <muniment/source/entry.h>
#include <muniment/util/log.h>

struct bucket_place;

/* `place` is where to (see restore_to_bucket() for addresses without a bucket); `several`: keys go below their bucket's
 * name. Borrows `place` and `log`. */
int bucket_place_open(const struct s3_place *place, bool several, struct log *log, struct bucket_place **opened,
                      struct err *err) MUST_CHECK;

enum bucket_found {
    BUCKET_FOUND_NOTHING,
    BUCKET_FOUND_SAME,   /* the object as the entry says, with its metadata: it need not be written */
    BUCKET_FOUND_OTHER,  /* another object, or the same content with other metadata */
    BUCKET_FOUND_UNSURE, /* the metadata and the size are the same, and the ETags cannot be compared */
};

/* Looks for what an entry would replace; entries come in tree order. *found (enum bucket_found) is known when
 * bucket_place_looked() has returned 0, since several are looked at at once. */
int bucket_place_look(struct bucket_place *place, const struct entry *entry, uint8_t *found,
                      struct err *err) MUST_CHECK;
int bucket_place_looked(struct bucket_place *place, struct err *err) MUST_CHECK;

/* Decides on an unsure one by the content that would be restored: begin, data in order, end. */
struct bucket_compare;
int bucket_compare_begin(struct bucket_place *place, const struct entry *entry, struct bucket_compare **compare,
                         struct err *err) MUST_CHECK;
void bucket_compare_data(struct bucket_compare *compare, const void *data, size_t length);
bool bucket_compare_end(struct bucket_compare *compare); /* true: the same. Frees; NULL is fine */

/* One entry after another: begin, data in order, end. Small objects go by one PUT, large ones in parts, while the next
 * entry may already be given; so trouble with one may be told by a later call (its message names the object). */
int bucket_place_begin(struct bucket_place *place, const struct entry *entry, struct err *err) MUST_CHECK;
int bucket_place_data(struct bucket_place *place, const void *data, size_t length, struct err *err) MUST_CHECK;
int bucket_place_end(struct bucket_place *place, struct err *err) MUST_CHECK;

/* Waits for all transfers: durable when it returns 0. Frees, whatever it returns. */
int bucket_place_close(struct bucket_place *place, struct err *err) MUST_CHECK;
void bucket_place_abort(struct bucket_place *place); /* aborts unfinished uploads; NULL is fine */

#endif
