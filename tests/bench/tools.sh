# shellcheck shell=bash
# The three tools behind one interface, each as its own documentation says to use it, with encryption on and its cache
# where it wants one. Functions take TOOL and NAME: a tool may have several repositories, each below $WORK/TOOL-NAME. With
# ON=BUCKET the repository itself is in that bucket.

export RESTIC_PASSWORD=measurement BORG_PASSPHRASE=measurement BORG_RELOCATED_REPO_ACCESS_IS_OK=yes

tool_env() { # TOOL NAME
    PLACE=$WORK/$1-$2
    REPOSITORY=$PLACE/repository
    restic=(restic -q)
    case ${ON-},$1 in
    ,*) ;;
    *,muniment) REPOSITORY=s3:rgw/$ON/$1-$2 ;;
    *) REPOSITORY=s3:$RGW_ENDPOINT/$ON/$1-$2 restic=(restic -q -o "s3.connections=$CONNECTIONS") ;;
    esac
    export RESTIC_REPOSITORY=$REPOSITORY RESTIC_CACHE_DIR=$PLACE/cache
    export BORG_REPO=$PLACE/repository BORG_BASE_DIR=$PLACE/base
}

# A new, empty repository; what was there goes. For muniment SOURCES is the list of its sources in configuration syntax,
# MORE are further settings of the set, TOP of the configuration.
tool_init() { # TOOL NAME SOURCES [MORE [TOP]]
    tool_env "$1" "$2"
    rm -rf "$PLACE"
    mkdir -p "$PLACE"
    case $1 in
    muniment)
        mkdir "$PLACE/keys"
        cat >"$PLACE/conf" <<END
${5-}
repository = "$REPOSITORY";
state = "$PLACE/state";
sets = ( { name = "app"; write_key = "$PLACE/keys/write"; read_key = "$PLACE/keys/read";
  sources = ( $3 );
  retention = { daily = 1000; timezone = "UTC"; }; ${4-} } );
END
        "$PROGRAM" -c "$PLACE/conf" init app
        ;;
    restic) "${restic[@]}" init ;;
    borg) borg init -e repokey-blake2 ;;
    esac >"$WORK/log" 2>&1 || give_up "$1 could not make a repository"
}

# The command that captures; for a stream it reads standard input, but for muniment, which runs its sources itself.
tool_capture() { # TOOL NAME (FOLDER | -)
    tool_env "$1" "$2"
    case $1,$3 in
    muniment,*) command=("$PROGRAM" --no-progress -c "$PLACE/conf" snapshot app) ;;
    restic,-) command=("${restic[@]}" backup --stdin --stdin-filename app.dump) ;;
    restic,*) command=("${restic[@]}" backup "$3") ;;
    borg,-) command=(borg create --compression "zstd,3" "::{now:%Y%m%d%H%M%S%f}" -) ;;
    borg,*) command=(borg create --compression "zstd,3" "::{now:%Y%m%d%H%M%S%f}" "$3") ;;
    esac
}

# The command that brings the newest back into FOLDER, which is the working directory.
tool_restore() { # TOOL NAME FOLDER
    tool_env "$1" "$2"
    case $1 in
    muniment) command=("$PROGRAM" --no-progress -c "$PLACE/conf" restore app --to "$3") ;;
    restic) command=("${restic[@]}" restore latest --target "$3") ;;
    borg) command=(borg extract "::$(borg list --last 1 --format '{archive}')") ;;
    esac
}

tool_size() { # TOOL NAME: bytes of its repository
    du -sb --apparent-size "$WORK/$1-$2/repository" | cut -f 1
}

tool_version() { # TOOL
    case $1 in
    muniment) "$PROGRAM" version | head -n 1 ;;
    restic) restic version | cut -d ' ' -f 1-2 ;;
    borg) borg --version ;;
    esac
}
