#!/usr/bin/env bash
# Compiles every source of the library as Microsoft's compiler would, with its intrinsics in place of
# C11 atomics, for x64 and arm64; links and runs nothing. The compiler is clang in Microsoft's mode,
# the system's headers are mingw-w64's, see msvc.h.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

headers=/usr/x86_64-w64-mingw32/include
flags=(-std=c11 -O1 -Wall -Wextra -Werror -ffreestanding -fms-extensions
    -fgnuc-version=4.2.1 -U_MSC_VER -D_WIN32_WINNT=0x0602 -DSHMIPC_BUILDING -DSHMIPC_SHARED
    -idirafter "$headers" -include tests/tooling/msvc.h -Iinclude -Isrc)

sources=(src/*.c src/platform/win32/*.c)
for target in x86_64-pc-windows-msvc aarch64-pc-windows-msvc; do
    printf '%s\n' "${sources[@]}" |
        xargs -P "$(nproc)" -I{} clang --target="$target" "${flags[@]}" -c -o /dev/null {}
    echo "${#sources[@]} sources compiled for $target"
done
