#!/usr/bin/env bash
# c.sh <source directory> <build directory>: installs the library, then builds and runs outside
# programs with it in each way a C or C++ project may choose.
set -euo pipefail

source=$1
build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
# Outside means outside: nothing in these projects can lean on the source tree around them.
outside=$work/outside
cp -R "$source/tests/install" "$outside"

step() {
    echo "== $*"
}

fail() {
    echo "$*" >&2
    exit 1
}

build_and_run() {
    local project=$1
    shift
    cmake -S "$outside/$project" -B "$work/$project" --log-level=WARNING "$@"
    cmake --build "$work/$project"
    "$work/$project/with_shmipc"
    "$work/$project/with_shmipc_static"
}

# The functions a program may call are those the header offers: no more, no fewer.
exported() {
    nm --defined-only --extern-only "$@" |
        awk 'NF == 3 && $2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort
}

declared() {
    tr '\n' ' ' <"$prefix/include/shmipc/shmipc.h" |
        grep -oE 'SHMIPC_API [^;({]*\bshmipc_[a-z0-9_]+\(' | grep -oE 'shmipc_[a-z0-9_]+\($' |
        tr -d '(' | sort
}

step install
cmake --install "$build" --prefix "$prefix" >/dev/null
library=$(find "$prefix" -name libshmipc.so)
libdir=$(dirname "$library")
export PKG_CONFIG_PATH=$libdir/pkgconfig
version=$(pkg-config --modversion libshmipc)

step soname
soname=$(readelf -d "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
[[ $soname == libshmipc.so.${version%%.*} ]] || fail "the soname is $soname"
[[ $(readlink -f "$library") == */libshmipc.so.$version ]] || fail "no libshmipc.so.$version"

step exported symbols
diff <(declared) <(exported --dynamic "$library") ||
    fail "header (<) and shared library (>) differ in what they offer"
# In an archive internal functions are visible too: their prefix keeps them apart from the user's.
diff <(declared) <(exported "$libdir/libshmipc.a" | grep -v '^shmi_') ||
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
