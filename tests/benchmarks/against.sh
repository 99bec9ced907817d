#!/usr/bin/env bash
# against.sh <source directory>: what bench:against says of results that are made up. Each time of a row
# is "this ratio/that one".
set -euo pipefail

benchmarks=$1/benchmarks
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# row NAME BETTER RATIO
row() {
    printf '{"name":"%s","guest":"c","bytes":48,"threads":1,"in_flight":1,"variant":"",' "$1"
    printf '"ratio":%s,"better":"%s"}\n' "$3" "$2"
}

# expect VERDICT NAME BETTER TIME...
expect() {
    local time found
    rm -f "$work"/*
    touch "$work/this" "$work/that"
    for time in "${@:4}"; do
        [[ ${time%/*} ]] && row "$2" "$3" "${time%/*}" >>"$work/this"
        [[ ${time#*/} ]] && row "$2" "$3" "${time#*/}" >>"$work/that"
    done
    found=$(awk -f "$benchmarks/charts/rows.awk" -f "$benchmarks/against/compare.awk" \
        "$work/this" "$work/that" |
        sed -n '3{s/.*\(slower\|faster\|not in the other\).*/\1/p;t;s/.*/nothing/p}')
    echo "$2, better is $3, ${*:4}: ${found:-no row}"
    [[ ${found:-no row} == "$1" ]] || {
        echo "should be: $1" >&2
        exit 1
    }
}

expect nothing rtt less 1.0/1.0 1.1/1.1 0.9/0.9 1.0/1.0
expect slower rtt less 1.2/1.0 1.3/1.1 1.1/0.9 1.2/1.0
expect faster rtt less 1.0/1.2 1.1/1.3 0.9/1.1 1.0/1.2
expect faster threads more 1.2/1.0 1.3/1.1 1.1/0.9 1.2/1.0
expect slower threads more 1.0/1.2 1.1/1.3 0.9/1.1 1.0/1.2
expect nothing rtt less 1.01/1.0 1.01/1.0 1.01/1.0 1.01/1.0 # too little
expect nothing rtt less 1.1/1.0 1.3/1.0 1.5/1.0 1.7/1.0 # within the spread
expect nothing rtt less 1.2/1.0 1.2/1.0 1.2/1.0 0.9/1.0 # not every time
expect nothing rtt less 1.2/1.0 1.2/1.0 1.2/1.0 # too few times
expect slower system_calls less 7/0 9/0 8/0 7/0
expect nothing system_calls less 0/0 0/0 0/0
expect "not in the other" mixed less 1.0/ 1.1/
expect "no row" limit less 1.2/1.0 1.2/1.0
