#include "config_internal.h"

static void put_quoted(struct buffer *out, const char *value) {
    buffer_put_u8(out, '"');
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            buffer_printf(out, "\\%c", *at);
        else if ((unsigned char)*at < 0x20)
            buffer_printf(out, "\\x%02x", (unsigned char)*at);
        else
            buffer_put(out, at, 1);
    }
    buffer_put_u8(out, '"');
}

static void show_text(struct buffer *out, const char *indent, const char *name, const char *value) {
    buffer_printf(out, "%s%s = ", indent, name);
    put_quoted(out, value);
    buffer_printf(out, ";\n");
}

static void show_strings(struct buffer *out, const char *indent, const char *name, const struct strings *strings) {
    buffer_printf(out, "%s%s = [", indent, name);
    for (size_t i = 0; i < strings->count; i++) {
        buffer_printf(out, i == 0 ? " " : ", ");
        put_quoted(out, strings->items[i]);
    }
    buffer_printf(out, strings->count > 0 ? " ];\n" : "];\n");
}

static void show_flag(struct buffer *out, const char *indent, const char *name, bool value) {
    buffer_printf(out, "%s%s = %s;\n", indent, name, value ? "true" : "false");
}

/* In the largest unit that divides it, so that what is shown can be read back. */
static void show_span(struct buffer *out, const char *indent, const char *name, int64_t seconds) {
    static const struct {
        int64_t length;
        char letter;
    } UNITS[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        if (seconds % UNITS[i].length == 0) {
            buffer_printf(out, "%s%s = \"%lld%c\";\n", indent, name, (long long)(seconds / UNITS[i].length),
                          UNITS[i].letter);
            return;
        }
    }
}

static void show_rate(struct buffer *out, const char *indent, const char *name, uint64_t rate) {
    static const char UNITS[] = "KMG";
    unsigned unit = 0;
    while (unit < 3 && rate % 1024 == 0)
        rate /= 1024, unit++;
    buffer_printf(out, "%s%s = \"%llu%.*s\";\n", indent, name, (unsigned long long)rate, unit > 0 ? 1 : 0,
                  unit > 0 ? &UNITS[unit - 1] : "");
}

/* Where its secrets are, never what they are. */
static void show_service(struct buffer *out, const struct s3_service *service) {
    char region[64];
    buffer_printf(out, "  {\n");
    show_text(out, "    ", "name", service->name);
    show_text(out, "    ", "endpoint", service->endpoint);
    show_text(out, "    ", "region", s3_service_region(service, region));
    if (service->credentials != NULL)
        show_text(out, "    ", "credentials", service->credentials);
    if (service->profile != NULL)
        show_text(out, "    ", "profile", service->profile);
    if (service->ca_file != NULL)
        show_text(out, "    ", "ca_file", service->ca_file);
    show_text(out, "    ", "signature", CONFIG_SIGNATURES[service->signature]);
    show_text(out, "    ", "addressing", CONFIG_ADDRESSINGS[service->addressing]);
    show_flag(out, "    ", "plain_http", service->plain_http);
    buffer_printf(out, "    connections = %u;\n", service->connections > 0 ? service->connections : S3_CONNECTIONS);
    show_span(out, "    ", "retry_for", service->retry_for > 0 ? service->retry_for : S3_RETRY_TIME);
    if (service->upload_limit > 0)
        show_rate(out, "    ", "upload_limit", service->upload_limit);
    if (service->download_limit > 0)
        show_rate(out, "    ", "download_limit", service->download_limit);
    buffer_printf(out, "  }");
}

/* Those of the file: one without a name stands for options of the command line. */
static void show_services(struct buffer *out, const struct s3_services *services) {
    const char *separator = "services = (\n";
    for (size_t i = 0; i < services->count; i++) {
        if (services->items[i].name == NULL)
            continue;
        buffer_printf(out, "%s", separator);
        show_service(out, &services->items[i]);
        separator = ",\n";
    }
    if (separator[0] == ',')
        buffer_printf(out, "\n);\n");
}

static void show_policy(struct buffer *out, const struct policy *policy) {
    buffer_printf(out, "    retention = {\n      daily = %u;\n      weekly = %u;\n", policy->daily, policy->weekly);
    buffer_printf(out, "      monthly = %u;\n      yearly = %u;\n", policy->monthly, policy->yearly);
    if (policy->max_age > 0)
        show_span(out, "      ", "max_age", policy->max_age);
    show_text(out, "      ", "timezone", policy->timezone);
    show_span(out, "      ", "purge_within", policy->purge_within);
    show_span(out, "      ", "interval", policy->interval);
    show_flag(out, "      ", "strict", policy->strict);
    buffer_printf(out, "    };\n");
}

