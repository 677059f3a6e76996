#!/usr/bin/env bash
# Restores: which snapshot is meant, what is never overwritten, what stands in the way and what does not.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
CONFIG=$SCRATCH/conf
mkdir -p "$SCRATCH/data/folder"
write_config "$CONFIG" "$SCRATCH" "$(make_set app "$SCRATCH" \
    "$DATA,
     { name = \"words\"; kind = \"command\"; command = [\"cat\", \"$SCRATCH/data/day\"]; }")"
expect 0 'a repository' init app
for day in 01 02 03; do
    echo "day $day" >"$SCRATCH/data/day"
    echo "day $day" >"$SCRATCH/data/folder/below"
    expect 0 "day $day" snapshot app --time "2026-03-${day}T02:00:00Z"
done
id() { muniment --json list app && jq -r --arg day "$1" 'select(.started | startswith($day)) | .snapshot' "$SCRATCH/out"; }
first=$(id 2026-03-01)
second=$(id 2026-03-02)
third=$(id 2026-03-03)

words() { muniment restore "$1" words --stdout && cat "$SCRATCH/out"; }
is 'day 03' "$(words app)" 'without a name it is the newest'
is 'day 01' "$(words "app@$first")" 'an id'
is 'day 01' "$(words "app@${first:0:5}")" 'the beginning of one'
is 'day 02' "$(words app@2026-03-02T23:00:00Z)" 'a time: the newest before it'
is 'day 02' "$(words app@2026-03-03)" 'a date: before its beginning'
is 'day 03' "$(words app@latest)" 'latest'
expect 1 'a time before all of them' restore app@2026-02-01 words --stdout
expect 2 'what is neither id nor time' restore app@soon words --stdout
expect 1 'a source that is not there' restore app word --stdout
says "$SCRATCH/err" "did you mean 'words'" 'brings the nearest one'

expect 0 'it says before the first byte' restore app words --stdout
says "$SCRATCH/err" "^restoring app@$third .*captured 2026-03-03T02:00:00Z \(.* ago\), complete" 'which one that is and how old'
expect 0 'entries by pattern' restore app data '**/folder' --to "$SCRATCH/some"
is "below" "$(cd "$SCRATCH/some" && find . -type f -printf '%f\n')" 'bring what is below a folder, alone'
expect 0 'all sources by *' restore app '*' day --to "$SCRATCH/star"
is 'day 03' "$(cat "$SCRATCH/star/data$SCRATCH/data/day")" 'with patterns'
expect 2 'several entries for one stream' restore app data --stdout
says "$SCRATCH/err" 'entries match' 'are named'

# Never over what is there.
mkdir "$SCRATCH/full"
echo mine >"$SCRATCH/full/mine"
isnt 0 "$(muniment restore app --to "$SCRATCH/full"; echo "$STATUS")" 'a folder that holds something'
is 1 "$(find "$SCRATCH/full" -mindepth 1 | wc -l)" 'is left alone'
expect 0 'an empty folder is fine' restore app --to "$(mktemp -d -p "$SCRATCH")"
expect 0 '--overwrite' restore app --to "$SCRATCH/full" --overwrite
is mine "$(cat "$SCRATCH/full/mine")" 'leaves what is not in the snapshot'

# A damaged head of another snapshot is in nobody's way who names one by its id.
head_of() { find "$SCRATCH/store" -path "*/snapshots/*-$1*" -type f; }
flip "$(head_of "$third")" 60
expect 20 'with a damaged head "the newest" could be the wrong one' restore app words --stdout
says "$SCRATCH/err" "snapshots/.*$third" 'it is named'
is 'day 02' "$(words "app@$second")" 'another one by its id comes back'
expect 20 'the damaged one itself does not' restore "app@$third" words --stdout
expect 20 'check finds it' check app
says "$SCRATCH/out" "$third" 'by name'
finish
