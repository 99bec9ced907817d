#!/usr/bin/env bash
# Brings C and Go sources into the house format.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

bash tests/tooling/files.sh '*.c' '*.h' '*.cpp' '*.hpp' | xargs -r clang-format -i
bash tests/tooling/files.sh '*.go' | xargs -r "$(go env GOROOT)/bin/gofmt" -w
