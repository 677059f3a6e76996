#include "bucket_internal.h"
#include <inttypes.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A service that is away for longer than this before a capture has begun is better told of at once. */
enum { PREFLIGHT_TIME = 120 };

/* --- before anything is stored ------------------------------------------------------------------------------------ */

/* Credentials, name and the right to list: what most often is wrong. */
static int reach(const struct s3_place *root, struct log *log, struct err *err) {
    struct s3 *s3 = NULL;
    if (bucket_connect(&root->service, log, &s3, err) < 0)
        return -1;
    s3_set_retry_time(s3, PREFLIGHT_TIME);
    int result = s3_reach(s3, root->bucket, root->prefix, err);
    s3_close(s3);
    return result;
}

/* A bucket that is out of reach makes the snapshot partial; the others are still worth having. */
static int bucket_preflight(const struct source *source, struct log *log, struct err *err) {
    struct bucket_roots roots;
    struct err first = { 0 };
    size_t failed = 0;
    int result = 0;

    if (bucket_roots_load(source, &roots, err) < 0)
        return -1;
    for (size_t i = 0; i < roots.count && result == 0; i++) {
        struct err why = { 0 };
        if (reach(&roots.items[i], log, &why) == 0)
            continue;
        if (failed++ == 0 || why.code == ERR_INTERRUPTED)
            first = why;
        if (why.code == ERR_INTERRUPTED)
            result = -1;
    }
    if (failed == roots.count)
        result = -1;
    if (result < 0)
        *err = first;
    bucket_roots_release(&roots);
    return result;
}

/* --- capturing ---------------------------------------------------------------------------------------------------- */

static void tell_number(struct source_sink *sink, const char *name, uint64_t value) {
    char number[32];
    snprintf(number, sizeof number, "%" PRIu64, value);
    sink->fact(sink->context, name, number);
}

/* Without the scheme. The caller frees it. */
static char *host_of(const struct s3_place *root) {
    const char *endpoint = root->service.endpoint, *scheme_end = strstr(endpoint, "://");
    const char *host = scheme_end ? scheme_end + 3 : endpoint;
    return mem_format("%.*s", (int)strcspn(host, "/"), host);
}

/* Endpoints as hosts, each once: a URL could hold more than is anybody's business. */
static void tell_endpoints(struct source_sink *sink, const struct bucket_roots *roots) {
    struct buffer hosts = { 0 };
    for (size_t i = 0; i < roots->count; i++) {
        char *name = host_of(&roots->items[i]);
        bool known = false;
        for (size_t j = 0; j < i && !known; j++) {
            char *earlier = host_of(&roots->items[j]);
            known = strcmp(earlier, name) == 0;
            free(earlier);
        }
        if (!known)
            buffer_printf(&hosts, "%s%s", hosts.length > 0 ? ", " : "", name);
        free(name);
    }
    sink->fact(sink->context, "endpoint", buffer_text(&hosts));
    buffer_release(&hosts);
}

static void tell(struct source_sink *sink, const struct bucket_roots *roots, const struct bucket_counts *total) {
    struct buffer names = { 0 };
    for (size_t i = 0; i < roots->count; i++) {
        char *name = bucket_root_name(&roots->items[i]);
        buffer_printf(&names, "%s%s", i > 0 ? ", " : "", name);
        free(name);
    }
    tell_endpoints(sink, roots);
    sink->fact(sink->context, "buckets", buffer_text(&names));
    tell_number(sink, "listed", total->listed);
    tell_number(sink, "read", total->read);
    tell_number(sink, "unchanged", total->unchanged);
    if (total->excluded > 0)
        tell_number(sink, "excluded", total->excluded);
    if (total->vanished > 0)
        tell_number(sink, "vanished", total->vanished);
    buffer_release(&names);
}

static void add_counts(struct bucket_counts *total, const struct bucket_counts *one) {
    total->listed += one->listed;
    total->excluded += one->excluded;
    total->read += one->read;
    total->unchanged += one->unchanged;
    total->vanished += one->vanished;
    total->bytes += one->bytes;
}

/* 1: it could not be read to its end, and is named. */
static int capture_root(const struct source *source, const struct s3_place *root, struct source_sink *sink,
                        struct log *log, struct bucket_counts *total, struct err *err) {
    struct bucket_counts counts = { 0 };
    char *name = bucket_root_name(root);
    bool fatal = false;
    int result = bucket_read(source, root, sink, log, &counts, &fatal, err);
    add_counts(total, &counts);
    if (result == 0) {
        sink->unit(sink->context, name, counts.bytes, false, 0);
    } else if (!fatal) {
        sink->trouble(sink->context, name, err);
        result = 1;
    }
    free(name);
    return result;
}

/* What nobody can see must not be taken for kept. */
static void tell_of_v2(const struct s3_place *root, struct log *log) {
    if (root->service.signature == S3_SIGNATURE_V2)
        log_warning(log,
                    "bucket '%s': signature v2 tells nothing of tags, cache headers and encodings: they are not kept",
                    root->bucket);
}

static int bucket_capture(const struct source *source, struct source_sink *sink, struct log *log, struct err *err) {
    struct bucket_roots roots;
    struct bucket_counts total = { 0 };
    size_t failed = 0;
    int result = 0;

    if (bucket_roots_load(source, &roots, err) < 0)
        return -1;
    for (size_t i = 0; i < roots.count && result >= 0; i++) {
        tell_of_v2(&roots.items[i], log);
        result = capture_root(source, &roots.items[i], sink, log, &total, err);
        failed += result > 0;
    }
    if (result >= 0)
        result = failed == roots.count && total.read + total.unchanged == 0 ? -1 : 0;
    if (result == 0)
        tell(sink, &roots, &total);
    bucket_roots_release(&roots);
    return result;
}

const struct source_kind SOURCE_BUCKET = {
    .name = "s3",
    .order = 1, /* rows refer to objects: what a database names when it is captured is there when its bucket is */
    .preflight = bucket_preflight,
    .capture = bucket_capture,
};
