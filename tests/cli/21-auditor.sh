#!/usr/bin/env bash
# The auditor's walk: every command that muniment-report(1) prints, as it is printed, on a machine with nothing but the
# program, a signed report, the public key, and a key that may read the mirror; and that the walk finds what was altered.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$ROOT/tests/lib/buckets.sh"
. "$ROOT/tests/lib/postgres.sh"
buckets_begin || { skip 1 'the packages of Ceph RGW are not installed'; finish; }
for program in rclone faketime jq; do
    command -v "$program" >/dev/null || { skip 1 "$program is not installed"; finish; }
done

# --- the company: a folder and a database, a bucket with versions, nine nights of which one was missed ---
CONFIG=$SCRATCH/conf
mkdir -p "$SCRATCH/data"
make_bucket mirror versioned
postgres_start "$SCRATCH/postgres" >/dev/null || exit 1
at_exit "postgres_stop '$SCRATCH/postgres' immediate"
"$ROOT/tests/lib/sample-database.sh" 1 app
write_bucket_config "$CONFIG" "$SCRATCH" "$SCRATCH/store" "$(make_set app "$SCRATCH" \
    "{ name = \"files\"; kind = \"files\"; paths = [\"$SCRATCH/data\"]; },
     { name = \"db\"; kind = \"postgres\"; uri = \"dbname=postgres\"; databases = [\"app\"]; }" \
    "  retention = { daily = 3; weekly = 2; max_age = \"20d\"; purge_within = \"0d\"; };
       mirrors = ( { name = \"offsite\"; path = \"$(address mirror deep/app)\"; schedule = \"daily\"; } );")"

# As `expect`, at another time; the clock of files and of the object store stays what it is.
expect_at() { # TIME EXPECTED WHAT ARGUMENT...
    local time=$1 expected=$2 what=$3
    shift 3
    NO_FAKE_STAT=1 faketime -m -f "@$time" "$MUNIMENT" -c "$CONFIG" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null
    is "$expected" $? "$what" || note_file "$SCRATCH/err"
}
night() { # DAY
    head -c 60000 /dev/urandom >"$SCRATCH/data/today"
    head -c 2000 /dev/urandom >"$SCRATCH/data/day-$1"
    expect_at "2026-03-$1 02:00:00" 0 "night $1" run app
}
expect_at '2026-03-01 01:00:00' 0 'a repository' init app
for day in 01 02 03 04 05; do night "$day"; done
expect_at '2026-03-05 10:00:00' 0 'a restore test' drill app offsite --to-postgres dbname=postgres --owner 'on-call'
expect_at '2026-03-05 11:00:00' 0 'a hold' hold add app --since 2026-03-05 --until 2026-03-06 --owner counsel --reason 'case 17'
for day in 06 08 09; do night "$day"; done

walk=$SCRATCH/auditor
mkdir -p "$walk/blocks"
expect_at '2026-03-09 09:00:00' 22 'the report, which tells of the missed night' report app --sign --format json --to "$walk/report.json"
expect_at '2026-03-09 09:00:00' 0 'the public key' key public app
cp "$SCRATCH/out" "$walk/app.public"

# --- an empty machine ---
invite mirror ListBucket ListBucketVersions GetObject GetObjectVersion

# The page's commands, a file for each block.
page=$ROOT/man/muniment-report.1
awk -v folder="$walk/blocks" '/^\.Sh/ { walk = /AUDITOR/ } !walk { next }
    /^\.Bd/ { file = sprintf("%s/%02d", folder, ++count); next } /^\.Ed/ { file = ""; next }
    file != "" { gsub(/\\e/, "\\"); print >file }' "$page"
if command -v mandoc >/dev/null; then
    mandoc -T ascii -O width=120 "$page" >"$SCRATCH/page"
    cat "$walk"/blocks/* | while IFS= read -r line; do grep -qF -- "$line" "$SCRATCH/page" || echo "$line"; done >"$SCRATCH/unprinted"
    is '' "$(cat "$SCRATCH/unprinted")" 'a reader sees the commands as they are'
fi
cat >"$walk/all" <<'END'
for block in blocks/??; do . "./$block" >"$block.out" 2>"$block.err"; echo $? >"$block.status"; done
END
take_the_walk() {
    (
        know_key "$RGW/other.credentials"
        mkdir -p "$walk/bin" "$walk/home"
        ln -sf "$MUNIMENT" "$walk/bin/muniment"
        cd "$walk" || exit 1
        env -i HOME="$walk/home" PATH="$walk/bin:/usr/bin:/bin" AWS_ACCESS_KEY_ID="$AWS_ACCESS_KEY_ID" \
            AWS_SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY" sh ./all
    )
}
block() { # COMMAND: the file of the block in which it stands
    grep -lE -- "$1" "$walk"/blocks/?? | head -n 1
}
said() { # COMMAND
    cat "$(block "$1").out"
}

take_the_walk
says "$(block verify-report).out" '^verified: +whole' 'the report is whole and signed'
says "$(block verify-report).out" "$(jq -r .id "$walk/report.json")" 'and the one that was made'
is 0 "$(cat "$(block 'journal verify').status")" 'the journal there is what the report witnesses'
says "$(block 'journal verify').out" 'held against 1 token: whole' 'and said to be'
is "$(s3_admin versions "$BUCKET_PREFIX-mirror" deep/app/ | grep -cv %2Fmuniment)" "$(sed -n '$=' "$walk/there")" 'every version is seen'
is "$(sed -n '$=' "$walk/there")" "$(jq '.places[] | select(.name == "offsite").versions' "$walk/report.json")" 'as many as the report counts'
is equal "$(said '^grep .*snapshots')" 'the snapshots are those of the report'
is 5 "$(sed -n '$=' "$walk/should")" 'three daily, the second week and the one that is held'
is '' "$(said comm.-12)" 'nothing that was destroyed is there'
isnt 0 "$(jq '[.destructions[] | select(.place == "offsite" and .state == "confirmed")] | length' "$walk/report.json")" 'of what was'
is '' "$(said sha256)" 'all bytes are what their names say'
is '2026-03-07 missed ' "$(said 'comm -23 - captured' | sed 's/null$//')" 'the runs are in the journal, but for the missed one'
is '' "$(said 'deadline')" 'the deadlines are those of the captures, and none is past'
is '2026-03-05 offsite true' "$(said restore_tests | sed -n 1p | jq -r '"\(.time[:10]) \(.target) \(.passed)"')" 'the restore test passed'
is "$(said restore_tests | sed -n 1p | jq .found)" "$(said restore_tests | sed -n 2p | jq -r .fields.found)" 'by the journal, too'
says "$(block '\.findings').out" 'missing.*2026-03-07' 'the finding is named'
says "$(block '\.findings').out" 'counsel: case 17, from 2026-03-05T11:00:00Z' 'and the hold'
for file in "$walk"/blocks/??; do
    grep -vE 'NOTICE: Config file|warning: the clock|every segment is signed' "$file.err"
done >"$SCRATCH/noise"
is '' "$(cat "$SCRATCH/noise")" 'no command complains'
is '' "$(find "$walk/home" -type f)" 'and nothing is left in the home folder'
for form in text csv html; do
    expect_at '2026-03-09 09:00:00' 22 "the report as $form" report app --sign --format "$form" --to "$walk/report"
    holds 'verifies as well' env -i "$MUNIMENT" verify-report "$walk/report" --public-key "$walk/app.public"
    expect 0 'and bears witness' journal verify app --witness "$walk/report"
    says "$SCRATCH/out" 'held against [1-9].*whole' 'to the journal'
done

# --- a mirror that is not what it was ---
name_of() { # FOLDER [N]: of the mirror's objects
    s3_admin list "$BUCKET_PREFIX-mirror" deep/app/ | grep "%2F$1%2F" | sed -n "${2:-1}p"
}
gone=$(jq -r '[.destructions[] | select(.place == "offsite" and .state == "confirmed").object
    | select(startswith("packs/"))][0]' "$walk/report.json")
pack=$(name_of packs 2)
segment=$(name_of journal '$')
head=$(name_of snapshots 1)
echo altered >"$SCRATCH/altered"
s3_admin put "$BUCKET_PREFIX-mirror" "$pack" "$SCRATCH/altered"
s3_admin put "$BUCKET_PREFIX-mirror" "deep/app/$(jq -r .set_id "$walk/report.json")/$gone" "$SCRATCH/altered"
s3_admin delete "$BUCKET_PREFIX-mirror" "deep/app/$(jq -r .set_id "$walk/report.json")/$gone"
for key in "$segment" "$head"; do
    s3_admin versions "$BUCKET_PREFIX-mirror" deep/app/ | awk -v key="$key" '$1 == key { print $2 }' |
        while read -r version; do s3_admin delete "$BUCKET_PREFIX-mirror" "$key" "$version"; done
done
sed -i 's/case 17/case 18/' "$walk/report.json"
take_the_walk
is 20 "$(cat "$(block verify-report).status")" 'an altered report is found'
is 20 "$(cat "$(block 'journal verify').status")" 'so is a journal that was cut'
says "$(block 'journal verify').out" "${segment##*%2F}.*was cut" 'and its segment named'
is "< snapshots/${head##*%2F}" "$(said '^grep .*snapshots' | grep '^[<>]')" 'a snapshot that is gone is named' ||
    note_file "$(block '^grep .*snapshots').out"
is "$gone" "$(said comm.-12)" 'so is a destroyed object, of which a hidden version is there'
is "packs/${pack#*packs%2F}" "$(said sha256 | sed -n 's/ is not what it was$//p' | sed 's|/|%2F|2')" 'and one whose bytes are others'
finish
