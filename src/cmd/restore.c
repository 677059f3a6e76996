#include "invocation_internal.h"
#include "restore_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Exactly one place to restore to, and only options that mean something there. */
static int check_target(const struct invocation *invocation, struct err *err) {
    const struct options *options = &invocation->options;
    int targets = option_given(options, OPTION_TO) + option_given(options, OPTION_STDOUT) +
                  option_given(options, OPTION_TO_POSTGRES) + option_given(options, OPTION_TO_BUCKET);
    if (targets != 1)
        return err_set(err, ERR_INVALID,
                       "'restore' needs one of --to DIR, --stdout, --to-postgres URI and --to-bucket ADDRESS");
    if (option_given(options, OPTION_TO_BUCKET) && !s3_is_address(option_text(options, OPTION_TO_BUCKET)))
        return err_set(err, ERR_INVALID, "--to-bucket '%s' is no address such as \"s3:SERVICE/BUCKET\"",
                       option_text(options, OPTION_TO_BUCKET));
    if (option_given(options, OPTION_STDOUT) && output_is_json(invocation->output))
        return err_set(err, ERR_INVALID, "--json and --stdout both want standard output");
    if (option_given(options, OPTION_TO_POSTGRES))
        return 0;
    static const enum option ONLY_POSTGRES[] = { OPTION_GLOBALS, OPTION_RENAME, OPTION_BIN_DIR };
    static const char *const NAMES[] = { "globals", "rename", "bin-dir" };
    for (size_t i = 0; i < 3; i++) {
        if (option_given(options, ONLY_POSTGRES[i]))
            return err_set(err, ERR_INVALID, "--%s is of use only with --to-postgres", NAMES[i]);
    }
    return 0;
}

/* The word after SET names a source; "*" stands for all of them. */
static int choose_source(const struct head *head, const char *name, const char **source, struct err *err) {
    *source = NULL;
    if (name == NULL || strcmp(name, "*") == 0)
        return 0;
    const char **names = mem_array(head->source_count, sizeof *names);
    for (size_t i = 0; i < head->source_count; i++) {
        names[i] = head->sources[i].name;
        if (strcmp(names[i], name) == 0)
            *source = names[i];
    }
    if (*source == NULL) {
        const char *nearest = pattern_nearest(name, names, head->source_count);
        err_set(err, ERR_NOT_FOUND, "the snapshot has no source '%s'", name);
        if (nearest != NULL)
            err_hint(err, "did you mean '%s'? '*' stands for all sources", nearest);
        else
            err_hint(err, "its first source is '%s'; '*' stands for all sources",
                     head->source_count > 0 ? names[0] : "");
    }
    free(names);
    return *source != NULL ? 0 : -1;
}

/* Says what is going to come back before the first byte of it. */
static void announce(struct invocation *invocation, const struct opened_set *set, const struct head *head) {
    char id[9], when[FORM_TEXT], bytes[FORM_TEXT];
    log_info(invocation->log, "restoring %s@%s from %s: captured %s, %s, %s", set_title(set),
             head_short_name(head->name, id), store_label(set->store), form_when(when, head->started, clock_now()),
             outcome_text(head->outcome), form_bytes(bytes, head_bytes(head)));
    if (head->outcome == OUTCOME_COMPLETE)
        return;
    for (size_t i = 0; i < head->source_count; i++) {
        for (size_t j = 0; j < head->sources[i].trouble_count; j++)
            log_warning(invocation->log, "source '%s' was captured without: %s", head->sources[i].name,
                        head->sources[i].troubles[j]);
    }
}

