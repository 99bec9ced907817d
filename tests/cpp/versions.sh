#!/usr/bin/env bash
# versions.sh <source directory> <build directory> <flatbuffers include directory>: shmipc/flatbuffers.hpp
# works with these headers of FlatBuffers, and with newer ones, which come with FlatBuffers' Go module.
set -euo pipefail

source=$1
build=$2
system=$3
module=github.com/google/flatbuffers@v25.12.19+incompatible
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

newer=$(cd "$work" && go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')/include
[[ -e $newer/flatbuffers/flatbuffers.h ]] || {
    echo "$module has no headers in $newer" >&2
    exit 1
}

for include in "$system" "$newer"; do
    g++ -std=c++17 -O1 -Wall -Wextra -Wpedantic -Wconversion -Wold-style-cast -Wshadow -Werror \
        -I"$source/include" -I"$source/tests" -isystem "$include" -o "$work/in_place" \
        "$source/tests/cpp/in_place_test.cpp" "$build/libshmipc.a" -pthread
    timeout 60 "$work/in_place" | tee -a "$work/said"
done
[[ $(grep -c '^FlatBuffers' "$work/said") == 2 && $(sort -u "$work/said" | wc -l) == 3 ]] || {
    echo "both times the same version: the test would show nothing" >&2
    exit 1
}
