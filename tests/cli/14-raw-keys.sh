#!/usr/bin/env bash
# Objects whose keys are no text: captured, listed, restored, and never raw on a terminal. The scratch store takes only
# UTF-8, so all of it goes through the proxy that takes such keys.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$(dirname "$0")/../lib/buckets.sh"
buckets_begin || { skip 1 'the packages of Ceph RGW are not installed'; finish; }
CONFIG=$SCRATCH/conf
proxy_begin proxy --credentials "$CREDENTIALS"
holds 'the proxy takes keys of any bytes' proxy_set raw-keys
ENDPOINT=$PROXY
make_bucket from
make_bucket back

# Percent-encoded: no UTF-8, UTF-8, what looks like an escaped form of another one, what a terminal would obey.
keys=(plain caf%E9/%FF%FE.bin caf%C3%A9 caf%C3 %FF %C3%BF %5Cxff %5Cx5cxff %25FF %EF%BF%BD %80
    %9B31m %C2%9B31m %1B%5B31m%FF tab%09%0A%FE%7F a//%F0%90//b with%20space+%2B%E9)
for key in "${keys[@]}"; do
    printf '%s' "$key" >"$SCRATCH/object"
    s3_admin put "$BUCKET_PREFIX-from" "$key" "$SCRATCH/object"
done
printf '%s\n' "${keys[@]}" | sed 's|/|%2F|g; s|+|%2B|g' | sort >"$SCRATCH/expected"

write_bucket_config "$CONFIG" "$SCRATCH" "$SCRATCH/store" "$(make_set app "$SCRATCH" \
    "{ name = \"objects\"; kind = \"s3\"; buckets = [\"$(address from)\"]; }")"
expect 0 'init' init app
expect 0 'a capture' snapshot app
expect 0 'a second one' snapshot app
expect 0 'as it says' --json show app
is 0 "$(jq '.sources[0].stored_bytes' "$SCRATCH/out")" 'has nothing to store'

# --- what is printed ---
harmless() { # FILE: UTF-8 without control characters, lines of it
    python3 -c '
import sys, unicodedata
text = open(sys.argv[1], "rb").read().decode()
sys.exit(not text or any(unicodedata.category(c) == "Cc" for c in text if c != "\n"))' "$1"
}
decoded() { # text|json: the keys of what was printed, percent-encoded
    python3 -c '
import json, re, sys, urllib.parse
for line in sys.stdin.buffer.read().decode().splitlines():
    if sys.argv[1] == "json":
        entry = json.loads(line)
        name = bytes.fromhex(entry["path_hex"]) if "path_hex" in entry else entry["path"].encode()
    else:
        name = line.split("  objects/")[1].encode()
        name = re.sub(rb"\\x(..)", lambda found: bytes.fromhex(found[1].decode()), name)
    print(urllib.parse.quote(name.partition(b"/")[2], safe=""))' "$1" <"$SCRATCH/out" | sort
}
expect 0 'ls' ls app
holds 'prints nothing that a terminal obeys' harmless "$SCRATCH/out"
is "$(cat "$SCRATCH/expected")" "$(decoded text)" 'and tells every key exactly'
says "$SCRATCH/out" '/caf\\xe9/\\xff\\xfe\.bin$' 'bytes as \xNN'
expect 0 'ls --json' --json ls app
holds 'the same' harmless "$SCRATCH/out"
is "$(cat "$SCRATCH/expected")" "$(decoded json)" 'and the same keys'
expect 0 'find' --json find app $'*\xff\xfe*'
is 'caf%E9%2F%FF%FE.bin' "$(decoded json | uniq)" 'takes bytes in patterns'

# --- restored ---
expect 0 'a restore over what is there' --json restore app --to-bucket s3:rgw
is "${#keys[@]}" "$(jq 'select(.type == "restored").unchanged' "$SCRATCH/out")" 'finds it all unchanged'
expect 0 'into another bucket' restore app --to-bucket "$(address back)"
listed() { # BUCKET: keys, percent-encoded
    s3_admin list "$BUCKET_PREFIX-$1" | python3 -c '
import sys, urllib.parse
for line in sys.stdin: print(urllib.parse.quote(urllib.parse.unquote_to_bytes(line.rstrip("\n")), safe=""))' | sort
}
is "$(cat "$SCRATCH/expected")" "$(listed back)" 'with every key'
for key in "${keys[@]}"; do
    is "$key" "$(s3_admin get "$BUCKET_PREFIX-back" "$key")" "$key is whole"
done
printf 'other' >"$SCRATCH/object"
s3_admin put "$BUCKET_PREFIX-back" %9B31m "$SCRATCH/object"
expect 1 'one that differs' restore app --to-bucket "$(address back)"
says "$SCRATCH/err" '/\\x9b31m' 'is named'
holds 'without a control character' harmless "$SCRATCH/err"

expect 0 'into a folder' restore app --to "$SCRATCH/out.d"
holds 'whose messages are harmless' harmless "$SCRATCH/err"
is "${#keys[@]}" "$(find "$SCRATCH/out.d" -type f -printf x | wc -c)" 'as many files as objects'
# Only what is no path, or reads as escaped, has another name than its key.
for key in "${keys[@]}"; do
    case $key in
    %25FF) path=%2525FF ;;
    a//%F0%90//b) path=a/%252F%F0%90/%252Fb ;;
    *) path=$key ;;
    esac
    path=${path//+/%2B}
    is "$key" "$(cat "$SCRATCH/out.d/objects/$BUCKET_PREFIX-from/$(printf '%b' "${path//%/\\x}")")" "$key is a file"
done
expect 0 'one of them' restore app objects "$BUCKET_PREFIX-from/"$'caf\xe9/\xff\xfe.bin' --stdout
is 'caf%E9/%FF%FE.bin' "$(cat "$SCRATCH/out")" 'to standard output'

# --- one that cannot be read ---
printf 'denied' >"$SCRATCH/object"
s3_admin put "$BUCKET_PREFIX-from" denied%FF%9B "$SCRATCH/object"
proxy_set raw-keys 'status code=403 error=AccessDenied kind=get key=denied'
expect 3 'an object that may not be read' snapshot app
says "$SCRATCH/err" 'denied\\xff\\x9b' 'is named'
holds 'harmlessly' harmless "$SCRATCH/err"
expect 0 'also afterwards' show app@latest
says "$SCRATCH/out" 'denied\\xff\\x9b' 'is it named'
holds 'harmlessly' harmless "$SCRATCH/out"
expect 0 'and in JSON' --json show app@latest
holds 'is it text' harmless "$SCRATCH/out"
finish
