#include "key_file_internal.h"
#include "key_paper_internal.h"
#include "verb_internal.h"
#include <muniment/repo/erasing.h>
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <stdlib.h>
#include <string.h>

static int need_option(const struct invocation *invocation, enum option option, const char *name, struct err *err) {
    if (option_given(&invocation->options, option))
        return 0;
    return err_set(err, ERR_INVALID, "'key %s' needs %s", invocation->words[0], name);
}

/* --- show --------------------------------------------------------------------------------------------------------- */

static void show_read_key(struct invocation *invocation, const struct opened_set *set) {
    struct buffer text = { 0 };
    buffer_reserve(&text, 4096);
    keys_read_text(set->keys, &text);
    output_text(invocation->output, "%s\n", buffer_text(&text));
    json_begin(invocation->output, "read_key");
    json_text(invocation->output, "set", set_title(set));
    json_text(invocation->output, "key", buffer_text(&text));
    json_end(invocation->output);
    buffer_wipe(&text);
}

static int key_show(struct invocation *invocation, struct opened_set *set, struct err *err) {
    (void)err;
    if (option_given(&invocation->options, OPTION_READ)) {
        show_read_key(invocation, set);
        return 0;
    }

    const struct keys *keys = set->keys;
    struct output *output = invocation->output;
    char read_print[17], root_print[17], host[17] = "";
    keys_fingerprint(read_print, keys->box_public);
    keys_fingerprint(root_print, keys->root_public);
    if (keys->can_sign)
        keys_host_name(keys, host);
    output_text(output, "set        %s (%s)\n", set_title(set), keys->set_name);
    output_text(output, "read key   fingerprint %s, %s\n", read_print,
                keys->can_read ? "known here" : "not known here");
    output_text(output, "root key   fingerprint %s\n", root_print);
    output_text(output, "this host  %s\n", keys->can_sign ? host : "has no signing key");
    json_begin(output, "key");
    json_text(output, "set", set_title(set));
    json_text(output, "set_id", keys->set_name);
    json_text(output, "read_key_fingerprint", read_print);
    json_text(output, "root_key_fingerprint", root_print);
    json_flag(output, "can_read", keys->can_read);
    json_text(output, "host", keys->can_sign ? host : NULL);
    json_end(output);
    return 0;
}

/* What an auditor needs, and whoever else verifies: it opens nothing. */
static int key_public(struct invocation *invocation, struct opened_set *set, struct err *err) {
    struct buffer text = { 0 };
    keys_public_text(set->keys, &text);
    output_text(invocation->output, "# muniment: public key of set %s. It verifies signatures and opens nothing.\n%s\n",
                set_title(set), buffer_text(&text));
    json_begin(invocation->output, "public_key");
    json_text(invocation->output, "set", set_title(set));
    json_text(invocation->output, "set_id", set->keys->set_name);
    json_text(invocation->output, "key", buffer_text(&text));
    json_end(invocation->output);
    buffer_release(&text);
    (void)err;
    return 0;
}

/* --- key files ---------------------------------------------------------------------------------------------------- */

static int write_key_to_option(struct invocation *invocation, struct opened_set *set, const struct keys *keys,
                               const char *comment, bool read, struct err *err) {
    const char *path = option_text(&invocation->options, OPTION_TO), *kind = read ? "read" : "write";
    if (key_file_write(path, comment, keys, read, err) != 0)
        return -1;
    output_text(invocation->output, "%s key of set %s: %s (new)\n", kind, set_title(set), path);
    json_begin(invocation->output, "key_file");
    json_text(invocation->output, "set", set_title(set));
    json_text(invocation->output, "kind", kind);
    json_text(invocation->output, "file", path);
    json_end(invocation->output);
    return 0;
}

static int key_new_host(struct invocation *invocation, struct opened_set *set, struct err *err) {
    if (need_option(invocation, OPTION_TO, "--to FILE for the new write key", err) != 0)
        return -1;
    struct keys keys = *set->keys; /* this host's own goes on signing what it does */
    keys_new_host(&keys);
    int result = write_key_to_option(
        invocation, set, &keys, "muniment: write key of another host. It makes backups and reads none.", false, err);
    keys_wipe(&keys);
    return result;
}

