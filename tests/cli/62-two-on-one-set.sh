#!/usr/bin/env bash
# Two captures of one set: the second exits with 11 at once when told not to wait, and else waits its turn.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"

CONFIG=$SCRATCH/conf
# A command that tells that it runs, and goes on when it is told to.
mkfifo "$SCRATCH/running" "$SCRATCH/go"
write_config "$CONFIG" "$SCRATCH" "$(make_set app "$SCRATCH" \
    "{ name = \"slow\"; kind = \"command\";
       command = [\"sh\", \"-c\", \"echo one; echo x >$SCRATCH/running; read line <$SCRATCH/go; echo \$line\"]; }")"
expect 0 'a repository' init app

"$MUNIMENT" -c "$CONFIG" snapshot app >"$SCRATCH/out.1" 2>"$SCRATCH/err.1" </dev/null &
first=$!
read -r _ <"$SCRATCH/running"
expect 11 'a second capture that may not wait exits with 11' --lock-wait 0 snapshot app
says "$SCRATCH/err" 'lock|another|running' 'and says why'
expect 0 'reading goes on beside it' list app

"$MUNIMENT" -c "$CONFIG" --lock-wait 60 snapshot app >"$SCRATCH/out.2" 2>"$SCRATCH/err.2" </dev/null &
second=$!
sleep 0.5
is 0 "$(count_heads "$SCRATCH/store")" 'one that may wait does'
echo two >"$SCRATCH/go"
wait "$first"
is 0 "$?" 'the first ends well'
read -r _ <"$SCRATCH/running"
is 1 "$(count_heads "$SCRATCH/store")" 'then the second has its turn'
echo three >"$SCRATCH/go"
wait "$second"
is 0 "$?" 'and ends well'
is 2 "$(count_heads "$SCRATCH/store")" 'two snapshots'
expect 0 'the newest comes back' restore app slow --stdout
is 'one three' "$(tr '\n' ' ' <"$SCRATCH/out" | sed 's/ $//')" 'with what the second captured'
expect 0 'the repository is whole' check app --read-data

# A capture that was killed holds nothing up.
"$MUNIMENT" -c "$CONFIG" snapshot app >"$SCRATCH/out.3" 2>"$SCRATCH/err.3" </dev/null &
third=$!
read -r _ <"$SCRATCH/running"
end_process "$third" KILL
echo end >"$SCRATCH/go" & # for the command that it left behind, if it still waits
left=$!
sleep 0.2
end_process "$left" KILL
"$MUNIMENT" -c "$CONFIG" --lock-wait 0 snapshot app >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null &
fourth=$!
read -r _ <"$SCRATCH/running"
echo four >"$SCRATCH/go"
wait "$fourth"
is 0 "$?" 'after a kill the next capture needs no unlocking'
finish
