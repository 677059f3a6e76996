# shellcheck shell=bash
# A server with a database that takes a while to dump, for scripts that disturb a dump half-way. After tap.sh, scratch.sh
# and postgres.sh.

SERVER=$SCRATCH/server

# A server with the databases `large` (about 200 MB to dump) and `small`, set `app` on it, and one good snapshot.
dumping_prepare() {
    CONFIG=$SCRATCH/conf
    if ! postgres_start "$SERVER" >"$SCRATCH/server.out" 2>&1; then
        fail 'a server starts'
        note_file "$SCRATCH/server.out"
        finish
    fi
    at_exit 'postgres_stop "$SERVER" immediate'
    psql -qX -v ON_ERROR_STOP=1 -d postgres >"$SCRATCH/server.out" 2>&1 <<'END' || note_file "$SCRATCH/server.out"
CREATE DATABASE large;
CREATE DATABASE small;
\c large
CREATE TABLE a_first (id int PRIMARY KEY, text text);
INSERT INTO a_first VALUES (1, 'one');
CREATE TABLE body (id int PRIMARY KEY, text text);
INSERT INTO body SELECT i, repeat(md5(i::text), 58) FROM generate_series(1, 110000) i;
CREATE TABLE z_last (id int PRIMARY KEY, text text);
INSERT INTO z_last VALUES (1, 'last');
\c small
CREATE TABLE here (id int PRIMARY KEY);
INSERT INTO here SELECT generate_series(1, 1000);
END
    # A source each, so that one can fail alone.
    local at="uri = \"host=$SERVER/socket port=5432 user=postgres\""
    write_config "$CONFIG" "$SCRATCH" "$(make_set app "$SCRATCH" \
        "{ name = \"large\"; kind = \"postgres\"; $at; databases = [\"large\"]; },
         { name = \"small\"; kind = \"postgres\"; $at; databases = [\"small\"]; globals = false; }" \
        '  retention = { daily = 7; timezone = "UTC"; };')"
    expect 0 'a repository' init app
    expect 0 'a good night' snapshot app --time 2026-03-01T02:00:00Z
    good=$(basename "$(find "$SCRATCH/store" -path '*/snapshots/*' -type f)")
    muniment restore app large databases/large.dump --stdout && sha256sum <"$SCRATCH/out" >"$SCRATCH/good.sum"
    holds 'its dump can be loaded' pg_restore -f /dev/null "$SCRATCH/out"
}

# Starts a snapshot in the background: CAPTURE is its process.
dumping_start() { # TIME
    "$MUNIMENT" -c "$CONFIG" snapshot app --time "$1" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null &
    CAPTURE=$!
}

# Waits until the pg_dump below CAPTURE has written 20 MB; DUMPER is that process.
dumping_half_way() {
    local written
    for ((i = 0; i < 6000; i++)); do
        DUMPER=$(ps -o pid=,comm= --ppid "$CAPTURE" | awk '$2 == "pg_dump" { print $1 }' | head -n 1)
        if [ -n "$DUMPER" ]; then
            written=$(awk '$1 == "wchar:" { print $2 }' "/proc/$DUMPER/io" 2>/dev/null)
            [ "${written:-0}" -lt 20000000 ] || return 0
        elif ! kill -0 "$CAPTURE" 2>/dev/null; then
            break
        fi
        sleep 0.005
    done
    return 1
}

dumping_end() {
    { wait "$CAPTURE"; } 2>/dev/null
    STATUS=$?
}

# The night that was disturbed left no dump of `large` behind, and the good one is as it was.
dumping_nothing_half_made() { # DAY
    muniment --json ls "app@$1T12:00:00Z"
    silent_about "$SCRATCH/out" 'large\.dump' "no dump of that database is in the disturbed night's snapshot"
    expect 0 'the repository is whole' check app --read-data
    dumping_good_is_whole
}
dumping_good_is_whole() {
    expect 0 'the good dump comes back' restore "app@$good" large databases/large.dump --stdout
    is "$(cat "$SCRATCH/good.sum")" "$(sha256sum <"$SCRATCH/out")" 'bit for bit'
}
