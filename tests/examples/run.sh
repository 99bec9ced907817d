#!/usr/bin/env bash
# run.sh <source directory> <build directory> [runner]: runs each example's host with its guest and compares
# what they print with what the example says they print; then runs a short demo. With a runner, which
# runs Windows' programs, both are for Windows.
set -euo pipefail

source=$1
build=$2
run=()
suffix=
if [[ ${3:-} ]]; then
    run=("$3")
    suffix=.exe
    export GOOS=windows GOARCH=amd64 SHMIPC_RUN=$3
fi
examples=$source/docs/examples
work=$(mktemp -d)
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOPROXY=off
guest=

clean_up() {
    if [[ $guest ]]; then kill "$guest" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap clean_up EXIT

step() {
    echo "== $*"
}

fail() {
    echo "$*" >&2
    exit 1
}

run_pair() {
    local example=$1 name=$1.$$ out=$work/$1
    step "$example"
    (cd "$examples" && go build -o "$out.guest$suffix" "./$example/guest")

    timeout 60 "${run[@]}" "$out.guest$suffix" "$name" >"$out.guest.txt" &
    guest=$!
    timeout 60 "${run[@]}" "$build/docs/examples/${example}_host$suffix" "$name" >"$out.host.txt" ||
        fail "$example: the host failed, status $?"
    wait "$guest" || fail "$example: the guest failed, status $?"
    guest=

    { sed 's/^/host: /' "$out.host.txt" && sed 's/^/guest: /' "$out.guest.txt"; } | tr -d '\r' |
        diff "$examples/$example/expected.txt" - ||
        fail "$example: expected (<) and printed (>) differ"
}

run_demo() {
    local calls=20000 out=$work/demo.txt
    step demo
    SHMIPC_BUILD_DIR=$build timeout 120 bash "$examples/demo/run.sh" "$source/src" "$calls" >"$out" ||
        fail "the demo failed"
    tail -n 14 "$out"
    # How fast it is depends on the machine; that it did the work does not.
    grep -qE 'digests agree with .*, 0 do not' "$out" || fail "the demo checked no digests"
    grep -q 'calls of 32 bytes, C to Go: ' "$out" || fail "the demo showed no times"
}

for example in copying_call zero_copy in_flight guest_calls long_job; do
    run_pair "$example"
done
run_demo
