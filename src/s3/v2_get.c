#include "v2_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char MD5_OF_NOTHING[] = "d41d8cd98f00b204e9800998ecf8427e";

struct getting {
    struct s3 *s3;
    const struct s3_get *what;
    struct v2_call get, head;
    bool known;    /* `size` and `etag` are */
    uint64_t size; /* of the object */
    uint64_t want; /* bytes of it */
    uint64_t done;
    char etag[S3_ETAG_MAX + 2]; /* with its quotes */
};

static bool is_whole(const struct getting *getting) {
    return getting->what->offset == 0 && getting->what->length == UINT64_MAX;
}

static void set_etag(struct getting *getting, const char *etag) {
    snprintf(getting->etag, sizeof getting->etag, "\"%.*s\"", S3_ETAG_MAX - 1, etag);
}

static const char *object_name(const struct getting *getting, char text[S3_NAME_TEXT]) {
    return s3_name(text, getting->s3, getting->get.bucket, getting->get.key);
}

/* libs3 does not show which part an answer is, so its length has to tell, and for that the object's is needed. */
static int learn_size(struct getting *getting, struct err *err) {
    const char *expected = getting->what->if_match;
    char name[S3_NAME_TEXT];

    if (v2_send(getting->s3, &getting->head, "look at an object", err) < 0)
        return -1;
    if (expected && strcmp(expected, getting->head.etag) != 0)
        return err_set(err, ERR_CHANGED, "get %s: it is not the one that was meant any more",
                       object_name(getting, name));
    getting->size = getting->head.announced;
    getting->want = getting->what->offset < getting->size ? getting->size - getting->what->offset : 0;
    if (getting->want > getting->what->length)
        getting->want = getting->what->length;
    set_etag(getting, getting->head.etag);
    getting->known = true;
    return 0;
}

/* What the next call asks for. */
static int aim(struct getting *getting, struct err *err) {
    char name[S3_NAME_TEXT];

    if (!getting->known && is_whole(getting)) {
        if (getting->what->if_match)
            set_etag(getting, getting->what->if_match);
        getting->get.if_match = getting->what->if_match ? getting->etag : NULL;
        getting->get.max = getting->what->max;
        return 0;
    }
    if (!getting->known && learn_size(getting, err) < 0)
        return -1;
    if (getting->want > getting->what->max)
        return err_set(err, ERR_CORRUPT, "get %s: more than the %zu bytes that were to come",
                       object_name(getting, name), getting->what->max);
    getting->get.if_match = getting->etag;
    getting->get.offset = getting->what->offset + getting->done;
    getting->get.count = getting->get.max = getting->want - getting->done;
    return 0;
}

/* An answer that broke off before its first byte looks like an empty object. */
static int check_empty(struct getting *getting, struct err *err) {
    char name[S3_NAME_TEXT];

    if (strcmp(getting->get.etag, MD5_OF_NOTHING) == 0)
        return 0;
    if (v2_send(getting->s3, &getting->head, "look at an object", err) < 0)
        return -1;
    if (getting->head.announced == 0 && strcmp(getting->head.etag, getting->get.etag) == 0)
        return 0;
    err_set(err, ERR_SYSTEM, "get %s: the answer broke off", object_name(getting, name));
    return 1;
}

/* Counts what came. 0: all of it is here; 1: it broke off; -1: it is not what was asked for. */
static int take(struct getting *getting, struct err *err) {
    const struct v2_call *get = &getting->get;
    char name[S3_NAME_TEXT];

    if (!getting->known && get->announced == 0 && get->received == 0)
        return check_empty(getting, err);
    if (get->announced == 0 && get->received > 0)
        return err_set(err, ERR_UNSUPPORTED, "get %s: the answer has no Content-Length, which signature = \"v2\" needs",
                       object_name(getting, name));
    if (getting->known && get->received > 0 && get->announced != get->count)
        return err_set(err, ERR_CORRUPT, "get %s: the answer is not the part that was asked for",
                       object_name(getting, name));
    if (!getting->known) {
        getting->known = true;
        getting->size = getting->want = get->announced;
        set_etag(getting, get->etag);
    }
    getting->done += get->received;
    if (getting->done == getting->want)
        return 0;
    if (get->status == S3StatusOK)
        err_set(err, ERR_SYSTEM, "get %s: the answer broke off after %llu of %llu bytes", object_name(getting, name),
                (unsigned long long)getting->done, (unsigned long long)getting->want);
    return 1;
}

static int get_all(struct getting *getting, struct err *err) {
    struct s3_retry retry = { .start = clock_monotonic() };

    for (;;) {
        if (aim(getting, err) < 0)
            return -1;
        if (getting->known && getting->done == getting->want)
            return 0;
        if (v2_perform(getting->s3, &getting->get, err) < 0)
            return -1;
        const enum v2_verdict verdict = v2_judge(getting->s3, &getting->get, retry.tries, err);
        if (verdict == V2_FINAL)
            return -1;
        if (getting->get.received > 0)
            retry.failed = 0;
        if (verdict == V2_GOOD || getting->get.received > 0) {
            const int taken = take(getting, err);
            if (taken <= 0)
                return taken;
        }
        if (s3_retry_wait(&retry, getting->s3, "get an object", 0, err) < 0)
            return -1;
    }
}

int s3_v2_get(struct s3 *s3, const char *bucket, const char *key, const struct s3_get *what, struct buffer *out,
              struct s3_info *info, struct err *err) {
    const size_t before = out->length;
    struct err problem = { 0 };
    struct getting getting = { .s3 = s3,
                               .what = what,
                               .get = { .kind = V2_GET, .bucket = bucket, .key = key, .to = out },
                               .head = { .kind = V2_HEAD, .bucket = bucket, .key = key } };
    int result = -1;

    if (what->version)
        s3_refuse_v2(s3, "a version of an object", &problem);
    else if (v2_check_key(s3, bucket, key, false, &problem) == 0)
        result = get_all(&getting, &problem);
    if (result == 0 && info)
        v2_fill_info(getting.get.answered ? &getting.get : &getting.head, getting.size, info);
    if (result < 0) {
        out->length = before;
        if (err)
            *err = problem;
    }
    v2_call_release(&getting.get);
    v2_call_release(&getting.head);
    return result;
}
