#include "mirror_internal.h"
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const FOLDER_NAMES[FOLDER_KINDS] = { "keys", "index", "snapshots", "holds", "erasures", "journal" };

static int compare_packs(const void *left, const void *right) {
    const struct mirrored_pack *a = left, *b = right;
    return memcmp(a->hash, b->hash, sizeof a->hash);
}

static struct mirrored_pack *append_pack(struct mirror_job *job, const uint8_t hash[32], uint64_t size) {
    job->packs = mem_grow(job->packs, &job->pack_capacity, job->pack_count + 1, sizeof *job->packs);
    struct mirrored_pack *pack = &job->packs[job->pack_count++];
    *pack = (struct mirrored_pack){ .size = size };
    memcpy(pack->hash, hash, 32);
    return pack;
}

static struct mirrored_pack *find_among(struct mirrored_pack *packs, size_t count, const uint8_t hash[32]) {
    struct mirrored_pack wanted = { 0 };
    memcpy(wanted.hash, hash, sizeof wanted.hash);
    return count ? bsearch(&wanted, packs, count, sizeof wanted, compare_packs) : NULL;
}

struct mirrored_pack *inventory_find(const struct mirror_job *job, const uint8_t hash[32]) {
    return find_among(job->packs, job->pack_count, hash);
}

void inventory_sort(struct mirror_job *job) {
    size_t sorted = job->pack_count;
    for (size_t i = 0; i < job->sent_count; i++) {
        struct mirrored_pack *known = find_among(job->packs, sorted, job->sent[i].hash);
        if (!known)
            known = append_pack(job, job->sent[i].hash, job->sent[i].size);
        known->size = job->sent[i].size;
        known->seen = true;
    }
    job->sent_count = 0;
    if (job->pack_count > 1)
        qsort(job->packs, job->pack_count, sizeof *job->packs, compare_packs);
}

/* Names come in their order, but for the few of a thread that was slower than another. */
static void add_sent(struct store_names *names, const struct transfer *transfer) {
    size_t at = names->count;
    while (at > 0 && strcmp(names->items[at - 1].name, transfer->name) > 0)
        at--;
    if (at > 0 && strcmp(names->items[at - 1].name, transfer->name) == 0) {
        names->items[at - 1].size = transfer->size;
        return;
    }
    names->items = mem_grow(names->items, &names->capacity, names->count + 1, sizeof *names->items);
    memmove(names->items + at + 1, names->items + at, (names->count++ - at) * sizeof *names->items);
    names->items[at] = (struct store_listed){ .name = mem_string(transfer->name), .size = transfer->size };
}

void inventory_sent(struct mirror_job *job, const struct transfer *transfer) {
    uint8_t hash[32];
    pthread_mutex_lock(&job->lock);
    if (transfer->kind != FOLDER_KINDS) {
        add_sent(&job->folders[transfer->kind].sent, transfer);
    } else if (repo_name_hash(transfer->name, hash)) {
        job->sent = mem_grow(job->sent, &job->sent_capacity, job->sent_count + 1, sizeof *job->sent);
        struct mirrored_pack *pack = &job->sent[job->sent_count++];
        *pack = (struct mirrored_pack){ .size = transfer->size };
        memcpy(pack->hash, hash, sizeof pack->hash);
    }
    pthread_mutex_unlock(&job->lock);
}

static void add_pack(struct mirror_job *job, const struct store_kept *object) {
    uint8_t hash[32];
    char name[REPO_NAME_MAX];
    if (!repo_name_hash(object->name, hash) || strcmp(repo_pack_name(&job->there, name, hash), object->name) != 0) {
        log_warning(job->repo->log, "mirror '%s': '%s' is not the name of a pack", job->options->name, object->name);
        job->result->strangers++;
        return;
    }
    append_pack(job, hash, object->size)->overwritten = object->versions > 1 ? object->modified : 0;
}

/* --- decisions --------------------------------------------------------------------------------------------------- */

static bool is_below(const char *name, const char *folder) {
    size_t length = strlen(folder);
    return strncmp(name, folder, length) == 0 && name[length] == '/';
}

