/*
 * Putting entries back on disk, through libarchive's disk writer: owners, modes, times, ACLs, extended attributes,
 * sparse files, links.
 *
 * Everything stays below the one folder: paths are checked again here, and the writer is given its secure flags (no
 * "..", no following of links that were there). It is given paths that begin with the folder's real one rather than a
 * working directory to start from, since that belongs to all threads; so paths of more than PATH_MAX bytes are refused.
 *
 * Owners are restored by name where this host knows the name, else by number, and only when running as root; setuid
 * and setgid bits only with their owner. What the target cannot take (extended attributes on some filesystems, device
 * nodes without root) is left out and told to the log; content never is.
 *
 * An object of a bucket becomes a file of mode 0600 at BUCKET/KEY, its metadata user.s3.* attributes. A key that is no
 * path ("a//b", "./a", "a/", components of more than 255 bytes), or that reads as escaped ("a%2Fb"), is written in an
 * escaped form, which the log tells: "%XX" for a byte, and '%' at the end of a component that the next one continues.
 * All others, of whatever bytes, stand for themselves. One whose path is too long for this system is ERR_INVALID.
 */
#ifndef MUNIMENT_SOURCE_PLACE_H
#define MUNIMENT_SOURCE_PLACE_H

#include <muniment/source/entry.h>
#include <muniment/util/error.h>
#include <muniment/util/log.h>

struct place;

/* `folder` exists. `overwrite` false: what exists is left alone and is ERR_EXISTS, but for folders, which are shared.
 * `overwrite` true: a file is replaced when the new one is whole, not before; a folder never gives way to a file. */
int place_open(const char *folder, bool overwrite, struct place **place, struct err *err) MUST_CHECK;

/* Where to tell what was left out; without it nothing is told. Borrowed. */
void place_set_log(struct place *place, struct log *log);

/* Begins an entry; then data (only for files and streams) in order; then end. A stream becomes a file of mode 0600.
 * An entry whose begin failed is not ended; one whose data or end failed is gone, and the next may begin. A hard link
 * whose target was not placed is ERR_NOT_FOUND; content that is not as long as the entry says is ERR_CORRUPT. */
int place_begin(struct place *place, const struct entry *entry, struct err *err) MUST_CHECK;
int place_data(struct place *place, const void *data, size_t length, struct err *err) MUST_CHECK;
int place_end(struct place *place, struct err *err) MUST_CHECK;

/* Sets the folders' times and modes; frees, whatever it returns. With `sync`, and always on filesystems that may report
 * a failed write late (NFS, SMB, FUSE, ...), waits until the disk has everything: durable when it returns 0. */
int place_close(struct place *place, bool sync, struct err *err) MUST_CHECK;
void place_abort(struct place *place); /* NULL is fine; a file under way is removed */

#endif
