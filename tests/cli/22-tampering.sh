#!/usr/bin/env bash
# Every kind of edit to journal, heads, packs, keys, holds, ledger, mirror and report is found, and its object is named.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$ROOT/tests/lib/buckets.sh"
buckets_begin || { skip 1 'the packages of Ceph RGW are not installed'; finish; }
command -v faketime >/dev/null || { skip 1 'faketime is not installed'; finish; }
CONFIG=$SCRATCH/conf
mkdir -p "$SCRATCH/data"
make_bucket far versioned
a_set() { # NAME
    make_set "$1" "$SCRATCH" "$DATA" "retention = { daily = 3; max_age = \"30d\"; purge_within = \"0d\"; };
         mirrors = ( { name = \"far\"; path = \"$(address far "$1")\"; } );"
}
write_bucket_config "$CONFIG" "$SCRATCH" "$SCRATCH/store" "$(a_set app)" "$(a_set other)"
at() { # TIME ARGUMENT...: standard output and error both to $SCRATCH/out
    NO_FAKE_STAT=1 faketime -m -f "@2026-03-$1" "$MUNIMENT" -c "$CONFIG" "${@:2}" >"$SCRATCH/out" 2>&1 </dev/null
    STATUS=$?
    return "$STATUS"
}
done_at() { # TIME WHAT ARGUMENT...
    at "$1" "${@:3}" && pass "$2" || { fail "$2"; note_file "$SCRATCH/out"; }
}
night() { # DAY
    head -c 40000 /dev/urandom >"$SCRATCH/data/today"
    head -c 1000 /dev/urandom >"$SCRATCH/data/day-$1"
    done_at "$1 02:00:00" "night $1" run app
}

# --- five nights, a hold, a wrapped key, a request to erase, and what others could slip in ---
done_at '01 01:00:00' 'a set' init app
done_at '01 01:00:00' 'and another' init other
night 01
printf 'pass\n' >"$SCRATCH/passphrase"
done_at '01 03:00:00' 'a hold' hold add app@latest --owner counsel --reason case
done_at '01 03:00:00' 'a wrapped key' key copy-add app --label a --passphrase-file "$SCRATCH/passphrase"
done_at '01 03:00:00' 'a request' erase record app customer-17
night 02
night 03
cp -a "$SCRATCH/store" "$SCRATCH/old-store"
cp -a "$SCRATCH/state" "$SCRATCH/old-state"
night 04
night 05
done_at '05 02:30:00' 'a night of the other set' run other
done_at '05 09:00:00' 'a report' report app --sign --format json --to "$SCRATCH/report.json"
done_at '05 09:00:00' 'the public key' key public app
grep -v warning "$SCRATCH/out" >"$SCRATCH/app.public"
cp -a "$SCRATCH/store" "$SCRATCH/whole-store"
cp -a "$SCRATCH/state" "$SCRATCH/whole-state"
jq -r '.places[] | select(.name == "far").journal[].witness' "$SCRATCH/report.json" >"$SCRATCH/far-witness"
id=$(jq -r .set_id "$SCRATCH/report.json")
store=$SCRATCH/store/$id
other=$(find "$SCRATCH/store" -mindepth 1 -maxdepth 1 -type d ! -name "$id")

# --- how each edit is looked for ---
as_it_was() {
    chmod -R u+w "$SCRATCH/store"
    rm -rf "$SCRATCH/store" "$SCRATCH/state"
    cp -a "$SCRATCH/whole-store" "$SCRATCH/store"
    cp -a "$SCRATCH/whole-state" "$SCRATCH/state"
}
# What check, check --read-data, journal verify and report end with; what they say is in $SCRATCH/all.
looked_for() { # [OPTION...]: of the commands that read one place
    local statuses='' place="$*" command
    : >"$SCRATCH/all"
    for command in "check app $place" "check app --read-data $place" "journal verify app --witness $SCRATCH/witness $place" \
        'report app --format json'; do
        # shellcheck disable=SC2086 # words of a command
        at "${NOW:-05 09:00:00}" $command
        statuses="$statuses $STATUS"
        if [ "$STATUS" != 0 ]; then
            # of a report its findings, for everything else in it is named as well
            if [ "${command%% *}" = report ] && grep -q '^{' "$SCRATCH/out"; then
                sed -n '/^{/,$p' "$SCRATCH/out" | jq -r '.findings[] | "report: \(.kind) \(.place) \(.object): \(.text)"'
            else
                sed "s/^/${command%% *}: /" "$SCRATCH/out"
            fi >>"$SCRATCH/all"
        fi
    done
    echo "${statuses# }"
}
found() { # STATUSES OBJECT WHAT [OPTION...]
    local statuses
    statuses=$(looked_for "${@:4}")
    if [ "$statuses" = "$1" ] && { [ "$1" = '0 0 0 0' ] || grep -qF -- "$2" "$SCRATCH/all"; }; then
        pass "$3"
    else
        fail "$3"
        note "check, check --read-data, journal verify, report: $statuses, expected $1, naming $2"
        note_file "$SCRATCH/all"
    fi
}
edited() { # STATUSES OBJECT WHAT: in the repository, which is then put back
    cp "$SCRATCH/report.json" "$SCRATCH/witness"
    found "$@"
    as_it_was
}
nth() { # FOLDER N: its Nth object, from the end where N is negative
    if [ "$2" -gt 0 ]; then
        find "$store/$1" -type f | sort | sed -n "$2p"
    else
        find "$store/$1" -type f | sort -r | sed -n "$((-$2))p"
    fi
}
swap() { # FILE FILE: their contents
    chmod u+w "$1" "$2"
    mv "$1" "$SCRATCH/held"
    mv "$2" "$1"
    mv "$SCRATCH/held" "$2"
}
edited '0 0 0 0' '' 'nothing is found where nothing was done'

# --- journal ---
for n in 1 6 -1; do
    object=$(nth journal "$n")
    flip "$object"
    edited '20 20 20 20' "${object#"$store"/}" "journal: a byte of segment $n flipped"
    rm -f "$object"
    [ "$n" = -1 ] || object=$store/"segment $n of this chain is missing"
    edited "$([ "$n" = -1 ] && echo '0 0' || echo '20 20') 20 20" "${object#"$store"/}" "journal: segment $n deleted"
done
object=$(nth journal 7)
swap "$object" "$(nth journal 8)"
edited '20 20 20 20' "${object#"$store"/}" 'journal: the contents of two segments swapped'
mv "$object" "$(dirname "$object")/$(basename "$object" | sed 's/-[0-9]*-/-0000000099-/')"
edited '20 20 20 20' '0000000099' 'journal: a segment that got another number'
cp "$(find "$other/journal" -type f | sort | tail -n 1)" "$store/journal/"
object=$(basename "$(find "$other/journal" -type f | sort | tail -n 1)")
edited '20 20 20 20' "journal/$object" 'journal: a segment of another set, under its own name'
object=$(nth journal 5)
cp "$object" "$store/journal/$(basename "$object" | sed 's/-[0-9]*-/-0000000007-/')"
edited '20 20 20 20' '0000000007' 'journal: a segment replayed under a later number'
object=$(basename "$(nth journal -1)")
find "$store/journal" -type f | sort | tail -n 4 | xargs rm -f
edited '20 20 20 20' "journal/$object" 'journal: the last four segments cut'

# One that was written in a copy of the repository: whole in itself, with another past.
rm -rf "$SCRATCH/store" "$SCRATCH/state"
cp -a "$SCRATCH/old-store" "$SCRATCH/store"
cp -a "$SCRATCH/old-state" "$SCRATCH/state"
edited '0 0 20 20' 'journal/' 'the whole repository as it was two nights before'
find "$SCRATCH/old-store/$id/journal" -type f | wc -l >"$SCRATCH/count"
rm -rf "$SCRATCH/store" "$SCRATCH/state"
cp -a "$SCRATCH/old-store" "$SCRATCH/store"
cp -a "$SCRATCH/old-state" "$SCRATCH/state"
at '03 05:00:00' check app
forged=$(nth journal -1)
cp "$forged" "$SCRATCH/forged"
as_it_was
cp "$SCRATCH/forged" "$store/journal/$(basename "$forged")"
edited '20 20 20 20' "journal/$(basename "$forged")" 'journal: a segment from an older copy with another past'

# --- heads ---
object=$(nth snapshots -1)
flip "$object"
edited '20 20 0 20' "${object#"$store"/}" 'head: a byte flipped'
rm -f "$object"
edited '20 20 0 20' "${object#"$store"/}" 'head: deleted'
mv "$object" "$(dirname "$object")/20260301T000000Z-${object##*-}"
edited '20 20 0 20' "snapshots/20260301T000000Z-${object##*-}" 'head: renamed to another time'
swap "$object" "$(nth snapshots -2)"
edited '20 20 0 20' "${object#"$store"/}" 'head: two swapped'
gone=$(comm -23 <(cd "$SCRATCH/old-store/$id/snapshots" && ls) <(cd "$store/snapshots" && ls) | head -n 1)
cp "$SCRATCH/old-store/$id/snapshots/$gone" "$store/snapshots/"
edited '20 20 0 24' "snapshots/$gone" 'head: one put back that had expired'
cp "$(find "$other/snapshots" -type f)" "$store/snapshots/"
edited '20 20 0 20' "snapshots/$(basename "$(find "$other/snapshots" -type f)")" 'head: of another set'

# --- packs and index ---
size=$(find "$store/packs" -type f -size +30k -printf '%s\n' | sort | uniq -d | head -n 1)
object=$(find "$store/packs" -type f -size "${size}c" | sort | head -n 1)
second=$(find "$store/packs" -type f -size "${size}c" | sort | tail -n 1)
flip "$object" 20000
edited '0 20 0 0' "${object#"$store"/}" 'pack: a byte flipped'
rm -f "$object"
edited '20 20 0 20' "${object#"$store"/}" 'pack: deleted'
chmod u+w "$object"
truncate -s 20000 "$object"
edited '20 20 0 20' "${object#"$store"/}" 'pack: truncated'
swap "$object" "$second"
edited '0 20 0 0' "${object#"$store"/}" 'pack: two of one size swapped'
cp "$(find "$other/packs" -type f -size +30k | head -n 1)" "$store/packs/$(basename "$(dirname "$object")")/"
extra=$(basename "$(find "$other/packs" -type f -size +30k | head -n 1)")
edited '20 20 0 24' "$extra" 'pack: one too many'
object=$(nth index 1)
flip "$object"
edited '20 20 0 20' "${object#"$store"/}" 'index: a byte flipped'
rm -f "$object"
edited '20 20 0 20' "${object#"$store"/}" 'index: deleted'

# --- what people placed ---
for kind in holds keys erasures; do
    object=$(nth "$kind" 1)
    rm -f "$object"
    edited '20 20 0 20' "${object#"$store"/}" "$kind: removed by hand"
    flip "$object" 100
    edited "20 20 0 $([ "$kind" = holds ] && echo 20 || echo 0)" "${object#"$store"/}" "$kind: a byte flipped"
done

# --- the mirror: what is in a bucket with versions ---
bucket=$BUCKET_PREFIX-far
key_of() { # OBJECT: percent-encoded
    printf 'app/%s/%s' "$id" "$1" | sed 's|/|%2F|g'
}
versions_of() { # OBJECT
    s3_admin versions "$bucket" "app/$id/$1" | awk '{ print $2 }'
}
put_there() { # OBJECT FILE
    s3_admin put "$bucket" "$(key_of "$1")" "$2"
}
remove_there() { # OBJECT: with all its versions
    versions_of "$1" | while read -r version; do s3_admin delete "$bucket" "$(key_of "$1")" "$version"; done
}
edited_there() { # STATUSES OBJECT WHAT [NAMED]: of the mirror; it is put back
    cp "$SCRATCH/far-witness" "$SCRATCH/witness"
    found "$1" "${4:-$2}" "mirror: $3" --mirror far
    remove_there "$2"
    [ ! -f "$SCRATCH/was" ] || put_there "$2" "$SCRATCH/was"
}
# The statuses when a newer version has another byte, when it is hidden, and when it is gone. Of the newest segment the
# report cannot know that the mirror had it: its witness tells.
while read -r object changed hidden removed; do
    s3_admin get "$bucket" "$(key_of "$object")" >"$SCRATCH/was"
    cp "$SCRATCH/was" "$SCRATCH/other"
    flip "$SCRATCH/other"
    put_there "$object" "$SCRATCH/other"
    edited_there "${changed//,/ }" "$object" "${object%%/*}: another byte in a newer version"
    s3_admin delete "$bucket" "$(key_of "$object")"
    edited_there "${hidden//,/ }" "$object" "${object%%/*}: hidden by a marker"
    remove_there "$object"
    # An index is known by its name alone: what is named are the snapshots that are unreadable without it.
    edited_there "${removed//,/ }" "$object" "${object%%/*}: removed with every version" \
        "$([ "${object%%/*}" = index ] && echo 'is in no pack that is here')"
done <<END
$(cd "$store" && find packs -type f -size +30k | sort | head -n 1) 0,20,0,24 20,20,0,24 20,20,0,24
$(cd "$store" && find snapshots -type f | sort | tail -n 1) 0,20,0,24 0,0,0,24 0,0,0,24
journal/$(basename "$(s3_admin list "$bucket" "app/$id/journal/" | sed -n '$p' | sed 's/.*%2F//')") 0,20,20,24 0,0,20,24 0,0,20,0
$(cd "$store" && find index -type f | sort | head -n 1) 0,20,0,24 20,20,0,24 20,20,0,24
$(cd "$store" && find keys -type f) 20,20,0,24 20,20,0,24 20,20,0,24
$(cd "$store" && find holds -type f) 20,20,0,24 20,20,0,24 20,20,0,24
$(cd "$store" && find erasures -type f) 0,20,0,24 20,20,0,24 20,20,0,24
END
rm "$SCRATCH/was"
for object in "snapshots/$gone" "$(comm -23 <(cd "$SCRATCH/old-store/$id" && find packs -type f -size +30k | sort) \
    <(cd "$store" && find packs -type f | sort) | head -n 1)"; do
    put_there "$object" "$SCRATCH/old-store/$id/$object"
    edited_there "$([ "${object%%/*}" = packs ] && echo '0 0' || echo '20 20') 0 24" "$object" "${object%%/*}: one put back that was destroyed"
    put_there "$object" "$SCRATCH/old-store/$id/$object"
    s3_admin delete "$bucket" "$(key_of "$object")"
    edited_there '0 0 0 24' "$object" "${object%%/*}: one put back, and hidden"
done

# --- reports: 200 bytes of each form, and what could be put together from several ---
verified() { # FILE: its status
    env -i "$MUNIMENT" verify-report "$1" --public-key "$SCRATCH/app.public" >"$SCRATCH/out" 2>&1
    echo $?
}
RANDOM=1
for form in text json csv html; do
    report=$SCRATCH/report.$form
    at '05 10:00:00' report app --sign --format "$form" --to "$report"
    is 0 "$(verified "$report")" "report as $form: verifies"
    size=$(stat -c %s "$report")
    missed=
    rounds=$(scaled 200)
    for ((i = 0; i < rounds; i++)); do
        # from its first byte to its last, somewhere in each of as many parts
        position=$((size * i / rounds + RANDOM % (size / rounds)))
        [ $((i + 1)) = "$rounds" ] && position=$((size - 1))
        cp "$report" "$SCRATCH/altered"
        flip "$SCRATCH/altered" "$position"
        case $(verified "$SCRATCH/altered") in
        20 | 12) ;; # 12: it was the set's id in the signature
        *) missed="$missed $position" ;;
        esac
    done
    is '' "$missed" "report as $form: $rounds bytes, each found when it is another"
    for cut in 1 2 100 $((size / 2)) $((size - 1)); do
        head -c -"$cut" "$report" >"$SCRATCH/altered"
        is 20 "$(verified "$SCRATCH/altered")" "report as $form: cut by $cut bytes"
    done
    for more in ' ' '\n' '# more\n' '{}\n'; do
        { cat "$report" && printf '%b' "$more"; } >"$SCRATCH/altered"
        is 20 "$(verified "$SCRATCH/altered")" "report as $form: appended to"
    done
    sed 's/$/\r/' "$report" >"$SCRATCH/altered"
    is 20 "$(verified "$SCRATCH/altered")" "report as $form: with other line ends"
    at '05 11:00:00' report app --sign --format "$form" --to "$SCRATCH/later"
    one=$(grep -o 'muniment-signature-1 [A-Za-z0-9+/=]*' "$report" | tail -n 1)
    two=$(grep -o 'muniment-signature-1 [A-Za-z0-9+/=]*' "$SCRATCH/later" | tail -n 1)
    sed "s|$one|$two|" "$report" >"$SCRATCH/altered"
    is 20 "$(verified "$SCRATCH/altered")" "report as $form: the signature of another report"
    grep -v "$one" "$report" >"$SCRATCH/altered"
    is 20 "$(verified "$SCRATCH/altered")" "report as $form: without its signature"
    at '05 11:00:00' report other --sign --format "$form" --to "$SCRATCH/altered"
    is 12 "$(verified "$SCRATCH/altered")" "report as $form: of another set"
done

# --- the clock ---
NOW='03 12:00:00' edited '0 0 0 24' 'newest snapshot was captured at 2026-03-05T02:00:00Z' 'clock: set back by two days'
finish
