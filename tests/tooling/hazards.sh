#!/usr/bin/env bash
# hazards.sh: every test that docs/hazards.md names exists, and is of the program that it is named with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# In the rows of the tables: names of Go tests, and words joined by underscores, which are C tests
# and programs.
names() {
    grep '^| ' docs/hazards.md | grep -oE '\bTest[A-Za-z0-9_]+|\b[a-z0-9]+(_[a-z0-9]+)+\b' | sort -u
}

# C tests are functions of that name, with test_ before it or not; scenes those of tests/interop and
# of tests/cpp. Some tests are programs or scripts as a whole.
is_test_in() {
    grep -qrE "\b(test_)?$1\(void \*\*state\)|SCENE\($1\)" "${@:2}" --include='*_test.c' --include='*_test.cpp'
}

exists() {
    case $1 in
    Test*) grep -qrE "^func $1\(" go --include='*_test.go' ;;
    *) is_test_in "$1" tests || compgen -G "tests/*/$1_test.c*" >/dev/null ||
        grep -qE "ITEMS.* $1\b" tests/CMakeLists.txt ;;
    esac
}

# "<program> <test>" of each C test that is named as "<program>: <test>, <test>".
pairs() {
    awk -F ' [|] ' '
        /^## / { directory = "hazard" }
        /^## .*C[+][+]/ { directory = "cpp" }
        /^## .*Windows/ { directory = "windows" }
        /^[|] / {
            count = split($2, groups, "; ")
            for (i = 1; i <= count; i++) {
                rest = groups[i]
                if (!match(rest, /^[a-z0-9_\/]+: /))
                    continue
                program = substr(rest, 1, RLENGTH - 2)
                rest = substr(rest, RLENGTH + 1)
                if (program !~ /\//)
                    program = directory "/" program
                while (match(rest, /[a-z0-9]+(_[a-z0-9]+)+/)) {
                    print program, substr(rest, RSTART, RLENGTH)
                    rest = substr(rest, RSTART + RLENGTH)
                }
            }
        }' docs/hazards.md
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
while read -r program name; do
    if ! is_test_in "$name" tests/"${program}"_test.c*; then
        echo "docs/hazards.md names $name as a test of $program, which has none of this name" >&2
        missing=1
    fi
done < <(pairs)
echo "docs/hazards.md names $count tests"
[ "$count" -gt 0 ] && exit "$missing"
