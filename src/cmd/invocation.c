#include "invocation_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdlib.h>
#include <string.h>

int invocation_settings(struct invocation *invocation, struct err *err) {
    const struct s3_service *url_service = invocation_url_service(invocation);
    if (invocation->settings_loaded)
        return 0;
    const struct options *options = &invocation->options;
    const char *file = option_text(options, OPTION_CONFIG);
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    struct configuration_request request = {
        .file = file != NULL ? file : CONFIGURATION_FILE,
        .repository = option_text(options, OPTION_REPOSITORY),
        .state = option_text(options, OPTION_STATE),
        .credentials = credentials != NULL && credentials[0] != '\0' ? credentials : NULL,
        .url_service = url_service,
    };

    struct buffer problems = { 0 };
    int result = configuration_load(&request, &invocation->settings, &problems, err);
    if (problems.length > 0) {
        char *text = mem_string(buffer_text(&problems));
        char *rest = text;
        for (char *line = strsep(&rest, "\n"); line != NULL && line[0] != '\0'; line = strsep(&rest, "\n"))
            log_error(invocation->log, "%s", line);
        free(text);
    }
    buffer_release(&problems);
    invocation->settings_loaded = result == 0;
    return result;
}

int invocation_find_set(struct invocation *invocation, const char *name, struct set_settings **set, struct err *err) {
    if (invocation_settings(invocation, err) != 0)
        return -1;
    const struct settings *settings = &invocation->settings;
    *set = settings_find_set(settings, name);
    if (*set != NULL)
        return 0;

    const char **names = mem_array(settings->set_count, sizeof *names);
    for (size_t i = 0; i < settings->set_count; i++)
        names[i] = settings->sets[i].name;
    const char *nearest = pattern_nearest(name, names, settings->set_count);
    free(names);
    err_set(err, ERR_INVALID, "'%s' has no set '%s'", settings->file, name);
    if (nearest != NULL)
        return err_hint(err, "did you mean '%s'?", nearest);
    return err_hint(err, "its first set is '%s'", settings->sets[0].name);
}

int invocation_sets(struct invocation *invocation, const char *name, struct set_settings **sets, size_t *count,
                    struct err *err) {
    *count = 1;
    if (name != NULL)
        return invocation_find_set(invocation, name, sets, err);
    if (invocation_settings(invocation, err) != 0)
        return -1;
    *sets = invocation->settings.sets;
    *count = invocation->settings.set_count;
    return 0;
}

/* --- words -------------------------------------------------------------------------------------------------------- */

void set_word_split(struct set_word *word, const char *text) {
    const char *at = strchr(text, '@');
    word->set = at == NULL ? mem_string(text) : mem_format("%.*s", (int)(at - text), text);
    word->snapshot = at == NULL ? "" : at + 1;
}

void set_word_release(struct set_word *word) {
    free(word->set);
    *word = (struct set_word){ 0 };
}

/* True when an object's name "<time>-<hash>" is what `which` means as an id. */
static bool name_has_id(const char *name, const char *which) {
    const char *hash = strrchr(name, '-');
    size_t length = strlen(which);
    return strcmp(name, which) == 0 || (hash != NULL && length >= 4 && strncmp(hash + 1, which, length) == 0);
}

/* The one head that `which` names by id, although others cannot be read. */
static int load_one_head(struct repo *repo, const char *which, struct heads *heads, struct err *err) {
    char folder[REPO_NAME_MAX];
    struct store_names names = { 0 };
    if (store_names_load(repo->store, repo_folder(repo, folder, "snapshots"), &names, err) != 0)
        return -1;

    const char *found = NULL;
    size_t matches = 0;
    for (size_t i = 0; i < names.count; i++) {
        const char *leaf = strrchr(names.items[i].name, '/');
        if (leaf != NULL && name_has_id(leaf + 1, which)) {
            found = leaf + 1;
            matches++;
        }
    }
    int result = -1;
    if (matches == 1) {
        heads->items = mem_array(1, sizeof *heads->items);
        result = head_load(repo, found, &heads->items[0], err);
        heads->count = result == 0 ? 1 : 0;
    } else {
        err_set(err, ERR_NOT_FOUND, "%zu snapshots are called '%s'", matches, which);
    }
    store_names_release(&names);
    return result;
}

int invocation_find_head(struct opened_set *set, const char *which, struct heads *heads, const struct head **head,
                         struct err *err) {
    struct err damage = { 0 };
    if (heads_load(&set->repo, heads, &damage) == 0)
        return heads_find(heads, which[0] != '\0' ? which : "latest-complete", head, err);

    /* Some head is damaged. "latest" could silently be another one, a named id could not. */
    heads_release(heads);
    *heads = (struct heads){ 0 };
    if (damage.code == ERR_CORRUPT && which[0] != '\0' && load_one_head(&set->repo, which, heads, err) == 0) {
        log_warning(set->repo.log, "%s", damage.message);
        *head = &heads->items[0];
        return 0;
    }
    heads_release(heads);
    *heads = (struct heads){ 0 };
    *err = damage;
    return err_hint(err, "name another snapshot by its id: SET@ID; 'muniment check' names all damage");
}

const char *set_title(const struct opened_set *set) {
    return set->settings != NULL ? set->settings->name : set->keys->set_name;
}
