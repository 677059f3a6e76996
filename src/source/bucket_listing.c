#include "bucket_internal.h"
#include <muniment/util/memory.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Several pages: while one is worked off the next is on its way. */
enum { AHEAD = 4096 };

struct bucket_listing {
    struct s3 *s3;
    char *bucket, *prefix, *start_after;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t room, there;
    struct bucket_listed *ring;
    size_t first, count;
    bool ended, stopped;
    struct err err; /* code ERR_NONE: it ended well */
};

void bucket_listed_release(struct bucket_listed *listed) {
    free(listed->key);
    free(listed->etag);
    *listed = (struct bucket_listed){ 0 };
}

static int take_listed(void *context, const struct s3_listed *object, struct err *err) {
    struct bucket_listing *listing = context;
    struct bucket_listed listed = { mem_string(object->key), mem_string(object->etag ? object->etag : ""), object->size,
                                    object->modified };

    pthread_mutex_lock(&listing->mutex);
    while (listing->count == AHEAD && !listing->stopped)
        pthread_cond_wait(&listing->room, &listing->mutex);
    const bool stopped = listing->stopped;
    if (!stopped) {
        listing->ring[(listing->first + listing->count++) % AHEAD] = listed;
        pthread_cond_signal(&listing->there);
    }
    pthread_mutex_unlock(&listing->mutex);
    if (!stopped)
        return 0;
    bucket_listed_release(&listed);
    return err_set(err, ERR_INTERRUPTED, "the listing is not needed any more");
}

static void *list(void *context) {
    struct bucket_listing *listing = context;
    struct err err = { 0 };
    const int result =
        s3_list(listing->s3, listing->bucket, listing->prefix, listing->start_after, take_listed, listing, &err);
    pthread_mutex_lock(&listing->mutex);
    if (result != 0)
        listing->err = err;
    listing->ended = true;
    pthread_cond_signal(&listing->there);
    pthread_mutex_unlock(&listing->mutex);
    return NULL;
}

static void listing_free(struct bucket_listing *listing) {
    for (size_t i = 0; i < listing->count; i++)
        bucket_listed_release(&listing->ring[(listing->first + i) % AHEAD]);
    pthread_mutex_destroy(&listing->mutex);
    pthread_cond_destroy(&listing->room);
    pthread_cond_destroy(&listing->there);
    free(listing->ring);
    free(listing->bucket);
    free(listing->prefix);
    free(listing->start_after);
    free(listing);
}

int bucket_listing_start(struct s3 *s3, const char *bucket, const char *prefix, const char *start_after,
                         struct bucket_listing **started, struct err *err) {
    struct bucket_listing *listing = mem_zalloc(sizeof *listing);
    listing->s3 = s3;
    listing->bucket = mem_string(bucket);
    listing->prefix = mem_string(prefix);
    listing->start_after = mem_string(start_after);
    listing->ring = mem_array(AHEAD, sizeof *listing->ring);
    pthread_mutex_init(&listing->mutex, NULL);
    pthread_cond_init(&listing->room, NULL);
    pthread_cond_init(&listing->there, NULL);
    if (pthread_create(&listing->thread, NULL, list, listing) != 0) {
        listing_free(listing);
        return err_set(err, ERR_SYSTEM, "start a thread to list bucket '%s': the system refuses", bucket);
    }
    *started = listing;
    return 0;
}

enum bucket_listing_result bucket_listing_next(struct bucket_listing *listing, bool wait, struct bucket_listed *listed,
                                               struct err *err) {
    enum bucket_listing_result result = BUCKET_LISTING_LATER;

    pthread_mutex_lock(&listing->mutex);
    while (wait && listing->count == 0 && !listing->ended)
        pthread_cond_wait(&listing->there, &listing->mutex);
    if (listing->count > 0) {
        *listed = listing->ring[listing->first];
        listing->first = (listing->first + 1) % AHEAD;
        listing->count--;
        pthread_cond_signal(&listing->room);
        result = BUCKET_LISTING_ITEM;
    } else if (listing->ended && listing->err.code != ERR_NONE) {
        *err = listing->err;
        result = BUCKET_LISTING_FAILED;
    } else if (listing->ended) {
        result = BUCKET_LISTING_END;
    }
    pthread_mutex_unlock(&listing->mutex);
    return result;
}

void bucket_listing_stop(struct bucket_listing *listing) {
    if (!listing)
        return;
    pthread_mutex_lock(&listing->mutex);
    listing->stopped = true;
    pthread_cond_signal(&listing->room);
    pthread_mutex_unlock(&listing->mutex);
    pthread_join(listing->thread, NULL);
    listing_free(listing);
}
