#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * A pattern becomes a row of steps; a match keeps the set of steps that the text read so far can have reached. No
 * backtracking, so no pattern is slow.
 */
enum step_kind {
    STEP_BYTE,    /* this byte */
    STEP_ANY,     /* one byte but '/' */
    STEP_CLASS,   /* one byte of a class */
    STEP_NAME,    /* any bytes but '/', or none */
    STEP_ALL,     /* any bytes, or none */
    STEP_FOLDERS, /* whole folders with their '/', or none: here between two of them */
    STEP_INSIDE,  /* the same: here within the name of one. Follows STEP_FOLDERS */
    STEP_END,
};

struct step {
    enum step_kind kind;
    char byte;
    const char *class; /* after the '[' */
};

enum { SHORT_PATTERN = 128 }; /* patterns up to this length take no memory from the heap */

/* The byte at `*at`, its '\' taken away; `*at` moves on. */
static char take_literal(const char **at) {
    if (**at == '\\' && (*at)[1] != '\0')
        (*at)++;
    return *(*at)++;
}

/* Where the class that begins at `class` ends (its ']'), or NULL when nothing closes it. */
static const char *class_end(const char *class) {
    const char *at = class;

    if (*at == '!' || *at == '^')
        at++;
    if (*at == ']')
        at++;
    while (*at != '\0' && *at != ']')
        take_literal(&at);
    return *at == ']' ? at : NULL;
}

static bool class_matches(const char *class, char byte) {
    const char *end = class_end(class);
    const char *at = class;
    const bool negated = *at == '!' || *at == '^';
    bool found = false;

    if (byte == '/')
        return false;
    if (negated)
        at++;
    while (at < end) {
        const unsigned char first = (unsigned char)take_literal(&at);
        unsigned char last = first;
        if (at + 1 < end && *at == '-') {
            at++;
            last = (unsigned char)take_literal(&at);
        }
        found |= first <= (unsigned char)byte && (unsigned char)byte <= last;
    }
    return found != negated;
}

/* The first `length` bytes of a pattern; `steps` has room for one step more. Returns how many there are. */
static size_t compile(const char *pattern, size_t length, struct step *steps) {
    const char *const stop = pattern + length;
    size_t count = 0;

    for (const char *at = pattern; at < stop;) {
        const bool component = at == pattern || at[-1] == '/';
        const char *end;
        if (component && stop - at > 2 && strncmp(at, "**/", 3) == 0) {
            steps[count++] = (struct step){ .kind = STEP_FOLDERS };
            steps[count++] = (struct step){ .kind = STEP_INSIDE };
            at += 3;
        } else if (at[0] == '*' && at[1] == '*') {
            steps[count++] = (struct step){ .kind = STEP_ALL };
            at += 2;
        } else if (*at == '*') {
            steps[count++] = (struct step){ .kind = STEP_NAME };
            at++;
        } else if (*at == '?') {
            steps[count++] = (struct step){ .kind = STEP_ANY };
            at++;
        } else if (*at == '[' && (end = class_end(at + 1)) != NULL) {
            steps[count++] = (struct step){ .kind = STEP_CLASS, .class = at + 1 };
            at = end + 1;
        } else {
            steps[count++] = (struct step){ .kind = STEP_BYTE, .byte = take_literal(&at) };
        }
    }
    steps[count] = (struct step){ .kind = STEP_END };
    return count;
}

/* A step that may match nothing is passed at once. Every such step leads forward, so one pass does. */
static void pass_optional(const struct step *steps, size_t count, bool *reached) {
    for (size_t i = 0; i < count; i++) {
        if (!reached[i])
            continue;
        if (steps[i].kind == STEP_NAME || steps[i].kind == STEP_ALL)
            reached[i + 1] = true;
        else if (steps[i].kind == STEP_FOLDERS)
            reached[i + 2] = true;
    }
}

