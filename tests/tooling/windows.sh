#!/usr/bin/env bash
# Builds everything for Windows with mingw-w64 and runs it under Wine; then compiles the library as
# Microsoft's compiler would.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

step() {
    echo "== $*"
    "$@"
}

step bash tests/tooling/wine.sh build/wine
step sh tests/tooling/cmocka-windows.sh build/cmocka-windows
step sh tests/tooling/build.sh windows --toolchain tests/tooling/mingw-w64.cmake \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS=-Werror -DSHMIPC_BUILD_EXAMPLES=ON \
    -DSHMIPC_CMOCKA="$PWD/build/cmocka-windows"
step ctest --test-dir build/windows --output-on-failure --no-tests=error
step bash tests/tooling/msvc.sh
