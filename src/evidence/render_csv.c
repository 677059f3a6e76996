#include "render_internal.h"
#include <muniment/util/clock.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <muniment/util/text.h>
#include <stdlib.h>
#include <string.h>

/*
 * RFC 4180, in sections: each has a heading row, and the first column of every row names the section, so that one can
 * be filtered out of the whole; a blank line stands between them. What a spreadsheet would take for a formula begins
 * with an apostrophe, as spreadsheets write text themselves.
 */
struct rows {
    struct buffer *out;
    bool begun; /* the row has a cell */
};

static void cell(struct rows *rows, const char *text) {
    if (rows->begun)
        buffer_put_u8(rows->out, ',');
    rows->begun = true;
    if (text == NULL)
        return;
    char *escaped = text_escape(text, "", "");
    bool formula = escaped[0] != '\0' && strchr("=+-@", escaped[0]) != NULL;
    bool quoted = formula || strpbrk(escaped, ",\"") != NULL;
    if (quoted)
        buffer_put_u8(rows->out, '"');
    if (formula)
        buffer_put_u8(rows->out, '\'');
    for (const char *at = escaped; *at != '\0'; at++) {
        if (*at == '"')
            buffer_put_u8(rows->out, '"');
        buffer_put_u8(rows->out, (uint8_t)*at);
    }
    if (quoted)
        buffer_put_u8(rows->out, '"');
    free(escaped);
}

static void cell_count(struct rows *rows, uint64_t value) {
    char *text = mem_format("%llu", (unsigned long long)value);
    cell(rows, text);
    free(text);
}

static void cell_span(struct rows *rows, int64_t seconds) {
    if (seconds < 0)
        cell(rows, NULL);
    else
        cell_count(rows, (uint64_t)seconds);
}

static void cell_seconds(struct rows *rows, double seconds) {
    char *text = mem_format("%.3f", seconds);
    cell(rows, text);
    free(text);
}

static void cell_time(struct rows *rows, int64_t when) {
    char text[CLOCK_TEXT];
    cell(rows, when == 0 ? NULL : clock_format(text, when));
}

static void cell_flag(struct rows *rows, bool value) {
    cell(rows, value ? "yes" : "no");
}

static void cell_tiers(struct rows *rows, uint8_t tiers) {
    char text[FORM_TEXT];
    cell(rows, tiers != 0 ? form_tiers(text, tiers) : NULL);
}

static void end_row(struct rows *rows) {
    buffer_put(rows->out, "\r\n", 2);
    rows->begun = false;
}

/* The heading row; `columns` are joined by commas. */
static void section(struct rows *rows, const char *columns) {
    buffer_printf(rows->out, "%ssection,%s\r\n", rows->out->length > 0 ? "\r\n" : "", columns);
}

/* --- sections ----------------------------------------------------------------------------------------------------- */

static void put_fact(struct rows *rows, const char *name, const char *value) {
    cell(rows, "report");
    cell(rows, name);
    cell(rows, value);
    end_row(rows);
}

static void put_time(struct rows *rows, const char *name, int64_t when) {
    char text[CLOCK_TEXT];
    put_fact(rows, name, when == 0 ? NULL : clock_format(text, when));
}

static void put_number(struct rows *rows, const char *name, uint64_t value) {
    cell(rows, "report");
    cell(rows, name);
    cell_count(rows, value);
    end_row(rows);
}

