#!/usr/bin/env bash
# Builds everything for Windows with mingw-w64 and runs it under Wine; then compiles the library as
# Microsoft's compiler would, and analyses what is of Windows alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

step() {
    echo "== $*"
    "$@"
}

trap 'WINEPREFIX=$PWD/build/wine wineserver --kill || true' EXIT
step bash tests/tooling/wine.sh build/wine
step sh tests/tooling/cmocka.sh tests/tooling/mingw-w64.cmake build/cmocka-windows
step sh tests/tooling/build.sh windows --toolchain "$PWD/tests/tooling/mingw-w64.cmake" \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS=-Werror -DCMAKE_CXX_FLAGS=-Werror \
    -DSHMIPC_BUILD_TESTS=ON -DSHMIPC_BUILD_EXAMPLES=ON -DSHMIPC_BUILD_BENCHMARKS=ON \
    -DSHMIPC_CMOCKA="$PWD/build/cmocka-windows" \
    -DFLATBUFFERS_INCLUDE_DIR="$PWD/build/windows/flatbuffers/include"
# With a toolchain of its own clang-tidy reads the flags of mingw-w64's compiler.
tidy() {
    printf '%s\n' src/platform/win32/*.c tests/windows/*.c tests/support/*_windows.c \
        benchmarks/*/win32/*.c benchmarks/limits/event.c |
        xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p build/windows \
            --extra-arg=--target=x86_64-w64-mingw32 2>/dev/null
}

step ctest --test-dir build/windows --output-on-failure --no-tests=error --parallel 2
step bash tests/tooling/go-windows.sh
step bash tests/tooling/msvc.sh build/windows/flatbuffers/include
step tidy
