#!/usr/bin/env bash
# build.sh [TREE]: builds the benchmarks into build/release, of this tree or of another one, such as an
# earlier revision's.
set -euo pipefail
cd "${1-$(dirname "${BASH_SOURCE[0]}")/..}"

programs=$PWD/build/release/benchmarks
export GOFLAGS=-buildvcs=false CGO_ENABLED=0

# build_go MODULE PACKAGE PROGRAM [OPTION...]
build_go() {
    (cd "benchmarks/$1" && go build "${@:4}" -o "$programs/bench_$3" "$2")
}

sh tests/tooling/build.sh release -DCMAKE_BUILD_TYPE=Release -DSHMIPC_BUILD_BENCHMARKS=ON \
    -DSHMIPC_BUILD_EXAMPLES=ON -DSHMIPC_BUILD_TESTS=OFF
for main in benchmarks/go/*/main*.go; do
    name=$(basename "$(dirname "$main")")
    [[ $name == inprocess ]] || build_go go "./$name" "$name"
done
build_go go ./guest guest_go_unlearned -tags shmipc_unlearned
build_go grpc . grpc
build_go flatbuffers . flatbuffers
CGO_ENABLED=1 build_go go ./inprocess inprocess.so -buildmode=c-shared
