#!/usr/bin/env bash
# A command that writes much and then exits with 1 never makes a snapshot that looks whole, and never pushes a good one
# out of the rotation.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"

CONFIG=$SCRATCH/conf
cat >"$SCRATCH/dump" <<'END'
#!/bin/sh
# Writes two megabytes and ends as the file beside it says.
seq 1 300000
echo 'lost the connection' >&2
. "$(dirname "$0")/ending"
END
chmod +x "$SCRATCH/dump"
printf 'kept\n' >"$SCRATCH/file"
write_config "$CONFIG" "$SCRATCH" "$(make_set app "$SCRATCH" \
    "{ name = \"dump\"; kind = \"command\"; command = [\"$SCRATCH/dump\"]; output = \"numbers\"; },
     { name = \"file\"; kind = \"files\"; paths = [\"$SCRATCH/file\"]; }" \
    '  retention = { daily = 1; timezone = "UTC"; purge_within = "0d"; };')" \
    "$(make_set single "$SCRATCH" \
        "{ name = \"nothing\"; kind = \"command\"; command = [\"$SCRATCH/no-such-program\"]; }")"
ending() { printf '%s\n' "$1" >"$SCRATCH/ending"; }

ending 'exit 0'
expect 0 'a repository' init app
expect 0 'a good night' snapshot app --time 2026-03-01T02:00:00Z
ending 'exit 1'
expect 3 'a command that exits with 1 makes the snapshot partial' snapshot app --time 2026-03-02T02:00:00Z
says "$SCRATCH/err" 'dump' 'the message names the source'
says "$SCRATCH/err" '(status|code|exit).* 1' 'and the status'
says "$SCRATCH/err" 'lost the connection' 'and what the command said'
# shellcheck disable=SC2016 # for the script
ending 'kill -9 $$'
expect 3 'so does one that is killed' snapshot app --time 2026-03-03T02:00:00Z
says "$SCRATCH/err" 'signal|killed|137|Killed' 'with the signal'

is $'2026-03-01 complete\n2026-03-02 partial\n2026-03-03 partial' "$(outcomes app)" 'the list says which are partial'
expect 0 'a rotation with room for one day' rotate app --apply --as-of 2026-03-03T03:00:00Z
is '2026-03-01 complete' "$(outcomes app | grep complete)" 'leaves the good night alone'
expect 0 'and comes back' restore app@2026-03-01T12:00:00Z dump --stdout
is "$(seq 1 300000 | sha256sum)" "$(sha256sum <"$SCRATCH/out")" 'bit for bit'
muniment restore app@2026-03-02T12:00:00Z --to "$SCRATCH/partial"
says "$SCRATCH/err" 'numbers' 'a restore of a partial night names the entry that may be cut'
is kept "$(cat "$SCRATCH/partial/file$SCRATCH/file")" 'and brings what was whole'

ending 'exit 0'
expect 0 'the next good night is complete' snapshot app --time 2026-03-04T02:00:00Z
expect 0 'and takes the place of all before' rotate app --apply --as-of 2026-03-04T03:00:00Z
is 1 "$(count_heads "$SCRATCH/store")" 'one snapshot is left'
expect 0 'the repository is whole' check app --read-data

# --- a program that does not exist -----------------------------------------------------------------------------------------

expect 0 'a second set' init single
expect 1 'a program that is not there fails the run' snapshot single
says "$SCRATCH/err" 'no-such-program' 'and is named'
is 1 "$(count_heads "$SCRATCH/store")" 'without a snapshot'
expect 1 'a run of both sets fails, because one did' run
is "$(date -u +%F) complete" "$(outcomes app)" 'but the good set has its night'
finish
