#include "config_internal.h"
#include <errno.h>
#include <muniment/repo/session.h>
#include <muniment/run/place.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CENTURY (INT64_C(36525) * DAY)

static const struct field TOP_FIELDS[] = {
    MAY("repository", FIELD_STORE, settings, repository),
    CHOICE("repository_lock", settings, repository_lock, CONFIG_LOCKS),
    ELSEWHERE("services", false),
    MAY("state", FIELD_PATH, settings, state),
    ELSEWHERE("sets", true),
};

static const struct field SET_FIELDS[] = {
    MUST("name", FIELD_NAME, set_settings, name),
    MUST("write_key", FIELD_KEY, set_settings, write_key),
    MAY("read_key", FIELD_KEY, set_settings, read_key),
    ELSEWHERE("retention", false),
    ELSEWHERE("sources", true),
    ELSEWHERE("mirrors", false),
    BETWEEN("compression", FIELD_NUMBER, set_settings, compression, 1, 19),
    BETWEEN("session_length", FIELD_SPAN, set_settings, session_length, HOUR, 7 * DAY),
    BETWEEN("check_percent", FIELD_PERCENT, set_settings, check_percent, 0, 100),
    BETWEEN("journal_keep", FIELD_SPAN, set_settings, journal_keep, 31 * DAY, CENTURY),
    BETWEEN("erasure_promise", FIELD_SPAN, set_settings, erasure_promise, DAY, CENTURY),
    MAY("after_restore", FIELD_STRINGS, set_settings, after_restore),
};

static const struct field RETENTION_FIELDS[] = {
    BETWEEN("daily", FIELD_COUNT, policy, daily, 0, 36525),
    BETWEEN("weekly", FIELD_COUNT, policy, weekly, 0, 5218),
    BETWEEN("monthly", FIELD_COUNT, policy, monthly, 0, 1200),
    BETWEEN("yearly", FIELD_COUNT, policy, yearly, 0, 100),
    BETWEEN("max_age", FIELD_SPAN, policy, max_age, DAY, CENTURY),
    MAY("timezone", FIELD_TIMEZONE, policy, timezone),
    BETWEEN("purge_within", FIELD_SPAN, policy, purge_within, 0, CENTURY),
    BETWEEN("interval", FIELD_SPAN, policy, interval, HOUR, 31 * DAY),
    MAY("strict", FIELD_FLAG, policy, strict),
};

static const struct field MIRROR_FIELDS[] = {
    MUST("name", FIELD_NAME, mirror_settings, name),
    MUST("path", FIELD_STORE, mirror_settings, path),
    CHOICE("lock", mirror_settings, lock, CONFIG_LOCKS),
    CHOICE("schedule", mirror_settings, schedule, CONFIG_SCHEDULES),
    BETWEEN("verify_percent", FIELD_PERCENT, mirror_settings, verify_percent, 0, 100),
};

/* What every source has begins each of the tables below. */
#define SOURCE_FIELDS MUST("name", FIELD_NAME, source, name), ELSEWHERE("kind", true)

static const struct field POSTGRES_FIELDS[] = {
    SOURCE_FIELDS,
    MUST("uri", FIELD_TEXT, source, postgres.uri),
    MAY("databases", FIELD_STRINGS, source, postgres.databases),
    MAY("exclude", FIELD_STRINGS, source, postgres.exclude),
    MAY("globals", FIELD_FLAG, source, postgres.globals),
    MAY("role_passwords", FIELD_FLAG, source, postgres.role_passwords),
    MAY("count_rows", FIELD_FLAG, source, postgres.count_rows),
    MAY("bin_dir", FIELD_TOOLS, source, postgres.bin_dir),
    BETWEEN("lock_timeout", FIELD_SPAN, source, postgres.lock_timeout, 1, DAY),
    MAY("options", FIELD_STRINGS, source, postgres.options),
};

