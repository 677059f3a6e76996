#include "invocation_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <stdlib.h>

/* One set in one run. */
struct night {
    struct invocation *invocation;
    struct opened_set set;
    double began; /* of the step */
};

static void step_begin(struct night *night) {
    night->began = clock_monotonic();
}

/* Opens the JSON record of a step; the caller adds fields and ends it. */
static void step_record(struct night *night, const char *step, bool ok) {
    struct output *output = night->invocation->output;
    json_begin(output, "step");
    json_text(output, "set", set_title(&night->set));
    json_text(output, "step", step);
    json_flag(output, "ok", ok);
    json_seconds(output, "seconds", clock_monotonic() - night->began);
}

/* A step that failed says so and lets the next one go on. */
static void step_failed(struct night *night, const char *step, const struct err *err) {
    char *context = mem_format("%s: %s", set_title(&night->set), step);
    invocation_fail(night->invocation, context, err);
    free(context);
    step_record(night, step, false);
    json_text(night->invocation->output, "message", err->message);
    json_end(night->invocation->output);
}

static void run_capture(struct night *night) {
    struct head head = { 0 };
    struct err err = { 0 };
    step_begin(night);
    if (step_capture(night->invocation, &night->set, 0, &head, &err) != 0) {
        step_failed(night, "capture", &err);
        head_release(&head);
        return;
    }

    char id[9], sources[FORM_TEXT], bytes[FORM_TEXT], stored[FORM_TEXT], span[FORM_TEXT];
    log_info(night->invocation->log, "%s: captured %s: %s, %s, %s read, %s stored, in %s", set_title(&night->set),
             head_short_name(head.name, id), outcome_text(head.outcome),
             form_count(sources, head.source_count, "source"), form_bytes(bytes, head_bytes(&head)),
             form_bytes(stored, head_stored_bytes(&head)), form_seconds(span, clock_monotonic() - night->began));
    step_record(night, "capture", true);
    json_head(night->invocation->output, &head);
    json_end(night->invocation->output);
    if (head.outcome != OUTCOME_COMPLETE)
        invocation_status(night->invocation, STATUS_PARTIAL);
    head_release(&head);
}

static void run_rotation(struct night *night) {
    struct plan_summary summary = { 0 };
    struct purge_result purge = { 0 };
    struct err err = { 0 };
    step_begin(night);
    if (rotate_apply(&night->set, clock_now(), 0, &summary, &purge, &err) != 0) {
        step_failed(night, "rotate", &err);
        return;
    }

    struct log *log = night->invocation->log;
    char packs[FORM_TEXT], destroyed[FORM_TEXT], moved[FORM_TEXT];
    log_info(log, "%s: rotated: %zu kept, %zu expired", set_title(&night->set), summary.keep, summary.expire);
    log_info(log, "%s: purged: %s destroyed (%s), %llu rewritten (%s moved)%s", set_title(&night->set),
             form_count(packs, purge.packs_destroyed, "pack"), form_bytes(destroyed, purge.bytes_destroyed),
             (unsigned long long)purge.packs_rewritten, form_bytes(moved, purge.bytes_moved),
             purge.packs_waiting > 0 ? ", some wait for another capture to end" : "");
    if (summary.guard[0] != '\0')
        log_warning(log, "%s: %s", set_title(&night->set), summary.guard);
    step_record(night, "rotate", true);
    json_count(night->invocation->output, "keep", summary.keep);
    json_count(night->invocation->output, "expire", summary.expire);
    json_text(night->invocation->output, "guard", summary.guard[0] != '\0' ? summary.guard : NULL);
    json_purge(night->invocation->output, &purge);
    json_end(night->invocation->output);
    report_purge_troubles(night->invocation, &night->set, &purge);
}

static bool run_mirror(struct night *night, const struct mirror_settings *mirror) {
    struct mirror_result result = { 0 };
    struct err err = { 0 };
    step_begin(night);
    if (step_mirror(&night->set, mirror, false, &result, &err) != 0) {
        step_failed(night, "mirror", &err);
        return false;
    }

    char objects[FORM_TEXT], bytes[FORM_TEXT], newest[FORM_TEXT];
    log_info(night->invocation->log, "%s: mirrored to %s: %s copied (%s), %llu removed, %llu verified; newest %s",
             set_title(&night->set), mirror->name, form_count(objects, result.uploaded, "object"),
             form_bytes(bytes, result.uploaded_bytes), (unsigned long long)result.removed,
             (unsigned long long)result.verified,
             result.newest_snapshot != 0 ? form_when(newest, result.newest_snapshot, clock_now()) : "none");
    step_record(night, "mirror", true);
    json_text(night->invocation->output, "mirror", mirror->name);
    json_mirror(night->invocation->output, &result);
    json_end(night->invocation->output);
    report_mirror_troubles(night->invocation, &night->set, mirror, &result);
    return true;
}