static void put_report(struct rows *rows, const struct report *report) {
    struct render_numbers numbers;
    char mark[RENDER_MARK];
    render_count(report, &numbers);
    section(rows, "name,value");
    put_fact(rows, "document", render_mark(report, mark));
    put_number(rows, "schema", REPORT_SCHEMA);
    put_fact(rows, "id", report->id);
    put_fact(rows, "set", report->set);
    put_fact(rows, "set_id", report->set_id);
    put_fact(rows, "tool", report->tool);
    put_fact(rows, "signer", report->signer);
    put_time(rows, "generated", report->generated);
    put_time(rows, "from", report->from);
    put_time(rows, "until", report->until);
    put_fact(rows, "as_expected", report->as_expected ? "yes" : "no");
    put_number(rows, "snapshots", numbers.snapshots);
    put_number(rows, "copies", numbers.copies);
    put_number(rows, "copies_whole", numbers.copies_whole);
    put_number(rows, "runs", numbers.runs);
    put_number(rows, "runs_ok", numbers.runs_ok);
    put_number(rows, "restore_tests", numbers.drills);
    put_number(rows, "restore_tests_passed", numbers.drills_passed);
    put_number(rows, "destructions", numbers.destructions);
    put_number(rows, "destructions_confirmed", numbers.destructions_confirmed);
    put_number(rows, "findings", numbers.findings);
    put_number(rows, "exceptions", numbers.exceptions);
    put_time(rows, "erased_after", report->erased_after);
    put_number(rows, "erasure_requests", report->erasures);
    put_fact(rows, "journal_whole", report->journal_whole ? "yes" : "no");
}

static void put_policies(struct rows *rows, const struct report *report) {
    section(rows, "id,effective,daily,weekly,monthly,yearly,max_age,purge_within,interval,strict,timezone,"
                  "daily_effective,weekly_effective,monthly_effective,yearly_effective,tiers_reach,oldest_age,"
                  "erasure_horizon");
    for (size_t i = 0; i < report->policy_count; i++) {
        const struct report_policy *version = &report->policies[i];
        const struct policy *policy = &version->policy;
        cell(rows, "policy");
        cell(rows, version->id);
        cell_time(rows, version->effective);
        cell_count(rows, policy->daily);
        cell_count(rows, policy->weekly);
        cell_count(rows, policy->monthly);
        cell_count(rows, policy->yearly);
        cell_span(rows, render_limit(policy->max_age));
        cell_span(rows, policy->purge_within);
        cell_span(rows, policy->interval);
        cell_flag(rows, policy->strict);
        cell(rows, policy->timezone);
        cell_count(rows, version->reach.daily_effective);
        cell_count(rows, version->reach.weekly_effective);
        cell_count(rows, version->reach.monthly_effective);
        cell_count(rows, version->reach.yearly_effective);
        cell_span(rows, version->reach.tiers_reach);
        cell_span(rows, version->reach.oldest_age);
        cell_span(rows, version->reach.erasure_horizon);
        end_row(rows);
    }
}

static void put_runs(struct rows *rows, const struct report *report) {
    section(rows, "day,expected,outcome,started,snapshot,reason");
    for (size_t i = 0; i < report->run_count; i++) {
        const struct report_run *run = &report->runs[i];
        cell(rows, "run");
        cell(rows, run->day);
        cell_time(rows, run->expected);
        cell(rows, run_outcome_text(run->outcome));
        cell_time(rows, run->started);
        cell(rows, run->snapshot);
        cell(rows, run->reason);
        end_row(rows);
    }
}

static void put_copy(struct rows *rows, const struct report_snapshot *snapshot, const struct report_store *store,
                     const struct report_copy *copy) {
    cell(rows, "copy");
    cell(rows, snapshot->name);
    cell_time(rows, snapshot->started);
    cell_time(rows, snapshot->finished);
    cell(rows, outcome_text(snapshot->outcome));
    cell_tiers(rows, snapshot->tiers);
    cell_tiers(rows, snapshot->birth_tiers);
    cell_time(rows, snapshot->gone_by);
    cell_time(rows, snapshot->expires);
    cell_time(rows, snapshot->expired);
    cell_flag(rows, snapshot->held);
    cell_flag(rows, snapshot->past_deadline);
    cell_count(rows, snapshot->bytes);
    cell_count(rows, snapshot->stored_bytes);
    cell(rows, store->name);
    cell(rows, copy_state_text(copy->state));
    cell_time(rows, copy->stored);
    cell_count(rows, copy->versions);
    cell_count(rows, copy->packs);
    cell_count(rows, copy->missing_packs);
    cell_time(rows, copy->locked_until);
    cell(rows, snapshot->reason);
    end_row(rows);
}

