#include <muniment/run/nightly.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Adds what the read key knows to what the write key knows. */
static int add_read_key(struct keys *keys, const char *path, struct err *err) {
    struct keys *read = sodium_malloc(sizeof *read);
    if (!read)
        return err_sys(err, "lock memory for the read key");
    int status = keys_load(read, path, err);
    if (status == 0 && !read->can_read)
        status = err_set(err, ERR_INVALID, "'%s' is not a read key", path);
    if (status == 0 && keys_add_read(keys, read, err) < 0)
        status = err_wrap(err, "'%s'", path);
    sodium_free(read); /* wipes it */
    return status;
}

/* A host that only restores may have the read key alone. */
static int load_keys(struct keys *keys, const struct set_settings *which, bool read, struct err *err) {
    if (keys_load(keys, which->write_key, err) == 0)
        return read && which->read_key ? add_read_key(keys, which->read_key, err) : 0;
    if (!read || !which->read_key || err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    return keys_load(keys, which->read_key, err);
}

/* Without a memory every file is read again, which is slow but right: so its trouble is only told. */
static char *prepare_state(const struct settings *settings, const struct keys *keys, struct log *log) {
    struct err why = { 0 };
    if (!settings->state || settings->state[0] == '\0')
        return NULL;
    char *state = mem_format("%s/%s", settings->state, keys->set_name);
    if (file_make_folders(state, 0700, &why) == 0)
        return state;
    log_detail(log, "this host cannot remember the last run: %s", why.message);
    free(state);
    return NULL;
}

int opened_set_open(struct opened_set *set, const struct settings *settings, const struct set_settings *which,
                    bool read, struct log *log, struct err *err) {
    *set = (struct opened_set){ .settings = which, .services = &settings->services, .lock = settings->repository_lock };
    if (sodium_init() < 0)
        return err_set(err, ERR_SYSTEM, "initialise libsodium");
    set->keys = sodium_malloc(sizeof *set->keys);
    if (!set->keys)
        return err_sys(err, "lock memory for the keys of set '%s'", which->name);
    memset(set->keys, 0, sizeof *set->keys);
    if (load_keys(set->keys, which, read, err) < 0)
        goto fail;

    const struct store_address address = {
        .path = settings->repository,
        .services = &settings->services,
        .lock = settings->repository_lock,
        .as_of = settings->as_of,
        .log = log,
    };
    if (store_open(&address, false, &set->store, err) < 0) {
        if (err->code == ERR_NOT_FOUND) {
            err->code = ERR_NO_REPOSITORY;
            err_hint(err,
                     "muniment init %s makes a new one; one that was lost comes back as a copy of a mirror's folder",
                     which->name);
        }
        goto fail;
    }
    if (repo_open(&set->repo, set->store, set->keys, log, err) < 0)
        goto fail;
    set->repo.journal_keep = which->journal_keep;
    set->state = prepare_state(settings, set->keys, log);
    if (set->state && s3_is_address(settings->repository))
        set->repo.cache = set->cache = mem_format("%s/cache", set->state);
    return 0;
fail:
    err_wrap(err, "open set '%s'", which->name);
    opened_set_close(set);
    return -1;
}

void opened_set_close(struct opened_set *set) {
    store_close(set->store);
    if (set->keys)
        sodium_free(set->keys);
    free(set->state);
    free(set->cache);
    *set = (struct opened_set){ 0 };
}
