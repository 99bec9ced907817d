#!/usr/bin/env bash
# unloadable.sh <source directory> <flatbuffers include directory>: what the headers put into a shared
# object of g++'s does not keep it from being unloaded, at any level of optimisation: the loader never
# unloads what defines a unique symbol.
set -euo pipefail

source=$1
flatbuffers=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for level in 0 g 1 2; do
    g++ -std=c++17 -fPIC -shared "-O$level" -I"$source/include" -isystem "$flatbuffers" \
        -o "$work/addin.so" "$source/tests/cpp/unloadable.cpp"
    symbols=$(nm -DC "$work/addin.so")
    grep -q ' T use$' <<<"$symbols"
    if grep ' u ' <<<"$symbols"; then
        echo "these are unique, at -O$level" >&2
        exit 1
    fi
done
