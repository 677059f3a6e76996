# shellcheck shell=bash
# SIGKILL at random moments of the night's commands: snapshot, rotate --apply (which purges) and mirror of the set "app".
#
#   . "$(dirname "$0")/../lib/tap.sh"
#   . "$(dirname "$0")/../lib/scratch.sh"
#   . "$(dirname "$0")/../lib/crash.sh"
#   crash_begin 200 100000
#   ...
#   crash_rounds
#
# CRASH_SEED repeats a choice of kinds and contents (the moments differ from machine to machine); CRASH_KILLS is how many.
# CRASHES counts them.
#
# The script says what must be true by functions of its own, which put a sentence into `trouble` when it is not:
#   before_round          prepares the next day: content that changes, a configuration
#   look_at_heads KIND    after every command, killed or not
#   after_kill KIND       right after one that was to be killed, before anything else runs
#   after_night           when the commands of the day have all succeeded; it sets `verdict`, what then holds

trouble='' verdict=''
declare -A typical=() # how long a command takes, in microseconds
declare -A killed=([snapshot]=0 [rotate]=0 [mirror]=0)
CRASHES=0
day=$(date -u -d 2026-01-01T02:00:00Z +%s)

crash_begin() { # KILLS MICROSECONDS: how many, unless CRASH_KILLS says it; how long a command takes at first
    : "${CRASH_KILLS:=$(scaled "$1")}" "${CRASH_SEED:=$((SRANDOM % 1000000))}"
    RANDOM=$CRASH_SEED
    typical=([snapshot]=$2 [rotate]=$2 [mirror]=$2)
    note "seed $CRASH_SEED, $CRASH_KILLS kills"
}

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

# The commands of one day, one of which is killed: that one is run again, since it must succeed with nobody's help. True
# when it died of that.
crash_night() { # VICTIM
    local kind died=1
    for kind in snapshot rotate mirror; do
        if [ "$kind" = "$1" ]; then
            kill_during "$kind" && died=0
            [ -n "$trouble" ] || after_kill "$kind"
            day=$((day + 60)) # a second snapshot of the same day
        fi
        [ -n "$trouble" ] || succeed "$kind"
        [ -z "$trouble" ] || break
    done
    return "$died"
}

crash_first_night() {
    local kind
    for kind in snapshot rotate mirror; do succeed "$kind" || break; done
}

# As many days as it takes to kill as often as asked for, a case for each kill, and one that it was as often.
crash_rounds() {
    local round victim kinds=(snapshot rotate mirror)
    for ((round = 0; CRASHES < CRASH_KILLS && round < 3 * CRASH_KILLS; round++)); do
        [ -z "$trouble" ] || break
        before_round
        day=$((day + 86400))
        victim=${kinds[RANDOM % 3]}
        crash_night "$victim" || [ -n "$trouble" ] || continue
        [ -n "$trouble" ] || after_night
        CRASHES=$((CRASHES + 1))
        killed[$victim]=$((killed[$victim] + 1))
        if [ -z "$trouble" ]; then
            pass "kill $CRASHES, $moment: $verdict"
        else
            fail "kill $CRASHES, $moment: $trouble"
            note "seed $CRASH_SEED, round $round"
            note_file "$SCRATCH/out" 10
            note_file "$SCRATCH/err"
        fi
    done
    [ -z "$trouble" ] || [ "$CRASHES" -gt 0 ] || note "$trouble"
    is "$CRASH_KILLS" "$CRASHES" "as many kills as asked for: ${killed[snapshot]} of snapshot, ${killed[rotate]} of rotate, ${killed[mirror]} of mirror"
}
