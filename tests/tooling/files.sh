#!/usr/bin/env bash
# files.sh <pattern>...: the project's files of these names, and none that was built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

names=()
for pattern; do
    names+=(-o -name "$pattern")
done
find . \( -path ./build -o -path ./.tools -o -path ./.git \) -prune -o \
    -type f \( "${names[@]:1}" \) -print
