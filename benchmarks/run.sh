#!/usr/bin/env bash
# run.sh [arguments of bench...]: builds the benchmarks into build/release, and runs them. Their
# results go to build/results/<time>.jsonl too; last.jsonl there is the latest of them. Nothing but
# results is written to standard output.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

programs=$PWD/build/release/benchmarks
results=$PWD/build/results

commit() {
    git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown
}

if ! log=$(bash benchmarks/build.sh 2>&1); then
    echo "$log" >&2
    exit 1
fi
mkdir -p "$results"
# The Go package's own benchmarks are part of the whole matrix.
if (($# == 0)); then
    (cd go && go test -run '^$' -bench . -benchmem .) | tee "$results/go.txt" >&2
fi
file=$results/$(date -u +%Y%m%dT%H%M%SZ).jsonl
"$programs/bench" --programs "$programs" --commit "$(commit)" --out "$file" "$@"
ln -sf "$(basename "$file")" "$results/last.jsonl"
