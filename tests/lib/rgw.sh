#!/bin/bash
# A scratch object store for tests, the demonstration and the measurements: Ceph's RGW with a monitor and one daemon
# that keeps everything in memory, on loopback, from Debian's packages radosgw, ceph-mon, ceph-osd and ceph-common.
#
#   rgw.sh available               whether those packages are here
#   rgw.sh start FOLDER [BYTES]    makes FOLDER and a cluster in it that holds up to BYTES (4 GiB), starts it
#   rgw.sh stop FOLDER             stops it; FOLDER stays
#
# or source it and call rgw_start FOLDER [BYTES], which also exports RGW_ENDPOINT, AWS_ACCESS_KEY_ID and
# AWS_SECRET_ACCESS_KEY.
#
# FOLDER then holds `endpoint` (http://127.0.0.1:PORT), `credentials` (of the user who owns what he makes) and
# `other.credentials` (of a user who owns nothing). Buckets are made by tests/tools/s3-admin.
#
# The servers end when the process RGW_OWNER (when sourced: the calling shell) is gone, however that ended.

rgw_script=$(realpath "${BASH_SOURCE[0]}")

rgw_available() {
    local program
    for program in radosgw radosgw-admin ceph ceph-mon ceph-osd monmaptool python3; do
        command -v "$program" >/dev/null || return 1
    done
}

# Free at this moment, COUNT of them. All are held until all are found, so that they differ.
rgw_ports() {
    python3 -c 'import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*[s.getsockname()[1] for s in held])' "$1"
}

rgw_configure() {
    local folder=$1 bytes=$2 mon_v2 mon_v1 gateway
    read -r mon_v2 mon_v1 gateway < <(rgw_ports 3) || return 1
    mkdir -p "$folder/run" "$folder/mon" "$folder/osd" "$folder/rgw" && chmod 700 "$folder" || return 1
    cat /proc/sys/kernel/random/uuid >"$folder/fsid"
    cat >"$folder/ceph.conf" <<-END
	[global]
	fsid = $(cat "$folder/fsid")
	mon host = [v2:127.0.0.1:$mon_v2,v1:127.0.0.1:$mon_v1]
	auth cluster required = none
	auth service required = none
	auth client required = none
	public addr = 127.0.0.1
	cluster addr = 127.0.0.1
	osd pool default size = 1
	osd pool default min size = 1
	osd pool default pg num = 1
	osd crush chooseleaf type = 0
	mon allow pool size one = true
	mon max pg per osd = 500
	mon data avail crit = 1
	mon data avail warn = 1
	paxos propose interval = 0.05
	paxos min wait = 0.01
	osd objectstore = memstore
	memstore device bytes = $bytes
	run dir = $folder/run
	pid file = $folder/run/\$name.pid
	admin socket = $folder/run/\$name.asok
	log file = $folder/\$name.log
	mon cluster log file = $folder/cluster.log
	mon data = $folder/mon
	osd data = $folder/osd
	rgw data = $folder/rgw
	[client.rgw]
	ms mon client mode = crc
	rgw frontends = beast endpoint=127.0.0.1:$gateway tcp_nodelay=1
	rgw lc debug interval = 0
	rgw gc obj min wait = 30
	rgw gc processor period = 15
	rgw gc processor max time = 15
	END
    echo "http://127.0.0.1:$gateway" >"$folder/endpoint"
    monmaptool --create --fsid "$(cat "$folder/fsid")" --addv a "[v2:127.0.0.1:$mon_v2,v1:127.0.0.1:$mon_v1]" \
        "$folder/monmap" >/dev/null
}

rgw_run() {
    local folder=$1 osd
    local ceph=(-c "$folder/ceph.conf")
    osd=$(cat /proc/sys/kernel/random/uuid)
    ceph-mon "${ceph[@]}" -i a --mkfs --monmap "$folder/monmap" &&
        ceph-mon "${ceph[@]}" -i a &&
        timeout 60 ceph "${ceph[@]}" osd new "$osd" >/dev/null &&
        ceph-osd "${ceph[@]}" -i 0 --mkfs --osd-uuid "$osd" 2>/dev/null &&
        ceph-osd "${ceph[@]}" -i 0 >/dev/null &&
        radosgw "${ceph[@]}" -n client.rgw
}

