#!/usr/bin/env bash
# addins.sh <source directory> <build directory>: two add-ins, each linked with a static library of
# another version, live in one process that makes all their symbols global.
set -euo pipefail

source=$1
build=$2
# shellcheck source=tests/install/common.sh
. "$source/tests/install/common.sh"

next=$work/next
newer=$work/newer
header=include/shmipc/shmipc.h

step a library
install "$build" "$prefix"

step a library of another patch version
mkdir "$next"
cp -R "$source"/{CMakeLists.txt,LICENSE,README.md,docs,include,src} "$next"
sed -i 's/\(define SHMIPC_VERSION_PATCH\) .*/\1 99/' "$next/$header"
build "$next" "$work/next-build" -DBUILD_SHARED_LIBS=OFF
install "$work/next-build" "$newer"

step two add-ins
build "$outside/addins" "$work/one" -DCMAKE_PREFIX_PATH="$prefix"
build "$outside/addins" "$work/other" -DCMAKE_PREFIX_PATH="$newer"
for addin in "$work"/{one,other}/libaddin.so; do
    exported=$(nm -D --defined-only "$addin" | awk '{ print $3 }')
    [[ $exported == addin_start ]] || fail "$addin exports" "$exported"
    if needs_shared "$addin"; then fail "$addin needs the shared library"; fi
done

step in one process
"$work/one/application" "addins.$$" "$work"/{one,other}/libaddin.so
"$work/one/application" "addins.$$" "$work"/{other,one}/libaddin.so
"$work/one/user_application" "addins.$$" "$work"/{other,one}/libaddin.so
