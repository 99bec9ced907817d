#!/bin/sh
# emulate.sh <program> [arguments...]: runs a Windows program under Wine, quietly, in a prefix of its
# own: the one of SHMIPC_WINEPREFIX, or build/wine.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
WINEPREFIX=${SHMIPC_WINEPREFIX:-$root/build/wine}
WINEDEBUG=${WINEDEBUG:--all}
# Neither a browser engine nor .NET is needed, nor a desktop's menus.
WINEDLLOVERRIDES='mscoree,mshtml,winemenubuilder.exe='
export WINEPREFIX WINEDEBUG WINEDLLOVERRIDES
mkdir -p "$WINEPREFIX"

wine=$(command -v wine64 || echo /usr/lib/wine/wine64)
exec "$wine" "$@"