# The gateway answers once it has made its pools.
rgw_wait() {
    local folder=$1 endpoint port
    endpoint=$(cat "$folder/endpoint")
    port=${endpoint##*:}
    for _ in $(seq 600); do
        if { exec 9<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; then
            exec 9>&-
            return 0
        fi
        sleep 0.1
    done
    return 1
}

rgw_user() {
    local folder=$1 user=$2 file=$3 access secret
    access=$(head -c 12 /proc/sys/kernel/random/uuid | tr -d - | tr a-f A-F)$user
    secret=$(tr -d - </proc/sys/kernel/random/uuid)+/$user
    radosgw-admin -c "$folder/ceph.conf" -n client.rgw user create --uid="$user" --display-name="$user" \
        --access-key="$access" --secret-key="$secret" >/dev/null || return 1
    (umask 077 && printf 'access_key = %s\nsecret_key = %s\n' "$access" "$secret" >"$file")
}

# Ends the servers once their owner is gone; ends itself once they are.
rgw_watch() {
    local owner=$1 folder=$2
    echo $$ >"$folder/run/watch"
    echo ready
    exec >/dev/null
    while kill -0 "$owner" 2>/dev/null; do
        kill -0 "$(cat "$folder/run/client.rgw.pid" 2>/dev/null)" 2>/dev/null || exit 0
        sleep 1
    done
    rgw_stop "$folder"
}

rgw_export() {
    RGW_ENDPOINT=$(cat "$1/endpoint")
    AWS_ACCESS_KEY_ID=$(sed -n 's/^access_key = //p' "$1/credentials")
    AWS_SECRET_ACCESS_KEY=$(sed -n 's/^secret_key = //p' "$1/credentials")
    export RGW_ENDPOINT AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
}

rgw_start() {
    local folder
    folder=$(realpath -m "$1") || return 1
    local RGW_OWNER=${RGW_OWNER:-${rgw_sourced:+$$}}
    mkdir -p "$(dirname "$folder")" || return 1
    # The servers say a few things that mean nothing; they matter only when the start fails.
    if ! { rgw_configure "$folder" "${2:-4294967296}" && rgw_run "$folder" && rgw_wait "$folder" &&
        rgw_user "$folder" owner "$folder/credentials" &&
        rgw_user "$folder" other "$folder/other.credentials"; } 2>"$folder.start.log"; then
        cat "$folder.start.log" >&2
        tail -n 20 "$folder"/*.log >&2
        rgw_stop "$folder"
        return 1
    fi
    if [ -n "$RGW_OWNER" ]; then
        # A session of its own: who ends this script's process group does not mean the watch. It says when it has one.
        read -r _ < <(setsid "$rgw_script" watch "$RGW_OWNER" "$folder" </dev/null 2>/dev/null)
    fi
    rgw_export "$folder"
}

# By the process ids that the servers wrote down, and nothing else; waits until they are gone. What they held is in
# memory only, so they need no time to end well.
rgw_stop() {
    local folder=$1 file pid
    for file in "$folder"/run/*.pid; do
        pid=$(cat "$file" 2>/dev/null)
        [ -n "$pid" ] || continue
        kill -KILL "$pid" 2>/dev/null
        for _ in $(seq 100); do
            case $(ps -o stat= -p "$pid") in '' | Z*) break ;; esac
            sleep 0.05
        done
        rm -f "$file"
    done
    pid=$(cat "$folder/run/watch" 2>/dev/null)
    [ -z "$pid" ] || [ "$pid" = $$ ] || kill "$pid" 2>/dev/null
    rm -f "$folder.start.log" "$folder/run/watch"
}

if [ "${BASH_SOURCE[0]}" != "$0" ]; then
    rgw_sourced=yes
else
    case ${1:-} in
    available | start | stop | watch) "rgw_$1" "${@:2}" ;;
    *)
        sed -n '2,18s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
    esac
fi