static const struct field FILES_FIELDS[] = {
    SOURCE_FIELDS,
    MUST("paths", FIELD_PATHS, source, files.paths),
    MAY("exclude", FIELD_STRINGS, source, files.exclude),
    MAY("may_change", FIELD_STRINGS, source, files.may_change),
    MAY("one_file_system", FIELD_FLAG, source, files.one_file_system),
    MAY("exclude_caches", FIELD_FLAG, source, files.exclude_caches),
};

static const struct field COMMAND_FIELDS[] = {
    SOURCE_FIELDS,
    MUST("command", FIELD_STRINGS, source, command.arguments),
    MAY("output", FIELD_TEXT, source, command.output),
};

static const struct field BUCKET_FIELDS[] = {
    SOURCE_FIELDS,
    MUST("buckets", FIELD_ADDRESSES, source, bucket.places),
    MAY("include", FIELD_STRINGS, source, bucket.include),
    MAY("exclude", FIELD_STRINGS, source, bucket.exclude),
    MAY("tags", FIELD_FLAG, source, bucket.tags),
};

static const struct kind_fields {
    const char *kind;
    const struct field *fields;
    size_t count;
} KINDS[] = {
    { "postgres", POSTGRES_FIELDS, COUNT(POSTGRES_FIELDS) },
    { "files", FILES_FIELDS, COUNT(FILES_FIELDS) },
    { "command", COMMAND_FIELDS, COUNT(COMMAND_FIELDS) },
    { "s3", BUCKET_FIELDS, COUNT(BUCKET_FIELDS) },
};

char *config_group_title(const config_setting_t *group, const char *kind) {
    const char *name = NULL;
    if (config_setting_lookup_string(group, "name", &name))
        return mem_format("%s '%s'", kind, name);
    return mem_format("a %s", kind);
}

/* --- sources ------------------------------------------------------------------------------------------------------ */

/* A password in a connection string would be seen in the file, in backups of it and in process lists. */
static bool uri_has_password(const char *uri) {
    if (strstr(uri, "password=") != NULL || strstr(uri, "password =") != NULL)
        return true;
    const char *host = strstr(uri, "://");
    if (host == NULL)
        return false;
    host += 3;
    size_t authority = strcspn(host, "/?");
    const char *at = memchr(host, '@', authority);
    return at != NULL && memchr(host, ':', (size_t)(at - host)) != NULL;
}

/* True when no object of a store at this address is captured by the source. */
static bool leaves_out(const struct source *source, const char *store, const struct s3_services *services) {
    struct s3_place place = { 0 };
    if (s3_place_parse(store, services, &place, NULL) != 0)
        return false;
    char *key = mem_format("%sset/packs/pack", place.prefix);
    const struct strings *include = &source->bucket.include, *exclude = &source->bucket.exclude;
    bool left_out = (include->count > 0 && !pattern_match_any(include->items, include->count, key)) ||
                    pattern_match_any(exclude->items, exclude->count, key);
    free(key);
    s3_place_release(&place);
    return left_out;
}

/* A source that holds the repository would be captured into itself, every night more of it. */
static void check_source(struct config_reader *reader, const config_setting_t *group, const struct source *source,
                         const char *store) {
    for (size_t i = 0; store != NULL && i < source->bucket.places.count; i++) {
        const char *place = source->bucket.places.items[i];
        if (stores_overlap(place, store, reader->services) && !leaves_out(source, store, reader->services))
            config_problem(reader, group, "source '%s': '%s' holds the store '%s'; add it to 'exclude'", source->name,
                           place, store);
    }
    for (size_t i = 0; store != NULL && i < source->files.paths.count; i++) {
        const char *path = source->files.paths.items[i];
        size_t length = strlen(path);
        while (length > 0 && path[length - 1] == '/')
            length--;
        bool inside = strncmp(store, path, length) == 0 && (store[length] == '/' || store[length] == '\0');
        if (inside && !pattern_match_any(source->files.exclude.items, source->files.exclude.count, store))
            config_problem(reader, group, "source '%s': '%s' holds the store '%s'; add it to 'exclude'", source->name,
                           path, store);
    }
}