static void put_copies(struct rows *rows, const struct report *report) {
    section(rows, "snapshot,started,finished,outcome,tiers,birth_tiers,gone_by,expires,expired,held,past_deadline,"
                  "bytes,stored_bytes,place,state,stored,versions,packs,missing_packs,locked_until,reason");
    for (size_t i = 0; i < report->snapshot_count; i++) {
        for (size_t place = 0; place < report->store_count && report->snapshots[i].copies != NULL; place++)
            put_copy(rows, &report->snapshots[i], &report->stores[place], &report->snapshots[i].copies[place]);
    }
}

static void put_sources(struct rows *rows, const struct report *report) {
    char digest[65];
    section(rows, "snapshot,name,kind,outcome,started,finished,entries,bytes,stored_bytes,digest,facts");
    for (size_t i = 0; i < report->snapshot_count; i++) {
        const struct head *head = &report->snapshots[i].head;
        for (size_t j = 0; j < head->source_count; j++) {
            const struct head_source *source = &head->sources[j];
            struct buffer facts = { 0 };
            for (size_t k = 0; k < source->fact_count; k++)
                buffer_printf(&facts, "%s%s %s", k > 0 ? "; " : "", source->facts[k].name, source->facts[k].value);
            cell(rows, "source");
            cell(rows, report->snapshots[i].name);
            cell(rows, source->name);
            cell(rows, source->kind);
            cell(rows, outcome_text(source->outcome));
            cell_time(rows, source->started);
            cell_time(rows, source->finished);
            cell_count(rows, source->entries);
            cell_count(rows, source->bytes);
            cell_count(rows, source->stored_bytes);
            cell(rows, hex_encode(digest, source->digest, sizeof source->digest));
            cell(rows, buffer_text(&facts));
            end_row(rows);
            buffer_release(&facts);
        }
    }
}

static void put_places(struct rows *rows, const struct report *report) {
    section(rows, "name,address,reached,why,versioning,lock,region,bucket,objects,bytes,versions,hidden,hidden_bytes,"
                  "snapshots,newest_snapshot,copied,verified,verified_objects,verified_damaged,lag");
    for (size_t i = 0; i < report->store_count; i++) {
        const struct report_store *store = &report->stores[i];
        cell(rows, "place");
        cell(rows, store->name);
        cell(rows, store->address);
        cell_flag(rows, store->reached);
        cell(rows, store->why);
        cell(rows, store->versioning);
        cell(rows, store->lock);
        cell(rows, store->region);
        cell(rows, store->bucket);
        cell_count(rows, store->objects);
        cell_count(rows, store->bytes);
        cell_count(rows, store->versions);
        cell_count(rows, store->hidden);
        cell_count(rows, store->hidden_bytes);
        cell_count(rows, store->snapshots);
        cell_time(rows, store->newest_snapshot);
        cell_time(rows, store->copied);
        cell_time(rows, store->verified);
        cell_count(rows, store->verified_objects);
        cell_count(rows, store->verified_damaged);
        cell_span(rows, store->lag);
        end_row(rows);
    }
}

static void put_drills(struct rows *rows, const struct report *report) {
    section(rows, "time,snapshot,target,operator,passed,fetch_seconds,load_seconds,verify_seconds,expected,found,bytes,"
                  "message");
    for (size_t i = 0; i < report->drill_count; i++) {
        const struct report_drill *drill = &report->drills[i];
        cell(rows, "restore_test");
        cell_time(rows, drill->time);
        cell(rows, drill->snapshot);
        cell(rows, drill->target);
        cell(rows, drill->operator);
        cell_flag(rows, drill->passed);
        cell_seconds(rows, drill->fetch_seconds);
        cell_seconds(rows, drill->load_seconds);
        cell_seconds(rows, drill->verify_seconds);
        cell_count(rows, drill->expected);
        cell_count(rows, drill->found);
        cell_count(rows, drill->bytes);
        cell(rows, drill->message);
        end_row(rows);
    }
}

