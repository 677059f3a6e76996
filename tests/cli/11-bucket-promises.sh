#!/usr/bin/env bash
# Locks, keys that may not delete, attackers, and what `config check` finds in a bucket that contradicts the policy.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/buckets.sh"
buckets_begin || { skip 1 'the packages of Ceph RGW are not installed'; finish; }
CONFIG=$SCRATCH/conf
mkdir -p "$SCRATCH/data"
head -c 100000 /dev/urandom >"$SCRATCH/data/file"
retention='retention = { daily = 7; weekly = 4; max_age = "60d"; };'

# A set 'app' whose mirror is at ADDRESS with further SETTINGS; the repository is a folder.
mirror_config() { # ADDRESS [SETTINGS]
    write_bucket_config "$CONFIG" "$SCRATCH" "$SCRATCH/store" "$(make_set app "$SCRATCH" "$DATA" \
        "$retention mirrors = ( { name = \"far\"; path = \"$1\"; ${2-} } );")"
}

lifecycle() { # BUCKET RULE: what stands inside <Rule> beside its name
    printf '<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status>%s</Rule></LifecycleConfiguration>' "$2" >"$SCRATCH/rules"
    s3_admin lifecycle "$BUCKET_PREFIX-$1" "$SCRATCH/rules"
}

# --- config check ---
make_bucket plain
make_bucket versions versioned
make_bucket locked locked
mirror_config "$(address versions)"
expect 0 'a versioned bucket is fine' config check
says "$SCRATCH/out" "far.*versioning on, object lock off" 'and described'
says "$SCRATCH/err" 'no lifecycle rule ends hidden versions' 'with what it does not do'
expect 0 'the same as JSON' --json config check
is 'on' "$(jq -r 'select(.type == "bucket") | .versioning' "$SCRATCH/out")" 'has fields'
mirror_config "$(address versions)" 'lock = "governance";'
expect 2 'a lock on a bucket without object lock is refused' config check
says "$SCRATCH/err" 'no object lock' 'and says so'
mirror_config "$(address plain)" 'lock = "governance";'
expect 2 'a lock on a bucket without versions is refused' config check
mirror_config "$(address locked)" 'lock = "governance";'
expect 0 'a lock on a bucket with object lock is fine' config check
s3_admin default-lock "$BUCKET_PREFIX-locked" GOVERNANCE 59
expect 2 'a default retention beyond the cap is refused' config check
says "$SCRATCH/err" 'retention of the bucket is 59 d.* 58 d.*max_age = 60 d' 'with both numbers'
s3_admin default-lock "$BUCKET_PREFIX-locked" GOVERNANCE 8
expect 2 'one longer than the shortest life is, too' config check
says "$SCRATCH/err" '8 d.*7 d' 'with both numbers'
expect 0 'without asking the bucket all is well' config check --offline
lifecycle versions '<Prefix></Prefix><Expiration><Days>20</Days></Expiration>'
mirror_config "$(address versions m)"
expect 2 'a rule that ends objects is refused' config check
says "$SCRATCH/err" 'after 20 d.*up to 27 d' 'with both numbers'
lifecycle versions '<Prefix>elsewhere/</Prefix><Expiration><Days>20</Days></Expiration>'
expect 0 'a rule for another prefix is none of ours' config check
lifecycle versions '<Prefix></Prefix><NoncurrentVersionExpiration><NoncurrentDays>30</NoncurrentDays></NoncurrentVersionExpiration>'
expect 0 'a rule for hidden versions is fine' config check
says "$SCRATCH/err" 'erasure horizon of set .app. here is 65 d' 'and what it adds is told'
mirror_config "$(address nosuch)"
expect 2 'a bucket that is not there' config check
mirror_config "$(address versions)"
sed -i "s|credentials = \"$CREDENTIALS\"|credentials = \"$RGW/other.credentials\"|" "$CONFIG"
expect 0 'what may not be asked is a warning' config check
says "$SCRATCH/err" 'warning: .*' 'that is told'
mirror_config "$(address versions)"
sed -i "s|endpoint = \"$ENDPOINT\"|endpoint = \"http://127.0.0.1:1\"|" "$CONFIG"
expect 0 'so is a service that is away' config check
says "$SCRATCH/err" 'could not be asked' 'and not taken for good'

# --- a lock holds what is due ---
make_bucket held locked
s3_admin default-lock "$BUCKET_PREFIX-held" GOVERNANCE 1
retention='retention = { daily = 1; max_age = "60d"; };'
mirror_config "$(address held)" 'lock = "governance";'
expect 0 'init' init app
expect 0 'a night' snapshot app --time "$(date -u -d '-2 days' +%FT%TZ)"
expect 0 'goes to the mirror' mirror app
expect 23 'the next one ends it, but for the mirror' run
expect 23 'the mirror may not let go' --json mirror app
says "$SCRATCH/err" "far.: a lock keeps [0-9]+ objects? that should be gone, until 20[0-9-]+T" 'and says until when'
is true "$(jq 'select(.type == "mirrored") | .refused > 0 and .refused_until != null' "$SCRATCH/out")" 'in JSON, too'
isnt '' "$(s3_admin list "$BUCKET_PREFIX-held" | sed -n 1p)" 'what it keeps is listed'
is '' "$(s3_admin versions "$BUCKET_PREFIX-held" | awk '$3 == "marker"')" 'and nothing is hidden'
lock_of() { # FOLDER: when the lock of its last object ends, in seconds
    date -d "$(s3_admin head "$BUCKET_PREFIX-held" "$(s3_admin list "$BUCKET_PREFIX-held" | grep "%2F$1%2F" | tail -n 1)" |
        sed -n 's/^x-amz-object-lock-retain-until-date: //p')" +%s
}
holds 'the newest snapshot is locked for days' test "$(lock_of snapshots)" -lt "$(date -d '+9 days' +%s)"
expect 0 'a hold on everything' hold add app --owner legal --reason 'case 7'
muniment mirror app
holds 'makes that a month' test "$(lock_of snapshots)" -gt "$(date -d '+29 days' +%s)"
holds 'also for what the snapshot needs' test "$(lock_of packs)" -gt "$(date -d '+29 days' +%s)"

