/* The recovery sheet: what a person needs who has nothing but paper, a machine and the bucket or disk. */
#ifndef MUNIMENT_CMD_KEY_PAPER_INTERNAL_H
#define MUNIMENT_CMD_KEY_PAPER_INTERNAL_H

#include <muniment/run/settings.h>
#include <muniment/util/buffer.h>

/* Appends the sheet to `out`, which the caller wipes. `settings` may be NULL: then only `store` is named. Addresses are
 * spelled out, since the configuration with the services will be lost too. */
void key_paper_compose(struct buffer *out, const char *title, const char *set_id, const char *key,
                       const struct set_settings *settings, const struct s3_services *services, const char *store,
                       int64_t now);

#endif