/* What later steps journalled, so that every mirror is a witness to the whole night. */
static void run_journal(struct night *night, const struct mirror_settings *mirror) {
    struct err err = { 0 };
    step_begin(night);
    if (mirror_set_journal(&night->set, mirror, clock_now(), &err) != 0)
        step_failed(night, "journal", &err);
}

static void run_checks(struct night *night) {
    struct check_result result = { 0 };
    struct err err = { 0 };
    char snapshots[FORM_TEXT], packs[FORM_TEXT], bytes[FORM_TEXT];
    step_begin(night);
    int checked = step_check(night->invocation, &night->set, night->set.settings->check_percent, &result, &err);
    if (checked == 0 && result.findings > 0)
        checked = err_set(&err, ERR_CORRUPT, "%s in '%s'", form_count(packs, result.findings, "finding"),
                          store_label(night->set.store));
    if (checked != 0) {
        step_failed(night, "check", &err);
        return;
    }
    log_info(night->invocation->log, "%s: checked: %s, %s, %s read, no damage", set_title(&night->set),
             form_count(snapshots, result.snapshots, "snapshot"), form_count(packs, result.packs, "pack"),
             form_bytes(bytes, result.bytes_read));
    step_record(night, "check", true);
    json_check(night->invocation->output, &result);
    json_end(night->invocation->output);
}

/*
 * Every step is taken whatever became of those before it: an old snapshot must go by its deadline, and a mirror must
 * get what there is, also on a night whose capture failed. Only an interruption ends the set.
 */
static void run_steps(struct night *night) {
    const struct set_settings *settings = night->set.settings;
    bool *mirrored = mem_array(settings->mirror_count + 1, sizeof *mirrored);
    run_capture(night);
    if (!interrupt_requested())
        run_rotation(night);
    for (size_t i = 0; i < settings->mirror_count && !interrupt_requested(); i++)
        mirrored[i] = run_mirror(night, &settings->mirrors[i]);
    if (!interrupt_requested())
        run_checks(night);
    for (size_t i = 0; i < settings->mirror_count && !interrupt_requested(); i++)
        if (mirrored[i])
            run_journal(night, &settings->mirrors[i]);
    free(mirrored);
}

/* A set under the lock that keeps a second run of it out from beginning to end. */
static void run_set(struct invocation *invocation, const struct set_settings *settings) {
    struct night night = { .invocation = invocation };
    struct store_lock *lock = NULL;
    struct err err = { 0 };
    char name[REPO_NAME_MAX];
    if (invocation_open(invocation, settings->name, OPEN_TO_WRITE, &night.set, &err) != 0) {
        invocation_fail(invocation, NULL, &err);
    } else if (store_lock_take(night.set.store, repo_name(&night.set.repo, name, "locks", "run"), invocation->lock_wait,
                               &lock, &err) != 0) {
        err_wrap(&err, "another run of this set");
        invocation_fail(invocation, settings->name, &err);
    } else {
        run_steps(&night);
    }
    store_lock_release(lock);
    opened_set_close(&night.set);
}

static int run_run(struct invocation *invocation, struct err *err) {
    if (invocation_settings(invocation, err) != 0)
        return -1;

    /* Every name is looked up before anything starts. */
    size_t count = invocation->word_count > 0 ? invocation->word_count : invocation->settings.set_count;
    struct set_settings **sets = mem_array(count, sizeof *sets);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        sets[i] = &invocation->settings.sets[i];
        if (invocation->word_count > 0)
            result = invocation_find_set(invocation, invocation->words[i], &sets[i], err);
    }
    for (size_t i = 0; i < count && result == 0 && !interrupt_requested(); i++)
        run_set(invocation, sets[i]);
    free(sets);
    if (result != 0)
        return -1;

    json_begin(invocation->output, "run");
    json_count(invocation->output, "sets", count);
    json_number(invocation->output, "status",
                interrupt_requested() ? err_exit_status(ERR_INTERRUPTED) : invocation->status);
    json_end(invocation->output);
    return interrupt_check(err);
}

const struct command COMMAND_RUN = {
    .name = "run",
    .arguments = "[SET...]",
    .summary = "the nightly job: capture, rotate, purge, mirror and check every set",
    .help = "One line a step on standard error. A step that fails does not stop the next, a set that fails does not\n"
            "stop the others; the exit status is that of the most telling failure. A second run of the same set exits\n"
            "with 11, or waits up to --lock-wait SECONDS.\n",
    .least = 0,
    .most = SIZE_MAX,
    .run = run_run,
};
