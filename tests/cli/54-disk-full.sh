#!/usr/bin/env bash
# No room for the packs: the run fails and says why, nothing half-made counts, earlier snapshots are intact, and with
# room again the next run is as if nothing had happened.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"

CONFIG=$SCRATCH/conf
prepare() { # FOLDER: repository, keys and data in it; one good snapshot
    CONFIG=$1.conf
    store=$1/store
    data=$1.data
    mkdir -p "$1" "$data"
    write_config "$CONFIG" "$1" "$(make_set app "$1.keys" \
        "{ name = \"files\"; kind = \"files\"; paths = [\"$data\"]; }" \
        '  retention = { daily = 7; timezone = "UTC"; purge_within = "0d"; };')"
    head -c 2000000 /dev/urandom >"$data/small"
    expect 0 'a repository with room' init app
    expect 0 'a first snapshot' snapshot app --time 2026-03-01T02:00:00Z
    digest=$(digest_of "$data")
    head -c 60000000 /dev/urandom >"$data/large"
}
fails_whole() { # PATTERN: of the message
    says "$SCRATCH/err" "$1" 'the message says why'
    says "$SCRATCH/err" 'write|store|pack' 'and at what'
    is 1 "$(count_heads "$store")" 'no snapshot came of it'
    expect 0 'the repository is whole' check app --read-data
    rm -rf "$SCRATCH/back"
    expect 0 'the earlier snapshot comes back' restore app --to "$SCRATCH/back"
    is "$digest" "$(digest_of "$SCRATCH/back/files$data")" 'bit for bit'
}

# --- a limit on the size of files: works for everyone ----------------------------------------------------------------------

prepare "$SCRATCH/limited"
(
    trap '' XFSZ
    ulimit -f 6000 # KiB; a pack is larger
    exec "$MUNIMENT" -c "$CONFIG" snapshot app --time 2026-03-02T02:00:00Z
) >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null
is 1 $? 'a pack that cannot be written whole ends the run with 1'
fails_whole 'File too large'
expect 0 'without the limit the next run succeeds' snapshot app --time 2026-03-03T02:00:00Z
is 2 "$(count_heads "$store")" 'and is the second snapshot'
rm -rf "$SCRATCH"/limited*

# --- a file system that is full ------------------------------------------------------------------------------------------

small=$SCRATCH/small
mkdir -p "$small"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=24m,mode=700 muniment-test "$small" 2>/dev/null; then
    at_exit "umount -l '$small'"
    prepare "$small"
    expect 1 'a full disk ends the run with 1' snapshot app --time 2026-03-02T02:00:00Z
    fails_whole 'No space left on device'
    mount -o remount,size=160m "$small"
    expect 0 'with room again the next run succeeds' snapshot app --time 2026-03-03T02:00:00Z
    expect 0 'and a purge clears what the failed run left' rotate app --apply --as-of 2026-03-03T03:00:00Z
    holds 'all of it' test "$(du -sm "$store" | cut -f 1)" -le 64
    expect 0 'the repository is whole afterwards' check app --read-data
else
    skip 15 'mounting a small file system takes root'
fi
finish
