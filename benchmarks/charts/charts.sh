#!/usr/bin/env bash
# charts.sh RESULTS DIRECTORY: draws the charts of docs/benchmarks.md, as SVG files in DIRECTORY, and
# prints its tables, from a file that benchmarks/run.sh wrote.
set -euo pipefail

results=$(realpath "$1")
processor=$(sed -n 's/.*"processor":"\([^"]*\)".*/\1/p' "$results" | sort -u | paste -sd ';')
mkdir -p "$2"
directory=$(realpath "$2")
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# rows CONDITION FIELDS: a line for each row of the results that meets the condition.
rows() {
    awk "$(<rows.awk) $1 { print $2 }" "$results"
}

# draw CHART: only if there are rows for it.
draw() {
    local data
    for data in "$work/$1"*; do
        if [[ -s $data ]]; then
            gnuplot -e "work='$work'; directory='$directory'; processor='$processor'" "$1.gnuplot"
            return
        fi
    done
}

prepare_sizes() {
    local guest
    for guest in c go; do
        rows "name == \"rtt\" && guest == \"$guest\" && variant == \"\"" \
            'number("bytes"), number("limit_ns") * number("ratio")' >"$work/sizes.$guest"
    done
    rows 'name == "limit_lines"' 'number("bytes"), number("limit_ns") * number("ratio")' \
        >"$work/sizes.limit"
}

prepare_in_flight() {
    local guest
    for guest in c go; do
        rows "name == \"in_flight\" && guest == \"$guest\"" \
            'number("in_flight"), number("ratio"), number("spread") / 2' | sort -n \
            >"$work/in_flight.$guest"
    done
}

prepare_threads() {
    local guest name
    for guest in c go; do
        for name in threads oversubscribed; do
            rows "name == \"$name\" && guest == \"$guest\"" \
                'number("threads"), number("ratio"), number("spread") / 2, number("ns_max") / 1e6' |
                sort -n >"$work/$name.$guest"
        done
    done
}

# The variants are "compute 5 us" and "asleep 1 ms".
prepare_parallel() {
    local work_is guest threads
    for work_is in "compute 2" "compute 4" "asleep 8" "asleep 32"; do
        threads=${work_is#* }
        for guest in c go; do
            rows "name == \"parallel\" && guest == \"$guest\" && number(\"threads\") == $threads &&
                  variant ~ /^${work_is% *} [0-9]+ [mu]s$/" \
                'us(variant), number("ratio"), number("spread") / 2' | sort -n \
                >"$work/parallel.${work_is% *}.$guest.$threads"
        done
    done
}

# One line for what the long handler does, its percentiles in a row.
prepare_mixed() {
    local guest
    for guest in c go; do
        rows "name == \"mixed\" && guest == \"$guest\"" \
            '"\"" (guest == "go" ? "Go" : "C") ", " variant "\"", number("ns_p50"), number("ns_p99"),
             number("ns_p999"), number("ns_max")'
    done >"$work/mixed"
}

# One line a subject, its percentiles in a row; the order is that of the file.
prepare_latency() {
    # shellcheck disable=SC2016 # of awk
    rows 'variant ~ /^beside/ && name == "rtt" ||
          name ~ /^(unix_socket|pipe|semaphore|net_rpc|grpc|cgo)$/ && variant == "" ||
          name == "limit" && variant == "beside the alternatives"' \
        '(number("bytes") != 48 && number("bytes") != 64 ? "other" : "small"), "\"" label() "\"",
         number("ns_p50"), number("ns_p99"), number("ns_p999"), number("ns_max")' |
        sed -n 's/^small //p' | awk -F '"' '!seen[$2]++' >"$work/latency"
}

table() {
    echo "| name | guest | bytes | threads | in flight | variant | p50 | p99 | p99.9 | max | calls/s | limit | ratio | spread | CPU s | target | processor |"
    echo "|---|---|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"
    # shellcheck disable=SC2016 # of awk
    rows 'name != ""' '"| " name " | " guest " | " number("bytes") " | " number("threads") " | " \
        number("in_flight") " | " variant " | " number("ns_p50") " | " number("ns_p99") " | " \
        number("ns_p999") " | " number("ns_max") " | " number("calls_per_s") " | " \
        number("limit_ns") " | " number("ratio") " | " number("spread") " | " number("cpu_s") " | " \
        target() " | " text("processor") " |"'
}

prepare_sizes
prepare_in_flight
prepare_threads
prepare_parallel
prepare_mixed
prepare_latency
for chart in latency sizes in_flight threads oversubscribed parallel mixed; do
    draw "$chart"
done
table
