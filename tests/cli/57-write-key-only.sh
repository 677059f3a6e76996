#!/usr/bin/env bash
# A host that holds the write key alone captures, rotates, purges, mirrors and checks; whatever would read exits with 12.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"

one_set "retention = { daily = 2; timezone = \"UTC\"; purge_within = \"0d\"; };
    mirrors = ( { name = \"offsite\"; path = \"$SCRATCH/mirror\"; } );"
mkdir "$SCRATCH/safe"
expect 0 'keys and repository' init app
mv "$SCRATCH/keys/app.read" "$SCRATCH/safe/"
sed -i 's/read_key = "[^"]*";//' "$CONFIG"

for day in 01 02 03 04; do
    head -c 3000000 /dev/urandom >"$SCRATCH/data/today"
    expect 0 "day $day is captured" snapshot app --time "2026-03-${day}T02:00:00Z"
    # Names are under the read key: unchanged files are known from this host's own memory, or read again.
    expect 0 'rotated and purged' rotate app --apply --as-of "2026-03-${day}T03:00:00Z"
    expect 0 'mirrored' mirror app
done
is 2 "$(count_heads "$SCRATCH/store")" 'two snapshots stay'
holds 'the bytes of the others are gone' test "$(du -sk "$SCRATCH/store" | cut -f 1)" -le 7000
holds 'from the mirror too' test "$(du -sk "$SCRATCH/mirror" | cut -f 1)" -le 7000
expect 0 'list needs no read key' list app
expect 0 'nor does show' show app
expect 0 'nor does check' check app --read-data
expect 0 'nor does the index, written anew' repair app
expect 12 'restore does' restore app --to "$SCRATCH/back"
says "$SCRATCH/err" 'read key' 'and says so'
refuses 'and makes no folder' test -e "$SCRATCH/back"
expect 12 'ls does' ls app
expect 12 'find does' find app today
expect 12 'the write key is no read key' restore . --to "$SCRATCH/back" --from "$SCRATCH/mirror" --key "$SCRATCH/keys/app.write"
comes_back 'with the read key all comes back' data "$SCRATCH/data" . --from "$SCRATCH/mirror" --key "$SCRATCH/safe/app.read"
finish
