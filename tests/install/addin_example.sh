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
copy_addin_example
build_addin_guest
for kind in Debug Release; do
    step "$kind"
    build "$work/example" "$work/$kind" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER=g++ \
        -DCMAKE_BUILD_TYPE="$kind" -DCMAKE_CXX_FLAGS="$addin_warnings"
    if needs_shared "$work/$kind/addin.so"; then fail "the add-in needs the shared library"; fi
    run_addin_example "$work/$kind/application" "$work/$kind/addin.so"
done
