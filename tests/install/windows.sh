#!/usr/bin/env bash
# windows.sh <source directory> <build directory> <toolchain file> <runner>: installs the library for
# Windows, then builds outside programs with it, by find_package and as a subdirectory, and runs
# them.
set -euo pipefail

source=$1
build=$2
toolchain=$3
runner=$4
# shellcheck source=tests/install/common.sh
. "$source/tests/install/common.sh"

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
diff <(declared "$prefix") <(exported "$dll") || fail "header (<) and DLL (>) differ in what they offer"
others=$(imported "$dll")
[[ -z $others ]] || fail "the DLL needs $others"

step find_package
build_and_run find_package -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_FIND_ROOT_PATH="$prefix"

step add_subdirectory
build_and_run add_subdirectory -DLIBSHMIPC_SOURCE_DIR="$source"

# FlatBuffers as a package for Windows might have it: its headers, and how find_package finds them.
flatbuffers_package() {
    mkdir -p "$1/include" "$1/lib/cmake/FlatBuffers"
    cp -RL "$build/flatbuffers/include/flatbuffers" "$1/include"
    cat >"$1/lib/cmake/FlatBuffers/FlatBuffersConfig.cmake" <<'END'
add_library(flatbuffers::flatbuffers INTERFACE IMPORTED)
target_include_directories(flatbuffers::flatbuffers
                           INTERFACE "${CMAKE_CURRENT_LIST_DIR}/../../../include")
END
}
flatbuffers_package "$work/packages"

# with_flatbuffers <project> [cmake arguments...]: as for a user, with -static.
with_flatbuffers() {
    local prefixes="$prefix;$work/packages"
    cmake -S "$outside/$1" -B "$work/$1" --log-level=WARNING --toolchain "$toolchain" \
        -DCMAKE_PREFIX_PATH="$prefixes" -DCMAKE_FIND_ROOT_PATH="$prefixes" \
        -DCMAKE_BUILD_TYPE=Release "${@:2}"
    cmake --build "$work/$1"
}

step C++ and FlatBuffers
with_flatbuffers flatbuffers
cp "$dll" "$work/flatbuffers"
for library in shmipc shmipc_static; do
    run_pair "$work/flatbuffers/host_with_$library.exe" "$work/flatbuffers/guest_with_$library.exe"
    rm -f "$work/flatbuffers/shmipc.dll"
done
others=$(imported "$work/flatbuffers/guest_with_shmipc_static.exe")
[[ -z $others ]] || fail "a program in C++ that is linked statically needs $others"

step two add-ins in C++
with_flatbuffers cpp_addins
addins=("$work"/cpp_addins/lib{one,other}.dll)
others=$(imported "${addins[0]}")
[[ -z $others ]] || fail "an add-in in C++ needs $others"
"$runner" "$work/cpp_addins/linked.exe" addins linked
"$runner" "$work/cpp_addins/application.exe" addins local "${addins[@]}"

step an add-in that builds by itself
with_flatbuffers addin_example -DFLATBUFFERS_INCLUDE_DIR="$work/packages/include"
others=$(imported "$work/addin_example/addin.dll")
[[ -z $others ]] || fail "the example's add-in needs $others"
build_addin_guest "$work/guest.exe" GOOS=windows GOARCH=amd64
run_addin_example "$work/addin_example/"{application.exe,addin.dll} "$work/guest.exe"
