#!/usr/bin/env bash
# SIGKILL at random moments of snapshot, rotate --apply (which purges) and mirror. After each, with nobody unlocking
# anything: the next run succeeds, check --read-data finds nothing in the repository or in the mirror, and every snapshot
# that was committed comes back bit for bit.
#
# CRASH_SEED repeats a choice of kinds and contents (the moments differ from machine to machine); CRASH_KILLS is how many.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"

kills=${CRASH_KILLS:-$(scaled 210)}
seed=${CRASH_SEED:-$((SRANDOM % 1000000))}
RANDOM=$seed
note "seed $seed, $kills kills"

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

awk -v seed="$seed" 'BEGIN { srand(seed); for (i = 0; i < 600000; i++) printf "%08x", rand() * 4294967295 }' \
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
trouble=''

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
    [ $((done_kills % 5)) = 0 ] || heads=("${heads[0]-none}" "${heads[-1]-none}")
    restore_from "$SCRATCH/mirror" mirror "${heads[@]}"
}

# --- commands and how long they take -----------------------------------------------------------------------------------

declare -A typical=([snapshot]=100000 [rotate]=60000 [mirror]=60000) # microseconds
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
    if ! muniment $(arguments_of "$1"); then
        trouble="$1 ended with $STATUS"
        return 1
    fi
    took=$((${EPOCHREALTIME/[.,]/} - started))
    typical[$1]=$(((typical[$1] * 3 + took) / 4))
    look_at_heads "$1"
}

# Starts a command and kills it. True when it died of that.
kill_during() { # KIND
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
    look_at_heads "$1"
    [ "$STATUS" = 137 ] && return 0
    [ "$STATUS" = 0 ] || trouble="$1 ended with $STATUS before it was killed"
    return 1
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
done_kills=0

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
    for kind in snapshot rotate mirror; do succeed $kind || break; done
    [ -n "$trouble" ] || check_both --read-data
    is '' "$trouble" 'a first night goes well'
    started_at=$done_kills
}
new_repository

declare -A killed=([snapshot]=0 [rotate]=0 [mirror]=0)
for ((round = 0; done_kills < kills && round < 3 * kills; round++)); do
    [ -z "$trouble" ] || break
    [ $((done_kills - started_at)) -lt $kills_each ] || new_repository
    day=$((day + 86400))
    change_content
    keep_content
    forget_content
    CONFIG=$eager
    [ $((RANDOM % 3)) != 0 ] || CONFIG=$SCRATCH/conf.lazy

    # One of the night's commands is killed, and the repository must be whole at once.
    kinds=(snapshot rotate mirror)
    victim=${kinds[RANDOM % 3]}
    for kind in "${kinds[@]}"; do
        if [ "$kind" = "$victim" ]; then
            died=no
            kill_during "$kind" && died=yes
            [ -n "$trouble" ] || muniment check app || trouble="check right after the kill ended with $STATUS"
            # Which snapshots a mirror holds is in its journal once a run has ended; what it holds is whole at once.
            [ -n "$trouble" ] || [ "$kind" != mirror ] || restore_some_of_mirror
            day=$((day + 60)) # a second snapshot of the same day
        fi
        [ -n "$trouble" ] || succeed "$kind"
        [ -z "$trouble" ] || break
    done
    [ "$died" = yes ] || [ -n "$trouble" ] || continue

    [ -n "$trouble" ] || check_both --read-data
    [ -n "$trouble" ] || restore_all "$SCRATCH/store" repository
    [ -n "$trouble" ] || restore_some_of_mirror
    [ -n "$trouble" ] || [ "$(heads_in "$SCRATCH/store")" = "$(heads_in "$SCRATCH/mirror")" ] ||
        trouble='repository and mirror do not hold the same snapshots'
    done_kills=$((done_kills + 1))
    killed[$victim]=$((killed[$victim] + 1))
    if [ -z "$trouble" ]; then
        pass "kill $done_kills, $moment: nothing is lost of ${#present[@]} snapshots"
    else
        fail "kill $done_kills, $moment: $trouble"
        note "seed $seed, round $round"
        note_file "$SCRATCH/out" 10
        note_file "$SCRATCH/err"
    fi
done

[ -z "$trouble" ] || [ "$done_kills" -gt 0 ] || note "$trouble"
is "$kills" "$done_kills" "as many kills as asked for: ${killed[snapshot]} of snapshot, ${killed[rotate]} of rotate, ${killed[mirror]} of mirror"
holds 'rotation went on all the time' test "$(heads_in "$SCRATCH/store" | wc -l)" -le 9
holds 'and on the mirror too' test "$(heads_in "$SCRATCH/mirror" | wc -l)" -le 9
finish
