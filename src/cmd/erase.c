#include "verb_internal.h"
#include <muniment/repo/erasing.h>
#include <muniment/repo/erasure.h>
#include <muniment/run/erase.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- record --------------------------------------------------------------------------------------------------------
 */

struct given_references {
    char **items;
    size_t count, capacity;
};

static void add_reference(struct given_references *references, const char *text) {
    references->items =
        mem_grow(references->items, &references->capacity, references->count + 1, sizeof *references->items);
    references->items[references->count++] = mem_string(text);
}

/* One a line; empty lines are none. */
static int read_references(struct given_references *references, struct err *err) {
    char *line = NULL;
    size_t capacity = 0;
    int result = 0;
    for (ssize_t length; result == 0 && (length = getline(&line, &capacity, stdin)) >= 0;) {
        if (memchr(line, '\0', (size_t)length) != NULL)
            result = err_set(err, ERR_INVALID, "a reference on standard input holds a zero byte");
        line[strcspn(line, "\r\n")] = '\0';
        if (result == 0 && references->count > ERASURE_REFERENCES_MAX)
            result = err_set(err, ERR_INVALID, "standard input holds more than %d references", ERASURE_REFERENCES_MAX);
        if (result == 0 && line[0] != '\0')
            add_reference(references, line);
    }
    if (result == 0 && ferror(stdin))
        result = err_sys(err, "read references from standard input");
    free(line);
    return result;
}

static int take_references(const struct invocation *invocation, struct given_references *references, struct err *err) {
    if (invocation->word_count == 3 && strcmp(invocation->words[2], "-") == 0)
        return read_references(references, err);
    for (size_t i = 2; i < invocation->word_count; i++)
        add_reference(references, invocation->words[i]);
    return 0;
}

static int erase_record(struct invocation *invocation, struct opened_set *set, struct err *err) {
    struct given_references references = { 0 };
    struct erasure erasure = { .recorded = clock_now() };
    char count[FORM_TEXT];
    int result = take_references(invocation, &references, err);
    if (result == 0)
        result = erasing_refuse(&set->repo, "record an erasure", err);
    if (result == 0) {
        erasure.references = references.items;
        erasure.count = references.count;
        result = erasure_record(&set->repo, &erasure, err);
    }
    if (result == 0) {
        output_text(invocation->output, "%s: %s recorded\n", set_title(set),
                    form_count(count, references.count, "reference"));
        json_begin(invocation->output, "erasure_recorded");
        json_text(invocation->output, "set", set_title(set));
        json_time(invocation->output, "recorded", erasure.recorded);
        json_count(invocation->output, "references", references.count);
        json_end(invocation->output);
    }
    free(erasure.name);
    mem_free_strings(references.items, references.count);
    return result;
}

/* --- list ----------------------------------------------------------------------------------------------------------
 */

static void report_erasures(struct invocation *invocation, const struct opened_set *set,
                            const struct erasures *erasures, int64_t since) {
    struct output *output = invocation->output;
    for (size_t i = 0; i < erasures->count; i++) {
        const struct erasure *erasure = &erasures->items[i];
        char when[CLOCK_TEXT];
        for (size_t j = 0; j < erasure->count && erasure->recorded >= since; j++) {
            char *reference = form_name(erasure->references[j]);
            output_text(output, "%s  %s\n", clock_format(when, erasure->recorded), reference);
            free(reference);
            json_begin(output, "erasure");
            json_text(output, "set", set_title(set));
            json_time(output, "recorded", erasure->recorded);
            json_text(output, "reference", erasure->references[j]);
            json_end(output);
        }
    }
}

static int erase_list(struct invocation *invocation, struct opened_set *set, struct err *err) {
    struct erasures erasures = { 0 };
    int64_t since = 0;
    if (option_time(&invocation->options, OPTION_SINCE, &since, err) != 0)
        return -1;
    int result = erasures_load(&set->repo, &erasures, err);
    if (result == 0)
        report_erasures(invocation, set, &erasures, since);
    erasures_release(&erasures);
    return result;
}

