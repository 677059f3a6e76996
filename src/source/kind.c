/* The kinds of sources there are. */

#include <muniment/source/source.h>
#include <string.h>

static const struct source_kind *const kinds[] = { &SOURCE_POSTGRES, &SOURCE_FILES, &SOURCE_COMMAND, &SOURCE_BUCKET };

const struct source_kind *source_kind_find(const char *name) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}
