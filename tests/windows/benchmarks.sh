#!/usr/bin/env bash
# benchmarks.sh <directory of the programs> [runner]: the benchmarks that there are on Windows run,
# and each row comes out with a ratio. What it is means nothing: there is one round, beside others.
set -euo pipefail

programs=$1
runner=${2-}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

fail() {
    echo "$*" >&2
    cat "$out" >&2
    exit 1
}

# rows <guest> <name>: how many rows of these there are whose ratio is a number above 0.
rows() {
    grep "^{\"name\":\"$2\",\"guest\":\"$1\"" "$out" |
        sed -n 's/.*"ratio":\([0-9.]*\),.*/\1/p' | awk '$1 > 0' | wc -l
}

# expect <count> <guest> <name>
expect() {
    local all good
    all=$(grep -c "^{\"name\":\"$3\",\"guest\":\"$2\"" "$out" || true)
    good=$(rows "$2" "$3")
    echo "$3, guest in $2: $all rows, $good with a ratio"
    [[ $all == "$1" && $good == "$1" ]] || fail "there should be $1"
}

cd "$programs"
${runner:+"$runner"} ./bench.exe --quick --rounds 1 rtt parked | tr -d '\r' >"$out" || fail "it failed"
expect 1 c limit
expect 6 c rtt # one of them in a held slot, one after a rest
expect 6 go rtt
expect 4 c limit_event
expect 4 c parked
expect 4 go parked
