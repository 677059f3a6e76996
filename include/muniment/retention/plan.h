/*
 * Retention: which snapshots stay, and why. A pure function of the policy, the snapshots' times and now; no I/O.
 *
 * Rules, in order of precedence:
 *  1. A held snapshot stays.
 *  2. max_age: a snapshot expires early enough that its deadline (start + max_age) is met with one missed night: at
 *     deadline - plan_slack(). The deadline at birth binds: lengthening the policy later never moves it.
 *  3. The newest complete snapshot is not ended by the calendar unless `strict`; past its deadline it is kept with a
 *     reason that says so.
 *  4. Tiers. A snapshot takes a tier when it is the first complete one of its period (day, ISO week, month, year, in
 *     the policy's time zone). Each tier keeps its newest N periods that have a complete snapshot, counted alone, so
 *     that a gap thins out nothing. What rule 2 ends takes no tier. With no tier configured at all, complete snapshots
 *     stay until rule 2 ends them.
 *     The counts at birth bind, too: for a snapshot N is the smaller of today's count and the one it was born with,
 *     whatever was in force between. A policy without any tier sets no limit: then the other's counts are taken. So
 *     lengthening a policy never lengthens the life of what exists, and a mistake that is put right thins out nothing
 *     by itself. Of two of one period the later takes the tier, too, when its N is greater; a period counts while the
 *     tier holds a snapshot of it.
 *  5. A partial snapshot never takes a tier, and stays until the next complete one of that set is there (or rule 2).
 *     A complete one that is not the first of its day stays until its day is over.
 *  6. Guard: tiers expire nothing (rule 2 still does) while the newest complete snapshot is stale (older than one and
 *     a half intervals), much smaller than those before it (less than half the median of up to seven), or lost units
 *     (has fewer than any of up to seven). So a change that is meant is accepted after a week.
 */
#ifndef MUNIMENT_RETENTION_PLAN_H
#define MUNIMENT_RETENTION_PLAN_H

#include <muniment/retention/calendar.h>
#include <muniment/util/buffer.h>
#include <muniment/util/error.h>
#include <muniment/util/form.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct head;

enum { TIER_KINDS = 4 };
enum tier {
    TIER_DAILY = 1,
    TIER_WEEKLY = 2,
    TIER_MONTHLY = 4,
    TIER_YEARLY = 8,
};
char *form_tiers(char text[FORM_TEXT], uint8_t tiers); /* "daily weekly", or "-"; returns text */

struct policy {
    uint32_t daily, weekly, monthly, yearly; /* 0: no such tier */
    int64_t max_age;                         /* seconds; 0: none */
    int64_t purge_within;                    /* seconds a dead chunk may linger after expiry; never past its deadline */
    int64_t interval;                        /* seconds between runs that are expected; default 86400 */
    bool strict;                             /* the calendar may end even the last good snapshot */
    char timezone[64];
};

/*
 * A policy as text, for what remembers it: names and values as in the journal's `policy` events, in the order daily,
 * weekly, monthly, yearly, max_age, purge_within, interval, strict, timezone. Numbers in decimal digits, spans in
 * seconds, strict "true" or "false". Settings that mean the same are written the same: interval 0 as 86400, timezone ""
 * as UTC.
 */
enum { POLICY_FIELDS = 9, POLICY_VALUE = 64, POLICY_ID = 17 };
struct policy_text {
    const char *names[POLICY_FIELDS];
    char values[POLICY_FIELDS][POLICY_VALUE];
};
void policy_format(const struct policy *policy, struct policy_text *text);

/* Reads it back from `fields`: name, value, name, value, ..., NULL, in any order, other names left alone. ERR_CORRUPT
 * when one is missing or no such value. */
int policy_parse(struct policy *policy, const char *const *fields, struct err *err) MUST_CHECK;

/* Equal for equal policies: the first 8 bytes, in hex, of the SHA-256 of the lines "<name> <value>\n" of the text
 * above, in its order. Returns id. */
char *policy_id(const struct policy *policy, char id[POLICY_ID]);

struct plan_snapshot {
    int64_t started;
    int64_t deadline;            /* as in its head; 0: none at birth */
    uint32_t limits[TIER_KINDS]; /* as in its head: the policy's tiers at birth; all 0: it had none */
    uint64_t bytes;
    uint32_t units;
    bool complete;
    bool held;
};

/* What a head says; `held` is left to the caller. */
struct plan_snapshot plan_snapshot_of(const struct head *head);

