#!/usr/bin/env bash
# pg_dump killed half-way: the night is partial, names the database, holds no half dump, and never counts as a good one.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/postgres.sh"
. "$(dirname "$0")/../lib/dumping.sh"

dumping_prepare
dumping_start 2026-03-02T02:00:00Z
holds 'a dump comes half-way' dumping_half_way
dumping_half_way && kill -KILL "$DUMPER"
dumping_end
is 3 "$STATUS" 'the snapshot is partial'
says "$SCRATCH/err" 'large' 'the message names the database'
says "$SCRATCH/err" 'pg_dump.*(signal|killed|Killed|137)' 'and what happened to pg_dump'
is $'2026-03-01 complete\n2026-03-02 partial' "$(outcomes app)" 'the list says which is partial'
dumping_nothing_half_made 2026-03-02
expect 0 'the other database of that night comes back' restore app@2026-03-02T12:00:00Z small databases/small.dump --stdout
holds 'and can be loaded' pg_restore -f /dev/null "$SCRATCH/out"

# With nothing beside it that succeeded there is no snapshot at all.
sed -i '/name = "small"/d; s/\["large"\]; },$/["large"]; } );/' "$CONFIG"
heads=$(count_heads "$SCRATCH/store")
dumping_start 2026-03-03T02:00:00Z
dumping_half_way && kill -TERM "$DUMPER"
dumping_end
is 1 "$STATUS" 'a set whose only database fails has failed'
is "$heads" "$(count_heads "$SCRATCH/store")" 'and no snapshot was made'

expect 0 'the next night is good again' snapshot app --time 2026-03-04T02:00:00Z
dumping_good_is_whole
finish
