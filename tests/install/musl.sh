#!/usr/bin/env bash
# musl.sh <source directory>: the library is built with musl, whose directories hold no header of the
# kernel's, and a program that creates a region is linked with nothing but the two.
set -euo pipefail

source=$1
# shellcheck source=tests/install/common.sh
. "$source/tests/install/common.sh"

musl=(-DCMAKE_C_COMPILER=musl-gcc -DCMAKE_EXE_LINKER_FLAGS=-static -DCMAKE_BUILD_TYPE=Release
    -DCMAKE_C_FLAGS=-Werror)

step no header of the kernel
if echo '#include <linux/version.h>' | musl-gcc -E - >/dev/null 2>&1; then
    fail "this musl-gcc finds headers of the kernel: the test would show nothing"
fi

step a library in a library
build "$outside/parent" "$work/parent" -DLIBSHMIPC_SOURCE_DIR="$source" -DLIBRARY=shmipc_static \
    -DBUILD_SHARED_LIBS=OFF "${musl[@]}"
install "$work/parent" "$prefix"

step a program
build "$outside/grandchild" "$work/program" -DCMAKE_PREFIX_PATH="$prefix" "${musl[@]}"
"$work/program/grandchild" "musl.$$"
