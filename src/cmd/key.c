#include "invocation_internal.h"
#include "key_file_internal.h"
#include "key_paper_internal.h"
#include <muniment/repo/erasing.h>
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdlib.h>
#include <string.h>

/* One verb of `muniment key`. */
struct key_verb {
    const char *name;
    enum opening opening;
    int (*run)(struct invocation *invocation, struct opened_set *set, struct err *err);
};

/* The words after the verb and the set. */
static const char *third_word(const struct invocation *invocation) {
    return invocation->word_count > 2 ? invocation->words[2] : NULL;
}

static int need_option(const struct invocation *invocation, enum option option, const char *name, struct err *err) {
    if (option_given(&invocation->options, option))
        return 0;
    return err_set(err, ERR_INVALID, "'key %s' needs %s", invocation->words[0], name);
}

/* --- show --------------------------------------------------------------------------------------------------------- */

static int show_read_key(struct invocation *invocation, const struct opened_set *set, struct err *err) {
    if (!set->keys->can_read) {
        err_set(err, ERR_KEY, "the read key of '%s' is not on this host", set_title(set));
        return err_hint(err, "name it with --key FILE, or open a wrapped copy with 'muniment key open'");
    }
    struct buffer text = { 0 };
    buffer_reserve(&text, 4096);
    keys_read_text(set->keys, &text);
    output_text(invocation->output, "%s\n", buffer_text(&text));
    json_begin(invocation->output, "read_key");
    json_text(invocation->output, "set", set_title(set));
    json_text(invocation->output, "key", buffer_text(&text));
    json_end(invocation->output);
    buffer_wipe(&text);
    return 0;
}

static int key_show(struct invocation *invocation, struct opened_set *set, struct err *err) {
    if (option_given(&invocation->options, OPTION_READ))
        return show_read_key(invocation, set, err);

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
                               const char *comment, bool read, const char *type, struct err *err) {
    const char *path = option_text(&invocation->options, OPTION_TO);
    if (key_file_write(path, comment, keys, read, err) != 0)
        return -1;
    output_text(invocation->output, "%s key of set %s: %s (new)\n", type, set_title(set), path);
    json_begin(invocation->output, "key_file");
    json_text(invocation->output, "set", set_title(set));
    json_text(invocation->output, "kind", type);
    json_text(invocation->output, "file", path);
    json_end(invocation->output);
    return 0;
}

static int key_new_host(struct invocation *invocation, struct opened_set *set, struct err *err) {
    if (need_option(invocation, OPTION_TO, "--to FILE for the new write key", err) != 0)
        return -1;
    struct keys keys = *set->keys; /* this host's own goes on signing what it does */
    keys_new_host(&keys);
    int result = write_key_to_option(invocation, set, &keys,
                                     "muniment: write key of another host. It makes backups and reads none.", false,
                                     "write", err);
    keys_wipe(&keys);
    return result;
}

static int key_open(struct invocation *invocation, struct opened_set *set, struct err *err) {
    if (need_option(invocation, OPTION_TO, "--to FILE for the read key", err) != 0)
        return -1;
    return write_key_to_option(invocation, set, set->keys,
                               "muniment: READ key, from a wrapped copy. It opens every backup.", true, "read", err);
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
    if (key_copy_list(set->store, set->keys, &copies, &count, err) != 0)
        return -1;
    output_text(invocation->output, "%zu wrapped %s in %s\n", count, count == 1 ? "copy" : "copies",
                store_label(set->store));
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
    const char *id = third_word(invocation);
    if (id == NULL)
        return err_set(err, ERR_INVALID, "'key copy-remove' needs the id of the copy");
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

static const struct key_verb VERBS[] = {
    { "show", OPEN_TO_LIST, key_show },
    { "public", OPEN_TO_LIST, key_public },
    { "new-host", OPEN_TO_READ, key_new_host },
    { "copy-add", OPEN_TO_WRAP, key_copy_add_verb },
    { "copy-list", OPEN_TO_LIST, key_copy_list_verb },
    { "copy-remove", OPEN_TO_LIST, key_copy_remove_verb },
    { "open", OPEN_TO_UNWRAP, key_open },
    { "paper", OPEN_TO_READ, key_paper },
};
enum { VERB_COUNT = sizeof VERBS / sizeof *VERBS };

static const struct key_verb *verb_find(const char *name, struct err *err) {
    const char *names[VERB_COUNT];
    for (size_t i = 0; i < VERB_COUNT; i++) {
        names[i] = VERBS[i].name;
        if (strcmp(VERBS[i].name, name) == 0)
            return &VERBS[i];
    }
    const char *nearest = pattern_nearest(name, names, VERB_COUNT);
    err_set(err, ERR_INVALID, "'key' has no verb '%s'", name);
    if (nearest != NULL)
        err_hint(err, "did you mean '%s'?", nearest);
    return NULL;
}

static int run_key(struct invocation *invocation, struct err *err) {
    const struct key_verb *verb = verb_find(invocation->words[0], err);
    if (verb == NULL)
        return -1;
    if (third_word(invocation) != NULL && verb->run != key_copy_remove_verb)
        return err_set(err, ERR_INVALID, "'key %s' takes one set", verb->name);

    /* `key show --read` is the only way of showing that may ask for the read key. */
    enum opening opening = verb->opening;
    if (verb->run == key_show && option_given(&invocation->options, OPTION_READ))
        opening = OPEN_TO_READ;
    struct opened_set set = { 0 };
    int result = invocation_open(invocation, invocation->words[1], opening, &set, err);
    bool used = opening == OPEN_TO_READ || opening == OPEN_TO_UNWRAP;
    if (result == 0)
        result = verb->run(invocation, &set, err);
    if (used)
        invocation_used_key(invocation, &set, NULL, NULL, result, err);
    opened_set_close(&set);
    return result;
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
