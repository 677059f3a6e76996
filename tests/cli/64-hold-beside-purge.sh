#!/usr/bin/env bash
# Holds placed while a rotation ends what they cover: whenever the program says that a snapshot is held, it is there,
# stays, and comes back whole, whatever the rotation was doing at that moment.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
one_set 'retention = { daily = 1; timezone = "UTC"; purge_within = "0d"; };'
expect 0 'a repository' init app
night() { # TIME: with content of its own
    head -c 400000 /dev/urandom >"$SCRATCH/data/content"
    expect 0 "a night, $1" snapshot app --time "$1"
}

# --- between the decision and its journal: the rotation has read the holds, and waits for this host's journal ---
expect 0 'another host' key new-host app --to "$SCRATCH/other.write"
sed "s,keys/app.write,other.write," "$CONFIG" >"$SCRATCH/other"
night 2025-06-01T02:00:00Z
night 2025-06-02T02:00:00Z
expect 0 'a rotation' rotate app --apply --as-of 2025-06-02T03:00:00Z
night 2025-06-03T02:00:00Z
lock=$(find "$SCRATCH/store" -name '.lock-journal-*') # of the only host that wrote by now
exec 9>>"$lock"
flock 9
"$MUNIMENT" -c "$CONFIG" rotate app --apply --as-of 2025-06-03T03:00:00Z >"$SCRATCH/out.rotate" 2>"$SCRATCH/err.rotate" </dev/null 9>&- &
rotation=$!
for ((i = 0; i < 2000; i++)); do
    find "/proc/$rotation/fd" -lname "*/${lock##*/}" 2>/dev/null | grep -q . && break
    sleep 0.01
done
"$MUNIMENT" -c "$SCRATCH/other" hold add app@2025-06-02T02:00:00Z --owner legal --reason late >"$SCRATCH/out.hold" 2>"$SCRATCH/err.hold" </dev/null 9>&- &
hold=$!
for ((i = 0; i < 2000; i++)); do
    [ -n "$(find "$SCRATCH/store" -path '*/holds/*' -type f ! -name '.*')" ] && break
    sleep 0.01
done
sleep 0.1
exec 9>&-
wait "$rotation"
is 0 $? 'a rotation that has decided goes on'
wait "$hold"
is 1 $? 'and a hold that comes then is not said to hold what is gone'
says "$SCRATCH/err.hold" 'a rotation had ended its snapshot just before' 'but that it came too late'
muniment hold release app "$(find "$SCRATCH/store" -path '*/holds/*' -type f -printf '%f\n')"

# --- at every moment ---
rounds=$(scaled 24)
lost=0 wrong=0 held=0 late=0
for ((round = 1; round <= rounds; round++)); do
    old=$(date -u -d "2026-01-01 +$((2 * round)) days" +%FT02:00:00Z)
    new=$(date -u -d "2026-01-01 +$((2 * round + 1)) days" +%FT02:00:00Z)
    for at in "$old" "$new"; do
        head -c 400000 /dev/urandom >"$SCRATCH/data/content"
        [ "$at" = "$new" ] || cp "$SCRATCH/data/content" "$SCRATCH/kept"
        muniment snapshot app --time "$at" || wrong=$((wrong + 1))
    done
    # The rotation is stopped after a while, different each time, and goes on once the hold has been placed or waits.
    "$MUNIMENT" -c "$CONFIG" rotate app --apply --as-of "${new/02:00/03:00}" >"$SCRATCH/out.rotate" 2>"$SCRATCH/err.rotate" </dev/null &
    rotation=$!
    sleep "$(awk -v i="$round" -v n="$rounds" 'BEGIN { printf "%.4f", 0.002 + 0.08 * (i - 1) / n }')"
    kill -STOP "$rotation" 2>/dev/null
    "$MUNIMENT" -c "$CONFIG" --json hold add "app@$old" --owner legal --reason race >"$SCRATCH/out.hold" 2>"$SCRATCH/err.hold" </dev/null &
    hold=$!
    sleep 0.03
    kill -CONT "$rotation" 2>/dev/null
    wait "$hold"
    status=$?
    wait "$rotation" || { wrong=$((wrong + 1)); note_file "$SCRATCH/err.rotate"; }
    muniment rotate app --apply --as-of "${new/02:00/04:00}" || wrong=$((wrong + 1))
    rm -rf "$SCRATCH/back"
    # A hold that came last of all found the snapshot gone, and the one before it instead.
    if [ "$status" = 0 ] && [ "$(jq -r .snapshot "$SCRATCH/out.hold" | cut -c 1-8)" = "$(tr -d - <<<"${old%T*}")" ]; then
        held=$((held + 1))
        if ! muniment restore "app@$old" --to "$SCRATCH/back" || ! cmp -s "$SCRATCH/kept" "$SCRATCH/back/data$SCRATCH/data/content"; then
            lost=$((lost + 1))
            note "round $round: held, and lost"
            note_file "$SCRATCH/err"
        fi
    else
        late=$((late + 1))
        [ "$status" = 0 ] || grep -qE 'had ended its snapshot just before|no snapshot' "$SCRATCH/err.hold" || { wrong=$((wrong + 1)); note_file "$SCRATCH/err.hold"; }
    fi
done
note "$held held, $late too late"
is 0 "$lost" 'no snapshot that is held lost anything'
is 0 "$wrong" 'and whatever came too late says so'
holds 'some came in time' test "$held" -gt 0
expect 0 'the repository is whole' check app --read-data
finish
