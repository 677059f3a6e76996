#!/usr/bin/env bash
# A report in all its forms: signed, verified on a machine that has nothing, held against the journal and the stores with
# the commands of the manual, and every member of the JSON in the manual.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
one_set "retention = { daily = 3; max_age = \"10d\"; purge_within = \"0d\"; };
    mirrors = ( { name = \"offsite\"; path = \"$SCRATCH/mirror\"; schedule = \"daily\"; } );"
mkdir "$SCRATCH/elsewhere"
expect 0 'a repository' init app
for day in 01 02 03 04 05; do
    echo "$day" >"$SCRATCH/data/day"
    faketime "2026-03-$day 02:00:00Z" "$MUNIMENT" -c "$CONFIG" run app >/dev/null 2>&1 || fail "night $day"
done
expect 0 'the public key' key public app
cp "$SCRATCH/out" "$SCRATCH/app.public"

report() { # FORMAT FILE: all of them at one moment
    faketime -f '2026-03-05 09:00:00' "$MUNIMENT" -c "$CONFIG" report app --format "$1" --to "$2" --sign >/dev/null 2>&1
}
verify() { # FILE [KEY]: with no configuration at all, from a folder that has nothing
    (cd "$SCRATCH/elsewhere" && env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 "$MUNIMENT" verify-report "$1" \
        --public-key "${2:-$SCRATCH/app.public}") >"$SCRATCH/out" 2>"$SCRATCH/err"
}
for format in text json csv html; do
    file=$SCRATCH/report.$format
    holds "a signed report as $format" report "$format" "$file"
    holds 'verifies with the public key alone' verify "$file"
    says "$SCRATCH/out" 'period: *2026-01-29T09:00:00Z to 2026-03-05T09:00:00Z' 'says its period'
    says "$SCRATCH/out" 'signed by: host [0-9a-f]{16}' 'and who signed it'
    flip "$file" 300
    verify "$file"
    is 20 $? 'a changed byte is found'
    report "$format" "$file"
    head -c -1 "$file" >"$SCRATCH/cut"
    verify "$SCRATCH/cut"
    is 20 $? 'a missing byte is found'
done
"$MUNIMENT" verify-report - --public-key "$SCRATCH/app.public" <"$SCRATCH/report.html" >/dev/null 2>&1
is 0 $? 'standard input'
"$MUNIMENT" --json verify-report "$SCRATCH/report.json" --public-key "$SCRATCH/app.public" >"$SCRATCH/out" 2>&1
holds 'verify-report speaks JSON' jq -e '.type == "verified_document" and .generated == "2026-03-05T09:00:00Z"' "$SCRATCH/out"
"$MUNIMENT" -c "$CONFIG" report app >"$SCRATCH/unsigned" 2>/dev/null
verify "$SCRATCH/unsigned"
is 20 $? 'a report that was never signed does not verify'
verify "$SCRATCH/report.json" "$SCRATCH/keys/app.write"
is 2 $? 'a key that is not the public one'
mkdir "$SCRATCH/other"
write_config "$SCRATCH/other.conf" "$SCRATCH/other" "$(make_set app "$SCRATCH/other" "$DATA")"
"$MUNIMENT" -c "$SCRATCH/other.conf" init app >/dev/null 2>&1
"$MUNIMENT" -c "$SCRATCH/other.conf" key public app >"$SCRATCH/other.public" 2>/dev/null
verify "$SCRATCH/report.json" "$SCRATCH/other.public"
is 12 $? 'the key of another set'
"$MUNIMENT" verify-report "$SCRATCH/report.json" >/dev/null 2>&1
is 2 $? 'no key'

# What the manual says of the JSON is all that there is.
holds 'the JSON is an object' jq -e '.type == "report" and .schema == 1 and (.signature | startswith("muniment-signature-1 "))' "$SCRATCH/report.json"
mandoc -T ascii "$ROOT/man/muniment-report.1" | col -b 2>/dev/null | tr -cs 'a-z_' '\n' | sort -u >"$SCRATCH/words"
jq -r '[.. | objects | keys[]] | unique[]' "$SCRATCH/report.json" | sort -u | comm -23 - "$SCRATCH/words" >"$SCRATCH/missing"
is '' "$(cat "$SCRATCH/missing")" 'every member is in the manual'

# The walk, as far as a folder goes.
set_id=$(jq -r .set_id "$SCRATCH/report.json")
for form in text json csv html; do
    (cd "$SCRATCH/elsewhere" && "$MUNIMENT" journal verify . --from "$SCRATCH/mirror" --public-key "$SCRATCH/app.public" \
        --witness "$SCRATCH/report.$form") >"$SCRATCH/out" 2>&1
    is 0 $? "the mirror's journal agrees with the witnesses of the report as $form"
done
is "$(jq -r '.snapshots[] | select(any(.copies[]; .place == "offsite" and .state == "whole")) | .name' "$SCRATCH/report.json" | sort)" \
    "$(find "$SCRATCH/mirror/$set_id/snapshots" -type f -printf '%f\n' | sort)" 'the mirror has the snapshots that it should'
is 3 "$(jq .numbers.snapshots "$SCRATCH/report.json")" 'three of them'
jq -r '.destructions[] | select(.place == "offsite" and .state == "confirmed") | .object' "$SCRATCH/report.json" >"$SCRATCH/gone"
[ -s "$SCRATCH/gone" ] && pass 'something was destroyed there' || fail 'something was destroyed there'
is '' "$(while read -r object; do ls "$SCRATCH/mirror/$set_id/$object" 2>/dev/null; done <"$SCRATCH/gone")" 'and is not there'
bad=0
for object in "$SCRATCH/mirror/$set_id"/packs/*/* "$SCRATCH/mirror/$set_id"/snapshots/*; do
    [ "$(sha256sum <"$object" | cut -c 1-64)" = "${object: -64}" ] || bad=$((bad + 1))
done
is 0 "$bad" 'objects are named by their bytes'

# The page of a real report, in a browser. Only its id is its own.
id=$(grep -o 'muniment-report-1:[^"]*' "$SCRATCH/report.html" | head -n 1 | cut -d : -f 3)
jq --arg id "$id" '.id = $id' "$SCRATCH/report.json" >"$SCRATCH/same.json"
if command -v chromium >/dev/null; then
    holds 'the page shows what the JSON says' "$ROOT/tests/tools/chromium-check" "$SCRATCH/report.html" "$SCRATCH/same.json"
else
    skip 1 'chromium is not installed'
fi
finish
