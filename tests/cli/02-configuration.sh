#!/usr/bin/env bash
# The configuration is checked whole before anything starts; flags are stronger than the environment, that than the file.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/scratch.sh"
CONFIG=$SCRATCH/conf

cat >"$CONFIG" <<'END'
repository = "relative/store";
sets = ( {
  name = "app";
  write_key = "/keys/app.write";
  retension = { daily = 1; };
  compression = 99;
  sources = (
    { name = "etc"; kind = "file"; paths = ["/etc"]; },
    { name = "db"; kind = "postgres"; uri = "host=h password=hush"; lock_timeout = 5; } );
} );
END
expect 2 'a wrong configuration runs nothing' run
is 6 "$(grep -c "^muniment: $CONFIG:[0-9]*: " "$SCRATCH/err")" 'each of its six mistakes is a line with file and line'
says "$SCRATCH/err" "conf:1: 'repository' is \"relative/store\": an absolute path" 'a relative path'
says "$SCRATCH/err" "conf:5: 'retension' .*did you mean 'retention'" 'a misspelt key, with the nearest'
says "$SCRATCH/err" "conf:6: 'compression' is 99: it must be from 1 to 19" 'a number out of range'
says "$SCRATCH/err" "conf:8: 'kind' is \"file\": did you mean \"files\"" 'a kind that does not exist'
says "$SCRATCH/err" "conf:9: 'lock_timeout' must be a span" 'a value of a wrong type'
says "$SCRATCH/err" "conf:9: 'uri' holds a password" 'a password'
silent_about "$SCRATCH/err" hush 'which is not repeated'
expect 2 'config check says the same' config check
expect 2 'with JSON, the error is a record too' --json config check
holds 'of type error' jq -e 'select(.type == "error" and .status == 2)' "$SCRATCH/out"

mkdir -p "$SCRATCH/data" "$SCRATCH/credentials"
write_config "$CONFIG" "$SCRATCH" "{ name = \"app\"; write_key = \"app.write\"; read_key = \"app.read\";
  retention = { daily = 7; weekly = 4; monthly = 6; max_age = \"90d\"; };
  sources = ( { name = \"data\"; kind = \"files\"; paths = [\"$SCRATCH/data\"]; } ); }"
expect 0 'a good one is found good' config check
says "$SCRATCH/out" '1 set, 1 source, 0 mirrors' 'with what it holds'
says "$SCRATCH/err" 'monthly: 6 configured, [0-9] effective' 'and a warning of tiers that max_age cuts'
says "$SCRATCH/err" 'no mirror: the repository is the only copy' 'and of what a set lacks'
expect 0 'in JSON' --json config check
is warning "$(jq -r 'select(.type == "set_finding" and (.message | startswith("monthly: 6"))) | .severity' "$SCRATCH/out")" \
    'each of them is a record'
sed 's/max_age = "90d"; };/&\n  erasure_promise = "30d";/' "$CONFIG" >"$SCRATCH/promise.conf"
CONFIG=$SCRATCH/promise.conf expect 2 'a promise that the policy breaks is refused' config check
says "$SCRATCH/err" "set 'app': erasure_promise = 30 d, but .* up to 90 d, max_age = 90 d" 'with both numbers'
expect 0 'config show prints what is in force' config show
cp "$SCRATCH/out" "$SCRATCH/shown.conf"
says "$SCRATCH/out" 'purge_within = "7d";' 'with defaults'
CONFIG=$SCRATCH/shown.conf expect 0 'in a form that is a configuration again' config check

# Key files without a folder: credentials of the service manager, else beside the configuration.
expect 0 'a key without a folder lies beside the configuration' init app
holds 'it is there' test -f "$SCRATCH/app.write"
mv "$SCRATCH/app.write" "$SCRATCH/credentials/"
expect 12 'without it there is no key' list app
export CREDENTIALS_DIRECTORY=$SCRATCH/credentials
expect 0 'or among the credentials' list app
unset CREDENTIALS_DIRECTORY
mv "$SCRATCH/credentials/app.write" "$SCRATCH/"

export MUNIMENT_REPOSITORY=$SCRATCH/elsewhere
expect 10 'the environment is stronger than the file' list app
expect 0 'a flag is stronger than the environment' list app --repository "$SCRATCH/store"
unset MUNIMENT_REPOSITORY
MUNIMENT_CONFIG=$CONFIG "$MUNIMENT" list app >"$SCRATCH/out" 2>"$SCRATCH/err"
is 0 $? 'the environment names the configuration'
MUNIMENT_JSON=1 expect 0 'and chooses JSON' version
holds 'as the flag does' jq -e 'select(.type == "version")' "$SCRATCH/out"

expect 2 'a set that does not exist' list ap
says "$SCRATCH/err" "did you mean 'app'" 'brings the nearest one'
chmod o+w "$CONFIG"
expect 2 'a configuration that everyone may write is refused' list app
finish
