#!/usr/bin/env bash
# run.sh [directory [calls]]: a host in C has the files of a directory (default: this project)
# hashed and compressed by a guest in Go, then times round trips (default: 10^6 of each kind) to it
# and to a guest in C. The C programs come from SHMIPC_BUILD_DIR.
#
# For Windows, GOOS is windows, and SHMIPC_RUN, if set, is the program that runs Windows' programs.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(cd "$here/../../.." && pwd)
suffix=
if [[ ${GOOS:-} == windows ]]; then suffix=.exe; fi
host=${SHMIPC_BUILD_DIR:-$project/build/release}/docs/examples/demo_host$suffix
run=()
if [[ ${SHMIPC_RUN:-} ]]; then run=("$SHMIPC_RUN"); fi
name=demo.$$
children=()

fail() {
    echo "demo: $*" >&2
    exit 1
}

# A host that is killed leaves the files of its regions. The next host of the same name would
# replace them, but no other demo has this name.
clean_up() {
    if ((${#children[@]})); then kill "${children[@]}" 2>/dev/null || true; fi
    wait
    rm -rf "$work" "/dev/shm/shmipc.$name.go" "/dev/shm/shmipc.$name.c"
}

[[ -x $host ]] || fail "$host is not there: build with -DSHMIPC_BUILD_EXAMPLES=ON"
command -v go >/dev/null || fail "please install Go, 1.21 or later"

work=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

(cd "$here" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -o "$work/guest$suffix" ./guest) ||
    fail "the Go guest does not build"

# All in the background: a signal is obeyed at once, not when a program has ended.
"${run[@]}" "$work/guest$suffix" "$name.go" &
children+=($!)
"${run[@]}" "$host" --guest "$name.c" &
children+=($!)
"${run[@]}" "$host" "$name" "${1:-$project}" "${@:2}" &
children+=($!)

wait "${children[2]}" || fail "the host failed"
# The guests end by themselves, because their host has left gracefully.
wait "${children[0]}" || fail "the Go guest failed"
wait "${children[1]}" || fail "the C guest failed"
children=()
