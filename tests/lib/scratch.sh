# shellcheck shell=bash
# A fresh folder for one script, gone at its end, and the program under test with its configuration inside it.
#
#   . "$(dirname "$0")/../lib/tap.sh"
#   . "$(dirname "$0")/../lib/scratch.sh"
#
# Sets SCRATCH (the folder), ROOT (the source tree), MUNIMENT (the program; run-all gives it, alone a script takes the
# release build) and DATA (a source "data" as a libconfig group: the folder $SCRATCH/data, which the script makes).
# SCRATCH_KEEP=1 keeps the folder and says where it is.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
MUNIMENT=${MUNIMENT:-$ROOT/build/release/muniment}
if [ ! -x "$MUNIMENT" ]; then
    echo "there is no program '$MUNIMENT': make it first" >&2
    exit 1
fi
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/muniment-test.XXXXXX") || exit 1
chmod 755 "$SCRATCH" # a database server under another account looks into it
export TZ=UTC LC_ALL=C.UTF-8
# shellcheck disable=SC2034 # for the scripts
DATA="{ name = \"data\"; kind = \"files\"; paths = [\"$SCRATCH/data\"]; }"
unset MUNIMENT_CONFIG PGHOST PGPORT PGUSER PGDATABASE PGSERVICE PGPASSWORD

# Commands to run at the end, the last one first, whatever ended the script.
exit_commands=()
at_exit() { # COMMAND: one string
    exit_commands=("$1" "${exit_commands[@]}")
}
run_exit_commands() {
    local status=$? command
    trap - EXIT
    for command in "${exit_commands[@]}"; do
        eval "$command"
    done
    if [ -n "${SCRATCH_KEEP-}" ]; then
        echo "kept: $SCRATCH" >&2
    else
        chmod -R u+rwX "$SCRATCH" 2>/dev/null
        rm -rf "$SCRATCH"
    fi
    exit "$status"
}
trap run_exit_commands EXIT
trap 'exit 130' INT TERM HUP

# Writes FILE: a configuration with one repository below FOLDER and the sets given as libconfig groups (make_set).
write_config() { # FILE FOLDER SET...
    local file=$1 folder=$2 separator=''
    shift 2
    {
        printf 'repository = "%s/store";\nstate = "%s/state";\nsets = (\n' "$folder" "$folder"
        local set
        for set; do
            printf '%s%s' "$separator" "$set"
            separator=$',\n'
        done
        printf '\n);\n'
    } >"$file"
}

# Prints one set. Its keys lie in FOLDER/keys and its mirror in FOLDER/mirror; MORE are further settings of the set.
# A folder that does not exist yet is made.
make_set() { # NAME FOLDER SOURCES [MORE]
    mkdir -p "$2/keys" "$2/mirror"
    printf '{ name = "%s"; write_key = "%s/keys/%s.write"; read_key = "%s/keys/%s.read";\n' "$1" "$2" "$1" "$2" "$1"
    printf '  sources = ( %s );\n' "$3"
    printf '%s }' "${4-}"
}

# Most scripts need no more: one set "app" with the source $DATA, whose folder is made; sets CONFIG.
one_set() { # [MORE]
    CONFIG=$SCRATCH/conf
    mkdir -p "$SCRATCH/data"
    write_config "$CONFIG" "$SCRATCH" "$(make_set app "$SCRATCH" "$DATA" "${1-}")"
}

# Runs the program on the configuration $CONFIG; standard output to $SCRATCH/out, standard error to $SCRATCH/err, the
# exit status in $STATUS.
muniment() { # ARGUMENT...
    "$MUNIMENT" -c "$CONFIG" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null
    STATUS=$?
    return "$STATUS"
}

# muniment, as one case: the exit status must be EXPECTED.
expect() { # EXPECTED WHAT ARGUMENT...
    local expected=$1 what=$2
    shift 2
    muniment "$@"
    if [ "$STATUS" = "$expected" ]; then
        pass "$what"
    else
        fail "$what"
        note "status $STATUS, expected $expected: muniment $*"
        note_file "$SCRATCH/out" 8
        note_file "$SCRATCH/err"
    fi
}

# One digest of everything below a folder: names, kinds, modes, link targets, contents. Times and owners are left out.
digest_of() { # FOLDER
    (
        cd "$1" || exit 1
        {
            find . -mindepth 1 \( -type d -printf 'd %m %P\n' \) -o \( -type l -printf 'l %P %l\n' \) \
                -o \( -type f -printf 'f %m %s %P\n' \) | sort
            find . -type f -print0 | sort -z | xargs -0 -r sha256sum
        } | sha256sum | cut -c 1-64
    )
}

# A restore, as one case, and that it brings FOLDER back from SOURCE as FOLDER is, as another; it lies in $SCRATCH/back.
comes_back() { # WHAT SOURCE FOLDER ARGUMENT...
    local what=$1 source=$2 folder=$3
    shift 3
    rm -rf "$SCRATCH/back"
    expect 0 "$what" restore "$@" --to "$SCRATCH/back"
    is "$(digest_of "$folder")" "$(digest_of "$SCRATCH/back/$source$folder")" 'bit for bit'
}

# Changes one bit of a file: in the middle of it, or at POSITION; a second time mends it.
flip() { # FILE [POSITION]
    local position=${2:-$(($(stat -c %s "$1") / 2))} byte
    chmod u+w "$1"
    byte=$(od -An -tu1 -j "$position" -N 1 "$1")
    printf '%b' "\\x$(printf '%02x' $((byte ^ 1)))" | dd of="$1" bs=1 seek="$position" conv=notrunc status=none
}

# How many snapshots of a set exist: heads are objects, so that this trusts no command of the program.
count_heads() { # STORE
    find "$1" -path '*/snapshots/*' -type f ! -name '.*' 2>/dev/null | wc -l
}

# One line a snapshot of a set, oldest first: its day and its outcome.
outcomes() { # SET
    muniment --json list "$1"
    jq -r 'select(.type == "snapshot") | .started[0:10] + " " + .outcome' "$SCRATCH/out"
}

# Ends a process and waits until it is gone; silent when it is gone already.
end_process() { # PID [SIGNAL]
    kill "-${2:-TERM}" "$1" 2>/dev/null
    wait "$1" 2>/dev/null
    return 0
}
