#include "verb_internal.h"
#include <muniment/repo/journal.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/hex.h>
#include <stdlib.h>

enum { WITNESS_FILE_MAX = 256 * 1024 * 1024 };

static int refuse_findings(const struct opened_set *set, uint64_t count, const char *hint, struct err *err) {
    char findings[FORM_TEXT];
    err_set(err, ERR_CORRUPT, "the journal in '%s' has %s", store_label(set->store),
            form_count(findings, count, "finding"));
    return err_hint(err, "%s", hint);
}

/* --- show --------------------------------------------------------------------------------------------------------- */

struct showing {
    struct invocation *invocation;
    uint64_t events;
};

static int print_event(void *context, const char *segment, const struct journal_entry *entry, struct err *err) {
    struct showing *showing = context;
    struct output *output = showing->invocation->output;
    char when[CLOCK_TEXT];
    (void)err;
    output_text(output, "%s  %-12s", clock_format(when, entry->time), entry->event);
    for (size_t i = 0; entry->fields[i] != NULL; i += 2) {
        char *value = form_name(entry->fields[i + 1]);
        output_text(output, "  %s=%s", entry->fields[i], value);
        free(value);
    }
    output_text(output, "\n");

    json_begin(output, "event");
    json_text(output, "segment", segment);
    json_time(output, "time", entry->time);
    json_text(output, "event", entry->event);
    json_group(output, "fields");
    for (size_t i = 0; entry->fields[i] != NULL; i += 2)
        json_text(output, entry->fields[i], entry->fields[i + 1]);
    json_group_end(output);
    json_end(output);
    showing->events++;
    return 0;
}

static int journal_show(struct invocation *invocation, struct opened_set *set, struct err *err) {
    struct showing showing = { .invocation = invocation };
    if (journal_walk(&set->repo, print_event, &showing, err) != 0)
        return -1;
    log_info(invocation->log, "%llu events; every segment is signed, certified and in its chain",
             (unsigned long long)showing.events);
    return 0;
}

/* --- verify ------------------------------------------------------------------------------------------------------- */

struct verifying {
    struct invocation *invocation;
    uint64_t findings, witnesses;
};

static void print_finding(void *context, const char *segment, const char *text) {
    struct verifying *verifying = context;
    struct output *output = verifying->invocation->output;
    output_text(output, "%s: %s\n", segment, text);
    json_begin(output, "finding");
    json_text(output, "segment", segment);
    json_text(output, "text", text);
    json_end(output);
    verifying->findings++;
}

static int check_witness_file(struct verifying *verifying, struct opened_set *set, const char *path, struct err *err) {
    struct buffer text = { 0 };
    int result = file_read(path, WITNESS_FILE_MAX, &text, err);
    if (result == 0)
        result = journal_check_witnesses(&set->repo, text.data, text.length, print_finding, verifying,
                                         &verifying->witnesses, err);
    if (result == 0 && verifying->witnesses == 0 && verifying->findings == 0) {
        result = err_set(err, ERR_INVALID, "'%s' holds no witness of this set's journal", path);
        err_hint(err, "a report does, and what 'muniment journal head' prints");
    }
    buffer_release(&text);
    return result;
}

static void report_chains(struct output *output, const struct journal_survey *survey) {
    for (size_t i = 0; i < survey->count; i++) {
        const struct journal_chain *chain = &survey->chains[i];
        char from[CLOCK_TEXT], until[CLOCK_TEXT];
        output_text(output, "host %s: segments %llu to %llu, %llu events, %s to %s\n", chain->host,
                    (unsigned long long)chain->first, (unsigned long long)chain->last,
                    (unsigned long long)chain->events, clock_format(from, chain->from),
                    clock_format(until, chain->until));
        json_begin(output, "chain");
        json_text(output, "host", chain->host);
        json_count(output, "first", chain->first);
        json_count(output, "last", chain->last);
        json_count(output, "events", chain->events);
        json_time(output, "from", chain->from);
        json_time(output, "until", chain->until);
        json_end(output);
    }
}

static void report(const struct verifying *verifying, const struct opened_set *set,
                   const struct journal_survey *survey) {
    struct output *output = verifying->invocation->output;
    char segments[FORM_TEXT], events[FORM_TEXT], chains[FORM_TEXT], witnesses[FORM_TEXT], findings[FORM_TEXT];
    report_chains(output, survey);
    output_text(output, "%s in %s: %s, %s, %s", set_title(set), store_label(set->store),
                form_count(segments, survey->segments, "segment"), form_count(events, survey->events, "event"),
                form_count(chains, survey->count, "chain"));
    if (verifying->witnesses > 0)
        output_text(output, ", held against %s", form_count(witnesses, verifying->witnesses, "token"));
    output_text(output, ": %s\n",
                verifying->findings == 0 ? "whole" : form_count(findings, verifying->findings, "finding"));
    json_begin(output, "journal");
    json_text(output, "set", set_title(set));
    json_text(output, "store", store_label(set->store));
    json_count(output, "segments", survey->segments);
    json_count(output, "events", survey->events);
    json_count(output, "chains", survey->count);
    json_count(output, "witnesses", verifying->witnesses);
    json_count(output, "findings", verifying->findings);
    json_end(output);
}

