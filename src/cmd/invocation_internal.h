/*
 * What commands share: the configuration, opened sets, failures that do not end the run.
 */
#ifndef MUNIMENT_CMD_INVOCATION_INTERNAL_H
#define MUNIMENT_CMD_INVOCATION_INTERNAL_H

#include "console_internal.h"
#include "output_internal.h"
#include <muniment/cmd/command.h>
#include <muniment/cmd/config.h>
#include <muniment/repo/hold.h>
#include <muniment/run/nightly.h>
#include <muniment/snapshot/capture.h>
#include <muniment/snapshot/restore.h>

/* Loads the configuration, once. Its problems go to standard error. */
int invocation_settings(struct invocation *invocation, struct err *err) MUST_CHECK;

/* The set of this name, or ERR_INVALID with the nearest one. */
int invocation_find_set(struct invocation *invocation, const char *name, struct set_settings **set,
                        struct err *err) MUST_CHECK;

/* One set when `name` is given, else all of them. */
int invocation_sets(struct invocation *invocation, const char *name, struct set_settings **sets, size_t *count,
                    struct err *err) MUST_CHECK;

/* Reports a failure that does not end the run: message, JSON record, exit status. */
void invocation_fail(struct invocation *invocation, const char *context, const struct err *err);

/* Adds to the exit status: of several failures the most telling one is the program's. */
void invocation_status(struct invocation *invocation, int status);

/* --- opening --------------------------------------------------------------------------------------------------------
 */

enum opening {
    OPEN_TO_WRITE,  /* the write key alone */
    OPEN_TO_LIST,   /* the write key; with --from the key that is given */
    OPEN_TO_VERIFY, /* the same; or the public key, with --public-key */
    OPEN_TO_CHECK,  /* the read key too, where there is one */
    OPEN_TO_READ,   /* the read key, or ERR_KEY */
    OPEN_TO_UNWRAP, /* the read key from a wrapped copy in the store, and from nowhere else */
    OPEN_TO_WRAP,   /* the read key, never from a wrapped copy: a passphrase that is given is a new one */
};

/*
 * Opens the set of the configuration; or, with --from STORE, the one that --key FILE or a passphrase opens there,
 * without configuration or state. --mirror NAME opens the set in its mirror, --key FILE replaces the read key of the
 * configuration. Closed with opened_set_close(), whatever this returns.
 */
int invocation_open(struct invocation *invocation, const char *name, enum opening opening, struct opened_set *set,
                    struct err *err) MUST_CHECK;

/* Journals that this command used the read key, when it had one and the store is the set's own. `result` and `err` are
 * what came of it. */
void invocation_used_key(struct invocation *invocation, struct opened_set *set, const char *snapshot,
                         const char *target, int result, const struct err *err);

/* True when --from was given: the store, the set and its keys are not those of a configuration. */
bool invocation_is_standalone(const struct invocation *invocation);

/* What the options say of a service, for addresses that are URLs. Owned by the invocation. */
const struct s3_service *invocation_url_service(struct invocation *invocation);

/* The services that an address is read with. One that is a URL, and a folder, need no configuration: none is read for
 * them, unless it is already. */
int invocation_services(struct invocation *invocation, const char *address, const struct s3_services **services,
                        struct err *err) MUST_CHECK;

/* Lets --credentials and its like speak for the service of the store that is read. */
void invocation_adjust_service(struct invocation *invocation, const char *address);

/* What a word names: "SET" or "SET@SNAPSHOT". */
struct set_word {
    char *set;
    const char *snapshot; /* "" when none is named */
};
void set_word_split(struct set_word *word, const char *text);
void set_word_release(struct set_word *word);

/* The snapshot that a word names: without a name the newest complete one. `heads` owns it. A damaged head of another
 * snapshot does not stand in the way of one named by its id. */
int invocation_find_head(struct opened_set *set, const char *which, struct heads *heads, const struct head **head,
                         struct err *err) MUST_CHECK;

/* The holds of a set, to be shown; when they cannot be read a warning says so, and there are none. */
void invocation_holds(struct invocation *invocation, struct opened_set *set, struct holds *holds);

/* --- passphrases ----------------------------------------------------------------------------------------------------
 */

/* From --passphrase-file (first line), else asked for on the terminal; twice when it is `fresh`. Wiped by the caller.
 */
int invocation_passphrase(struct invocation *invocation, bool fresh, struct buffer *passphrase,
                          struct err *err) MUST_CHECK;

/* Whether it is meant, which only the name of the set says: from --confirm, else typed on the terminal. ERR_REFUSED. */
int invocation_confirm(struct invocation *invocation, const char *question, const char *name,
                       struct err *err) MUST_CHECK;

/* --- steps that several commands take, with progress on a terminal --------------------------------------------------
 */

int step_capture(struct invocation *invocation, struct opened_set *set, int64_t when, struct head *head,
                 struct err *err) MUST_CHECK;
int step_check(struct invocation *invocation, struct opened_set *set, unsigned read_percent,
               struct check_result *result, struct err *err) MUST_CHECK;
int step_mirror(struct opened_set *set, const struct mirror_settings *mirror, bool force, struct mirror_result *result,
                struct err *err) MUST_CHECK;

/* A finding of a check, as check_options.finding; the context is the invocation. */
void report_finding(void *context, const char *text);

/* What a store did not let go, in warnings, and in the exit status where a lock refused: what is due and stays is a
 * promise not kept. `where` begins the lines ("app: mirror 'offsite'"), `address` and `services` are the store's. */
void report_refused(struct invocation *invocation, const char *where, uint64_t refused, int64_t until);
void report_hidden(struct invocation *invocation, const char *where, const char *address,
                   const struct s3_services *services, uint64_t hidden);
void report_mirror_troubles(struct invocation *invocation, const struct opened_set *set,
                            const struct mirror_settings *mirror, const struct mirror_result *result);
void report_purge_troubles(struct invocation *invocation, const struct opened_set *set,
                           const struct purge_result *result);

/* Fields of a JSON object that several commands print. */
void json_head_facts(struct output *output, const struct head *head); /* all but its sources */
void json_head(struct output *output, const struct head *head);
void json_purge(struct output *output, const struct purge_result *purge);
void json_mirror(struct output *output, const struct mirror_result *mirror);
void json_check(struct output *output, const struct check_result *check);
const char *set_title(const struct opened_set *set); /* its name, or its id where no configuration names it */

#endif
