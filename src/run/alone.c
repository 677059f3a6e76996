#include <muniment/run/nightly.h>
#include <muniment/util/hex.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* The set whose folder an object is in; false for objects that are no wrapped keys. */
static bool is_wrapped_key(const char *name, char set_name[2 * SET_ID_SIZE + 1]) {
    uint8_t id[SET_ID_SIZE];
    if (!hex_decode(id, SET_ID_SIZE, name) || strncmp(name + 2 * SET_ID_SIZE, "/keys/", 6) != 0)
        return false;
    hex_encode(set_name, id, SET_ID_SIZE);
    return true;
}

/* Tries the passphrase on every set of the store that has wrapped keys. */
static int open_wrapped(struct opened_set *set, const char *passphrase, struct err *err) {
    struct store_names names = { 0 };
    if (store_names_load(set->store, "", &names, err) != 0)
        return -1;

    int result = -1;
    char last[2 * SET_ID_SIZE + 1] = "";
    char set_name[2 * SET_ID_SIZE + 1];
    for (size_t i = 0; i < names.count && result != 0; i++) {
        if (!is_wrapped_key(names.items[i].name, set_name) || strcmp(set_name, last) == 0)
            continue;
        memcpy(last, set_name, sizeof last);
        err_clear(err);
        result = key_copy_open(set->store, set_name, passphrase, set->keys, err);
        if (result != 0 && err->code != ERR_KEY)
            break;
    }
    if (last[0] == '\0') {
        err_set(err, ERR_KEY, "'%s' holds no wrapped copy of a key", store_label(set->store));
        err_hint(err, "name a key with --key FILE");
    }
    store_names_release(&names);
    return result;
}

static int begin(struct opened_set *set, const struct store_address *address, struct err *err) {
    *set = (struct opened_set){ .services = address->services };
    if (sodium_init() < 0)
        return err_set(err, ERR_SYSTEM, "start libsodium");
    set->keys = sodium_malloc(sizeof *set->keys);
    if (set->keys == NULL)
        return err_sys(err, "lock memory for keys");
    memset(set->keys, 0, sizeof *set->keys);
    return 0;
}

static int open_repository(struct opened_set *set, const struct store_address *address, struct log *log,
                           struct err *err) {
    if (store_open(address, false, &set->store, err) != 0) {
        if (err->code == ERR_NOT_FOUND)
            err->code = ERR_NO_REPOSITORY;
        return -1;
    }
    return repo_open(&set->repo, set->store, set->keys, log, err);
}

/* The key first: a wrong one is a plainer answer than an absent store. */
int opened_set_open_alone(struct opened_set *set, const struct store_address *address, const char *key,
                          const char *passphrase, struct log *log, struct err *err) {
    if (begin(set, address, err) != 0 || (key != NULL && keys_load(set->keys, key, err) != 0) ||
        open_repository(set, address, log, err) != 0)
        return -1;
    return key == NULL ? open_wrapped(set, passphrase, err) : 0;
}

int opened_set_open_public(struct opened_set *set, const struct store_address *address, const char *public_key,
                           struct log *log, struct err *err) {
    if (begin(set, address, err) != 0 || keys_load_public(set->keys, public_key, err) != 0)
        return -1;
    return open_repository(set, address, log, err);
}