# --- a key that may not delete ---
make_bucket kept versioned
invite kept ListBucket ListBucketVersions GetObject GetObjectVersion PutObject DeleteObject ListBucketMultipartUploads \
    AbortMultipartUpload GetBucketVersioning
rm -rf "$SCRATCH/store" "$SCRATCH/state"
mirror_config "$(address kept)"
sed -i "s|credentials = \"$CREDENTIALS\"|credentials = \"$RGW/other.credentials\"|" "$CONFIG"
expect 0 'a fresh repository' init app
expect 0 'a night' snapshot app --time "$(date -u -d '-2 days' +%FT%TZ)"
expect 0 'goes to an append-only mirror' mirror app
expect 0 'the next one' snapshot app
expect 0 'ends it' rotate app --apply
expect 0 'the mirror hides what it may not delete' --json mirror app
says "$SCRATCH/err" 'may not delete: [0-9]+ objects? hidden' 'and says so'
says "$SCRATCH/err" 'lifecycle rule' 'with what that relies on'
is true "$(jq 'select(.type == "mirrored") | .hidden > 0' "$SCRATCH/out")" 'in JSON, too'
expect 0 'what stays is whole' check app --mirror far --read-data

# --- an attacker with that key hides and overwrites everything ---
sleep 1.1
before=$(date -u +%FT%TZ)
sleep 1.1
echo gone >"$SCRATCH/gone"
s3_admin list "$BUCKET_PREFIX-kept" | while read -r key; do
    case $key in
    *packs*) s3_admin put "$BUCKET_PREFIX-kept" "$key" "$SCRATCH/gone" ;;
    *) s3_admin delete "$BUCKET_PREFIX-kept" "$key" ;;
    esac
done >/dev/null
far=$(url_address kept)
cp "$SCRATCH/keys/app.read" "$SCRATCH/read.key"
chmod 400 "$SCRATCH/read.key"
know_key "$RGW/other.credentials"
expect 10 'the mirror looks empty' list . --from "$far" --key "$SCRATCH/read.key"
says "$SCRATCH/err" '--as-of' 'and what helps is named'
expect 0 'but not as it was before' list . --from "$far" --key "$SCRATCH/read.key" --as-of "$before"
says "$SCRATCH/out" 'complete' 'with its snapshot'
expect 0 'which a check finds whole' check . --from "$far" --key "$SCRATCH/read.key" --as-of "$before" --read-data
comes_back 'and a restore brings back' data "$SCRATCH/data" . --from "$far" --key "$SCRATCH/read.key" --as-of "$before"
forget_key
expect 1 'a folder has no past' list . --from "$SCRATCH/store" --key "$SCRATCH/read.key" --as-of "$before"
says "$SCRATCH/err" 'keeps no older versions' 'and says so'
expect 0 'the next copy sends everything again' --json mirror app
says "$SCRATCH/err" 'somebody hid [0-9]+ objects' 'and names what happened'
expect 0 'after which the mirror is whole' check app --mirror far --read-data

# --- what may stand in between ---
proxy_begin plain
far=s3:$PROXY/$BUCKET_PREFIX-kept
know_key "$RGW/other.credentials"
expect 0 'through a proxy' list . --from "$far" --key "$SCRATCH/read.key"
muniment list . --from "$far" --key "$SCRATCH/read.key" --region elsewhere-1
isnt 0 "$STATUS" 'a wrong region ends it'
says "$SCRATCH/err" 'elsewhere-1|region' 'and is named'
holds 'a storm' proxy_set 'status code=503 error=SlowDown every=2 count=6'
expect 0 'is weathered' list . --from "$far" --key "$SCRATCH/read.key"
mkdir "$SCRATCH/tls"
proxy_begin secure --tls "$SCRATCH/tls"
far=s3:$PROXY/$BUCKET_PREFIX-kept
muniment list . --from "$far" --key "$SCRATCH/read.key"
isnt 0 "$STATUS" 'a certificate that nobody vouches for ends it'
says "$SCRATCH/err" 'certificate|verif' 'and is named'
expect 0 'one that --ca-file vouches for is fine' list . --from "$far" --key "$SCRATCH/read.key" --ca-file "$SCRATCH/tls/ca.pem"
finish
