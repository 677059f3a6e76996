#include <errno.h>
#include <fts.h>
#include <muniment/repo/journal.h>
#include <muniment/run/drill.h>
#include <muniment/snapshot/restore.h>
#include <muniment/source/source.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct drill {
    struct repo *from;
    const struct drill_options *options;
    struct drill_result *result;
    char *folder; /* the scratch folder */
    bool roles_loaded;
};

/* --- databases ------------------------------------------------------------------------------------------------------
 */

static int drill_database(struct drill *drill, const struct head_source *source, const char *database,
                          struct err *err) {
    uint8_t random[4];
    char digits[2 * sizeof random + 1], *patterns[] = { mem_string(database) };
    randombytes_buf(random, sizeof random);
    char *name = mem_format("muniment_drill_%s", hex_encode(digits, random, sizeof random));
    const struct restore_options options = {
        .head = drill->options->head,
        .source = source->name,
        .patterns = patterns,
        .pattern_count = 1,
        .progress = drill->options->progress,
    };
    const struct postgres_target target = { .uri = drill->options->postgres, .bin_dir = drill->options->bin_dir };
    struct restore_result restored = { 0 };
    int status = restore_to_postgres(drill->from, &options, &target, !drill->roles_loaded, name, &restored, err);
    if (status == 0) {
        drill->roles_loaded = true;
        drill->result->found += restored.entries;
        drill->result->bytes += restored.bytes;
        status = postgres_drop_database(&target, name, err);
    }
    free(patterns[0]);
    free(name);
    return status;
}

static int drill_databases(struct drill *drill, const struct head_source *source, struct err *err) {
    drill->result->expected += source->unit_count;
    for (size_t i = 0; i < source->unit_count; i++)
        if (drill_database(drill, source, source->units[i].name, err) < 0)
            return -1;
    return 0;
}

/* --- everything else ------------------------------------------------------------------------------------------------
 */

static int count_bytes(char *folder, uint64_t *bytes, struct err *err) {
    char *paths[] = { folder, NULL };
    FTSENT *entry;
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    *bytes = 0;
    for (errno = 0; walk && (entry = fts_read(walk)) != NULL; errno = 0) {
        if (entry->fts_info == FTS_F)
            *bytes += (uint64_t)entry->fts_statp->st_size;
        errno = entry->fts_errno; /* 0 but for what could not be looked at */
        if (errno != 0)
            break;
    }
    int result = errno != 0 ? err_sys(err, "look at '%s'", folder) : 0;
    if (walk)
        fts_close(walk);
    return result;
}

/* What stands in the folder now, by the file system. Hard links stand there once more, so there may be more bytes. */
static int look_at_files(struct drill *drill, const struct head_source *source, uint64_t restored, struct err *err) {
    char *below = mem_format("%s/%s", drill->folder, source->name);
    uint64_t there;
    int result = count_bytes(below, &there, err);
    free(below);
    if (result < 0)
        return err_wrap(err, "count what was restored of source '%s'", source->name);
    if (there < restored)
        return err_set(err, ERR_CORRUPT, "source '%s': the scratch folder has %llu bytes, and %llu were restored",
                       source->name, (unsigned long long)there, (unsigned long long)restored);
    return 0;
}

static int drill_files(struct drill *drill, const struct head_source *source, struct err *err) {
    const struct restore_options options = {
        .head = drill->options->head,
        .source = source->name,
        .overwrite = true, /* the folder is ours, and each source has its own place in it */
        .progress = drill->options->progress,
    };
    struct restore_result restored = { 0 };
    double began = clock_monotonic();
    drill->result->expected += source->entries;
    int status = restore_to_folder(drill->from, &options, drill->folder, &restored, err);
    double fetched = clock_monotonic();
    drill->result->fetch_seconds += fetched - began;
    drill->result->found += restored.entries;
    drill->result->bytes += restored.bytes;
    if (status == 0)
        status = look_at_files(drill, source, restored.bytes, err);
    drill->result->verify_seconds += clock_monotonic() - fetched;
    return status;
}

static void remove_folder(const struct drill *drill) {
    struct err why = { 0 };
    if (file_remove_tree(drill->folder, &why) < 0)
        log_warning(drill->from->log, "%s: '%s' holds what was restored, so remove it", why.message, drill->folder);
}

