#include "entries_internal.h"
#include "invocation_internal.h"
#include <muniment/util/clock.h>
#include <stdlib.h>

struct finding {
    struct invocation *invocation;
    const struct head *head;
    uint64_t count;
};

static int print_found(void *context, const struct head_source *source, const struct entry *entry, struct err *err) {
    struct finding *finding = context;
    struct output *output = finding->invocation->output;
    char id[9], taken[CLOCK_TEXT], modified[CLOCK_TEXT];
    char *path = form_name(entry->path);
    (void)err;
    output_text(output, "%s  %s  %12llu  %s  %s/%s\n", head_short_name(finding->head->name, id),
                clock_format(taken, finding->head->started), (unsigned long long)entry->size,
                clock_format(modified, entry->mtime), source->name, path);
    free(path);

    json_begin(output, "found");
    json_text(output, "snapshot", head_short_name(finding->head->name, id));
    json_time(output, "started", finding->head->started);
    json_text(output, "source", source->name);
    json_text(output, "path", entry->path);
    json_text(output, "kind", entry_type_text(entry));
    json_count(output, "size", entry->size);
    json_time(output, "modified", entry->mtime);
    json_end(output);
    finding->count++;
    return 0;
}

static int run_find(struct invocation *invocation, struct err *err) {
    struct opened_set set = { 0 };
    struct heads heads = { 0 };
    struct index *index = index_new();
    struct finding finding = { .invocation = invocation };
    int result = invocation_open(invocation, invocation->words[0], OPEN_TO_READ, &set, err);
    if (result == 0)
        result = heads_load(&set.repo, &heads, err);
    if (result == 0)
        result = index_load(index, &set.repo, err);

    /* Newest first: what is looked for is most often what was lost last. */
    for (size_t i = heads.count; result == 0 && i-- > 0;) {
        char id[9];
        finding.head = &heads.items[i];
        result = entries_walk(&set, index, finding.head, invocation->words + 1, invocation->word_count - 1, print_found,
                              &finding, err);
        if (result != 0)
            err_wrap(err, "snapshot %s", head_short_name(finding.head->name, id));
    }
    if (result == 0 && finding.count == 0)
        result = err_set(err, ERR_NOT_FOUND, "no entry of %zu snapshots matches", heads.count);
    index_free(index);
    invocation_used_key(invocation, &set, NULL, NULL, result, err);
    heads_release(&heads);
    opened_set_close(&set);
    return result;
}

const struct command COMMAND_FIND = {
    .name = "find",
    .arguments = "SET PATTERN... [--mirror NAME | --from STORE] [--key FILE | --passphrase-file FILE]",
    .summary = "find entries in all snapshots, newest first; takes the read key",
    .help = "Patterns are those of 'ls'. The exit status is 1 when nothing matches.\n",
    .accepts = OPTIONS_OF_ANY_READING | OPTION_BIT(OPTION_MIRROR) | OPTION_BIT(OPTION_AS_OF),
    .least = 2,
    .most = SIZE_MAX,
    .run = run_find,
};
