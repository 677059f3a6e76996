#!/usr/bin/env bash
# The lint can fail: each of its checks finds a fault that was put before it, and nothing where there is none.
. "$(dirname "$0")/../lib/tap.sh"
shopt -s lastpipe # finds() counts, so it may not run in a subshell
. "$(dirname "$0")/../lib/scratch.sh"

lint() { # CHECK...: on the small tree below; findings in $SCRATCH/findings
    "$ROOT/tests/lint/run" --root "$SCRATCH/tree" "$@" >"$SCRATCH/findings" 2>&1
}

fresh_tree() {
    rm -rf "$SCRATCH/tree"
    mkdir -p "$SCRATCH"/tree/{src/{cmd,run,snapshot,mirror,repo,store,util},include/muniment/util,man,tests}
    cp "$ROOT/.clang-format" "$SCRATCH/tree/"
    printf '#include <muniment/repo/keys.h>\n#include <muniment/retention/plan.h>\n' >"$SCRATCH/tree/src/snapshot/good.c"
    printf '/* printf() is what cmd/ does. */\nint snprintf_is_fine;\n' >"$SCRATCH/tree/src/util/good.c"
}

finds() { # CHECK FILE WHAT: text of the faulty file on standard input
    fresh_tree
    mkdir -p "$(dirname "$SCRATCH/tree/$2")"
    cat >"$SCRATCH/tree/$2"
    lint "$1" && note 'the lint saw nothing'
    says "$SCRATCH/findings" "^$2:[0-9]+:" "$3"
}

fresh_tree
holds 'a tree without faults has no findings' lint layers printing format text top scripts

printf '#include <muniment/run/nightly.h>\n' | finds layers src/repo/pack.c 'an include that goes up'
printf '#include <muniment/cmd/options.h>\n' | finds layers include/muniment/util/error.h 'a header that includes upwards'
printf '#include <muniment/snapshot/tree.h>\n' | finds layers src/mirror/sync.c 'an include that goes sideways'
printf '#include "../repo/pack_internal.h"\n' | finds layers src/snapshot/create.c "another folder's private header"
printf '#include <muniment/repo/x.h>\n' | finds layers src/extra/x.c 'a folder that is no layer'
printf 'int f(void) {\n    return printf("x");\n}\n' | finds printing src/store/dir.c 'printf below cmd/'
printf 'int f(void) {\n    fputs("x", stderr);\n}\n' | finds printing src/run/nightly.c 'standard error below cmd/'
printf 'int  f ( void );\n' | finds format src/util/x.c 'a line that clang-format would change'
printf 'int x;' | finds text src/util/x.c 'a last line without its end'
printf '/* %s: later */\n' 'TO''DO' | finds text src/util/x.c 'a note to oneself'
printf 'int x; \n' | finds text src/util/x.c 'white space at the end of a line'
yes '' | head -n 601 | finds text src/util/long.c 'a file of more than 600 lines'
printf 'x\n' | finds top notes.txt 'a stray file at the top'
printf '#!/bin/sh\ncd "$1"\nrm -rf data\n' | finds scripts tests/x.sh 'a script that shellcheck refuses'
finish