static void read_source(struct config_reader *reader, const config_setting_t *group, struct source *source) {
    source->postgres.globals = true;
    source->postgres.role_passwords = true;
    source->postgres.count_rows = true;
    source->postgres.lock_timeout = 600;
    source->bucket.tags = true;
    source->bucket.services = reader->services;

    const config_setting_t *kind_setting = config_setting_get_member(group, "kind");
    const char *kind = kind_setting != NULL ? config_setting_get_string(kind_setting) : NULL;
    const struct kind_fields *found = NULL;
    const char *kinds[COUNT(KINDS)];
    for (size_t i = 0; i < COUNT(KINDS); i++) {
        kinds[i] = KINDS[i].kind;
        if (kind != NULL && strcmp(kind, KINDS[i].kind) == 0)
            found = &KINDS[i];
    }
    if (found == NULL && kind != NULL) {
        const char *nearest = pattern_nearest(kind, kinds, COUNT(KINDS));
        config_problem(reader, kind_setting, "'kind' is \"%s\": %s%s%s", kind,
                       nearest != NULL ? "did you mean \"" : "it must be \"postgres\", \"files\", \"command\" or \"s3",
                       nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "\"");
        return;
    }
    if (found == NULL) {
        config_problem(reader, group, "a source needs a 'kind': \"postgres\", \"files\", \"command\" or \"s3\"");
        return;
    }

    char *title = config_group_title(group, "source");
    config_read_fields(reader, group, title, found->fields, found->count, source);
    source->kind = source_kind_find(found->kind);

    if (source->kind == &SOURCE_POSTGRES && source->postgres.uri != NULL && uri_has_password(source->postgres.uri))
        config_problem(reader, config_setting_get_member(group, "uri"),
                       "'uri' holds a password: put it into a service or password file of PostgreSQL");
    if (source->kind == &SOURCE_FILES && config_setting_get_member(group, "paths") != NULL &&
        source->files.paths.count == 0)
        config_problem(reader, group, "%s has no usable path", title);
    if (source->kind == &SOURCE_COMMAND && config_setting_get_member(group, "command") != NULL &&
        source->command.arguments.count == 0)
        config_problem(reader, group, "%s has no usable command", title);
    if (source->kind == &SOURCE_COMMAND && source->command.output == NULL)
        source->command.output = mem_string("output");
    if (source->command.output != NULL && !entry_path_is_valid(ENTRY_STREAM, source->command.output))
        config_problem(reader, group, "%s: 'output' must be a relative path without '..'", title);
    free(title);
}

static void read_sources(struct config_reader *reader, const config_setting_t *group, struct set_settings *set) {
    set->source_count = config_list_length(reader, group, "sources");
    set->sources = mem_array(set->source_count + 1, sizeof *set->sources);
    const config_setting_t *sources = config_setting_get_member(group, "sources");
    if (sources != NULL && config_setting_type(sources) == CONFIG_TYPE_LIST && set->source_count == 0)
        config_problem(reader, sources, "'sources' is empty: there is nothing to back up");

    for (size_t i = 0; i < set->source_count; i++) {
        const config_setting_t *item = config_list_group(reader, group, "sources", i);
        if (item == NULL)
            continue;
        read_source(reader, item, &set->sources[i]);
        for (size_t j = 0; j < i && set->sources[i].name != NULL; j++) {
            if (set->sources[j].name != NULL && strcmp(set->sources[i].name, set->sources[j].name) == 0)
                config_problem(reader, item, "there are two sources '%s' in this set", set->sources[i].name);
        }
    }
}

/* --- retention and mirrors ---------------------------------------------------------------------------------------- */

static void read_retention(struct config_reader *reader, const config_setting_t *group, struct policy *policy) {
    policy->purge_within = 7 * DAY;
    policy->interval = DAY;
    strcpy(policy->timezone, "UTC");

    const config_setting_t *retention = config_setting_get_member(group, "retention");
    if (retention == NULL) {
        policy->daily = 7;
        policy->weekly = 4;
        policy->monthly = 6;
        return;
    }
    if (config_setting_type(retention) != CONFIG_TYPE_GROUP) {
        config_problem(reader, retention, "'retention' must be a group { ... }");
        return;
    }
    size_t before = reader->count;
    config_read_fields(reader, retention, "retention", RETENTION_FIELDS, COUNT(RETENTION_FIELDS), policy);

    /* Checked only where every value was readable, else one mistake would be reported as two. */
    bool keeps = policy->daily > 0 || policy->weekly > 0 || policy->monthly > 0 || policy->yearly > 0;
    if (before == reader->count && !keeps)
        config_problem(reader, retention, "retention keeps nothing: give daily, weekly, monthly or yearly");
}

