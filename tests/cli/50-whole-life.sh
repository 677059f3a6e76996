#!/usr/bin/env bash
# One set from its keys to a restore from the mirror alone, by every command that a person types. Also run under
# valgrind, so it stays small.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"

tree=$SCRATCH/data
CONFIG=$SCRATCH/conf
write_config "$CONFIG" "$SCRATCH" "$(make_set app "$SCRATCH" \
    "{ name = \"files\"; kind = \"files\"; paths = [\"$tree\"]; exclude = [\"*.tmp\"]; },
     { name = \"words\"; kind = \"command\"; command = [\"cat\", \"$tree/a.txt\"]; output = \"words.txt\"; }" \
    "  retention = { daily = 2; weekly = 0; monthly = 0; max_age = \"30d\"; timezone = \"Europe/Copenhagen\"; purge_within = \"0d\"; };
  mirrors = ( { name = \"offsite\"; path = \"$SCRATCH/mirror\"; } );")"

mkdir -p "$tree/folder/empty"
printf 'first words\n' >"$tree/a.txt"
head -c 300000 /dev/urandom >"$tree/folder/random"
printf 'left out\n' >"$tree/folder/x.tmp"
ln -s ../a.txt "$tree/folder/link"
ln "$tree/a.txt" "$tree/folder/hard"
chmod 640 "$tree/a.txt"

expect 0 'the configuration is found good' config check
expect 10 'a run before init says that there is no repository' snapshot app
expect 0 'init makes repository and keys' init app
is 400 "$(stat -c %a "$SCRATCH/keys/app.write")" 'the write key is for its owner alone'
is 400 "$(stat -c %a "$SCRATCH/keys/app.read")" 'so is the read key'

for night in 01 02 03; do
    printf 'night %s\n' "$night" >"$tree/night"
    expect 0 "night $night is captured" snapshot app --time "2026-03-${night}T02:00:00Z"
done
rm "$tree/folder/x.tmp"
is 3 "$(count_heads "$SCRATCH/store")" 'three nights are three snapshots'

expect 0 'list shows them' list app
is 3 "$(grep -c '2026-03-0[123]' "$SCRATCH/out")" 'each with its time'
expect 0 'list speaks JSON' --json list app
holds 'a line of JSON each' jq -e . "$SCRATCH/out"
expect 0 'show describes the newest' show app
expect 0 'ls lists its entries' ls app
says "$SCRATCH/out" 'folder/random' 'by path'
silent_about "$SCRATCH/out" '\.tmp' 'without what was excluded'
expect 0 'find names the snapshots that hold an entry' find app '*random'
says "$SCRATCH/out" 'folder/random' 'with its path'

expect 0 'rotate shows its plan' rotate app --as-of 2026-03-03T12:00:00Z
is 3 "$(count_heads "$SCRATCH/store")" 'and changes nothing'
expect 0 'rotate --apply does it' rotate app --apply --as-of 2026-03-03T12:00:00Z
is 2 "$(count_heads "$SCRATCH/store")" 'two daily ones stay'
expect 0 'plan simulates a year' plan app --days 365 --start 2026-03-03T02:00:00Z

expect 0 'the mirror takes a copy' mirror app
is 2 "$(count_heads "$SCRATCH/mirror")" 'of both snapshots'
expect 0 'the repository is whole' check app --read-data
expect 0 'the mirror is whole' check app --read-data --mirror offsite
expect 0 'the journal is whole' journal app
expect 22 'three nights of long ago are stale' status --max-age 26h

# --- an incident ---------------------------------------------------------------------------------------------------------

comes_back 'the newest comes back from the repository, with modes and links' files "$tree" app
is 'first words' "$(cat "$SCRATCH/back/words/words.txt")" "with the command's output"
is 2 "$(stat -c %h "$SCRATCH/back/files$tree/a.txt")" 'and hard links'
expect 1 'a folder that holds something is left alone' restore app --to "$SCRATCH/back"
expect 0 'unless told to overwrite' restore app --to "$SCRATCH/back" --overwrite
expect 0 'one entry goes to standard output' restore app files night --stdout
is 'night 03' "$(cat "$SCRATCH/out")" 'alone'

mkdir "$SCRATCH/nowhere"
expect_alone() { # WHAT ARGUMENT...: with mirror and key only, in an empty folder
    local what=$1
    shift
    (cd "$SCRATCH/nowhere" && env -i PATH="$PATH" TZ=UTC ${ASAN_OPTIONS+ASAN_OPTIONS="$ASAN_OPTIONS"} \
        "$MUNIMENT" "$@" --from "$SCRATCH/mirror" --key "$SCRATCH/keys/app.read" </dev/null) \
        >"$SCRATCH/out" 2>"$SCRATCH/err"
    STATUS=$?
    is 0 "$STATUS" "$what"
    [ "$STATUS" = 0 ] || note_file "$SCRATCH/err"
}
mv "$SCRATCH/store" "$SCRATCH/store.lost"
mv "$SCRATCH/state" "$SCRATCH/state.lost"
expect_alone 'the mirror and the read key alone restore everything' restore . --to "$SCRATCH/alone"
is "$(digest_of "$tree")" "$(digest_of "$SCRATCH/alone/files$tree")" 'bit for bit'
expect_alone 'and can be checked' check . --read-data
expect 10 'without its store a run says so' snapshot app
finish