static void put_destructions(struct rows *rows, const struct report *report) {
    section(rows, "object,place,state,reason,decided,due,removed,versions,ids,refused_until");
    for (size_t i = 0; i < report->destruction_count; i++) {
        const struct report_destruction *destruction = &report->destructions[i];
        cell(rows, "destruction");
        cell(rows, destruction->object);
        cell(rows, report->stores[destruction->place].name);
        cell(rows, destruction_state_text(destruction->state));
        cell(rows, destruction->reason);
        cell_time(rows, destruction->decided);
        cell_time(rows, destruction->due);
        cell_time(rows, destruction->removed);
        cell_count(rows, destruction->versions);
        cell(rows, destruction->ids);
        cell_time(rows, destruction->refused_until);
        end_row(rows);
    }
}

static void put_exceptions(struct rows *rows, const struct report *report) {
    section(rows, "id,scope,snapshot,from,until,owner,reason,placed,review,ends,released");
    for (size_t i = 0; i < report->hold_count; i++) {
        const struct hold *hold = &report->holds[i];
        cell(rows, "hold");
        cell(rows, hold->id);
        cell(rows, hold_scope_text(hold->scope));
        cell(rows, hold->snapshot);
        cell_time(rows, hold->from);
        cell_time(rows, hold->until);
        cell(rows, hold->owner);
        cell(rows, hold->reason);
        cell_time(rows, hold->placed);
        cell_time(rows, hold->review);
        cell_time(rows, hold->ends);
        cell_time(rows, hold->released);
        end_row(rows);
    }
    section(rows, "kind,place,object,text");
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct report_finding *finding = &report->findings[i];
        cell(rows, "finding");
        cell(rows, finding_kind_text(finding->kind));
        cell(rows, finding->place);
        cell(rows, finding->object);
        cell(rows, finding->text);
        end_row(rows);
    }
}

static void put_reads(struct rows *rows, const struct report *report) {
    section(rows, "time,command,snapshot,host,key,status");
    for (size_t i = 0; i < report->read_count; i++) {
        const struct report_read *read = &report->reads[i];
        cell(rows, "read");
        cell_time(rows, read->time);
        cell(rows, read->command);
        cell(rows, read->snapshot);
        cell(rows, read->host);
        cell(rows, read->key);
        cell_span(rows, read->status);
        end_row(rows);
    }
}

static void put_journal(struct rows *rows, const struct report *report) {
    char witness[JOURNAL_WITNESS];
    section(rows, "host,first,number,hash,events,witness");
    for (size_t i = 0; i < report->chain_count; i++) {
        const struct report_chain *chain = &report->chains[i];
        cell(rows, "journal");
        cell(rows, chain->host);
        cell_count(rows, chain->first);
        cell_count(rows, chain->number);
        cell(rows, chain->hash);
        cell_count(rows, chain->events);
        cell(rows, render_witness(report, chain, witness));
        end_row(rows);
    }
}

static void put_mapping(struct rows *rows) {
    section(rows, "source,what,parts");
    for (const struct render_requirement *item = RENDER_REQUIREMENTS; item->source != NULL; item++) {
        cell(rows, "requirement");
        cell(rows, item->source);
        cell(rows, item->what);
        cell(rows, item->parts);
        end_row(rows);
    }
    section(rows, "what");
    for (const char *const *line = RENDER_NOT_COVERED; *line != NULL; line++) {
        cell(rows, "not_covered");
        cell(rows, *line);
        end_row(rows);
    }
}

void render_csv(const struct report *report, struct buffer *out) {
    struct rows rows = { .out = out };
    put_report(&rows, report);
    put_policies(&rows, report);
    put_runs(&rows, report);
    put_copies(&rows, report);
    put_sources(&rows, report);
    put_places(&rows, report);
    put_drills(&rows, report);
    put_destructions(&rows, report);
    put_exceptions(&rows, report);
    put_reads(&rows, report);
    put_journal(&rows, report);
    put_mapping(&rows);
}
