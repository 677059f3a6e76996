#!/usr/bin/env bash
# Keys: made once and never overwritten, passed on to another host, wrapped by passphrases, printed and typed in again.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
one_set "mirrors = ( { name = \"offsite\"; path = \"$SCRATCH/mirror\"; } );"
printf 'content\n' >"$SCRATCH/data/file"
write=$SCRATCH/keys/app.write read=$SCRATCH/keys/app.read

expect 0 'init makes keys' init app
says "$SCRATCH/out" "$read" 'and says where the read key is'
cp "$write" "$SCRATCH/write.1"
expect 0 'init again' init app
holds 'leaves them as they are' cmp "$write" "$SCRATCH/write.1"
expect 0 'a snapshot' snapshot app

# Another host of the same set: its read key is there, its write key not.
mv "$write" "$SCRATCH/first.write"
expect 0 'init with the read key alone' init app
refuses 'makes a write key of its own' cmp -s "$write" "$SCRATCH/first.write"
expect 0 'for the same set' snapshot app
is 2 "$(count_heads "$SCRATCH/store")" 'two snapshots by two hosts'
expect 0 'the journal has a chain of each' journal app
expect 0 'key new-host makes one too' key new-host app --to "$SCRATCH/third.write"
is 400 "$(stat -c %a "$SCRATCH/third.write")" 'for its owner alone'
refuses 'a key file is never overwritten' muniment key new-host app --to "$SCRATCH/third.write"

expect 0 'key show' key show app
silent_about "$SCRATCH/out" 'muniment-(read|write)-' 'shows no key'
expect 0 'key show --read' key show app --read
is "$(grep -v '^#' "$read")" "$(cat "$SCRATCH/out")" 'shows the read key'

# A key file that others may read is no secret.
cp "$write" "$SCRATCH/keys/open.write"
chmod 644 "$SCRATCH/keys/open.write"
refuses 'a key that others may read is refused' "$MUNIMENT" list . --from "$SCRATCH/store" --key "$SCRATCH/keys/open.write"

# --- wrapped copies ------------------------------------------------------------------------------------------------------

printf 'correct horse\nsecond line\n' >"$SCRATCH/passphrase"
printf 'wrong horse\n' >"$SCRATCH/wrong"
expect 0 'a wrapped copy is added' key copy-add app --label 'founder A' --passphrase-file "$SCRATCH/passphrase"
expect 0 'and listed with the write key alone' --json key copy-list app
id=$(jq -r 'select(.type == "key_copy" and .label == "founder A") | .id' "$SCRATCH/out")
isnt '' "$id" 'by id and label'
expect 0 'the mirror gets it' mirror app
mv "$read" "$SCRATCH/lost.read"
alone() { (cd / && env -i PATH="$PATH" "$MUNIMENT" "$@" </dev/null >"$SCRATCH/out" 2>"$SCRATCH/err"); }
alone restore . --from "$SCRATCH/mirror" --passphrase-file "$SCRATCH/passphrase" --to "$SCRATCH/back"
is 0 $? 'mirror and passphrase alone restore'
holds 'what was captured' cmp "$SCRATCH/data/file" "$SCRATCH/back/data$SCRATCH/data/file"
alone restore . --from "$SCRATCH/mirror" --passphrase-file "$SCRATCH/wrong" --to "$SCRATCH/back2"
is 12 $? 'a wrong passphrase exits with 12'
refuses 'and makes nothing' test -e "$SCRATCH/back2"
alone ls . --from "$SCRATCH/mirror"
is 12 $? 'without key, passphrase and terminal there is a plain answer'
says "$SCRATCH/err" 'no terminal' 'that says what is missing'
expect 0 'key open gives the read key back' key open app --passphrase-file "$SCRATCH/passphrase" --to "$read"
is "$(grep -v '^#' "$SCRATCH/lost.read")" "$(grep -v '^#' "$read")" 'the same'
expect 0 'a copy is removed' key copy-remove app "$id"
expect 0 'and no longer listed' --json key copy-list app
is '' "$(cat "$SCRATCH/out")" 'at all'
expect 0 'the journal' --json journal app
is 2 "$(grep -cE '"event":"key_(added|removed)"' "$SCRATCH/out")" 'knows both'

# --- paper -----------------------------------------------------------------------------------------------------------------

expect 0 'key paper prints a sheet' key paper app
says "$SCRATCH/out" 'RECOVERY SHEET' 'with a title'
says "$SCRATCH/out" "$SCRATCH/mirror" 'with the places of copies'
sed -n '/^READ KEY/,/^Whoever/p' "$SCRATCH/out" | grep '^    ' | tr -d ' \n' | tr a-z A-Z | sed 's/MUNIMENT-READ-1-/muniment-read-1-/' >"$SCRATCH/typed"
chmod 600 "$SCRATCH/typed"
alone list . --from "$SCRATCH/mirror" --key "$SCRATCH/typed"
is 0 $? 'the key can be typed in again, in capitals too'
sed 's/.$/@/' "$SCRATCH/typed" | sed 's/\(.\{40\}\)\(.\)\(.\)/\1\3\2/' >"$SCRATCH/mistyped"
chmod 600 "$SCRATCH/mistyped"
alone list . --from "$SCRATCH/mirror" --key "$SCRATCH/mistyped"
isnt 0 $? 'a typing error is noticed'
finish