static void read_mirrors(struct config_reader *reader, const config_setting_t *group, struct set_settings *set) {
    set->mirror_count = config_list_length(reader, group, "mirrors");
    set->mirrors = mem_array(set->mirror_count + 1, sizeof *set->mirrors);
    for (size_t i = 0; i < set->mirror_count; i++) {
        struct mirror_settings *mirror = &set->mirrors[i];
        mirror->verify_percent = 5;
        const config_setting_t *item = config_list_group(reader, group, "mirrors", i);
        if (item == NULL)
            continue;
        char *title = config_group_title(item, "mirror");
        config_read_fields(reader, item, title, MIRROR_FIELDS, COUNT(MIRROR_FIELDS), mirror);
        config_check_lock(reader, item, "lock", mirror->path, mirror->lock);
        free(title);

        for (size_t j = 0; j < i; j++) {
            const struct mirror_settings *other = &set->mirrors[j];
            if (mirror->name != NULL && other->name != NULL && strcmp(mirror->name, other->name) == 0)
                config_problem(reader, item, "there are two mirrors '%s' in this set", mirror->name);
            if (mirror->path != NULL && other->path != NULL &&
                stores_overlap(mirror->path, other->path, reader->services))
                config_problem(reader, item, "two mirrors of this set are at '%s'", mirror->path);
        }
    }
}

/* --- sets and the whole ------------------------------------------------------------------------------------------- */

static void read_set(struct config_reader *reader, const config_setting_t *group, struct set_settings *set) {
    set->session_length = SESSION_LENGTH;
    set->journal_keep = JOURNAL_KEEP;
    char *title = config_group_title(group, "set");
    config_read_fields(reader, group, title, SET_FIELDS, COUNT(SET_FIELDS), set);
    free(title);
    read_retention(reader, group, &set->policy);
    read_sources(reader, group, set);
    read_mirrors(reader, group, set);
}

/* What holds between sets, and between a set and the stores. */
static void check_set(struct config_reader *reader, const config_setting_t *group, const struct settings *settings,
                      size_t at) {
    const struct set_settings *set = &settings->sets[at];
    for (size_t i = 0; i < at; i++) {
        const struct set_settings *other = &settings->sets[i];
        if (set->name != NULL && other->name != NULL && strcmp(set->name, other->name) == 0)
            config_problem(reader, group, "there are two sets '%s'", set->name);
        if (set->write_key != NULL && other->write_key != NULL && strcmp(set->write_key, other->write_key) == 0)
            config_problem(reader, group, "two sets use the key '%s': each has keys of its own", set->write_key);
    }
    if (set->read_key != NULL && set->write_key != NULL && strcmp(set->read_key, set->write_key) == 0)
        config_problem(reader, group, "'read_key' and 'write_key' are the same file");

    for (size_t i = 0; settings->repository != NULL && i < set->mirror_count; i++) {
        if (set->mirrors[i].path != NULL &&
            stores_overlap(set->mirrors[i].path, settings->repository, reader->services))
            config_problem(reader, group, "mirror '%s' is the repository itself", set->mirrors[i].name);
    }

    for (size_t i = 0; i < set->source_count; i++) {
        const struct source *source = &set->sources[i];
        const config_setting_t *place =
            config_setting_get_elem(config_setting_get_member(group, "sources"), (unsigned)i);
        if (source->name == NULL)
            continue;
        check_source(reader, place, source, settings->repository);
        for (size_t j = 0; j < set->mirror_count; j++)
            check_source(reader, place, source, set->mirrors[j].path);
    }
}

