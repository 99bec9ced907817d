#!/usr/bin/env bash
# c.sh <source directory> <build directory>: installs the library, then builds and runs outside
# programs with it in each way a C or C++ project may choose.
set -euo pipefail

source=$1
build=$2
# shellcheck source=tests/install/common.sh
. "$source/tests/install/common.sh"

build_and_run() {
    local project=$1
    shift
    build "$outside/$project" "$work/$project" "$@"
    "$work/$project/with_shmipc"
    "$work/$project/with_shmipc_static"
}

# The functions a program may call are those the header offers: no more, no fewer.
exported() {
    nm --defined-only --extern-only "$@" |
        awk 'NF == 3 && $2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort
}

step install
install "$build" "$prefix"
library=$(find "$prefix" -name libshmipc.so)
libdir=$(dirname "$library")
export PKG_CONFIG_PATH=$libdir/pkgconfig

step exported symbols
diff <(declared "$prefix") <(exported --dynamic "$library") ||
    fail "header (<) and shared library (>) differ in what they offer"
# In an archive internal functions are visible too: their prefix keeps them apart from the user's. So
# is the compiler's reference to what unwinds, which every object with exceptions may have.
diff <(declared "$prefix") <(exported "$libdir/libshmipc.a" | grep -vE '^(shmi_|DW\.ref\.)') ||
    fail "header (<) and static library (>) differ in what they offer"

step find_package
build_and_run find_package -DCMAKE_PREFIX_PATH="$prefix"

step add_subdirectory
build_and_run add_subdirectory -DLIBSHMIPC_SOURCE_DIR="$source"

step pkg-config
read -ra flags < <(pkg-config --cflags --libs libshmipc)
cc -o "$work/dynamic" "$outside/consumer.c" "${flags[@]}"
LD_LIBRARY_PATH=$libdir "$work/dynamic"

step pkg-config --static
read -ra flags < <(pkg-config --static --cflags --libs libshmipc)
cc -static -o "$work/static" "$outside/consumer.c" "${flags[@]}"
"$work/static"