static int journal_verify(struct invocation *invocation, struct opened_set *set, struct err *err) {
    struct verifying verifying = { .invocation = invocation };
    const char *witness = option_text(&invocation->options, OPTION_WITNESS);
    struct journal_survey survey;
    set->repo.cache = NULL; /* what is in the store now, not what was read from it before */
    if (journal_look(&set->repo, NULL, print_finding, &verifying, &survey, err) != 0)
        return -1;
    int result = witness != NULL ? check_witness_file(&verifying, set, witness, err) : 0;
    if (result == 0)
        report(&verifying, set, &survey);
    if (result == 0 && verifying.findings > 0)
        result =
            refuse_findings(set, verifying.findings,
                            "compare it with those of the mirrors: 'muniment journal verify --mirror NAME SET'", err);
    journal_survey_release(&survey);
    return result;
}

/* --- head --------------------------------------------------------------------------------------------------------- */

/* What is not whole is no witness. */
static int journal_head(struct invocation *invocation, struct opened_set *set, struct err *err) {
    struct journal_survey survey;
    struct output *output = invocation->output;
    int result = 0;
    if (journal_look(&set->repo, NULL, NULL, NULL, &survey, err) != 0)
        return -1;
    if (survey.findings > 0)
        result = refuse_findings(set, survey.findings, "'muniment journal verify' lists them", err);
    for (size_t i = 0; i < survey.count && result == 0; i++) {
        const struct journal_chain *chain = &survey.chains[i];
        char token[JOURNAL_WITNESS], hash[65];
        output_text(output, "%s\n", journal_witness(set->keys, chain, token));
        json_begin(output, "journal_head");
        json_text(output, "set", set_title(set));
        json_text(output, "host", chain->host);
        json_count(output, "number", chain->last);
        json_text(output, "hash", hex_encode(hash, chain->hash, sizeof chain->hash));
        json_text(output, "witness", token);
        json_end(output);
    }
    journal_survey_release(&survey);
    return result;
}

/* ------------------------------------------------------------------------------------------------------------------ */

static const struct verb VERBS[] = {
    { "show", 1, 2, "a set", OPEN_TO_VERIFY, false, NULL, journal_show },
    { "verify", 2, 2, "a set", OPEN_TO_VERIFY, false, NULL, journal_verify },
    { "head", 2, 2, "a set", OPEN_TO_VERIFY, false, NULL, journal_head },
    { 0 },
};

/* A single word is a set, whatever it is called. */
static int run_journal(struct invocation *invocation, struct err *err) {
    const struct verb *verb = invocation->word_count == 1 ? &VERBS[0] : verb_find(invocation, VERBS, err);
    if (verb == NULL)
        return -1;
    if (option_given(&invocation->options, OPTION_WITNESS) && verb->run != journal_verify)
        return err_set(err, ERR_INVALID, "--witness is for 'journal verify'");
    return verb_run(invocation, verb, invocation->words[invocation->word_count - 1], err);
}

const struct command COMMAND_JOURNAL = {
    .name = "journal",
    .arguments = "[show|verify|head] SET [--witness FILE] [--mirror NAME | --from STORE]\n"
                 "    [--public-key FILE | --key FILE]",
    .summary = "print the journal of what was kept, destroyed and read, or verify it",
    .help =
        "  show SET      every event, by host, each host's in order; refuses a journal that is not whole\n"
        "  verify SET    whatever is wrong with it, a line each: segments that were changed, are missing, doubled or\n"
        "                signed by nobody who may. With --witness, which may be a report or any other file with\n"
        "                the tokens that 'head' prints, also a tail that was cut since\n"
        "  head SET      a token for the newest segment of each host, to be kept elsewhere as a witness\n"
        "Takes the write key, or with --public-key only what 'muniment key public' prints. A journal that is not\n"
        "whole exits with 20.\n",
    .accepts = OPTIONS_OF_ANY_READING | OPTION_BIT(OPTION_MIRROR) | OPTION_BIT(OPTION_AS_OF) |
               OPTION_BIT(OPTION_PUBLIC_KEY) | OPTION_BIT(OPTION_WITNESS),
    .least = 1,
    .most = 2,
    .run = run_journal,
};
