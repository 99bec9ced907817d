#!/usr/bin/env bash
# regenerate.sh [RESULTS]: draws the charts of docs/benchmarks.md anew and writes its table and its
# description of the machine, from the latest results or those named.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$here/../..
results=$(realpath "${1:-$project/build/results/last.jsonl}")
page=$project/docs/benchmarks.md

# between MARK FILE: replaces what stands between the two lines of the page with this mark.
between() {
    awk -v mark="$1" -v file="$2" '
        $0 == "<!-- end of " mark " -->" { inside = 0 }
        !inside { print }
        $0 == "<!-- " mark " -->" {
            inside = 1
            while ((getline line <file) > 0) print line
        }' "$page" >"$work/page"
    cat "$work/page" >"$page"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/charts.sh" "$results" "$project/docs/benchmarks" >"$work/table"
{
    echo '```json'
    grep '"machine"' "$results" | head -n 1
    echo '```'
} >"$work/machine"
between table "$work/table"
between machine "$work/machine"
