#include "sample_report.h"
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, HOUR = 3600, NIGHTS = 400, PLACES = 3 };
static const int64_t FIRST_NIGHT = 1740794400; /* 2025-03-01T02:00:00Z */
static const uint64_t MEGABYTE = 1000000;

/* What must never act: as markup, in a spreadsheet, on a terminal; and what is only unusual. */
static const char UNUSUAL[] = "<script>alert('1')</script> & \"Ærø\" \xe2\x80\xae\xf0\x9f\x92\xbe";
static const char CONTROLS[] = "=cmd()\x1b[31m\x07,\"quoted\"\ttab\nline \xff\xfe\xc2\x9b \\ ]]>";
static const char LONG[] =
    "a-name-that-is-much-longer-than-anybody-would-ever-have-thought-that-a-database-can-be-called-"
    "without-a-single-place-to-break-it-in-two";

static const char *digest(char text[65], uint64_t number) {
    uint8_t hash[SHA256_SIZE];
    sha256_once(hash, &number, sizeof number);
    return hex_encode(text, hash, sizeof hash);
}

static char *snapshot_name(int night) {
    char when[CLOCK_TEXT], hash[65];
    return mem_format("%s-%s", clock_format_compact(when, FIRST_NIGHT + night * (int64_t)DAY),
                      digest(hash, (uint64_t)night));
}

static bool is_missed(int night) {
    return night == 41 || (night >= 200 && night < 204);
}

/* --- what is the same in all -------------------------------------------------------------------------------------- */

static struct policy policy_90_days(void) {
    struct policy policy = {
        .daily = 7, .weekly = 4, .monthly = 6, .max_age = 90 * DAY, .purge_within = 7 * DAY, .interval = DAY
    };
    strcpy(policy.timezone, "Europe/Copenhagen");
    return policy;
}

static void introduce(struct report *report, const char *set) {
    *report = (struct report){ .set = mem_string(set), .tool = mem_string("0.1.0"), .journal_whole = true };
    strcpy(report->id, "5f1d7084c1a94eb1a3f0d2c6b7e89f01");
    strcpy(report->set_id, "00112233445566778899aabbccddeeff");
    strcpy(report->signer, "c0ffee0123456789");
    report->from = FIRST_NIGHT - 2 * HOUR;
    report->until = report->generated = FIRST_NIGHT + (NIGHTS - 1) * (int64_t)DAY + 7 * HOUR;
    report->erasure_promise = 120 * DAY;
    report->erasure_horizon = 90 * DAY;
    report->erased_after = report->generated + 90 * DAY;

    report->policy_count = 1;
    report->policies = mem_array(2, sizeof *report->policies);
    report->policies[0].policy = policy_90_days();
    report->policies[0].effective = report->from;
    strcpy(report->policies[0].id, "0123456789abcdef");
    plan_reach(&report->policies[0].policy, &report->policies[0].reach);

    report->chain_count = 1;
    report->chains = mem_array(2, sizeof *report->chains);
    strcpy(report->chains[0].host, "c0ffee0123456789");
    report->chains[0].first = 118;
    report->chains[0].number = 1204;
    report->chains[0].events = 9873;
    digest(report->chains[0].hash, 1204);
}

static void add_stores(struct report *report) {
    static const struct {
        const char *name, *address, *versioning, *lock, *region, *bucket;
        uint64_t hidden;
    } STORES[PLACES] = {
        { "repository", "/srv/backup", "none", "none", NULL, NULL, 0 },
        { "offsite", "s3:b2/acme-backups/app", "on", "compliance", "eu-central-003", "acme-backups", 12 },
        { "weekly", "s3:minio.example.org/weekly", "off", "governance", "dk-1", "weekly", 0 },
    };
    report->store_count = PLACES;
    report->stores = mem_array(PLACES, sizeof *report->stores);
    for (size_t i = 0; i < PLACES; i++) {
        struct report_store *store = &report->stores[i];
        store->name = mem_string(STORES[i].name);
        store->address = mem_string(STORES[i].address);
        store->versioning = mem_string(STORES[i].versioning);
        store->lock = mem_string(STORES[i].lock);
        store->region = mem_string(STORES[i].region);
        store->bucket = mem_string(STORES[i].bucket);
        store->reached = true;
        store->hidden = STORES[i].hidden;
        store->hidden_bytes = 4096 * store->hidden;
        store->objects = 1834 - 20 * i;
        store->bytes = 48213 * MEGABYTE - i * 123456789;
        store->versions = store->objects + store->hidden;
        store->newest_snapshot = report->generated - 7 * HOUR - (i == 2 ? 3 * DAY : 0);
        store->lag = i == 2 ? 3 * DAY : 0;
        store->copied = i == 0 ? 0 : store->newest_snapshot + HOUR;
        store->verified = report->generated - 6 * HOUR;
        store->verified_objects = 92;
    }
}