static void show_source(struct buffer *out, const struct source *source) {
    const char *indent = "        ";
    buffer_printf(out, "      {\n");
    show_text(out, indent, "name", source->name);
    show_text(out, indent, "kind", source->kind->name);
    if (source->kind == &SOURCE_POSTGRES) {
        show_text(out, indent, "uri", source->postgres.uri);
        show_strings(out, indent, "databases", &source->postgres.databases);
        show_strings(out, indent, "exclude", &source->postgres.exclude);
        show_flag(out, indent, "globals", source->postgres.globals);
        show_flag(out, indent, "role_passwords", source->postgres.role_passwords);
        show_flag(out, indent, "count_rows", source->postgres.count_rows);
        if (source->postgres.bin_dir != NULL)
            show_text(out, indent, "bin_dir", source->postgres.bin_dir);
        show_span(out, indent, "lock_timeout", source->postgres.lock_timeout);
        show_strings(out, indent, "options", &source->postgres.options);
    } else if (source->kind == &SOURCE_FILES) {
        show_strings(out, indent, "paths", &source->files.paths);
        show_strings(out, indent, "exclude", &source->files.exclude);
        show_strings(out, indent, "may_change", &source->files.may_change);
        show_flag(out, indent, "one_file_system", source->files.one_file_system);
        show_flag(out, indent, "exclude_caches", source->files.exclude_caches);
    } else if (source->kind == &SOURCE_BUCKET) {
        show_strings(out, indent, "buckets", &source->bucket.places);
        show_strings(out, indent, "include", &source->bucket.include);
        show_strings(out, indent, "exclude", &source->bucket.exclude);
        show_flag(out, indent, "tags", source->bucket.tags);
    } else {
        show_strings(out, indent, "command", &source->command.arguments);
        show_text(out, indent, "output", source->command.output);
    }
    buffer_printf(out, "      }");
}

static void show_mirror(struct buffer *out, const struct mirror_settings *mirror) {
    buffer_printf(out, "      {\n");
    show_text(out, "        ", "name", mirror->name);
    show_text(out, "        ", "path", mirror->path);
    if (mirror->lock != S3_LOCK_NONE)
        show_text(out, "        ", "lock", CONFIG_LOCKS[mirror->lock]);
    show_text(out, "        ", "schedule", CONFIG_SCHEDULES[mirror->schedule]);
    buffer_printf(out, "        verify_percent = %u;\n      }", mirror->verify_percent);
}

static void show_set(struct buffer *out, const struct set_settings *set) {
    buffer_printf(out, "  {\n");
    show_text(out, "    ", "name", set->name);
    show_text(out, "    ", "write_key", set->write_key);
    if (set->read_key != NULL)
        show_text(out, "    ", "read_key", set->read_key);
    if (set->compression > 0)
        buffer_printf(out, "    compression = %d;\n", set->compression);
    show_span(out, "    ", "session_length", set->session_length);
    buffer_printf(out, "    check_percent = %u;\n", set->check_percent);
    show_span(out, "    ", "journal_keep", set->journal_keep);
    if (set->erasure_promise > 0)
        show_span(out, "    ", "erasure_promise", set->erasure_promise);
    if (set->after_restore.count > 0)
        show_strings(out, "    ", "after_restore", &set->after_restore);
    show_policy(out, &set->policy);

    buffer_printf(out, "    sources = (\n");
    for (size_t i = 0; i < set->source_count; i++) {
        show_source(out, &set->sources[i]);
        buffer_printf(out, i + 1 < set->source_count ? ",\n" : "\n");
    }
    buffer_printf(out, "    );\n    mirrors = (\n");
    for (size_t i = 0; i < set->mirror_count; i++) {
        show_mirror(out, &set->mirrors[i]);
        buffer_printf(out, i + 1 < set->mirror_count ? ",\n" : "\n");
    }
    buffer_printf(out, "    );\n  }");
}

void configuration_show(const struct settings *settings, struct buffer *out) {
    show_services(out, &settings->services);
    show_text(out, "", "repository", settings->repository);
    if (settings->repository_lock != S3_LOCK_NONE)
        show_text(out, "", "repository_lock", CONFIG_LOCKS[settings->repository_lock]);
    show_text(out, "", "state", settings->state);
    buffer_printf(out, "sets = (\n");
    for (size_t i = 0; i < settings->set_count; i++) {
        show_set(out, &settings->sets[i]);
        buffer_printf(out, i + 1 < settings->set_count ? ",\n" : "\n");
    }
    buffer_printf(out, ");\n");
}
