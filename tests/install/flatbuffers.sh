#!/usr/bin/env bash
# flatbuffers.sh <source directory> <build directory>: an outside project in C++ finds the library and
# FlatBuffers; its host and its guest, two processes, build and read FlatBuffers in place.
set -euo pipefail

source=$1
build=$2
# shellcheck source=tests/install/common.sh
. "$source/tests/install/common.sh"

install "$build" "$prefix"
build "$outside/flatbuffers" "$work/flatbuffers" -DCMAKE_PREFIX_PATH="$prefix"
for library in shmipc shmipc_static; do
    step "with $library"
    run_pair "$work/flatbuffers/host_with_$library" "$work/flatbuffers/guest_with_$library"
done
