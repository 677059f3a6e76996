#!/usr/bin/env bash
# Erasing a set at a terminal; with a journal that is damaged; and the certificate that is left, which nobody can change.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
CONFIG=$SCRATCH/conf
mkdir -p "$SCRATCH/data"
head -c 100000 /dev/urandom >"$SCRATCH/data/random"
sets=()
for set in gone text; do
    sets+=("$(make_set "$set" "$SCRATCH" "$DATA" "retention = { daily = 2; }; mirrors = ( { name = \"far\"; path = \"$SCRATCH/mirror\"; } );")")
done
write_config "$CONFIG" "$SCRATCH" "${sets[@]}"
begin() { # SET
    expect 0 "a repository for '$1'" init "$1"
    expect 0 'a wrapped key' key copy-add "$1" --label safe --passphrase-file "$SCRATCH/passphrase"
    expect 0 'a night' run "$1"
    muniment key public "$1" && cp "$SCRATCH/out" "$SCRATCH/$1.public"
}
whole() { # SET: what there is, but for locks
    find "$SCRATCH/store" "$SCRATCH/mirror" "$SCRATCH/keys" -type f ! -path '*/locks/*' | sort
}
answer() { # EXPECTED WHAT TEXT
    "$ROOT/tests/tools/on-terminal" 'to go on: ' "$3" "$MUNIMENT" -c "$CONFIG" erase set gone >"$SCRATCH/out" 2>"$SCRATCH/err"
    is "$1" $? "$2"
}
echo 'correct horse battery staple' >"$SCRATCH/passphrase"
begin gone
begin text
gone=$(muniment --json key show gone && jq -r .set_id "$SCRATCH/out")

# --- typed ---
before=$(whole)
answer 23 'another name, typed' 'text\n'
says "$SCRATCH/out" 'in the repository and on 1 mirror\.' 'what is asked says what will go'
says "$SCRATCH/out" 'not the name of the set: nothing was done' 'and what was answered'
answer 23 'the name and more' 'gone too\n'
answer 23 'nothing but return' '\n'
answer 23 'the end of input' '\x04'
answer 23 'half the name, and the end of input' 'go\x04\x04'
answer 130 'the interrupt key' '\x03'
is "$before" "$(whole)" 'and nothing went'

# --- a journal that is damaged ---
segment=$(find "$SCRATCH/store/$gone/journal" -type f ! -name '.*' | sort | sed -n 2p)
flip "$segment" 300
before=$(whole)
expect 20 'a journal that was changed stops it' erase set gone --confirm gone
says "$SCRATCH/err" "mirror 'far' has the journal whole; bring it back with 'muniment repair [a-z]+ far'" 'says where it is whole'
says "$SCRATCH/err" "$gone/journal/${segment##*/}" 'and what is damaged'
is "$before" "$(whole)" 'nothing went'
mv "$SCRATCH/mirror" "$SCRATCH/away"
expect 20 'without the mirror' erase set gone --confirm gone
says "$SCRATCH/err" 'no mirror that could be reached has the journal whole' 'that is said'
mv "$SCRATCH/away" "$SCRATCH/mirror"
rm "$segment"
expect 20 'one that is missing stops it, too' erase set gone --confirm gone
says "$SCRATCH/err" "mirror 'far' has the journal whole" 'with the same advice'
expect 0 'which is followed' repair gone far
answer 0 'which helps: the name, typed, and all of it goes' 'gone\n'
says "$SCRATCH/out" 'outcome +whole' 'whole'
is '' "$(find "$SCRATCH/store/$gone" "$SCRATCH/mirror/$gone" -type f ! -path '*/journal/*' ! -path '*/locks/*' ! -name '.*')" 'nothing but the journal is left'

# --- erased for good ---
expect 23 'no hold is placed any more' hold add gone --owner legal --reason late
says "$SCRATCH/err" 'the set was erased on' 'and why is said'
expect 23 'and nothing captured' snapshot gone

# --- the certificate ---
expect 0 'again, into a file' erase set gone --confirm gone --certificate "$SCRATCH/paper.json"
expect 0 'another set, as text' erase set text --confirm text --certificate "$SCRATCH/paper.txt"
changes() { # FILE SET: every so many bytes one is changed
    local size step at bad=0
    size=$(stat -c %s "$1")
    step=$((size / 12))
    for ((at = 3; at < size - 3; at += step)); do
        cp "$1" "$SCRATCH/changed"
        flip "$SCRATCH/changed" "$at"
        if "$MUNIMENT" verify-report "$SCRATCH/changed" --public-key "$SCRATCH/$2.public" >/dev/null 2>&1; then
            bad=$((bad + 1))
            note "byte $at"
        fi
    done
    is 0 "$bad" 'with any byte changed it fails'
}
expect 0 'the one in JSON verifies' verify-report "$SCRATCH/paper.json" --public-key "$SCRATCH/gone.public"
changes "$SCRATCH/paper.json" gone
expect 0 'the one in text verifies' verify-report "$SCRATCH/paper.txt" --public-key "$SCRATCH/text.public"
changes "$SCRATCH/paper.txt" text
muniment verify-report "$SCRATCH/paper.txt" --public-key "$SCRATCH/gone.public"
isnt 0 "$STATUS" 'with the public key of another set it does not'
finish
