#!/usr/bin/env bash
# A file that changes while it is read makes the snapshot partial and is named, unless it is expected to grow; a file
# that cannot be read at all is named too; what else there is, is captured whole.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"

tree=$SCRATCH/data
CONFIG=$SCRATCH/conf
source_with() { # MORE
    write_config "$CONFIG" "$SCRATCH" "$(make_set app "$SCRATCH" \
        "{ name = \"files\"; kind = \"files\"; paths = [\"$tree\"]; $1 }" '  retention = { daily = 7; timezone = "UTC"; };')"
}
source_with ''
mkdir -p "$tree"
head -c 80000000 /dev/urandom >"$tree/busy"
printf 'quiet\n' >"$tree/quiet"
expect 0 'a repository' init app
expect 0 'a quiet night is complete' snapshot app --time 2026-03-01T02:00:00Z
before=$(sha256sum <"$tree/busy")

# Every few milliseconds a byte in the middle changes, so that no try reads one state of the file.
while :; do
    printf '%d' $((RANDOM % 10)) | dd of="$tree/busy" bs=1 seek=$((RANDOM * 1000)) conv=notrunc status=none
done &
writer=$!
at_exit "end_process $writer KILL"
expect 3 'a file that changes while it is read makes the snapshot partial' snapshot app --time 2026-03-02T02:00:00Z
says "$SCRATCH/err" 'data/busy.*chang' 'the message names the file and why'
source_with 'may_change = ["busy"];'
expect 0 'a file that may change does not' snapshot app --time 2026-03-03T02:00:00Z
end_process $writer KILL

is $'2026-03-01 complete\n2026-03-02 partial\n2026-03-03 complete' "$(outcomes app)" 'the list says which is partial'
expect 0 'the first night comes back' restore app@2026-03-01T12:00:00Z --to "$SCRATCH/first"
is "$before" "$(sha256sum <"$SCRATCH/first/files$tree/busy")" 'bit for bit'
muniment restore app@2026-03-02T12:00:00Z --to "$SCRATCH/second"
is quiet "$(cat "$SCRATCH/second/files$tree/quiet")" 'the partial night holds what was quiet'
says "$SCRATCH/err" 'busy' 'and its restore names the file that is not to be trusted'

# --- not readable ------------------------------------------------------------------------------------------------------

rm "$tree/busy"
if [ "$(id -u)" != 0 ]; then
    printf 'secret\n' >"$tree/closed"
    chmod 000 "$tree/closed"
    expect 3 'a file that may not be read makes the snapshot partial' snapshot app --time 2026-03-04T02:00:00Z
    says "$SCRATCH/err" 'data/closed.*Permission denied' 'and is named'
else
    skip 2 'root may read every file'
fi
mv "$tree" "$tree.away"
expect 1 'a folder that is gone is no empty backup' snapshot app --time 2026-03-05T02:00:00Z
says "$SCRATCH/err" "data" 'and is named'
outcomes app >"$SCRATCH/outcomes"
silent_about "$SCRATCH/outcomes" '2026-03-05' 'no snapshot came of it'
expect 0 'the repository is whole' check app --read-data
finish
