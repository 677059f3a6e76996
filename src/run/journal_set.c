#include "journal_set_internal.h"
#include "mirror_place_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/* --- the policy -----------------------------------------------------------------------------------------------------
 */

struct last_policy {
    char id[POLICY_ID];
    int64_t time;
    bool known;
};

static int note_policy(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct last_policy *last = context;
    const char *id = strcmp(entry->event, "policy") == 0 ? journal_field(entry, "id") : NULL;
    (void)segment, (void)err;
    if (!id || strlen(id) >= sizeof last->id || (last->known && entry->time < last->time))
        return 0;
    strcpy(last->id, id);
    last->time = entry->time;
    last->known = true;
    return 0;
}

static void add_policy(const struct policy *policy, const char *id, int64_t now, struct journal_batch *batch) {
    struct policy_text text;
    const char *fields[2 * (POLICY_FIELDS + 1) + 1] = { "id", id };
    policy_format(policy, &text);
    for (int i = 0; i < POLICY_FIELDS; i++) {
        fields[2 + 2 * i] = text.names[i];
        fields[3 + 2 * i] = text.values[i];
    }
    const struct journal_entry entry = { .time = now, .event = "policy", .fields = fields };
    journal_add_entry(batch, &entry);
}

int policy_journal(struct opened_set *set, int64_t now, struct err *err) {
    const struct policy *policy = &set->settings->policy;
    struct last_policy last = { .known = false };
    struct journal_survey survey;
    struct journal_batch batch = { 0 };
    char id[POLICY_ID];

    /* Damage is told by whoever decides; what is new must be said all the same. */
    if (journal_look(&set->repo, note_policy, NULL, &last, &survey, err) < 0)
        return -1;
    journal_survey_release(&survey);
    if (last.known && strcmp(last.id, policy_id(policy, id)) == 0)
        return 0;
    add_policy(policy, policy_id(policy, id), now, &batch);
    int result = journal_append(&set->repo, &batch, err);
    journal_batch_release(&batch);
    return result;
}

/* --- the old end ----------------------------------------------------------------------------------------------------
 */

int journal_drop_old(struct opened_set *set, const struct heads *heads, int64_t now, struct err *err) {
    const struct set_settings *settings = set->settings;
    const char **mirrors = mem_array(settings->mirror_count + 1, sizeof *mirrors);
    uint64_t dropped = 0;
    for (size_t i = 0; i < settings->mirror_count; i++)
        mirrors[i] = settings->mirrors[i].name;
    int result = journal_drop(&set->repo, heads, mirrors, settings->mirror_count, now - settings->journal_keep, now,
                              &dropped, err);
    if (dropped > 0)
        log_info(set->repo.log, "%llu segments of the journal were older than they had to be kept, and were dropped",
                 (unsigned long long)dropped);
    free(mirrors);
    return result;
}

/* --- the newest end -------------------------------------------------------------------------------------------------
 */

int mirror_set_journal(struct opened_set *set, const struct mirror_settings *mirror, int64_t now, struct err *err) {
    struct store *store;
    if (mirror_place_open(set, mirror, MIRROR_IF_KNOWN, &store, err) < 0)
        return err_wrap(err, "mirror '%s'", mirror->name);
    int result = mirror_journal(&set->repo, store, mirror->name, now, err);
    store_close(store);
    return result;
}
