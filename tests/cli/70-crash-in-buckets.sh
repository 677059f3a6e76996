#!/usr/bin/env bash
# SIGKILL at random moments of snapshot, rotate --apply and mirror, with the repository in one bucket and its mirror in
# another, both with versions. After each, with nobody unlocking anything: the night's commands succeed, every snapshot
# that was committed comes back bit for bit from both, and in both buckets nothing is left over: no pack that no index
# names, no session, no claim, no older version, no hide marker, no unfinished upload.
#
# CRASH_SEED repeats a choice of kinds and contents (the moments differ from machine to machine); CRASH_KILLS is how many.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/buckets.sh"
buckets_begin || { skip 1 'the packages of Ceph RGW are not installed'; finish; }

kills=${CRASH_KILLS:-$(scaled 8)}
seed=${CRASH_SEED:-$((SRANDOM % 1000000))}
RANDOM=$seed
note "seed $seed, $kills kills"
make_bucket repo versioned
make_bucket mirror versioned

tree=$SCRATCH/tree
CONFIG=$SCRATCH/conf
write_bucket_config "$CONFIG" "$SCRATCH" "$(address repo r)" "$(make_set app "$SCRATCH" \
    "{ name = \"files\"; kind = \"files\"; paths = [\"$tree\"]; }" \
    "  retention = { daily = 3; weekly = 1; max_age = \"20d\"; timezone = \"UTC\"; purge_within = \"0d\"; };
  mirrors = ( { name = \"far\"; path = \"$(address mirror m)\"; verify_percent = 0; } );")"

# --- what changes, and what must come back --------------------------------------------------------------------------

change_content() {
    local i
    for ((i = 0; i < 4; i++)); do
        head -c $((RANDOM * 4 + 1)) /dev/urandom >"$tree/file-$((RANDOM % 9))"
    done
    head -c 3000000 /dev/urandom >"$tree/large"
    echo "$RANDOM" >>"$tree/log"
}
declare -A content_of=() # head -> a copy of what it holds
trouble=''

heads_in() { # BUCKET: names of its heads, oldest first
    s3_admin list "$BUCKET_PREFIX-$1" | sed -n -e "s,%2F,/,g" -e 's,.*/snapshots/,,p' | LC_ALL=C sort
}
learn_heads() {
    local head
    for head in $(heads_in repo); do
        [ -n "${content_of[$head]-}" ] && continue
        content_of[$head]=$SCRATCH/content/$head
        mkdir -p "$SCRATCH/content"
        cp -a "$tree" "${content_of[$head]}"
    done
}
restore_from() { # WHERE HEAD OPTION...
    local where=$1 head=$2
    shift 2
    rm -rf "$SCRATCH/restored"
    muniment restore "app@$head" --to "$SCRATCH/restored" "$@" || trouble="restore of $head from the $where ended with $STATUS"
    [ -n "$trouble" ] || diff -r "${content_of[$head]-unknown}" "$SCRATCH/restored/files$tree" >"$SCRATCH/out" 2>&1 ||
        trouble="$head from the $where is not what was captured"
}
restore_ends() { # the newest and the oldest, from both
    local heads
    mapfile -t heads < <(heads_in repo)
    restore_from repository "${heads[-1]}"
    [ -n "$trouble" ] || restore_from mirror "${heads[0]}" --mirror far
    [ -n "$trouble" ] || restore_from mirror "${heads[-1]}" --mirror far
    [ "${#heads[@]}" -le 6 ] || trouble="${#heads[@]} snapshots: rotation does not go on"
}

# --- what must not be left ------------------------------------------------------------------------------------------

look_for_remains() {
    local bucket
    for bucket in repo mirror; do
        s3_admin versions "$BUCKET_PREFIX-$bucket" | sed "s,%2F,/,g" >"$SCRATCH/versions"
        awk '$3 != "data"' "$SCRATCH/versions" | grep -q . && trouble="$bucket: hide markers are left"
        awk '{ print $1 }' "$SCRATCH/versions" | sort | uniq -d | grep -q . && trouble="$bucket: older versions are left"
        grep -E '/(sessions|claims)/' "$SCRATCH/versions" && trouble="$bucket: a session or a claim is left"
        [ -z "$(s3_admin uploads "$BUCKET_PREFIX-$bucket")" ] || trouble="$bucket: an unfinished upload is left"
        awk '{ print $1 }' "$SCRATCH/versions" | sed -nE 's,^[rm]/[0-9a-f]+/(packs|index|snapshots|keys)/,\1 ,p' |
            LC_ALL=C sort >"$SCRATCH/names.$bucket"
    done
    [ -s "$SCRATCH/names.repo" ] || trouble="nothing is in the repository"
    cmp -s "$SCRATCH/names.repo" "$SCRATCH/names.mirror" || {
        trouble='repository and mirror do not hold the same objects'
        diff "$SCRATCH/names.repo" "$SCRATCH/names.mirror" >"$SCRATCH/out"
    }
    muniment --json check app || trouble="check ended with $STATUS"
    [ -n "$trouble" ] || [ "$(jq -r 'select(.unreferenced_packs != null) | .unreferenced_packs' "$SCRATCH/out")" = 0 ] ||
        trouble='packs are left that no snapshot refers to'
}

# --- commands -------------------------------------------------------------------------------------------------------

declare -A typical=([snapshot]=300000 [rotate]=300000 [mirror]=300000) # microseconds
day=$(date -u -d 2026-01-01T02:00:00Z +%s)
arguments_of() { # KIND
    case $1 in
    snapshot) echo "snapshot app --time $(date -u -d "@$day" +%FT%TZ)" ;;
    rotate) echo "rotate app --apply --as-of $(date -u -d "@$((day + 1800))" +%FT%TZ)" ;;
    mirror) echo "mirror app" ;;
    esac
}
succeed() { # KIND
    local started=${EPOCHREALTIME/[.,]/} took
    # shellcheck disable=SC2046 # words
    muniment $(arguments_of "$1") || trouble="$1 ended with $STATUS"
    took=$((${EPOCHREALTIME/[.,]/} - started))
    typical[$1]=$(((typical[$1] * 3 + took) / 4))
    [ "$1" != snapshot ] || learn_heads
}
kill_during() { # KIND: true when it died of that
    local delay pid
    delay=$(((RANDOM * 32768 + RANDOM) % typical[$1]))
    # shellcheck disable=SC2046 # words
    "$MUNIMENT" -c "$CONFIG" $(arguments_of "$1") >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null &
    pid=$!
    sleep "$(printf '%d.%06d' $((delay / 1000000)) $((delay % 1000000)))"
    kill -KILL "$pid" 2>/dev/null
    { wait "$pid"; } 2>/dev/null
    STATUS=$?
    moment="$1 after $((delay / 1000)) ms"
    [ "$1" != snapshot ] || learn_heads
    [ "$STATUS" = 137 ] && return 0
    [ "$STATUS" = 0 ] || trouble="$1 ended with $STATUS before it was killed"
    return 1
}

