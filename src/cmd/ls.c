#include "entries_internal.h"
#include "invocation_internal.h"
#include <muniment/util/clock.h>
#include <stdio.h>
#include <stdlib.h>

static void print_line(struct output *output, const struct head_source *source, const struct entry *entry) {
    char mode[11], when[CLOCK_TEXT];
    char *path = form_name(entry->path);
    char *target = form_name(entry->target != NULL ? entry->target : "");
    const char *flag = entry->flags & ENTRY_INCOMPLETE ? "  (incomplete)"
                       : entry->flags & ENTRY_CHANGED  ? "  (changed while it was read)"
                                                       : "";
    output_text(output, "%s  %12llu  %s  %s/%s%s%s%s\n", entry_form_mode(entry, mode), (unsigned long long)entry->size,
                clock_format(when, entry->mtime), source->name, path, entry->target != NULL ? " -> " : "", target,
                flag);
    free(path);
    free(target);
}

static void print_record(struct output *output, const struct head_source *source, const struct entry *entry) {
    char mode[8];
    snprintf(mode, sizeof mode, "%04o", entry->mode & 07777);
    json_begin(output, "entry");
    json_text(output, "source", source->name);
    json_text(output, "path", entry->path);
    json_text(output, "kind", entry_type_text(entry));
    json_text(output, "mode", mode);
    json_number(output, "uid", entry->uid);
    json_number(output, "gid", entry->gid);
    json_text(output, "user", entry->user);
    json_text(output, "group", entry->group);
    json_count(output, "size", entry->size);
    json_time(output, "modified", entry->mtime);
    json_text(output, "target", entry->target);
    json_flag(output, "incomplete", (entry->flags & ENTRY_INCOMPLETE) != 0);
    json_flag(output, "changed", (entry->flags & ENTRY_CHANGED) != 0);
    json_end(output);
}

static int print_entry(void *context, const struct head_source *source, const struct entry *entry, struct err *err) {
    struct invocation *invocation = context;
    (void)err;
    if (output_is_json(invocation->output))
        print_record(invocation->output, source, entry);
    else
        print_line(invocation->output, source, entry);
    return 0;
}

static int run_ls(struct invocation *invocation, struct err *err) {
    struct set_word word;
    struct opened_set set = { 0 };
    struct heads heads = { 0 };
    const struct head *head = NULL;
    struct index *index = index_new();
    set_word_split(&word, invocation->words[0]);
    int result = invocation_open(invocation, word.set, OPEN_TO_READ, &set, err);
    if (result == 0)
        result = invocation_find_head(&set, word.snapshot, &heads, &head, err);
    if (result == 0)
        result = index_load(index, &set.repo, err);
    if (result == 0)
        result = entries_walk(&set, index, head, invocation->words + 1, invocation->word_count - 1, print_entry,
                              invocation, err);
    index_free(index);
    invocation_used_key(invocation, &set, head != NULL ? head->name : NULL, NULL, result, err);
    heads_release(&heads);
    opened_set_close(&set);
    set_word_release(&word);
    return result;
}

const struct command COMMAND_LS = {
    .name = "ls",
    .arguments =
        "SET[@SNAPSHOT] [PATTERN...] [--mirror NAME | --from STORE] [--as-of T] [--key FILE | --passphrase-file FILE]",
    .summary = "list what is in a snapshot; takes the read key",
    .help = "Paths begin with their source. A pattern with '/' is matched against the whole path (with or without\n"
            "the source), one without against the last component: '*' is all but '/', '**' is all.\n",
    .accepts = OPTIONS_OF_ANY_READING | OPTION_BIT(OPTION_MIRROR) | OPTION_BIT(OPTION_AS_OF),
    .least = 1,
    .most = SIZE_MAX,
    .run = run_ls,
};
