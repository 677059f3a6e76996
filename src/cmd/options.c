#include <errno.h>
#include <muniment/cmd/options.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <muniment/util/pattern.h>
#include <stdlib.h>
#include <string.h>

enum takes { NO_VALUE, A_VALUE, PERHAPS_A_VALUE };

static const struct option_form {
    const char *name;
    char letter;
    enum takes takes;
    const char *environment;
} FORMS[OPTION_COUNT] = {
    [OPTION_CONFIG] = { "config", 'c', A_VALUE, "MUNIMENT_CONFIG" },
    [OPTION_REPOSITORY] = { "repository", 0, A_VALUE, "MUNIMENT_REPOSITORY" },
    [OPTION_STATE] = { "state", 0, A_VALUE, "MUNIMENT_STATE" },
    [OPTION_JSON] = { "json", 0, NO_VALUE, "MUNIMENT_JSON" },
    [OPTION_QUIET] = { "quiet", 'q', NO_VALUE, "MUNIMENT_QUIET" },
    [OPTION_VERBOSE] = { "verbose", 'v', NO_VALUE, "MUNIMENT_VERBOSE" },
    [OPTION_NO_PROGRESS] = { "no-progress", 0, NO_VALUE, "MUNIMENT_NO_PROGRESS" },
    [OPTION_LOCK_WAIT] = { "lock-wait", 0, A_VALUE, "MUNIMENT_LOCK_WAIT" },
    [OPTION_HELP] = { "help", 'h', NO_VALUE, NULL },
    [OPTION_VERSION] = { "version", 'V', NO_VALUE, NULL },
    [OPTION_APPLY] = { "apply", 0, NO_VALUE, NULL },
    [OPTION_AS_OF] = { "as-of", 0, A_VALUE, NULL },
    [OPTION_BIN_DIR] = { "bin-dir", 0, A_VALUE, NULL },
    [OPTION_CA_FILE] = { "ca-file", 0, A_VALUE, NULL },
    [OPTION_CERTIFICATE] = { "certificate", 0, A_VALUE, NULL },
    [OPTION_CONFIRM] = { "confirm", 0, A_VALUE, NULL },
    [OPTION_CREDENTIALS] = { "credentials", 0, A_VALUE, NULL },
    [OPTION_DAYS] = { "days", 0, A_VALUE, NULL },
    [OPTION_ENDS] = { "ends", 0, A_VALUE, NULL },
    [OPTION_FORMAT] = { "format", 0, A_VALUE, NULL },
    [OPTION_FROM] = { "from", 0, A_VALUE, NULL },
    [OPTION_GLOBALS] = { "globals", 0, NO_VALUE, NULL },
    [OPTION_KEY] = { "key", 0, A_VALUE, NULL },
    [OPTION_LABEL] = { "label", 0, A_VALUE, NULL },
    [OPTION_MAX_AGE] = { "max-age", 0, A_VALUE, "MUNIMENT_MAX_AGE" },
    [OPTION_MIRROR] = { "mirror", 0, A_VALUE, NULL },
    [OPTION_MISSED] = { "missed", 0, A_VALUE, NULL },
    [OPTION_OFFLINE] = { "offline", 0, NO_VALUE, NULL },
    [OPTION_OVERWRITE] = { "overwrite", 0, NO_VALUE, NULL },
    [OPTION_OWNER] = { "owner", 0, A_VALUE, NULL },
    [OPTION_PLAIN_HTTP] = { "plain-http", 0, NO_VALUE, NULL },
    [OPTION_SYNC] = { "sync", 0, NO_VALUE, NULL },
    [OPTION_PASSPHRASE_FILE] = { "passphrase-file", 0, A_VALUE, "MUNIMENT_PASSPHRASE_FILE" },
    [OPTION_PUBLIC_KEY] = { "public-key", 0, A_VALUE, NULL },
    [OPTION_READ] = { "read", 0, NO_VALUE, NULL },
    [OPTION_READ_DATA] = { "read-data", 0, PERHAPS_A_VALUE, NULL },
    [OPTION_READ_KEY] = { "read-key", 0, A_VALUE, NULL },
    [OPTION_REASON] = { "reason", 0, A_VALUE, NULL },
    [OPTION_REGION] = { "region", 0, A_VALUE, NULL },
    [OPTION_RENAME] = { "rename", 0, A_VALUE, NULL },
    [OPTION_REVIEW] = { "review", 0, A_VALUE, NULL },
    [OPTION_SIGN] = { "sign", 0, NO_VALUE, NULL },
    [OPTION_SINCE] = { "since", 0, A_VALUE, NULL },
    [OPTION_START] = { "start", 0, A_VALUE, NULL },
    [OPTION_STDOUT] = { "stdout", 0, NO_VALUE, NULL },
    [OPTION_TIME] = { "time", 0, A_VALUE, NULL },
    [OPTION_TO] = { "to", 0, A_VALUE, NULL },
    [OPTION_TO_BUCKET] = { "to-bucket", 0, A_VALUE, NULL },
    [OPTION_TO_POSTGRES] = { "to-postgres", 0, A_VALUE, NULL },
    [OPTION_UNTIL] = { "until", 0, A_VALUE, NULL },
    [OPTION_WITNESS] = { "witness", 0, A_VALUE, NULL },
};

static int option_find_name(const char *name, size_t length, enum option *option, struct err *err) {
    const char *names[OPTION_COUNT];
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strlen(FORMS[i].name) == length && memcmp(FORMS[i].name, name, length) == 0) {
            *option = (enum option)i;
            return 0;
        }
        names[i] = FORMS[i].name;
    }

    char *word = mem_format("%.*s", (int)length, name);
    const char *nearest = pattern_nearest(word, names, OPTION_COUNT);
    err_set(err, ERR_INVALID, "there is no option '--%s'", word);
    if (nearest != NULL)
        err_hint(err, "did you mean '--%s'?", nearest);
    free(word);
    return -1;
}

