#!/usr/bin/env bash
# Buckets as sources, and back: keys of any bytes, metadata, what changed, and what is left alone.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/buckets.sh"
buckets_begin || { skip 1 'the packages of Ceph RGW are not installed'; finish; }
CONFIG=$SCRATCH/conf
make_bucket uploads
make_bucket avatars versioned
make_bucket back
for ((i = 0; i < 5; i++)); do
    head -c $((1 + i * 40000)) /dev/urandom >"$SCRATCH/object.$i"
done
up() { # BUCKET KEY NUMBER [HEADER...]: KEY is percent-encoded
    s3_admin put "$BUCKET_PREFIX-$1" "$2" "$SCRATCH/object.$3" "${@:4}"
}
keys=(plain with%20space a%2Bb%25c%3Dd%26e%2A quote%27%22 /leading dots/./and/../more double//slash caf%C3%A9 bell%07)
for i in "${!keys[@]}"; do
    up uploads "${keys[i]}" $((i % 5)) content-type=text/x-test cache-control=max-age=60 "x-amz-meta-number=$i"
done
up avatars eu/one 1 content-type=image/png x-amz-tagging=kind=avatar
up avatars us/two 2
up avatars eu/skip.tmp 3

source="{ name = \"objects\"; kind = \"s3\"; buckets = [\"$(address uploads)\", \"$(address avatars eu)\"]; exclude = [\"*.tmp\"]; }"
write_bucket_config "$CONFIG" "$SCRATCH" "$SCRATCH/store" "$(make_set app "$SCRATCH" "$source")"
expect 0 'the configuration' config check
expect 0 'init' init app
expect 0 'a capture' snapshot app
expect 0 'a list of it' --json ls app
is $((${#keys[@]} + 1)) "$(jq -s 'map(select(.type == "entry")) | length' "$SCRATCH/out")" 'has what was asked for, and nothing else'
is object "$(jq -r 'select(.path | endswith("/plain")).kind' "$SCRATCH/out")" 'as objects'
expect 0 'a second capture' --json snapshot app
expect 0 'downloads nothing' show app
says "$SCRATCH/out" 'unchanged' 'and says so'

# --- back to where it came from: nothing to do ---
expect 0 'a restore over what is there' --json restore app objects --to-bucket s3:rgw
is $((${#keys[@]} + 1)) "$(jq 'select(.type == "restored").unchanged' "$SCRATCH/out")" 'leaves every object as it is'

# --- into another bucket ---
back=$(address back put)
expect 0 'into another bucket' restore app objects --to-bucket "$back"
listed() { # BUCKET PREFIX
    s3_admin list "$BUCKET_PREFIX-$1" "$2" | python3 -c '
import sys, urllib.parse
for line in sys.stdin: print(urllib.parse.quote(urllib.parse.unquote_to_bytes(line.rstrip())[len(sys.argv[1]):]))' "$2"
}
is "$(listed uploads '' | sort)" "$(listed back "put/$BUCKET_PREFIX-uploads/" | sort)" 'with every key'
for i in "${!keys[@]}"; do
    s3_admin get "$BUCKET_PREFIX-back" "put/$BUCKET_PREFIX-uploads/${keys[i]}" >"$SCRATCH/got"
    cmp -s "$SCRATCH/got" "$SCRATCH/object.$((i % 5))" || { fail "${keys[i]} differs"; continue; }
done
s3_admin head "$BUCKET_PREFIX-back" "put/$BUCKET_PREFIX-uploads/with%20space" >"$SCRATCH/head"
says "$SCRATCH/head" '^content-type: text/x-test' 'its content type'
says "$SCRATCH/head" '^cache-control: max-age=60' 'its cache headers'
says "$SCRATCH/head" '^x-amz-meta-number: 1' 'its metadata'
s3_admin head "$BUCKET_PREFIX-back" "put/$BUCKET_PREFIX-avatars/eu/one" >"$SCRATCH/head"
says "$SCRATCH/head" '^x-amz-tagging-count: 1' 'and its tags'

# --- what differs is left alone ---
up uploads plain 4
expect 1 'an object that changed since' restore app objects --to-bucket s3:rgw
says "$SCRATCH/err" 'plain' 'is named'
s3_admin get "$BUCKET_PREFIX-uploads" plain >"$SCRATCH/got"
holds 'and left as it is' cmp -s "$SCRATCH/got" "$SCRATCH/object.4"
expect 0 'unless it shall be replaced' restore app objects --to-bucket s3:rgw --overwrite
s3_admin get "$BUCKET_PREFIX-uploads" plain >"$SCRATCH/got"
holds 'by what it was' cmp -s "$SCRATCH/got" "$SCRATCH/object.0"

# --- elsewhere, without a configuration ---
cp "$SCRATCH/keys/app.read" "$SCRATCH/read.key"
chmod 400 "$SCRATCH/read.key"
mv "$CONFIG" "$CONFIG.lost"
expect 0 'with nothing but keys' restore . objects --from "$SCRATCH/store" --key "$SCRATCH/read.key" \
    --to-bucket "$(url_address back bare)" --credentials "$CREDENTIALS"
is "$(listed uploads '' | sort)" "$(listed back "bare/$BUCKET_PREFIX-uploads/" | sort)" 'too'
expect 0 'one object to standard output' restore . objects "$BUCKET_PREFIX-uploads/plain" --stdout --from "$SCRATCH/store" --key "$SCRATCH/read.key"
holds 'is what it was' cmp -s "$SCRATCH/out" "$SCRATCH/object.0"
expect 2 'a place that is none' restore . objects --from "$SCRATCH/store" --key "$SCRATCH/read.key" --to-bucket back
mv "$CONFIG.lost" "$CONFIG"

# --- a bucket that may not be read ---
sed -i "s|credentials = \"$CREDENTIALS\"|credentials = \"$RGW/other.credentials\"|" "$CONFIG"
muniment snapshot app
isnt 0 "$STATUS" "a bucket that may not be read fails ($STATUS)"
says "$SCRATCH/err" "$BUCKET_PREFIX-(uploads|avatars)" 'and is named'
finish
