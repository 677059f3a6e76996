#!/usr/bin/env bash
# The command line tells what is wrong with it, and what was probably meant.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
CONFIG=$SCRATCH/none

expect 0 'help needs no configuration' help
for command in init run snapshot list show ls find restore rotate plan mirror check repair key status journal config version help; do
    says "$SCRATCH/out" "^  $command  " "it lists $command"
done
expect 0 'help of a command' help restore
says "$SCRATCH/out" '--to-postgres' 'shows its options'
expect 0 '--help after a command is the same' restore --help
says "$SCRATCH/out" '^usage: muniment restore' 'its usage'
expect 0 'version' version
says "$SCRATCH/out" '^muniment [0-9]+\.[0-9]+\.[0-9]+$' 'is a line'
expect 0 '--version too' --version
expect 2 'no command is a mistake' --no-progress
says "$SCRATCH/out" '^usage:' 'that shows the usage'

expect 2 'a misspelt command' restor app
says "$SCRATCH/err" "did you mean 'restore'" 'brings the nearest one'
expect 2 'a misspelt verb' hold relese app
says "$SCRATCH/err" "'hold' has no verb 'relese'" 'is named'
says "$SCRATCH/err" "did you mean 'release'" 'brings the nearest one'
expect 2 'a verb like no other' journal xyzzy app
says "$SCRATCH/err" "'muniment help journal' lists its verbs" 'brings the way to them'
expect 2 'too few words for a verb' hold release app
says "$SCRATCH/err" "'hold release' takes a set and the id of a hold" 'bring what it takes'
expect 2 'too many words for a verb' key show app twice
says "$SCRATCH/err" "'key show' takes one set" 'bring it, too'
expect 2 'a misspelt option' restore app --overwite
says "$SCRATCH/err" "did you mean '--overwrite'" 'brings the nearest one'
expect 2 'an option of another command' list --apply
says "$SCRATCH/err" "'--apply' is not an option of 'list'" 'is named'
expect 2 'too few words' snapshot
says "$SCRATCH/err" 'usage: muniment snapshot SET' 'bring the usage'
expect 2 'too many words' status one two
expect 2 'a restore to nowhere' restore app
says "$SCRATCH/err" '--to DIR, --stdout, --to-postgres URI and --to-bucket' 'names the places'
expect 2 'a restore to two places' restore app --stdout --to /x
expect 2 '--globals without a server' restore app --to /x --globals
expect 2 'JSON and content on one stream' restore app --stdout --json
expect 2 'a passphrase on the command line is no option' restore app --passphrase hush
silent_about "$SCRATCH/err" 'hush' 'and is not repeated'
expect 2 'a time that is none' snapshot app --time noon
says "$SCRATCH/err" '^muniment: --time: ' 'names its option'
expect 2 'no configuration' list
says "$SCRATCH/err" "$CONFIG" 'names the file that was looked for'
finish