static void fill_head(struct head *head, int night) {
    head->name = snapshot_name(night);
    head->started = FIRST_NIGHT + night * (int64_t)DAY;
    head->finished = head->started + 140;
    head->source_count = 2;
    head->sources = mem_array(2, sizeof *head->sources);
    for (size_t i = 0; i < 2; i++) {
        struct head_source *source = &head->sources[i];
        source->name = mem_string(i == 0 ? "database" : "uploads");
        source->kind = mem_string(i == 0 ? "postgres" : "bucket");
        source->outcome = OUTCOME_COMPLETE;
        source->started = head->started;
        source->finished = head->finished;
        source->entries = i == 0 ? 3 : 18000 + (uint64_t)night;
        source->bytes = i == 0 ? 735 * MEGABYTE : 2100 * MEGABYTE;
        source->stored_bytes = 31 * MEGABYTE;
        sha256_once(source->digest, head->name, strlen(head->name));
        source->unit_count = 1;
        source->units = mem_array(1, sizeof *source->units);
        source->units[0].name = mem_string(i == 0 ? "app" : "uploads");
        source->units[0].bytes = source->bytes;
        source->units[0].rows = 1200345;
        source->units[0].rows_known = i == 0;
    }
    head->sources[0].fact_count = 2;
    head->sources[0].facts = mem_array(2, sizeof *head->sources[0].facts);
    head->sources[0].facts[0] = (struct head_fact){ mem_string("server"), mem_string("16.14") };
    head->sources[0].facts[1] = (struct head_fact){ mem_string("pg_dump"), mem_string("16.14") };
}

/* The night's tiers: dailies of the last week, weeklies on Mondays, monthlies on the first. */
static uint8_t tiers_of(int night) {
    uint8_t tiers = night >= NIGHTS - 7 ? TIER_DAILY : 0;
    if (night % 7 == 2 && night >= NIGHTS - 32)
        tiers |= TIER_WEEKLY;
    if (night % 30 == 1 && night >= NIGHTS - 90)
        tiers |= TIER_MONTHLY;
    return tiers;
}

static void add_snapshot(struct report *report, int night) {
    struct report_snapshot *snapshot = &report->snapshots[report->snapshot_count++];
    snapshot->name = snapshot_name(night);
    head_short_name(snapshot->name, snapshot->short_name);
    snapshot->started = FIRST_NIGHT + night * (int64_t)DAY;
    snapshot->finished = snapshot->started + 140;
    snapshot->outcome = OUTCOME_COMPLETE;
    snapshot->birth_tiers =
        (uint8_t)(TIER_DAILY | (night % 7 == 2 ? TIER_WEEKLY : 0) | (night % 30 == 1 ? TIER_MONTHLY : 0));
    snapshot->tiers = tiers_of(night);
    snapshot->exists = snapshot->tiers != 0;
    snapshot->gone_by = snapshot->started + 90 * DAY;
    snapshot->host = mem_string("db1.acme.example");
    snapshot->tool = mem_string("0.1.0");
    snapshot->bytes = 2835 * MEGABYTE + (uint64_t)night;
    snapshot->stored_bytes = 62 * MEGABYTE;
    snapshot->copies = mem_array(PLACES, sizeof *snapshot->copies);
    if (!snapshot->exists) {
        snapshot->tiers = snapshot->birth_tiers;
        snapshot->expired = snapshot->started + (snapshot->birth_tiers & TIER_MONTHLY  ? 88
                                                 : snapshot->birth_tiers & TIER_WEEKLY ? 28
                                                                                       : 7) *
                                                    (int64_t)DAY;
        snapshot->reason = mem_string("superseded in its tiers");
        for (size_t i = 0; i < PLACES; i++)
            snapshot->copies[i].state = COPY_ABSENT;
        return;
    }

    snapshot->reason = mem_format("daily %d of 7", NIGHTS - night);
    snapshot->expires = snapshot->started + 80 * DAY;
    snapshot->head_known = true;
    fill_head(&snapshot->head, night);
    for (size_t i = 0; i < PLACES; i++) {
        struct report_copy *copy = &snapshot->copies[i];
        copy->state = i == 2 && night > NIGHTS - 4 ? COPY_ABSENT : COPY_WHOLE;
        if (copy->state == COPY_ABSENT)
            continue;
        copy->stored = snapshot->finished + (int64_t)i * HOUR;
        copy->versions = 1;
        copy->packs = 212 + (uint64_t)night;
        copy->locked_until = i == 1 ? snapshot->started + 28 * DAY : 0;
        report->stores[i].snapshots++;
    }
}

