#!/bin/sh
# build.sh <name> [cmake arguments...]: configures build/<name> and builds it, or of it only what
# SHMIPC_TARGETS names.
set -eu
cd "$(dirname "$0")/../.."

directory=build/$1
shift

# What says which compilers are used.
compilers() {
    for argument; do
        case $argument in
        *_COMPILER=*) echo "$argument" ;;
        *.cmake) cat "$argument" ;;
        esac
    done
}

# Where a compiler changes, CMake would keep the old one, or forget all other arguments.
wanted=$(compilers "$@")
if [ "$wanted" != "$(cat "$directory/compilers" 2>/dev/null)" ]; then
    rm -rf "$directory"
    mkdir -p "$directory"
    printf '%s\n' "$wanted" >"$directory/compilers"
fi

if [ ! -e "$directory/CMakeCache.txt" ] && command -v ninja >/dev/null 2>&1; then
    set -- -G Ninja "$@"
fi
cmake -S . -B "$directory" --log-level=WARNING -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "$@"
# shellcheck disable=SC2086 # several words
cmake --build "$directory" --parallel "$(nproc)" ${SHMIPC_TARGETS:+--target $SHMIPC_TARGETS}
