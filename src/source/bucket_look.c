#include "bucket_internal.h"
#include <muniment/util/memory.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* A listing tells of a thousand objects at once, but is of use only where the entries lie close together. */
enum {
    HEADS_FIRST = 16,  /* looked at one by one before a listing is begun */
    HEADS_MORE = 1000, /* after a listing that was of no use */
    SKIP_MAX = 2000,   /* listed objects passed over to come to an entry */
};

/* A listing that goes along with the entries. */
struct bucket_cursor {
    struct bucket_listing *listing; /* NULL: none; objects are looked at one by one */
    char *bucket;                   /* of the listing */
    struct bucket_listed next;      /* the first listed one that was not passed; key NULL: none was read yet */
    bool ended;
    unsigned heads; /* to come before the next listing */
};

static void cursor_stop(struct bucket_cursor *cursor) {
    bucket_listing_stop(cursor->listing);
    bucket_listed_release(&cursor->next);
    free(cursor->bucket);
    cursor->listing = NULL;
    cursor->bucket = NULL;
    cursor->ended = false;
}

void bucket_cursor_free(struct bucket_cursor *cursor) {
    if (!cursor)
        return;
    cursor_stop(cursor);
    free(cursor);
}

/* 1: the listing tells, and *there is what it says (NULL: nothing). 0: it does not. */
static int cursor_find(struct bucket_cursor *cursor, const char *key, const struct bucket_listed **there,
                       struct err *err) {
    *there = NULL;
    for (size_t skipped = 0; !cursor->ended && (!cursor->next.key || strcmp(cursor->next.key, key) < 0); skipped++) {
        if (skipped == SKIP_MAX)
            return 0;
        bucket_listed_release(&cursor->next);
        const enum bucket_listing_result result = bucket_listing_next(cursor->listing, true, &cursor->next, err);
        if (result == BUCKET_LISTING_FAILED)
            return -1;
        cursor->ended = result == BUCKET_LISTING_END;
    }
    if (!cursor->ended && strcmp(cursor->next.key, key) == 0)
        *there = &cursor->next;
    return 1;
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

static const char *captured_etag(const struct entry *entry, char text[S3_ETAG_MAX]) {
    const struct entry_attribute *etag = entry_attribute(entry, "s3.etag");
    text[0] = '\0';
    if (etag && etag->length < S3_ETAG_MAX) {
        memcpy(text, etag->value, etag->length);
        text[etag->length] = '\0';
    }
    return text;
}

/* By size and ETag alone. */
static enum bucket_found compare_content(const struct entry *entry, uint64_t size, const char *etag) {
    char captured[S3_ETAG_MAX];
    if (size != entry->size)
        return BUCKET_FOUND_OTHER;
    captured_etag(entry, captured);
    if (captured[0] != '\0' && strcmp(captured, etag) == 0)
        return BUCKET_FOUND_SAME;
    return s3_etag_is_md5(captured) && s3_etag_is_md5(etag) ? BUCKET_FOUND_OTHER : BUCKET_FOUND_UNSURE;
}

struct look_job {
    struct bucket_job job;
    struct bucket_place *place;
    struct bucket_target target;
    struct entry entry;
    uint8_t *found;
};

static int compare_tags(struct look_job *look, const struct s3_info *info, struct s3_headers *tags, struct err *err) {
    if (!bucket_entry_has_tags(&look->entry) && !bucket_info_has_tags(info))
        return 0;
    if (s3_get_tags(look->place->s3, look->target.bucket, look->target.key, info->version, tags, err) == 0)
        return 1;
    if (err->code == ERR_INTERRUPTED || err->code == ERR_SYSTEM)
        return -1;
    err_clear(err); /* who may not read tags, or has a service without, compares the rest */
    return 0;
}

static int compare_metadata(struct look_job *look, const struct s3_info *info, bool *like, struct err *err) {
    const struct bucket_listed listed = { .key = look->target.key, .etag = (char[]){ "" } };
    struct s3_headers tags = { 0 };
    struct entry there;
    const int with_tags = compare_tags(look, info, &tags, err);
    if (with_tags >= 0) {
        bucket_entry_make(&there, look->target.bucket, &listed, info, &tags, NULL);
        *like = bucket_entry_like(&look->entry, &there, with_tags == 1);
        entry_release(&there);
    }
    s3_headers_release(&tags);
    return with_tags < 0 ? -1 : 0;
}

static int run_look(struct bucket_job *job, struct err *err) {
    struct look_job *look = (struct look_job *)job;
    struct s3_info info = { 0 };
    bool like = false;
    if (s3_head(look->place->s3, look->target.bucket, look->target.key, NULL, &info, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        *look->found = BUCKET_FOUND_NOTHING;
        return 0;
    }
    enum bucket_found found = compare_content(&look->entry, info.size, info.etag);
    int result = 0;
    if (found != BUCKET_FOUND_OTHER) {
        result = compare_metadata(look, &info, &like, err);
        if (!like)
            found = BUCKET_FOUND_OTHER;
    }
    *look->found = (uint8_t)found;
    s3_info_release(&info);
    return result;
}

static void free_look(struct bucket_job *job) {
    struct look_job *look = (struct look_job *)job;
    bucket_target_release(&look->target);
    entry_release(&look->entry);
    free(look);
}

/* Asks for the object itself. Takes the target. */
static int ask(struct bucket_place *place, struct bucket_target *target, const struct entry *entry, uint8_t *found,
               struct err *err) {
    struct look_job *look = mem_zalloc(sizeof *look);
    look->job = (struct bucket_job){ .run = run_look, .free = free_look };
    look->place = place;
    look->target = *target;
    look->found = found;
    entry_copy(&look->entry, entry);
    *target = (struct bucket_target){ 0 };
    return bucket_pool_add(place->pool, &look->job, err);
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

/* As cursor_find(), beginning and ending listings as they pay. */
static int find_in_listing(struct bucket_place *place, const struct bucket_target *target,
                           const struct bucket_listed **there, struct err *err) {
    struct bucket_cursor *cursor = place->cursor;
    if (cursor->listing && strcmp(cursor->bucket, target->bucket) != 0) {
        cursor_stop(cursor);
        cursor->heads = HEADS_FIRST;
    }
    if (cursor->listing) {
        const int result = cursor_find(cursor, target->key, there, err);
        if (result != 0)
            return result;
        cursor_stop(cursor);
        cursor->heads = HEADS_MORE;
    }
    if (cursor->heads-- > 0)
        return 0;
    cursor->bucket = mem_string(target->bucket);
    return bucket_listing_start(place->s3, target->bucket, place->place->prefix, target->key, &cursor->listing, err);
}

int bucket_place_look(struct bucket_place *place, const struct entry *entry, uint8_t *found, struct err *err) {
    struct bucket_target target = { 0 };
    const struct bucket_listed *there = NULL;
    if (!place->cursor) {
        place->cursor = mem_zalloc(sizeof *place->cursor);
        place->cursor->heads = HEADS_FIRST;
    }
    if (bucket_target_of(place, entry, &target, err) < 0)
        return -1;

    int result = find_in_listing(place, &target, &there, err);
    if (result == 1) {
        *found = there ? (uint8_t)compare_content(entry, there->size, there->etag) : BUCKET_FOUND_NOTHING;
        result = there && *found != BUCKET_FOUND_OTHER ? ask(place, &target, entry, found, err) : 0;
    } else if (result == 0) {
        result = ask(place, &target, entry, found, err);
    }
    bucket_target_release(&target);
    return result;
}

int bucket_place_looked(struct bucket_place *place, struct err *err) {
    bucket_cursor_free(place->cursor);
    place->cursor = NULL;
    return bucket_pool_wait(place->pool, err);
}

/* --- by content --------------------------------------------------------------------------------------------------- */

/* The ETags that an object with this content has when it went by one PUT, or in parts of our size. */
struct bucket_compare {
    char etag[S3_ETAG_MAX]; /* of the object that is there */
    EVP_MD_CTX *whole, *part;
    struct buffer md5s; /* of the parts so far */
    uint64_t part_size, part_length;
    bool failed;
};

static void compare_free(struct bucket_compare *compare) {
    EVP_MD_CTX_free(compare->whole);
    EVP_MD_CTX_free(compare->part);
    buffer_release(&compare->md5s);
    free(compare);
}

static void begin_md5(struct bucket_compare *compare, EVP_MD_CTX **context) {
    if (!*context)
        *context = mem_require(EVP_MD_CTX_new());
    compare->failed |= EVP_DigestInit_ex(*context, EVP_md5(), NULL) != 1;
}

int bucket_compare_begin(struct bucket_place *place, const struct entry *entry, struct bucket_compare **begun,
                         struct err *err) {
    struct bucket_target target = { 0 };
    struct s3_info info = { 0 };
    if (bucket_target_of(place, entry, &target, err) < 0)
        return -1;
    const int result = s3_head(place->s3, target.bucket, target.key, NULL, &info, err);
    bucket_target_release(&target);
    if (result < 0)
        return -1;
    struct bucket_compare *compare = mem_zalloc(sizeof *compare);
    memcpy(compare->etag, info.etag, sizeof compare->etag);
    s3_info_release(&info);
    compare->part_size = s3_part_size(entry->size);
    begin_md5(compare, &compare->whole);
    begin_md5(compare, &compare->part);
    *begun = compare;
    return 0;
}

static void end_part(struct bucket_compare *compare) {
    compare->failed |= EVP_DigestFinal_ex(compare->part, buffer_extend(&compare->md5s, S3_MD5_SIZE), NULL) != 1;
    compare->part_length = 0;
    begin_md5(compare, &compare->part);
}

void bucket_compare_data(struct bucket_compare *compare, const void *data, size_t length) {
    const uint8_t *at = data;
    compare->failed |= EVP_DigestUpdate(compare->whole, at, length) != 1;
    while (length > 0) {
        const uint64_t room = compare->part_size - compare->part_length;
        const size_t piece = length < room ? length : (size_t)room;
        compare->failed |= EVP_DigestUpdate(compare->part, at, piece) != 1;
        compare->part_length += piece;
        if (compare->part_length == compare->part_size)
            end_part(compare);
        at += piece;
        length -= piece;
    }
}

bool bucket_compare_end(struct bucket_compare *compare) {
    uint8_t md5[S3_MD5_SIZE];
    char in_parts[S3_ETAG_MAX];
    if (!compare)
        return false;
    if (compare->part_length > 0)
        end_part(compare);
    const bool same = !compare->failed && EVP_DigestFinal_ex(compare->whole, md5, NULL) == 1 &&
                      s3_etag_join(in_parts, compare->md5s.data, compare->md5s.length / S3_MD5_SIZE, NULL) == 0 &&
                      (s3_etag_matches(compare->etag, md5) || strcmp(compare->etag, in_parts) == 0);
    compare_free(compare);
    return same;
}
