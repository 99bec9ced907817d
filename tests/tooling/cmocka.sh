#!/bin/sh
# cmocka.sh <toolchain file> <directory>: builds cmocka with the toolchain into the directory, unless it
# is there already. No Debian package holds it for Windows, musl or another processor, so it is made of
# the source package, which any machine has that has the binary ones.
set -eu

toolchain=$(realpath "$1")
mkdir -p "$2"
directory=$(CDPATH='' cd -- "$2" && pwd)
if [ -e "$directory/lib/libcmocka.a" ]; then exit 0; fi

# This machine's own sources, asked for source packages; the machine's lists stay as they are.
list_sources() {
    mkdir -p parts lists/partial
    for file in /etc/apt/sources.list.d/*.sources; do
        if [ -e "$file" ]; then sed 's/^Types:.*/Types: deb-src/' "$file" >"parts/${file##*/}"; fi
    done
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        if [ -e "$file" ]; then sed -n 's/^deb /deb-src /p' "$file" >"parts/own-${file##*/}"; fi
    done
    case $(ls parts) in *own-sources.list*) mv parts/own-sources.list parts/own.list ;; esac
}

apt() {
    apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$PWD/parts" \
        -o Dir::State::lists="$PWD/lists" -o Dir::Cache::srcpkgcache= -o Dir::Cache::pkgcache= \
        -o APT::Sandbox::User="$(id -un)" "$@"
}

fetch() {
    list_sources
    apt update || true # a source without source packages is of no interest
    apt source --download-only cmocka
    mkdir source
    tar -xf cmocka_*.orig.tar.[gx]z -C source --strip-components=1
}

build() {
    cmake -S source -B built --log-level=ERROR --toolchain "$toolchain" \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_POLICY_VERSION_MINIMUM=3.5 -DCMAKE_C_FLAGS=-w \
        -DBUILD_SHARED_LIBS=OFF -DWITH_STATIC_LIB=ON
    cmake --build built --parallel
}

work=$directory/work
rm -rf "$work"
mkdir -p "$work" "$directory/include" "$directory/lib"
cd "$work"
fetch
build
cp source/include/cmocka*.h "$directory/include"
find built -name 'libcmocka*.a' ! -name '*.dll.a' -exec cp {} "$directory/lib/libcmocka.a" \;
[ -e "$directory/lib/libcmocka.a" ]
rm -rf "$work"
