#!/usr/bin/env bash
# run.sh <source directory> <build directory> [runner]: runs each pair of a host and its guest, compares
# what they print with expected.txt, and counts the lines of the snippets that README.md has a table of.
# With a runner, which runs Windows' programs, both are for Windows.
set -euo pipefail

parity=$1/tests/parity
build=$2
run=()
suffix=
if [[ ${3:-} ]]; then
    run=("$3")
    suffix=.exe
    export GOOS=windows GOARCH=amd64
fi
work=$(mktemp -d)
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false
started=()

clean_up() {
    if ((${#started[@]})); then kill "${started[@]}" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap clean_up EXIT

fail() {
    echo "$*" >&2
    exit 1
}

# How many lines of code all parts of a snippet have: from "// snippet: NAME" to "// end".
count_lines() {
    awk -v begin="// snippet: $1" '
        FNR == 1 { inside = 0 }
        { sub(/^[ \t]+/, "") }
        $0 == begin { inside = 1 }
        $0 == "// end" { inside = 0 }
        inside && !/^(\/\/.*)?$/ { count++ }
        END { print count + 0 }' "$parity"/*/host.cpp "$parity"/guest/*.go
}

# Each row of the table: | what | `snippet` | their lines | our lines |
check_lines() {
    local rows name theirs ours counted
    # shellcheck disable=SC2016 # these are Markdown's backquotes
    rows=$(sed -nE 's/^\|[^|]*\| `([^`]*)` \| ([0-9]+) \| ([0-9]+) \|$/\1,\2,\3/p' "$parity/README.md")
    [[ $rows ]] || fail "README.md has no table of snippets"
    while IFS=, read -r name theirs ours; do
        counted=$(count_lines "$name")
        ((counted > 0)) || fail "no program has a snippet $name"
        ((counted == ours)) || fail "$name: README.md says $ours lines, counted are $counted"
        ((ours <= theirs)) || fail "$name: $ours lines, and they have $theirs"
    done <<<"$rows"
    sed -nE 's|^[[:blank:]]*// snippet: ||p' "$parity"/*/host.cpp "$parity"/guest/*.go | sort -u |
        diff <(cut -d, -f1 <<<"$rows" | sort) - || fail "README.md and the programs have other snippets (< and >)"
}

run_pair() {
    local pair=$1 name=$1.$$ out=$work/$1 guest
    timeout 60 "${run[@]}" "$work/guest$suffix" "$pair" "$name" >"$out.guest.txt" &
    guest=$!
    timeout 60 "${run[@]}" "$build/tests/parity/${pair}_host$suffix" "$name" >"$out.host.txt" || {
        kill "$guest" 2>/dev/null || true
        fail "$pair: the host failed"
    }
    wait "$guest" || fail "$pair: the guest failed"

    { sed 's/^/host: /' "$out.host.txt" && sed 's/^/guest: /' "$out.guest.txt"; } | tr -d '\r' |
        diff "$parity/$pair/expected.txt" - || fail "$pair: expected (<) and printed (>) differ"
    echo "$pair"
}

check_lines
(cd "$parity" && go build -o "$work/guest$suffix" ./guest)
run_pair timeouts & # takes 10 s and does nothing meanwhile
started+=($!)
for host in "$parity"/*/host.cpp; do
    pair=$(basename "$(dirname "$host")")
    [[ $pair == timeouts ]] || run_pair "$pair"
done
wait "${started[0]}" || fail "timeouts failed"
started=()
