/*
 * What a bucket does by itself - versions, locks, lifecycle rules - held against what the policies promise.
 */
#ifndef MUNIMENT_RUN_BUCKET_H
#define MUNIMENT_RUN_BUCKET_H

#include <muniment/retention/lint.h>
#include <muniment/run/settings.h>
#include <muniment/s3/client.h>
#include <muniment/util/log.h>

/* Asks the bucket of an address. Does not wait for a service that is away. Released with s3_bucket_release(). */
int bucket_describe(const char *address, const struct s3_services *services, struct log *log, struct s3_bucket *bucket,
                    struct err *err) MUST_CHECK;

/* After how many days the bucket's rules end what is hidden at an address; 0: never, or it is not known. */
int64_t bucket_hidden_days(const struct s3_bucket *bucket, const char *address, const struct s3_services *services);

/* A store that a set uses: its repository, or one of its mirrors. */
struct bucket_use {
    const struct set_settings *set;
    enum s3_lock_mode lock;
    const char *prefix; /* of its address */
};

/* Holds a description against a use, and appends what is to be said. An error: the store cannot be used so. Talks to
 * nobody. */
void bucket_judge(const struct s3_bucket *bucket, const struct bucket_use *use, struct lint *lint);

#endif
