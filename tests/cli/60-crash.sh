#!/usr/bin/env bash
# SIGKILL at random moments of snapshot, rotate --apply (which purges) and mirror. After each, with nobody unlocking
# anything: the next run succeeds, check --read-data finds nothing in the repository or in the mirror, and every snapshot
# that was committed comes back bit for bit.
# See tests/lib/crash.sh for CRASH_SEED and CRASH_KILLS.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/crash.sh"
crash_begin 210 80000

daily=3
tree=$SCRATCH/tree
stream=$SCRATCH/stream
CONFIG=$SCRATCH/conf
write_config "$CONFIG" "$SCRATCH" "$(make_set app "$SCRATCH" \
    "{ name = \"files\"; kind = \"files\"; paths = [\"$tree\"]; },
     { name = \"stream\"; kind = \"command\"; command = [\"cat\", \"$stream\"]; output = \"stream.bin\"; }" \
    "  retention = { daily = $daily; weekly = 2; max_age = \"20d\"; timezone = \"UTC\"; purge_within = \"0d\"; };
  mirrors = ( { name = \"offsite\"; path = \"$SCRATCH/mirror\"; } );")"
# The same with dead chunks that may wait: some rounds leave packs half dead, the others rewrite them.
sed 's/purge_within = "0d"/purge_within = "3d"/' "$CONFIG" >"$SCRATCH/conf.lazy"
eager=$CONFIG

# --- content that changes from day to day ------------------------------------------------------------------------------

awk -v seed="$CRASH_SEED" 'BEGIN { srand(seed); for (i = 0; i < 600000; i++) printf "%08x", rand() * 4294967295 }' \
    >"$SCRATCH/pool"
pool_size=$(stat -c %s "$SCRATCH/pool")
piece() { # BYTES: a random piece of the pool
    tail -c +"$(((RANDOM * 32768 + RANDOM) % (pool_size - $1) + 1))" "$SCRATCH/pool" | head -c "$1"
}
write_some_file() {
    local folder=$tree/folder-$((RANDOM % 6))
    mkdir -p "$folder"
    piece $((RANDOM * 4 + 1)) >"$folder/file-$((RANDOM % 7))"
}
change_content() {
    local i
    for ((i = 0; i < 5; i++)); do write_some_file; done
    piece 400 >>"$tree/log"
    [ $((RANDOM % 3)) != 0 ] || rm -rf "$tree/folder-$((RANDOM % 6))"
    ln -sfn "target-$RANDOM" "$tree/link"
    piece $((RANDOM * 8 + 1)) >>"$stream"
    [ "$(stat -c %s "$stream")" -lt 1200000 ] || piece 300000 >"$stream"
}
# Sets aside what the next snapshot must hold.
keep_content() {
    content_now=$SCRATCH/content/$((++content_count))
    mkdir -p "$content_now"
    cp -a "$tree" "$content_now/tree"
    cp "$stream" "$content_now/stream"
}
content_count=0
# Forgets what no snapshot holds any more.
forget_content() {
    local head kept=" $content_now "
    for head in "${!present[@]}"; do kept+="${content_of[$head]} "; done
    for head in "$SCRATCH"/content/*; do
        case "$kept" in *" $head "*) ;; *) rm -rf "$head" ;; esac
    done
}

# --- what must be true at every moment ---------------------------------------------------------------------------------

declare -A content_of=()     # head -> a copy of what it must hold
declare -A present=()        # the heads that are in the repository
declare -A first_of_day=()   # the snapshot that stands for a day

heads_in() { # STORE: names of its heads, oldest first
    find "$1" -path '*/snapshots/*' -type f ! -name '.*' -printf '%f\n' 2>/dev/null | LC_ALL=C sort
}

# Learns the snapshots that are new, and refuses that one is gone which no rotation ended.
look_at_heads() { # DURING
    local head found young
    found=" $(heads_in "$SCRATCH/store" | tr "\n" " ") "
    for head in $found; do
        [ -z "${content_of[$head]-}" ] || continue
        content_of[$head]=$content_now
        present[$head]=yes
        [ -n "${first_of_day[${head:0:8}]-}" ] || first_of_day[${head:0:8}]=$head
    done
    for head in "${!present[@]}"; do
        case "$found" in *" $head "*) continue ;; esac
        unset "present[$head]"
        [ "$1" = rotate ] || trouble="$1: lost $head, and no rotation ran"
        young=$(printf '%s\n' "${!first_of_day[@]}" | sort -rn | head -n $daily | tr '\n' ' ')
        case " $young " in
        *" ${head:0:8} "*) [ "${first_of_day[${head:0:8}]}" != "$head" ] || trouble="$1: lost $head, one of the last days" ;;
        esac
    done
}

# Restores snapshots of a store, and compares them with what was captured.
restore_from() { # STORE NAME HEAD...
    local store=$1 name=$2 head out=$SCRATCH/restored
    shift 2
    for head; do
        rm -rf "$out"
        if ! "$MUNIMENT" --no-progress restore ".@$head" --to "$out" --from "$store" --key "$SCRATCH/keys/app.read" \
            >"$SCRATCH/out" 2>"$SCRATCH/err"; then
            trouble="restore of $head from the $name failed"
            return
        fi
        if ! cmp "${content_of[$head]-unknown}/stream" "$out/stream/stream.bin" >"$SCRATCH/out" 2>&1 ||
            ! diff -r --no-dereference "${content_of[$head]}/tree" "$out/files$tree" >"$SCRATCH/out" 2>&1; then
            trouble="$head from the $name is not what was captured"
            return
        fi
    done
}
restore_all() { # STORE NAME
    # shellcheck disable=SC2046 # words
    restore_from "$1" "$2" $(heads_in "$1")
}
# The mirror's newest and oldest each time, all of them now and then.
restore_some_of_mirror() {
    local heads
    mapfile -t heads < <(heads_in "$SCRATCH/mirror")
    [ $((CRASHES % 5)) = 0 ] || heads=("${heads[0]-none}" "${heads[-1]-none}")
    restore_from "$SCRATCH/mirror" mirror "${heads[@]}"
}

check_both() { # OPTIONS...
    local where
    for where in '' '--mirror offsite'; do
        # shellcheck disable=SC2086 # words
        muniment check app "$@" $where || trouble="check $* $where ended with $STATUS"
    done
}

# --- the rounds --------------------------------------------------------------------------------------------------------

mkdir -p "$tree"
: >"$stream"
for ((i = 0; i < 30; i++)); do write_some_file; done

# A repository of its own for some kills at a time: what every night adds to the journal is read by all that follow, and
# the rounds would grow longer and longer.
kills_each=35
new_repository() {
    rm -rf "$SCRATCH"/{store,mirror,state,keys,content}
    mkdir "$SCRATCH/keys"
    content_of=() present=() first_of_day=()
    CONFIG=$eager
    change_content
    keep_content
    expect 0 'a repository is made' init app
    crash_first_night
    [ -n "$trouble" ] || check_both --read-data
    is '' "$trouble" 'a first night goes well'
    started_at=$CRASHES
}
new_repository

before_round() {
    [ $((CRASHES - started_at)) -lt $kills_each ] || new_repository
    change_content
    keep_content
    forget_content
    CONFIG=$eager
    [ $((RANDOM % 3)) != 0 ] || CONFIG=$SCRATCH/conf.lazy
}
# The repository is whole at once. Which snapshots a mirror holds is in its journal once a run has ended; what it holds
# is whole at once, too.
after_kill() { # KIND
    muniment check app || trouble="check right after the kill ended with $STATUS"
    [ -n "$trouble" ] || [ "$1" != mirror ] || restore_some_of_mirror
}
after_night() {
    check_both --read-data
    [ -n "$trouble" ] || restore_all "$SCRATCH/store" repository
    [ -n "$trouble" ] || restore_some_of_mirror
    [ -n "$trouble" ] || [ "$(heads_in "$SCRATCH/store")" = "$(heads_in "$SCRATCH/mirror")" ] ||
        trouble='repository and mirror do not hold the same snapshots'
    verdict="nothing is lost of ${#present[@]} snapshots"
}
crash_rounds
holds 'rotation went on all the time' test "$(heads_in "$SCRATCH/store" | wc -l)" -le 9
holds 'and on the mirror too' test "$(heads_in "$SCRATCH/mirror" | wc -l)" -le 9
finish
