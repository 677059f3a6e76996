#!/bin/bash
# A scratch PostgreSQL cluster on a unix socket, for tests, the demonstration and the measurements.
#
#   postgres.sh start FOLDER [SETTING=VALUE...]   makes FOLDER, a cluster in it, starts it
#   postgres.sh stop FOLDER [smart|fast|immediate] stops it; FOLDER stays
#   postgres.sh restart FOLDER [SETTING=VALUE...] starts a stopped one again
#   postgres.sh pid FOLDER                        the server's process id
#
# or source it and call postgres_start FOLDER..., which also exports PGHOST, PGPORT and PGUSER for psql and friends.
#
# The socket is FOLDER/socket, port 5432, the superuser `postgres`, without a password. The role `needs_password`, if
# someone creates it, must give one. A server of version N is chosen with POSTGRES_VERSION=N, else the newest installed.
#
# PostgreSQL refuses to run as root: root starts it as `postgres`, or as `nobody` where there is no such user. FOLDER
# then belongs to that user, and its parent is opened for passing through. Nothing syncs to disk: never for real data.
#
# The server ends when the process POSTGRES_OWNER (when sourced: the calling shell) is gone, however that ended.

postgres_script=$(realpath "${BASH_SOURCE[0]}")

postgres_bin() {
    local newest
    newest=$(ls -d /usr/lib/postgresql/${POSTGRES_VERSION:-[0-9]*}/bin/initdb 2>/dev/null | sort -t/ -k5 -n | tail -1)
    if [ -n "$newest" ]; then
        dirname "$newest"
    elif command -v initdb >/dev/null; then
        dirname "$(readlink -f "$(command -v initdb)")"
    else
        echo "postgres.sh: no PostgreSQL server found below /usr/lib/postgresql; install the package 'postgresql'" >&2
        return 1
    fi
}

# The user that owns the server: nobody else may be root.
postgres_user() {
    if [ "$(id -u)" -ne 0 ]; then
        id -un
    elif getent passwd postgres >/dev/null; then
        echo postgres
    else
        echo nobody
    fi
}

# Runs a command as that user, in a folder it may enter.
postgres_as_user() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    else
        (cd / && setpriv --reuid="$(postgres_user)" --regid="$(id -g "$(postgres_user)")" --clear-groups \
            env HOME=/tmp "$@")
    fi
}

postgres_make() {
    local folder=$1 bin=$2 user
    user=$(postgres_user)
    mkdir -p "$folder" && chmod 700 "$folder" || return 1
    if [ "$(id -u)" -eq 0 ]; then
        chown "$user" "$folder" || return 1
        postgres_as_user test -x "$(dirname "$folder")" || chmod a+x "$(dirname "$folder")"
        if ! postgres_as_user test -w "$folder"; then
            echo "postgres.sh: user '$user' cannot reach '$folder'; use a folder below /tmp" >&2
            return 1
        fi
    fi
    postgres_as_user mkdir -p "$folder/socket" || return 1
    postgres_as_user "$bin/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --encoding=UTF8 \
        --locale=C.UTF-8 --no-sync --no-instructions >"$folder/initdb.log" 2>&1 || {
        cat "$folder/initdb.log" >&2
        return 1
    }
    printf '%s\n' 'local all needs_password scram-sha-256' 'local all all trust' >"$folder/data/pg_hba.conf"
    cat >>"$folder/data/postgresql.conf" <<-END
	listen_addresses = ''
	unix_socket_directories = '$folder/socket'
	fsync = off
	full_page_writes = off
	synchronous_commit = off
	shared_buffers = 128MB
	max_wal_size = 4GB
	checkpoint_timeout = 1h
	wal_level = minimal
	max_wal_senders = 0
	autovacuum = off
	log_min_messages = warning
	END
}

# Ends the server once its owner is gone; ends itself once the server is.
postgres_watch() {
    local owner=$1 server=$2
    echo ready
    exec >/dev/null
    while kill -0 "$owner" 2>/dev/null; do
        kill -0 "$server" 2>/dev/null || exit 0
        sleep 1
    done
    kill -INT "$server" 2>/dev/null
}

postgres_run() {
    local folder=$1 bin=$2 setting options=
    shift 2
    for setting in "$@"; do
        options="$options -c $setting"
    done
    postgres_as_user "$bin/pg_ctl" --pgdata="$folder/data" --log="$folder/log" --wait --timeout=60 --silent \
        -o "$options" start >/dev/null || {
        tail -20 "$folder/log" >&2
        return 1
    }
    if [ -n "${POSTGRES_OWNER:-}" ]; then
        # A session of its own: who ends this script's process group does not mean the watch. It says when it has one.
        read -r _ < <(setsid "$postgres_script" watch "$POSTGRES_OWNER" "$(postgres_pid "$folder")" </dev/null 2>/dev/null)
    fi
}

postgres_export() {
    export PGHOST=$1/socket PGPORT=5432 PGUSER=postgres
    unset PGDATABASE PGSERVICE PGPASSWORD PGOPTIONS
}

postgres_start() {
    local folder bin
    folder=$(realpath -m "$1") || return 1
    shift
    local POSTGRES_OWNER=${POSTGRES_OWNER:-${postgres_sourced:+$$}}
    bin=$(postgres_bin) && postgres_make "$folder" "$bin" && postgres_run "$folder" "$bin" "$@" || return 1
    postgres_export "$folder"
}

postgres_restart() {
    local folder bin
    folder=$(realpath "$1") || return 1
    shift
    local POSTGRES_OWNER=${POSTGRES_OWNER:-${postgres_sourced:+$$}}
    bin=$(postgres_bin) && postgres_run "$folder" "$bin" "$@" || return 1
    postgres_export "$folder"
}

postgres_pid() {
    head -1 "$1/data/postmaster.pid" 2>/dev/null
}

# By the pid the server wrote down, and nothing else; waits until it is gone.
postgres_stop() {
    local folder=$1 pid signal
    case ${2:-fast} in
    smart) signal=TERM ;;
    fast) signal=INT ;;
    immediate) signal=QUIT ;;
    *) echo "postgres.sh: unknown way to stop '$2'" >&2 && return 1 ;;
    esac
    pid=$(postgres_pid "$folder")
    [ -n "$pid" ] || return 0
    kill -"$signal" "$pid" 2>/dev/null || return 0
    for _ in $(seq 600); do
        if ! kill -0 "$pid" 2>/dev/null || [ "$(ps -o stat= -p "$pid" 2>/dev/null | cut -c1)" = Z ]; then
            return 0
        fi
        sleep 0.05
    done
    echo "postgres.sh: the server $pid did not stop" >&2
    return 1
}

if [ "${BASH_SOURCE[0]}" != "$0" ]; then
    postgres_sourced=yes
else
    case ${1:-} in
    start | stop | restart | pid | watch)
        [ $# -ge 2 ] || { echo "usage: $0 $1 FOLDER ..." >&2 && exit 2; }
        "postgres_$1" "${@:2}"
        ;;
    *)
        sed -n '2,20s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
    esac
fi
