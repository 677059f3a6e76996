#include "store_internal.h"

int s3_store_open(const struct store_address *address, bool create, struct store **store, struct err *err) {
    (void)create;
    (void)store;
    return err_set(err, ERR_UNSUPPORTED, "'%s' is object storage", address->path);
}
