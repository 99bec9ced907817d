#!/usr/bin/env bash
# draw.sh RESULTS PICTURE: draws what experiment_scaling printed, and prints README.md's tables.
set -euo pipefail

results=$(realpath "$1")
picture=$(realpath -m "$2")
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The columns are those that scaling.c names. A handler of 0 us goes by one worker's bound.
for handler in 0 1 10 100; do
    column=$([[ $handler == 0 ]] && echo 8 || echo 6)
    awk -v h=$handler -v c="$column" \
        '$1 == h && 2 * $3 == $2 { print $2, $c }' "$results" >"$work/half.$handler"
    awk -v h=$handler -v c="$column" \
        '$1 == h && $3 == ($2 < 64 ? 2 * $2 : 64) { print $2, $c }' "$results" >"$work/twice.$handler"
done
gnuplot -e "work='$work'; output='$picture'; processor=''" scaling.gnuplot

awk '
    /^#/ { next }
    !any || $1 != handler {
        any = 1
        handler = $1
        printf "\n| %s us: callers | 2 processors | 4 | 8 | 16 | 32 | 64 |\n", $1
        printf "|--:|--:|--:|--:|--:|--:|--:|\n"
    }
    { cell[$1, $2, $3] = sprintf("%.0f, %.2f", $4 / 1000, $1 == 0 ? $8 : $6) }
    $2 == 64 {
        printf "| %d |", $3
        for (p = 2; p <= 64; p *= 2)
            printf " %s |", cell[$1, p, $3]
        printf "\n"
    }' "$results"
