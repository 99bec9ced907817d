#!/usr/bin/env bash
# flatc.sh [--write]: checks that what flatc generates from the project's schemas for Go is what the
# project has, or with --write puts it there. Who builds for Go needs no flatc. Another version may
# generate something else, so with that, or without any, nothing is checked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=2.0.8
write=${1-}
generated=$(mktemp -d)
trap 'rm -rf "$generated"' EXIT

if [[ $(flatc --version 2>&1) != "flatc version $version" ]]; then
    echo "not run: flatc: this is not version $version, or there is none"
    exit
fi

# generate <schema> <package directory> [flag of flatc]...
generate() {
    local schema=$1 package=$2 directory result
    directory=$generated/$(basename "$schema")
    result=$directory/$(basename "$package")
    flatc --go "${@:3}" -o "$directory" "$schema"
    "$(go env GOROOT)/bin/gofmt" -w "$result"
    if [[ $write == --write ]]; then
        rm -rf "$package"
        cp -R "$result" "$package"
    elif ! diff -r "$package" "$result"; then
        echo "$package is not what flatc $version generates: run tests/tooling/flatc.sh --write" >&2
        exit 1
    fi
}

generate tests/interop/message.fbs tests/interop/go_flatbuffers_guest/wire --go-namespace wire
generate docs/examples/addin/basket.fbs docs/examples/addin/guest/till
generate docs/examples/flatbuffers/order.fbs docs/examples/flatbuffers/guest/shop
generate tests/parity/flatbuffer/wire.fbs tests/parity/guest/wire --go-namespace wire
