#!/usr/bin/env bash
# platform_test.sh: platform.sh finds a file, a function and a system that docs/porting.md does not name, and a file or
# a function that is not where it says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# finds <what> <command>: in a copy that the command has changed, platform.sh fails and says so.
finds() {
    rm -rf "$work/copy"
    mkdir -p "$work/copy/docs"
    cp -R src "$work/copy/src"
    mkdir "$work/copy/go"
    cp -R go/internal "$work/copy/go/internal"
    cp docs/porting.md "$work/copy/docs"
    (cd "$work/copy" && eval "$2")
    if bash tests/tooling/platform.sh "$work/copy" >"$work/out" 2>&1 || ! grep -q "$1" "$work/out"; then
        echo "platform_test.sh: platform.sh does not find \"$1\" after: $2" >&2
        cat "$work/out" >&2
        exit 1
    fi
}

bash tests/tooling/platform.sh
finds 'does not name posix/new.c' 'touch src/platform/posix/new.c'
finds 'does not name bsd/new.h' 'mkdir src/platform/bsd && touch src/platform/bsd/new.h'
finds 'names win32/watch.c, which is not there' 'rm src/platform/win32/watch.c'
finds 'where shmi_clock_later is, of win32' "echo 'uint64_t shmi_clock_later(void);' >>src/platform/platform.h"
finds 'linux/futex.c defines shmi_word_wake_home' \
    "sed -i 's/shmi_word_wake_home(/shmi_word_wake_away(/' src/platform/linux/futex.c"
finds 'does not name park/futex_other.go' 'touch go/internal/park/futex_other.go'
finds 'names osregion/quota_linux.go, which is not there' 'rm go/internal/osregion/quota_linux.go'