static void decide_in_folder(struct mirror_job *job, enum folder_kind kind, const char *object) {
    struct folder *folder = &job->folders[kind];
    char name[2 * REPO_NAME_MAX];
    snprintf(name, sizeof name, "%s/%s", job->repo->keys->set_name, object);
    const struct store_listed *found = store_names_find(&folder->there, name);
    if (found)
        folder->decided[found - folder->there.items] = true;
}

static void decide_pack(struct mirror_job *job, const char *object) {
    uint8_t hash[32];
    struct mirrored_pack *pack = repo_name_hash(object, hash) ? inventory_find(job, hash) : NULL;
    if (pack)
        pack->decided = true;
}

/* `object` is its name below the set's folder. */
static void decide(struct mirror_job *job, const char *object) {
    struct dated_name *hidden = dated_names_find(&job->hidden, object);
    if (hidden)
        hidden->time = 1;
    if (is_below(object, "packs"))
        decide_pack(job, object);
    for (int kind = 0; kind < FOLDER_KINDS; kind++)
        if (is_below(object, FOLDER_NAMES[kind]))
            decide_in_folder(job, kind, object);
}

/* A checkpoint is about the segments before it. */
static void decide_dropped(struct mirror_job *job, const struct journal_entry *checkpoint) {
    struct folder *journal = &job->folders[FOLDER_JOURNAL];
    for (size_t i = 0; i < journal->there.count; i++)
        if (journal_checkpoint_covers(checkpoint, repo_below(job->repo, journal->there.items[i].name)))
            journal->decided[i] = true;
    for (size_t i = 0; i < job->hidden.count; i++)
        if (journal_checkpoint_covers(checkpoint, job->hidden.items[i].name))
            job->hidden.items[i].time = 1;
}

static int read_decision(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct mirror_job *job = context;
    const char *snapshot = journal_field(entry, "snapshot"), *mirror = journal_field(entry, "mirror");
    char object[REPO_NAME_MAX];
    (void)segment;
    (void)err;
    if (destruction_decided(entry, object))
        decide(job, object);
    if (strcmp(entry->event, "captured") == 0 && snapshot)
        dated_names_add(&job->captured, snapshot, entry->time);
    else if (strcmp(entry->event, "expired") == 0 && snapshot)
        dated_names_add(&job->expired, snapshot, entry->time);
    else if (strcmp(entry->event, "mirrored") == 0 && mirror && strcmp(mirror, job->options->name) == 0 &&
             entry->time > job->last_run)
        job->last_run = entry->time;
    hold_witness_read(&job->holds, entry);
    destruction_read(&job->destruction, entry);
    return 0;
}

/* Segments go from a mirror only by a checkpoint of the repository's own journal. */
static int read_decision_here(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    if (strcmp(entry->event, "checkpoint") == 0)
        decide_dropped(context, entry);
    return read_decision(context, segment, entry, err);
}

/* Reading a bucket's whole journal takes a request a segment, and what the repository has, too, says nothing new. */
static int journal_is_known(struct mirror_job *job, bool *known, struct err *err) {
    const struct folder *folder = &job->folders[FOLDER_JOURNAL];
    *known = false;
    if (store_transfers(job->there.store) == 1)
        return 0;
    if (folder_list_here(job, FOLDER_JOURNAL, err) < 0)
        return -1;
    *known = true;
    for (size_t i = 0; i < folder->there.count && *known; i++) {
        const struct store_listed *here = store_names_find(&folder->here, folder->there.items[i].name);
        *known = here && here->size == folder->there.items[i].size;
    }
    return 0;
}

static int read_decisions(struct mirror_job *job, struct err *err) {
    struct err why = { 0 };
    job->decisions_known = journal_walk(job->repo, read_decision_here, job, &why) == 0;
    if (!job->decisions_known) {
        if (why.code != ERR_CORRUPT) {
            *err = why;
            return err_wrap(err, "read the repository's journal");
        }
        err_wrap(&why, "the repository's journal cannot be trusted, so nothing leaves the mirror");
        job_fail(job, &why);
        return 0;
    }

    /* A run that was killed, or a damaged segment: what the repository has is sent again, and what it decided is enough
     * for now. */
    err_clear(&why);
    if (journal_is_known(job, &job->mirror_journal_good, err) < 0)
        return -1;
    if (!job->mirror_journal_good)
        job->mirror_journal_good = journal_walk(&job->there, read_decision, job, &why) == 0;
    if (!job->mirror_journal_good)
        log_warning(job->repo->log, "mirror '%s': its copy of the journal is not whole: %s", job->options->name,
                    why.message);
    return 0;
}