struct plan_verdict {
    bool keep;
    uint8_t tiers;      /* enum tier bits that it holds now */
    bool past_deadline; /* kept beyond its deadline (hold, last good copy): an exception to report */
    int64_t deadline;   /* effective; 0: none */
    char reason[160];   /* "daily 3 of 7, weekly 1 of 4", "max_age 90 d reached (deadline 2026-...)", ... */
};

struct plan_summary {
    char guard[200]; /* why tiers expire nothing now; empty when they do */
    size_t keep, expire;
    int64_t next_expiry; /* the earliest deadline of those kept; 0: none */
};

/* `snapshots` oldest first; fills `verdicts[count]`. Refuses (ERR_REFUSED) when `now` is before the newest snapshot by
 * more than a day: the clock is wrong. */
int plan_make(const struct policy *policy, const struct calendar *calendar, const struct plan_snapshot *snapshots,
              size_t count, int64_t now, struct plan_verdict *verdicts, struct plan_summary *summary,
              struct err *err) MUST_CHECK;

/* Seconds between expected runs: the policy's, or a day. */
int64_t plan_interval(const struct policy *policy);

/* How long before its deadline a snapshot expires: two intervals, or a quarter of max_age where that is less. */
int64_t plan_slack(const struct policy *policy);

/* How long before they are due dead chunks are rewritten: the same, or, where nothing limits the age of snapshots, as
 * much of purge_within. */
int64_t plan_purge_slack(const struct policy *policy);

/*
 * When each snapshot is expected to go if the policy stays and complete snapshots follow, one an interval (at the
 * newest one's wall-clock time where that is whole days; one a day where it is less): the time of the run that ends it,
 * `now` when the verdict ends it already. 0: not foreseen (held, or EXPIRY_YEARS away). A guard is taken as passed with
 * the first run. Takes what plan_make() took and gave. 400 snapshots take a
 * millisecond, or some tens where the policy keeps them for years.
 */
enum { EXPIRY_YEARS = 12 };
void plan_expiry(const struct policy *policy, const struct calendar *calendar, const struct plan_snapshot *snapshots,
                 const struct plan_verdict *verdicts, size_t count, int64_t now, int64_t *expires);

/* What a snapshot is born with. Tiers that a complete one taken at `when` takes, given the earlier ones; the policy's
 * counts; and its deadline (0: none). */
uint8_t plan_birth_tiers(const struct calendar *calendar, const struct policy *policy,
                         const struct plan_snapshot *earlier, size_t count, int64_t when);
void plan_birth_limits(const struct policy *policy, uint32_t limits[TIER_KINDS]);
int64_t plan_deadline(const struct policy *policy, int64_t when);

/* The earliest moment at which the plan may end a complete snapshot that was born with these tiers: what it writes can
 * be locked until then, since the lock then never outlasts a decision, and never the deadline. 0: nothing that can be
 * known. */
int64_t plan_lock_until(const struct calendar *calendar, const struct policy *policy,
                        const struct plan_snapshot *snapshot, uint8_t tiers);

/* Numbers a policy comes to: the oldest age tiers can reach in seconds without and with the cap, and how many of each
 * tier are effective. */
struct policy_reach {
    int64_t tiers_reach;     /* by tiers alone: age at the last nightly run that keeps it; -1: unbounded */
    int64_t oldest_age;      /* with max_age; -1: unbounded */
    int64_t erasure_horizon; /* a row deleted today is in no backup after this many seconds (assumes nightly runs); -1:
                                unbounded */
    uint32_t daily_effective, weekly_effective, monthly_effective, yearly_effective;
};
void plan_reach(const struct policy *policy, struct policy_reach *reach);

/*
 * Simulation: nightly runs at the wall-clock time of `start`, for `days` days, leaving out the nights for which
 * missed(context, day) is true. Calls `each` after every night with what exists then (snapshots' start times and
 * verdicts).
 */
struct simulation_night {
    int day;
    int64_t when;
    bool missed;
    const struct plan_snapshot *snapshots;
    const struct plan_verdict *verdicts; /* after the night; those that expire are marked and are gone the next night
                                            (on a missed night nothing runs, so all are kept); with their reasons only
                                            after the last night */
    size_t count;
};
struct simulation_result {
    int64_t oldest_age; /* the greatest age that a snapshot had on a night that kept it */
    int oldest_day;
    size_t most_snapshots;
};
int plan_simulate(const struct policy *policy, const struct calendar *calendar, int64_t start, int days,
                  bool (*missed)(void *context, int day),
                  int (*each)(void *context, const struct simulation_night *night, struct err *err), void *context,
                  struct simulation_result *result, struct err *err) MUST_CHECK;

#endif
