#!/usr/bin/env bash
# parent.sh <source directory>: a project has the library as a subdirectory, installs a library that
# is linked with it, and is found by a third project. A project that does not ask installs nothing
# of ours.
set -euo pipefail

source=$1
# shellcheck source=tests/install/common.sh
. "$source/tests/install/common.sh"

with_parent() {
    local library=$1
    step "a parent installs a library that has $library in it"
    build "$outside/parent" "$work/$library" -DLIBSHMIPC_SOURCE_DIR="$source" -DLIBRARY="$library" \
        -DCMAKE_BUILD_TYPE=Debug "${@:2}"
    install "$work/$library" "$prefix-$library"
    rm -rf "${work:?}/$library"
    build "$outside/grandchild" "$work/grandchild-$library" -DCMAKE_PREFIX_PATH="$prefix-$library"
    "$work/grandchild-$library/grandchild" "parent.$$"
}

with_parent shmipc
with_parent shmipc_static -DBUILD_SHARED_LIBS=OFF

step each has documents of its own
documents=$(find "$prefix-shmipc" -path '*/doc/parent/*')
[[ $documents == */doc/parent/README.md ]] || fail "the parent's documents are" "$documents"
cmp "$outside/parent/README.md" "$documents"
find "$prefix-shmipc" -path '*/doc/libshmipc/LICENSE' | grep -q . || fail "no licence is installed"

step a parent that does not ask installs nothing
build "$outside/either" "$work/silent" -DLIBSHMIPC_SOURCE_DIR="$source" -DCMAKE_BUILD_TYPE=Debug
install "$work/silent" "$work/nothing"
[[ -z $(find "$work/nothing" -type f 2>/dev/null) ]] || fail "it installed" "$(find "$work/nothing" -type f)"
