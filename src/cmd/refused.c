#include "invocation_internal.h"
#include <muniment/run/bucket.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>

void report_refused(struct invocation *invocation, const char *where, uint64_t refused, int64_t until) {
    char objects[FORM_TEXT], when[CLOCK_TEXT];
    if (refused == 0)
        return;
    form_count(objects, refused, "object");
    if (until == INT64_MAX)
        log_warning(invocation->log, "%s: a legal hold keeps %s that should be gone; end it, then run again", where,
                    objects);
    else
        log_warning(invocation->log,
                    "%s: a lock keeps %s that should be gone, until %s; the next run after that "
                    "removes what is left",
                    where, objects, clock_format(when, until));
    invocation_status(invocation, err_exit_status(ERR_REFUSED));
}

/* Nobody but the bucket's own rules ends what a key may only hide: so it is asked for them. */
void report_hidden(struct invocation *invocation, const char *where, const char *address,
                   const struct s3_services *services, uint64_t hidden) {
    struct s3_bucket bucket = { 0 };
    struct err err = { 0 };
    char objects[FORM_TEXT];
    int64_t days = 0;
    if (hidden == 0)
        return;
    form_count(objects, hidden, "object");
    if (bucket_describe(address, services, invocation->log, &bucket, &err) != 0 || !bucket.rules_known)
        log_warning(invocation->log,
                    "%s: the key may not delete: %s hidden, to be ended by the bucket's lifecycle rule "
                    "(which this key may not read)",
                    where, objects);
    else if ((days = bucket_hidden_days(&bucket, address, services)) == 0)
        log_warning(invocation->log,
                    "%s: the key may not delete: %s hidden, and no lifecycle rule of the bucket ever "
                    "ends them",
                    where, objects);
    else
        log_info(invocation->log,
                 "%s: the key may not delete: %s hidden; the bucket's lifecycle rule ends them after "
                 "%lld days",
                 where, objects, (long long)days);
    json_begin(invocation->output, "hidden");
    json_text(invocation->output, "where", where);
    json_text(invocation->output, "store", address);
    json_count(invocation->output, "objects", hidden);
    json_flag(invocation->output, "rules_known", bucket.rules_known);
    json_count(invocation->output, "days", (uint64_t)days);
    json_end(invocation->output);
    s3_bucket_release(&bucket);
}

void report_mirror_troubles(struct invocation *invocation, const struct opened_set *set,
                            const struct mirror_settings *mirror, const struct mirror_result *result) {
    char objects[FORM_TEXT];
    char *where = mem_format("%s: mirror '%s'", set_title(set), mirror->name);
    if (result->strangers > 0)
        log_warning(invocation->log, "%s holds %s that the repository never had; they were left", where,
                    form_count(objects, result->strangers, "object"));
    if (result->damaged > 0)
        log_warning(invocation->log, "%s held %s", where, form_count(objects, result->damaged, "damaged object"));
    if (result->found_hidden > 0)
        log_warning(invocation->log, "%s: somebody hid %s; sent again (restore --as-of reads what was before)", where,
                    form_count(objects, result->found_hidden, "object"));
    report_hidden(invocation, where, mirror->path, set->services, result->hidden);
    report_refused(invocation, where, result->refused, result->refused_until);
    free(where);
}

void report_purge_troubles(struct invocation *invocation, const struct opened_set *set,
                           const struct purge_result *result) {
    report_hidden(invocation, set_title(set), store_label(set->store), set->services, result->hidden);
    report_refused(invocation, set_title(set), result->refused, result->refused_until);
}
