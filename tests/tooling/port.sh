#!/usr/bin/env bash
# port.sh musl|arm64: builds library and tests with the toolchain of <port>.cmake and runs what can
# be run there: with musl the unit and hazard tests; emulated, for arm64, the unit tests, C with Go,
# and the tests of the Go packages. What <port>.excluded names is not run, and said not to be, with the
# reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

port=$1
excluded=tests/tooling/$port.excluded

step() {
    echo "== $*"
    "$@"
}

# names <pattern>: of the excluded tests those that match.
names() {
    sed -n 's/^\([^#:]*\):.*/\1/p' "$excluded" | grep -E "$1" || true
}

# The names of ctest's tests are patterns without anything special in them, and so are Go's.
any_of() {
    paste -sd '|' | sed 's/.*/^(&)$/'
}

announce() {
    sed -n 's/^\([^#:]*\): \(.*\)/not run: \1: \2/p' "$excluded"
}

# An excluded test that is no more would go on being excused.
check_names() {
    local known name missing=0
    known=$(printf '%s\n' tests/*/*_test.c | sed 's/^tests\///; s/_test\.c$//')
    known+=$'\n'$(sed -n 's/^func \(Test[A-Za-z0-9_]*\)(.*/\1/p' go/*_test.go)
    while read -r name; do
        if ! grep -qx "$name" <<<"$known"; then
            echo "$excluded names $name, which no test is called" >&2
            missing=1
        fi
    done < <(names .)
    return "$missing"
}

build() {
    sh tests/tooling/cmocka.sh "tests/tooling/$port.cmake" "build/cmocka-$port"
    sh tests/tooling/build.sh "$port" --toolchain "$PWD/tests/tooling/$port.cmake" \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS=-Werror -DSHMIPC_BUILD_TESTS=ON \
        -DSHMIPC_BUILD_EXAMPLES=ON -DSHMIPC_BUILD_BENCHMARKS=ON \
        -DSHMIPC_CMOCKA="$PWD/build/cmocka-$port"
}

run_c() {
    ctest --test-dir "build/$port" --output-on-failure --no-tests=error \
        --tests-regex "$1" --exclude-regex "$(names / | any_of)"
}

# The tests start themselves as other processes, and so emulate those.
run_go() {
    local skipped module
    skipped=$(names ^Test | any_of)
    for module in go go/flatbuffers; do
        CGO_ENABLED=0 GOARCH=arm64 GOFLAGS=-buildvcs=false \
            go -C "$module" test -short -timeout 300s -exec "$SHMIPC_EMULATOR" -skip "$skipped" ./...
    done
}

step build
step check_names
step announce
case $port in
musl) step run_c '^(unit|hazard)/' ;;
arm64)
    export SHMIPC_EMULATOR='qemu-aarch64 -L /usr/aarch64-linux-gnu'
    step run_c '^(unit/|interop/(languages|go_flatbuffers)$)'
    step run_go
    ;;
esac
