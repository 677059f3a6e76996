#include "invocation_internal.h"
#include <muniment/mirror/recover.h>
#include <muniment/util/clock.h>

/* Fails when something is whole nowhere; then result->lost says so, and what could be done is done. */
static int recover(struct invocation *invocation, struct opened_set *set, const char *mirror,
                   struct recover_result *result, struct err *err) {
    struct store *store = NULL;
    struct progress progress = { 0 };
    char objects[FORM_TEXT], bytes[FORM_TEXT], whole[FORM_TEXT];
    if (mirror_open(set, mirror, &store, err) < 0)
        return -1;
    console_progress_start(invocation->console, "comparing with the mirror", &progress);
    int recovered = mirror_recover(&set->repo, store, mirror, clock_now(), &progress, result, err);
    console_progress_stop(invocation->console);
    store_close(store);
    if (recovered < 0 && result->lost == 0)
        return -1;
    output_text(invocation->output, "%s: %s (%s) brought back from mirror '%s', %llu lost, %s found whole\n",
                set_title(set), form_count(objects, result->recovered, "object"),
                form_bytes(bytes, result->recovered_bytes), mirror, (unsigned long long)result->lost,
                form_count(whole, result->read, "object"));
    json_begin(invocation->output, "recovered");
    json_text(invocation->output, "set", set_title(set));
    json_text(invocation->output, "mirror", mirror);
    json_count(invocation->output, "objects", result->recovered);
    json_count(invocation->output, "bytes", result->recovered_bytes);
    json_count(invocation->output, "lost", result->lost);
    json_count(invocation->output, "whole", result->read);
    json_count(invocation->output, "whole_bytes", result->read_bytes);
    json_end(invocation->output);
    return recovered;
}

static int rebuild_index(struct invocation *invocation, struct opened_set *set, struct err *err) {
    struct check_result result = { 0 };
    char packs[FORM_TEXT], chunks[FORM_TEXT];
    struct progress progress = { 0 };
    struct check_options options = {
        .now = clock_now(),
        .progress = &progress,
        .finding = report_finding,
        .context = invocation,
    };
    console_progress_start(invocation->console, "reading packs", &progress);
    int repaired = check_rebuild_index(&set->repo, &options, &result, err);
    console_progress_stop(invocation->console);
    if (repaired < 0)
        return -1;
    output_text(invocation->output, "%s: the index was written anew from %s, %s\n", set_title(set),
                form_count(packs, result.packs, "pack"), form_count(chunks, result.chunks, "chunk"));
    json_begin(invocation->output, "repaired");
    json_text(invocation->output, "set", set_title(set));
    json_check(invocation->output, &result);
    json_end(invocation->output);
    if (result.findings > 0)
        return err_set(err, ERR_CORRUPT, "not in the index, because unreadable: %s",
                       form_count(packs, result.findings, "pack"));
    return 0;
}

static int run_repair(struct invocation *invocation, struct err *err) {
    const char *mirror = invocation->word_count > 1 ? invocation->words[1] : NULL;
    struct opened_set set = { 0 };
    struct recover_result recovered = { 0 };
    struct err lost = { 0 };
    int result = invocation_open(invocation, invocation->words[0], OPEN_TO_WRITE, &set, err);
    if (result == 0 && mirror != NULL && recover(invocation, &set, mirror, &recovered, &lost) < 0 &&
        recovered.lost == 0) {
        *err = lost;
        result = -1;
    }
    if (result == 0)
        result = rebuild_index(invocation, &set, err);
    if (result == 0 && recovered.lost > 0) {
        *err = lost;
        result = -1;
    }
    opened_set_close(&set);
    return result;
}

const struct command COMMAND_REPAIR = {
    .name = "repair",
    .arguments = "SET [MIRROR]",
    .summary = "bring back what a mirror has whole, and write the index anew",
    .help =
        "With MIRROR every object that it has is read in the repository, too; what is missing or damaged is brought\n"
        "back, but for what was to go. The index is then written anew from the tables at the end of every pack.\n"
        "Packs without a readable table, and objects that are whole in neither place, are named, and the exit\n"
        "status is 20.\n",
    .least = 1,
    .most = 2,
    .run = run_repair,
};
