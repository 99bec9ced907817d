#!/usr/bin/env bash
# Runs the Go package's tests, and those of the one for FlatBuffers, as Windows processes, under Wine:
# with this Go, and in short with the oldest one that is supported.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

oldest=go1.21.13
out=$PWD/build/go-windows
export WINEPREFIX=$out/wine WINEDEBUG=-all
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false

# tested <module>: the folders of its packages that have tests.
tested() {
    GOOS=windows GOARCH=amd64 go -C "$1" list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' ./...
}

# run <folder> <toolchain> <flag>...
run() {
    local name=${1#"$PWD"/}
    local program=$out/${name//\//-}-$2.test.exe log=$out/${name//\//-}-$2.log
    echo "== $name, $2, under $(wine --version)"
    GOTOOLCHAIN=$2 GOOS=windows GOARCH=amd64 go -C "$1" test -c -o "$program" .
    # What is printed last counts too: not every Wine passes on how a process has ended.
    if ! (cd "$1" && wine "$program" -test.timeout 120s -test.v "${@:3}") >"$log" 2>&1 ||
        ! tr -d '\r' <"$log" | tail -n 1 | grep -qx PASS; then
        tr -d '\r' <"$log" | grep -vE '^ *(=== |--- PASS)' | tail -n 60
        return 1
    fi
    echo "$(grep -c '^--- PASS' "$log") tests passed"
    grep -A 2 '^ *--- SKIP' "$log" || true
}

trap 'wineserver --kill || true' EXIT
bash tests/tooling/wine.sh "$WINEPREFIX"
mapfile -t folders < <(tested go && tested go/flatbuffers)
for folder in "${folders[@]}"; do
    run "$folder" local
    run "$folder" "$oldest" -test.short
done
