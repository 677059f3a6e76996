#!/usr/bin/env bash
# Eight processes on eight sets in one store and one mirror, all at once: sets share nothing, so nobody waits and nothing
# of another is touched.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"

CONFIG=$SCRATCH/conf
sets=(one two three four five six seven eight)
groups=()
for set in "${sets[@]}"; do
    mkdir -p "$SCRATCH/data/$set"
    groups+=("$(make_set "$set" "$SCRATCH" \
        "{ name = \"files\"; kind = \"files\"; paths = [\"$SCRATCH/data/$set\"]; }" \
        "  retention = { daily = 2; timezone = \"UTC\"; purge_within = \"0d\"; };
  mirrors = ( { name = \"offsite\"; path = \"$SCRATCH/mirror\"; } );")")
done
write_config "$CONFIG" "$SCRATCH" "${groups[@]}"

# Runs one command for every set, all at the same time; true when all of them succeed.
all_at_once() { # ARGUMENT...: SET stands for the set's name
    local set pids=() worst=0
    for set in "${sets[@]}"; do
        "$MUNIMENT" -c "$CONFIG" "${@/#SET/$set}" >"$SCRATCH/out.$set" 2>"$SCRATCH/err.$set" </dev/null &
        pids+=($!)
    done
    for set in "${!pids[@]}"; do
        wait "${pids[set]}" || { worst=$?; note_file "$SCRATCH/err.${sets[set]}" >&2; }
    done
    return "$worst"
}

holds 'eight sets are made' all_at_once init SET
for day in 01 02 03 04; do
    for set in "${sets[@]}"; do
        head -c 2500000 /dev/urandom >"$SCRATCH/data/$set/day-$day"
        rm -f "$SCRATCH/data/$set/day-0$((10#$day - 2))"
    done
    holds "day $day: eight snapshots" all_at_once snapshot SET --time "2026-03-${day}T02:00:00Z"
    holds "day $day: eight rotations" all_at_once rotate SET --apply --as-of "2026-03-${day}T03:00:00Z"
    holds "day $day: eight copies to one mirror" all_at_once mirror SET
done
is 16 "$(count_heads "$SCRATCH/store")" 'two snapshots a set stay'
is 16 "$(count_heads "$SCRATCH/mirror")" 'on the mirror too'
holds 'every set is whole' all_at_once check SET --read-data
holds 'on the mirror too' all_at_once check SET --read-data --mirror offsite
for set in "${sets[@]}"; do
    comes_back "set $set comes back" files "$SCRATCH/data/$set" "$set"
done
finish