static int option_find_letter(char letter, enum option *option, struct err *err) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (FORMS[i].letter == letter) {
            *option = (enum option)i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "there is no option '-%c'", letter);
}

static int option_store(struct options *options, enum option option, const char *value, struct err *err) {
    bool flag = FORMS[option].takes == NO_VALUE;
    if (options->on_command_line[option] && !flag)
        return err_set(err, ERR_INVALID, "'--%s' is given twice", FORMS[option].name);
    if (FORMS[option].takes == A_VALUE && value[0] == '\0')
        return err_set(err, ERR_INVALID, "'--%s' has an empty value", FORMS[option].name);
    options->values[option] = value;
    options->on_command_line[option] = true;
    return 0;
}

/* One argument that begins with "--": takes the next one too when the option needs a value. */
static int parse_long(struct options *options, const char *text, char *const *rest, int *taken, struct err *err) {
    const char *equals = strchr(text, '=');
    size_t length = equals != NULL ? (size_t)(equals - text) : strlen(text);
    enum option option = OPTION_COUNT;
    if (option_find_name(text, length, &option, err) != 0)
        return -1;

    if (equals != NULL && FORMS[option].takes == NO_VALUE)
        return err_set(err, ERR_INVALID, "'--%s' takes no value", FORMS[option].name);
    if (equals != NULL)
        return option_store(options, option, equals + 1, err);
    if (FORMS[option].takes != A_VALUE)
        return option_store(options, option, "", err);
    if (*rest == NULL)
        return err_set(err, ERR_INVALID, "'--%s' needs a value", FORMS[option].name);
    *taken = 1;
    return option_store(options, option, *rest, err);
}

/* One argument of letters: "-qv", "-c FILE", "-cFILE". */
static int parse_letters(struct options *options, const char *text, char *const *rest, int *taken, struct err *err) {
    for (; *text != '\0'; text++) {
        enum option option = OPTION_COUNT;
        if (option_find_letter(*text, &option, err) != 0)
            return -1;
        if (FORMS[option].takes == A_VALUE) {
            if (text[1] != '\0')
                return option_store(options, option, text + 1, err);
            if (*rest == NULL)
                return err_set(err, ERR_INVALID, "'-%c' needs a value", *text);
            *taken = 1;
            return option_store(options, option, *rest, err);
        }
        if (option_store(options, option, "", err) != 0)
            return -1;
    }
    return 0;
}

int options_parse(struct options *options, int argc, char *const *argv, options_environment *environment,
                  struct err *err) {
    *options = (struct options){ 0 };
    options->words = mem_array((size_t)argc + 1, sizeof *options->words);

    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        const char *text = argv[i];
        int taken = 0;
        int result = 0;
        if (only_words || text[0] != '-' || text[1] == '\0')
            options->words[options->word_count++] = text;
        else if (strcmp(text, "--") == 0)
            only_words = true;
        else if (text[1] == '-')
            result = parse_long(options, text + 2, &argv[i + 1], &taken, err);
        else
            result = parse_letters(options, text + 1, &argv[i + 1], &taken, err);
        if (result != 0) {
            options_release(options);
            return -1;
        }
        i += taken;
    }

    /* The environment speaks where the command line does not. An empty variable is an absent one; for an option
     * without value, "0" is too. */
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options->on_command_line[i] || FORMS[i].environment == NULL)
            continue;
        const char *value = environment(FORMS[i].environment);
        if (value == NULL || value[0] == '\0')
            continue;
        if (FORMS[i].takes == NO_VALUE && strcmp(value, "0") == 0)
            continue;
        options->values[i] = FORMS[i].takes == NO_VALUE ? "" : value;
    }
    return 0;
}

void options_release(struct options *options) {
    free(options->words);
    *options = (struct options){ 0 };
}

int options_accept(const struct options *options, uint64_t accepts, const char *command, struct err *err) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options->on_command_line[i] && ((accepts | OPTIONS_OF_EVERYTHING) & OPTION_BIT(i)) == 0) {
            err_set(err, ERR_INVALID, "'--%s' is not an option of '%s'", FORMS[i].name, command);
            return err_hint(err, "see 'muniment help %s'", command);
        }
    }
    return 0;
}

bool option_given(const struct options *options, enum option option) {
    return options->values[option] != NULL;
}

const char *option_text(const struct options *options, enum option option) {
    return options->values[option];
}

/* Names the option, or the variable that spoke for it. */
static int option_refuse(const struct options *options, enum option option, struct err *err) {
    if (options->on_command_line[option])
        return err_wrap(err, "--%s", FORMS[option].name);
    return err_wrap(err, "%s", FORMS[option].environment);
}

int option_number(const struct options *options, enum option option, int64_t least, int64_t most, int64_t *value,
                  struct err *err) {
    const char *text = options->values[option];
    if (text == NULL)
        return 0;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < least || number > most) {
        err_set(err, ERR_INVALID, "'%s' is not a whole number from %lld to %lld", text, (long long)least,
                (long long)most);
        return option_refuse(options, option, err);
    }
    *value = number;
    return 0;
}

int option_time(const struct options *options, enum option option, int64_t *value, struct err *err) {
    const char *text = options->values[option];
    if (text != NULL && clock_parse(text, value, err) != 0)
        return option_refuse(options, option, err);
    return 0;
}

int option_span(const struct options *options, enum option option, int64_t *value, struct err *err) {
    const char *text = options->values[option];
    if (text != NULL && clock_parse_span(text, value, err) != 0)
        return option_refuse(options, option, err);
    return 0;
}