static void add_nights(struct report *report) {
    report->snapshots = mem_array(NIGHTS, sizeof *report->snapshots);
    report->runs = mem_array(NIGHTS + 1, sizeof *report->runs);
    for (int night = 0; night < NIGHTS; night++) {
        struct report_run *run = &report->runs[report->run_count++];
        run->expected = FIRST_NIGHT - 3 * HOUR + night * (int64_t)DAY;
        char day[CLOCK_TEXT];
        snprintf(run->day, sizeof run->day, "%.10s", clock_format(day, FIRST_NIGHT + night * (int64_t)DAY));
        if (is_missed(night)) {
            run->outcome = RUN_MISSED;
            continue;
        }
        run->started = FIRST_NIGHT + night * (int64_t)DAY;
        run->snapshot = snapshot_name(night);
        add_snapshot(report, night);
    }
}

static void add_drills(struct report *report) {
    report->drill_count = 3;
    report->drills = mem_array(4, sizeof *report->drills);
    for (size_t i = 0; i < 3; i++)
        report->drills[i] = (struct report_drill){ .time = FIRST_NIGHT + (100 + 120 * (int64_t)i) * DAY + 9 * HOUR,
                                                   .snapshot = snapshot_name(100 + 120 * (int)i),
                                                   .target = mem_string("postgres 16.14, scratch"),
                                                   .operator= mem_string("on-call"),
                                                   .passed = true,
                                                   .fetch_seconds = 41.25,
                                                   .load_seconds = 63.5,
                                                   .verify_seconds = 8.125,
                                                   .expected = 1200345,
                                                   .found = 1200345,
                                                   .bytes = 735 * MEGABYTE };
}

static void add_destruction(struct report *report, int night, size_t place, enum destruction_state state) {
    char hash[65];
    struct report_destruction *destruction = &report->destructions[report->destruction_count++];
    char *name = snapshot_name(night);
    *destruction = (struct report_destruction){ .place = place, .state = state };
    destruction->object = report->destruction_count % 3 == 0
                              ? mem_format("packs/%.2s/%s", digest(hash, (uint64_t)night * 7), hash)
                              : mem_format("snapshots/%s", name);
    destruction->reason = mem_string("superseded in its tiers");
    destruction->decided = FIRST_NIGHT + (night + 7) * (int64_t)DAY;
    destruction->due = destruction->decided + 7 * DAY;
    if (state == DESTRUCTION_CONFIRMED && place == 1) {
        destruction->removed = destruction->decided + HOUR;
        destruction->versions = 1;
        destruction->ids = mem_format("4_z%.24s", digest(hash, (uint64_t)night + 5000));
    }
    free(name);
}

static void add_reads(struct report *report) {
    report->read_count = 4;
    report->reads = mem_array(5, sizeof *report->reads);
    for (size_t i = 0; i < 4; i++)
        report->reads[i] = (struct report_read){ .time = FIRST_NIGHT + (100 + 60 * (int64_t)i) * DAY + 9 * HOUR,
                                                 .command = mem_string(i == 3 ? "restore" : "drill"),
                                                 .snapshot = snapshot_name(100 + 60 * (int)i),
                                                 .host = mem_string("c0ffee0123456789"),
                                                 .key = mem_string("a1b2c3d4e5f60718") };
}

