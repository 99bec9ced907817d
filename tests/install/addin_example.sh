#!/usr/bin/env bash
# addin_example.sh <source directory> <build directory>: the example of an add-in, copied to where no source
# tree is around it, builds by itself with an installed library. Its application and its guest, run as
# a pair, print what the example says, and in the end the add-in is unloaded.
set -euo pipefail

source=$1
build=$2
# shellcheck source=tests/install/common.sh
. "$source/tests/install/common.sh"

install "$build" "$prefix"
build_addin_guest "$work/guest"
for compiler in g++ clang++; do
    for kind in Debug Release; do
        step "$compiler, $kind"
        directory=$work/$compiler-$kind
        build "$outside/addin_example" "$directory" -DCMAKE_PREFIX_PATH="$prefix" \
            -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_BUILD_TYPE="$kind" \
            -DCMAKE_CXX_FLAGS="-Wall -Wextra -Wpedantic -Wconversion -Wold-style-cast -Wshadow -Werror"
        if needs_shared "$directory/addin.so"; then fail "the add-in needs the shared library"; fi
        run_addin_example "$directory"/{application,addin.so} "$work/guest"
    done
done
