#!/usr/bin/env bash
# The journal at the command line: what it says, who can verify it with what, and what of it can be changed unnoticed.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"

CONFIG=$SCRATCH/conf
SOURCE="{ name = \"files\"; kind = \"files\"; paths = [\"$SCRATCH/data\"]; }"
configure() { # RETENTION
    write_config "$CONFIG" "$SCRATCH" "$(make_set app "$SCRATCH" "$SOURCE" \
        "  retention = { $1 timezone = \"UTC\"; };
  mirrors = ( { name = \"one\"; path = \"$SCRATCH/one\"; }, { name = \"two\"; path = \"$SCRATCH/two\"; } );")"
}
mkdir -p "$SCRATCH/data" "$SCRATCH/one" "$SCRATCH/two"
date >"$SCRATCH/data/file"
configure 'daily = 7;'
expect 0 'init' init app
expect 0 'a first night' run app

events() { # EVENT: how many there are
    muniment --json journal app
    jq -r 'select(.type == "event") | .event' "$SCRATCH/out" | grep -cx "$1"
}
field() { # EVENT FIELD: of the newest
    muniment --json journal app
    jq -r --arg event "$1" --arg field "$2" 'select(.event == $event) | .fields[$field]' "$SCRATCH/out" | tail -1
}
journal_of() { # STORE: its segments, sorted
    (cd "$1" && find . -path './*/journal/*' -type f ! -name '.*' | sort)
}

# --- what it says ---
is 1 "$(events policy)" 'the policy is journalled before the first decision'
is 7 "$(field policy daily)" 'with its settings'
is 1 "$(events checked)" 'so is the check'
is 0 "$(field checked findings)" 'and what it found'
is "$(journal_of "$SCRATCH/store")" "$(journal_of "$SCRATCH/one")" 'after a night the first mirror has all of the journal'
is "$(journal_of "$SCRATCH/store")" "$(journal_of "$SCRATCH/two")" 'and the second'
expect 0 'a second night' run app
is 1 "$(events policy)" 'a policy is journalled once'
configure 'daily = 5; weekly = 2;'
expect 0 'another policy' rotate app --apply
is 2 "$(events policy)" 'is journalled'
configure 'daily = 7;'
expect 0 'and back' rotate app --apply
is 3 "$(events policy)" 'is another, too'

expect 0 'a restore' restore app --to "$SCRATCH/back"
is 1 "$(events read)" 'is a use of the read key'
is restore "$(field read command)" 'by its command'
is folder "$(field read target)" 'with the kind of its target, and no name'
is 0 "$(field read status)" 'and its status'
holds 'and the snapshot' test -n "$(field read snapshot)"
muniment restore app nothing --to "$SCRATCH/elsewhere"
is "$STATUS" "$(field read status)" 'one that failed is journalled with that'
expect 0 'ls' ls app
is ls "$(field read command)" 'is a use, too'
expect 0 'find' find app file
is find "$(field read command)" 'and find'
expect 0 'key show' key show app --read
is 'key show' "$(field read command)" 'and showing the key itself'
expect 0 'a new host' key new-host app --to "$SCRATCH/other.write"
is 'key new-host' "$(field read command)" 'and making another host'
count=$(events read)
expect 0 'list' list app
expect 0 'a key shown by its fingerprints' key show app
expect 0 'a restore from elsewhere' restore . --from "$SCRATCH/one" --key "$SCRATCH/keys/app.read" --to "$SCRATCH/back2"
is "$count" "$(events read)" 'what needs no read key is no use of it, and other stores are left alone'

# --- verifying ---
expect 0 'a third night' run app
expect 0 'it verifies' journal verify app
says "$SCRATCH/out" ' 1 chain: whole' 'and says what there is'
expect 0 'on a mirror' journal verify app --mirror one
expect 0 'the old form prints the events' journal app
cp "$SCRATCH/out" "$SCRATCH/shown"
expect 0 'and so does the verb' journal show app
holds 'the same' cmp "$SCRATCH/out" "$SCRATCH/shown"
expect 0 'the public key' key public app
cp "$SCRATCH/out" "$SCRATCH/public"
expect 0 'the head' journal head app
cp "$SCRATCH/out" "$SCRATCH/head"
is 1 "$(grep -cE '^muniment-journal-1:[0-9a-f]{32}:[0-9a-f]{16}:[0-9]+:[0-9a-f]{64}$' "$SCRATCH/head")" 'is a token'
expect 0 'which the journal satisfies' journal verify app --witness "$SCRATCH/head"
says "$SCRATCH/out" '1 token' 'and says so'
expect 2 'a file without a token is none' journal verify app --witness "$SCRATCH/public"
expect 2 'a verb that is none' journal look app
expect 2 'a witness for nothing' journal show app --witness "$SCRATCH/head"

# An auditor has the public key, the store, and nothing else.
auditor() { # EXPECTED WHAT ARGUMENT...
    local expected=$1 what=$2
    shift 2
    env -i PATH="$PATH" "$MUNIMENT" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null
    is "$expected" "$?" "$what"
}
auditor 0 'an auditor verifies' journal verify . --from "$SCRATCH/two" --public-key "$SCRATCH/public"
says "$SCRATCH/out" 'whole' 'all of it'
auditor 0 'and reads' journal show . --from "$SCRATCH/two" --public-key "$SCRATCH/public"
says "$SCRATCH/out" 'captured' 'what was captured'
chmod 0400 "$SCRATCH/public"
auditor 2 'but no snapshot' list . --from "$SCRATCH/two" --key "$SCRATCH/public"

# --- tampering ---
first=$(find "$SCRATCH/store" -path '*/journal/*' -type f ! -name '.*' | sort | head -1)
newest=$(find "$SCRATCH/store" -path '*/journal/*' -type f ! -name '.*' | sort | tail -1)
middle=$(find "$SCRATCH/store" -path '*/journal/*' -type f ! -name '.*' | sort | sed -n 4p)
next=$(find "$SCRATCH/store" -path '*/journal/*' -type f ! -name '.*' | sort | sed -n 5p)
mkdir "$SCRATCH/kept"
found() { # WHAT TEXT [ARGUMENT...]
    local what=$1 text=$2
    shift 2
    expect 20 "$what is found" journal verify app "$@"
    says "$SCRATCH/out" "$text" 'and named'
}
flip "$middle"
found 'a changed bit' "$(basename "$middle")"
refuses 'nothing is said of what was changed' grep -q "$(basename "$next"):" "$SCRATCH/out"
expect 20 'what is not whole is not shown' journal app
expect 20 'nor a witness' journal head app
flip "$middle"
for which in "$first" "$middle"; do
    mv "$which" "$SCRATCH/kept/segment"
    found 'a segment that is missing' 'missing before it'
    mv "$SCRATCH/kept/segment" "$which"
done
mv "$middle" "$SCRATCH/kept/segment" && mv "$next" "$middle" && mv "$SCRATCH/kept/segment" "$next"
found 'two that changed places' 'not what its name says'
mv "$middle" "$SCRATCH/kept/segment" && mv "$next" "$middle" && mv "$SCRATCH/kept/segment" "$next"
expect 0 'mended, all is well' journal verify app

mv "$newest" "$SCRATCH/kept/segment"
expect 0 'a tail that was cut is not seen by itself' journal verify app
found 'but with a witness it' 'was cut' --witness "$SCRATCH/head"
muniment journal head app --mirror one
cp "$SCRATCH/out" "$SCRATCH/mirrored"
expect 24 'a mirror that has more says so, too' mirror app one
says "$SCRATCH/err" 'was cut, or the repository was set back' 'in plain words'
expect 24 'and a run' run app
mv "$SCRATCH/kept/segment" "$newest"
finish
