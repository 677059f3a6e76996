#include "invocation_internal.h"
#include "key_file_internal.h"
#include <libgen.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the read key goes: the option, the configuration, else beside the write key. The caller frees it. */
static char *read_key_path(const struct invocation *invocation, const struct set_settings *settings) {
    const char *option = option_text(&invocation->options, OPTION_READ_KEY);
    if (option != NULL)
        return mem_string(option);
    if (settings->read_key != NULL)
        return mem_string(settings->read_key);
    size_t length = strlen(settings->write_key);
    size_t suffix = strlen(".write");
    if (length > suffix && strcmp(settings->write_key + length - suffix, ".write") == 0)
        length -= suffix;
    return mem_format("%.*s.read", (int)length, settings->write_key);
}

int key_file_write(const char *path, const char *comment, const struct keys *keys, bool read, struct err *err) {
    char *folder_of = mem_string(path);
    int result = file_make_folders(dirname(folder_of), 0700, err);
    free(folder_of);
    if (result != 0)
        return -1;

    struct buffer text = { 0 };
    buffer_reserve(&text, 4096);
    buffer_printf(&text, "# %s\n", comment);
    if (read)
        keys_read_text(keys, &text);
    else
        keys_write_text(keys, &text);
    buffer_put_u8(&text, '\n');
    result = file_create(path, 0400, text.data, text.length, err);
    buffer_wipe(&text);
    return result;
}

/*
 * The keys of the set: those that are there, or new ones. The read key is written first: a write key whose read key was
 * lost half-way would make backups that nobody can read.
 */
static int prepare_keys(const struct set_settings *settings, const char *read_path, struct keys *keys, bool *read_made,
                        bool *write_made, struct err *err) {
    if (access(settings->write_key, F_OK) == 0)
        return keys_load(keys, settings->write_key, err);

    if (access(read_path, F_OK) == 0) {
        if (keys_load(keys, read_path, err) != 0)
            return -1;
        if (!keys->can_read)
            return err_set(err, ERR_KEY, "'%s' is not a read key", read_path);
        keys_new_host(keys);
    } else {
        keys_generate(keys);
        char *comment =
            mem_format("muniment: READ key of set %s. It opens every backup: keep it off this host.", settings->name);
        int written = key_file_write(read_path, comment, keys, true, err);
        free(comment);
        if (written != 0)
            return -1;
        *read_made = true;
    }

    char *comment =
        mem_format("muniment: write key of set %s on this host. It makes backups and reads none.", settings->name);
    int written = key_file_write(settings->write_key, comment, keys, false, err);
    free(comment);
    *write_made = written == 0;
    return written;
}

/* A store that is not there is made, with the object that says what it is. */
static int prepare_store(const struct invocation *invocation, struct store **store, struct err *err) {
    const struct store_address address = {
        .path = invocation->settings.repository,
        .services = &invocation->settings.services,
        .lock = invocation->settings.repository_lock,
        .log = invocation->log,
    };
    if (store_open(&address, true, store, err) != 0)
        return -1;
    return repo_create(*store, err);
}

static void report(struct invocation *invocation, const struct set_settings *settings, const struct keys *keys,
                   const char *read_path, bool read_made, bool write_made) {
    struct output *output = invocation->output;
    output_text(output, "set %s (%s) in %s\n", settings->name, keys->set_name, invocation->settings.repository);
    output_text(output, "write key: %s%s\n", settings->write_key, write_made ? " (new)" : "");
    if (read_made) {
        output_text(output, "read key:  %s (new)\n", read_path);
        output_text(output,
                    "\nWithout the read key no backup can be read, by anyone. Now, before the first backup:\n"
                    "  1. print it:            muniment key paper %s --key %s\n"
                    "  2. keep wrapped copies: muniment key copy-add %s --key %s --label NAME\n"
                    "  3. move %s off this host.\n",
                    settings->name, read_path, settings->name, read_path, read_path);
    }
    json_begin(output, "init");
    json_text(output, "set", settings->name);
    json_text(output, "set_id", keys->set_name);
    json_text(output, "repository", invocation->settings.repository);
    json_text(output, "write_key", settings->write_key);
    json_flag(output, "write_key_made", write_made);
    json_text(output, "read_key", read_made ? read_path : NULL);
    json_flag(output, "read_key_made", read_made);
    json_end(output);
}

static int run_init(struct invocation *invocation, struct err *err) {
    struct set_settings *settings = NULL;
    if (invocation_find_set(invocation, invocation->words[0], &settings, err) != 0)
        return -1;
    if (sodium_init() < 0)
        return err_set(err, ERR_SYSTEM, "start libsodium");

    int result = -1;
    bool read_made = false, write_made = false;
    struct store *store = NULL;
    struct keys keys = { 0 };
    char *read_path = read_key_path(invocation, settings);

    /* The repository, then the keys: a key without a store is only a file. */
    if (prepare_store(invocation, &store, err) != 0)
        goto out;
    if (prepare_keys(settings, read_path, &keys, &read_made, &write_made, err) != 0)
        goto out;

    /* Where this host remembers the last trees. */
    if (file_make_folders(invocation->settings.state, 0700, err) != 0)
        goto out;

    /* Mirrors are made here and nowhere else: a run that made them would fill an unmounted mount point. They stay
     * empty: whose mirror a place is, the first copy writes down. */
    for (size_t i = 0; i < settings->mirror_count; i++) {
        const struct store_address address = {
            .path = settings->mirrors[i].path,
            .services = &invocation->settings.services,
            .lock = settings->mirrors[i].lock,
            .log = invocation->log,
        };
        struct store *mirror = NULL;
        struct err trouble = { 0 };
        if (store_open(&address, true, &mirror, &trouble) != 0)
            log_warning(invocation->log, "mirror '%s' is not ready: %s", settings->mirrors[i].name, trouble.message);
        store_close(mirror);
    }
    report(invocation, settings, &keys, read_path, read_made, write_made);
    result = 0;
out:
    keys_wipe(&keys);
    store_close(store);
    free(read_path);
    return result;
}

const struct command COMMAND_INIT = {
    .name = "init",
    .arguments = "SET [--read-key FILE]",
    .summary = "make the repository, its mirrors, and the keys of a set",
    .help = "Makes what is missing and leaves what is there. New keys are written when the file of the write key does\n"
            "not exist: the read key to --read-key FILE (default: the configuration's, else beside the write key with\n"
            "the ending .read), then the write key. Where only the read key exists, this host gets a write key of its\n"
            "own for the same set.\n",
    .accepts = OPTION_BIT(OPTION_READ_KEY),
    .least = 1,
    .most = 1,
    .run = run_init,
};
