#include "bucket_internal.h"
#include <muniment/util/memory.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_MAX = 64 * 1048576 }; /* bytes of pieces asked for and not yet taken */

struct bucket_piece {
    uint64_t offset;
    size_t length;
    struct buffer data;
    bool done;
    struct err err;
    struct bucket_piece *next;
};

struct bucket_fetch {
    struct s3 *s3;
    const char *bucket;
    bool tags;
    struct bucket_item *first, *last; /* asked for and not dropped */
    struct bucket_item *cursor;       /* the first that is not asked for whole; NULL: there is none */
    size_t memory;
    pthread_mutex_t mutex;
    pthread_cond_t work, done;
    pthread_t *threads;
    unsigned thread_count, thread_max, idle;
    size_t waiting; /* items from the cursor on */
    bool stopped;
    EVP_MD_CTX *md5; /* of the first item, when it comes in several pieces */
};

void bucket_facts_release(struct bucket_facts *facts) {
    s3_info_release(&facts->info);
    s3_headers_release(&facts->tags);
    *facts = (struct bucket_facts){ 0 };
}

void bucket_item_release(struct bucket_item *item) {
    bucket_listed_release(&item->listed);
    bucket_facts_release(&item->facts);
}

/* --- one piece ---------------------------------------------------------------------------------------------------- */

static int changed(const struct bucket_listed *listed, uint64_t length, struct err *err) {
    return err_set(err, ERR_CHANGED, "object '%s': %llu bytes came that do not fit the %llu it had when it was listed",
                   listed->key, (unsigned long long)length, (unsigned long long)listed->size);
}

static int not_as_its_etag(const struct bucket_listed *listed, struct err *err) {
    return err_set(err, ERR_CORRUPT, "object '%s': its content is not what its ETag says", listed->key);
}

/* An object without its tags is worth more than none; but one that is gone is looked for again, tags and all. */
static int fetch_tags(struct s3 *s3, const char *bucket, const char *key, struct bucket_facts *facts, struct err *err) {
    struct err why = { 0 };
    if (!bucket_info_has_tags(&facts->info))
        return 0;
    if (s3_get_tags(s3, bucket, key, facts->info.version, &facts->tags, &why) == 0)
        return 0;
    if (why.code == ERR_NOT_FOUND || why.code == ERR_INTERRUPTED) {
        *err = why;
        return -1;
    }
    facts->tags_err = why;
    return 0;
}

int bucket_fetch_piece(struct s3 *s3, const char *bucket, const struct bucket_listed *listed, uint64_t offset,
                       bool tags, struct buffer *data, struct bucket_facts *facts, struct err *err) {
    const bool whole = listed->size <= BUCKET_PIECE;
    const uint64_t left = listed->size - offset;
    const size_t length = left < BUCKET_PIECE ? (size_t)left : BUCKET_PIECE;
    const struct s3_get what = {
        .if_match = listed->etag[0] != '\0' ? listed->etag : NULL,
        .offset = offset,
        .length = whole ? UINT64_MAX : length,
        .max = BUCKET_PIECE,
    };

    buffer_reserve(data, length > 0 ? length : 1);
    if (s3_get(s3, bucket, listed->key, &what, data, offset == 0 ? &facts->info : NULL, err) < 0)
        return -1;
    if (data->length != length)
        return changed(listed, data->length, err);
    if (offset > 0)
        return 0;
    if (whole && s3_etag_is_md5(listed->etag) && s3_etag_is_of_content(&facts->info.headers)) {
        uint8_t md5[S3_MD5_SIZE];
        if (s3_md5(md5, data->data, data->length, err) < 0)
            return -1;
        if (!s3_etag_matches(listed->etag, md5))
            return not_as_its_etag(listed, err);
    }
    return tags ? fetch_tags(s3, bucket, listed->key, facts, err) : 0;
}

/* --- workers ------------------------------------------------------------------------------------------------------ */

/* The next piece that nobody fetches yet, in order, once there is memory for it. An item that waits alone always has
 * it. */
