#!/usr/bin/env bash
# flatc.sh [--write]: checks that what flatc generates from tests/interop/message.fbs for Go is what
# the project has, or with --write puts it there. Who builds for Go needs no flatc. Another version
# may generate something else, so with that, or without any, nothing is checked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=2.0.8
package=tests/interop/go_flatbuffers_guest/wire
generated=$(mktemp -d)
trap 'rm -rf "$generated"' EXIT

if [[ $(flatc --version 2>&1) != "flatc version $version" ]]; then
    echo "not run: flatc: this is not version $version, or there is none"
    exit
fi
flatc --go --go-namespace wire -o "$generated" tests/interop/message.fbs
"$(go env GOROOT)/bin/gofmt" -w "$generated/wire"
if [[ ${1-} == --write ]]; then
    rm -rf "$package"
    cp -R "$generated/wire" "$package"
elif ! diff -r "$package" "$generated/wire"; then
    echo "$package is not what flatc $version generates: run tests/tooling/flatc.sh --write" >&2
    exit 1
fi