/* --- set -----------------------------------------------------------------------------------------------------------
 */

/* Before anything goes: a certificate that could not be written would be lost. */
static int check_certificate(const char *path, struct err *err) {
    if (path == NULL)
        return 0;
    if (access(path, F_OK) == 0)
        return err_set(err, ERR_EXISTS, "the certificate '%s' exists already", path);
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL   ? mem_string(".")
                   : slash == path ? mem_string("/")
                                   : mem_format("%.*s", (int)(slash - path), path);
    int result = access(folder, W_OK) == 0 ? 0 : err_sys(err, "write a certificate into '%s'", folder);
    free(folder);
    return result;
}

static enum report_format certificate_format(const struct invocation *invocation, const char *path) {
    size_t length = path != NULL ? strlen(path) : 0;
    bool json =
        path != NULL ? length > 5 && strcmp(path + length - 5, ".json") == 0 : output_is_json(invocation->output);
    return json ? REPORT_JSON : REPORT_TEXT;
}

/* True when it is in the file. Elsewhere it goes to standard output: it tells what no later run can find out. */
static bool give_certificate(struct invocation *invocation, const char *path, struct buffer *certificate) {
    struct err why = { 0 };
    if (path != NULL && file_create(path, 0644, certificate->data, certificate->length, &why) == 0)
        return true;
    if (path != NULL)
        invocation_fail(invocation, "the certificate is on standard output", &why);
    output_text(invocation->output, "%s", buffer_text(certificate));
    return false;
}

static void report_erased(struct invocation *invocation, const struct opened_set *set,
                          const struct erase_result *result, const char *path, struct buffer *certificate) {
    struct output *output = invocation->output;
    uint64_t objects = 0, versions = 0, remaining = 0;
    for (size_t i = 0; i < result->place_count; i++) {
        objects += result->places[i].objects;
        versions += result->places[i].versions;
        remaining += result->places[i].remaining;
    }
    if (path != NULL)
        output_text(output, "%s: %s; the certificate is in %s\n", set_title(set),
                    result->whole ? "erased, with all its versions, from every place" : "NOT WHOLE", path);
    json_begin(output, "erased");
    json_text(output, "set", set_title(set));
    json_flag(output, "whole", result->whole);
    json_count(output, "objects", objects);
    json_count(output, "versions", versions);
    json_count(output, "remaining", remaining);
    json_text(output, "certificate", path != NULL ? NULL : buffer_text(certificate));
    json_end(output);
    log_info(invocation->log, "the write key %s stays: a later run takes it, and so does whoever reads the journal",
             set->settings->write_key);
    log_info(invocation->log, "copies of the read key in other hands must be destroyed there: fingerprint %s",
             result->key);
}

/* What is not gone, a line a place; the exit status says it, too. */
static void report_left(struct invocation *invocation, const struct opened_set *set,
                        const struct erase_result *result) {
    for (size_t i = 0; i < result->place_count; i++) {
        const struct erase_place *place = &result->places[i];
        const char *name = i == 0 ? "repository" : set->settings->mirrors[i - 1].name;
        char objects[FORM_TEXT], bytes[FORM_TEXT], until[CLOCK_TEXT];
        struct err why = { 0 };
        if (place->why != NULL) {
            err_set(&why, ERR_SYSTEM, "not finished: %s", place->why);
            err_hint(&why, "run the same command again when that is mended");
            invocation_fail(invocation, name, &why);
        }
        if (place->remaining == 0)
            continue;
        err_clear(&why);
        bool dated = place->remaining_until != 0 && place->remaining_until != INT64_MAX;
        err_set(&why, ERR_REFUSED, "%s (%s) cannot be destroyed yet%s%s%s",
                form_count(objects, place->remaining, "object"), form_bytes(bytes, place->remaining_bytes),
                dated ? ": locked until " : "", dated ? clock_format(until, place->remaining_until) : "",
                place->why ? "" : "; no key is left there that opens them");
        err_hint(&why, "run the same command again then");
        invocation_fail(invocation, name, &why);
    }
}

