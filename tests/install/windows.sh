#!/usr/bin/env bash
# windows.sh <source directory> <build directory> <toolchain file> <runner>: installs the library for
# Windows, then builds outside programs with it, by find_package and as a subdirectory, and runs
# them.
set -euo pipefail

source=$1
build=$2
toolchain=$3
runner=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
outside=$work/outside
cp -R "$source/tests/install" "$outside"

step() {
    echo "== $*"
}

fail() {
    echo "$*" >&2
    exit 1
}

# A program finds the DLL beside it.
build_and_run() {
    local project=$1
    shift
    cmake -S "$outside/$project" -B "$work/$project" --log-level=WARNING \
        --toolchain "$toolchain" "$@"
    cmake --build "$work/$project"
    find "$prefix" "$work/$project" -name shmipc.dll -exec cp -n {} "$work/$project" \;
    "$runner" "$work/$project/with_shmipc.exe"
    rm "$work/$project/shmipc.dll"
    "$runner" "$work/$project/with_shmipc_static.exe"
}

# The functions a program may call are those the header offers: no more, no fewer.
exported() {
    x86_64-w64-mingw32-objdump -p "$1" | sed -n '/Ordinal.*Name Pointer/,$p' |
        grep -oE '\] (\+base\[ *[0-9]+\] +[0-9a-f]+ )?[a-z_0-9]+$' | awk '{ print $NF }' | sort
}

declared() {
    tr '\n' ' ' <"$prefix/include/shmipc/shmipc.h" |
        grep -oE 'SHMIPC_API [^;({]*\bshmipc_[a-z0-9_]+\(' | grep -oE 'shmipc_[a-z0-9_]+\($' |
        tr -d '(' | sort
}

# What a host application would have to ship besides: nothing but what every Windows has.
imported() {
    x86_64-w64-mingw32-objdump -p "$1" | sed -n 's/.*DLL Name: //p' | grep -vixE '(kernel32|advapi32|bcrypt|msvcrt|ucrtbase|api-ms-win-.*)\.dll' || true
}

step install
cmake --install "$build" --prefix "$prefix" >/dev/null
dll=$(find "$prefix" -name shmipc.dll)
[[ $dll ]] || fail "no shmipc.dll was installed"
find "$prefix" -name libshmipc.dll.a | grep -q . || fail "no import library was installed"

step exported and imported names
diff <(declared) <(exported "$dll") || fail "header (<) and DLL (>) differ in what they offer"
others=$(imported "$dll")
[[ -z $others ]] || fail "the DLL needs $others"

step find_package
build_and_run find_package -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_FIND_ROOT_PATH="$prefix"

step add_subdirectory
build_and_run add_subdirectory -DLIBSHMIPC_SOURCE_DIR="$source"
