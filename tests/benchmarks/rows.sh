#!/usr/bin/env bash
# rows.sh <source directory> <build directory>: the rows about handlers in parallel, about callers
# without a slot, about event loops, about many hosts of one process and about a library that learns
# nothing run, and each comes out with a ratio. What it is means nothing: there is one round, beside
# others.
set -euo pipefail

source=$1
built=$2/benchmarks
work=$(mktemp -d)
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false
trap 'rm -rf "$work"' EXIT

fail() {
    echo "$*" >&2
    cat "$work/out" >&2
    exit 1
}

# expect <count> <guest> <name>: so many rows there are, each with a ratio that is a number above 0.
expect() {
    local all good
    sed -n "/^{\"name\":\"$3\",\"guest\":\"$2\"/p" "$work/out" >"$work/rows"
    all=$(wc -l <"$work/rows")
    good=$(sed -n 's/.*"ratio":\([0-9.]*\),.*/\1/p' "$work/rows" | awk '$1 > 0' | wc -l)
    echo "$3, guest in $2: $all rows, $good with a ratio"
    [[ $all == "$1" && $good == "$1" ]] || fail "there should be $1"
}

bench() {
    "$work/bench" --quick --rounds 1 --programs "$work" "$@" >"$work/out" || fail "bench $* failed"
}

cp "$built"/bench "$built"/bench_guest_* "$built"/bench_*learn*.so "$work"
cd "$source/benchmarks/go"
for program in guest hosts plain socket; do
    go build -o "$work/bench_$program" "./$program"
done
go build -o "$work/bench_guest_go_unlearned" -tags shmipc_unlearned ./guest
cd "$OLDPWD"

bench oversubscribed mixed
for guest in c go; do
    expect 4 $guest oversubscribed
    expect 3 $guest mixed
done

bench learning
expect 1 c learning
expect 1 go learning

bench loop
expect 12 c loop
expect 12 go loop

bench hosts
expect 3 go hosts
expect 3 go hosts_idle
expect 3 go hosts_threads
expect 2 go hosts_first

bench --only "5 us" parallel
expect 4 c limit_plain # two of them beside the guest in Go
expect 2 go limit_plain
expect 2 c parallel
expect 4 go parallel

bench --only "asleep 1 ms" --threads 8 --guest go parallel
expect 0 c parallel
expect 1 go parallel
