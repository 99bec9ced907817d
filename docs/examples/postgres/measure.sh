#!/usr/bin/env bash
# measure.sh [blocks [seconds]]: statements a second by pgbench, from 1, 2 and 20 backends, if their function is the
# server's own, Go's through shared memory, or Go's through a Unix socket; in alternating blocks (default: 3 of 1 s), of
# which the median is printed. The module comes from SHMIPC_BUILD_DIR.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
blocks=${1:-3}
seconds=${2:-1}
work=$(mktemp -d)
backends_each=(1 2 20)
functions=(upper go_upper socket_upper)
# shellcheck source=docs/examples/postgres/cluster.sh
. "$here/cluster.sh"

clean_up() {
    kill -INT "$server" "$guest" 2>/dev/null || true
    wait 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# statement <function> <rows>
statement() {
    echo '\set n random(1, 100000)'
    if (($2 == 1)); then
        echo "SELECT $1('row ' || :n);"
    else
        echo "SELECT sum(length($1('row ' || n))) FROM generate_series(:n, :n + $2 - 1) n;"
    fi
}

# time_block <function> <rows> <backends>
time_block() {
    statement "$1" "$2" >"$work/statement.sql"
    "$programs/pgbench" -n -M prepared -c "$3" -j 1 -T "$seconds" -f "$work/statement.sql" |
        awk '/^tps/ { print $3 }' >>"$work/$1.$2.$3"
}

median() {
    sort -g "$work/$1.$2.$3" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

(cd "$here/.." && CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -o "$work/program" ./postgres/guest)
make_cluster "${SHMIPC_BUILD_DIR:-$here/../../../build/tests}/docs/examples/postgres/shmipc_go.so"
mv "$work/program" "$work/guest/program"
# shellcheck disable=SC2119 # with no more settings
start_server
start_guest
until server_is_ready; do sleep 0.01; done
make_functions "$here" postgres

for ((block = 0; block < blocks; block++)); do
    for backends in "${backends_each[@]}"; do
        for rows in 1 100; do
            for function in "${functions[@]}"; do time_block "$function" "$rows" "$backends"; done
        done
    done
done
printf '%-32s %9s %9s %12s\n' "statements a second" "${functions[@]}"
for backends in "${backends_each[@]}"; do
    for rows in 1 100; do
        printf '%3d backends, %3d rows each %5s' "$backends" "$rows" ""
        for function in "${functions[@]}"; do printf ' %9.0f' "$(median "$function" "$rows" "$backends")"; done
        echo
    done
done