static int key_open(struct invocation *invocation, struct opened_set *set, struct err *err) {
    if (need_option(invocation, OPTION_TO, "--to FILE for the read key", err) != 0)
        return -1;
    return write_key_to_option(invocation, set, set->keys,
                               "muniment: READ key, from a wrapped copy. It opens every backup.", true, err);
}

/* --- wrapped copies ----------------------------------------------------------------------------------------------- */

static int journal_key(struct opened_set *set, const char *event, const char *id, struct err *err) {
    /* A read key alone signs nothing; the copy itself is no less good for it. */
    if (!set->keys->can_sign)
        return 0;
    struct journal_batch batch = { 0 };
    journal_add(&batch, clock_now(), event, "id", id, NULL);
    int result = journal_append(&set->repo, &batch, err);
    journal_batch_release(&batch);
    return result;
}

static void report_copy(struct invocation *invocation, const struct opened_set *set, const char *type, const char *id,
                        const char *label, int64_t created) {
    json_begin(invocation->output, type);
    json_text(invocation->output, "set", set_title(set));
    json_text(invocation->output, "id", id);
    json_text(invocation->output, "label", label);
    json_time(invocation->output, "created", created);
    json_end(invocation->output);
}

static int key_copy_add_verb(struct invocation *invocation, struct opened_set *set, struct err *err) {
    const char *label = option_text(&invocation->options, OPTION_LABEL);
    if (need_option(invocation, OPTION_LABEL, "--label NAME, so that the copy can be told from others", err) != 0)
        return -1;
    if (erasing_refuse(&set->repo, "wrap the read key", err) != 0)
        return -1;
    struct buffer passphrase = { 0 };
    struct key_copy copy = { 0 };
    int result = invocation_passphrase(invocation, true, &passphrase, err);
    if (result == 0)
        result = key_copy_add(set->store, set->keys, label, buffer_text(&passphrase), clock_now(), &copy, err);
    buffer_wipe(&passphrase);
    if (result == 0)
        result = journal_key(set, "key_added", copy.id, err);
    if (result != 0)
        return -1;
    output_text(invocation->output, "wrapped copy %s (%s) is in %s\n", copy.id, copy.label, store_label(set->store));
    report_copy(invocation, set, "key_copy_added", copy.id, copy.label, copy.created);
    return 0;
}

static int key_copy_list_verb(struct invocation *invocation, struct opened_set *set, struct err *err) {
    struct key_copy *copies = NULL;
    size_t count = 0;
    char found[FORM_TEXT];
    if (key_copy_list(set->store, set->keys, &copies, &count, err) != 0)
        return -1;
    output_text(invocation->output, "%s in %s\n", form_count(found, count, "wrapped copy"), store_label(set->store));
    struct table *table = table_new("lll");
    for (size_t i = 0; i < count; i++) {
        char when[FORM_TEXT];
        char *label = form_name(copies[i].label);
        table_cell(table, "%s", copies[i].id);
        table_cell(table, "%s", form_when(when, copies[i].created, clock_now()));
        table_cell(table, "%s", label);
        free(label);
        report_copy(invocation, set, "key_copy", copies[i].id, copies[i].label, copies[i].created);
    }
    table_print(table, invocation->output);
    free(copies);
    return 0;
}

/* The decision comes first, as with everything that is destroyed: a mirror follows it, and only it. */
static int remove_copy(struct opened_set *set, const char *id, struct err *err) {
    char name[REPO_NAME_MAX];
    uint8_t bytes[8];
    uint64_t size;
    int64_t modified;
    if (strlen(id) != 2 * sizeof bytes || !hex_decode(bytes, sizeof bytes, id))
        return err_set(err, ERR_INVALID, "'%s' is not the id of a key copy: 16 hexadecimal digits", id);
    if (store_stat(set->store, repo_name(&set->repo, name, "keys", id), &size, &modified, err) != 0) {
        err_wrap(err, "remove key copy %s", id);
        return err_hint(err, "'muniment key copy-list' lists them");
    }
    if (journal_key(set, "key_removed", id, err) != 0)
        return -1;
    return key_copy_remove(set->store, set->keys, id, err);
}

