#!/usr/bin/env bash
# Published promises, lived through night by night: see tests/year/live. `make year` lives through 400 nights of each;
# here they are fewer, and what happens in a life happens sooner.
#
# YEAR_NIGHTS   how many nights each promise lasts
# YEAR_PROMISES which of them
. "$(dirname "$0")/../lib/tap.sh"
# Thousands of runs that each sync what they wrote: in memory they take a third of the time, and no power fails here.
[ -n "${TMPDIR-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/buckets.sh"
command -v faketime >/dev/null || { skip 1 'faketime is not installed'; finish; }
case $MUNIMENT in *tsan*) skip 1 'the thread sanitizer and libfaketime do not go together'; finish ;; esac
buckets_begin || { skip 1 'the packages of Ceph RGW are not installed'; finish; }

live() { # PROMISE NIGHTS
    make_bucket "$1" versioned
    mkdir -p "$SCRATCH/$1/store"
    if "$ROOT/tests/year/live" "$1" "${YEAR_NIGHTS:-$2}" "$SCRATCH/$1" "$ENDPOINT" "$CREDENTIALS" "$BUCKET_PREFIX-$1" \
        "$MUNIMENT" >"$SCRATCH/$1.out" 2>&1; then
        pass "$(tail -n 1 "$SCRATCH/$1.out")"
    else
        fail "$(tail -n 1 "$SCRATCH/$1.out")"
        note_file "$SCRATCH/$1.out" 40
    fi
    rm -rf "${SCRATCH:?}/$1"
}

for promise in ${YEAR_PROMISES:-agency followup desktop messaging practice}; do
    case $promise in
    desktop | messaging) live "$promise" "$(scaled 120)" ;;
    *) live "$promise" "$(scaled 50)" ;;
    esac
done
finish
