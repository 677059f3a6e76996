#include "bucket_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

char *bucket_root_name(const struct s3_place *root) {
    return mem_format("%s%s%s", root->bucket, root->prefix[0] ? "/" : "", root->prefix);
}

int bucket_connect(const struct s3_service *service, struct log *log, struct s3 **s3, struct err *err) {
    struct s3_service wide = *service; /* s3_open() copies what it keeps */
    if (wide.connections == 0)
        wide.connections = BUCKET_CONNECTIONS;
    return s3_open(&wide, log, s3, err);
}

static int compare_roots(const void *left, const void *right) {
    const struct s3_place *a = left, *b = right;
    char *one = bucket_path(a->bucket, a->prefix), *other = bucket_path(b->bucket, b->prefix);
    const int order = strcmp(one, other);
    free(one);
    free(other);
    return order;
}

static bool same_service(const struct s3_service *left, const struct s3_service *right) {
    return strcmp(left->endpoint, right->endpoint) == 0 &&
           (left->name ? right->name && strcmp(left->name, right->name) == 0 : !right->name);
}

/* Neighbours tell it all: what lies within another sorts directly behind it, and buckets of one name stand together. */
static int check_pair(const struct s3_place *left, const struct s3_place *right, struct err *err) {
    if (strcmp(left->bucket, right->bucket) != 0)
        return 0;
    if (!same_service(&left->service, &right->service)) {
        err_set(err, ERR_INVALID, "bucket '%s' is named of two services, and its objects could not be told apart",
                left->bucket);
        return err_hint(err, "make a source of its own for each service");
    }
    if (strncmp(left->prefix, right->prefix, strlen(left->prefix)) != 0)
        return 0;
    char *one = bucket_root_name(left), *other = bucket_root_name(right);
    err_set(err, ERR_INVALID, "'%s' is part of '%s': its objects would be captured twice", other, one);
    free(one);
    free(other);
    return -1;
}

int bucket_roots_load(const struct source *source, struct bucket_roots *roots, struct err *err) {
    const struct strings *places = &source->bucket.places;

    *roots = (struct bucket_roots){ 0 };
    if (places->count == 0)
        return err_set(err, ERR_INVALID, "no buckets are configured");
    roots->items = mem_array(places->count, sizeof *roots->items);
    for (; roots->count < places->count; roots->count++) {
        struct s3_place *root = &roots->items[roots->count];
        const char *address = places->items[roots->count];
        if (s3_place_parse(address, source->bucket.services, root, err) < 0)
            goto failed;
        if (root->bucket[0] == '\0') {
            s3_place_release(root);
            err_set(err, ERR_INVALID, "address '%s' names no bucket", address);
            goto failed;
        }
    }
    qsort(roots->items, roots->count, sizeof *roots->items, compare_roots);
    for (size_t i = 1; i < roots->count; i++)
        if (check_pair(&roots->items[i - 1], &roots->items[i], err) < 0)
            goto failed;
    return 0;

failed:
    bucket_roots_release(roots);
    return -1;
}

void bucket_roots_release(struct bucket_roots *roots) {
    for (size_t i = 0; i < roots->count; i++)
        s3_place_release(&roots->items[i]);
    free(roots->items);
    *roots = (struct bucket_roots){ 0 };
}
