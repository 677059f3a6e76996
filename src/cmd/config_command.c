#include "config_buckets_internal.h"
#include "invocation_internal.h"
#include <muniment/run/lint.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdlib.h>
#include <string.h>

void config_tell(struct log *log, enum lint_severity severity, const char *what, const char *text) {
    if (severity == LINT_ERROR)
        log_error(log, "%s: %s", what, text);
    else if (severity == LINT_WARNING)
        log_warning(log, "%s: %s", what, text);
    else
        log_info(log, "%s: %s", what, text);
}

/* What a set comes to that its author may not have meant. Returns how many errors there are. */
static size_t lint_and_tell(struct invocation *invocation, const struct set_settings *set) {
    struct lint lint = { 0 };
    char *what = mem_format("set '%s'", set->name);
    lint_set(&invocation->settings, set, &lint);
    for (size_t i = 0; i < lint.count; i++) {
        const struct lint_finding *finding = &lint.findings[i];
        config_tell(invocation->log, finding->severity, what, finding->text);
        json_begin(invocation->output, "set_finding");
        json_text(invocation->output, "set", set->name);
        json_text(invocation->output, "severity", lint_severity_text(finding->severity));
        json_text(invocation->output, "message", finding->text);
        json_end(invocation->output);
    }
    size_t errors = lint.errors;
    free(what);
    lint_release(&lint);
    return errors;
}

static int check_configuration(struct invocation *invocation, struct err *err) {
    const struct settings *settings = &invocation->settings;
    size_t sources = 0, mirrors = 0, problems = 0;
    for (size_t i = 0; i < settings->set_count; i++) {
        sources += settings->sets[i].source_count;
        mirrors += settings->sets[i].mirror_count;
        problems += lint_and_tell(invocation, &settings->sets[i]);
    }
    if (!option_given(&invocation->options, OPTION_OFFLINE))
        problems += config_inspect_buckets(invocation);
    if (interrupt_check(err) != 0)
        return -1;
    if (problems > 0) {
        char text[FORM_TEXT];
        return err_set(err, ERR_INVALID, "'%s' contradicts itself or its buckets: %s", settings->file,
                       form_count(text, problems, "problem"));
    }
    output_text(invocation->output, "%s is good: %zu set%s, %zu source%s, %zu mirror%s\n", settings->file,
                settings->set_count, settings->set_count == 1 ? "" : "s", sources, sources == 1 ? "" : "s", mirrors,
                mirrors == 1 ? "" : "s");
    json_begin(invocation->output, "configuration");
    json_text(invocation->output, "file", settings->file);
    json_text(invocation->output, "repository", settings->repository);
    json_text(invocation->output, "state", settings->state);
    json_list(invocation->output, "sets");
    for (size_t i = 0; i < settings->set_count; i++)
        json_text(invocation->output, NULL, settings->sets[i].name);
    json_list_end(invocation->output);
    json_count(invocation->output, "sources", sources);
    json_count(invocation->output, "mirrors", mirrors);
    json_end(invocation->output);
    return 0;
}

static void show_configuration(struct invocation *invocation) {
    struct buffer text = { 0 };
    configuration_show(&invocation->settings, &text);
    output_text(invocation->output, "%s", buffer_text(&text));
    json_begin(invocation->output, "configuration_text");
    json_text(invocation->output, "file", invocation->settings.file);
    json_text(invocation->output, "text", buffer_text(&text));
    json_end(invocation->output);
    buffer_release(&text);
}

static int run_config(struct invocation *invocation, struct err *err) {
    const char *verb = invocation->words[0];
    if (strcmp(verb, "check") != 0 && strcmp(verb, "show") != 0) {
        err_set(err, ERR_INVALID, "'config' knows 'check' and 'show', not '%s'", verb);
        return -1;
    }
    if (invocation_settings(invocation, err) != 0)
        return -1;
    if (strcmp(verb, "check") == 0)
        return check_configuration(invocation, err);
    if (option_given(&invocation->options, OPTION_OFFLINE))
        return err_set(err, ERR_INVALID, "'config show' asks nobody: --offline is of no use with it");
    show_configuration(invocation);
    return 0;
}

const struct command COMMAND_CONFIG = {
    .name = "config",
    .arguments = "check [--offline] | show",
    .summary = "check the configuration, or show what is in force",
    .help = "'check' names every problem with file and line (exit status 2) and warns of policies that do not reach\n"
            "as far as they seem to. It asks the buckets too, unless --offline: a lock, a default retention or a\n"
            "lifecycle rule that contradicts a policy is a problem. 'show' prints every setting, defaults included.\n",
    .accepts = OPTION_BIT(OPTION_OFFLINE),
    .least = 1,
    .most = 1,
    .run = run_config,
};
