#!/usr/bin/env bash
# A tenant that is gone: every wrapped key first, then every object and version, in every place; what a lock holds is
# listed and unreadable; the other tenant in the same stores is untouched.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/buckets.sh"
CONFIG=$SCRATCH/conf
mkdir -p "$SCRATCH/data"
head -c 300000 /dev/urandom >"$SCRATCH/data/random"
echo 'correct horse battery staple' >"$SCRATCH/passphrase"
source="{ name = \"data\"; kind = \"files\"; paths = [\"$SCRATCH/data\"]; }"
id_of() { # SET: its folder in a store
    muniment --json key show "$1" && jq -r .set_id "$SCRATCH/out"
}
objects_of() { # STORE ID: but for the journal
    find "$1/$2" -type f ! -path '*/journal/*' ! -path '*/locks/*' ! -path "$1/.*" | sort
}

# --- folders: two tenants in one repository and one mirror ---
mirror="retention = { daily = 2; }; mirrors = ( { name = \"far\"; path = \"$SCRATCH/mirror\"; } );"
write_config "$CONFIG" "$SCRATCH" "$(make_set gone "$SCRATCH" "$source" "$mirror")" "$(make_set stays "$SCRATCH" "$source" "$mirror")"
for set in gone stays; do
    expect 0 "a repository for '$set'" init "$set"
    expect 0 'a wrapped key' key copy-add "$set" --label safe --passphrase-file "$SCRATCH/passphrase"
done
expect 0 'a night of both' run
expect 0 'a request' erase record gone customers/1
gone=$(id_of gone)
muniment key public gone && cp "$SCRATCH/out" "$SCRATCH/gone.public"
mv "$SCRATCH/mirror" "$SCRATCH/away"
expect 23 'without a terminal its name is asked for' erase set gone
says "$SCRATCH/err" 'confirm it with --confirm gone' 'as an option'
expect 23 'another name' erase set gone --confirm stays
touch "$SCRATCH/there"
expect 1 'a certificate that exists' erase set gone --confirm gone --certificate "$SCRATCH/there"
expect 0 'a hold' --json hold add gone --owner legal --reason 'case 7'
hold=$(jq -r .hold "$SCRATCH/out")
expect 23 'keeps the set' erase set gone --confirm gone
says "$SCRATCH/err" "hold $hold is in force" 'and is named'
isnt '' "$(objects_of "$SCRATCH/store" "$gone")" 'nothing went'
expect 0 'it is released' hold release gone "$hold"

cp -a "$SCRATCH/keys/gone.read" "$SCRATCH/typed.read"
expect 1 'a mirror that is away' erase set gone --confirm gone --certificate "$SCRATCH/first.json"
says "$SCRATCH/err" 'far: not finished' 'is named'
is '' "$(objects_of "$SCRATCH/store" "$gone")" 'in the repository nothing is left but the journal'
is false "$(jq .whole "$SCRATCH/first.json")" 'and the certificate says that it is not all'
refuses 'the read key of this host is gone' test -e "$SCRATCH/keys/gone.read"
refuses 'and what it remembered' test -e "$SCRATCH/state/$gone"
expect 12 'the passphrase opens nothing' key open gone --passphrase-file "$SCRATCH/passphrase" --to "$SCRATCH/opened"
expect 23 'nothing is captured any more' snapshot gone
says "$SCRATCH/err" 'the set was erased on' 'and why is said'
expect 23 'nor is a reference recorded' erase record gone customers/2
mv "$SCRATCH/away" "$SCRATCH/mirror"
expect 0 'once it is back' erase set gone --confirm gone --certificate "$SCRATCH/second.txt"
is '' "$(objects_of "$SCRATCH/mirror" "$gone")" 'the mirror is empty, too'
says "$SCRATCH/second.txt" 'outcome +whole' 'the certificate is whole'
says "$SCRATCH/second.txt" 'Copies of the read key outside' 'and says what it cannot know'
expect 0 'and verifies' verify-report "$SCRATCH/second.txt" --public-key "$SCRATCH/gone.public"
expect 1 'a certificate that cannot be written' erase set gone --confirm gone --certificate "$SCRATCH/$(printf '%0300d' 0)"
says "$SCRATCH/err" 'certificate is on standard output: .*File name too long' 'is printed, and that is said'
cp "$SCRATCH/out" "$SCRATCH/third.txt"
expect 0 'so it is not lost' verify-report "$SCRATCH/third.txt" --public-key "$SCRATCH/gone.public"
expect 1 'nothing is restored' restore gone --mirror far --key "$SCRATCH/typed.read" --to "$SCRATCH/nothing"
expect 0 "the journal is whole" journal gone
expect 0 'on the mirror' check gone --mirror far
expect 0 'a check of what is left' check gone
faketime '+400 days' "$MUNIMENT" -c "$CONFIG" erase set gone --confirm gone >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null
is 0 $? 'once the journal is older than it must be kept'
is '' "$(find "$SCRATCH/store/$gone" "$SCRATCH/mirror/$gone" -type f ! -path '*/locks/*' ! -name '.*')" 'it goes, too, everywhere'
comes_back 'the other tenant' data "$SCRATCH/data" stays
comes_back 'and from the mirror' data "$SCRATCH/data" stays --mirror far
expect 0 'all of it' check stays --read-data
finish