static struct bucket_piece *next_piece(struct bucket_fetch *fetch, struct bucket_item **from) {
    struct bucket_item *item = fetch->cursor;
    if (!item)
        return NULL;
    const uint64_t left = item->listed.size - item->asked;
    const size_t length = left < BUCKET_PIECE ? (size_t)left : BUCKET_PIECE;
    if (fetch->memory > 0 && fetch->memory + length > MEMORY_MAX)
        return NULL;

    struct bucket_piece *piece = mem_zalloc(sizeof *piece);
    piece->offset = item->asked;
    piece->length = length;
    if (item->last)
        item->last->next = piece;
    else
        item->first = piece;
    item->last = piece;
    item->asked += length;
    item->flying++;
    item->all_asked = item->asked == item->listed.size;
    if (item->all_asked) {
        fetch->cursor = item->next;
        fetch->waiting--;
    }
    fetch->memory += length;
    *from = item;
    return piece;
}

static void fetch_piece(struct bucket_fetch *fetch, struct bucket_item *item, struct bucket_piece *piece) {
    /* The first piece is the only one that writes the facts. An error says enough: its code is set. */
    if (bucket_fetch_piece(fetch->s3, fetch->bucket, &item->listed, piece->offset, fetch->tags, &piece->data,
                           &item->facts, &piece->err) < 0)
        buffer_release(&piece->data);

    pthread_mutex_lock(&fetch->mutex);
    piece->done = true;
    item->flying--;
    pthread_cond_broadcast(&fetch->done);
}

static void *work(void *context) {
    struct bucket_fetch *fetch = context;
    pthread_mutex_lock(&fetch->mutex);
    while (!fetch->stopped) {
        struct bucket_item *item;
        struct bucket_piece *piece = next_piece(fetch, &item);
        if (!piece) {
            fetch->idle++;
            pthread_cond_wait(&fetch->work, &fetch->mutex);
            fetch->idle--;
            continue;
        }
        pthread_mutex_unlock(&fetch->mutex);
        fetch_piece(fetch, item, piece); /* takes the mutex again */
    }
    pthread_mutex_unlock(&fetch->mutex);
    return NULL;
}

struct bucket_fetch *bucket_fetch_new(struct s3 *s3, const char *bucket, bool tags) {
    struct bucket_fetch *fetch = mem_zalloc(sizeof *fetch);
    fetch->s3 = s3;
    fetch->bucket = bucket;
    fetch->tags = tags;
    fetch->thread_max = s3_connections(s3) < BUCKET_CONNECTIONS ? s3_connections(s3) : BUCKET_CONNECTIONS;
    fetch->threads = mem_array(fetch->thread_max, sizeof *fetch->threads);
    fetch->md5 = mem_require(EVP_MD_CTX_new());
    pthread_mutex_init(&fetch->mutex, NULL);
    pthread_cond_init(&fetch->work, NULL);
    pthread_cond_init(&fetch->done, NULL);
    return fetch;
}

/* Threads are started as they are of use: a night without changes needs none. */
static int start_thread(struct bucket_fetch *fetch, struct err *err) {
    if (fetch->waiting < fetch->idle || fetch->thread_count == fetch->thread_max)
        return 0;
    if (pthread_create(&fetch->threads[fetch->thread_count], NULL, work, fetch) == 0)
        fetch->thread_count++;
    else if (fetch->thread_count == 0)
        return err_set(err, ERR_SYSTEM, "start a thread to read bucket '%s': the system refuses", fetch->bucket);
    return 0;
}

int bucket_fetch_ask(struct bucket_fetch *fetch, struct bucket_item *item, struct err *err) {
    pthread_mutex_lock(&fetch->mutex);
    const int result = start_thread(fetch, err);
    if (result == 0) {
        if (fetch->last)
            fetch->last->next = item;
        else
            fetch->first = item;
        fetch->last = item;
        fetch->waiting++;
        if (!fetch->cursor)
            fetch->cursor = item;
        pthread_cond_signal(&fetch->work);
    }
    pthread_mutex_unlock(&fetch->mutex);
    return result;
}

