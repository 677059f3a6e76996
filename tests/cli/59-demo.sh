#!/usr/bin/env bash
# The demonstration ends well, leaves its folder, and leaves nothing running.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"

DEMO_SIZE=$(scaled 20) DEMO_FOLDER=$SCRATCH/demo "$ROOT/tests/demo/run" "$MUNIMENT" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null
is 0 "$?" 'the demonstration ends well'
says "$SCRATCH/out" 'every row, sequence, large object, definition, role and grant is equal' 'the database came back'
says "$SCRATCH/out" 'files: [0-9]+, all equal' 'so did the files'
if "$ROOT/tests/lib/rgw.sh" available; then
    says "$SCRATCH/out" 'restore \. files .* --from s3:http' 'they came from a bucket'
else
    says "$SCRATCH/out" 'without an object store' 'it says that there was no bucket to try'
fi
holds 'the mirror stays' test -e "$SCRATCH/demo/offsite/muniment"
refuses 'nothing is left running' pgrep -f -- "$SCRATCH/demo"
note_file "$SCRATCH/out" 3
note_file "$SCRATCH/err"
finish
