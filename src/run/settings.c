#include <muniment/run/settings.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

static void strings_release(struct strings *strings) {
    mem_free_strings(strings->items, strings->count);
    *strings = (struct strings){ 0 };
}

static void source_release(struct source *source) {
    free(source->name);

    free(source->postgres.uri);
    strings_release(&source->postgres.databases);
    strings_release(&source->postgres.exclude);
    free(source->postgres.bin_dir);
    strings_release(&source->postgres.options);

    strings_release(&source->files.paths);
    strings_release(&source->files.exclude);
    strings_release(&source->files.may_change);

    strings_release(&source->bucket.places);
    strings_release(&source->bucket.include);
    strings_release(&source->bucket.exclude);

    strings_release(&source->command.arguments);
    free(source->command.output);
}

static void set_release(struct set_settings *set) {
    free(set->name);
    free(set->write_key);
    free(set->read_key);
    strings_release(&set->after_restore);
    for (size_t i = 0; i < set->source_count; i++)
        source_release(&set->sources[i]);
    free(set->sources);
    for (size_t i = 0; i < set->mirror_count; i++) {
        free(set->mirrors[i].name);
        free(set->mirrors[i].path);
    }
    free(set->mirrors);
}

void settings_release(struct settings *settings) {
    free(settings->file);
    free(settings->repository);
    s3_services_release(&settings->services);
    free(settings->state);
    for (size_t i = 0; i < settings->set_count; i++)
        set_release(&settings->sets[i]);
    free(settings->sets);
    *settings = (struct settings){ 0 };
}

struct set_settings *settings_find_set(const struct settings *settings, const char *name) {
    for (size_t i = 0; i < settings->set_count; i++)
        if (strcmp(settings->sets[i].name, name) == 0)
            return &settings->sets[i];
    return NULL;
}
