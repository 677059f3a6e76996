/* Whole files, and what makes them durable. */
#ifndef MUNIMENT_UTIL_FILE_H
#define MUNIMENT_UTIL_FILE_H

#include <muniment/util/buffer.h>
#include <muniment/util/error.h>
#include <sys/types.h>

/* Reads a whole file of at most `max` bytes; a larger one is ERR_INVALID. Appends to `out`. */
int file_read(const char *path, size_t max, struct buffer *out, struct err *err) MUST_CHECK;

/* Writes by temporary file, fsync, rename and fsync of the directory: when it returns 0 the content is durable and
 * nobody ever saw half of it. */
int file_replace(const char *path, mode_t mode, const void *data, size_t length, struct err *err) MUST_CHECK;

/* As file_replace, but ERR_EXISTS when `path` exists: for key files, which are never overwritten. */
int file_create(const char *path, mode_t mode, const void *data, size_t length, struct err *err) MUST_CHECK;

/* mkdir -p; folders that exist are left as they are. */
int file_make_folders(const char *path, mode_t mode, struct err *err) MUST_CHECK;

/* write(2) until all is written. */
int file_write_all(int fd, const void *data, size_t length, const char *name, struct err *err) MUST_CHECK;

/* fsync of the folder that holds `path`. */
int file_sync_folder_of(const char *path, struct err *err) MUST_CHECK;

/* rm -r, also of folders that are closed to their owner. What is not there is no error; nothing is followed. */
int file_remove_tree(const char *path, struct err *err) MUST_CHECK;

#endif
