#include "config_buckets_internal.h"
#include "config_internal.h"
#include "invocation_internal.h"
#include <muniment/run/bucket.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who is told, and about what. */
struct inspection {
    struct invocation *invocation;
    const char *use; /* "repository of set 'app'" */
    const char *address;
    size_t problems;
};

static void report(struct inspection *inspection, enum lint_severity severity, const char *text) {
    struct invocation *invocation = inspection->invocation;
    char *what = mem_format("%s (%s)", inspection->use, inspection->address);
    config_tell(invocation->log, severity, what, text);
    free(what);
    inspection->problems += severity == LINT_ERROR;
    json_begin(invocation->output, "bucket_finding");
    json_text(invocation->output, "use", inspection->use);
    json_text(invocation->output, "address", inspection->address);
    json_text(invocation->output, "severity", lint_severity_text(severity));
    json_text(invocation->output, "message", text);
    json_end(invocation->output);
}

/* What cannot be asked now may be fine: no network, a key that may not. What was asked and is wrong is not. */
static void report_unasked(struct inspection *inspection, const struct err *err) {
    bool wrong =
        err->code == ERR_INVALID || err->code == ERR_KEY || err->code == ERR_NOT_FOUND || err->code == ERR_NO_BUCKET;
    char *text = mem_format("%s%s%s%s", wrong ? "" : "could not be asked: ", err->message,
                            err->hint[0] != '\0' ? "; " : "", err->hint);
    report(inspection, wrong ? LINT_ERROR : LINT_WARNING, text);
    free(text);
}

static void report_bucket(struct inspection *inspection, const struct s3_bucket *bucket) {
    static const char *const VERSIONING[] = {
        [S3_VERSIONING_OFF] = "off",
        [S3_VERSIONING_ON] = "on",
        [S3_VERSIONING_SUSPENDED] = "suspended",
        [S3_VERSIONING_UNKNOWN] = "unknown",
    };
    struct output *output = inspection->invocation->output;
    char text[FORM_TEXT] = "none";
    if (bucket->default_mode != S3_LOCK_NONE)
        snprintf(text, sizeof text, "%s for %lld days", CONFIG_LOCKS[bucket->default_mode],
                 (long long)bucket->default_days);
    output_text(output, "%s (%s): versioning %s, object lock %s, default retention %s, %s\n", inspection->use,
                inspection->address, VERSIONING[bucket->versioning],
                bucket->locks         ? "on"
                : bucket->locks_known ? "off"
                                      : "unknown",
                text,
                bucket->rules_known ? form_count((char[FORM_TEXT]){ 0 }, bucket->rule_count, "lifecycle rule")
                                    : "lifecycle rules unknown");
    json_begin(output, "bucket");
    json_text(output, "use", inspection->use);
    json_text(output, "address", inspection->address);
    json_text(output, "versioning", VERSIONING[bucket->versioning]);
    json_flag(output, "object_lock", bucket->locks);
    json_flag(output, "object_lock_known", bucket->locks_known);
    json_text(output, "default_retention", CONFIG_LOCKS[bucket->default_mode]);
    json_count(output, "default_retention_days", (uint64_t)bucket->default_days);
    json_flag(output, "rules_known", bucket->rules_known);
    json_list(output, "rules");
    for (size_t i = 0; i < bucket->rule_count; i++) {
        json_group(output, NULL);
        json_text(output, "prefix", bucket->rules[i].prefix);
        json_count(output, "expire_days", (uint64_t)bucket->rules[i].expire);
        json_count(output, "expire_hidden_days", (uint64_t)bucket->rules[i].expire_hidden);
        json_count(output, "abort_uploads_days", (uint64_t)bucket->rules[i].abort_uploads);
        json_group_end(output);
    }
    json_list_end(output);
    json_end(output);
}

/* Asks one bucket and holds it against the sets that use it as a store; a source's bucket must only be there. */
static void inspect(struct inspection *inspection, const struct settings *settings, const struct set_settings *sets,
                    size_t set_count, enum s3_lock_mode lock) {
    struct s3_bucket bucket = { 0 };
    struct s3_place place = { 0 };
    struct err err = { 0 };
    if (!s3_is_address(inspection->address) || interrupt_requested())
        return;
    if (s3_place_parse(inspection->address, &settings->services, &place, &err) != 0 ||
        bucket_describe(inspection->address, &settings->services, inspection->invocation->log, &bucket, &err) != 0) {
        report_unasked(inspection, &err);
    } else {
        report_bucket(inspection, &bucket);
        for (size_t i = 0; i < set_count; i++) {
            const struct bucket_use use = { &sets[i], lock, place.prefix };
            struct lint lint = { 0 };
            bucket_judge(&bucket, &use, &lint);
            for (size_t j = 0; j < lint.count; j++)
                report(inspection, lint.findings[j].severity, lint.findings[j].text);
            lint_release(&lint);
        }
    }
    s3_bucket_release(&bucket);
    s3_place_release(&place);
}

static size_t inspect_set(struct invocation *invocation, const struct set_settings *set) {
    const struct settings *settings = &invocation->settings;
    size_t problems = 0;
    for (size_t i = 0; i < set->mirror_count; i++) {
        char *use = mem_format("mirror '%s' of set '%s'", set->mirrors[i].name, set->name);
        struct inspection inspection = { invocation, use, set->mirrors[i].path, 0 };
        inspect(&inspection, settings, set, 1, set->mirrors[i].lock);
        problems += inspection.problems;
        free(use);
    }
    for (size_t i = 0; i < set->source_count; i++) {
        const struct source *source = &set->sources[i];
        char *use = mem_format("source '%s' of set '%s'", source->name, set->name);
        for (size_t j = 0; j < source->bucket.places.count; j++) {
            struct inspection inspection = { invocation, use, source->bucket.places.items[j], 0 };
            inspect(&inspection, settings, NULL, 0, S3_LOCK_NONE);
            problems += inspection.problems;
        }
        free(use);
    }
    return problems;
}

size_t config_inspect_buckets(struct invocation *invocation) {
    const struct settings *settings = &invocation->settings;
    struct inspection inspection = { invocation, "repository", settings->repository, 0 };
    inspect(&inspection, settings, settings->sets, settings->set_count, settings->repository_lock);
    size_t problems = inspection.problems;
    for (size_t i = 0; i < settings->set_count; i++)
        problems += inspect_set(invocation, &settings->sets[i]);
    return problems;
}
