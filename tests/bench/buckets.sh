# shellcheck shell=bash
# The same in buckets of Ceph's RGW, which runs beside the tools and on the same cores. Every tool gets as many connections.

CONNECTIONS=6

# An object store for the rows that want one; its keys are exported, as restic and rclone like them.
buckets_start() {
    [ -z "${RGW_ENDPOINT-}" ] || return 0
    rgw_available || give_up 'the rows of buckets need Ceph RGW: packaging/deps.sh test'
    say 'starting an object store'
    rgw_start "$WORK/rgw" 8589934592 || give_up 'no object store'
    export RCLONE_CONFIG=$WORK/rclone.conf RCLONE_CONFIG_RGW_TYPE=s3 RCLONE_CONFIG_RGW_PROVIDER=Ceph
    export RCLONE_CONFIG_RGW_ENDPOINT=$RGW_ENDPOINT RCLONE_CONFIG_RGW_ENV_AUTH=true
    : >"$RCLONE_CONFIG"
    unset AWS_CA_BUNDLE # rclone refuses it, and nothing here speaks TLS
}
buckets_stop() {
    [ ! -d "$WORK/rgw" ] || rgw_stop "$WORK/rgw"
}
bucket_admin() {
    "$HERE/../tools/s3-admin" "$RGW_ENDPOINT" "$WORK/rgw/credentials" "$@" >"$WORK/log" 2>&1 || give_up "s3-admin: $*"
}
bucket_services() { # for muniment's configuration
    echo "services = ( { name = \"rgw\"; endpoint = \"$RGW_ENDPOINT\"; credentials = \"$WORK/rgw/credentials\";" \
        "connections = $CONNECTIONS; } );"
}
rclone_with() { # ARGUMENT...: sets command
    command=(rclone -q --transfers "$CONNECTIONS" --checkers "$CONNECTIONS" "$@")
}

# Upload of a repository to a mirror, against rclone with the same folder.
row_bucket_mirror() {
    local round tool
    buckets_start
    data_nights
    for ((round = 0; round < ROUNDS; round++)); do
        bucket_admin make mirror
        tool_init muniment mirror "$(files_source "$WORK/source")" \
            'mirrors = ( { name = "offsite"; path = "s3:rgw/mirror/muniment"; verify_percent = 0; } );' "$(bucket_services)"
        data_use_night 1
        tool_capture muniment mirror "$WORK/source"
        "${command[@]}" >"$WORK/log" 2>&1 || give_up 'no snapshot'
        for tool in $(both "$round" muniment rclone); do
            case $tool in
            muniment) command=("$PROGRAM" --no-progress -c "$PLACE/conf" mirror app) ;;
            rclone) rclone_with copy "$PLACE/repository" rgw:mirror/rclone ;;
            esac
            measure bucket-mirror "$tool"
        done
        rm -rf "$PLACE"
        bucket_admin drop mirror
    done
}
both() { # ROUND A B: the other one first each round
    if [ $(($1 % 2)) = 0 ]; then echo "$2 $3"; else echo "$3 $2"; fi
}

# A repository straight in a bucket: first night, unchanged night, restore. borg has none.
row_bucket() {
    local round tool
    buckets_start
    data_nights
    for ((round = 0; round < ROUNDS; round++)); do
        bucket_admin make bench
        for tool in $(both "$round" muniment restic); do
            ON=bench tool_init "$tool" bucket "$(files_source "$WORK/source")" '' "$(bucket_services)"
            data_use_night 1
            ON=bench tool_capture "$tool" bucket "$WORK/source"
            measure bucket-first "$tool"
            ON=bench tool_capture "$tool" bucket "$WORK/source"
            measure bucket-untouched "$tool"
            rm -rf "$WORK/back"
            mkdir "$WORK/back"
            ON=bench tool_restore "$tool" bucket "$WORK/back"
            measure bucket-restore "$tool"
            came_back 1 "$tool"
            rm -rf "${WORK:?}/$tool-bucket" "$WORK/back"
        done
        bucket_admin drop bench
    done
}

# Buckets full of small objects as a source, against rclone sync to a folder: the first run, and one that finds nothing
# new. Memory of such a run is measured with a tenth of the objects, too.
row_bucket_source() {
    local round tool
    buckets_start
    data_files
    fill_bucket many "$OBJECTS"
    fill_bucket few $((OBJECTS / 10))
    for ((round = 0; round < ROUNDS; round++)); do
        for tool in $(both "$round" muniment rclone); do
            measure_source "$tool" many bucket-source
            measure_source "$tool" few bucket-few
        done
    done
}
fill_bucket() { # BUCKET COUNT
    bucket_admin make "$1"
    find "$DATA/files" -type f -printf '%P\n' | LC_ALL=C sort | awk -v count="$2" 'NR <= count' >"$WORK/names"
    rclone_with copy --transfers 32 --files-from-raw "$WORK/names" "$DATA/files" "rgw:$1"
    "${command[@]}" >"$WORK/log" 2>&1 || give_up "rclone could not fill the bucket '$1'"
}
measure_source() { # TOOL BUCKET ROW
    local run
    rm -rf "$WORK/synced"
    [ "$1" = rclone ] || tool_init muniment source \
        "{ name = \"objects\"; kind = \"s3\"; buckets = [\"s3:rgw/$2\"]; }" '' "$(bucket_services)"
    for run in first again; do
        case $1 in
        muniment) tool_capture muniment source - ;;
        # Else it asks for every object's own time, one request each.
        rclone) rclone_with sync --use-server-modtime --fast-list "rgw:$2" "$WORK/synced" ;;
        esac
        measure "$3-$run" "$1"
    done
    rm -rf "$WORK/synced" "$WORK/muniment-source"
}

table_buckets() {
    line 'first night to a bucket' bucket-first seconds restic faster 2
    line 'untouched night to a bucket' bucket-untouched seconds restic faster 1
    line 'restore from a bucket' bucket-restore seconds restic faster 1.5
    line 'peak memory, first night to a bucket' bucket-first memory restic most 1
    line 'mirror to a bucket' bucket-mirror seconds rclone faster 0.95
    line "bucket of $OBJECTS objects, first run" bucket-source-first seconds rclone faster 1
    line "bucket of $OBJECTS objects, unchanged" bucket-source-again seconds rclone faster 1
    line "peak memory, $OBJECTS objects unchanged" bucket-source-again memory rclone most 1
    # Buffers of fixed sizes fill as they are used; beyond them nothing grows.
    line "peak memory, $OBJECTS objects against $((OBJECTS / 10))" bucket-source-again memory muniment most 1.5 bucket-few-again
}
