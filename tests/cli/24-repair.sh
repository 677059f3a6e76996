#!/usr/bin/env bash
# A repository that lost something, and a mirror that has it: what the person sees, and that the next night is whole.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/buckets.sh"
one_set "retention = { daily = 7; }; mirrors = ( { name = \"far\"; path = \"$SCRATCH/mirror\"; } );"
head -c 3000000 /dev/urandom >"$SCRATCH/data/random"

largest_pack() { # STORE
    find "$1" -path '*/packs/*' -type f -printf '%s %p\n' | sort -rn | sed -n '1s/^[0-9]* //p'
}

expect 0 'a set' init app
expect 0 'a night' run app
expect 0 'a whole repository is compared with its mirror' repair app far
says "$SCRATCH/out" "^app: 0 objects .* brought back from mirror 'far', 0 lost, [0-9]+ objects found whole" 'and nothing was to do'

pack=$(largest_pack "$SCRATCH/store")
head=$(find "$SCRATCH/store" -path '*/snapshots/*' -type f)
rm "$pack" "$head"
expect 20 'what is lost is found' check app
says "$SCRATCH/err" 'muniment repair SET MIRROR' 'and the way back is named'
expect 0 'and brought back' --json repair app far
is '2 0' "$(jq -r 'select(.type == "recovered") | "\(.objects) \(.lost)"' "$SCRATCH/out")" 'pack and snapshot, as JSON'
expect 0 'nothing is damaged' check app --read-data
comes_back 'the snapshot' data "$SCRATCH/data" app
expect 0 'it is in the journal' journal app
says "$SCRATCH/out" 'recovered.*mirror=far' 'with its mirror'
expect 0 'the next night is whole' run app

flip "$pack"
flip "$SCRATCH/mirror/${pack#"$SCRATCH/store/"}"
expect 20 'what is whole nowhere' repair app far
says "$SCRATCH/err" 'whole neither in the repository nor on the mirror' 'is told'
says "$SCRATCH/err" "${pack##*/}" 'with its name'
says "$SCRATCH/err" 'move what is damaged out of the repository' 'and with what to do'
rm "$pack"
expect 20 'without it' repair app far
muniment run app
comes_back 'the next night has what is still there to be read' data "$SCRATCH/data" app
expect 2 'a mirror that is none' repair app nowhere
says "$SCRATCH/err" "no mirror 'nowhere'" 'is named'
rm -r "$SCRATCH/mirror"
refuses 'a mirror that is away' muniment repair app far

buckets_begin || { skip 1 'the packages of Ceph RGW are not installed'; finish; }
make_bucket repo versioned
make_bucket mirror versioned
write_bucket_config "$CONFIG" "$SCRATCH/b" "$(address repo)" "$(make_set app "$SCRATCH/b" "$DATA" \
    "mirrors = ( { name = \"far\"; path = \"$(address mirror m)\"; } );")"
expect 0 'in buckets' init app
expect 0 'a night in buckets' run app
set=$(muniment --json key show app && jq -r .set_id "$SCRATCH/out")
lost=$(s3_admin list "$BUCKET_PREFIX-repo" "$set/packs/" | sed -n 1p)
damaged=$(s3_admin list "$BUCKET_PREFIX-repo" "$set/packs/" | sed -n 2p)
s3_admin delete "$BUCKET_PREFIX-repo" "$lost"
s3_admin put "$BUCKET_PREFIX-repo" "$damaged" "$CONFIG"
expect 20 'a pack that was hidden, and one that was overwritten' check app --read-data
expect 0 'both come back' --json repair app far
is '2 0' "$(jq -r 'select(.type == "recovered") | "\(.objects) \(.lost)"' "$SCRATCH/out")" 'they alone'
expect 0 'nothing in the bucket is damaged' check app --read-data
comes_back 'the snapshot in the bucket' data "$SCRATCH/data" app
finish
