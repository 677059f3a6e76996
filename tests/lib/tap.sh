# shellcheck shell=bash
# What every script of tests/cli needs to report: cases in the Test Anything Protocol on standard output, one line each.
#
#   . "$(dirname "$0")/../lib/tap.sh"
#   is 3 "$STATUS" 'a partial snapshot exits with 3'
#   finish
#
# A script that dies before `finish` has printed no plan, and tests/run-all counts that as a failure.

tap_count=0
tap_failed=0

pass() { # WHAT
    tap_count=$((tap_count + 1))
    printf 'ok %d - %s\n' "$tap_count" "$*"
}

fail() { # WHAT; further lines on standard input are not read: say why with `note`
    tap_count=$((tap_count + 1))
    tap_failed=$((tap_failed + 1))
    printf 'not ok %d - %s\n' "$tap_count" "$*"
}

note() { # TEXT: for the reader of a failure
    printf '%s\n' "$*" | sed 's/^/# /'
}

# Shows the end of a file as notes.
note_file() { # FILE [LINES]
    [ -s "$1" ] || { note "$1 is empty"; return 0; }
    tail -n "${2:-25}" "$1" | sed 's/^/#   /'
}

is() { # EXPECTED ACTUAL WHAT
    if [ "$1" = "$2" ]; then
        pass "$3"
    else
        fail "$3"
        note "expected: $1"
        note "     got: $2"
    fi
}

isnt() { # UNWANTED ACTUAL WHAT
    if [ "$1" != "$2" ]; then
        pass "$3"
    else
        fail "$3"
        note "got what must not be: $2"
    fi
}

holds() { # WHAT COMMAND...: the command ends with 0
    local what=$1 output status
    shift
    output=$("$@" 2>&1)
    status=$?
    if [ "$status" = 0 ]; then
        pass "$what"
    else
        fail "$what"
        note "status $status: $*"
        [ -z "$output" ] || note "$output"
    fi
}

refuses() { # WHAT COMMAND...: the command ends with anything but 0
    local what=$1 output
    shift
    if output=$("$@" 2>&1); then
        fail "$what"
        note "succeeded: $*"
        [ -z "$output" ] || note "$output"
    else
        pass "$what"
    fi
}

says() { # FILE EXTENDED-REGEX WHAT: a line of the file matches
    if grep -qE -- "$2" "$1"; then
        pass "$3"
    else
        fail "$3"
        note "no line matches: $2"
        note_file "$1"
    fi
}

silent_about() { # FILE EXTENDED-REGEX WHAT: no line of the file matches
    if grep -qE -- "$2" "$1"; then
        fail "$3"
        note "$(grep -E -- "$2" "$1" | head -n 5)"
    else
        pass "$3"
    fi
}

skip() { # COUNT REASON: cases that cannot be run here, counted as passed and named
    local i
    for ((i = 0; i < $1; i++)); do
        tap_count=$((tap_count + 1))
        printf 'ok %d # SKIP %s\n' "$tap_count" "$2"
    done
}

# The plan, and the exit status that it deserves. The last line of every script.
finish() {
    printf '1..%d\n' "$tap_count"
    [ "$tap_failed" = 0 ]
    exit
}

# Rounds of a long loop: `scaled 200` is 200, or TEST_SCALE percent of it, at least 1.
scaled() { # ROUNDS
    local rounds=$(($1 * ${TEST_SCALE:-100} / 100))
    echo $((rounds > 0 ? rounds : 1))
}
