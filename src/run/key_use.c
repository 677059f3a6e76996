#include <muniment/repo/journal.h>
#include <muniment/run/nightly.h>
#include <muniment/util/clock.h>
#include <stdio.h>

void key_use_journal(struct opened_set *set, const struct key_use *use) {
    struct journal_batch batch = { 0 };
    struct err why = { 0 };
    char key[17], status[16];
    if (!set->keys->can_read || !set->keys->can_sign)
        return;
    snprintf(status, sizeof status, "%d", use->status);

    const char *fields[11] = { "command", use->command, "key", keys_fingerprint(key, set->keys->box_public),
                               "status",  status };
    size_t count = 6;
    if (use->snapshot) {
        fields[count++] = "snapshot";
        fields[count++] = use->snapshot;
    }
    if (use->target) {
        fields[count++] = "target";
        fields[count++] = use->target;
    }
    const struct journal_entry entry = { .time = clock_now(), .event = "read", .fields = fields };
    journal_add_entry(&batch, &entry);
    if (journal_append(&set->repo, &batch, &why) < 0)
        log_warning(set->repo.log, "that the read key was used could not be journalled: %s", why.message);
    journal_batch_release(&batch);
}