/* What the command line or the environment says instead of the file is checked like the file. */
static void take_repository(struct config_reader *reader, const config_setting_t *root, struct settings *settings) {
    const char *repository = reader->request->repository;
    if (repository == NULL)
        return;
    free(settings->repository);
    settings->repository = mem_string(repository);
    if (s3_is_address(repository))
        config_check_address(reader, root, "--repository", repository);
}

static void read_settings(struct config_reader *reader, const config_setting_t *root, struct settings *settings) {
    config_read_services(reader, root, &settings->services);
    config_read_fields(reader, root, "the configuration", TOP_FIELDS, COUNT(TOP_FIELDS), settings);
    take_repository(reader, root, settings);
    if (reader->request->state != NULL) {
        free(settings->state);
        settings->state = mem_string(reader->request->state);
    }
    if (settings->repository == NULL && config_setting_get_member(root, "repository") == NULL)
        config_problem(reader, root, "the configuration has no 'repository'");
    config_check_lock(reader, root, "repository_lock", settings->repository, settings->repository_lock);
    if (settings->state == NULL)
        settings->state = mem_string("/var/lib/muniment");

    settings->set_count = config_list_length(reader, root, "sets");
    settings->sets = mem_array(settings->set_count + 1, sizeof *settings->sets);
    const config_setting_t *sets = config_setting_get_member(root, "sets");
    if (sets != NULL && config_setting_type(sets) == CONFIG_TYPE_LIST && settings->set_count == 0)
        config_problem(reader, sets, "'sets' is empty");
    for (size_t i = 0; i < settings->set_count; i++) {
        const config_setting_t *group = config_list_group(reader, root, "sets", i);
        if (group == NULL)
            continue;
        read_set(reader, group, &settings->sets[i]);
        check_set(reader, group, settings, i);
    }
}

/* Opens the file; one that others may write could make this program run anything. */
static int open_file(const char *path, FILE **stream, struct err *err) {
    *stream = fopen(path, "re");
    if (*stream == NULL) {
        err_sys(err, "open configuration '%s'", path);
        return err_hint(err, "name the file with -c FILE or MUNIMENT_CONFIG");
    }
    struct stat status;
    if (fstat(fileno(*stream), &status) != 0) {
        err_sys(err, "look at configuration '%s'", path);
    } else if (S_ISREG(status.st_mode) && (status.st_mode & S_IWOTH) != 0) {
        err_set(err, ERR_INVALID, "configuration '%s' may be written by everyone", path);
        err_hint(err, "chmod o-w '%s'", path);
    } else {
        return 0;
    }
    fclose(*stream);
    return -1;
}

int configuration_load(const struct configuration_request *request, struct settings *settings, struct buffer *problems,
                       struct err *err) {
    *settings = (struct settings){ 0 };
    FILE *stream = NULL;
    if (open_file(request->file, &stream, err) != 0) {
        /* A configuration that cannot be read is a wrong configuration, whatever the reason. */
        err->code = ERR_INVALID;
        return -1;
    }

    struct config_reader reader = { .request = request, .problems = problems };
    const char *slash = strrchr(request->file, '/');
    reader.folder = slash == NULL ? mem_string(".") : mem_format("%.*s", (int)(slash - request->file), request->file);
    settings->file = mem_string(request->file);

    config_t config;
    config_init(&config);
    config_set_include_dir(&config, reader.folder);
    if (config_read(&config, stream)) {
        read_settings(&reader, config_root_setting(&config), settings);
    } else {
        const char *file = config_error_file(&config);
        buffer_printf(problems, "%s:%d: %s\n", file != NULL ? file : request->file, config_error_line(&config),
                      config_error_text(&config));
        reader.count++;
    }
    config_destroy(&config);
    fclose(stream);
    free(reader.folder);

    if (reader.count == 0)
        return 0;
    settings_release(settings);
    *settings = (struct settings){ 0 };
    return err_set(err, ERR_INVALID, "configuration '%s' has %zu problem%s", request->file, reader.count,
                   reader.count == 1 ? "" : "s");
}
