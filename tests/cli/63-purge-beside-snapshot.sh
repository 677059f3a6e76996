#!/usr/bin/env bash
# A purge beside a long snapshot: what the snapshot takes over from a snapshot that expires meanwhile is not lost.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"

CONFIG=$SCRATCH/conf
tree=$SCRATCH/data
mkdir -p "$tree"
mkfifo "$SCRATCH/running" "$SCRATCH/go"
# `feed` writes the content; when `slowly` exists it stops half-way until it is told to go on.
cat >"$SCRATCH/feed" <<END
#!/bin/sh
head -c 3000000 "$SCRATCH/content"
if [ -e "$SCRATCH/slowly" ]; then
    echo x >"$SCRATCH/running"
    read -r _ <"$SCRATCH/go"
fi
tail -c +3000001 "$SCRATCH/content"
END
chmod +x "$SCRATCH/feed"
write_config "$CONFIG" "$SCRATCH" "$(make_set app "$SCRATCH" \
    "{ name = \"feed\"; kind = \"command\"; command = [\"$SCRATCH/feed\"]; output = \"content\"; },
     { name = \"files\"; kind = \"files\"; paths = [\"$tree\"]; }" \
    '  retention = { daily = 1; timezone = "UTC"; purge_within = "0d"; };')"
head -c 6000000 /dev/urandom >"$SCRATCH/old"
head -c 6000000 /dev/urandom >"$SCRATCH/new"
printf 'x\n' >"$tree/x"
content() { cp "$SCRATCH/$1" "$SCRATCH/content" && cp "$SCRATCH/$1" "$tree/copy"; }

content old
expect 0 'a repository' init app
expect 0 'a night with the old content' snapshot app --time 2026-03-01T02:00:00Z
content new
expect 0 'a night with other content' snapshot app --time 2026-03-02T02:00:00Z

# The old content is back, and while it is captured its only snapshot expires and is purged.
content old
: >"$SCRATCH/slowly"
"$MUNIMENT" -c "$CONFIG" snapshot app --time 2026-03-03T02:00:00Z >"$SCRATCH/out.long" 2>"$SCRATCH/err.long" </dev/null &
long=$!
read -r _ <"$SCRATCH/running"
expect 0 'a rotation runs beside it' --lock-wait 1 rotate app --apply --as-of 2026-03-02T03:00:00Z
is 1 "$(count_heads "$SCRATCH/store")" 'and ends the first night'
expect 0 'twice' --lock-wait 1 rotate app --apply --as-of 2026-03-02T04:00:00Z
echo go >"$SCRATCH/go"
wait "$long"
is 0 "$?" 'the long snapshot ends well'
rm "$SCRATCH/slowly"
whole() { # WHAT
    expect 0 "$1: the repository is whole" check app --read-data
    comes_back "$1: the newest comes back" files "$tree" app
    is "$(sha256sum <"$SCRATCH/content")" "$(sha256sum <"$SCRATCH/back/feed/content")" 'the stream, too'
}
whole 'after the purge'
expect 0 'the next rotation ends what waited' rotate app --apply --as-of 2026-03-03T03:00:00Z
whole 'after the next purge'
holds 'and only the content in use is left' test "$(du -sk "$SCRATCH/store" | cut -f 1)" -le 9000

# Both without a pause, again and again, with content that goes and comes back.
echo 2026-03-03T03:00:00Z >"$SCRATCH/now"
(
    while [ ! -e "$SCRATCH/enough" ]; do
        "$MUNIMENT" -c "$CONFIG" rotate app --apply --as-of "$(cat "$SCRATCH/now")" || echo "status $?"
    done
) >"$SCRATCH/purges" 2>&1 </dev/null &
purger=$!
rounds=$(scaled 30)
bad=0
for ((round = 1; round <= rounds; round++)); do
    if [ $((round % 3)) = 0 ]; then content new; else content old; fi
    printf '%s\n' "$round" >"$tree/x"
    day=$(date -u -d "2026-03-03 +$round days" +%F)
    muniment snapshot app --time "${day}T02:00:00Z" || bad=$((bad + 1))
    echo "${day}T03:00:00Z" >"$SCRATCH/now.new" && mv "$SCRATCH/now.new" "$SCRATCH/now"
done
: >"$SCRATCH/enough"
wait "$purger"
is 0 "$bad" "$rounds snapshots beside purges without a pause all end well"
silent_about "$SCRATCH/purges" '^status ' 'and so do the purges'
whole 'at the end'
finish
