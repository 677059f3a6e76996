#!/usr/bin/env bash
# With --json every command prints one object a line with type and schema, also for names that are no text.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
one_set "retention = { daily = 1; }; mirrors = ( { name = \"offsite\"; path = \"$SCRATCH/mirror\"; } );"
printf 'x' >"$SCRATCH/data/"$'line\nbreak \e[31m "quoted" \\'
printf 'y' >"$SCRATCH/data/"$'\xff\xfe'
printf 'z' >"$SCRATCH/data/ærø"

json() { # TYPE COMMAND...: prints objects, all with type and schema, one at least of TYPE
    local type=$1
    shift
    expect 0 "$1 speaks JSON" --json "$@"
    holds "$1: every line is an object with type and schema" jq -es 'all(.[]; .schema == 1 and (.type | type) == "string")' "$SCRATCH/out"
    is "$(wc -l <"$SCRATCH/out")" "$(jq -s length "$SCRATCH/out")" "$1: one object a line"
    holds "$1: $type" jq -es --arg type "$type" 'any(.[]; .type == $type)' "$SCRATCH/out"
}
json init init app
json snapshot snapshot app --time 2026-03-01T02:00:00Z
holds 'with its time' jq -e 'select(.started == "2026-03-01T02:00:00Z" and .outcome == "complete")' "$SCRATCH/out"
json step run
is 'capture rotate mirror check' "$(jq -r 'select(.type == "step") | .step' "$SCRATCH/out" | paste -sd ' ')" 'one for each step'
holds 'and one for the run' jq -es 'last | .type == "run" and .status == 0' "$SCRATCH/out"
json snapshot list
json snapshot_details show app
json entry ls app
is 3 "$(jq -s 'map(select(.kind == "file")) | length' "$SCRATCH/out")" 'three files, whatever their names'
holds 'bytes that are no text stand in hexadecimal too' jq -es 'any(.[]; (.path_hex // "") | endswith("fffe"))' "$SCRATCH/out"
holds 'text stands as it is' jq -es 'any(.[]; .path | endswith("/ærø"))' "$SCRATCH/out"
json found find app '*r*'
json verdict rotate app
json purged rotate app --apply
json simulation plan app --days 10
json mirrored mirror
json checked check --read-data
json repaired repair app
json recovered repair app offsite
json key key show app
json status status
json event journal app
json configuration config check
json configuration_text config show
json restored restore app --to "$SCRATCH/back"

# On a terminal a name must not act.
expect 0 'ls as text' ls app
silent_about "$SCRATCH/out" "$(printf '\033')" 'prints no escape'
says "$SCRATCH/out" 'line\\x0abreak \\x1b\[31m "quoted" \\x5c' 'but what it is'
is "$(wc -l <"$SCRATCH/out")" "$(grep -c ' data/' "$SCRATCH/out")" 'one line an entry'

# A result that could not be written is no success.
"$MUNIMENT" -c "$CONFIG" list >/dev/full 2>"$SCRATCH/err"
is 1 $? 'a full disk under standard output is a failure'
says "$SCRATCH/err" 'standard output' 'and is named'
finish