/* From the steps reached before `byte` to those after it. False when none is left. */
static bool advance(const struct step *steps, size_t count, const bool *before, bool *after, char byte) {
    bool alive = false;

    memset(after, 0, (count + 1) * sizeof *after);
    for (size_t i = 0; i < count; i++) {
        if (!before[i])
            continue;
        size_t next = i;
        bool matches = true;
        switch (steps[i].kind) {
        case STEP_BYTE:
            matches = steps[i].byte == byte;
            next = i + 1;
            break;
        case STEP_ANY:
            matches = byte != '/';
            next = i + 1;
            break;
        case STEP_CLASS:
            matches = class_matches(steps[i].class, byte);
            next = i + 1;
            break;
        case STEP_NAME:
            matches = byte != '/';
            break;
        case STEP_ALL:
            break;
        case STEP_FOLDERS:
            next = byte == '/' ? i : i + 1;
            break;
        case STEP_INSIDE:
            next = byte == '/' ? i - 1 : i;
            break;
        case STEP_END:
            matches = false;
            break;
        }
        after[next] |= matches;
        alive |= matches;
    }
    return alive;
}

/* `pattern` without what the caller ignores at its end: `length` bytes of it. */
static bool match_part(const char *pattern, size_t length, const char *text) {
    struct step short_steps[SHORT_PATTERN + 1];
    bool short_sets[2 * (SHORT_PATTERN + 1)];
    const bool is_short = length <= SHORT_PATTERN;
    struct step *steps = is_short ? short_steps : mem_array(length + 1, sizeof *steps);
    bool *sets = is_short ? short_sets : mem_array(2 * (length + 1), sizeof *sets);

    const size_t count = compile(pattern, length, steps);
    bool *now = sets, *next = sets + count + 1;
    memset(now, 0, (count + 1) * sizeof *now);
    now[0] = true;
    pass_optional(steps, count, now);

    bool alive = true;
    for (; alive && *text != '\0'; text++) {
        alive = advance(steps, count, now, next, *text);
        pass_optional(steps, count, next);
        bool *const swap = now;
        now = next;
        next = swap;
    }
    const bool matched = alive && now[count];
    if (!is_short) {
        free(steps);
        free(sets);
    }
    return matched;
}

bool pattern_match(const char *pattern, const char *text) {
    return match_part(pattern, strlen(pattern), text);
}

bool pattern_match_path(const char *pattern, const char *path) {
    size_t length = strlen(pattern);
    const bool rooted = *pattern == '/';

    /* "cache/" means the folder: the '/' at its end is no component. */
    while (length > 1 && pattern[length - 1] == '/')
        length--;
    for (; length > 1 && *pattern == '/'; length--)
        pattern++;
    if (!rooted && memchr(pattern, '/', length) == NULL) {
        const char *slash = strrchr(path, '/');
        return match_part(pattern, length, slash != NULL ? slash + 1 : path);
    }
    return match_part(pattern, length, path + strspn(path, "/"));
}

bool pattern_match_any(char *const *patterns, size_t count, const char *path) {
    for (size_t i = 0; i < count; i++)
        if (pattern_match_path(patterns[i], path))
            return true;
    return false;
}

/*
 * The nearest word
 */

enum { WORD_MAX = 64 };

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`; SIZE_MAX for long words. */
static size_t edit_distance(const char *a, const char *b) {
    size_t rows[3][WORD_MAX + 1];
    const size_t a_length = strnlen(a, WORD_MAX + 1), b_length = strnlen(b, WORD_MAX + 1);

    if (a_length > WORD_MAX || b_length > WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        const size_t *two_before = rows[(i + 1) % 3], *before = rows[(i - 1) % 3];
        size_t *row = rows[i % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            row[j] = before[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(row[j], least(before[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], two_before[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

const char *pattern_nearest(const char *word, const char *const *candidates, size_t count) {
    const char *nearest = NULL;
    /* One slip is always forgiven, and another for every four letters: more is another word. */
    size_t best = 2 + strlen(word) / 4;

    for (size_t i = 0; i < count; i++) {
        const size_t distance = edit_distance(word, candidates[i]);
        if (distance < best && distance < strlen(candidates[i])) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}
