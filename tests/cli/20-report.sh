#!/usr/bin/env bash
# The report: what the stores hold, held against the journal, and what does not agree, by name and in the exit status.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
one_set "retention = { daily = 3; max_age = \"10d\"; timezone = \"Europe/Copenhagen\"; purge_within = \"0d\"; };
       mirrors = ( { name = \"offsite\"; path = \"$SCRATCH/mirror\"; schedule = \"daily\"; } );"

# As `expect`, at another time.
expect_at() { # TIME EXPECTED WHAT ARGUMENT...
    local time=$1 expected=$2 what=$3
    shift 3
    faketime "$time" "$MUNIMENT" -c "$CONFIG" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null
    STATUS=$?
    if [ "$STATUS" = "$expected" ]; then
        pass "$what"
    else
        fail "$what"
        note "status $STATUS, expected $expected: $*"
        note_file "$SCRATCH/err"
        jq -r '.findings[] | "\(.kind) \(.place) \(.object): \(.text)"' "$SCRATCH/out" 2>&1 | sed 's/^/#   /'
    fi
}
findings() { # of the last report
    jq -r '[.findings[] | "\(.kind) \(.place // "-") \(.object // "-")"] | join("; ")' "$SCRATCH/out"
}
outcomes_of() {
    jq -r '[.runs[].outcome] | join(" ")' "$SCRATCH/out"
}

expect 0 'a repository' init app
for day in 01 02 03 04 05; do
    echo "$day" >"$SCRATCH/data/day"
    expect_at "2026-03-$day 02:00:00Z" 0 "night $day" run app
done
set_folder=$(basename "$(dirname "$(find "$SCRATCH/store" -type d -name snapshots)")")
store=$SCRATCH/store/$set_folder mirror=$SCRATCH/mirror/$set_folder

expect_at '2026-03-05 09:00:00Z' 0 'a report' report app --format json
is '' "$(findings)" 'without a finding'
is true "$(jq .as_expected "$SCRATCH/out")" 'is as expected'
is 'ok ok ok ok ok' "$(outcomes_of)" 'five runs were expected, and came'
is 3 "$(jq '[.snapshots[] | select(.exists)] | length' "$SCRATCH/out")" 'three snapshots are there'
is 6 "$(jq '[.snapshots[] | select(.exists) | .copies[] | select(.state == "whole")] | length' "$SCRATCH/out")" \
    'whole in both places'
is confirmed "$(jq -r '[.destructions[].state] | unique | join(" ")' "$SCRATCH/out")" 'what was destroyed is gone'
is 4 "$(jq '[.destructions[] | select(.object | startswith("snapshots/"))] | length' "$SCRATCH/out")" \
    'two snapshots in two places among it'

expect_at '2026-03-05 09:00:00Z' 0 'a report of two days' report app --json --since 2026-03-03 --until 2026-03-05
is 'ok ok ok' "$(outcomes_of)" 'has the runs of the days that it touches'
expect_at '2026-03-05 09:00:00Z' 0 'a report in a file' report app --format json --to "$SCRATCH/report.json"
is 644 "$(stat -c %a "$SCRATCH/report.json")" 'for others to read'
is '' "$(cat "$SCRATCH/out")" 'and nothing on standard output'
expect_at '2026-03-05 09:00:00Z' 2 'a period that ends before it begins' report app --since 2026-03-05 --until 2026-03-03
expect_at '2026-03-05 09:00:00Z' 2 'a form that is none' report app --format pdf

head=$(basename "$(find "$store/snapshots" -type f | sort | tail -n 1)")
mv "$store/snapshots/$head" "$SCRATCH/taken"
expect_at '2026-03-05 09:00:00Z' 20 'a snapshot that somebody took' report app --format json
is "missing repository snapshots/$head" "$(findings)" 'is named'
mv "$SCRATCH/taken" "$store/snapshots/$head"
mv "$mirror/snapshots/$head" "$SCRATCH/taken"
expect_at '2026-03-05 09:00:00Z' 24 'one that the mirror lost' report app --format json
is "missing offsite snapshots/$head" "$(findings)" 'is named'
mv "$SCRATCH/taken" "$mirror/snapshots/$head"
mv "$SCRATCH/mirror" "$SCRATCH/away"
expect_at '2026-03-05 09:00:00Z' 24 'a mirror that is away' report app --format json
is 'unknown offsite -' "$(findings)" 'is not known about'
mv "$SCRATCH/away" "$SCRATCH/mirror"

expect_at '2026-03-08 09:00:00Z' 22 'three nights without a run' report app --format json
is 'ok ok ok ok ok missed missed expected' "$(outcomes_of)" 'were missed'
is 'missing - -; stale offsite -; stale repository -' "$(findings)" 'and the mirror is old by now'

expect_at '2026-03-20 09:00:00Z' 24 'past the deadlines of all' report app --format json
is 4 "$(jq '[.findings[] | select(.kind == "late")] | length' "$SCRATCH/out")" 'two snapshots are late in both places'
is 2 "$(jq '[.findings[] | select(.kind == "exception")] | length' "$SCRATCH/out")" 'the last good copy is an exception'

expect_at '2026-03-21 09:00:00Z' 0 'the whole set is erased' erase set app --confirm app
expect_at '2026-03-21 10:00:00Z' 22 'and reported on' report app --format json
is 'missing - -' "$(findings)" 'with the nights that it missed'
is confirmed "$(jq -r '[.destructions[].state] | unique | join(" ")' "$SCRATCH/out")" 'all of it is gone'
is 0 "$(jq '[.snapshots[].copies[] | select(.state != "absent")] | length' "$SCRATCH/out")" 'in every place'

# Runs that work while reports are made: what they change between two listings is no finding.
mkdir -p "$SCRATCH/busy/data"
sed "s|$SCRATCH|$SCRATCH/busy|g" "$CONFIG" >"$SCRATCH/busy/conf"
mkdir -p "$SCRATCH/busy/keys" "$SCRATCH/busy/mirror"
CONFIG=$SCRATCH/busy/conf
date >"$SCRATCH/busy/data/day"
expect 0 'a second repository' init app
expect_at '2026-04-09 02:00:00Z' 0 'and its first run' run app
echo 09 >"$SCRATCH/busy/today"
(
    for day in $(seq 10 24); do
        echo "$day" | tee "$SCRATCH/busy/data/day" >"$SCRATCH/busy/tomorrow"
        mv "$SCRATCH/busy/tomorrow" "$SCRATCH/busy/today"
        faketime "2026-04-$day 02:00:00Z" "$MUNIMENT" -c "$CONFIG" run app || break
    done
    touch "$SCRATCH/busy/over"
) >"$SCRATCH/busy/log" 2>&1 </dev/null &
reports=0 all=
while [ ! -e "$SCRATCH/busy/over" ]; do
    faketime "2026-04-$(cat "$SCRATCH/busy/today") 02:01:00Z" "$MUNIMENT" -c "$CONFIG" report app --json >"$SCRATCH/out" 2>>"$SCRATCH/busy/err" ||
        all="$all$? "
    all=$all$(findings)
    reports=$((reports + 1))
done
wait
is '' "$all" "no report of those made beside fifteen runs has a finding"
note "$reports reports"
expect_at '2026-04-24 09:00:00Z' 0 'nor has the one behind them' report app --json
is 3 "$(jq '[.snapshots[] | select(.exists)] | length' "$SCRATCH/out")" 'and as many snapshots stay as should'
finish
