#!/usr/bin/env bash
# The server stops while it is dumped: what had not been read whole is not kept, and the message says what happened.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/postgres.sh"
. "$(dirname "$0")/../lib/dumping.sh"

dumping_prepare
heads=$(count_heads "$SCRATCH/store")
dumping_start 2026-03-02T02:00:00Z
holds 'a dump comes half-way' dumping_half_way
postgres_stop "$SERVER" immediate
dumping_end
is 1 "$STATUS" 'with the server gone every source has failed'
says "$SCRATCH/err" 'large' 'the message names the database'
says "$SCRATCH/err" 'server|connection' 'and what was lost'
is "$heads" "$(count_heads "$SCRATCH/store")" 'no snapshot was made'
expect 0 'the repository is whole' check app --read-data
dumping_good_is_whole

expect 1 'a server that is down fails before anything is stored' snapshot app --time 2026-03-03T02:00:00Z
says "$SCRATCH/err" 'large|small' 'the message names the source'
is "$heads" "$(count_heads "$SCRATCH/store")" 'still no snapshot'
postgres_restart "$SERVER"
expect 0 'with the server back the next night is good' snapshot app --time 2026-03-04T02:00:00Z
finish
