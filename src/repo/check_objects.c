#include "check_internal.h"
#include "purge_internal.h"
#include <muniment/repo/destruction.h>
#include <muniment/repo/erasure.h>
#include <muniment/repo/hold.h>
#include <muniment/repo/journal.h>
#include <muniment/repo/record.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SESSION_OBJECT_MAX = 4096 };

/* What was listed and is gone by now was ended by a purge or a capture, which is nothing to find. */
static int found_unless_gone(struct check *check, const char *name, struct err *err) {
    if (err->code == ERR_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    return check_found(check, name, err);
}

static int check_heads(struct check *check, struct err *err) {
    check->heads.items = mem_array(check->head_names.count ? check->head_names.count : 1, sizeof *check->heads.items);
    for (size_t i = 0; i < check->head_names.count; i++) {
        const char *name = check->head_names.items[i].name;
        if (head_load(check->repo, repo_leaf(name), &check->heads.items[check->heads.count], err) == 0)
            check->heads.count++;
        else if (found_unless_gone(check, name, err) < 0)
            return -1;
    }
    check->result->snapshots = check->heads.count;
    return 0;
}

static int check_purges(struct check *check, struct err *err) {
    for (size_t i = 0; i < check->purge_names.count; i++) {
        struct purge_record record = { 0 };
        const char *name = check->purge_names.items[i].name;
        if (purge_record_load(check->repo, name, &record, err) < 0 && found_unless_gone(check, name, err) < 0)
            return -1;
        purge_record_release(&record);
    }
    return 0;
}

static int check_sessions(struct check *check, struct err *err) {
    for (size_t i = 0; i < check->session_names.count; i++) {
        struct buffer payload = { 0 };
        const char *name = check->session_names.items[i].name;
        int result = record_load(check->repo, RECORD_SESSION, name, SESSION_OBJECT_MAX, &payload, NULL, err);
        buffer_release(&payload);
        if (result < 0 && found_unless_gone(check, name, err) < 0)
            return -1;
    }
    return 0;
}

static int check_keys(struct check *check, struct err *err) {
    struct key_copy *copies = NULL;
    size_t count = 0;
    char folder[REPO_NAME_MAX];
    int result = key_copy_list(check->repo->store, check->repo->keys, &copies, &count, err);
    free(copies);
    return result == 0 ? 0 : check_found(check, repo_folder(check->repo, folder, "keys"), err);
}

static int check_exceptions(struct check *check, struct err *err) {
    struct holds holds;
    struct erasures erasures;
    char folder[REPO_NAME_MAX];
    int result = holds_load(check->repo, &holds, err);
    holds_release(&holds);
    if (result < 0 && check_found(check, repo_folder(check->repo, folder, "holds"), err) < 0)
        return -1;
    result = erasures_load(check->repo, &erasures, err);
    erasures_release(&erasures);
    return result < 0 ? check_found(check, repo_folder(check->repo, folder, "erasures"), err) : 0;
}

/* --- the journal ----------------------------------------------------------------------------------------------------
 */

/* What the journal says was made, and what it says has ended: names below the set's folder, and when. Ends may stand in
 * another host's chain, before or after. */
struct story {
    struct dated_names made, ended;
    int64_t mirrored; /* the last copy to a mirror began; 0: none */
    char *record;     /* of the last purge; "none": there is none */
    int64_t record_time;
    bool erased; /* the set: all of it has ended */
};

static void add_name(struct dated_names *names, const char *folder, const char *leaf, int64_t time) {
    char *name = mem_format("%s/%s", folder, leaf);
    dated_names_add(names, name, time);
    free(name);
}

static int follow_journal(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    (void)segment, (void)err;
    struct story *story = context;
    const char *snapshot = journal_field(entry, "snapshot"), *id = journal_field(entry, "id");
    const char *object = journal_field(entry, "object"), *hold = journal_field(entry, "hold");

    if (strcmp(entry->event, "captured") == 0 && snapshot) {
        add_name(&story->made, "snapshots", snapshot, entry->time);
    } else if (strcmp(entry->event, "expired") == 0 && snapshot) {
        add_name(&story->ended, "snapshots", snapshot, entry->time);
    } else if (strcmp(entry->event, "key_added") == 0 && id) {
        add_name(&story->made, "keys", id, entry->time);
    } else if (strcmp(entry->event, "key_removed") == 0 && id) {
        add_name(&story->ended, "keys", id, entry->time);
    } else if (strcmp(entry->event, "held") == 0 && hold) {
        add_name(&story->made, "holds", hold, entry->time);
    } else if (strcmp(entry->event, "released") == 0 && hold) {
        add_name(&story->ended, "holds", hold, entry->time);
    } else if (strcmp(entry->event, "erasure") == 0 && object) {
        add_name(&story->made, "erasures", repo_leaf(object), entry->time);
    } else if (strcmp(entry->event, "erasure_over") == 0 && object) {
        add_name(&story->ended, "erasures", repo_leaf(object), entry->time);
    } else if (strcmp(entry->event, "mirrored") == 0) {
        story->mirrored = entry->time > story->mirrored ? entry->time : story->mirrored;
    } else if (strcmp(entry->event, "erasing") == 0) {
        story->erased = true;
    } else if (strcmp(entry->event, "recorded") == 0 && object && entry->time >= story->record_time) {
        free(story->record);
        story->record = mem_string(object);
        story->record_time = entry->time;
    }
    return 0;
}

static bool is_stored(struct check *check, const char *below, struct err *err) {
    char name[REPO_NAME_MAX];
    uint64_t size;
    int64_t modified;
    int length = snprintf(name, sizeof name, "%s/%s", check->repo->keys->set_name, below);
    if (length < 0 || (size_t)length >= sizeof name)
        return false;
    bool stored = store_stat(check->repo->store, name, &size, &modified, err) == 0 || err->code != ERR_NOT_FOUND;
    err_clear(err);
    return stored;
}

/* On a mirror, what is newer than all it holds was not copied yet; nor, maybe, what was made since the last copy began:
 * a copy that was broken off may have sent what tells of its making, and not yet what tells of its end. */
static bool not_copied_yet(const struct check *check, const struct story *story, const struct dated_name *made) {
    if (!check->options->mirror)
        return false;
    const struct store_names *heads = &check->head_names;
    const char *newest = heads->count > 0 ? repo_leaf(heads->items[heads->count - 1].name) : "";
    return made->time >= story->mirrored ||
           (strncmp(made->name, "snapshots/", 10) == 0 && strcmp(made->name + 10, newest) > 0);
}

static void compare_with_store(struct check *check, const struct story *story, struct err *err) {
    const char *set = check->repo->keys->set_name;
    char name[REPO_NAME_MAX];
    if (story->erased)
        return;
    for (size_t i = 0; i < story->made.count; i++) {
        const struct dated_name *made = &story->made.items[i];
        if (dated_names_find(&story->ended, made->name) || not_copied_yet(check, story, made) ||
            is_stored(check, made->name, err))
            continue;
        snprintf(name, sizeof name, "%.64s/%.160s", set, made->name);
        check_find(check, name, "is missing: the journal says that it was made, and not that it ended");
    }
    if (check->options->mirror)
        return;
    if (story->record && strcmp(story->record, "none") != 0 && check->purge_names.count == 0 &&
        !is_stored(check, story->record, err)) {
        snprintf(name, sizeof name, "%.64s/%.160s", set, story->record);
        check_find(check, name, "is missing: it said when dead chunks must be gone");
    }

    /* A capture writes its line after its head; one that was killed in between left its session, too. */
    for (size_t i = 0; i < check->heads.count && check->session_names.count == 0; i++) {
        char below[REPO_NAME_MAX];
        snprintf(below, sizeof below, "snapshots/%.160s", check->heads.items[i].name);
        if (dated_names_find(&story->made, below))
            continue;
        repo_name(check->repo, name, "snapshots", check->heads.items[i].name);
        check_find(check, name, "the journal does not know this snapshot: its end is missing");
    }
}

static int check_journal(struct check *check, struct err *err) {
    struct story story = { 0 };
    char folder[REPO_NAME_MAX];
    int result = 0;
    if (journal_walk(check->repo, follow_journal, &story, err) < 0) {
        result = check_found(check, repo_folder(check->repo, folder, "journal"), err);
    } else {
        dated_names_sort(&story.made);
        dated_names_sort(&story.ended);
        compare_with_store(check, &story, err);
    }
    dated_names_release(&story.made);
    dated_names_release(&story.ended);
    free(story.record);
    return result;
}

int check_objects(struct check *check, struct err *err) {
    if (check_keys(check, err) < 0 || check_heads(check, err) < 0 || check_purges(check, err) < 0 ||
        check_sessions(check, err) < 0 || check_exceptions(check, err) < 0 || check_journal(check, err) < 0)
        return -1;
    return 0;
}
