#!/usr/bin/env bash
# run.sh <source directory> <build directory> [runner]: runs each example's hosts, in C and in C++, with its
# guest and compares what they print with what the example says they print; then runs a short demo.
# With a runner, which runs Windows' programs, all are for Windows.
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
# shellcheck source=tests/examples/common.sh
. "$source/tests/examples/common.sh"

# run_pair <example> <program>
run_pair() {
    local example=$1 program=$build/docs/examples/$2$suffix name=$2.$$ out=$work/$1
    step "$2"
    [[ -e $program ]] || fail "$2 was not built"

    timeout 60 "${run[@]}" "$out.guest$suffix" "$name" >"$out.guest.txt" &
    local guest=$!
    timeout 60 "${run[@]}" "$program" "$name" >"$out.host.txt" || fail "$2 failed, status $?"
    wait "$guest" || fail "$2: the guest failed, status $?"

    { sed 's/^/host: /' "$out.host.txt" && sed 's/^/guest: /' "$out.guest.txt"; } | tr -d '\r' |
        diff "$examples/$example/expected.txt" - || fail "$2: expected (<) and printed (>) differ"
}

run_example() {
    build_program "$examples/$1/guest" "$work/$1.guest$suffix"
    if [[ -e $examples/$1/host.c ]]; then run_pair "$1" "${1}_host"; fi
    run_pair "$1" "${1}_host_cpp"
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

for example in copying_call zero_copy in_flight guest_calls long_job flatbuffers; do
    run_example "$example"
done
run_demo
