#!/usr/bin/env bash
# SIGKILL at random moments of snapshot, rotate --apply and mirror, with the repository in one bucket and its mirror in
# another, both with versions. After each, with nobody unlocking anything: the night's commands succeed, every snapshot
# that was committed comes back bit for bit from both, and in both buckets nothing is left over: no pack that no index
# names, no session, no claim, no older version, no hide marker, no unfinished upload.
# See tests/lib/crash.sh for CRASH_SEED and CRASH_KILLS.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/buckets.sh"
. "$(dirname "$0")/../lib/crash.sh"
buckets_begin || { skip 1 'the packages of Ceph RGW are not installed'; finish; }

crash_begin 8 300000
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

heads_in() { # BUCKET: names of its heads, oldest first
    s3_admin list "$BUCKET_PREFIX-$1" | sed -n -e "s,%2F,/,g" -e 's,.*/snapshots/,,p' | LC_ALL=C sort
}
look_at_heads() { # DURING
    local head
    [ "$1" = snapshot ] || return 0
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

# --- the rounds -----------------------------------------------------------------------------------------------------

mkdir -p "$tree"
change_content
expect 0 'a repository is made' init app
crash_first_night
[ -n "$trouble" ] || look_for_remains
is '' "$trouble" 'a first night goes well'

before_round() {
    change_content
}
after_kill() {
    :
}
after_night() {
    look_for_remains
    [ -n "$trouble" ] || restore_ends
    verdict='nothing is lost, and nothing is left'
}
crash_rounds
expect 0 'at last every byte of the repository is right' check app --read-data
expect 0 'and of the mirror' check app --mirror far --read-data
finish
