#!/usr/bin/env bash
# Restore tests: what passes, what fails, what is recorded of it, and that nothing of it stays.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
. "$ROOT/tests/lib/postgres.sh"

tree=$SCRATCH/data
CONFIG=$SCRATCH/conf
mkdir -p "$tree" "$SCRATCH/tmp"
export TMPDIR=$SCRATCH/tmp
head -c 300000 /dev/urandom >"$tree/random"
mkdir -m 500 "$tree/closed"
sources="{ name = \"files\"; kind = \"files\"; paths = [\"$tree\"]; }"
postgres_start "$SCRATCH/postgres" >/dev/null || exit 1
at_exit "postgres_stop '$SCRATCH/postgres' immediate"
"$ROOT/tests/lib/sample-database.sh" 1 app
"$ROOT/tests/lib/sample-database.sh" 1 other

configure() { # SOURCES
    write_config "$CONFIG" "$SCRATCH" "$(make_set app "$SCRATCH" "$1" \
        "retention = { daily = 7; }; mirrors = ( { name = \"far\"; path = \"$SCRATCH/mirror\"; } );")"
}
drilled() { # FIELD: of the newest record in the journal
    muniment --json journal app
    jq -rs "[.[] | select(.event == \"drilled\")] | last | .fields.$1" "$SCRATCH/out"
}
databases() { psql -AtXqd postgres -c 'SELECT datname FROM pg_database ORDER BY 1'; }

configure "$sources"
expect 0 'a set of files' init app
expect 0 'is captured' snapshot app
expect 0 'and restored for a test' drill app
says "$SCRATCH/out" 'PASS' 'which passes'
is passed "$(drilled outcome)" 'and is journalled'
is repository "$(drilled target)" 'with the place it was restored from'
is "$(drilled expected)" "$(drilled found)" 'and all that was expected'
is '' "$(ls "$TMPDIR")" 'the scratch folder is gone'

expect 0 'the mirror takes a copy' mirror app
expect 0 'and is tested, too' --json drill app far --owner 'on-call'
is true "$(jq -r 'select(.type == "drilled") | .passed' "$SCRATCH/out")" 'as JSON'
is far "$(drilled target)" 'with its name'
is on-call "$(drilled operator)" 'and the role that had it done'
expect 2 'a mirror that nobody knows' drill app near

# --- databases ---
configure "$sources, { name = \"db\"; kind = \"postgres\"; uri = \"dbname=postgres\"; databases = [\"app\", \"other\"]; }"
expect 0 'databases are captured beside them' snapshot app
expect 2 'without a server to load them into there is no test' drill app
says "$SCRATCH/err" '--to-postgres' 'and the message says how to name one'
before=$(databases)
expect 0 'with one there is' drill app --to-postgres dbname=postgres
says "$SCRATCH/out" 'PASS' 'which passes'
is "$before" "$(databases)" 'and leaves no database behind'
is '' "$(ls "$TMPDIR")" 'nor a folder'
is "$(drilled expected)" "$(drilled found)" 'everything came back'
expect 0 'a folder can be named for it' drill app --to-postgres dbname=postgres --to "$SCRATCH"

# --- a backup that cannot be restored ---
copy=$(find "$SCRATCH/mirror" -path '*/packs/*' -type f -size +100k | head -n 1)
flip "$copy" 60000
expect 21 'a damaged mirror fails its test' drill app far --to-postgres dbname=postgres
says "$SCRATCH/out" 'FAIL' 'and says so'
is failed "$(drilled outcome)" 'which is journalled'
is 20 "$(drilled status)" 'with what was wrong'
silent_about "$SCRATCH/out" "$tree" 'and without a name of what was backed up'
is '' "$(ls "$TMPDIR")" 'and nothing stays'
expect 0 'the repository passes as before' drill app --to-postgres dbname=postgres
expect 0 'the journal verifies' journal app

# --- keys ---
printf 'correct horse\n' >"$SCRATCH/passphrase"
expect 0 'the read key is wrapped' key copy-add app --label 'drill' --passphrase-file "$SCRATCH/passphrase"
mv "$SCRATCH/keys/app.read" "$SCRATCH/read.away"
expect 12 'without the read key there is no test' drill app --to-postgres dbname=postgres
expect 0 'with a passphrase there is' drill app --to-postgres dbname=postgres --passphrase-file "$SCRATCH/passphrase"
finish