static int key_copy_remove_verb(struct invocation *invocation, struct opened_set *set, struct err *err) {
    const char *id = invocation->words[2];
    if (remove_copy(set, id, err) != 0)
        return -1;
    output_text(invocation->output, "wrapped copy %s is gone from %s\n", id, store_label(set->store));
    report_copy(invocation, set, "key_copy_removed", id, NULL, 0);
    return 0;
}

/* --- paper -------------------------------------------------------------------------------------------------------- */

static int key_paper(struct invocation *invocation, struct opened_set *set, struct err *err) {
    struct buffer key = { 0 }, sheet = { 0 };
    buffer_reserve(&key, 4096);
    buffer_reserve(&sheet, 65536);
    keys_read_text(set->keys, &key);
    key_paper_compose(&sheet, set_title(set), set->keys->set_name, buffer_text(&key), set->settings, set->services,
                      store_label(set->store), clock_now());
    output_text(invocation->output, "%s", buffer_text(&sheet));
    json_begin(invocation->output, "key_paper");
    json_text(invocation->output, "set", set_title(set));
    json_text(invocation->output, "text", buffer_text(&sheet));
    json_end(invocation->output);
    buffer_wipe(&key);
    buffer_wipe(&sheet);
    (void)err;
    return 0;
}

static const struct verb VERBS[] = {
    { "show", 2, 2, "one set", OPEN_TO_LIST, false, NULL, key_show },
    { "public", 2, 2, "one set", OPEN_TO_LIST, false, NULL, key_public },
    { "new-host", 2, 2, "one set", OPEN_TO_READ, false, NULL, key_new_host },
    { "copy-add", 2, 2, "one set", OPEN_TO_WRAP, false, NULL, key_copy_add_verb },
    { "copy-list", 2, 2, "one set", OPEN_TO_LIST, false, NULL, key_copy_list_verb },
    { "copy-remove", 3, 3, "a set and the id of a copy", OPEN_TO_LIST, false, NULL, key_copy_remove_verb },
    { "open", 2, 2, "one set", OPEN_TO_UNWRAP, false, NULL, key_open },
    { "paper", 2, 2, "one set", OPEN_TO_READ, false, NULL, key_paper },
    { 0 },
};

static int run_key(struct invocation *invocation, struct err *err) {
    const struct verb *found = verb_find(invocation, VERBS, err);
    if (found == NULL)
        return -1;
    struct verb verb = *found;
    /* `key show --read` is the only way of showing that may ask for the read key. */
    if (verb.run == key_show && option_given(&invocation->options, OPTION_READ))
        verb.opening = OPEN_TO_READ;
    return verb_run(invocation, &verb, invocation->words[1], err);
}

const struct command COMMAND_KEY = {
    .name = "key",
    .arguments = "show|public|new-host|copy-add|copy-list|copy-remove|open|paper SET [...]",
    .summary = "show, wrap, print and pass on the keys of a set",
    .help = "  show SET [--read]               ids and fingerprints; the read key itself only with --read\n"
            "  public SET                      what verifies reports and the journal, for an auditor\n"
            "  new-host SET --to FILE          a write key for another host\n"
            "  copy-add SET --label NAME       store a copy of the read key, wrapped by a passphrase\n"
            "  copy-list SET                   the wrapped copies\n"
            "  copy-remove SET ID              remove one from the store\n"
            "  open SET --to FILE              write the read key that a passphrase opens to a file\n"
            "  paper SET                       a recovery sheet to print\n"
            "The read key comes from the configuration or --key FILE; passphrases from --passphrase-file FILE, else\n"
            "from the terminal. 'open' works with --from STORE too.\n",
    .accepts = OPTIONS_OF_ANY_READING | OPTION_BIT(OPTION_MIRROR) | OPTION_BIT(OPTION_AS_OF) | OPTION_BIT(OPTION_READ) |
               OPTION_BIT(OPTION_TO) | OPTION_BIT(OPTION_LABEL),
    .least = 2,
    .most = 3,
    .run = run_key,
};