static int restore_to_target(struct invocation *invocation, struct opened_set *set,
                             const struct restore_options *options, struct restore_result *result, struct err *err) {
    const struct options *given = &invocation->options;
    if (option_given(given, OPTION_TO))
        return restore_to_folder(&set->repo, options, option_text(given, OPTION_TO), result, err);
    if (option_given(given, OPTION_STDOUT))
        return restore_to_descriptor(&set->repo, options, STDOUT_FILENO, result, err);
    if (option_given(given, OPTION_TO_BUCKET)) {
        const char *address = option_text(given, OPTION_TO_BUCKET);
        const struct s3_services *services = NULL;
        if (invocation_services(invocation, address, &services, err) != 0)
            return -1;
        return restore_to_bucket(&set->repo, options, address, services, result, err);
    }
    struct postgres_target target = {
        .uri = option_text(given, OPTION_TO_POSTGRES),
        .bin_dir = option_text(given, OPTION_BIN_DIR),
        .overwrite = options->overwrite,
    };
    return restore_to_postgres(&set->repo, options, &target, option_given(given, OPTION_GLOBALS),
                               option_text(given, OPTION_RENAME), result, err);
}

/* As it was given; '-' is standard output. */
static const char *target_text(const struct options *options) {
    static const enum option TARGETS[] = { OPTION_TO, OPTION_TO_BUCKET, OPTION_TO_POSTGRES };
    for (size_t i = 0; i < sizeof TARGETS / sizeof *TARGETS; i++)
        if (option_given(options, TARGETS[i]))
            return option_text(options, TARGETS[i]);
    return "-";
}

static void report(struct invocation *invocation, struct opened_set *set, const struct head *head,
                   const struct restore_result *result, double seconds) {
    char entries[FORM_TEXT], bytes[FORM_TEXT], speed[FORM_TEXT], span[FORM_TEXT], id[9];
    log_info(invocation->log, "restored %s, %s, in %s (%s); every byte was authenticated",
             form_count(entries, result->entries, "entry"), form_bytes(bytes, result->bytes),
             form_seconds(span, seconds), form_speed(speed, result->bytes, seconds));
    if (result->unchanged > 0)
        log_info(invocation->log, "there already, as in the snapshot: %s",
                 form_count(entries, result->unchanged, "object"));
    if (result->incomplete > 0) {
        log_warning(invocation->log, "captured incomplete or while changing: %s",
                    form_count(entries, result->incomplete, "entry"));
        invocation_status(invocation, STATUS_PARTIAL);
    }
    size_t erasures = restore_erasures(invocation, set, head, target_text(&invocation->options));
    json_begin(invocation->output, "restored");
    json_text(invocation->output, "set", set_title(set));
    json_text(invocation->output, "snapshot", head_short_name(head->name, id));
    json_time(invocation->output, "started", head->started);
    json_text(invocation->output, "outcome", outcome_text(head->outcome));
    json_count(invocation->output, "entries", result->entries);
    json_count(invocation->output, "bytes", result->bytes);
    json_count(invocation->output, "unchanged", result->unchanged);
    json_count(invocation->output, "incomplete", result->incomplete);
    json_count(invocation->output, "to_delete_again", erasures);
    json_seconds(invocation->output, "seconds", seconds);
    json_end(invocation->output);
}

static int restore_head(struct invocation *invocation, struct opened_set *set, const struct head *head,
                        struct err *err) {
    size_t words = invocation->word_count;
    const char *source = NULL;
    if (choose_source(head, words > 1 ? invocation->words[1] : NULL, &source, err) != 0)
        return -1;
    char **patterns = mem_array(words, sizeof *patterns);
    for (size_t i = 2; i < words; i++)
        patterns[i - 2] = mem_string(invocation->words[i]);

    struct progress progress = { 0 };
    struct restore_result result = { 0 };
    struct restore_options options = {
        .head = head,
        .source = source,
        .patterns = patterns,
        .pattern_count = words > 2 ? words - 2 : 0,
        .overwrite = option_given(&invocation->options, OPTION_OVERWRITE),
        .sync = option_given(&invocation->options, OPTION_SYNC),
        .progress = &progress,
    };
    announce(invocation, set, head);
    double began = clock_monotonic();
    console_progress_start(invocation->console, "restoring", &progress);
    int restored = restore_to_target(invocation, set, &options, &result, err);
    console_progress_stop(invocation->console);
    if (restored == 0)
        report(invocation, set, head, &result, clock_monotonic() - began);
    mem_free_strings(patterns, options.pattern_count);
    return restored;
}

