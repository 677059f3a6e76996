#include "invocation_internal.h"
#include <muniment/run/drill.h>
#include <stdlib.h>

enum { STATUS_DRILL_FAILED = 21 };

static void report(struct invocation *invocation, const struct opened_set *set, const struct drill_options *options,
                   const struct drill_result *result) {
    struct output *output = invocation->output;
    const char *from = options->mirror != NULL ? options->mirror : "repository";
    double seconds = result->fetch_seconds + result->load_seconds + result->verify_seconds;
    char id[9], bytes[FORM_TEXT], span[FORM_TEXT];
    output_text(output, "%s@%s from %s: %s: %llu of %llu entries and databases, %s, in %s\n", set_title(set),
                head_short_name(options->head->name, id), from, result->passed ? "PASS" : "FAIL",
                (unsigned long long)result->found, (unsigned long long)result->expected,
                form_bytes(bytes, result->bytes), form_seconds(span, seconds));
    json_begin(output, "drilled");
    json_text(output, "set", set_title(set));
    json_text(output, "snapshot", id);
    json_text(output, "name", options->head->name);
    json_text(output, "from", from);
    json_flag(output, "passed", result->passed);
    json_text(output, "message", result->message);
    json_count(output, "expected", result->expected);
    json_count(output, "found", result->found);
    json_count(output, "bytes", result->bytes);
    json_seconds(output, "fetch_seconds", result->fetch_seconds);
    json_seconds(output, "load_seconds", result->load_seconds);
    json_seconds(output, "verify_seconds", result->verify_seconds);
    json_end(output);
    if (result->passed)
        return;
    log_error(invocation->log, "%s: the restore test failed: %s", set_title(set), result->message);
    invocation_status(invocation, STATUS_DRILL_FAILED);
}

/* `from`: the set as it is seen in the place that is tested. */
static int drill_from(struct invocation *invocation, struct opened_set *set, struct opened_set *from,
                      const char *mirror, const char *which, struct err *err) {
    const struct options *given = &invocation->options;
    const char *temporary = getenv("TMPDIR");
    struct heads heads = { 0 };
    struct progress progress = { 0 };
    struct drill_result result = { 0 };
    struct drill_options options = {
        .mirror = mirror,
        .postgres = option_text(given, OPTION_TO_POSTGRES),
        .bin_dir = option_text(given, OPTION_BIN_DIR),
        .folder = option_given(given, OPTION_TO)              ? option_text(given, OPTION_TO)
                  : temporary != NULL && temporary[0] != '\0' ? temporary
                                                              : "/var/tmp",
        .operator= option_text(given, OPTION_OWNER),
        .progress = &progress,
    };
    if (invocation_find_head(from, which, &heads, &options.head, err) != 0)
        return -1;
    console_progress_start(invocation->console, "restoring", &progress);
    int status = drill_run(set, &from->repo, &options, &result, err);
    console_progress_stop(invocation->console);
    if (status == 0)
        report(invocation, set, &options, &result);
    drill_release(&result);
    heads_release(&heads);
    return status;
}

static int run_drill(struct invocation *invocation, struct err *err) {
    const char *mirror = invocation->word_count > 1 ? invocation->words[1] : NULL;
    struct opened_set set = { 0 };
    struct opened_set from;
    struct store *store = NULL;
    struct set_word word;
    set_word_split(&word, invocation->words[0]);
    int result = invocation_open(invocation, word.set, OPEN_TO_READ, &set, err);
    if (result == 0 && !set.keys->can_sign)
        result = err_set(err, ERR_KEY, "a restore test is journalled, which takes the write key, too");
    if (result == 0 && mirror != NULL)
        result = mirror_open(&set, mirror, &store, err);
    if (result == 0) {
        from = set;
        if (store != NULL) {
            from.store = from.repo.store = store;
            from.repo.cache = NULL; /* it is of what the repository has */
        }
        result = drill_from(invocation, &set, &from, mirror, word.snapshot, err);
    }
    store_close(store);
    opened_set_close(&set);
    set_word_release(&word);
    return result;
}

const struct command COMMAND_DRILL = {
    .name = "drill",
    .arguments = "SET[@SNAPSHOT] [MIRROR] [--to-postgres URI] [--bin-dir DIR] [--to DIR] [--owner ROLE]\n"
                 "    [--key FILE | --passphrase-file FILE]",
    .summary = "restore a snapshot for real, compare, throw it away, and record the result",
    .help =
        "Takes the newest complete snapshot unless one is named, from the repository or from MIRROR. Databases go\n"
        "into the server at URI under names of their own, have their rows counted, and are dropped again; all else\n"
        "goes into a scratch folder below DIR (else $TMPDIR or /var/tmp), which is removed. The journal records\n"
        "the result, whether it passed or not, with ROLE as who had it done. A drill that fails exits with 21.\n",
    .accepts = OPTION_BIT(OPTION_KEY) | OPTION_BIT(OPTION_PASSPHRASE_FILE) | OPTION_BIT(OPTION_TO) |
               OPTION_BIT(OPTION_TO_POSTGRES) | OPTION_BIT(OPTION_BIN_DIR) | OPTION_BIT(OPTION_OWNER),
    .least = 1,
    .most = 2,
    .run = run_drill,
};
