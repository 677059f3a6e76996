#!/usr/bin/env bash
# A repository straight on a bucket and a mirror on another: a night, a loss, and the return on a bare machine.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/buckets.sh"
buckets_begin || { skip 1 'the packages of Ceph RGW are not installed'; finish; }
CONFIG=$SCRATCH/conf
secret=$(sed -n 's/^secret_key = //p' "$CREDENTIALS")
make_bucket repo versioned
make_bucket mirror versioned
make_bucket plain

mkdir -p "$SCRATCH/data/sub"
echo one >"$SCRATCH/data/one"
head -c 300000 /dev/urandom >"$SCRATCH/data/sub/random"
mirror="retention = { daily = 1; }; mirrors = ( { name = \"far\"; path = \"$(address mirror some/where)\"; verify_percent = 100; } );"
write_bucket_config "$CONFIG" "$SCRATCH" "$(address repo)" "$(make_set app "$SCRATCH" "$DATA" "$mirror")"

# --- a life ---
expect 12 'a list before init has no keys' list app
says "$SCRATCH/err" 'muniment init app' 'says what makes it'
expect 0 'init on a bucket' init app
expect 0 'init again leaves all as it is' init app
expect 0 'a night' run
is 'captured rotated purged mirrored checked' "$(sed -nE 's/^app: ([a-z]+).*/\1/p' "$SCRATCH/err" | paste -sd ' ')" 'with every step'
expect 0 'a list' list app
says "$SCRATCH/out" 'complete' 'shows the snapshot'
expect 0 'a second night' --json run
is 2 "$(muniment --json list app; jq -s 'map(select(.type == "snapshot")) | length' "$SCRATCH/out")" 'adds one'
is "$(s3_admin list "$BUCKET_PREFIX-repo" | grep -cE '(packs|index|snapshots)')" \
    "$(s3_admin list "$BUCKET_PREFIX-mirror" some/where/ | grep -cE '(packs|index|snapshots)')" 'the mirror holds what the repository holds'
expect 0 'a check that reads everything' check app --read-data
expect 0 'a check of the mirror' check app --mirror far --read-data
comes_back 'a restore' data "$SCRATCH/data" app
comes_back 'a restore from the mirror' data "$SCRATCH/data" app --mirror far
expect 0 'ls' ls app '*random'
expect 0 'find' find app one
expect 0 'the journal' journal app
expect 0 'the recovery sheet' key paper app
says "$SCRATCH/out" "^Repository  $(url_address repo)\$" 'names the bucket without a configuration'
says "$SCRATCH/out" 'AWS_ACCESS_KEY_ID' 'and what it takes to read it'

# --- what was destroyed is gone, version by version ---
expect 0 'a snapshot of the day before' snapshot app --time "$(date -u -d '-1 day' +%FT%TZ)"
expect 0 'goes to the mirror' mirror app
is 3 "$(s3_admin versions "$BUCKET_PREFIX-repo" | grep -c snapshots)" 'there are three heads'
expect 0 'a rotation' rotate app --apply
is 2 "$(s3_admin versions "$BUCKET_PREFIX-repo" | grep -c snapshots)" 'leaves no version of what expired'
is '' "$(s3_admin versions "$BUCKET_PREFIX-repo" | awk '$3 == "marker"')" 'and no hide marker'
expect 0 'the mirror' mirror app
is 2 "$(s3_admin versions "$BUCKET_PREFIX-mirror" | grep -c snapshots)" 'follows'

echo 'correct horse battery staple' >"$SCRATCH/passphrase"
expect 0 'a wrapped copy of the key' key copy-add app --label safe --passphrase-file "$SCRATCH/passphrase"
expect 0 'goes to the mirror, too' mirror app

# --- a bare machine: the program, the read key, an access key ---
cp "$SCRATCH/keys/app.read" "$SCRATCH/typed.key"
chmod 400 "$SCRATCH/typed.key"
mv "$CONFIG" "$CONFIG.lost"
far=$(url_address mirror some/where)
expect 12 'without an access key' list . --from "$far" --key "$SCRATCH/typed.key"
says "$SCRATCH/err" 'AWS_ACCESS_KEY_ID' 'it says where one is looked for'
know_key
expect 0 'with one in the environment' list . --from "$far" --key "$SCRATCH/typed.key"
comes_back 'a restore' data "$SCRATCH/data" . --from "$far" --key "$SCRATCH/typed.key"
expect 0 'a wrapped key is opened from the bucket' key open . --from "$far" --passphrase-file "$SCRATCH/passphrase" --to "$SCRATCH/opened.key"
expect 0 'and opens the backups' ls . --from "$far" --key "$SCRATCH/opened.key"
forget_key
expect 0 'with one in a file' list . --from "$far" --key "$SCRATCH/typed.key" --credentials "$CREDENTIALS"
install -m 644 "$CREDENTIALS" "$SCRATCH/open"
expect 2 'a file that all may read' list . --from "$far" --key "$SCRATCH/typed.key" --credentials "$SCRATCH/open"
says "$SCRATCH/err" "$SCRATCH/open" 'is named'
expect 2 'what is no file' list . --from "$far" --key "$SCRATCH/typed.key" --credentials <(cat "$CREDENTIALS")

