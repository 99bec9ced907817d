#!/bin/sh
# setup.sh demo|bench|test|windows|musl|arm64: installs the programs that the demo, the benchmarks, the
# tests, or the tests for Windows, with musl or for arm64 need and this machine lacks, or says in one
# line what to install. Silent when nothing is missing.
set -eu

purpose=$1

absent() {
    ! command -v "$1" >/dev/null 2>&1
}

# Prints the packages that are missing, named as Debian names them.
missing() {
    if absent cc; then echo gcc; fi
    if [ ! -e /usr/include/stdio.h ]; then echo libc6-dev; fi
    if absent cmake; then echo cmake; fi
    if absent ninja && absent make; then echo ninja-build; fi
    if [ "$purpose" = windows ]; then missing_for_windows; fi
    if [ "$purpose" = musl ] && absent musl-gcc; then echo musl-tools; fi
    if [ "$purpose" = arm64 ]; then missing_for_arm64; fi
    case $purpose in demo | bench | test) missing_for_cpp ;; esac
    if [ "$purpose" = bench ] && absent gnuplot; then echo gnuplot-nox; fi
    [ "$purpose" = test ] || return 0

    if absent gcc; then echo gcc; fi
    if absent ccache; then echo ccache; fi
    if absent pkg-config; then
        echo pkg-config libcmocka-dev
    elif ! pkg-config --exists cmocka; then
        echo libcmocka-dev
    fi
    if absent clang; then
        echo clang
    elif ! sanitizers; then
        echo "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
    fi
    if absent clang-tidy; then echo clang-tidy; fi
    if absent clang-format; then echo clang-format; fi
    if absent shellcheck; then echo shellcheck; fi
    if absent doxygen; then echo doxygen; fi
    if absent mandoc; then echo mandoc; fi
    if absent man; then echo man-db; fi
    if absent spin; then echo spin; fi
    if absent sqlite3; then echo sqlite3; fi
    if [ ! -e /usr/include/sqlite3ext.h ]; then echo libsqlite3-dev; fi
    missing_for_postgres
    if absent python3; then echo python3; fi
    if [ ! -e /usr/include/uv.h ]; then echo libuv1-dev; fi
    if [ ! -e /usr/include/asio.hpp ]; then echo libasio-dev; fi
    if absent musl-gcc; then echo musl-tools; fi
}

missing_for_windows() {
    if absent wine; then echo wine; fi
    if absent wine64 && [ ! -e /usr/lib/wine/wine64 ]; then echo wine64; fi
    if absent x86_64-w64-mingw32-gcc; then echo gcc-mingw-w64-x86-64-posix; fi
    if ! mingw_threads; then echo g++-mingw-w64-x86-64-posix; fi
    if absent clang; then echo clang; fi
    if absent clang-tidy; then echo clang-tidy; fi
    missing_for_flatbuffers
}

# Debian has mingw-w64's C++ compiler twice, and only one of them has std::thread: see mingw-w64.cmake.
mingw_threads() {
    for compiler in x86_64-w64-mingw32-g++-posix x86_64-w64-mingw32-g++; do
        if absent "$compiler"; then continue; fi
        printf '#include <thread>\nstd::thread thread([] {});\n' |
            "$compiler" -x c++ -fsyntax-only - 2>/dev/null
        return
    done
    return 1
}

missing_for_cpp() {
    if absent g++; then echo g++; fi
    missing_for_flatbuffers
}

missing_for_flatbuffers() {
    if absent flatc; then echo flatbuffers-compiler; fi
    if [ ! -e /usr/include/flatbuffers/flatbuffers.h ] &&
        [ ! -e /usr/local/include/flatbuffers/flatbuffers.h ]; then
        echo libflatbuffers-dev
    fi
}

missing_for_postgres() {
    if absent pg_config || [ ! -e "$(pg_config --includedir-server)/postgres.h" ]; then
        echo postgresql-server-dev-all
    fi
    if absent pg_config || [ ! -e "$(pg_config --bindir)/postgres" ]; then echo postgresql; fi
}

missing_for_arm64() {
    if absent qemu-aarch64; then echo qemu-user; fi
    if absent aarch64-linux-gnu-gcc; then echo gcc-aarch64-linux-gnu; fi
    if [ ! -e /usr/aarch64-linux-gnu/include/stdio.h ]; then echo libc6-dev-arm64-cross; fi
}

# Some systems pack clang's sanitizers apart from clang.
sanitizers() {
    for runtime in "$(clang -print-runtime-dir)"/*clang_rt.tsan* \
        "$(clang -print-resource-dir)"/lib/*/*clang_rt.tsan*; do
        if [ -e "$runtime" ]; then return 0; fi
    done
    return 1
}

give_up() {
    echo "setup: please install (Debian's names): $packages" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_packages() {
    if absent apt-get || ! as_root true 2>/dev/null; then give_up; fi
    echo "setup: installing $packages" >&2
    log=$(mktemp)
    # shellcheck disable=SC2086 # a list of words
    if ! {
        as_root apt-get update &&
            as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y --no-install-recommends $packages
    } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        give_up
    fi
    rm -f "$log"
}

find_missing() {
    packages=$(missing | sort -u | tr '\n' ' ')
    packages=${packages% }
    [ -n "$packages" ]
}

# Twice: only an installed clang can tell where its sanitizers ought to be.
if find_missing; then install_packages; else exit 0; fi
if find_missing; then install_packages; else exit 0; fi
if find_missing; then give_up; fi
