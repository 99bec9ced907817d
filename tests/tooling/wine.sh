#!/usr/bin/env bash
# wine.sh <prefix>: makes a Wine prefix, unless it is there, in which Go's programs run too, and starts
# its server, which stays until `wineserver --kill`: a server that ends by itself when it has no
# program left refuses one that comes just then.
#
# Go's runtime has its random numbers of bcryptprimitives.dll, which every Windows has since 7, but
# not every Wine. Where it is missing a stand-in is built that passes the call on.
set -euo pipefail

mkdir -p "$1"
WINEPREFIX=$(realpath "$1")
export WINEPREFIX WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml='
system=$WINEPREFIX/drive_c/windows/system32

# The services that the first program starts keep what it writes to open: that must be nothing of a test's.
wineserver --kill 2>/dev/null || true # one that an earlier run left
wineserver --wait 2>/dev/null || true
wineserver --persistent >/dev/null 2>&1 </dev/null
wineboot --init >/dev/null 2>&1 </dev/null
if [[ ! -e $system/bcryptprimitives.dll ]]; then
    x86_64-w64-mingw32-gcc -x c -O2 -shared -o "$system/bcryptprimitives.dll" - -ladvapi32 <<'END'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length); /* RtlGenRandom */
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length) {
    return SystemFunction036(buffer, (ULONG)length);
}
END
fi