void sample_report_quiet(struct report *report) {
    introduce(report, "app");
    add_stores(report);
    add_nights(report);
    add_drills(report);
    add_reads(report);
    report->destructions = mem_array(3 * NIGHTS, sizeof *report->destructions);
    for (int night = 340; night < 380; night++) {
        for (size_t place = 0; place < PLACES; place++)
            add_destruction(report, night, place, DESTRUCTION_CONFIRMED);
    }
    for (size_t i = 0; i < report->run_count; i++) {
        if (report->runs[i].outcome == RUN_MISSED)
            report->runs[i].outcome = RUN_OK;
    }
    report->as_expected = true;
}

/* --- what went wrong ---------------------------------------------------------------------------------------------- */

static void add_finding(struct report *report, enum finding_kind kind, const char *place, const char *object,
                        const char *text) {
    report->findings[report->finding_count++] = (struct report_finding){
        .kind = kind, .place = mem_string(place), .object = mem_string(object), .text = mem_string(text)
    };
}

static void add_findings(struct report *report) {
    char *late = mem_format("snapshots/%s", report->snapshots[310].name);
    report->findings = mem_array(16, sizeof *report->findings);
    add_finding(report, FINDING_LATE, "weekly", late, "still there 3 d after its deadline");
    add_finding(report, FINDING_EXCESS, "offsite", "packs/ab/abcdef", "no index, no snapshot and no decision knows it");
    add_finding(report, FINDING_MISSING, NULL, NULL, "4 nights in a row without a run: 2025-09-17 to 2025-09-20");
    add_finding(report, FINDING_STALE, "weekly", NULL, "its newest snapshot is 3 d older than the repository's");
    add_finding(report, FINDING_TAMPERED, "repository", "journal/c0ffee0123456789-0000000120", CONTROLS);
    add_finding(report, FINDING_POLICY, NULL, NULL, "monthly: 6 configured, 3 effective, limited by max_age = 90 d");
    add_finding(report, FINDING_UNKNOWN, "weekly", NULL, UNUSUAL);
    add_finding(report, FINDING_EXCEPTION, NULL, LONG, "a hold keeps it past its deadline");
    free(late);
}

static void add_holds(struct report *report) {
    report->hold_count = 3;
    report->holds = mem_array(3, sizeof *report->holds);
    report->holds[0] = (struct hold){ .scope = HOLD_SET,
                                      .owner = mem_string("legal, case 2025/117"),
                                      .reason = mem_string(UNUSUAL),
                                      .placed = FIRST_NIGHT + 300 * DAY,
                                      .review = FIRST_NIGHT + 480 * DAY };
    report->holds[1] = (struct hold){ .scope = HOLD_SNAPSHOT,
                                      .snapshot = mem_string(report->snapshots[390].name),
                                      .owner = mem_string("-SUM(A1)"),
                                      .reason = mem_string(CONTROLS),
                                      .placed = FIRST_NIGHT + 391 * DAY,
                                      .ends = FIRST_NIGHT + 700 * DAY };
    report->holds[2] = (struct hold){ .scope = HOLD_RANGE,
                                      .from = FIRST_NIGHT,
                                      .until = FIRST_NIGHT + 30 * DAY,
                                      .owner = mem_string("@support"),
                                      .reason = mem_string(LONG),
                                      .placed = FIRST_NIGHT + 31 * DAY,
                                      .released = FIRST_NIGHT + 90 * DAY };
    strcpy(report->holds[0].id, "00000000000000a1");
    strcpy(report->holds[1].id, "00000000000000a2");
    strcpy(report->holds[2].id, "00000000000000a3");
}

