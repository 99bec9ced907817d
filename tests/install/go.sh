#!/usr/bin/env bash
# go.sh <source directory>: builds and runs an outside Go program without cgo and without network.
set -euo pipefail

source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp -R "$source/tests/install/go/." "$work"
cd "$work"
export CGO_ENABLED=0 GOFLAGS=-mod=mod GOPROXY=off
go mod edit -replace="github.com/libshmipc/libshmipc/go=$source/go"
go build -o consumer .

# The C header is where the version is written; the Go package repeats it.
header=$(sed -n 's/^#define SHMIPC_VERSION_[MP][A-Z]* \([0-9]*\)$/\1/p' \
    "$source/include/shmipc/shmipc.h" | paste -sd.)
package=$(./consumer)
if [[ $package != "$header" ]]; then
    echo "the Go package is version $package, the C header is version $header" >&2
    exit 1
fi
