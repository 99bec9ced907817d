#!/usr/bin/env bash
# Runs the Go package's tests as Windows processes, under Wine: with this Go, and in short with the
# oldest one that is supported.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

oldest=go1.21.13
out=$PWD/build/go-windows
export WINEPREFIX=$out/wine WINEDEBUG=-all
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false

# run <toolchain> <flag>...
run() {
    local program=$out/shmipc-$1.test.exe log=$out/$1.log
    echo "== $1 under $(wine --version)"
    GOTOOLCHAIN=$1 GOOS=windows GOARCH=amd64 go -C go test -c -o "$program" .
    # What is printed last counts too: not every Wine passes on how a process has ended.
    if ! (cd go && wine "$program" -test.timeout 120s -test.v "${@:2}") >"$log" 2>&1 ||
        ! tr -d '\r' <"$log" | tail -n 1 | grep -qx PASS; then
        tr -d '\r' <"$log" | grep -vE '^ *(=== |--- PASS)' | tail -n 60
        return 1
    fi
    echo "$(grep -c '^--- PASS' "$log") tests passed"
    grep -A 2 '^ *--- SKIP' "$log" || true
}

bash tests/tooling/wine.sh "$WINEPREFIX"
run local
run "$oldest" -test.short
