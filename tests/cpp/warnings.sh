#!/usr/bin/env bash
# warnings.sh <source directory> <flatbuffers include directory>: the C++ headers compile without a
# warning with gcc and clang, as C++17, C++20 and C++23, with and without exceptions and run-time types;
# each is complete by itself; and two units that include them are linked.
set -euo pipefail

source=$1
flatbuffers=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

flags=(-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wold-style-cast -Wshadow -Werror
    -I"$source/include" -isystem "$flatbuffers")

# check <words>: a compiler, its flags, and a file.
check() {
    local words
    read -ra words <<<"$1"
    "${words[@]}" -fsyntax-only "${flags[@]}" || {
        echo "failed: $1" >&2
        return 1
    }
}

compilations() {
    local compiler standard
    for compiler in g++ clang++; do
        for standard in c++17 c++20 c++2b; do
            echo "$compiler -std=$standard $source/tests/cpp/usage.cpp"
            echo "$compiler -std=$standard -fno-exceptions -fno-rtti $source/tests/cpp/usage.cpp"
        done
        for file in "$work"/*.cpp; do
            echo "$compiler -std=c++17 $file"
        done
    done
}

# Each header as the first and only one that a unit includes.
while read -r header; do
    echo "#include <$header>" >"$work/${header//\//.}.cpp"
done < <(cd "$source/include" && find . -name '*.hpp' -printf '%P\n')

# After what others define: the key words of Qt, and macros of curses, X11, windows.h and debugging heaps.
{
    printf '#include <%s>\n' vector map string thread functional optional variant memory mutex chrono
    printf '#include <flatbuffers/flatbuffers.h>\n'
    printf '#define %s\n' slots 'signals public' emit 'foreach for' 'forever for (;;)' \
        'timeout(delay) wtimeout(stdscr, delay)' 'free(p) _free_dbg(p, 1)' 'check(x) (x)' \
        'Status int' 'None 0L' 'Success 0' 'Bool int' near far 'small char' 'interface struct' \
        'min(a, b) a' 'max(a, b) a' 'ERROR 0' 'DELETE 1'
    echo '#include <shmipc/flatbuffers.hpp>'
} >"$work/macros.cpp"

# The longest first. The jobs that are left end by themselves.
failed=0
running=0
while read -r words; do
    if [[ $running -ge $(nproc) ]]; then
        wait -n || failed=1
        running=$((running - 1))
    fi
    check "$words" &
    running=$((running + 1))
done < <(compilations)
while [[ $running -gt 0 ]]; do
    wait -n || failed=1
    running=$((running - 1))
done
echo "$(compilations | wc -l) compilations"
[[ $failed == 0 ]]

g++ -std=c++17 "${flags[@]}" -r -nostdlib -o "$work/both.o" \
    "$work/shmipc.shmipc.hpp.cpp" "$work/shmipc.flatbuffers.hpp.cpp"
