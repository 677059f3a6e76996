/* What all forms of a report share: the numbers, the words of its parts, the mapping to what auditors ask for. */
#ifndef MUNIMENT_EVIDENCE_RENDER_INTERNAL_H
#define MUNIMENT_EVIDENCE_RENDER_INTERNAL_H

#include <muniment/evidence/report.h>
#include <muniment/repo/journal.h>

void render_text(const struct report *report, struct buffer *out);
void render_json(const struct report *report, struct buffer *out);
void render_csv(const struct report *report, struct buffer *out);
void render_html(const struct report *report, struct buffer *out);

/* Numbers that sum a report up. */
struct render_numbers {
    uint64_t snapshots;      /* that exist now */
    uint64_t snapshots_gone; /* that existed in the period */
    int64_t oldest, newest;  /* capture of those that exist */
    uint64_t bytes;          /* listed in all places */
    uint64_t copies, copies_whole;
    uint64_t runs, runs_ok, runs_late, runs_partial, runs_failed, runs_missed; /* runs: whose time is over */
    uint64_t drills, drills_passed;
    uint64_t destructions, destructions_confirmed;
    uint64_t holds; /* in force */
    uint64_t findings, exceptions;
    uint64_t reads;
};
void render_count(const struct report *report, struct render_numbers *numbers);

/* The token that report_find_mark() reads. */
enum { RENDER_MARK = 192 };
char *render_mark(const struct report *report, char text[RENDER_MARK]);

/* The witness of a chain, as journal_witness() spells it. */
char *render_witness(const struct report *report, const struct report_chain *chain, char text[JOURNAL_WITNESS]);

/* The ten parts: title, and how what it says was found out. */
enum { RENDER_PARTS = 10 };
struct render_part {
    const char *title, *how;
};
extern const struct render_part RENDER_PART[RENDER_PARTS + 1]; /* from 1 */

/* Which part serves what is asked for, and where this tool ends. Ended by an empty one. */
struct render_requirement {
    const char *source, *what;
    const char *parts; /* "3, 4, 5" */
};
extern const struct render_requirement RENDER_REQUIREMENTS[];
extern const char *const RENDER_NOT_COVERED[];

/* A span of which 0 means that there is none, with -1 for none. */
int64_t render_limit(int64_t seconds);

/* What the policy alone comes to is less than what exists now makes of it: its deadlines are later, or it is held. */
bool render_policy_is_sooner(const struct report *report);

/* The verdict, and what a row that is deleted now can count on. Appended, without a line end. */
void render_verdict(const struct report *report, struct buffer *out);
void render_erasure(const struct report *report, struct buffer *out);

#endif
