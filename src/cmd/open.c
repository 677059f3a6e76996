#include "invocation_internal.h"
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool invocation_is_standalone(const struct invocation *invocation) {
    return option_given(&invocation->options, OPTION_FROM);
}

static int ask_for_read_key(const char *title, struct err *err) {
    err_set(err, ERR_KEY, "the read key of '%s' is not on this host", title);
    return err_hint(err, "name it with --key FILE, or open a wrapped copy with --passphrase-file FILE");
}

/* Puts the mirror in the repository's place, and the named key in that of the configuration. */
static int apply_options(struct invocation *invocation, struct set_settings *settings, struct err *err) {
    struct settings *all = &invocation->settings;
    const char *key = option_text(&invocation->options, OPTION_KEY);
    if (key != NULL) {
        free(settings->read_key);
        settings->read_key = mem_string(key);
    }

    const char *name = option_text(&invocation->options, OPTION_MIRROR);
    for (size_t i = 0; name != NULL && i < settings->mirror_count; i++) {
        if (strcmp(settings->mirrors[i].name, name) == 0) {
            free(all->repository);
            all->repository = mem_string(settings->mirrors[i].path);
            all->repository_lock = settings->mirrors[i].lock;
            name = NULL;
        }
    }
    if (name != NULL)
        return err_set(err, ERR_INVALID, "set '%s' has no mirror '%s'", settings->name, name);
    invocation_adjust_service(invocation, all->repository);
    return 0;
}

/* Which of a host's files is missing tells what is wrong: no repository yet, or no key. */
static int explain_absence(const struct invocation *invocation, const char *name, struct err *err) {
    if (s3_is_address(invocation->settings.repository)) {
        /* The keys are looked for first, so nobody has asked yet what the bucket holds. */
        if (err->code == ERR_NOT_FOUND)
            err->code = ERR_KEY;
        return err_hint(err, "'muniment init %s' makes what is missing of repository and keys", name);
    }
    char *mark = mem_format("%s/muniment", invocation->settings.repository);
    bool repository = access(mark, F_OK) == 0;
    free(mark);
    if (err->code == ERR_NOT_FOUND)
        err->code = repository ? ERR_KEY : ERR_NO_REPOSITORY;
    if (repository)
        return err_hint(err, "key files are made by 'muniment init %s' and never by a backup", name);
    return err_hint(err, "'muniment init %s' makes repository and keys", name);
}

/* Opens a wrapped copy with a passphrase and gives the set what it holds, beside what it has. */
static int unwrap(struct invocation *invocation, struct opened_set *set, struct err *err) {
    struct buffer passphrase = { 0 };
    struct keys keys = { 0 };
    int result = invocation_passphrase(invocation, false, &passphrase, err);
    if (result == 0)
        result = key_copy_open(set->store, set->keys->set_name, buffer_text(&passphrase), &keys, err);
    if (result == 0)
        result = keys_add_read(set->keys, &keys, err);
    buffer_wipe(&passphrase);
    keys_wipe(&keys);
    return result;
}

/* The time that --as-of looks back to; 0: none. Who writes does not look back ("rotate" means another thing by it). */
static int read_as_of(const struct invocation *invocation, enum opening opening, int64_t *as_of, struct err *err) {
    *as_of = 0;
    return opening == OPEN_TO_WRITE ? 0 : option_time(&invocation->options, OPTION_AS_OF, as_of, err);
}

static int open_configured(struct invocation *invocation, const char *name, enum opening opening,
                           struct opened_set *set, struct err *err) {
    struct set_settings *settings = NULL;
    if (invocation_find_set(invocation, name, &settings, err) != 0)
        return -1;
    if (apply_options(invocation, settings, err) != 0)
        return -1;

    /* A wrapped copy is tried only when it is asked for, because opening one takes a second: on the command line, or by
     * the environment of a host that has no read key. */
    const struct options *options = &invocation->options;
    bool asked = options->on_command_line[OPTION_PASSPHRASE_FILE] ||
                 (option_given(options, OPTION_PASSPHRASE_FILE) && settings->read_key == NULL);
    bool wrapped =
        opening == OPEN_TO_UNWRAP || (opening == OPEN_TO_READ && asked && !option_given(options, OPTION_KEY));
    bool read = (opening == OPEN_TO_READ && !wrapped) || opening == OPEN_TO_WRAP;

    /* A check goes as deep as the keys of this host allow. */
    if (opening == OPEN_TO_CHECK && settings->read_key != NULL)
        read = option_given(options, OPTION_KEY) || access(settings->read_key, F_OK) == 0;
    if (read_as_of(invocation, opening, &invocation->settings.as_of, err) != 0)
        return -1;
    if (opened_set_open(set, &invocation->settings, settings, read, invocation->log, err) != 0)
        return err->code == ERR_NOT_FOUND || err->code == ERR_NO_REPOSITORY ? explain_absence(invocation, name, err)
                                                                            : -1;
    if (wrapped)
        return unwrap(invocation, set, err);
    if ((opening == OPEN_TO_READ || opening == OPEN_TO_WRAP) && !set->keys->can_read)
        return ask_for_read_key(name, err);
    return 0;
}

