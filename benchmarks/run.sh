#!/usr/bin/env bash
# run.sh [arguments of bench...]: builds the benchmarks into build/release, and runs them. Their
# results go to build/results/<time>.jsonl too; last.jsonl there is the latest of them. Nothing but
# results is written to standard output.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

programs=$PWD/build/release/benchmarks
results=$PWD/build/results

build_go() {
    (cd "benchmarks/$1" && go build "${@:4}" -o "$programs/bench_$3" "$2")
}

# Called where its status is asked for, so that a command that fails does not end it: hence the &&.
build() {
    export GOFLAGS=-buildvcs=false CGO_ENABLED=0
    sh tests/tooling/build.sh release -DCMAKE_BUILD_TYPE=Release -DSHMIPC_BUILD_BENCHMARKS=ON \
        -DSHMIPC_BUILD_EXAMPLES=ON -DSHMIPC_BUILD_TESTS=OFF &&
        build_go go ./guest guest &&
        build_go go ./caller caller &&
        build_go go ./futex futex &&
        build_go go ./plain plain &&
        build_go go ./netrpc netrpc &&
        build_go go ./socket socket &&
        build_go grpc . grpc &&
        build_go flatbuffers . flatbuffers &&
        CGO_ENABLED=1 build_go go ./inprocess inprocess.so -buildmode=c-shared
}

commit() {
    git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown
}

if ! log=$(build 2>&1); then
    echo "$log" >&2
    exit 1
fi
mkdir -p "$results"
# The Go package's own benchmarks are part of the whole matrix.
if (($# == 0)); then
    (cd go && go test -run '^$' -bench . -benchmem .) | tee "$results/go.txt" >&2
fi
file=$results/$(date -u +%Y%m%dT%H%M%SZ).jsonl
"$programs/bench" --programs "$programs" --commit "$(commit)" --out "$file" "$@"
ln -sf "$(basename "$file")" "$results/last.jsonl"
