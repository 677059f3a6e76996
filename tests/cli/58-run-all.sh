#!/usr/bin/env bash
# The harness can fail: a script that fails, dies before its plan, promises more than it does, or ends badly is counted.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"

tree=$SCRATCH/tree
mkdir -p "$tree/tests/cli" "$tree/build"
cp "$ROOT/tests/run-all" "$tree/tests/"
script() { # NAME COMMANDS
    printf '#!/bin/sh\n%s\n' "$2" >"$tree/tests/cli/$1.sh"
    chmod +x "$tree/tests/cli/$1.sh"
}
count_is() { # LINE WHAT NAME
    "$tree/tests/run-all" "$tree/build" "$3" >"$SCRATCH/out" 2>&1
    STATUS=$?
    is "$1" "$(tail -n 1 "$SCRATCH/out")" "$2"
}

script 10-good 'echo "ok 1 - a"; echo "ok 2 - b"; echo 1..2'
count_is '2 passed, 0 failed' 'cases that pass are counted' good
is 0 "$STATUS" 'and end with 0'
script 11-bad 'echo "ok 1 - a"; echo "not ok 2 - b"; echo 1..2; exit 1'
count_is '1 passed, 1 failed' 'one that fails is counted' bad
is 1 "$STATUS" 'and ends with 1'
says "$SCRATCH/out" '^not ok 2 - b' 'and its output is shown'
script 12-dies 'echo "ok 1 - a"; kill -9 $$'
count_is '1 passed, 1 failed' 'a script that dies before its plan has failed' dies
script 13-short 'echo "ok 1 - a"; echo 1..2'
count_is '1 passed, 1 failed' 'so has one that does less than it planned' short
script 14-status 'echo "ok 1 - a"; echo 1..1; exit 7'
count_is '1 passed, 1 failed' 'and one whose status its cases do not explain' status
script 15-report 'echo report >"${ASAN_OPTIONS##*log_path=}.1"; echo "ok 1 - a"; echo 1..1'
count_is '1 passed, 1 failed' "a sanitizer's report is a failure wherever it came from" report
script 17-killed 'echo "==2==Unable to get registers from thread 1." >"${ASAN_OPTIONS##*log_path=}.1"; echo "ok 1 - a"; echo 1..1'
count_is '1 passed, 0 failed' 'but for what it says of a process that was killed meanwhile' killed
script 16-skips 'echo "ok 1 - a"; echo "not ok 2 # SKIP b"; echo 1..2'
count_is '2 passed, 0 failed' 'a case that cannot be tried here is no failure' skips
count_is '0 passed, 0 failed' 'nothing to run' nothing-of-that-name
is 1 "$STATUS" 'is no success'
finish
