#!/usr/bin/env bash
# port.sh musl|arm64: builds library and tests with the toolchain of <port>.cmake and runs what can
# be run there: with musl the unit and hazard tests; emulated, for arm64, the unit tests, C with Go,
# and the tests of the Go packages. What <port>.excluded names is not run, and said not to be, with the
# reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/tooling/excluded.sh
. tests/tooling/excluded.sh

port=$1
list=tests/tooling/$port.excluded

step() {
    echo "== $*"
    "$@"
}

build() {
    sh tests/tooling/cmocka.sh "tests/tooling/$port.cmake" "build/cmocka-$port"
    sh tests/tooling/build.sh "$port" --toolchain "$PWD/tests/tooling/$port.cmake" \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS=-Werror -DSHMIPC_BUILD_TESTS=ON \
        -DSHMIPC_BUILD_EXAMPLES=ON -DSHMIPC_BUILD_BENCHMARKS=ON \
        -DSHMIPC_CMOCKA="$PWD/build/cmocka-$port"
}

# run_c <how many at a time> <which>
run_c() {
    ctest --test-dir "build/$port" --output-on-failure --no-tests=error --parallel "$1" \
        --tests-regex "$2" --exclude-regex "$(excluded "$list" / | any_of)"
}

# The tests start themselves as other processes, and so emulate those.
run_go() {
    local skipped module
    skipped=$(excluded "$list" ^Test | any_of)
    for module in go go/flatbuffers; do
        CGO_ENABLED=0 GOARCH=arm64 GOFLAGS=-buildvcs=false \
            go -C "$module" test -short -timeout 300s -exec "$SHMIPC_EMULATOR" -skip "$skipped" ./...
    done
}

step build
step excluded_check "$list"
step excluded_say "$list"
case $port in
musl) step run_c 4 '^(unit|hazard)/' ;;
arm64)
    export SHMIPC_EMULATOR='qemu-aarch64 -L /usr/aarch64-linux-gnu'
    step run_c 2 '^(unit/|interop/(languages|go_flatbuffers)$)'
    step run_go
    ;;
esac