/* --- taking ------------------------------------------------------------------------------------------------------- */

/* Content of several pieces is hashed as it is taken. */
static int check_content(struct bucket_fetch *fetch, struct bucket_item *item, const struct buffer *data,
                         struct err *err) {
    if (item->listed.size <= BUCKET_PIECE || !s3_etag_is_md5(item->listed.etag) ||
        !s3_etag_is_of_content(&item->facts.info.headers))
        return 0;
    uint8_t md5[S3_MD5_SIZE];
    const bool begins = item->taken == 0, ends = item->taken + data->length == item->listed.size;
    if ((begins && EVP_DigestInit_ex(fetch->md5, EVP_md5(), NULL) != 1) ||
        EVP_DigestUpdate(fetch->md5, data->data, data->length) != 1 ||
        (ends && EVP_DigestFinal_ex(fetch->md5, md5, NULL) != 1))
        return err_set(err, ERR_SYSTEM, "object '%s': libcrypto cannot compute its MD5", item->listed.key);
    return ends && !s3_etag_matches(item->listed.etag, md5) ? not_as_its_etag(&item->listed, err) : 0;
}

int bucket_fetch_take(struct bucket_fetch *fetch, struct bucket_item *item, struct buffer *data, struct err *err) {
    pthread_mutex_lock(&fetch->mutex);
    while ((item->first && !item->first->done) || (!item->first && !item->all_asked))
        pthread_cond_wait(&fetch->done, &fetch->mutex);
    struct bucket_piece *piece = item->first;
    if (piece) {
        item->first = piece->next;
        if (!item->first)
            item->last = NULL;
        fetch->memory -= piece->length;
        pthread_cond_broadcast(&fetch->work);
    }
    pthread_mutex_unlock(&fetch->mutex);
    if (!piece)
        return 0;

    int result = 1;
    buffer_release(data);
    *data = piece->data;
    if (piece->err.code != ERR_NONE) {
        *err = piece->err;
        result = -1;
    } else if (check_content(fetch, item, data, err) < 0) {
        result = -1;
    }
    item->taken += piece->length;
    free(piece);
    return result;
}

void bucket_fetch_drop(struct bucket_fetch *fetch, struct bucket_item *item) {
    pthread_mutex_lock(&fetch->mutex);
    if (!item->all_asked) {
        item->all_asked = true;
        fetch->waiting--;
        if (fetch->cursor == item)
            fetch->cursor = item->next;
    }
    while (item->flying > 0)
        pthread_cond_wait(&fetch->done, &fetch->mutex);
    for (struct bucket_piece *piece = item->first, *next; piece; piece = next) {
        next = piece->next;
        fetch->memory -= piece->length;
        buffer_release(&piece->data);
        free(piece);
    }
    item->first = item->last = NULL;
    fetch->first = item->next;
    if (!fetch->first)
        fetch->last = NULL;
    pthread_cond_broadcast(&fetch->work);
    pthread_mutex_unlock(&fetch->mutex);
}

void bucket_fetch_free(struct bucket_fetch *fetch) {
    if (!fetch)
        return;
    pthread_mutex_lock(&fetch->mutex);
    fetch->stopped = true;
    fetch->cursor = NULL;
    pthread_cond_broadcast(&fetch->work);
    pthread_mutex_unlock(&fetch->mutex);
    for (unsigned i = 0; i < fetch->thread_count; i++)
        pthread_join(fetch->threads[i], NULL);
    while (fetch->first)
        bucket_fetch_drop(fetch, fetch->first);
    pthread_mutex_destroy(&fetch->mutex);
    pthread_cond_destroy(&fetch->work);
    pthread_cond_destroy(&fetch->done);
    EVP_MD_CTX_free(fetch->md5);
    free(fetch->threads);
    free(fetch);
}