static int erase_confirmed(struct invocation *invocation, struct opened_set *set, const char *path, struct err *err) {
    struct erase_result result = { 0 };
    struct buffer certificate = { 0 };
    bool local = false;
    int erased = set_erase(set, clock_now(), certificate_format(invocation, path), &result, &certificate, &local, err);
    if (erased == 0) {
        bool filed = give_certificate(invocation, path, &certificate);
        report_erased(invocation, set, &result, filed ? path : NULL, &certificate);
        report_left(invocation, set, &result);
        if (!local)
            invocation_status(invocation, err_exit_status(ERR_SYSTEM));
    }
    erase_result_release(&result);
    buffer_release(&certificate);
    return erased;
}

static int erase_whole(struct invocation *invocation, struct opened_set *set, struct err *err) {
    const char *name = invocation->words[1], *path = option_text(&invocation->options, OPTION_CERTIFICATE);
    if (check_certificate(path, err) != 0)
        return -1;
    char *question =
        mem_format("All backups of the set '%s' will be destroyed, in the repository and on %zu mirror%s.\n"
                   "Nothing of it can be restored afterwards.",
                   name, set->settings->mirror_count, set->settings->mirror_count == 1 ? "" : "s");
    int result = invocation_confirm(invocation, question, name, err);
    free(question);
    return result == 0 ? erase_confirmed(invocation, set, path, err) : -1;
}

/* --- all of them ---------------------------------------------------------------------------------------------------
 */

static const struct verb VERBS[] = {
    { "record", 3, SIZE_MAX, "a set and what was deleted: references, or '-' for standard input", OPEN_TO_WRITE, false,
      "'erase record' takes the configuration, without --from and --mirror", erase_record },
    { "list", 2, 2, "one set", OPEN_TO_LIST, false, NULL, erase_list },
    { "set", 2, 2, "one set", OPEN_TO_WRITE, false, "'erase set' takes the configuration, without --from and --mirror",
      erase_whole },
    { 0 },
};

static int run_erase(struct invocation *invocation, struct err *err) {
    const struct verb *verb = verb_find(invocation, VERBS, err);
    return verb != NULL ? verb_run(invocation, verb, invocation->words[1], err) : -1;
}

const struct command COMMAND_ERASE = {
    .name = "erase",
    .arguments = "record SET (REFERENCE... | -) | list SET [--since T] [--mirror NAME | --from STORE [--key FILE]]\n"
                 "    | set SET [--confirm SET] [--certificate FILE]",
    .summary = "note what was deleted on request; destroy a whole set",
    .help =
        "  record  keeps opaque references - never a name or an address - of what was deleted in the live system,\n"
        "          so that a restore of an older snapshot tells what must be deleted again; '-' reads them from\n"
        "          standard input, one a line\n"
        "  list    prints what was recorded, with --since what a restore of a snapshot of that time brings back\n"
        "  set     destroys every wrapped copy of the read key, then every object and version of the set, in the\n"
        "          repository and on all mirrors; asks for the set's name, or takes it from --confirm. FILE gets\n"
        "          the signed certificate (JSON when it ends in .json), else standard output. What a lock holds is\n"
        "          listed with its date, exit status 23; run it again then\n",
    .accepts = OPTIONS_OF_ANY_READING | OPTION_BIT(OPTION_MIRROR) | OPTION_BIT(OPTION_SINCE) |
               OPTION_BIT(OPTION_CONFIRM) | OPTION_BIT(OPTION_CERTIFICATE),
    .least = 2,
    .most = SIZE_MAX,
    .run = run_erase,
};
