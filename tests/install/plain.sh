#!/usr/bin/env bash
# plain.sh <source directory>: builds and installs the library as README.md tells a newcomer to, from
# a tree without the tests and what they need.
set -euo pipefail

source=$1
# shellcheck source=tests/install/common.sh
. "$source/tests/install/common.sh"

# Without a place of his own the newcomer installs into the system; this one does not.
commands() {
    sed -n '/^## Build/,/^## /s/^    \(cmake .*\)/\1/p' "$source/README.md"
}

step build and install
mkdir "$work/tree"
cp -R "$source"/{CMakeLists.txt,LICENSE,README.md,docs,include,src} "$work/tree"
[[ $(commands | wc -l) == 3 ]] || fail "README.md has no three commands that build"
cd "$work/tree"
export CMAKE_INSTALL_MODE=COPY CMAKE_BUILD_PARALLEL_LEVEL=2
eval "$(commands | sed "s|cmake --install.*|& --prefix $prefix|")" >"$work/log" 2>&1 || {
    cat "$work/log"
    fail "the commands of README.md fail"
}

step a program with it
build "$outside/either" "$work/either" -DCMAKE_PREFIX_PATH="$prefix"
"$work/either/either"

step licence and documents
documents=$prefix/share/doc/libshmipc
for file in LICENSE README.md docs/protocol.md docs/design.md docs/examples/copying_call/host.c; do
    cmp "$source/$file" "$documents/$file" || fail "$file is not installed"
done
