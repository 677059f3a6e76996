#!/usr/bin/env bash
# What stays, what goes, when and why: shown before it is done, and simulated before it is promised.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
one_set 'retention = { daily = 2; weekly = 1; monthly = 6; max_age = "90d"; timezone = "Europe/Copenhagen"; purge_within = "0d"; };'
expect 0 'a repository' init app
for day in 01 02 03 04; do
    echo "$day" >"$SCRATCH/data/day"
    expect 0 "day $day" snapshot app --time "2026-03-${day}T02:00:00Z"
done

expect 0 'the plan' rotate app --as-of 2026-03-04T03:00:00Z
says "$SCRATCH/out" '2026-03-04T02:00:00Z .*daily .*keep .*2026-06-02T02:00:00Z .*daily 1 of 2' 'has time, tiers, verdict, deadline, reason'
says "$SCRATCH/out" '2026-03-01T02:00:00Z .*monthly .*keep' 'the first of the month stays'
says "$SCRATCH/out" '2026-03-02T02:00:00Z .*weekly .*keep' 'the first of the week stays'
says "$SCRATCH/out" '4 to keep, 0 to expire' 'and a sum'
is 4 "$(count_heads "$SCRATCH/store")" 'nothing was changed'
echo 05 >"$SCRATCH/data/day"
expect 0 'one more day' snapshot app --time 2026-03-05T02:00:00Z
expect 0 'the plan in JSON' --json rotate app --as-of 2026-03-05T03:00:00Z
is 2026-03-03T02:00:00Z "$(jq -r 'select(.type == "verdict" and .keep == false) | .started' "$SCRATCH/out")" 'expires the third'
expect 0 'applied' rotate app --apply --as-of 2026-03-05T03:00:00Z
is 4 "$(count_heads "$SCRATCH/store")" 'it is gone'
expect 0 'the journal' journal app
says "$SCRATCH/out" 'expired .*reason=' 'knows why'
expect 23 'a clock before the newest snapshot decides nothing' rotate app --apply --as-of 2026-02-01T00:00:00Z

sed 's/daily = 2; weekly = 1;/daily = 7; weekly = 4;/' "$CONFIG" >"$SCRATCH/longer.conf"
echo 06 >"$SCRATCH/data/day"
CONFIG=$SCRATCH/longer.conf expect 0 'a longer policy, and one more day' snapshot app --time 2026-03-06T02:00:00Z
CONFIG=$SCRATCH/longer.conf expect 0 'its plan' rotate app --as-of 2026-03-06T03:00:00Z
says "$SCRATCH/out" '2026-03-04T02:00:00Z .*expire .*beyond 2 daily \(at birth\)' 'does not lengthen the life of what exists'
says "$SCRATCH/out" '2026-03-06T02:00:00Z .*keep .*daily 1 of 7' 'but that of what is made'

expect 0 'the guard' rotate app --as-of 2026-03-20T03:00:00Z
says "$SCRATCH/out" '^guard: ' 'holds tiers back while the newest is stale'
expect 0 'past the deadline of all' rotate app --apply --as-of 2026-08-01T00:00:00Z
is 1 "$(count_heads "$SCRATCH/store")" 'the last good copy stays'

expect 0 'plan' plan app --days 400 --start 2026-03-01T02:00:00Z --missed 3,10-12
says "$SCRATCH/out" '^effective: .* 3 monthly' 'shows what max_age leaves of the tiers'
says "$SCRATCH/out" 'in no backup after 90 d' 'the erasure horizon'
says "$SCRATCH/out" '^warning: monthly: 6 configured' 'warnings'
says "$SCRATCH/out" '^oldest age ever reached: 8[0-9] d' 'and the oldest age of the simulation'
expect 0 'every night with -v' -v plan app --days 20 --start 2026-03-20T02:00:00Z --missed 2
is 20 "$(grep -c '^day ' "$SCRATCH/out")" 'a line each'
says "$SCRATCH/out" '^day +2 .*missed' 'missed ones too'
says "$SCRATCH/out" '^day +12 .*2026-04-01 03:00 \+0200' 'at the same time of day after the clocks changed'
expect 2 'a list of days that is none' plan app --missed 3-1
expect 2 'a day beyond the end' plan app --days 5 --missed 5
finish
