#include "key_paper_internal.h"
#include <muniment/run/place.h>
#include <muniment/util/clock.h>
#include <stdlib.h>
#include <string.h>

/* The key in lines of whole groups, short enough to type without losing the place. */
static void put_key(struct buffer *out, const char *key) {
    enum { LINE_MAX_LENGTH = 46 };
    size_t column = 0;
    for (const char *at = key; *at != '\0';) {
        size_t group = strcspn(at, "-");
        group += at[group] == '-';
        if (column > 0 && column + group > LINE_MAX_LENGTH) {
            buffer_printf(out, "\n");
            column = 0;
        }
        buffer_printf(out, "%s%.*s", column == 0 ? "    " : "", (int)group, at);
        column += group;
        at += group;
    }
    buffer_printf(out, "\n");
}

void key_paper_compose(struct buffer *out, const char *title, const char *set_id, const char *key,
                       const struct set_settings *settings, const struct s3_services *services, const char *store,
                       int64_t now) {
    char when[CLOCK_TEXT];
    char *repository = store_spelled_out(store, services);
    bool addresses = s3_is_address(repository);
    buffer_printf(out,
                  "MUNIMENT RECOVERY SHEET                            KEEP SECRET\n"
                  "==============================================================\n\n"
                  "Set         %s\n"
                  "Set id      %s\n"
                  "Printed     %s\n"
                  "Repository  %s\n",
                  title, set_id, clock_format(when, now), repository);
    free(repository);
    for (size_t i = 0; settings != NULL && i < settings->mirror_count; i++) {
        char *path = store_spelled_out(settings->mirrors[i].path, services);
        buffer_printf(out, "Mirror      %s: %s\n", settings->mirrors[i].name, path);
        addresses |= s3_is_address(path);
        free(path);
    }

    buffer_printf(out, "\nREAD KEY (one line; its end is a checksum that finds typing errors)\n\n");
    put_key(out, key);

    buffer_printf(out, "\nWhoever has this key and the repository or a mirror can read every\n"
                       "backup of this set. Without it (or a wrapped copy and its passphrase)\n"
                       "nobody can. Keep one sheet away from the servers, and another away\n"
                       "from the first.\n"
                       "\nTO RESTORE, ON ANY LINUX MACHINE\n\n"
                       "1. Install muniment; for databases also PostgreSQL and its client.\n"
                       "2. Get at the repository or at one mirror: mount the disk, or copy\n"
                       "   the folder. Below it is called STORE.\n");
    if (addresses)
        buffer_printf(out, "   Object storage (s3:...) is a STORE as it stands above, once its\n"
                           "   access key (any that may list and read) is in the environment:\n\n"
                           "       export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...\n\n"
                           "   with --region R where the service has regions of its own.\n");
    buffer_printf(out, "3. Type the key into a file, as one line, and close it to others:\n\n"
                       "       umask 077; nano read.key\n\n"
                       "4. See what there is, newest last:\n\n"
                       "       muniment list . --from STORE --key read.key\n\n"
                       "5. Restore the newest complete snapshot into a new folder:\n\n"
                       "       muniment restore . --from STORE --key read.key --to restored\n\n"
                       "   or an older one: write .@ID or .@2026-03-01T12:00:00Z for the dot.\n"
                       "6. Databases go back into a PostgreSQL server with\n\n"
                       "       muniment restore . SOURCE --from STORE --key read.key \\\n"
                       "           --to-postgres \"host=... user=postgres\" --globals\n\n"
                       "7. Afterwards destroy the file: shred -u read.key\n");
}
