/* Finding pg_dump, pg_dumpall and pg_restore in a version that fits the server. */

#include "postgres_internal.h"
#include <muniment/util/memory.h>
#include <muniment/util/process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "pg_dump (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)" */
static int read_version(struct postgres_tool *tool, struct err *err) {
    const struct process_options options = { .arguments = (const char *const[]){ tool->path, "--version", NULL } };
    struct buffer out = { 0 };
    int result = -1;

    if (process_capture(&options, 1024, &out, err) != 0)
        goto out;
    const char *text = strstr(buffer_text(&out), "(PostgreSQL) ");
    if (text == NULL || (tool->major = atoi(text + strlen("(PostgreSQL) "))) <= 0) {
        err_set(err, ERR_SOURCE, "'%s --version' does not tell a version of PostgreSQL", tool->path);
        goto out;
    }
    text += strlen("(PostgreSQL) ");
    snprintf(tool->version, sizeof tool->version, "%.*s", (int)strcspn(text, "\n"), text);
    result = 0;

out:
    buffer_release(&out);
    return result;
}

char *postgres_tool_path(const char *name, const char *bin_dir, int server_major) {
    /* Where packages keep several versions side by side: Debian, Fedora. */
    char *const candidates[] = { mem_format("/usr/lib/postgresql/%d/bin/%s", server_major, name),
                                 mem_format("/usr/pgsql-%d/bin/%s", server_major, name) };
    char *path = NULL;

    if (bin_dir != NULL && bin_dir[0] != '\0')
        path = mem_format("%s/%s", bin_dir, name);
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        if (path == NULL && access(candidates[i], X_OK) == 0)
            path = mem_string(candidates[i]);
        free(candidates[i]);
    }
    return path != NULL ? path : mem_string(name);
}

int postgres_tool_find(const char *name, const char *bin_dir, int server_major, struct postgres_tool *tool,
                       struct err *err) {
    tool->path = postgres_tool_path(name, bin_dir, server_major);
    if (read_version(tool, err) != 0) {
        if (err->code == ERR_NOT_FOUND) {
            err_set(err, ERR_SOURCE, "%s is not there: '%s' cannot be run", name, tool->path);
            err_hint(err, "install postgresql-client-%d, or name the folder of %s with bin_dir", server_major, name);
        }
        postgres_tool_release(tool);
        return -1;
    }
    if (tool->major >= server_major)
        return 0;
    err_set(err, ERR_SOURCE, "%s is version %d and the server is version %d: a client must not be older", tool->path,
            tool->major, server_major);
    err_hint(err, "install postgresql-client-%d, or name its folder with bin_dir", server_major);
    postgres_tool_release(tool);
    return -1;
}

void postgres_tool_release(struct postgres_tool *tool) {
    free(tool->path);
    *tool = (struct postgres_tool){ 0 };
}
