#!/usr/bin/env bash
# narrow.sh <source directory>: a 32-bit build is refused, by the compiler, with a sentence.
set -euo pipefail

source=$1
# shellcheck source=tests/install/common.sh
. "$source/tests/install/common.sh"

# wire <target>: what clang says of the wire's structures. Headers of the system are not needed.
wire() {
    echo '#include "wire/layout.h"' | clang --target="$1" -std=c11 -ffreestanding -fsyntax-only \
        -I"$source/src" -I"$source/include" -x c - 2>&1
}

step 64 bits are taken
wire x86_64-linux-gnu || fail "the wire's structures do not compile for x86-64"

step 32 bits are refused
for target in i686-linux-gnu armv7-linux-gnueabihf; do
    if said=$(wire "$target"); then fail "$target was taken"; fi
    grep -q 'libshmipc needs a 64-bit system' <<<"$said" || fail "$target: $said"
done
