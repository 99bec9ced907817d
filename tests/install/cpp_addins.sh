#!/usr/bin/env bash
# cpp_addins.sh <source directory> <build directory>: two add-ins in C++, each linked with the static library
# and compiled with nothing hidden, live in one process and use each its own library: linked with the
# program, loaded locally, and loaded globally. Unloaded, they are gone.
set -euo pipefail

source=$1
build=$2
# shellcheck source=tests/install/common.sh
. "$source/tests/install/common.sh"

# unique <add-in> [pattern]: its symbols of the pattern that are one for the process (gcc's
# STB_GNU_UNIQUE); an add-in with such a symbol is never unloaded.
unique() {
    nm -C "$1" | awk '$2 == "u"' | grep "${2:-.}" || true
}

# Of the library no name leaves an add-in.
exported() {
    nm -D --defined-only "$1" | awk '{ print $3 }' | grep -E '^shmi' || true
}

install "$build" "$prefix"
for compiler in g++ clang++; do
    for kind in Debug Release; do
        step "$compiler, $kind"
        directory=$work/$compiler-$kind
        build "$outside/cpp_addins" "$directory" -DCMAKE_PREFIX_PATH="$prefix" \
            -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_BUILD_TYPE="$kind"
        addins=("$directory"/lib{one,other}.so)
        found=$(exported "${addins[0]}")
        [[ -z $found ]] || fail "an add-in exports" "$found"
        found=$(unique "${addins[0]}" shmipc)
        [[ -z $found ]] || fail "an add-in has unique symbols of ours:" "$found"

        timeout 60 "$directory/linked" "addins.$$" linked
        timeout 60 "$directory/application" "addins.$$" global "${addins[@]}"
        # Without optimisation the standard library's headers leave unique symbols of their own.
        scope=local
        if [[ $kind == Debug && $(unique "${addins[0]}") ]]; then scope=kept; fi
        timeout 60 "$directory/application" "addins.$$" "$scope" "${addins[@]}"
    done
done
