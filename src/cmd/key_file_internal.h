/* Writing key files, which are never overwritten. */
#ifndef MUNIMENT_CMD_KEY_FILE_INTERNAL_H
#define MUNIMENT_CMD_KEY_FILE_INTERNAL_H

#include <muniment/repo/keys.h>

/* The read or the write key as a file of mode 0400, after a line of comment. Its folder is made. ERR_EXISTS. */
int key_file_write(const char *path, const char *comment, const struct keys *keys, bool read,
                   struct err *err) MUST_CHECK;

#endif
