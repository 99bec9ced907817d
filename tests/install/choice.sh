#!/usr/bin/env bash
# choice.sh <source directory> <build directory>: BUILD_SHARED_LIBS chooses which library is built,
# installed and meant by libshmipc::shmipc; COMPONENTs are installed one by one; versions that
# differ in the ABI are told apart.
set -euo pipefail

source=$1
build=$2
# shellcheck source=tests/install/common.sh
. "$source/tests/install/common.sh"

export PKG_CONFIG_LIBDIR=

# Which libraries are in a directory: a, so or both.
files() {
    find "$1" \( -name 'libshmipc.so*' -o -name libshmipc.a \) |
        sed -E 's#.*/libshmipc\.(so|a).*#\1#' | sort -u | xargs
}

libdir() {
    dirname "$(find "$1" -name 'libshmipc.so' -o -name 'libshmipc.a' | head -n 1)"
}

# with_installed <name> <files> <kind>: a program of libshmipc::shmipc, and one of pkg-config, is of the kind.
with_installed() {
    local name=$1 installed=$2 kind=$3 flags
    [[ $(files "$work/$name-prefix") == "$installed" ]] ||
        fail "$name: installed is $(files "$work/$name-prefix")"
    build "$outside/either" "$work/$name-program" -DCMAKE_PREFIX_PATH="$work/$name-prefix"
    is_linked "$kind" "$work/$name-program/either"

    read -ra flags < <(PKG_CONFIG_PATH=$(libdir "$work/$name-prefix")/pkgconfig \
        pkg-config --cflags --libs libshmipc)
    cc -o "$work/$name-program/plain" "$outside/consumer.c" "${flags[@]}"
    LD_LIBRARY_PATH=$(libdir "$work/$name-prefix") is_linked "$kind" "$work/$name-program/plain"
}

is_linked() {
    "$2"
    case $1 in
    shared) needs_shared "$2" || fail "$2 is not linked with the shared library" ;;
    static) if needs_shared "$2"; then fail "$2 is linked with the shared library"; fi ;;
    esac
}

step unset: both
install "$build" "$work/both-prefix"
with_installed both 'a so' shared

for setting in ON:shared:so OFF:static:a; do
    IFS=: read -r value kind file <<<"$setting"
    step "BUILD_SHARED_LIBS=$value"
    build "$source" "$work/$kind" -DBUILD_SHARED_LIBS="$value" -DCMAKE_BUILD_TYPE=Debug
    install "$work/$kind" "$work/$kind-prefix"
    with_installed "$kind" "$file" "$kind"

    step "BUILD_SHARED_LIBS=$value in a parent project"
    build "$outside/either" "$work/$kind-parent" -DBUILD_SHARED_LIBS="$value" \
        -DLIBSHMIPC_SOURCE_DIR="$source" -DCMAKE_BUILD_TYPE=Debug
    is_linked "$kind" "$work/$kind-parent/either"
    [[ $(files "$work/$kind-parent") == "$file" ]] || fail "built is $(files "$work/$kind-parent")"
done

# component <name> <pattern>: the component is there and holds files of the pattern only.
component() {
    install "$build" "$work/$1" --component "$1"
    [[ $(find "$work/$1" -type f) ]] || fail "component $1 is empty"
    others=$(find "$work/$1" ! -type d | grep -vE "$2") || true
    [[ -z $others ]] || fail "component $1 has" "$others"
}

step components
component Runtime '/libshmipc\.so\.[0-9.]+$'
component Development '/libshmipc\.(so|a|pc)$|/shmipc/(cxx/)?[a-z_]+\.hp*$|/cmake/libshmipc/|/man/man[37]/'
component Documentation '/share/doc/libshmipc/'
count=$(find "$work"/{Runtime,Development,Documentation} ! -type d | wc -l)
[[ $count == $(find "$work/both-prefix" ! -type d | wc -l) ]] ||
    fail "some files are of no component"

# While the major version is 0, each minor version has an ABI of its own: the three that tell
# programs so agree.
step versions
library=$(find "$work/both-prefix" -name libshmipc.so)
version=$(PKG_CONFIG_PATH=$(libdir "$work/both-prefix")/pkgconfig pkg-config --modversion libshmipc)
IFS=. read -r major minor _ <<<"$version"
abi=$major
if [[ $major == 0 ]]; then abi=0.$minor; fi
soname=$(readelf -d "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
[[ $soname == "libshmipc.so.$abi" ]] || fail "the soname is $soname"
[[ $(readlink -f "$library") == */libshmipc.so.$version ]] || fail "no libshmipc.so.$version"
nodes=$(nm -D --defined-only "$library" | sed -n 's/.* shmipc_[a-z_]*@@//p' | sort -u)
[[ $nodes == "SHMIPC_$abi" ]] || fail "the symbols' versions are $nodes"

accepts() {
    rm -rf "$work/versions"
    cmake -S "$outside/either" -B "$work/versions" -DCMAKE_PREFIX_PATH="$work/both-prefix" \
        -DWANTED="$1" >"$work/log" 2>&1
}
accepts "$major.$minor" || fail "$version is refused where $major.$minor is wanted"
for other in "$major.$((minor + 1))" "$((major + 1)).0"; do
    if accepts "$other"; then fail "$version is accepted where $other is wanted"; fi
done
if [[ $abi == 0.* && $minor != 0 ]] && accepts "0.$((minor - 1))"; then
    fail "$version is accepted where 0.$((minor - 1)) is wanted"
fi
