#!/usr/bin/env bash
# Checks every Go module of the project, then tests the package, and the one for FlatBuffers, with
# this Go, with the race detector and with the oldest Go that is supported.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

oldest=go1.21.13
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.7.0
export GOFLAGS=-buildvcs=false

step() {
    echo "== $*"
    "$@"
}

check_format() {
    local files
    files=$(bash tests/tooling/files.sh '*.go' | xargs -r "$(go env GOROOT)/bin/gofmt" -l)
    if [[ -n $files ]]; then
        echo "gofmt would change: $files"
        return 1
    fi
}

# The checker is built for this system, whatever system it looks through the eyes of.
check_modules() {
    local module modules
    GOBIN=$PWD/build/tools go install "$staticcheck"
    PATH=$PWD/build/tools:$PATH
    mapfile -t modules < <(bash tests/tooling/files.sh go.mod)
    for module in "${modules[@]}"; do
        (
            cd "$(dirname "$module")"
            step go vet ./...
            step staticcheck ./...
            case $module in
            ./benchmarks/* | ./experiments/*) ;; # for Linux; the guest is built for Windows with the benchmarks
            *) GOOS=windows CGO_ENABLED=0 step staticcheck ./... ;;
            esac
        )
    done
}

# Tests the module in the working directory.
test_module() {
    step go test -timeout 300s ./...
    CGO_ENABLED=1 step go test -timeout 300s -race ./...
    GOTOOLCHAIN=$oldest step go build ./...
    GOTOOLCHAIN=$oldest step go test -timeout 300s ./...
}

step check_format
step check_modules
step bash tests/tooling/flatc.sh
cd go
step go test -timeout 300s -tags shmipc_meddling -run NeverBe .
step test_module
cd flatbuffers
step test_module
