#!/usr/bin/env bash
# Monitoring: how old the newest complete snapshot is, with the write key alone.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
CONFIG=$SCRATCH/conf
mkdir -p "$SCRATCH/data"
write_config "$CONFIG" "$SCRATCH" "$(make_set app "$SCRATCH" \
    "$DATA,
     { name = \"word\"; kind = \"command\"; command = [\"cat\", \"$SCRATCH/word\"]; }" \
    '  retention = { daily = 1; interval = "1d"; };')" \
    "$(make_set other "$SCRATCH" "$DATA")"
ago() { date -u -d "$1 ago" +%Y-%m-%dT%H:%M:%SZ; }
echo word >"$SCRATCH/word"
expect 10 'no repository' status
expect 0 'a set' init app
rm "$SCRATCH/keys/app.read"
expect 22 'no snapshot at all is stale' status app
says "$SCRATCH/out" 'app: STALE: no complete snapshot' 'and said so'
expect 0 'a snapshot' snapshot app --time "$(ago '25 hours')"
expect 0 '25 hours are fine for a nightly run' status app
expect 22 'unless less is allowed' status app --max-age 24h
says "$SCRATCH/out" 'app: STALE: .*1 d 1 h ago.*at most 1 d allowed' 'with both ages'
MUNIMENT_MAX_AGE=24h expect 22 'also by the environment' status app
rm "$SCRATCH/word"
expect 3 'a partial one' snapshot app
expect 22 'is not what counts' status app --max-age 24h
expect 0 'the set beside it' init other
expect 22 'one stale set' status
says "$SCRATCH/out" '^app: ok' 'is told from those'
says "$SCRATCH/out" '^other: STALE' 'that are fine'
finish
