#!/usr/bin/env bash
# msvc.sh <flatbuffers include directory>: compiles every source of the library as Microsoft's compiler would,
# with its intrinsics in place of C11 atomics, for x64 and arm64; and, for x64, the C++ headers with a unit
# that uses them, as C++17 and C++20. Links and runs nothing. The compiler is clang in Microsoft's mode, the
# system's and the standard library's headers are mingw-w64's: see msvc.h and msvc.hpp. So what Microsoft's
# own standard library lacks or has besides is not seen, nor what its compiler alone refuses.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

flatbuffers=$1
headers=/usr/x86_64-w64-mingw32/include
common=(-Wall -Wextra -Werror -fms-extensions -fgnuc-version=4.2.1 -U_MSC_VER -D_WIN32_WINNT=0x0602
    -DSHMIPC_SHARED -Iinclude)
flags=(-std=c11 -O1 "${common[@]}" -ffreestanding -DSHMIPC_BUILDING -idirafter "$headers"
    -include tests/tooling/msvc.h -Isrc)

sources=(src/{base,wire,wait,region,peer,call,serve,api}/*.c src/platform/win32/*.c)
for target in x86_64-pc-windows-msvc aarch64-pc-windows-msvc; do
    printf '%s\n' "${sources[@]}" |
        xargs -P "$(nproc)" -I{} clang --target="$target" "${flags[@]}" -c -o /dev/null {}
    echo "${#sources[@]} sources compiled for $target"
done

# Where a compiler of mingw-w64's finds the standard library.
library=()
while read -r directory; do
    library+=(-isystem "$directory")
done < <(for gcc in x86_64-w64-mingw32-g++-posix x86_64-w64-mingw32-g++; do
    if command -v "$gcc" >/dev/null; then
        "$gcc" -x c++ -E -v - </dev/null 2>&1 | sed -n '/^#include </,/^End/s/^ //p'
        break
    fi
done)

for language in 17:201703L 20:202002L; do
    clang++ --target=x86_64-pc-windows-msvc -std="c++${language%:*}" -D_MSVC_LANG="${language#*:}" \
        "${common[@]}" -fcxx-exceptions -fexceptions "${library[@]}" -isystem "$flatbuffers" \
        -include tests/tooling/msvc.hpp -fsyntax-only tests/cpp/usage.cpp
    echo "C++ headers compiled as C++${language%:*} for x86_64-pc-windows-msvc"
done