static void spoil_nights(struct report *report) {
    static const enum run_outcome OUTCOMES[] = { RUN_LATE, RUN_PARTIAL, RUN_FAILED };
    for (size_t i = 0; i < 12; i++) {
        struct report_run *run = &report->runs[20 + 31 * i];
        run->outcome = OUTCOMES[i % 3];
        free(run->reason);
        run->reason = mem_string(i == 4 ? CONTROLS : "the server did not answer");
    }
    report->runs[report->run_count++] =
        (struct report_run){ .expected = report->generated - HOUR, .outcome = RUN_EXPECTED, .day = "2026-04-05" };

    /* One of each state, in the last nights. */
    static const enum copy_state STATES[] = { COPY_INCOMPLETE, COPY_ABSENT, COPY_HIDDEN, COPY_UNKNOWN };
    for (size_t i = 0; i < 4; i++) {
        struct report_copy *copy = &report->snapshots[report->snapshot_count - 2 - i].copies[2];
        *copy = (struct report_copy){ .state = STATES[i], .packs = 3, .missing_packs = i == 0 ? 2 : 0 };
    }
    struct report_snapshot *partial = &report->snapshots[report->snapshot_count - 3];
    partial->outcome = OUTCOME_PARTIAL;
    partial->head.sources[1].outcome = OUTCOME_FAILED;
    partial->head.sources[1].trouble_count = 2;
    partial->head.sources[1].troubles = mem_array(2, sizeof(char *));
    partial->head.sources[1].troubles[0] = mem_string(CONTROLS);
    partial->head.sources[1].troubles[1] = mem_string(LONG);
    struct report_snapshot *kept = &report->snapshots[310];
    kept->exists = kept->held = kept->past_deadline = true;
    kept->expired = 0;
    kept->gone_by = report->generated - 3 * DAY;
    kept->copies[0].state = kept->copies[2].state = COPY_WHOLE;
    free(kept->host);
    kept->host = mem_string(UNUSUAL);
    report->snapshots[5].gone_by = 0;
}

void sample_report(struct report *report) {
    sample_report_quiet(report);
    report->as_expected = false;
    report->journal_whole = false;
    free(report->set);
    report->set = mem_string(UNUSUAL);
    for (size_t i = 0; i < report->run_count; i++)
        report->runs[i].outcome = is_missed((int)i) ? RUN_MISSED : RUN_OK;
    spoil_nights(report);
    add_findings(report);
    add_holds(report);

    /* A policy that kept everything, before the one in force. */
    report->policy_count = 2;
    report->policies[1] = report->policies[0];
    report->policies[1].effective = FIRST_NIGHT + 12 * DAY;
    report->policies[0].policy = (struct policy){ .daily = 30, .interval = DAY, .strict = true };
    strcpy(report->policies[0].policy.timezone, "UTC");
    strcpy(report->policies[0].id, "fedcba9876543210");
    report->policies[0].reach = (struct policy_reach){ .tiers_reach = -1, .oldest_age = -1, .erasure_horizon = -1 };
    report->erasure_horizon = -1;
    report->erased_after = 0;
    report->erasures = 17;
    report->policy_warning_count = 1;
    report->policy_warnings = mem_array(1, sizeof(char *));
    report->policy_warnings[0] = mem_string("monthly: 6 configured, 3 effective, limited by max_age = 90 d");

    report->chain_count = 2;
    strcpy(report->chains[1].host, "deadbeef01234567");
    report->chains[1].number = report->chains[1].first = report->chains[1].events = 1;
    digest(report->chains[1].hash, 1);

    report->stores[2].reached = false;
    report->stores[2].why = mem_string("s3:minio.example.org/weekly: connection refused");
    report->stores[2].lag = -1;
    report->stores[2].verified = 0;
    report->drills[1].passed = false;
    report->drills[1].found = 1200001;
    report->drills[1].message = mem_string(CONTROLS);
    report->drills[report->drill_count++] = (struct report_drill){ .time = report->generated - DAY, .passed = true };
    report->reads[2].status = 20;
    report->reads[report->read_count++] =
        (struct report_read){ .time = report->generated - HOUR, .command = mem_string(CONTROLS), .status = 1 };

    static const enum destruction_state STATES[] = { DESTRUCTION_PENDING, DESTRUCTION_HIDDEN, DESTRUCTION_REFUSED,
                                                     DESTRUCTION_LATE, DESTRUCTION_UNKNOWN };
    for (size_t i = 0; i < 5; i++)
        add_destruction(report, 380 + (int)i, i == 4 ? 2 : 1, STATES[i]);
    report->destructions[report->destruction_count - 3].refused_until = report->generated + 12 * DAY;
}

void sample_report_empty(struct report *report) {
    introduce(report, "new");
    report->signer[0] = '\0';
    report->chain_count = 0;
    report->erasure_promise = 0;
    report->as_expected = true;
    report->store_count = 1;
    report->stores = mem_array(1, sizeof *report->stores);
    report->stores[0].name = mem_string("repository");
    report->stores[0].address = mem_string("/srv/backup");
    report->stores[0].versioning = mem_string("none");
    report->stores[0].lock = mem_string("none");
    report->stores[0].reached = true;
}
