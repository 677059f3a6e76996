/*
 * The configuration file: libconfig, checked whole before anything starts.
 *
 * Every problem of the file is reported, each with file, line and, for a key nobody knows, the nearest one; a file with
 * a problem configures nothing.
 */
#ifndef MUNIMENT_CMD_CONFIG_H
#define MUNIMENT_CMD_CONFIG_H

#include <muniment/run/settings.h>
#include <muniment/util/buffer.h>

#define CONFIGURATION_FILE "/etc/muniment/muniment.conf"

struct configuration_request {
    const char *file;
    const char *repository;  /* instead of the file's; or NULL */
    const char *state;       /* instead of the file's; or NULL */
    const char *credentials; /* folder of key files that are named without one ($CREDENTIALS_DIRECTORY); or NULL: the
                                folder of the configuration file */
    const struct s3_service *url_service; /* without a name: for addresses that are URLs; or NULL */
};

/* Fills `settings` (released with settings_release()). On ERR_INVALID every problem is a line of `problems`:
 * "FILE:LINE: what is wrong". */
int configuration_load(const struct configuration_request *request, struct settings *settings, struct buffer *problems,
                       struct err *err) MUST_CHECK;

/* What is in force, defaults included, in the form of the file. */
void configuration_show(const struct settings *settings, struct buffer *out);

#endif
