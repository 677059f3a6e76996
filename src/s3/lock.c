#include "s3_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

enum { TAGS_MAX = 1000 };

int s3_read_facet(struct s3 *s3, const struct s3_facet *facet, s3_element *element, void *context, char code[64],
                  struct err *err) {
    struct s3_request request = { .what = facet->what, .method = "GET", .bucket = facet->bucket, .key = facet->key };

    s3_headers_add(&request.query, facet->name, "");
    if (facet->version)
        s3_headers_add(&request.query, "versionId", facet->version);
    return s3_send_for_document(s3, &request, facet->root, element, context, code, err);
}

/*
 * Locks
 */

int s3_parse_lock_mode(const char *text, enum s3_lock_mode *mode, struct err *err) {
    if (strcmp(text, "GOVERNANCE") == 0)
        *mode = S3_LOCK_GOVERNANCE;
    else if (strcmp(text, "COMPLIANCE") == 0)
        *mode = S3_LOCK_COMPLIANCE;
    else
        return err_set(err, ERR_CORRUPT, "'%.32s' is no mode of object lock", text);
    return 0;
}

static int take_retention(void *context, const char *path, const char *text, struct err *err) {
    struct s3_lock *lock = context;

    /* Some servers describe no retention as an empty one. */
    if (text[0] == '\0')
        return 0;
    if (strcmp(path, "Mode") == 0)
        return s3_parse_lock_mode(text, &lock->mode, err);
    if (strcmp(path, "RetainUntilDate") == 0)
        return s3_parse_time(text, &lock->until, err);
    return 0;
}

static int take_legal_hold(void *context, const char *path, const char *text, struct err *err) {
    struct s3_lock *lock = context;
    (void)err;

    if (strcmp(path, "Status") == 0)
        lock->legal_hold = strcmp(text, "ON") == 0;
    return 0;
}

/* A refusal that says: this version has none. Hide markers never have one, and 405 is what asking them gives. */
static bool says_none(const char *code, const struct err *reason) {
    return strcmp(code, "NoSuchObjectLockConfiguration") == 0 ||
           strcmp(code, "ObjectLockConfigurationNotFoundError") == 0 || strcmp(code, "MethodNotAllowed") == 0 ||
           /* The bucket has no object lock at all. */
           (strcmp(code, "InvalidRequest") == 0 && reason->code == ERR_INVALID);
}

static int read_part(struct s3 *s3, const struct s3_facet *facet, s3_element *element, struct s3_lock *lock,
                     struct err *err) {
    char code[64];
    struct err reason = { 0 };

    if (s3_read_facet(s3, facet, element, lock, code, &reason) == 0 || says_none(code, &reason))
        return 0;
    if (err)
        *err = reason;
    return -1;
}

int s3_get_lock(struct s3 *s3, const char *bucket, const char *key, const char *version, struct s3_lock *lock,
                struct err *err) {
    const struct s3_facet retention = { "read the lock of", "retention", bucket, key, version, "Retention" };
    const struct s3_facet legal_hold = { "read the legal hold of", "legal-hold", bucket, key, version, "LegalHold" };
    struct err reason = { 0 };

    *lock = (struct s3_lock){ 0 };
    if (s3_is_v2(s3))
        return s3_refuse_v2(s3, "object lock", err);
    if (read_part(s3, &retention, take_retention, lock, err) < 0)
        return -1;
    /* A lock with a date is worth knowing where the key may not ask about holds. */
    if (read_part(s3, &legal_hold, take_legal_hold, lock, &reason) == 0 ||
        ((reason.code == ERR_DENIED || reason.code == ERR_UNSUPPORTED) && lock->mode != S3_LOCK_NONE))
        return 0;
    if (err)
        *err = reason;
    return -1;
}

int s3_set_lock(struct s3 *s3, const char *bucket, const char *key, const char *version, enum s3_lock_mode mode,
                int64_t until, struct err *err) {
    char date[CLOCK_TEXT];
    struct buffer document = { 0 };
    struct s3_answer answer = { 0 };
    struct s3_request request = { .what = "lock", .method = "PUT", .bucket = bucket, .key = key, .md5 = true };

    if (s3_is_v2(s3))
        return s3_refuse_v2(s3, "object lock", err);
    if (mode == S3_LOCK_NONE)
        return err_set(err, ERR_INVALID, "a lock has a mode");
    buffer_printf(&document,
                  "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>%s</Mode>"
                  "<RetainUntilDate>%s</RetainUntilDate></Retention>",
                  mode == S3_LOCK_COMPLIANCE ? "COMPLIANCE" : "GOVERNANCE", clock_format(date, until));
    request.body = document.data;
    request.length = document.length;
    s3_headers_add(&request.query, "retention", "");
    if (version)
        s3_headers_add(&request.query, "versionId", version);
    s3_headers_add(&request.headers, "content-type", "application/xml");
    const int result = s3_send(s3, &request, &answer, NULL, NULL, err);
    s3_answer_release(&answer);
    s3_request_release(&request);
    buffer_release(&document);
    return result;
}

/*
 * Tags
 */

struct tagging {
    struct s3_headers *tags;
    char *name, *value; /* that are being read */
};

static int take_tag(void *context, const char *path, const char *text, struct err *err) {
    struct tagging *tagging = context;

    if (strcmp(path, "TagSet/Tag/Key") == 0 || strcmp(path, "TagSet/Tag/Value") == 0) {
        char **to = path[11] == 'K' ? &tagging->name : &tagging->value;
        free(*to);
        *to = mem_string(text);
    }
    if (strcmp(path, "TagSet/Tag") != 0)
        return 0;
    if (!tagging->name || !tagging->value || tagging->tags->count == TAGS_MAX)
        return err_set(err, ERR_CORRUPT, "a tag has no key or no value, or there are more than %d", TAGS_MAX);
    s3_headers_add(tagging->tags, tagging->name, tagging->value);
    free(tagging->name);
    free(tagging->value);
    tagging->name = tagging->value = NULL;
    return 0;
}

int s3_get_tags(struct s3 *s3, const char *bucket, const char *key, const char *version, struct s3_headers *tags,
                struct err *err) {
    const struct s3_facet facet = { "read the tags of", "tagging", bucket, key, version, "Tagging" };
    struct tagging tagging = { .tags = tags };
    struct err reason = { 0 };
    char code[64];

    *tags = (struct s3_headers){ 0 };
    if (s3_is_v2(s3))
        return s3_refuse_v2(s3, "tags", err);
    int result = s3_read_facet(s3, &facet, take_tag, &tagging, code, &reason);
    free(tagging.name);
    free(tagging.value);
    if (result == 0)
        return 0;
    s3_headers_release(tags);
    if (strcmp(code, "NoSuchTagSet") == 0 || strcmp(code, "NoSuchTagSetError") == 0)
        return 0;
    if (err)
        *err = reason;
    return -1;
}