/* --- all of it ------------------------------------------------------------------------------------------------------
 */

static bool holds_databases(const struct head_source *source) {
    return strcmp(source->kind, SOURCE_POSTGRES.name) == 0;
}

/* A test that leaves the databases out would prove little. */
static int need_server(const struct drill_options *options, struct err *err) {
    for (size_t i = 0; i < options->head->source_count && options->postgres == NULL; i++)
        if (holds_databases(&options->head->sources[i])) {
            err_set(err, ERR_INVALID, "source '%s' holds databases, and no server was named to load them into",
                    options->head->sources[i].name);
            return err_hint(err, "name a server for tests with --to-postgres URI");
        }
    return 0;
}

static int drill_sources(struct drill *drill, struct err *err) {
    const struct head *head = drill->options->head;
    for (size_t i = 0; i < head->source_count; i++) {
        const struct head_source *source = &head->sources[i];
        if (source->outcome == OUTCOME_FAILED)
            return err_set(err, ERR_NOT_FOUND, "source '%s' was not captured in this snapshot", source->name);
        double began = clock_monotonic();
        bool databases = holds_databases(source);
        int status = databases ? drill_databases(drill, source, err) : drill_files(drill, source, err);
        if (databases)
            drill->result->load_seconds += clock_monotonic() - began;
        if (status < 0)
            return err_wrap(err, "source '%s'", source->name);
    }
    if (drill->result->found != drill->result->expected)
        return err_set(err, ERR_CORRUPT, "%llu entries and databases came back, %llu were captured",
                       (unsigned long long)drill->result->found, (unsigned long long)drill->result->expected);
    return 0;
}

/* No name of a database or a file goes into the journal: of a failure only the kind. */
static int journal_drill(struct opened_set *set, const struct drill_options *options, const struct drill_result *result,
                         const struct err *why, struct err *err) {
    char expected[24], found[24], bytes[24], fetch[24], load[24], verify[24], status[8];
    struct journal_batch batch = { 0 };
    snprintf(expected, sizeof expected, "%llu", (unsigned long long)result->expected);
    snprintf(found, sizeof found, "%llu", (unsigned long long)result->found);
    snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)result->bytes);
    snprintf(fetch, sizeof fetch, "%.3f", result->fetch_seconds);
    snprintf(load, sizeof load, "%.3f", result->load_seconds);
    snprintf(verify, sizeof verify, "%.3f", result->verify_seconds);
    snprintf(status, sizeof status, "%d", result->passed ? 0 : err_exit_status(why->code));
    journal_add(&batch, clock_now(), "drilled", "snapshot", options->head->name, "target",
                options->mirror != NULL ? options->mirror : "repository", "outcome",
                result->passed ? "passed" : "failed", "status", status, "expected", expected, "found", found, "bytes",
                bytes, "fetch_seconds", fetch, "load_seconds", load, "verify_seconds", verify,
                options->operator!= NULL ? "operator" : NULL, options->operator, NULL);
    int journalled = journal_append(&set->repo, &batch, err);
    journal_batch_release(&batch);
    return journalled;
}

int drill_run(struct opened_set *set, struct repo *from, const struct drill_options *options,
              struct drill_result *result, struct err *err) {
    struct drill drill = { .from = from, .options = options, .result = result };
    struct err why = { 0 };
    *result = (struct drill_result){ 0 };
    if (need_server(options, err) < 0)
        return -1;
    drill.folder = mem_format("%s/muniment-drill.XXXXXX", options->folder);
    if (mkdtemp(drill.folder) == NULL) {
        err_sys(err, "make a scratch folder '%s'", drill.folder);
        free(drill.folder);
        return -1;
    }

    result->passed = drill_sources(&drill, &why) == 0;
    remove_folder(&drill);
    free(drill.folder);
    if (why.code == ERR_INTERRUPTED) {
        *err = why;
        return -1;
    }
    if (!result->passed)
        result->message = mem_string(why.message);
    return journal_drill(set, options, result, &why, err);
}

void drill_release(struct drill_result *result) {
    free(result->message);
    *result = (struct drill_result){ 0 };
}