# --- the rounds -----------------------------------------------------------------------------------------------------

mkdir -p "$tree"
change_content
expect 0 'a repository is made' init app
for kind in snapshot rotate mirror; do [ -n "$trouble" ] || succeed $kind; done
[ -n "$trouble" ] || look_for_remains
is '' "$trouble" 'a first night goes well'

done_kills=0
for ((round = 0; done_kills < kills && round < 3 * kills; round++)); do
    [ -z "$trouble" ] || break
    day=$((day + 86400))
    change_content
    kinds=(snapshot rotate mirror)
    victim=${kinds[RANDOM % 3]}
    died=no
    for kind in "${kinds[@]}"; do
        if [ "$kind" = "$victim" ]; then
            kill_during "$kind" && died=yes
            day=$((day + 60)) # a second snapshot of the same day
        fi
        [ -n "$trouble" ] || succeed "$kind"
    done
    [ "$died" = yes ] || [ -n "$trouble" ] || continue
    [ -n "$trouble" ] || look_for_remains
    [ -n "$trouble" ] || restore_ends
    done_kills=$((done_kills + 1))
    if [ -z "$trouble" ]; then
        pass "kill $done_kills, $moment: nothing is lost, and nothing is left"
    else
        fail "kill $done_kills, $moment: $trouble"
        note "seed $seed, round $round"
        note_file "$SCRATCH/out" 10
        note_file "$SCRATCH/err"
    fi
done
is "$kills" "$done_kills" 'as many kills as asked for'
expect 0 'at last every byte of the repository is right' check app --read-data
expect 0 'and of the mirror' check app --mirror far --read-data
finish
