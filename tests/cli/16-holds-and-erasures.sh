#!/usr/bin/env bash
# What is held stays, whatever the rules say; and a restore tells what must be deleted again.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
CONFIG=$SCRATCH/conf
mkdir -p "$SCRATCH/data"
cat >"$SCRATCH/hook" <<END
#!/bin/sh
{ echo "\$MUNIMENT_SET \$MUNIMENT_TARGET"; echo "\$MUNIMENT_SNAPSHOT" | cut -c 1-8; cat; } >"$SCRATCH/hooked"
[ ! -e "$SCRATCH/hook-fails" ] || { echo 'no such customer' >&2; exit 4; }
END
chmod 755 "$SCRATCH/hook"
write_config "$CONFIG" "$SCRATCH" "$(make_set app "$SCRATCH" \
    "{ name = \"data\"; kind = \"files\"; paths = [\"$SCRATCH/data\"]; }" \
    "  retention = { daily = 1; max_age = \"30d\"; purge_within = \"0d\"; };
  mirrors = ( { name = \"far\"; path = \"$SCRATCH/mirror\"; } ); after_restore = [ \"$SCRATCH/hook\" ];")"
expect 0 'a repository' init app
day=86400 now=$(date +%s)
at() { date -u -d "@$((now - $1 * day))" +%FT%TZ; }
for age in 40 3 1; do
    echo "$age" >"$SCRATCH/data/age"
    expect 0 "a snapshot of $age days ago" snapshot app --time "$(at "$age")"
done
expect 0 'the mirror' mirror app

# --- placing ---
expect 2 'a hold without a reason' hold add app --owner legal
expect 2 'a hold that is over' hold add app --owner legal --reason x --ends 2001-01-01
expect 2 'one snapshot and a range' hold add app@latest --since 2026-01-01 --owner legal --reason x
expect 2 'a hold in a mirror' hold add app --mirror far --owner legal --reason x
expect 0 'one snapshot is held' --json hold add "app@$(at 40)" --owner 'case 7' --reason 'dispute with a supplier' --review 2026-01-01
one=$(jq -r .hold "$SCRATCH/out")
is "snapshot case 7 2026-01-01T00:00:00Z" "$(jq -r '"\(.scope) \(.owner) \(.review)"' "$SCRATCH/out")" 'as it was asked for'
expect 0 'a range is held' --json hold add app --since "$(at 4)" --until "$(at 3)" --owner ops --reason migration
two=$(jq -r .hold "$SCRATCH/out")
expect 0 'holds are listed' hold list app
says "$SCRATCH/out" "$one  snapshot [0-9a-f]{8} .*2026-01-01T00:00:00Z DUE  when released  case 7  dispute with a supplier" 'with all there is to say'
says "$SCRATCH/out" "$two  .* to .*  ops +migration" 'and the range'
refuses 'reason and owner are not in the clear' grep -rqE 'dispute|supplier|case 7' "$SCRATCH/store"
expect 0 'the journal' journal app
says "$SCRATCH/out" "held  *hold=$one  scope=snapshot  snapshot=" 'knows the hold'
silent_about "$SCRATCH/out" 'dispute|supplier' 'and not why'

# --- what is held is shown and kept ---
expect 0 'a list' list app
is 2 "$(grep -c ' HELD ' "$SCRATCH/out")" 'shows what is held'
expect 0 'as JSON' --json list app
is 'true true false' "$(jq -r .held "$SCRATCH/out" | paste -sd ' ')" 'too'
expect 0 'a snapshot' show "app@$(at 40)"
says "$SCRATCH/out" "held +by hold $one: case 7, dispute with a supplier" 'says who holds it'
expect 0 'the plan' rotate app
says "$SCRATCH/out" 'keep .*PAST +held, past its deadline' 'keeps it past its deadline'
expect 0 'a rotation' rotate app --apply
is 3 "$(count_heads "$SCRATCH/store")" 'ends nothing'
muniment status app
says "$SCRATCH/err" "hold $one was to be reviewed on 2026-01-01T00:00:00Z by case 7" 'status reminds of the review'
expect 0 'the mirror follows' mirror app
expect 0 'holds are on the mirror' hold list app --mirror far
says "$SCRATCH/out" "$one" 'as in the repository'
expect 0 'a check' check app --read-data
expect 0 'a check of the mirror' check app --mirror far

# --- releasing ---
expect 1 'a hold that is none' hold release app ffff
expect 0 'one is released by the beginning of its id' hold release app "${two:0:6}"
expect 0 'a rotation' rotate app --apply
is 2 "$(count_heads "$SCRATCH/store")" 'ends what it kept'
mv "$(find "$SCRATCH/store" -name "$one")" "$SCRATCH/stolen"
expect 20 'a hold that somebody removed' rotate app --apply
says "$SCRATCH/err" "hold $one is in force by the journal" 'ends a rotation'
expect 20 'and is found by a check' check app
mv "$SCRATCH/stolen" "$(dirname "$(find "$SCRATCH/store" -path '*/snapshots' -type d)")/holds/$one"
expect 0 'and back' check app

# --- the erasure ledger ---
expect 2 'nothing was erased' erase record app
expect 0 'what was deleted is recorded' erase record app customers/8f3a orders/7
printf 'customers/8f3a\nb/2\n\n' >"$SCRATCH/list"
"$MUNIMENT" -c "$CONFIG" erase record app - <"$SCRATCH/list" >/dev/null 2>&1
is 0 $? 'from standard input, too'
expect 0 'a list of it' --json erase list app
is 'b/2 customers/8f3a customers/8f3a orders/7' "$(jq -r .reference "$SCRATCH/out" | sort | paste -sd ' ')" 'has all'
expect 0 'a later time' erase list app --since 2099-01-01
is '' "$(cat "$SCRATCH/out")" 'has none'
expect 0 'a restore' --json restore "app@$(at 40)" --to "$SCRATCH/back"
is 3 "$(jq -r 'select(.type == "restored").to_delete_again' "$SCRATCH/out")" 'tells how much came back'
says "$SCRATCH/err" '3 references of what was deleted since .*erase list app --since' 'and how to list it'
is "app $SCRATCH/back" "$(sed -n 1p "$SCRATCH/hooked")" 'the command knows the set and the target'
is "$(at 40 | tr -d - | cut -c 1-8)" "$(sed -n 2p "$SCRATCH/hooked")" 'and the snapshot'
is 'b/2 customers/8f3a orders/7' "$(sed 1,2d "$SCRATCH/hooked" | sort | paste -sd ' ')" 'and is given the list'
touch "$SCRATCH/hook-fails"
expect 3 'a command that fails makes a restore partial' restore "app@$(at 40)" data '*age' --stdout
is 40 "$(cat "$SCRATCH/out")" 'but the data is there'
says "$SCRATCH/err" 'after_restore: .*no such customer' 'and why is said'
rm "$SCRATCH/hooked"
expect 0 'the mirror' mirror app
expect 0 'a mirror alone' restore . --from "$SCRATCH/mirror" --key "$SCRATCH/keys/app.read" data '*age' --stdout
says "$SCRATCH/err" '3 references of what was deleted since' 'tells it as well'
refuses 'and runs nothing' test -e "$SCRATCH/hooked"

# --- forgotten with the last snapshot that needs it ---
expect 0 'the hold is released' hold release app "$one"
expect 0 'a snapshot of later' snapshot app --time "$(date -u -d '+2 hours' +%FT%TZ)"
expect 0 'a rotation' rotate app --apply --as-of "$(date -u -d '+3 hours' +%FT%TZ)"
is 1 "$(count_heads "$SCRATCH/store")" 'that leaves the newest alone'
expect 0 'the ledger' erase list app
is '' "$(cat "$SCRATCH/out")" 'is empty'
expect 0 'the mirror' mirror app
is '' "$(find "$SCRATCH/mirror" -path '*/erasures/*' -type f)" 'forgets, too'
expect 0 'a check at the end' check app --read-data
finish