# --- what is wrong is named ---
expect 10 'no repository there' list . --from "$(url_address plain)" --key "$SCRATCH/typed.key" --credentials "$CREDENTIALS"
expect 10 'no such bucket' list . --from "s3:$ENDPOINT/$BUCKET_PREFIX-nosuch" --key "$SCRATCH/typed.key" --credentials "$CREDENTIALS"
says "$SCRATCH/err" "$BUCKET_PREFIX-nosuch" 'is named'
printf 'access_key = %s\nsecret_key = hush/hush\n' "$(sed -n 's/^access_key = //p' "$CREDENTIALS")" >"$SCRATCH/wrong"
chmod 600 "$SCRATCH/wrong"
expect 1 'a wrong secret' -v list . --from "$far" --key "$SCRATCH/typed.key" --credentials "$SCRATCH/wrong"
says "$SCRATCH/err" 'SignatureDoesNotMatch' 'gets the answer of the server'
silent_about "$SCRATCH/err" 'hush' 'and is not repeated'
expect 1 "another's key" list . --from "$far" --key "$SCRATCH/typed.key" --credentials "$RGW/other.credentials"
says "$SCRATCH/err" '403' 'is denied'
expect 2 'a service without a configuration' list . --from s3:rgw/bucket --key "$SCRATCH/typed.key"
says "$SCRATCH/err" 's3:https://HOST' 'and how to write it without'
expect 2 'plain HTTP to another machine' list . --from s3:http://192.0.2.1/bucket --key "$SCRATCH/typed.key"
says "$SCRATCH/err" 'plain HTTP' 'is refused before anything is said to it'
expect 2 'an address that is none' list . --from s3:https://host.example --key "$SCRATCH/typed.key"
mv "$CONFIG.lost" "$CONFIG"

# --- several hosts with sets of their own in one bucket at once ---
for host in 1 2 3; do
    folder=$SCRATCH/host$host
    mkdir -p "$folder/data"
    head -c 200000 /dev/urandom >"$folder/data/file"
    write_bucket_config "$folder/conf" "$folder" "$(address plain shared)" \
        "$(make_set "set$host" "$folder" "{ name = \"data\"; kind = \"files\"; paths = [\"$folder/data\"]; }")"
done
CONFIG=$SCRATCH/host1/conf
for host in 1 2 3; do
    "$MUNIMENT" -c "$SCRATCH/host$host/conf" init "set$host" >"$SCRATCH/init.$host" 2>&1 || note_file "$SCRATCH/init.$host"
done
pids=()
for host in 1 2 3; do
    "$MUNIMENT" -c "$SCRATCH/host$host/conf" run >"$SCRATCH/run.$host" 2>&1 </dev/null &
    pids+=($!)
done
for host in 1 2 3; do
    wait "${pids[host - 1]}"
    is 0 $? "host $host has its night beside the others"
    "$MUNIMENT" -c "$SCRATCH/host$host/conf" check --read-data >"$SCRATCH/check.$host" 2>&1
    is 0 $? 'and its backups are whole'
done

# --- a gateway that knows Signature V2 alone ---
write_bucket_config "$SCRATCH/conf.v2" "$SCRATCH/v2" "$(address plain old)" \
    "$(make_set old "$SCRATCH/v2" "$DATA" "mirrors = ( { name = \"far\"; path = \"$(address plain older)\"; } );")"
sed -i 's|credentials = |signature = "v2"; credentials = |' "$SCRATCH/conf.v2"
CONFIG=$SCRATCH/conf.v2
expect 0 'init' init old
expect 0 'a night' run
expect 0 'a check' check old --read-data
expect 0 'of the mirror' check old --read-data --mirror far
comes_back 'a restore' data "$SCRATCH/data" old
expect 1 'what it was before is not known' list old --as-of 2026-01-01
says "$SCRATCH/err" 'v2|V2' 'because of the signature'
sed -i 's|name = "far";|name = "far"; lock = "governance";|' "$CONFIG"
expect 2 'a lock is refused by the configuration' list old
CONFIG=$SCRATCH/conf

# --- secrets stay where they are ---
cat "$SCRATCH"/{out,err} "$SCRATCH"/run.* "$SCRATCH"/check.* >"$SCRATCH/said"
CONFIG=$SCRATCH/conf
for arguments in '-v run app' '--json -v run app' 'config show' '--json config show' 'config check' '--json -v mirror app'; do
    # shellcheck disable=SC2086
    muniment $arguments
    cat "$SCRATCH/out" "$SCRATCH/err" >>"$SCRATCH/said"
done
is 0 "$(grep -cF "$secret" "$SCRATCH/said")" 'no secret in anything that was printed'
"$MUNIMENT" -c "$CONFIG" check app --read-data >/dev/null 2>&1 &
pid=$!
holds 'nor in the arguments of the process' bash -c "! tr '\\0' '\\n' </proc/$pid/cmdline | grep -qF '$secret'"
wait "$pid"
finish
