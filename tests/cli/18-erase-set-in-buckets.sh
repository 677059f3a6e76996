#!/usr/bin/env bash
# A tenant that is gone, in buckets: no version, hide marker or unfinished upload of it is left, the other tenant of the
# same buckets is untouched; what a lock holds is listed with its date, and nothing opens it. A run that is killed at
# any moment and repeated ends the same.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/buckets.sh"
buckets_begin || { skip 1 'the packages of Ceph RGW are not installed'; finish; }
CONFIG=$SCRATCH/conf
make_bucket repo versioned
make_bucket mirror versioned
make_bucket locked locked
mkdir -p "$SCRATCH/data"
head -c 300000 /dev/urandom >"$SCRATCH/data/random"
echo 'correct horse battery staple' >"$SCRATCH/passphrase"
far="{ name = \"far\"; path = \"$(address mirror m)\"; }"
retention='retention = { daily = 7; };'

versions_of() { # BUCKET SET-ID: keys of all versions and markers, but for the journal
    s3_admin versions "$BUCKET_PREFIX-$1" | sed 's,%2F,/,g' | grep -F "$2/" | grep -vE '/journal/'
}
id_of() { # SET
    muniment --json key show "$1" && jq -r .set_id "$SCRATCH/out"
}
begin() { # SET: with a wrapped key and two nights
    expect 0 "a set '$1'" init "$1"
    expect 0 'a wrapped key' key copy-add "$1" --label safe --passphrase-file "$SCRATCH/passphrase"
    expect 0 'a night' run "$1"
    head -c 100000 /dev/urandom >"$SCRATCH/data/other"
    expect 0 'another night' run "$1"
}

# --- two tenants in one repository and one mirror ---
write_bucket_config "$CONFIG" "$SCRATCH" "$(address repo)" \
    "$(make_set gone "$SCRATCH" "$DATA" "$retention mirrors = ( $far );")" \
    "$(make_set stays "$SCRATCH" "$DATA" "$retention mirrors = ( $far );")"
begin gone
begin stays
gone=$(id_of gone)
muniment key public gone && cp "$SCRATCH/out" "$SCRATCH/gone.public"

# Hidden, overwritten, left behind.
wrapped=$(s3_admin list "$BUCKET_PREFIX-repo" "$gone/keys/" | sed -n 1p)
s3_admin delete "$BUCKET_PREFIX-repo" "$wrapped"
pack=$(s3_admin list "$BUCKET_PREFIX-mirror" "m/$gone/packs/" | sed -n 1p)
s3_admin put "$BUCKET_PREFIX-mirror" "$pack" "$SCRATCH/passphrase"
s3_admin delete "$BUCKET_PREFIX-mirror" "$pack"
s3_admin upload "$BUCKET_PREFIX-repo" "$gone/packs/aa/unfinished"
is 1 "$(s3_admin uploads "$BUCKET_PREFIX-repo" | wc -l)" 'an upload that nobody finished'
expect 0 'the set is erased' erase set gone --confirm gone --certificate "$SCRATCH/certificate.json"
is '' "$(versions_of repo "$gone")" 'no version is left in the repository'
is '' "$(versions_of mirror "$gone")" 'and none on the mirror'
is 0 "$(s3_admin uploads "$BUCKET_PREFIX-repo" | wc -l)" 'and no upload'
expect 0 'the certificate verifies' verify-report "$SCRATCH/certificate.json" --public-key "$SCRATCH/gone.public"
is 'true 1 1' "$(jq -r '"\(.whole) \(.places[0].keys) \(.places[1].keys)"' "$SCRATCH/certificate.json")" 'and counts the wrapped keys of each place'
expect 0 'again, there is nothing to do' erase set gone --confirm gone
says "$SCRATCH/out" 'outcome +whole' 'and it is whole'
comes_back 'the other tenant' data "$SCRATCH/data" stays
comes_back 'and from the mirror' data "$SCRATCH/data" stays --mirror far
expect 0 'all of it' check stays --read-data

# --- what a lock holds ---
write_bucket_config "$CONFIG" "$SCRATCH" "$(address repo)" \
    "$(make_set tight "$SCRATCH" "$DATA" "$retention mirrors = ( { name = \"safe\"; path = \"$(address locked)\"; lock = \"governance\"; } );")"
begin tight
tight=$(id_of tight)
cp -a "$SCRATCH/keys/tight.read" "$SCRATCH/tight.read"
expect 23 'what is locked stays' erase set tight --confirm tight --certificate "$SCRATCH/locked.txt"
says "$SCRATCH/err" 'safe: .*locked until 20[0-9-]+T' 'and is told with its date'
says "$SCRATCH/locked.txt" 'REMAINS +[0-9]+ objects .*locked until 20[0-9-]+T' 'also in the certificate'
is '' "$(versions_of repo "$tight")" 'the repository is empty'
is '' "$(versions_of locked "$tight" | grep -F /keys/)" 'no wrapped key is left where the lock is'
isnt '' "$(versions_of locked "$tight" | grep -F /packs/)" 'though packs are'
expect 12 'the passphrase that opened it opens nothing' key open tight --mirror safe --passphrase-file "$SCRATCH/passphrase" --to "$SCRATCH/opened"
refuses 'the read key of this host is gone' test -e "$SCRATCH/keys/tight.read"
expect 23 'again, the lock holds' erase set tight --confirm tight
is '' "$(versions_of locked "$tight" | awk '$3 == "marker"')" 'and nothing was hidden instead'

# --- killed at any moment ---
write_bucket_config "$CONFIG" "$SCRATCH" "$(address repo)" \
    "$(make_set killed "$SCRATCH" "$DATA" "$retention mirrors = ( $far );")"
begin killed
killed=$(id_of killed)
packs_of() { # SET-ID: in both places
    { versions_of repo "$1" && versions_of mirror "$1"; } | grep -c /packs/
}
packs=$(packs_of "$killed") openable=0
kills=$(scaled 10)
for ((i = 1; i <= kills; i++)); do
    "$MUNIMENT" -c "$CONFIG" erase set killed --confirm killed >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null &
    pid=$!
    sleep "$(awk -v i="$i" -v n="$kills" 'BEGIN { printf "%.3f", 0.02 + 0.5 * i / n }')"
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    [ "$(packs_of "$killed")" = "$packs" ] || ! { versions_of repo "$killed" && versions_of mirror "$killed"; } |
        grep -qF /keys/ || openable=$((openable + 1))
done
is 0 "$openable" 'no wrapped key was left in any place where the first pack had gone from one'
expect 0 'after all these kills' erase set killed --confirm killed --certificate "$SCRATCH/killed.json"
is 'true 1' "$(jq -r '"\(.whole) \(.wrapped_copies | length)"' "$SCRATCH/killed.json")" 'it is whole, and names the wrapped key'
is '' "$(versions_of repo "$killed")" 'no version is left in the repository'
is '' "$(versions_of mirror "$killed")" 'and none on the mirror'
expect 0 'the journal is whole' journal killed
is 1 "$(grep -c '  erasing ' "$SCRATCH/out")" 'and says once when it began'
expect 0 'on the mirror, too' journal killed --mirror far
finish