static int open_standalone(struct invocation *invocation, enum opening opening, struct opened_set *set,
                           struct err *err) {
    const struct options *options = &invocation->options;
    if (option_given(options, OPTION_MIRROR))
        return err_set(err, ERR_INVALID, "--from names the store already: --mirror is of no use beside it");

    if (opening == OPEN_TO_WRAP && !option_given(options, OPTION_KEY))
        return ask_for_read_key(option_text(options, OPTION_FROM), err);
    struct buffer passphrase = { 0 };
    const char *key = opening == OPEN_TO_UNWRAP ? NULL : option_text(options, OPTION_KEY);
    if (key == NULL && invocation_passphrase(invocation, false, &passphrase, err) != 0)
        return -1;
    struct store_address address = { .path = option_text(options, OPTION_FROM), .log = invocation->log };
    if (invocation_services(invocation, address.path, &address.services, err) != 0 ||
        read_as_of(invocation, opening, &address.as_of, err) != 0) {
        buffer_wipe(&passphrase);
        return -1;
    }
    invocation_adjust_service(invocation, address.path);
    int result =
        opened_set_open_alone(set, &address, key, key == NULL ? buffer_text(&passphrase) : NULL, invocation->log, err);
    buffer_wipe(&passphrase);
    if (result != 0)
        return -1;
    if ((opening == OPEN_TO_READ || opening == OPEN_TO_WRAP) && !set->keys->can_read)
        return err_set(err, ERR_KEY, "'%s' is a write key: reading takes the read key", key);
    return 0;
}

/* The public key opens a store wherever it is named: by --from, or by the configuration. */
static int open_public(struct invocation *invocation, const char *name, struct opened_set *set, struct err *err) {
    struct set_settings *settings = NULL;
    struct store_address address = { .path = option_text(&invocation->options, OPTION_FROM), .log = invocation->log };
    if (address.path == NULL) {
        if (invocation_find_set(invocation, name, &settings, err) != 0 || apply_options(invocation, settings, err) != 0)
            return -1;
        address.path = invocation->settings.repository;
    }
    if (invocation_services(invocation, address.path, &address.services, err) != 0 ||
        read_as_of(invocation, OPEN_TO_VERIFY, &address.as_of, err) != 0)
        return -1;
    invocation_adjust_service(invocation, address.path);
    return opened_set_open_public(set, &address, option_text(&invocation->options, OPTION_PUBLIC_KEY), invocation->log,
                                  err);
}

int invocation_open(struct invocation *invocation, const char *name, enum opening opening, struct opened_set *set,
                    struct err *err) {
    *set = (struct opened_set){ 0 };
    if (opening == OPEN_TO_VERIFY && option_given(&invocation->options, OPTION_PUBLIC_KEY))
        return open_public(invocation, name, set, err);
    if (invocation_is_standalone(invocation))
        return open_standalone(invocation, opening, set, err);
    return open_configured(invocation, name, opening, set, err);
}

void invocation_used_key(struct invocation *invocation, struct opened_set *set, const char *snapshot,
                         const char *target, int result, const struct err *err) {
    const struct options *options = &invocation->options;
    char command[40];
    bool verb = invocation->command == &COMMAND_KEY;
    snprintf(command, sizeof command, "%s%s%s", invocation->command->name, verb ? " " : "",
             verb ? invocation->words[0] : "");
    const struct key_use use = {
        .command = command,
        .snapshot = snapshot,
        .target = target,
        .status = result == 0 ? invocation->status : err_exit_status(err->code),
    };
    bool own = set->settings != NULL && !option_given(options, OPTION_MIRROR) && !option_given(options, OPTION_AS_OF);
    if (own)
        key_use_journal(set, &use);
}