/* A path or an address may name somebody. */
static const char *target_kind(const struct options *options) {
    if (option_given(options, OPTION_TO_POSTGRES))
        return "postgres";
    if (option_given(options, OPTION_TO_BUCKET))
        return "bucket";
    return option_given(options, OPTION_STDOUT) ? "stdout" : "folder";
}

static int run_restore(struct invocation *invocation, struct err *err) {
    if (check_target(invocation, err) != 0)
        return -1;
    struct set_word word;
    struct opened_set set = { 0 };
    struct heads heads = { 0 };
    const struct head *head = NULL;
    set_word_split(&word, invocation->words[0]);
    int result = invocation_open(invocation, word.set, OPEN_TO_READ, &set, err);
    if (result == 0)
        result = invocation_find_head(&set, word.snapshot, &heads, &head, err);
    if (result == 0)
        result = restore_head(invocation, &set, head, err);
    invocation_used_key(invocation, &set, head != NULL ? head->name : NULL, target_kind(&invocation->options), result,
                        err);
    heads_release(&heads);
    opened_set_close(&set);
    set_word_release(&word);
    return result;
}

const struct command COMMAND_RESTORE = {
    .name = "restore",
    .arguments = "SET[@SNAPSHOT] [SOURCE] [PATTERN...] (--to DIR | --stdout | --to-postgres URI |\n"
                 "    --to-bucket ADDRESS) [--overwrite] [--sync] [--mirror NAME | --from STORE] [--as-of T]\n"
                 "    [--key FILE | --passphrase-file FILE] [--globals] [--rename NAME] [--bin-dir DIR]\n"
                 "    [--credentials FILE] [--region R] [--ca-file FILE] [--plain-http]",
    .summary = "restore a snapshot, some of its entries, or its databases",
    .help =
        "SNAPSHOT is an id, a time (the newest captured at or before it), \"latest\" or \"latest-complete\" (the\n"
        "default). SOURCE limits it to one source ('*' is all), patterns to entries.\n"
        "  --to DIR           into a new or empty folder, as DIR/SOURCE/PATH; with --overwrite into any;\n"
        "                     --sync waits until the disk has everything\n"
        "  --stdout           the content of the one entry that matches\n"
        "  --to-postgres URI  the databases into a server; --globals loads its roles first, --rename NAME gives\n"
        "                     the one chosen database another name, --overwrite drops what has that name\n"
        "  --to-bucket ADDR   the objects of buckets, with their metadata; \"s3:SERVICE\" means the buckets that they\n"
        "                     came from, \"s3:SERVICE/BUCKET/PREFIX\" all into that one. What is there already is "
        "left;\n"
        "                     other objects under the same keys stop it before it starts, unless --overwrite\n"
        "With --from STORE no configuration or state is read, and SET may be '.': the key tells the set. STORE is a\n"
        "folder, or \"s3:https://HOST/BUCKET/PREFIX\" with the credentials in AWS_ACCESS_KEY_ID and\n"
        "AWS_SECRET_ACCESS_KEY or in --credentials FILE. --as-of T reads a bucket as it was then, from the versions\n"
        "that it kept: for after somebody hid or overwrote what is in it.\n",
    .accepts = OPTIONS_OF_ANY_READING | OPTION_BIT(OPTION_MIRROR) | OPTION_BIT(OPTION_AS_OF) | OPTION_BIT(OPTION_TO) |
               OPTION_BIT(OPTION_STDOUT) | OPTION_BIT(OPTION_TO_POSTGRES) | OPTION_BIT(OPTION_TO_BUCKET) |
               OPTION_BIT(OPTION_OVERWRITE) | OPTION_BIT(OPTION_SYNC) | OPTION_BIT(OPTION_GLOBALS) |
               OPTION_BIT(OPTION_RENAME) | OPTION_BIT(OPTION_BIN_DIR),
    .least = 1,
    .most = SIZE_MAX,
    .run = run_restore,
};
