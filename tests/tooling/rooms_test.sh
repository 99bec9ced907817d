#!/usr/bin/env bash
# rooms_test.sh: rooms.sh finds an include upwards, a circle, a room that is not listed and a file in no room.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# finds <what> <command>: in a copy that the command has changed, rooms.sh fails and says so.
finds() {
    rm -rf "$work/copy"
    mkdir -p "$work/copy/docs"
    cp -R src "$work/copy/src"
    cp docs/design.md "$work/copy/docs"
    (cd "$work/copy" && eval "$2")
    if bash tests/tooling/rooms.sh "$work/copy" >"$work/out" 2>&1 || ! grep -q "$1" "$work/out"; then
        echo "rooms_test.sh: rooms.sh does not find \"$1\" after: $2" >&2
        cat "$work/out" >&2
        exit 1
    fi
}

bash tests/tooling/rooms.sh
finds 'of a room below its own' "echo '#include \"api/config.h\"' >>src/region/slot.h"
finds 'include each other' "echo '#include \"serve/scan.h\"' >>src/serve/home.h"
finds 'does not list src/attic' 'mkdir src/attic'
finds 'in no room' 'touch src/loose.c'
finds 'not named from src' "echo '#include \"slot.h\"' >>src/region/region.c"
