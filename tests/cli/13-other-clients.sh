#!/usr/bin/env bash
# What muniment puts into buckets is read by s3cmd and rclone, and what they put there by muniment.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/buckets.sh"
buckets_begin || { skip 1 'the packages of Ceph RGW are not installed'; finish; }
command -v s3cmd >/dev/null && command -v rclone >/dev/null || { skip 1 's3cmd and rclone are not installed'; finish; }
CONFIG=$SCRATCH/conf
umask 077
{
    echo '[default]'
    sed -n '/_key = /p' "$CREDENTIALS"
    printf 'host_base = %s\nhost_bucket = %s\nuse_https = False\n' "${ENDPOINT#http://}" "${ENDPOINT#http://}"
} >"$SCRATCH/s3cfg"
{
    printf '[rgw]\ntype = s3\nprovider = Ceph\nendpoint = %s\n' "$ENDPOINT"
    sed -n -e 's/^access_key/access_key_id/p' -e 's/^secret_key/secret_access_key/p' "$CREDENTIALS"
} >"$SCRATCH/rclone.conf"
unset AWS_CA_BUNDLE # rclone refuses it
by_s3cmd() { s3cmd -q --config "$SCRATCH/s3cfg" "$@"; }
by_rclone() { rclone -q --config "$SCRATCH/rclone.conf" "$@"; }

# --- a store in a bucket, and the same in a folder ---
make_bucket repo versioned
make_bucket copied
mkdir -p "$SCRATCH/data/sub"
echo one >"$SCRATCH/data/one"
head -c 3000000 /dev/urandom >"$SCRATCH/data/sub/random"
write_bucket_config "$CONFIG" "$SCRATCH" "$(address repo deep/store)" "$(make_set app "$SCRATCH" "$DATA")"
expect 0 'a repository in a bucket' init app
expect 0 'with a snapshot' snapshot app
holds 'rclone copies it into a folder' by_rclone copy "rgw:$BUCKET_PREFIX-repo/deep/store" "$SCRATCH/folder"
comes_back_from() { # STORE WHAT
    comes_back "$2" data "$SCRATCH/data" . --from "$1" --credentials "$CREDENTIALS" --key "$SCRATCH/keys/app.read"
}
comes_back_from "$SCRATCH/folder" 'from which all comes back'
holds 's3cmd copies it into a folder' by_s3cmd sync "s3://$BUCKET_PREFIX-repo/deep/store/" "$SCRATCH/other/"
holds 'the same' diff -r "$SCRATCH/folder" "$SCRATCH/other"
holds 's3cmd copies the folder into another bucket' by_s3cmd sync "$SCRATCH/folder/" "s3://$BUCKET_PREFIX-copied/store/"
comes_back_from "$(url_address copied store)" 'from which all comes back, too'

# --- objects, small and large ---
make_bucket objects
make_bucket back
mkdir -p "$SCRATCH/objects/with space"
head -c 1000 /dev/urandom >"$SCRATCH/objects/with space/a+b&c.bin"
: >"$SCRATCH/objects/empty"
head -c 70000000 /dev/urandom >"$SCRATCH/objects/large" # goes in parts both ways
holds 's3cmd puts objects' by_s3cmd sync "$SCRATCH/objects/" "s3://$BUCKET_PREFIX-objects/"
source="{ name = \"objects\"; kind = \"s3\"; buckets = [\"$(address objects)\"]; }"
write_bucket_config "$CONFIG" "$SCRATCH" "$SCRATCH/store" "$(make_set app "$SCRATCH" "$source")"
rm -r "$SCRATCH/keys" && mkdir "$SCRATCH/keys"
expect 0 'a set of these objects' init app
expect 0 'with a snapshot' snapshot app
expect 0 'goes into another bucket' restore app objects --to-bucket "$(address back)"
holds 'from where s3cmd gets them' by_s3cmd sync "s3://$BUCKET_PREFIX-back/" "$SCRATCH/got/"
holds 'equal' diff -r "$SCRATCH/objects" "$SCRATCH/got"
holds 'and rclone finds no difference' by_rclone check --download "rgw:$BUCKET_PREFIX-objects" \
    "rgw:$BUCKET_PREFIX-back"
finish
