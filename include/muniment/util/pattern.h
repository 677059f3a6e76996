/*
 * Patterns over paths and names, as backup users know them: `*` any bytes but '/', `**` any bytes, a component `**`
 * followed by '/' any number of folders or none, `?` one byte but '/', `[a-z]` and `[!a-z]` one byte of a class but
 * '/', `\` takes the next byte literally. A '[' that nothing closes is literal.
 */
#ifndef MUNIMENT_UTIL_PATTERN_H
#define MUNIMENT_UTIL_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* The whole of `text` against the whole of `pattern`. Runs in time proportional to their product. */
bool pattern_match(const char *pattern, const char *text);

/* A pattern with a '/' in it is matched against the whole path (a leading '/' is dropped on both sides); one without
 * against the last component. A '/' at the end of a pattern is ignored. */
bool pattern_match_path(const char *pattern, const char *path);

/* True when any of `count` patterns matches the path. */
bool pattern_match_any(char *const *patterns, size_t count, const char *path);

/* The candidate nearest to `word` by edit distance, or NULL when none is near enough to suggest. */
const char *pattern_nearest(const char *word, const char *const *candidates, size_t count);

#endif