/* --- listings ------------------------------------------------------------------------------------------------------
 */

int folder_list_here(struct mirror_job *job, enum folder_kind kind, struct err *err) {
    char name[REPO_NAME_MAX];
    struct folder *folder = &job->folders[kind];
    store_names_release(&folder->here);
    return store_names_load(job->repo->store, repo_folder(job->repo, name, FOLDER_NAMES[kind]), &folder->here, err);
}

bool folder_has(const struct store_names *names, const char *name) {
    return store_names_find(names, name) != NULL;
}

static void add_to_folder(struct folder *folder, const struct store_kept *object) {
    struct store_names *there = &folder->there;
    there->items = mem_grow(there->items, &there->capacity, there->count + 1, sizeof *there->items);
    folder->overwritten =
        mem_grow(folder->overwritten, &folder->overwritten_capacity, there->count + 1, sizeof *folder->overwritten);
    folder->overwritten[there->count] = object->versions > 1 ? object->modified : 0;
    there->items[there->count++] =
        (struct store_listed){ .name = mem_string(object->name), .size = object->size, .modified = object->modified };
}

static int add_object(void *context, const struct store_kept *object, struct err *err) {
    struct mirror_job *job = context;
    const char *name = repo_below(job->repo, object->name);
    (void)err;
    if (object->hidden)
        dated_names_add(&job->hidden, name, 0);
    else if (is_below(name, "packs"))
        add_pack(job, object);
    for (int kind = 0; kind < FOLDER_KINDS && !object->hidden; kind++)
        if (is_below(name, FOLDER_NAMES[kind]))
            add_to_folder(&job->folders[kind], object);
    return 0;
}

/* One listing for all: each page of it is paid for. */
int inventory_load(struct mirror_job *job, const char *below, struct err *err) {
    if (store_list_kept(job->there.store, below, add_object, job, err) < 0)
        return err_wrap(err, "list the mirror");
    inventory_sort(job);
    for (int kind = 0; kind < FOLDER_KINDS; kind++) {
        struct folder *folder = &job->folders[kind];
        folder->decided = mem_array(folder->there.count + 1, sizeof *folder->decided);
        folder->refused = mem_array(folder->there.count + 1, sizeof *folder->refused);
        folder->held = mem_array(folder->there.count + 1, sizeof *folder->held);
    }
    dated_names_sort(&job->hidden);
    int status = read_decisions(job, err);
    dated_names_sort(&job->captured);
    dated_names_sort(&job->expired);
    destruction_sort(&job->destruction);
    return status;
}

void inventory_release(struct mirror_job *job) {
    for (int kind = 0; kind < FOLDER_KINDS; kind++) {
        store_names_release(&job->folders[kind].here);
        store_names_release(&job->folders[kind].there);
        store_names_release(&job->folders[kind].sent);
        free(job->folders[kind].decided);
        free(job->folders[kind].refused);
        free(job->folders[kind].held);
        free(job->folders[kind].overwritten);
    }
    free(job->packs);
    free(job->sent);
    dated_names_release(&job->hidden);
    dated_names_release(&job->captured);
    dated_names_release(&job->expired);
    hold_witness_release(&job->holds);
}

bool pack_must_go(const struct mirrored_pack *pack) {
    return pack->decided && !pack->seen && !pack->needed;
}

bool folder_must_go(const struct mirror_job *job, enum folder_kind kind, size_t at) {
    const struct folder *folder = &job->folders[kind];
    return folder->decided[at] && !folder->held[at] && !folder_has(&folder->here, folder->there.items[at].name);
}

uint64_t contents_that_go(const struct mirror_job *job) {
    uint64_t count = 0;
    for (size_t i = 0; i < job->pack_count; i++)
        count += pack_must_go(&job->packs[i]);
    for (size_t i = 0; i < job->folders[FOLDER_INDEX].there.count; i++)
        count += folder_must_go(job, FOLDER_INDEX, i);
    return job->decisions_known ? count : 0;
}
