# shellcheck shell=bash
# What is measured on: a database like a real service's, seven nights of its dump, and a folder of many small files.
# Generated once and kept in $DATA; the same sizes always give the same data.

# A server with night 1 of the database; PGHOST and the like are exported.
data_server() {
    [ -z "${server-}" ] || return 0
    server=$(mktemp -d /tmp/muniment-bench.XXXXXX) || exit 1
    chmod 755 "$server"
    say "starting a server and loading $SIZE MB"
    postgres_start "$server/pg" || give_up 'no server'
    "$HERE/../lib/sample-database.sh" "$SIZE" app || give_up 'no database'
}
data_stop_server() {
    [ -n "${server-}" ] || return 0
    postgres_stop "$server/pg" immediate
    rm -rf "$server"
    server=
}

data_dump() {
    "$(postgres_bin)/pg_dump" -Fc -Z0 -d app "$@"
}

# $DATA/night-1 to night-7, each a folder with app.dump.
data_nights() {
    local night
    if [ ! -e "$DATA/night-7/app.dump" ]; then
        data_stop_server
        data_server
        for night in 1 2 3 4 5 6 7; do
            mkdir -p "$DATA/night-$night"
            [ "$night" = 1 ] || "$HERE/../lib/sample-night.sh" $((night - 1)) app || give_up 'no night'
            data_dump -f "$DATA/night-$night/part" && mv "$DATA/night-$night/part" "$DATA/night-$night/app.dump" ||
                give_up 'no dump'
        done
        data_stop_server
    fi
    cat "$DATA"/night-?/app.dump >/dev/null # into the page cache
}

# Makes $WORK/source/app.dump that night's dump: a new file, as a new dump is.
data_use_night() { # NIGHT
    mkdir -p "$WORK/source"
    cp "$DATA/night-$1/app.dump" "$WORK/source/app.dump.new" && mv "$WORK/source/app.dump.new" "$WORK/source/app.dump"
}

# $DATA/files: FILES small files, a hundred in each folder, 0.1 to 8 KB of words.
data_files() {
    if [ ! -e "$DATA/files.done" ]; then
        say "making $FILES small files"
        rm -rf "$DATA/files"
        mkdir -p "$DATA/files"
        (cd "$DATA/files" && seq 0 $(((FILES - 1) / 100)) | sed 's/^/d/' | xargs mkdir)
        awk -v files="$FILES" -v folder="$DATA/files" 'BEGIN {
            srand(1)
            for (i = 0; i < files; i++) {
                name = folder "/d" int(i / 100) "/f" i
                text = ""
                words = 15 + int(rand() * rand() * 1200)
                for (w = 0; w < words; w++) text = text sprintf("%x ", rand() * 50000)
                print text > name
                close(name)
            }
        }' || give_up 'no files'
        : >"$DATA/files.done"
    fi
    find "$DATA/files" -type f -print0 | xargs -0 cat >/dev/null
}
