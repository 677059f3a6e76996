#!/usr/bin/env bash
# The nightly job: a line a step, no failure stops what does not depend on it, and the status tells the worst.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
CONFIG=$SCRATCH/conf
mkdir -p "$SCRATCH/data"
echo one >"$SCRATCH/data/one"
echo "no folder" >"$SCRATCH/file"
sets=(
    "$(make_set good "$SCRATCH" "$DATA" "  mirrors = ( { name = \"lost\"; path = \"$SCRATCH/file/mirror\"; }, { name = \"near\"; path = \"$SCRATCH/mirror\"; } );")"
    "$(make_set partial "$SCRATCH" "$DATA, { name = \"broken\"; kind = \"command\"; command = [\"sh\", \"-c\", \"echo half; exit 7\"]; }")"
    "$(make_set failing "$SCRATCH" "{ name = \"gone\"; kind = \"command\"; command = [\"$SCRATCH/no-such-program\"]; }")"
    "$(make_set quiet "$SCRATCH" "$DATA")"
)
write_config "$CONFIG" "$SCRATCH" "${sets[@]}"
for set in good partial failing quiet; do
    expect 0 "set $set" init "$set"
done

expect 0 'one set alone' run quiet
is 'captured rotated purged checked' "$(sed -nE 's/^quiet: ([a-z]+).*/\1/p' "$SCRATCH/err" | paste -sd ' ')" 'a line for each step'
is '' "$(cat "$SCRATCH/out")" 'and nothing on standard output'
expect 0 '-q' -q run quiet
is '' "$(cat "$SCRATCH/err")" 'is silent when all is well'
expect 2 'a set that does not exist' run quiet nosuch
is 2 "$(count_heads "$SCRATCH/store")" 'is found before anything starts'

expect 3 'a source that fails beside one that does not: partial' run partial
says "$SCRATCH/err" '^partial: captured .*: partial' 'and named so'
says "$SCRATCH/err" 'broken.* 7' 'with the status of the command'
expect 1 'a set without a snapshot has failed' run failing
says "$SCRATCH/err" '^failing: rotated' 'and is rotated all the same'
expect 1 'a mirror that fails' run good
says "$SCRATCH/err" '^good: mirrored to near' 'does not hold up the next'
expect 1 'of all sets the most telling failure is the status' --json run
is 'failing good partial quiet' "$(jq -r 'select(.type == "step" and .step == "check") | .set' "$SCRATCH/out" | sort | paste -sd ' ')" 'and every set had its night'
is '1' "$(jq -s 'last | .status' "$SCRATCH/out")" 'the last record says so too'

# Two runs of one set never overlap.
mkfifo "$SCRATCH/running" "$SCRATCH/go"
write_config "$CONFIG" "$SCRATCH" "${sets[3]}" "$(make_set slow "$SCRATCH" \
    "{ name = \"slow\"; kind = \"command\"; command = [\"sh\", \"-c\", \"echo x >$SCRATCH/running; read line <$SCRATCH/go; echo y\"]; }")"
expect 0 'a slow set' init slow
"$MUNIMENT" -c "$CONFIG" run slow >"$SCRATCH/out.1" 2>"$SCRATCH/err.1" </dev/null &
first=$!
at_exit "end_process $first KILL"
read -r _ <"$SCRATCH/running"
expect 11 'a second run of the set exits with 11' run
says "$SCRATCH/err" '^quiet: captured' 'after the night of the other set'
says "$SCRATCH/err" 'slow: another run of this set' 'and says why'
echo go >"$SCRATCH/go"
wait "$first"
is 0 $? 'the first ends well'

# A signal ends it, tidily.
"$MUNIMENT" -c "$CONFIG" run slow quiet >"$SCRATCH/out.1" 2>"$SCRATCH/err.1" </dev/null &
first=$!
read -r _ <"$SCRATCH/running"
before=$(count_heads "$SCRATCH/store")
kill -TERM "$first"
wait "$first"
is 130 $? 'a signal exits with 130'
is "$before" "$(count_heads "$SCRATCH/store")" 'without a snapshot'
silent_about "$SCRATCH/err.1" '^quiet:' 'and without the sets after it'
expect 0 'the next run needs no unlocking' run quiet
finish
