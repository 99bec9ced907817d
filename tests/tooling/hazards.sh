#!/usr/bin/env bash
# hazards.sh: every test that docs/hazards.md names exists.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# shellcheck disable=SC2016 # the backquotes are Markdown's
names() {
    grep -oE '`[A-Za-z0-9_]+`' docs/hazards.md | tr -d '`' | sort -u
}

missing=0
while read -r name; do
    short=${name#test_} # tests/interop makes its functions by macro, without the prefix
    if ! grep -qrE "\b(SCENE\($short\)|$name\()" tests go --include='*.c' --include='*_test.go'; then
        echo "docs/hazards.md names $name, which no test is called" >&2
        missing=1
    fi
done < <(names)
exit "$missing"
