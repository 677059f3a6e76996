# shellcheck shell=bash
# Buckets for a script of tests/cli: an object store, a bucket of its own in it, and the configuration's services.
#
#   . "$(dirname "$0")/../lib/tap.sh"
#   . "$(dirname "$0")/../lib/scratch.sh"
#   . "$(dirname "$0")/../lib/buckets.sh"
#   buckets_begin || { skip 1 'the packages of Ceph RGW are not installed'; finish; }
#   make_bucket repo versioned
#
# Sets ENDPOINT, CREDENTIALS (a file), and BUCKET_PREFIX, which begins the names of all buckets of this script. Access
# keys are not in the environment.

. "$ROOT/tests/lib/rgw.sh"

buckets_begin() {
    rgw_available || return 1
    if [ -n "${MUNIMENT_TEST_RGW-}" ]; then
        RGW=$MUNIMENT_TEST_RGW
    else
        RGW=$SCRATCH/rgw
        at_exit "rgw_stop '$RGW'"
        rgw_start "$RGW" || exit 1
    fi
    ENDPOINT=$(cat "$RGW/endpoint")
    CREDENTIALS=$RGW/credentials
    BUCKET_PREFIX=cli-$$-$(date +%s)
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE
    export AWS_SHARED_CREDENTIALS_FILE=/nonexistent
}

s3_admin() { # COMMAND ARGUMENT...: see tests/tools/s3-admin
    "$ROOT/tests/tools/s3-admin" "$ENDPOINT" "$CREDENTIALS" "$@"
}

make_bucket() { # NAME [versioned|locked]
    s3_admin make "$BUCKET_PREFIX-$1" "${@:2}" || exit 1
    at_exit "s3_admin drop '$BUCKET_PREFIX-$1' >/dev/null 2>&1"
}

# Lets the guest, whose key is $RGW/other.credentials, do this and nothing else in a bucket.
invite() { # NAME ACTION...: each without its "s3:"
    local bucket=$BUCKET_PREFIX-$1 actions
    shift
    actions=$(printf '"s3:%s",' "$@")
    cat >"$SCRATCH/policy" <<END
{ "Version": "2012-10-17", "Statement": [
  { "Effect": "Allow", "Principal": { "AWS": ["arn:aws:iam:::user/other"] }, "Action": [${actions%,}],
    "Resource": ["arn:aws:s3:::$bucket", "arn:aws:s3:::$bucket/*"] } ] }
END
    s3_admin policy "$bucket" "$SCRATCH/policy"
}

# Prints the address of a bucket in the service "rgw".
address() { # NAME [PREFIX]
    printf 's3:rgw/%s-%s%s' "$BUCKET_PREFIX" "$1" "${2:+/$2}"
}

# The same without a configuration.
url_address() { # NAME [PREFIX]
    printf 's3:%s/%s-%s%s' "$ENDPOINT" "$BUCKET_PREFIX" "$1" "${2:+/$2}"
}

# Writes FILE: the service "rgw", the repository and the sets given as libconfig groups (make_set of scratch.sh).
write_bucket_config() { # FILE FOLDER REPOSITORY SET...
    local file=$1 folder=$2 repository=$3
    shift 3
    write_config "$file" "$folder" "$@"
    sed -i "s|^repository = .*|services = ( { name = \"rgw\"; endpoint = \"$ENDPOINT\"; credentials = \"$CREDENTIALS\"; } );\nrepository = \"$repository\";|" "$file"
}

# Puts the access key of the owner, or of a credentials FILE, into the environment; forget_key takes it out again.
know_key() { # [FILE]
    AWS_ACCESS_KEY_ID=$(sed -n 's/^access_key = //p' "${1:-$CREDENTIALS}")
    AWS_SECRET_ACCESS_KEY=$(sed -n 's/^secret_key = //p' "${1:-$CREDENTIALS}")
    export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
}
forget_key() {
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
}

# A proxy before the store that fails on demand, and for some keys is needed; both are tests/tools/fault-proxy's.
proxy_begin() { # NAME [OPTION...]: sets PROXY to its endpoint
    "$ROOT/tests/tools/fault-proxy" "$ENDPOINT" "$SCRATCH/$1" --owner $$ "${@:2}" &
    at_exit "end_process $!"
    for ((i = 0; i < 200; i++)); do [ -s "$SCRATCH/$1" ] && break; sleep 0.05; done
    PROXY=$(cat "$SCRATCH/$1")
}
proxy_set() { # RULE...
    printf '%s\n' "$@" | curl -sSf -X PUT --data-binary @- "$PROXY/__faults"
}
