#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"
#include "scratch_bucket.h"

static const char GUEST_POLICY[] =
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
    "\"Principal\":{\"AWS\":[\"arn:aws:iam:::user/other\"]},"
    "\"Action\":[\"s3:ListBucket\",\"s3:ListBucketVersions\",\"s3:GetObject\",\"s3:GetObjectVersion\",\"s3:PutObject\","
    "\"s3:DeleteObject\",\"s3:GetBucketVersioning\",\"s3:GetObjectRetention\",\"s3:GetObjectLegalHold\"],"
    "\"Resource\":[\"arn:aws:s3:::%s\",\"arn:aws:s3:::%s/*\"]}]}";

void scratch_bucket_invite(const struct scratch_bucket *bucket) {
    char *folder = scratch_make(), *path = mem_format("%s/policy", folder);
    char *policy = mem_format(GUEST_POLICY, bucket->name, bucket->name);
    struct err err = { 0 };

    assert_success(file_replace(path, 0600, policy, strlen(policy), &err), &err);
    test_rgw_admin(NULL, "policy", bucket->name, path, NULL);
    free(policy);
    free(path);
    scratch_remove(folder);
}

struct scratch_bucket *scratch_bucket_make(const char *name, const char *prefix, const char *endpoint) {
    struct scratch_bucket *bucket = mem_zalloc(sizeof *bucket);

    bucket->name = mem_string(name);
    bucket->address = mem_format("s3:test/%s/%s", name, prefix);
    bucket->guest = mem_format("s3:guest/%s/%s", name, prefix);
    bucket->services.count = 2;
    bucket->services.items = mem_array(bucket->services.count, sizeof *bucket->services.items);
    for (size_t i = 0; i < bucket->services.count; i++) {
        test_rgw_service(&bucket->services.items[i], endpoint);
        bucket->services.items[i].name = mem_string(i == 0 ? "test" : "guest");
    }
    free(bucket->services.items[1].credentials);
    bucket->services.items[1].credentials = mem_string(test_rgw_other_credentials());
    bucket->client = test_rgw_client(NULL);
    return bucket;
}

struct scratch_bucket *scratch_bucket_new(enum test_bucket kind) {
    char *name = test_rgw_bucket(kind);
    struct scratch_bucket *bucket = scratch_bucket_make(name, "p", NULL);

    free(name);
    return bucket;
}

void scratch_bucket_drop(struct scratch_bucket *bucket) {
    test_rgw_drop(mem_string(bucket->name));
    scratch_bucket_free(bucket);
}

void scratch_bucket_free(struct scratch_bucket *bucket) {
    s3_close(bucket->client);
    s3_services_release(&bucket->services);
    free(bucket->name);
    free(bucket->address);
    free(bucket->guest);
    free(bucket);
}
