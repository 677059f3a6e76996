/*
 * Putting entries back on disk, through libarchive's disk writer: owners, modes, times, ACLs, extended attributes,
 * sparse files, links, with its secure flags (no absolute paths, no "..", no following of links that were there).
 */
#ifndef MUNIMENT_SOURCE_PLACE_H
#define MUNIMENT_SOURCE_PLACE_H

#include <muniment/source/entry.h>
#include <muniment/util/error.h>

struct place;

/* `folder` exists. `overwrite` false: an existing file is left alone and is ERR_EXISTS. Owners are restored when
 * running as root. */
int place_open(const char *folder, bool overwrite, struct place **place, struct err *err) MUST_CHECK;

/* Begins an entry; then data (only for files and streams) in order; then end. A stream becomes a file of mode 0600. */
int place_begin(struct place *place, const struct entry *entry, struct err *err) MUST_CHECK;
int place_data(struct place *place, const void *data, size_t length, struct err *err) MUST_CHECK;
int place_end(struct place *place, struct err *err) MUST_CHECK;

/* Sets the folders' times and modes, fsyncs the filesystem; frees, whatever it returns. */
int place_close(struct place *place, struct err *err) MUST_CHECK;
void place_abort(struct place *place); /* NULL is fine; a file under way is removed */

#endif
