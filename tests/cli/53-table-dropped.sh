#!/usr/bin/env bash
# A table dropped between the moment pg_dump lists it and the moment it locks it: pg_dump fails, and so does the source.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/postgres.sh"
. "$(dirname "$0")/../lib/dumping.sh"

dumping_prepare

# The drop holds its lock for two seconds; the capture starts within them and waits for it.
psql -qX -d large -c 'BEGIN' -c 'DROP TABLE z_last' -c "NOTIFY dropped" -c 'SELECT pg_sleep(2)' -c 'COMMIT' \
    >/dev/null 2>"$SCRATCH/drop.err" &
dropper=$!
for ((i = 0; i < 500; i++)); do
    locked=$(psql -qXAt -d large -c "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'z_last'::regclass")
    [ "${locked:-0}" = 0 ] || break
    sleep 0.01
done
is 1 "${locked:-0}" 'a table is about to go'
muniment snapshot app --time 2026-03-02T02:00:00Z
is 3 "$STATUS" 'the snapshot is partial'
wait "$dropper"
says "$SCRATCH/err" 'large' 'the message names the database'
says "$SCRATCH/err" 'z_last|relation|does not exist' 'and what went wrong'
dumping_nothing_half_made 2026-03-02
expect 0 'without the table the next night is good' snapshot app --time 2026-03-03T02:00:00Z
expect 0 'its dump comes back' restore app large databases/large.dump --stdout
holds 'and can be loaded' pg_restore -f /dev/null "$SCRATCH/out"
finish
