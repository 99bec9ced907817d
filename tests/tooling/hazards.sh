#!/usr/bin/env bash
# hazards.sh: every test that docs/hazards.md names exists.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# In the rows of the tables: names of Go tests, and words joined by underscores, which are C tests.
names() {
    grep '^| ' docs/hazards.md | grep -oE '\bTest[A-Za-z0-9_]+|\b[a-z0-9]+(_[a-z0-9]+)+\b' | sort -u
}

# C tests are functions of that name, with test_ before it or not; scenes those of tests/interop and
# of tests/cpp. Some tests are programs or scripts as a whole.
exists() {
    case $1 in
    Test*) grep -qrE "^func $1\(" go --include='*_test.go' ;;
    *) grep -qrE "\b(test_)?$1\(void \*\*state\)|SCENE\($1\)" tests --include='*_test.c' --include='*_test.cpp' ||
        grep -qE "(shmipc_test\(|ITEMS.* )$1\b" tests/CMakeLists.txt ;;
    esac
}

missing=0
count=0
while read -r name; do
    count=$((count + 1))
    if ! exists "$name"; then
        echo "docs/hazards.md names $name, which no test is called" >&2
        missing=1
    fi
done < <(names)
echo "docs/hazards.md names $count tests"
[ "$count" -gt 0 ] && exit "$missing"
