#include "s3_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * An upload is kept in memory, of which only what was written is ever used, and goes out in one request. One that grows
 * past S3_PUT_BEST moves to a file without a name, and goes out in parts. A service without parts (signature V2) gets
 * all from memory.
 */

enum { V2_UPLOAD_MAX = 1 << 30 };

struct upload {
    struct store_upload base;
    uint8_t *memory; /* mapped; NULL: nothing was written, or all is in the file */
    size_t mapped;
    int file; /* -1: all is in memory */
    uint64_t length;
};

static struct s3_store *store_of(const struct upload *upload) {
    return (struct s3_store *)upload->base.store;
}

int s3_store_upload_begin(struct store *store, struct store_upload **upload, struct err *err) {
    struct upload *new = mem_zalloc(sizeof *new);
    (void)err;

    new->base.store = store;
    new->file = -1;
    *upload = &new->base;
    return 0;
}

static void unmap(struct upload *upload) {
    if (upload->memory != NULL)
        munmap(upload->memory, upload->mapped);
    upload->memory = NULL;
    upload->mapped = 0;
}

void s3_store_upload_abort(struct store_upload *base) {
    struct upload *upload = (struct upload *)base;

    unmap(upload);
    if (upload->file >= 0)
        close(upload->file);
    free(upload);
}

/* Pages that were not touched take no memory, and pages move without being copied. */
static int map(struct upload *upload, size_t need, struct err *err) {
    size_t size = upload->mapped > 0 ? upload->mapped : S3_PUT_BEST;

    if (need <= upload->mapped)
        return 0;
    while (size < need)
        size *= 2;
    void *memory = upload->memory == NULL
                       ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                       : mremap(upload->memory, upload->mapped, size, MREMAP_MAYMOVE);
    if (memory == MAP_FAILED)
        return err_sys(err, "get %zu bytes of memory for an upload to '%s'", size, upload->base.store->label);
    upload->memory = memory;
    upload->mapped = size;
    return 0;
}

/* A file without a name, gone when it is closed or we die. */
static int open_spool(struct err *err) {
    const char *temporary = getenv("TMPDIR");
    const char *folder = temporary != NULL && *temporary != '\0' ? temporary : "/var/tmp";

    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        char *path = mem_format("%s/muniment-XXXXXX", folder);
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            unlink(path);
        free(path);
    }
    if (fd >= 0)
        return fd;
    err_sys(err, "make a temporary file in '%s'", folder);
    return err_hint(err, "TMPDIR names another folder");
}

static int write_spool(const struct upload *upload, const void *data, size_t length, struct err *err) {
    if (file_write_all(upload->file, data, length, "a temporary file", err) == 0)
        return 0;
    return err_hint(err, "objects of more than %d MiB pass through $TMPDIR or /var/tmp: make room there",
                    S3_PUT_BEST >> 20);
}

static int spool(struct upload *upload, const void *data, size_t length, struct err *err) {
    if (upload->file < 0) {
        upload->file = open_spool(err);
        if (upload->file < 0 || write_spool(upload, upload->memory, (size_t)upload->length, err) < 0)
            return -1;
        unmap(upload);
    }
    return write_spool(upload, data, length, err);
}

int s3_store_upload_write(struct store_upload *base, const void *data, size_t length, struct err *err) {
    struct upload *upload = (struct upload *)base;
    const bool parts = store_of(upload)->place.service.signature != S3_SIGNATURE_V2;
    const size_t most = parts ? S3_PUT_BEST : V2_UPLOAD_MAX;

    if (length == 0)
        return 0;
    if (upload->file >= 0 || length > most - (size_t)upload->length) {
        if (!parts)
            return err_set(err, ERR_UNSUPPORTED,
                           "'%s' is reached with signature V2, which takes objects of up to %d MiB", base->store->label,
                           V2_UPLOAD_MAX >> 20);
        if (spool(upload, data, length, err) < 0)
            return -1;
    } else {
        if (map(upload, (size_t)upload->length + length, err) < 0)
            return -1;
        memcpy(upload->memory + upload->length, data, length);
    }
    upload->length += length;
    return 0;
}

static int put(struct s3_store *store, const char *name, const void *data, size_t length, const struct s3_put *options,
               struct err *err) {
    char *key = s3_store_key(store, name);

    int status = s3_put(store->s3, store->place.bucket, key, length > 0 ? data : "", length, options, NULL, err);
    if (status < 0)
        s3_store_wrap(store, "write", name, err);
    free(key);
    return status;
}

int s3_store_upload_commit(struct store_upload *base, const char *name, struct err *err) {
    struct upload *upload = (struct upload *)base;
    struct s3_store *store = store_of(upload);
    const struct s3_put options = {
        .sha256 = upload->file < 0 && base->hashed ? base->sha256 : NULL,
        .lock = base->lock_until > 0 ? base->store->lock : S3_LOCK_NONE,
        .lock_until = base->lock_until,
    };
    int status;

    if (upload->file < 0) {
        status = put(store, name, upload->memory, (size_t)upload->length, &options, err);
    } else {
        const struct s3_parts_job job = { store, name, upload->file, upload->length, &options };
        status = s3_parts_send(&job, err);
        if (status < 0)
            s3_store_wrap(store, "write", name, err);
    }
    s3_store_upload_abort(base);
    return status;
}

int s3_store_put(struct store *store, const char *name, const void *data, size_t length, int64_t lock_until,
                 struct err *err) {
    const struct s3_put options = { .lock = lock_until > 0 ? store->lock : S3_LOCK_NONE, .lock_until = lock_until };
    return put((struct s3_store *)store, name, data, length, &options, err);
}
