#!/bin/sh
# build.sh <name> [cmake arguments...]: configures build/<name> and builds it.
set -eu
cd "$(dirname "$0")/../.."

directory=build/$1
shift

if [ ! -e "$directory/CMakeCache.txt" ] && command -v ninja >/dev/null 2>&1; then
    set -- -G Ninja "$@"
fi
cmake -S . -B "$directory" --log-level=WARNING -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "$@"
cmake --build "$directory" --parallel "$(nproc)"
