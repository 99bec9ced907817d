#!/usr/bin/env bash
# charts.sh RESULTS DIRECTORY: draws the charts of docs/benchmarks.md, as SVG files in DIRECTORY, and
# prints its tables, from a file that benchmarks/run.sh wrote.
set -euo pipefail

results=$(realpath "$1")
mkdir -p "$2"
directory=$(realpath "$2")
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# rows CONDITION FIELDS: a line for each row of the results that meets the condition.
rows() {
    awk "$(<rows.awk) $1 { print $2 }" "$results"
}

draw() {
    gnuplot -e "work='$work'; directory='$directory'" "$1.gnuplot"
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
    local guest slots
    for guest in c go; do
        for slots in 4 64; do
            rows "name == \"threads\" && guest == \"$guest\" && variant == \"$slots slots\"" \
                'number("threads"), number("ratio")' >"$work/threads.$guest.$slots"
        done
    done
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
    echo "| name | guest | bytes | threads | in flight | variant | p50 | p99 | p99.9 | max | calls/s | limit | ratio | spread | CPU s |"
    echo "|---|---|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    # shellcheck disable=SC2016 # of awk
    rows 'name != ""' '"| " name " | " guest " | " number("bytes") " | " number("threads") " | " \
        number("in_flight") " | " variant " | " number("ns_p50") " | " number("ns_p99") " | " \
        number("ns_p999") " | " number("ns_max") " | " number("calls_per_s") " | " \
        number("limit_ns") " | " number("ratio") " | " number("spread") " | " number("cpu_s") " |"'
}

prepare_sizes
prepare_in_flight
prepare_threads
prepare_latency
for chart in latency sizes in_flight threads; do
    draw "$chart"
done
table
